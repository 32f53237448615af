"""The executor's part of a trace: only for calls that ask for it, and only where there is somewhere to send it."""

import asyncio

from shared.runtime.telemetry.ids import derive_span_id
from tests.support.executor import call, executor, origin
from tests.support.otlp_sink import OtlpSink

TRACE, ATTEMPT = bytes(range(1, 17)), bytes(range(1, 9))


async def test_a_sampled_call_has_a_server_span_and_the_tools_run_below_it():
    async with OtlpSink() as sink, executor(otlp_endpoint=sink.endpoint) as exe:
        peer = await exe.connect()
        sampled = call("a", "echo", {"value": 1}, span_id=ATTEMPT)
        failing = call("b", "fail", {"how": "value_error"}, span_id=ATTEMPT)
        refused = call("c", "echo", {}, span_id=ATTEMPT)
        unsampled = call("d", "echo", {"value": 1})
        calls = (sampled, failing, refused, unsampled)
        await peer.send(*calls, origins=[origin(trace_id=TRACE)])
        outcomes = await asyncio.gather(*(peer.outcome(made.id) for made in calls))
    assert {span.trace_id for span in sink.spans} == {TRACE.hex()}
    assert {span.service for span in sink.spans} == {"greenlight-executor"}
    servers = {
        span.attributes["greenlight.call.id"]: span
        for span in sink.named("greenlight.executor.v1.ExecutorService/Execute")
    }
    assert set(servers) == {sampled.id, failing.id, refused.id}
    assert {span.parent_id for span in servers.values()} == {ATTEMPT.hex()}
    (ran,) = sink.named("run_tool echo")
    (failed,) = sink.named("run_tool fail")
    server = servers[sampled.id]
    assert server.span_id == derive_span_id(TRACE.hex(), sampled.id, "server").hex()
    assert ran.parent_id == server.span_id
    assert server.start <= ran.start <= ran.end <= server.end
    assert abs(ran.start - outcomes[0].start_time.ToNanoseconds()) < 1e9
    assert (failed.status, failed.attributes["error.type"]) == (2, "TOOL_RAISED")
    assert failed.attributes["greenlight.known_effect"] == "POSSIBLE"
    assert (server.status, servers[failing.id].status) == (0, 0)
