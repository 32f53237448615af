"""Messages in: calls, their origins, questions about earlier ones. The hot half of the mapping, with `outcomes`."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from executor_svc.application.attaching import Ask
from executor_svc.application.probing import SentTo
from executor_svc.domain.call import Call, Origin
from executor_svc.domain.outcome import FailureClass, Outcome, refusal, refused
from executor_svc.domain.tool import Effect
from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2

# Ten years: longer, and a deadline could not be said as a date.
_LONGEST_TIMEOUT = 315_360_000.0
_EFFECTS: dict[int, Effect] = {
    tool_pb2.EFFECT_READ: Effect.READ,
    tool_pb2.EFFECT_IDEMPOTENT: Effect.IDEMPOTENT,
    tool_pb2.EFFECT_NON_IDEMPOTENT: Effect.NON_IDEMPOTENT,
}
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


def calls_of(frame: pb.CallFrame) -> tuple[list[Call], list[Outcome]]:
    """The calls of a frame, and refusals of those that name an origin which is not there."""
    origins = [_origin(origin) for origin in frame.origins]
    calls: list[Call] = []
    refusals: list[Outcome] = []
    for sent in frame.calls:
        index = sent.origin
        if 0 <= index < len(origins):
            calls.append(
                Call(
                    sent.id,
                    origins[index],
                    sent.tool,
                    sent.version,
                    sent.arguments_json,
                    sent.digest,
                    sent.idempotency_key,
                    sent.attempt,
                    sent.agent,
                    _timeout(sent) if sent.HasField("timeout") else None,
                    sent.span_id,
                )
            )
        else:
            text = f"the frame has no origin {index}"
            refusals.append(refused(sent.id, refusal(FailureClass.INVALID_ARGUMENT, "ORIGIN_INVALID", text)))
    return calls, refusals


def ask_of(attach: pb.Attach) -> Ask:
    effect, epoch = _EFFECTS.get(attach.effect), _epoch(attach.fencing_token)
    return Ask(attach.call_id, attach.boot_id, effect, attach.journal_position, epoch)


def cancels_of(request: pb.ExecuteRequest) -> Iterator[tuple[str, int]]:
    """Call ids, each with the epoch of who cancels it; 0: it says none."""
    tokens = request.cancel_tokens
    for index, call_id in enumerate(request.cancels):
        yield call_id, _epoch(tokens[index]) if index < len(tokens) else 0


def sent_to_of(request: pb.ExecuteRequest) -> dict[str, SentTo]:
    """By call id: where each of the probes was sent, as far as that is said."""
    said = zip(request.probes.calls, request.probes_sent_to, strict=False)
    return {call.id: SentTo(sent.boot_id, sent.journal_position) for call, sent in said}


def _origin(origin: pb.Origin) -> Origin:
    return Origin(
        tenant=origin.tenant,
        principal=origin.principal,
        session_id=origin.session_id,
        context_json=origin.context_json,
        batch_id=origin.batch_id,
        labels=MappingProxyType(dict(origin.labels)) if origin.labels else _NO_LABELS,
        trace_id=origin.trace_id if len(origin.trace_id) == 16 else b"",
        epoch=_epoch(origin.fencing_token),
    )


def _epoch(token: pb.FencingToken) -> int:
    """One that cannot be is none."""
    return max(0, token.epoch)


def _timeout(sent: pb.Call) -> float:
    return min(sent.timeout.seconds + sent.timeout.nanos / 1e9, _LONGEST_TIMEOUT)
