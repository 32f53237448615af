"""Every setting of the orchestrator, its default and its meaning. The only reader of the environment.

A command-line option wins over its environment variable (GREENLIGHT_ and the upper-case name).
"""

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchestrator_svc.adapters.executor.resolver import Endpoint
from shared.runtime.server import listen_address

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseSettings):
    """Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="GREENLIGHT_", extra="ignore", populate_by_name=True)

    listen: str = Field("127.0.0.1:50051", description="HOST:PORT to serve on; port 0 takes a free one")
    executors: Annotated[list[str], NoDecode] = Field(
        ["127.0.0.1:50052"], description="HOST:PORT of the executors; a name may stand for many, looked up all the time"
    )
    data: Path = Field(Path(".greenlight"), description="Folder of the SQLite database and its lock")
    store: SecretStr = Field(
        SecretStr(""),
        description="postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE; none: the SQLite database in the folder",
    )
    standby: bool = Field(False, description="Where another orchestrator has the SQLite file, wait until it is gone")
    templates: Annotated[list[Path], NoDecode] = Field([], description="Folders with templates")
    tenants: Annotated[list[str], NoDecode] = Field([], description="Allowed tenants; empty = all")
    self_approval: bool = Field(True, description="A proposer may approve its own HARD proposals")
    soft_window: Seconds = Field(600, description="How long after it was shown a user's next turn confirms a SOFT one")
    soft_approval_deadline: Seconds = Field(1800, description="Time to decide on a SOFT proposal")
    hard_approval_deadline: Seconds = Field(86400, description="Time to decide on a HARD proposal")
    queue_timeout: Seconds = Field(30, description="How long a proposal waits while no executor has its tool")
    reattach_window: Seconds = Field(60, description="How long a lost executor has to come back and tell")
    answer_margin: Seconds = Field(
        10, description="How long over its timeout a call may be before its executor is asked, and cancels it"
    )
    store_patience: Seconds = Field(
        3, description="How long a caller waits for a disk that does not write, before it is told to ask again"
    )
    lease_period: Seconds = Field(
        5,
        description="After so long without a sign of it, other orchestrators on the same PostgreSQL database take over",
    )
    resolution_deadline: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="How long a batch waits to learn what became of an unknown outcome; 0: until somebody says so",
    )
    probe_max_delay: Seconds = Field(
        60, description="Upper bound of the delay between two looks of a tool for the effect of an unknown outcome"
    )
    cancel_grace: Seconds = Field(5, description="How long a cancelled call has to stop")
    drain_grace: float = Field(30, ge=0, description="How long a shutdown waits for what runs")
    heartbeat_interval: Seconds = Field(15, description="The longest silence on a stream")
    idle_timeout: Seconds = Field(900, description="An open batch with nothing to do closes after this")
    events_retention: float = Field(
        0, ge=0, allow_inf_nan=False, description="How long a finished batch keeps its events; 0: for ever"
    )
    resolve_interval: Seconds = Field(5, description="How often executors' names are looked up")
    max_arguments_bytes: int = Field(256 * 1024, gt=0, description="Arguments of one proposal")
    max_proposals: int = Field(10_000, gt=0, description="Proposals of one batch")
    max_batch_arguments_bytes: int = Field(
        64 * 1024 * 1024, gt=0, description="Arguments of one batch in all, proposed and bound"
    )
    max_backlog: int = Field(50_000, gt=0, description="Rows waiting to be recorded before submissions are refused")
    retry_attempts: int = Field(3, ge=1, description="Attempts in all, where neither tool nor proposal says otherwise")
    retry_initial_delay: Seconds = Field(2, description="Upper bound of the first delay; it doubles")
    retry_max_delay: Seconds = Field(30, description="Upper bound of any delay")
    parent_pipe: int = Field(
        -1,
        ge=-1,
        description="Descriptor of a pipe whose other end the parent holds; closed, this drains (-1: none)",
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    uvloop: bool = Field(False, description="Run on uvloop, where it is installed")

    otlp_endpoint: str = Field(
        "",
        validation_alias=AliasChoices("otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="Where spans and metrics go (OTEL_EXPORTER_OTLP_ENDPOINT); none: nowhere",
    )
    metrics_exporter: str = Field(
        "otlp",
        validation_alias=AliasChoices("metrics_exporter", "OTEL_METRICS_EXPORTER"),
        description="Whether metrics go there too (OTEL_METRICS_EXPORTER): otlp, or none",
    )
    sampled_per_second: float = Field(
        500, ge=0, description="Calls with spans, in batches of more than 100 proposals; smaller ones always have them"
    )

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

    @field_validator("executors")
    @classmethod
    def _endpoints(cls, value: list[str]) -> list[str]:
        for text in value:
            Endpoint.parse(text)
        return value

    @field_validator("executors", "templates", "tenants", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        return _split(value)
