"""grpcurl against both services, by reflection alone: it is given no proto."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from tests.bench.services import Services, services
from tests.interop.tools import require

ORCHESTRATOR = "greenlight.orchestrator.v1.OrchestratorService"
EXECUTOR = "greenlight.executor.v1.ExecutorService"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("services")
    with services(folder, toolbox=Path(__file__).with_name("toolbox.py")) as running:
        yield running


def grpcurl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(require("grpcurl")), "-plaintext", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def call(address: str, method: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of the answer."""
    done = grpcurl("-d", json.dumps(request), address, method)
    assert done.returncode == 0, done.stderr
    decoder, text, messages = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        message, end = decoder.raw_decode(text)
        messages.append(message)
        text = text[end:].lstrip()
    return messages


def submit(pair: Services, *proposals: dict[str, Any]) -> dict[str, Any]:
    request = {"batch": {"proposals": {"items": list(proposals)}}}
    return call(pair.orchestrator_address, f"{ORCHESTRATOR}/SubmitBatch", request)[0]


def events(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for message in frames for event in message["frame"].get("events", [])]


def test_both_services_are_listed_with_health_and_reflection(pair: Services):
    for address, own in ((pair.orchestrator_address, ORCHESTRATOR), (pair.executor_address, EXECUTOR)):
        listed = grpcurl(address, "list").stdout.split()
        assert own in listed
        assert {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= set(listed)


def test_reflection_is_also_there_under_its_newer_name(pair: Services):
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    for address, own in ((pair.orchestrator_address, ORCHESTRATOR), (pair.executor_address, EXECUTOR)):
        with grpc.insecure_channel(address) as channel:
            ask = channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                reflection_pb2.ServerReflectionRequest.SerializeToString,
                reflection_pb2.ServerReflectionResponse.FromString,
            )
            (answer,) = ask(iter([request]))
        assert own in {service.name for service in answer.list_services_response.service}


def test_services_and_messages_are_described(pair: Services):
    described = grpcurl(pair.orchestrator_address, "describe", ORCHESTRATOR).stdout
    assert "rpc RunBatch ( .greenlight.orchestrator.v1.RunBatchRequest )" in described
    described = grpcurl(pair.orchestrator_address, "describe", "greenlight.orchestrator.v1.ProposalSpec").stdout
    assert "string arguments_json = 5" in described
    described = grpcurl(pair.executor_address, "describe", EXECUTOR).stdout
    assert "rpc Execute ( stream .greenlight.executor.v1.ExecuteRequest )" in described


def test_health_answers(pair: Services):
    for address in (pair.orchestrator_address, pair.executor_address):
        assert call(address, "grpc.health.v1.Health/Check", {}) == [{"status": "SERVING"}]


def test_a_batch_is_run_and_watched(pair: Services):
    request = {
        "batch": {
            "proposals": {
                "items": [
                    {"key": "a", "tool": "echo", "arguments": {"text": "hello"}},
                    {"key": "b", "tool": "echo", "arguments_json": '{"text":{"$from":"a"}}'},
                ]
            }
        }
    }
    frames = call(pair.orchestrator_address, f"{ORCHESTRATOR}/RunBatch", request)
    seen = events(frames)
    assert [int(event["sequence"]) for event in seen] == list(range(1, len(seen) + 1))
    answers = frames[-1]["frame"]["summary"]["answers"]
    assert [(answer["key"], answer["result_json"]) for answer in answers] == [("a", '"hello"'), ("b", '"hello"')]

    batch_id = seen[0]["batch_id"]
    again = call(pair.orchestrator_address, f"{ORCHESTRATOR}/WatchBatch", {"batch_id": batch_id})
    assert events(again) == seen
    rest = call(pair.orchestrator_address, f"{ORCHESTRATOR}/WatchBatch", {"batch_id": batch_id, "resume_after": "2"})
    assert events(rest) == seen[2:]


def test_a_proposal_is_found_in_the_inbox_and_approved(pair: Services):
    batch = submit(pair, {"key": "p", "tool": "publish", "arguments": {"text": "now"}})
    batch_id = batch["batch"]["batch_id"]
    blocked = {"batch_id": batch_id, "until": "UNTIL_BLOCKED"}
    call(pair.orchestrator_address, f"{ORCHESTRATOR}/WaitBatch", blocked)
    inbox = call(pair.orchestrator_address, f"{ORCHESTRATOR}/ListProposals", {"batch_id": batch_id})[0]["proposals"]
    assert [proposal["key"] for proposal in inbox] == ["p"]
    decision = {"proposal_id": f"{batch_id}/p", "verdict": "VERDICT_APPROVE", "digest": inbox[0]["digest"]}
    decided = call(pair.orchestrator_address, f"{ORCHESTRATOR}/DecideProposals", {"decisions": [decision]})
    assert "code" not in decided[0]["answers"][0].get("status", {})
    summary = call(pair.orchestrator_address, f"{ORCHESTRATOR}/WaitBatch", {"batch_id": batch_id})[0]["summary"]
    assert summary["batch"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert summary["answers"][0]["result_json"] == '"now"'


def test_a_running_batch_is_cancelled(pair: Services):
    batch_id = submit(pair, {"key": "w", "tool": "wait", "arguments": {"seconds": 20}})["batch"]["batch_id"]
    cancel = {"batch_id": batch_id, "reason": "changed my mind"}
    call(pair.orchestrator_address, f"{ORCHESTRATOR}/CancelBatch", cancel)
    summary = call(pair.orchestrator_address, f"{ORCHESTRATOR}/WaitBatch", {"batch_id": batch_id})[0]["summary"]
    assert summary["batch"]["state"] == "BATCH_STATE_CANCELLED"


def test_one_tool_is_called_on_the_executor(pair: Services):
    request = {"tool": "echo", "arguments": {"text": "hi"}}
    answer = call(pair.executor_address, f"{EXECUTOR}/CallTool", request)[0]
    assert answer["outcome"]["result_json"] == '"hi"'


def test_a_tool_that_needs_approval_is_not_called(pair: Services):
    request = json.dumps({"tool": "publish", "arguments": {"text": "hi"}})
    done = grpcurl("-d", request, pair.executor_address, f"{EXECUTOR}/CallTool")
    assert done.returncode != 0
    assert "FailedPrecondition" in done.stderr
    assert "NEEDS_APPROVAL" in done.stderr


def test_an_error_carries_its_reason(pair: Services):
    request = json.dumps({"batch_id": "01980000-0000-7000-8000-000000000000"})
    done = grpcurl("-d", request, pair.orchestrator_address, f"{ORCHESTRATOR}/GetBatch")
    assert "Code: NotFound" in done.stderr
    assert "BATCH_UNKNOWN" in done.stderr
