"""Where and with what the figures were measured."""

import os
import platform
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tests.bench.figures import median

PACKAGES = ["grpcio", "protobuf", "sqlalchemy", "orjson", "pydantic", "jsonschema-rs", "opentelemetry-sdk"]


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def conditions() -> str:
    """What every latency here stands on, and what else the machine was doing."""
    return f"one fdatasync takes {_fdatasync_ms():.2f} ms (median), load average {os.getloadavg()[0]:.1f}"


def _fdatasync_ms(count: int = 100) -> float:
    times: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(count):
            os.write(file.fileno(), b"x" * 8192)
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e3)
    return median(times)


def describe() -> dict[str, str]:
    return {
        "date": today(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory_gib():.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk and load": conditions(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": f"{sqlite3.sqlite_version}, WAL, synchronous=FULL",
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),
    }


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) / 2**20
    return 0.0


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
