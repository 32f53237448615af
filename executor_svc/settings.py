"""Every setting of the executor, its default and its meaning. The only reader of the environment.

A command-line option wins over its environment variable (GREENLIGHT_EXECUTOR_ and the upper-case name).
"""

from pathlib import Path
from typing import Annotated, cast

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.runtime.server import listen_address

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="GREENLIGHT_EXECUTOR_", extra="ignore", populate_by_name=True)

    listen: str = Field(default="127.0.0.1:50052", description="HOST:PORT to serve on; port 0 takes a free one")
    toolbox: Annotated[list[str], NoDecode] = Field(
        default=[], description="Modules (current folder first) or .py files with tools; several are divided by commas"
    )
    data: Path = Field(
        default=Path(".greenlight/executor"), description="Folder of the journal and its lock: one executor, one folder"
    )
    reload: bool = Field(default=False, description="Load the toolboxes anew when their code changes")
    slots: int = Field(default=1000, ge=1, description="Calls that run at once, over all streams")
    threads: int = Field(
        default=32,
        ge=1,
        description="Threads for plain functions, and as many for what async tools give to threads; a quarter of each, "
        "at least two, beside that for probes",
    )
    unsafe_call_tool: bool = Field(default=False, description="CallTool runs tools of any effect, without any approval")
    drain_grace: float = Field(
        default=30, ge=0, allow_inf_nan=False, description="How long a shutdown waits for calls that run"
    )
    stop_grace: Seconds = Field(
        default=1, description="How long a call has to stop, once it timed out or was cancelled"
    )
    loop_block_limit: Seconds = Field(default=0.5, description="A call that holds the event loop for longer has failed")
    outcome_retention: Seconds = Field(
        default=60, description="How long ended calls are kept once they are acknowledged"
    )
    journal_retention: Seconds = Field(
        default=7 * 86_400, description="How long the journal knows of calls that ended and were acknowledged"
    )
    max_unacknowledged_calls: int = Field(default=100_000, ge=1, description="Above it new calls are refused")
    max_unacknowledged_bytes: int = Field(default=256 << 20, ge=1, description="Above it new calls are refused")
    reminder_after: Seconds = Field(
        default=60, gt=0, description="After how long without an acknowledgement it is said again how a call ended"
    )
    parent_pipe: int = Field(
        default=-1,
        ge=-1,
        description="Descriptor of a pipe whose other end the parent holds; closed, this drains (-1: none)",
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    uvloop: bool = Field(default=False, description="Run on uvloop, where it is installed")
    otlp_endpoint: str = Field(
        default="",
        validation_alias=AliasChoices("otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="Where spans go (OTEL_EXPORTER_OTLP_ENDPOINT); none: nowhere",
    )

    @property
    def look_threads(self) -> int:
        """Threads for tools' probes, of either kind; at least two, so that one tool's leave some to the others."""
        return max(2, self.threads // 4)

    @field_validator("toolbox", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        if isinstance(value, list):
            value = ",".join(map(str, cast(list[object], value)))
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        listen_address(value)
        return value

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()
