"""docs/client.md against running services: its Python runs as it stands, its calls and tables say what the code has."""

import ast
import inspect
import re
from collections.abc import AsyncGenerator, Generator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

import greenlight_client
from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client import EventStream, GreenlightClient, call
from tests.bench.processes import ROOT
from tests.bench.services import Services, services

TEXT = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
INLINE = re.findall(r"`((?:await )?client\.\w+\([^`]*)`", TEXT)
_ADDRESS = "127.0.0.1:50051"
_DONE = batch_pb2.BATCH_STATE_SUCCEEDED


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Generator[Services]:
    folder = tmp_path_factory.mktemp("document")
    toolbox = ROOT / "examples" / "research_stock" / "toolbox.py"
    env = {"RESEARCH_STOCK_LATENCY_MS": "0", "RESEARCH_STOCK_FOLDER": str(folder)}
    with services(folder, toolbox=toolbox, env=env) as running:
        yield running


@pytest.fixture
async def client(pair: Services) -> AsyncGenerator[GreenlightClient]:
    async with GreenlightClient(pair.orchestrator_address, principal="service:my-agent") as opened:
        yield opened


async def _run(source: str, names: dict[str, Any]) -> Any:
    """As an asynchronous prompt would; what it defines is left in `names`."""
    mode = "exec" if source.endswith("\n") else "eval"
    compiled = compile(source, "docs/client.md", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(compiled, names)
    return await value if inspect.iscoroutine(value) else value


def _block(beginning: str) -> str:
    found = [block for block in BLOCKS if beginning in block]
    assert len(found) == 1, beginning
    return found[0]


def test_every_block_has_its_test() -> None:
    beginnings = ("run_calls", "calls = [", "client.run(calls", "open=True", "client.list_proposals(", "soft_confirm")
    assert {_block(beginning) for beginning in beginnings} == set(BLOCKS)


async def test_an_agents_loop(pair: Services) -> None:
    source = _block("run_calls")
    assert _ADDRESS in source
    asked = [
        SimpleNamespace(name="company_profile", arguments={"ticker": ticker}, id=ticker) for ticker in ("AAPL", "?")
    ]
    names: dict[str, Any] = {"model_calls": asked, "messages": []}
    await _run(source.replace(_ADDRESS, pair.orchestrator_address), names)
    first, second = names["messages"]
    assert (first["role"], first["tool_call_id"], second["tool_call_id"]) == ("tool", "AAPL", "?")
    assert '"ticker":"AAPL"' in first["content"]
    assert second["content"].startswith("company_profile: failed")


async def test_what_is_proposed_is_watched(client: GreenlightClient, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"client": client}
    await _run(_block("calls = ["), names)
    await _run(_block("client.run(calls"), names)
    summary = names["events"].summary
    assert summary.batch.state == _DONE, summary
    assert f"{_DONE} ['profile', 'history', 'growth', 'p4']" in capsys.readouterr().out


async def test_a_batch_that_grows(client: GreenlightClient) -> None:
    names: dict[str, Any] = {"client": client, "call": call, "ref": greenlight_client.ref}
    await _run(_block("open=True"), names)
    assert (await client.wait(names["run"].batch.batch_id)).batch.state == _DONE


async def test_deciding(client: GreenlightClient) -> None:
    report = {"title": "AAPL", "markdown": "# AAPL"}
    hard = await client.submit([call("publish_report", report, key="out")], session="chat-17")
    await _run(_block("client.list_proposals("), {"client": client})
    assert (await client.wait(hard.batch.batch_id)).batch.state == _DONE


async def test_a_users_turn(client: GreenlightClient) -> None:
    notes = [call("save_note", {"title": key, "text": "x"}, key=key) for key in ("yes", "no")]
    batch = (await client.submit(notes, session="chat-17")).batch
    watching = client.watch_session("chat-17", until="blocked")
    await watching.finish()
    names = {"client": client, "token": watching.session_token, "proposal_id": f"{batch.batch_id}/no"}
    await _run(_block("soft_confirm"), names)
    answers = {answer.key: answer for answer in (await client.wait(batch.batch_id)).answers}
    assert answers["yes"].state == proposal_pb2.PROPOSAL_STATE_SUCCEEDED
    assert answers["no"].message == "not this one"


async def test_what_stands_in_the_text(client: GreenlightClient) -> None:
    assert len(INLINE) >= 6
    for source in INLINE:
        calls = [call("company_profile", {"ticker": "AAPL"}, key="profile")]
        batch = (await client.submit(calls, open="close" in source, session="text")).batch
        names: Mapping[str, Any] = {"client": client, "calls": calls, "batch_id": batch.batch_id, "sequence": 1}
        more = {"session": "text", "summary": await client.wait(batch.batch_id, until="blocked")}
        done = await _run(source, {**names, **more})
        if isinstance(done, EventStream):
            async with done:
                assert (await anext(done)).sequence > 0, source


def test_methods_and_parameters_are_there() -> None:
    steering = TEXT.partition("## Steering and reading")[2].partition("## Errors")[0]
    found = re.findall(r"`(\w+)(?:\(([^`]*)\))?`", "\n".join(re.findall(r"^\| (`.*?) \|", steering, re.MULTILINE)))
    assert len(found) > 15
    for name, given in found:
        parameters = inspect.signature(getattr(GreenlightClient, name)).parameters
        for parameter in re.findall(r"(\w+)=", given):
            assert parameter in parameters, name


def test_errors_and_defaults_are_as_written() -> None:
    for name in set(re.findall(r"`(\w+Error)`", TEXT)):
        assert issubclass(getattr(greenlight_client, name), Exception)
    table = TEXT.partition("| `GreenlightClient(...)` |")[2]
    parameters = inspect.signature(GreenlightClient).parameters
    rows = dict(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.+?) \|", table, re.MULTILINE))
    assert {name for row in rows for name in re.findall(r"\w+", row)} == set(parameters)
    for row, default in rows.items():
        for name in re.findall(r"\w+", row):
            value = parameters[name].default
            written = default.strip("`").removesuffix(" s")
            assert value is None or str(value) == written or f"{value:g}" == written or repr(value) == written, name
