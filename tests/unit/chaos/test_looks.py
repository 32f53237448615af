"""The judge of `make chaos`: what a tool's probe said, compared with the ledger; and the tool that has one."""

from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_tool import NOT_FOUND as NOTHING
from greenlight_tool.testing import call, fake_context, probe
from tests.chaos.ledger import Ledger
from tests.chaos.looks import WITH_PROBE, wrong_looks
from tests.chaos.toolbox import LEDGER, transfer
from tests.unit.chaos.made_up import UNKNOWN, MadeUpRun, event, line

FOUND, NOT_FOUND, FAILED = (
    proposal_pb2.PROBE_FINDING_FOUND,
    proposal_pb2.PROBE_FINDING_NOT_FOUND,
    proposal_pb2.PROBE_FINDING_FAILED,
)
UNKNOWN_AT = 20


def probed(finding: proposal_pb2.ProbeFinding.ValueType, at: float, attempt: int = 1) -> event_pb2.Event:
    return event("outcome_probed", "k", UNKNOWN, at=at, attempt=attempt, finding=finding)


def judged(tmp_path: Path, *events: event_pb2.Event, effect_at: float | None) -> list[str]:
    path = tmp_path / "ledger"
    path.write_text("" if effect_at is None else line("effect", "b/k", at=effect_at))
    unknown = event("outcome_unknown", "k", UNKNOWN, at=UNKNOWN_AT)
    return list(wrong_looks([unknown, *events], Ledger(path)))


def test_what_is_found_was_there_before(tmp_path: Path) -> None:
    found = probed(FOUND, 30)
    assert judged(tmp_path, found, effect_at=19) == []
    assert judged(tmp_path, found, effect_at=29) == []
    assert len(judged(tmp_path, found, effect_at=31)) == 1
    assert len(judged(tmp_path, found, effect_at=None)) == 1


def test_what_is_not_found_was_not_there_when_it_became_unknown(tmp_path: Path) -> None:
    not_found = probed(NOT_FOUND, 30)
    assert judged(tmp_path, not_found, effect_at=None) == []
    assert judged(tmp_path, not_found, effect_at=21) == [], "it came while it was looked for, or later"
    assert len(judged(tmp_path, not_found, effect_at=19)) == 1


def test_each_look_is_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, probed(NOT_FOUND, 21), probed(FOUND, 30), effect_at=25) == []
    assert len(judged(tmp_path, probed(NOT_FOUND, 21), probed(FOUND, 30), effect_at=None)) == 1


def test_one_that_could_not_look_has_said_nothing(tmp_path: Path) -> None:
    for effect_at in (None, 19.0, 31.0):
        assert judged(tmp_path, probed(FAILED, 30), effect_at=effect_at) == []


@pytest.fixture
def run(tmp_path: Path) -> MadeUpRun:
    """`pay` was unknown, was looked for and not found, and was made again."""
    run = MadeUpRun(tmp_path)
    pay = run.proposals["pay"]
    pay.attempts.append(pay.attempts[0])
    pay.attempts[1].number = 2
    pay.attempts[0].failure.CopyFrom(tool_pb2.Failure(known_effect=tool_pb2.KNOWN_EFFECT_NONE, reason="CANCELLED"))
    run.lines.remove(line("effect", "b/pay"))
    run.lines.append(line("effect", "b/pay", 2))
    return run


async def test_not_found_and_made_again_it_never_has_its_effect(run: MadeUpRun) -> None:
    assert (await run.judged()).about == []
    run.lines.append(line("effect", "b/pay", 1))
    figures = await run.judged()
    assert (figures.unknown_wrong, figures.doubled) == (1, 1)


async def test_a_run_counts_what_looks_found(run: MadeUpRun) -> None:
    run.told = list(run.events)
    run.record(event("outcome_probed", "pay", at=5, finding=FOUND))
    figures = await run.judged()
    assert (figures.looked, figures.unknown_wrong) == (1, 1)


async def test_the_tool_finds_what_it_wrote_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "ledger"
    ledger.touch()
    monkeypatch.setenv(LEDGER, str(ledger))
    context = fake_context(proposal_id="b/k", idempotency_key="key")
    assert await probe(transfer, {"ms": 7}, "key", context=context) is NOTHING
    result = await call(transfer, {"ms": 7}, context=context)
    assert await probe(transfer, {"ms": 7}, "key", context=context) == result
    assert await probe(transfer, {"ms": 7}, "another", context=context) is NOTHING
    assert transfer.spec.name == WITH_PROBE


async def test_the_tool_does_not_find_what_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "ledger"
    ledger.write_text(line("began", "b/k") + "\n" + line("effect", "b/k"))
    monkeypatch.setenv(LEDGER, str(ledger))
    assert await probe(transfer, {"ms": 7}, "b/k") is NOTHING
