"""The version that the services say they are."""

from importlib import metadata


def service_version() -> str:
    """Of the installed distribution."""
    try:
        return metadata.version("greenlight-svc")
    except metadata.PackageNotFoundError:
        return "0.0.0"
