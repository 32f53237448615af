"""The library's own parts: builders, errors, answers, backoff, openings."""

from typing import Any, cast

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client import (
    Backoff,
    CallError,
    ConflictError,
    GreenlightClient,
    InvalidArgumentError,
    ServerError,
    UnavailableError,
    answer_text,
    call,
    error_from_status,
    finished,
    literal,
    ref,
    template,
    value,
)
from greenlight_client.answers import answer_of
from greenlight_client.backoff import Patience
from greenlight_client.calls import BatchOptions, batch_spec
from greenlight_client.errors import error_from_rpc
from greenlight_client.ids import new_request_id
from greenlight_client.openings import Cursor
from greenlight_client.servers import channel_options, targets


def test_a_call() -> None:
    spec = call(
        "look", {"at": ref("a", "/x", default=None), "raw": literal({"$from": 1})}, key="b", after=["c", finished("d")]
    )
    assert (
        spec.arguments_json
        == '{"at": {"$from": "a", "path": "/x", "default": null}, "raw": {"$literal": {"$from": 1}}}'
    )
    assert [(item.key, item.when) for item in spec.depends_on] == [
        ("c", proposal_pb2.DEPENDENCY_CONDITION_SUCCEEDED),
        ("d", proposal_pb2.DEPENDENCY_CONDITION_FINISHED),
    ]
    assert call("look").arguments_json == "{}"


def test_a_models_own_text_goes_unparsed() -> None:
    assert call("look", '{"a": NaN, "a": 1').arguments_json == '{"a": NaN, "a": 1'


def test_lone_surrogates_reach_the_server_as_escapes() -> None:
    assert call("look", {"a": "\ud800"}).arguments_json == '{"a": "\\ud800"}'


def test_options_go_over_a_given_spec_and_leave_it_alone() -> None:
    given = batch_pb2.BatchSpec(name="old", session_id="s")
    spec = batch_spec(
        given, BatchOptions(name="new", max_in_flight=1, deadline=1.5, labels={"a": "b"}, on_invalid="fail_call")
    )
    assert (spec.name, spec.session_id, spec.max_in_flight) == ("new", "s", 1)
    assert spec.deadline.ToTimedelta().total_seconds() == 1.5
    assert spec.on_invalid == batch_pb2.ON_INVALID_FAIL_CALL
    assert given.name == "old"
    assert batch_spec(template("t", {"a": 1}), BatchOptions()).template.parameters_json == '{"a": 1}'
    assert batch_spec([call("look")], BatchOptions()).proposals.items[0].tool == "look"


def test_a_word_that_there_is_not_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="tier: 'AUTO' is none of auto, soft, hard"):
        call("look", tier=cast(Any, "AUTO"))
    with pytest.raises(ValueError, match="on_invalid: 'x' is none of refuse, fail_call"):
        batch_spec([call("look")], cast(Any, {"on_invalid": "x"}))


async def test_words_of_requests_too() -> None:
    async with GreenlightClient("127.0.0.1:1") as client:
        with pytest.raises(ValueError, match="until: 'done' is none of finished, blocked"):
            await client.run_calls([call("look")], until=cast(Any, "done"))
        with pytest.raises(ValueError, match="view: 'all' is none of basic, answers, full"):
            await client.get_batch("b", cast(Any, "all"))
        with pytest.raises(ValueError, match="resolution: 'maybe' is none of succeeded, failed, run_again"):
            await client.resolve("b/k", cast(Any, "maybe"), "looked")


def _details() -> list[any_pb2.Any]:
    messages = [
        error_details_pb2.ErrorInfo(reason="BATCH_INVALID", domain="greenlight", metadata={"a": "b"}),
        error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field="batch.name", description="too long")]
        ),
    ]
    packed: list[any_pb2.Any] = []
    for message in messages:
        item = any_pb2.Any()
        item.Pack(message)
        packed.append(item)
    return packed


def test_an_error_has_its_reason_and_what_is_wrong_where() -> None:
    status = status_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="no", details=_details())
    error = error_from_status(status)
    assert isinstance(error, InvalidArgumentError)
    assert (error.reason, error.metadata, str(error)) == ("BATCH_INVALID", {"a": "b"}, "BATCH_INVALID: no")
    assert [(item.field, item.description) for item in error.violations] == [("batch.name", "too long")]


def test_an_error_of_an_rpc() -> None:
    status = status_pb2.Status(code=grpc.StatusCode.ABORTED.value[0], message="moved", details=_details())
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    error = error_from_rpc(grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, grpc.aio.Metadata(), trailing, "moved"))
    assert isinstance(error, ConflictError)
    assert error.reason == "BATCH_INVALID"


def test_details_that_contradict_the_status_are_not_believed() -> None:
    status = status_pb2.Status(code=grpc.StatusCode.ABORTED.value[0], message="other", details=_details())
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    error = error_from_rpc(grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), trailing, "no"))
    assert isinstance(error, ServerError)
    assert (error.reason, error.message) == ("", "no")


def _unavailable(retry_after: float | None = None) -> UnavailableError:
    return UnavailableError("gone", code=grpc.StatusCode.UNAVAILABLE, retry_after=retry_after)


def test_backoff_doubles_to_its_maximum() -> None:
    backoff = Backoff(initial=0.1, maximum=1.0)
    assert [round(backoff.delay(attempt, 0.0), 3) for attempt in range(1, 7)] == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    assert backoff.delay(1000, 0.5) == 0.75


def test_patience_ends_and_starts_anew_after_success() -> None:
    now = 0.0
    patience = Patience(Backoff(1.0, 1.0), 2.5, monotonic=lambda: now, fraction=lambda: 0.0)
    assert patience.delay_after(_unavailable()) == 0.5
    now = 2.2
    assert patience.delay_after(_unavailable()) is None
    patience.reset(60.0)
    now = 100.0
    assert patience.delay_after(_unavailable()) == 0.5


def test_the_servers_own_delay_is_honoured() -> None:
    patience = Patience(Backoff(), 60.0, monotonic=lambda: 0.0, fraction=lambda: 0.0)
    assert patience.delay_after(_unavailable(7.0)) == 7.0


def test_with_others_to_ask_what_one_says_of_itself_is_not_waited_for() -> None:
    patience = Patience(Backoff(1.0, 1.0), 60.0, elsewhere=True, monotonic=lambda: 0.0, fraction=lambda: 0.0)
    assert patience.delay_after(_unavailable(7.0)) == 0.5
    late = error_from_status(status_pb2.Status(code=grpc.StatusCode.DEADLINE_EXCEEDED.value[0]))
    assert patience.delay_after(late) == 0.5
    assert Patience(Backoff(), 60.0).delay_after(late) is None


def test_only_what_passes_is_tried_again() -> None:
    patience = Patience(Backoff(), 60.0)
    assert patience.delay_after(ServerError("no", code=grpc.StatusCode.INTERNAL)) is None
    exhausted = error_from_status(status_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]))
    assert patience.delay_after(exhausted) is None


def test_answers() -> None:
    done = proposal_pb2.Answer(tool="look", state=proposal_pb2.PROPOSAL_STATE_SUCCEEDED, result_json='{"a":1}')
    assert value(done) == {"a": 1}
    assert answer_text(done) == '{"a":1}'
    failure = tool_pb2.Failure(reason="TOOL_RAISED", message="no such ticker")
    failed = proposal_pb2.Answer(tool="look", state=proposal_pb2.PROPOSAL_STATE_FAILED, failure=failure)
    with pytest.raises(CallError, match="look: failed \\(TOOL_RAISED\\): no such ticker") as raised:
        value(failed)
    assert raised.value.answer is failed
    skipped = proposal_pb2.Answer(tool="t", state=proposal_pb2.PROPOSAL_STATE_SKIPPED, skipped_because="a")
    assert answer_text(skipped) == "t: skipped: a gave no result"
    waiting = proposal_pb2.Waiting(reason=proposal_pb2.WAITING_REASON_DECISION)
    pending = proposal_pb2.Answer(tool="t", state=proposal_pb2.PROPOSAL_STATE_PROPOSED, waiting=waiting)
    assert answer_text(pending) == "t: proposed: waiting for a person's decision"


def test_an_answer_from_the_record() -> None:
    proposal = proposal_pb2.Proposal(key="k", batch_id="b", tool="t", state=proposal_pb2.PROPOSAL_STATE_REJECTED)
    proposal.decisions.add(verdict=proposal_pb2.VERDICT_REJECT, message="not now")
    assert answer_text(answer_of(proposal)) == "t: rejected: not now"


def test_a_cursor_drops_what_it_had() -> None:
    cursor = Cursor()
    events = [event_pb2.Event(batch_id="a", sequence=number) for number in (1, 2, 2, 1, 3)]
    assert [cursor.accept(event) for event in events] == [True, True, False, False, True]
    assert cursor.accept(event_pb2.Event(batch_id="b", sequence=1))
    assert (cursor.batch_id, cursor.sequence) == ("b", 1)


def test_request_ids_are_random_uuids() -> None:
    ids = {new_request_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(item[14] == "4" for item in ids)


async def test_a_tenant_that_cannot_be_sent_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="tenant must be visible ASCII"):
        async with GreenlightClient(tenant="täglich"):
            pass


def test_a_client_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        GreenlightClient().watch("b")


def test_a_loopback_address_is_never_sought_through_a_proxy() -> None:
    for target in ("127.0.0.1:1", "localhost:1", "dns:///localhost:1", "ipv4:127.0.0.1:1,127.0.0.2:1"):
        assert ("grpc.enable_http_proxy", 0) in channel_options(target)
    assert ("grpc.enable_http_proxy", 0) not in channel_options("example.com:1")


def test_a_list_of_servers() -> None:
    assert targets("a:1") == ["a:1"]
    assert targets("a:1, b:2") == ["a:1", "b:2"]
    assert targets("ipv4:10.0.0.1:1,10.0.0.2:1") == ["ipv4:10.0.0.1:1,10.0.0.2:1"]
    for right in ("[::1]:1", "ipv6:[::1]:1,[::2]:2", "dns:///a:1", "dns://10.0.0.1:53/a.b.:1", "dns:a:1", "unix:/a/b"):
        assert targets(right) == [right]
    for wrong in (
        *("", "a:1,", ",", " ", "localhost", "a:", ":1", "a:0", "a:65536", "a:99999", "a:port", "a b:1", "http://a:1"),
        *("::1:1", "[::1]", "dns:///a", "dns://10.0.0.1:53/a", "ipv4:1.2.3.4", "ipv4:1.2.3.4:1,1.2.3.5", "a:1,b"),
    ):
        with pytest.raises(ValueError, match="server must be HOST:PORT"):
            targets(wrong)
