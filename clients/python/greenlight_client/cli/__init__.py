"""The `greenlight` command. It uses nothing else than the client library."""

from greenlight_client.cli.app import main

__all__ = ["main"]
