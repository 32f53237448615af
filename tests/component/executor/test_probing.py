"""An executor looks for the effects of calls whose outcome is unknown."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from tests.support.executor import BATCH, Executor, Peer, call, executor, failure, origin, result
from tests.support.gates import GATES
from tests.support.toolboxes import probes as toolbox

TOOLBOX = Path(__file__).parents[2] / "support/toolboxes/probes.py"
FOUND, NOT_FOUND, FAILED = pb.PROBE_STATE_FOUND, pb.PROBE_STATE_NOT_FOUND, pb.PROBE_STATE_FAILED


@pytest.fixture
async def exe() -> AsyncIterator[Executor]:
    toolbox.LEDGER.clear()
    async with executor("tests.support.toolboxes.probes", slots=3, threads=2) as running:
        yield running


async def probe(peer: Peer, *calls: pb.Call, origins: int = 1) -> list[pb.ProbeAnswer]:
    """Of these calls, in the order of the answers."""
    before = len(peer.all("probe_answers"))
    await peer.send(probes=pb.CallFrame(origins=[origin()] * origins, calls=calls))
    return (await peer.until(lambda: _more(peer, before + len(calls))))[before:]


def _more(peer: Peer, count: int) -> list[pb.ProbeAnswer]:
    answers = peer.all("probe_answers")
    return answers if len(answers) >= count else []


async def test_descriptors_say_which_tools_can_be_asked(peer: Peer):
    assert {tool.name: tool.probes for tool in peer.first.tools} == {
        "pay": True,
        "send": True,
        "greet": True,
        "post": True,
        "wire": True,
        "cable": True,
        "read": False,
        "count": True,
        "silent": False,
    }


async def test_what_is_found_is_the_result_of_the_call(peer: Peer):
    made = call("a", "pay", {"amount": 5})
    assert [answer.state for answer in await probe(peer, made)] == [NOT_FOUND]
    toolbox.LEDGER["key of a"] = 5
    (answer,) = await probe(peer, made)
    assert (answer.call_id, answer.state, answer.result_json) == (made.id, FOUND, "5")
    assert not answer.still_running


async def test_it_is_asked_as_the_call_was_sent(peer: Peer):
    (answer,) = await probe(peer, call("a", "greet", {"name": "ann"}, attempt=3))
    assert json.loads(answer.result_json) == ["acme", f"{BATCH}/a", 3, "key of a", "ann"]


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (call("a", "pay", {"amount": -1}), "cannot be read"),
        (call("a", "send", {"to": "ann"}), "longer than 0.05 s"),
        (call("a", "count"), "not of the declared type"),
        (call("a", "pay", {"amount": "5"}), "amount"),
        (call("a", "silent"), "no probe"),
        (call("a", "nothing"), "no probe"),
        (call("a", "pay", {"amount": 5}, digest="sha256:0"), "another digest"),
        (call("a", "pay", {"amount": 5}, origin=7), "origin"),
    ],
)
async def test_where_it_cannot_look_it_says_why(peer: Peer, made: pb.Call, problem: str):
    (answer,) = await probe(peer, made)
    assert (answer.call_id, answer.state, answer.result_json) == (made.id, FAILED, "")
    assert problem in answer.message


async def test_not_found_says_that_the_call_is_still_at_work(exe: Executor, peer: Peer):
    made = call("a", "pay", {"amount": 5}, timeout=0.05)
    await peer.send(made)
    outcome = await peer.outcome(made.id)
    assert failure(outcome) == ("TIMEOUT", "POSSIBLE", "TOOL_TIMEOUT")
    assert outcome.still_running
    (answer,) = await probe(peer, made)
    assert (answer.state, answer.still_running) == (NOT_FOUND, True)
    await peer.until(lambda: peer.stuck == 1)
    GATES.open("gate")
    await peer.until(lambda: peer.stuck == 0)
    (answer,) = await probe(peer, made)
    assert (answer.state, answer.result_json, answer.still_running) == (FOUND, "5", False)
    await peer.attach(made.id, exe.boot_id)
    assert not (await peer.outcome(made.id, 2)).still_running


async def test_a_look_takes_a_slot_of_the_executor_and_gives_it_back(exe: Executor, peer: Peer):
    made = [call(key, "send", {"to": key}) for key in ("a", "b", "c", "d")]
    answers = await probe(peer, *made)
    assert sorted(answer.message for answer in answers) == [
        "all slots are taken",
        *["it took longer than 0.05 s"] * 3,
    ]
    assert exe.service.executor.in_flight == 0
    assert (await peer.run("e", "send", {"to": "e"})).result_json == '"e"'


@pytest.fixture
async def hanging() -> AsyncIterator[Executor]:
    """Tools have four threads of either kind there, looks two, and one tool's looks one of them."""
    async with executor("tests.support.toolboxes.probes", threads=4) as running:
        yield running
        for gate in ("gate", "later", "never"):
            GATES.open(gate)


async def takes_no_thread_of_tools(peer: Peer, stuck: int) -> None:
    await peer.until(lambda: peer.stuck == stuck)
    assert result(await peer.run("after looks", "read", timeout=5)) == 1
    assert result(await peer.run("as well", "wire", {"gate": "x"}, timeout=5)) == "x"


@pytest.mark.parametrize("tool", ["post", "wire"])
async def test_as_long_as_a_look_hangs_there_is_no_other_for_its_call(hanging: Executor, tool: str):
    peer = await hanging.connect()
    made = call("a", tool, {"gate": "gate"})
    (answer,) = await probe(peer, made)
    assert (answer.state, answer.message) == (FAILED, "it took longer than 0.05 s")
    for _ in range(3):
        (answer,) = await probe(peer, made)
        assert (answer.state, answer.message) == (FAILED, "an earlier look for its effect has not ended")
    assert hanging.service.executor.stuck == 1
    await takes_no_thread_of_tools(peer, 1)
    GATES.open("gate")
    await peer.until(lambda: peer.stuck == 0)
    (answer,) = await probe(peer, made)
    assert (answer.state, answer.result_json) == (FOUND, '"key of a"')


@pytest.mark.parametrize(("tool", "stuck"), [("post", 1), ("wire", 2)])
async def test_looks_that_hang_take_no_thread_of_tools_however_many_are_made_at_once(
    hanging: Executor, tool: str, stuck: int
):
    peer = await hanging.connect()
    answers = await probe(peer, *(call(str(number), tool, {"gate": "gate"}) for number in range(20)))
    assert {answer.state for answer in answers} == {FAILED}
    await takes_no_thread_of_tools(peer, stuck)


@pytest.mark.parametrize(("tool", "at_once"), [("post", 1), ("post", 20), ("wire", 1)])
async def test_looks_that_hang_leave_a_thread_to_those_of_others(hanging: Executor, tool: str, at_once: int):
    GATES.open("open")
    peer = await hanging.connect()
    for letter in "abc":
        await probe(peer, *(call(f"{letter}{number}", tool, {"gate": "gate"}) for number in range(at_once)))
    for other, arguments in (("greet", {"name": "ann"}), ("cable", {"gate": "open"})):
        (answer,) = await probe(peer, call("d", other, arguments))
        assert answer.state == FOUND


async def test_a_tool_whose_looks_hang_is_not_asked_again_before_one_has_ended(hanging: Executor):
    peer = await hanging.connect()
    await probe(peer, call("a", "wire", {"gate": "gate"}))
    (answer,) = await probe(peer, call("c", "wire", {"gate": "open"}))
    assert answer.state == FAILED
    assert answer.message == "looks of this tool have not ended (1): no more are made before one has"
    (answer,) = await probe(peer, call("d", "greet", {"name": "ann"}))
    assert answer.state == FOUND, "others are asked"
    GATES.open("gate")
    await peer.until(lambda: peer.stuck == 0)
    GATES.open("open")
    (answer,) = await probe(peer, call("c", "wire", {"gate": "open"}))
    assert (answer.state, answer.result_json) == (FOUND, '"key of c"')
