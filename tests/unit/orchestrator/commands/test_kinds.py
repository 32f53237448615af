"""Commands and refusals as they travel: all of them comes through, and nothing unknown is passed over."""

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2
from orchestrator_svc.application.add_proposals import Adding, Closing
from orchestrator_svc.application.cancel import Cancelling, CancellingItems
from orchestrator_svc.application.commands.kind import AnyKind, UnreadableError
from orchestrator_svc.application.commands.refusals import read_refusal, write_refusal
from orchestrator_svc.application.decide import Decisions, DecisionSpec
from orchestrator_svc.application.record_ending import Arriving
from orchestrator_svc.application.resolve import Resolving
from orchestrator_svc.application.resume_batch import Resuming
from orchestrator_svc.application.retry_proposals import Retrying
from orchestrator_svc.application.soft_confirm import Turn
from orchestrator_svc.domain.proposal import Condition, Dependency, ProposalSpec, Verdict
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.states import OnInvalid, Resolution
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, RetryPolicy, Tier
from shared.kernel import errors
from shared.kernel.errors import ErrorKind, FieldViolation, GreenlightError
from tests.support.world import World

TEXT = 'é"\\\n\u2028\U0001f7e2'
FULL = ProposalSpec(
    "tool",
    "key",
    "agent",
    "1.2",
    '{"a": 1e400, "b": [12345678901234567890123]}',
    Tier.HARD,
    (Dependency("a"), Dependency("b", Condition.FINISHED)),
    TEXT,
    TEXT,
    {"": TEXT},
    TEXT,
    1 << 62,
    RetryPolicy(3, 1, 2),
    5,
)
FAILURE = Failure(FailureClass.RATE_LIMITED, KnownEffect.POSSIBLE, "SLOW", TEXT, 5, True)
SAMPLES: dict[str, list[object]] = {
    "AddProposals": [Adding([FULL, ProposalSpec("t")], OnInvalid.FAIL_CALL, True), Adding([], OnInvalid.REFUSE, False)],
    "CancelBatch": [Cancelling(TEXT)],
    "CancelProposals": [CancellingItems({0: "a/b", 999: TEXT}, TEXT)],
    "CloseBatch": [Closing()],
    "DecideProposals": [
        Decisions({3: DecisionSpec("a/b", Verdict.APPROVE, TEXT, "sha256:0", 7, "{}", True)}, True),
        Decisions({0: DecisionSpec("a/b", None)}, False),
    ],
    "RecordEnding": [
        Arriving("k", 2, TEXT, Ending('{"a": 1e400}', None, 1, 2, 3, 1 << 62, True), 1 << 40),
        Arriving("k", 1, "e", Ending(None, FAILURE), 0),
    ],
    "ResolveProposal": [
        Resolving("k", Resolution.RUN_AGAIN, TEXT, TEXT, 0),
        Resolving("k", Resolution.FAILED, "", "x", None),
    ],
    "ResumeBatch": [Resuming("")],
    "RetryProposals": [Retrying({1: "a/b"}, (), "x"), Retrying(None, ("a", TEXT), "")],
    "SoftConfirm": [Turn(["a", "b"], {"b": TEXT})],
}


@pytest.fixture
def kinds() -> dict[str, AnyKind]:
    return dict(World().commands.kinds)


def test_each_is_the_work_of_an_rpc(kinds: dict[str, AnyKind]) -> None:
    """By whose name the request is remembered, whoever carries it out; an executor's word is no request."""
    service = orchestrator_pb2.DESCRIPTOR.services_by_name["OrchestratorService"]
    assert kinds.keys() - {"RecordEnding"} <= {method.name for method in service.methods}
    assert kinds.keys() == SAMPLES.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_arguments_come_through(kinds: dict[str, AnyKind], name: str) -> None:
    kind = kinds[name]
    for sample in SAMPLES[name]:
        read = kind.read(kind.write(sample))
        assert type(read) is type(sample) is kind.arguments
        assert read == sample


@pytest.mark.parametrize(
    "written", [b"", b"[]", b'{"reason":1}', b'{"reason":"x","softly":true}', b"{}", b'{"reason":"']
)
def test_what_cannot_be_read_is_not_carried_out(kinds: dict[str, AnyKind], written: bytes) -> None:
    with pytest.raises(UnreadableError):
        kinds["CancelBatch"].read(written)


@pytest.mark.parametrize("kind", ErrorKind)
def test_refusals_come_through(kind: ErrorKind) -> None:
    (cls,) = (
        each
        for each in vars(errors).values()
        if isinstance(each, type) and GreenlightError in each.__bases__ and each.kind is kind  # type: ignore[attr-defined]
    )
    violations = [FieldViolation("a.b[3]", TEXT)]
    for error in (
        cls("REASON", TEXT, metadata={"a": TEXT}, violations=violations, retry_after=0.25),
        cls("REASON", "m"),
    ):
        read = read_refusal(write_refusal(error))
        assert type(read) is cls
        assert vars(read) == vars(error)
        assert read.args == error.args
