"""Adds the generated package `greenlight` to the sdist and the wheel.

In the repository it lives in proto/gen, outside this project's folder; in an sdist it is beside this file.
An editable install needs nothing: dev-mode-dirs points at both folders.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GeneratedPackage(BuildHookInterface[BuilderConfig]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        places = (root / "greenlight", root.parent.parent / "proto" / "gen" / "greenlight")
        source = next((place for place in places if place.is_dir()), None)
        if source is None:
            raise FileNotFoundError(f"the generated package greenlight is at none of {[str(p) for p in places]}")
        build_data["force_include"][str(source)] = "greenlight"
