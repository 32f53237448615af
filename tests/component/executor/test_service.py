"""The service around: health, reflection, addresses, the call by hand when it is unsafe, drains."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from executor_svc.bootstrap import serving
from executor_svc.settings import Settings
from greenlight.executor.v1 import executor_pb2 as pb
from shared.runtime.server import ListenError
from tests.support.executor import TOOLBOX, Executor, Peer, call, executor, failure
from tests.support.gates import GATES

SERVICE = "greenlight.executor.v1.ExecutorService"


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_serves_until_it_drains(exe: Executor, service: str):
    stub: Any = health_pb2_grpc.HealthStub(exe.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=service))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_describes_the_service(exe: Executor, version: str):
    reflect: Any = exe.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await reflect.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    listed = [service.name for service in (await reflect.read()).list_services_response.service]
    assert SERVICE in listed
    for name in listed:  # what is listed can be described
        await reflect.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
        assert (await reflect.read()).file_descriptor_response.file_descriptor_proto
    await reflect.done_writing()


async def test_a_port_that_is_taken_is_refused_in_words(exe: Executor, tmp_path: Path):
    settings = Settings(listen=exe.service.address, toolbox=[str(TOOLBOX)], data=tmp_path)
    with pytest.raises(ListenError, match=exe.service.address):
        async with serving(settings):
            pass


async def test_unsafe_it_calls_by_hand_whatever_there_is():
    async with executor(unsafe_call_tool=True) as exe:
        response = await exe.stub.CallTool(pb.CallToolRequest(tool="write", arguments_json='{"text":"x"}'))
        assert response.outcome.result_json == '"x"'
        assert (await exe.stub.GetServerInfo(pb.GetServerInfoRequest())).unsafe_call_tool


async def test_a_call_by_hand_takes_a_slot_and_is_refused_without_one():
    async with executor(slots=1) as exe:
        peer = await exe.connect()
        waiting = exe.stub.CallTool(pb.CallToolRequest(tool="wait", arguments_json='{"gate":"gate"}'))
        await peer.until(lambda: peer.slots.total == 0)
        assert failure(await peer.run("a", "echo", {"value": 1}))[2] == "SLOTS_EXHAUSTED"
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await exe.stub.CallTool(pb.CallToolRequest(tool="echo", arguments_json='{"value":1}'))
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        GATES.open("gate")
        assert (await waiting).outcome.result_json == '"gate"'
        await peer.until(lambda: peer.slots.total == 1)


async def test_a_call_by_hand_that_is_given_up_is_cancelled(exe: Executor):
    waiting = exe.stub.CallTool(pb.CallToolRequest(tool="wait", arguments_json='{"gate":"never"}'))
    started = asyncio.ensure_future(GATES.reached("never started"))
    await started
    waiting.cancel()
    service = exe.service.executor
    await service.unused([service.pick("wait", "").tool])
    assert service.in_flight == 0


async def test_while_it_drains_nothing_is_called_by_hand(exe: Executor):
    await exe.service.executor.drain(0)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await exe.stub.CallTool(pb.CallToolRequest(tool="echo", arguments_json='{"value":1}'))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_drained_service_leaves_nothing_running(exe: Executor, peer: Peer):
    before = asyncio.all_tasks()
    async with executor() as other:
        second = await other.connect()
        await second.send(call("a", "wait", {"gate": "never"}))
        await second.until(lambda: second.all("accepted"))
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    await asyncio.sleep(0)
    assert {task.get_name() for task in left if "greenlight" in repr(task) or "executor_svc" in repr(task)} == set()
