"""docs/errors.md lists every reason that the code knows, and no other; with the status that it has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import shared.kernel.errors as errors
from shared.runtime.errors import to_status

ROOT = Path(__file__).parents[3]
CODE = ("orchestrator_svc", "executor_svc", "shared", "clients/python/greenlight_tool")
STATUS_NAMES = {3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 6: "ALREADY_EXISTS", 7: "PERMISSION_DENIED"} | {
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    13: "INTERNAL",
    14: "UNAVAILABLE",
}
_WORD = re.compile(r"(?=.{4})[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
# Words in capitals that are no reasons: effects, tiers, failure classes, log levels, and names of others.
_OTHERS = {
    *("READ", "IDEMPOTENT", "NON_IDEMPOTENT", "AUTO", "SOFT", "HARD", "NONE", "POSSIBLE", "DONE"),
    *("INVALID_ARGUMENT", "PERMISSION", "PERMANENT", "TRANSIENT", "UNAVAILABLE", "TIMEOUT"),
    *("SUCCEEDED", "COMMIT", "ROLLBACK", "AUTOCOMMIT", "CLOCK_BOOTTIME"),
    *(
        "DEBUG",
        "INFO",
        "WARNING",
        "ERROR",
        "LEVEL",
        "SECONDS",
        "BEGIN",
        "FILE",
        "CLIENT",
        "SERVER",
        "SERVING",
        "CURRENT_RUN",
    ),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_METRICS_EXPORTER", "GRPC_EXPERIMENTS"),
    "NOT_FOUND",  # what a probe returns
}


def _trees() -> Iterator[ast.Module]:
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


def _reasons() -> set[str]:
    words = {
        node.value
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _WORD.fullmatch(node.value)
    }
    return words - _OTHERS


def _raised() -> dict[str, set[str]]:
    """Reason -> the statuses that it is raised with, where an error is made with the word itself."""
    kinds = {kind.__name__: kind for kind in errors.GreenlightError.__subclasses__()}
    found: dict[str, set[str]] = {}
    for tree in _trees():
        for node in ast.walk(tree):
            match node:
                case ast.Call(ast.Name(name), [ast.Constant(str(reason)), *_]) if name in kinds:
                    status = to_status(kinds[name](reason, ""))
                    found.setdefault(reason, set()).add(STATUS_NAMES[status.code])
                case _:
                    pass
    return found


def _table(section: str) -> dict[str, str]:
    """Reason -> the second column, of all tables of a section."""
    rows = re.findall(r"^\| ([A-Z_]+) \| ([^|]+) \|", section, flags=re.MULTILINE)
    assert len({reason for reason, _ in rows}) == len(rows), "a reason stands twice"
    return {reason: column.strip() for reason, column in rows}


def _document() -> tuple[dict[str, str], dict[str, str]]:
    """Of requests, of calls."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    requests, _, calls = text.partition("## Why a call failed\n")
    return _table(requests), _table(calls)


def test_every_reason_and_no_other():
    requests, calls = _document()
    assert sorted(_reasons()) == sorted(requests | calls)


def test_the_status_of_each():
    requests, _ = _document()
    raised = _raised()
    assert {reason: statuses for reason, statuses in raised.items() if reason in requests} == {
        reason: {requests[reason]} for reason in raised if reason in requests
    }
    assert set(raised) <= set(requests) | {"CONTEXT_INVALID"}  # an executor's refusal, which becomes a Failure


def test_the_reasons_that_the_protos_name():
    named: set[str] = set()
    for path in (ROOT / "proto" / "greenlight").rglob("*.proto"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.lstrip().startswith("//"):
                for words in re.findall(r"/ ([A-Z_]+(?:,? (?:or )?[A-Z_]{4,})*)", line):
                    named |= set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", words))
    requests, calls = _document()
    assert len(named) > 20
    assert named - set(STATUS_NAMES.values()) <= set(requests) | set(calls)
