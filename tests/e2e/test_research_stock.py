"""The example's template on the two real services, as processes: with a retry, with an agent that fails."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples.research_stock.prices import Prices
from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client import GreenlightClient, template
from tests.bench.processes import ROOT
from tests.bench.services import Services, services

EXAMPLE = ROOT / "examples" / "research_stock"
SUCCEEDED = proposal_pb2.PROPOSAL_STATE_SUCCEEDED
FAILED = proposal_pb2.PROPOSAL_STATE_FAILED
SKIPPED = proposal_pb2.PROPOSAL_STATE_SKIPPED
PROPOSED = proposal_pb2.PROPOSAL_STATE_PROPOSED
PEERS = ["peer_histories", "peer_returns", "beta", "correlation", "ranking"]


@contextmanager
def research(folder: Path, fault: str) -> Iterator[Services]:
    env = {
        "RESEARCH_STOCK_LATENCY_MS": "0",
        "RESEARCH_STOCK_FAULT": fault,
        "RESEARCH_STOCK_OUT": str(folder / "out"),
    }
    with services(folder, toolbox=EXAMPLE / "toolbox.py", templates=EXAMPLE, env=env) as pair:
        yield pair


async def run(client: GreenlightClient, ticker: str) -> batch_pb2.Summary:
    """Until nothing moves without a person."""
    return await client.run(template("research_stock", {"ticker": ticker}), session="chat", until="blocked").finish()


async def decide_all(client: GreenlightClient, batch_id: str) -> dict[str, proposal_pb2.Proposal]:
    """The user's next turn, then an approval of exactly what is shown; returns what stands in the end, by key."""
    async with client.soft_confirm("chat", everything=True, until="blocked") as turn:
        assert [one.partition("/")[2] for one in (await turn.confirmed()).confirmed] == ["note"]
    pending = [one async for one in client.list_proposals(batch_id=batch_id)]
    assert [(one.key, one.tier) for one in pending] == [("publish", tool_pb2.TIER_HARD)]
    await client.approve(pending[0])
    await client.wait(batch_id)
    return {key: await client.get_proposal(f"{batch_id}/{key}") for key in ("history", "note", "publish", "report")}


def states(summary: batch_pb2.Summary) -> dict[str, int]:
    return {answer.key: int(answer.state) for answer in summary.answers}


def result(proposal: proposal_pb2.Proposal) -> Any:
    return json.loads(proposal.result_json)


async def test_the_whole_example_with_a_retry_a_turn_and_an_approval(tmp_path: Path):
    with research(tmp_path, "price_history") as pair:
        async with GreenlightClient(pair.orchestrator_address, principal="user:ann") as client:
            [listed] = [one async for one in client.list_templates()]
            assert (listed.name, listed.proposals) == ("research_stock", 17)
            summary = await run(client, "MSFT")
            assert summary.batch.state == batch_pb2.BATCH_STATE_BLOCKED
            assert [agent.name for agent in summary.batch.agents] == list(listed.agents)
            assert states(summary) == {
                answer.key: PROPOSED if answer.key in ("note", "publish") else SUCCEEDED for answer in summary.answers
            }
            final = await decide_all(client, summary.batch.batch_id)
            batch = (await client.get_batch(summary.batch.batch_id)).batch
    assert batch.state == batch_pb2.BATCH_STATE_SUCCEEDED
    first, second = final["history"].attempts
    assert (first.failure.failure_class, first.failure.reason) == (tool_pb2.FAILURE_CLASS_TRANSIENT, "DECLARED_FAULT")
    assert not second.HasField("failure")
    assert result(final["history"])["closes"] == Prices.read().closes("MSFT")
    published = Path(result(final["publish"])["path"]).read_text(encoding="utf-8")
    assert published == json.loads(final["publish"].bound_arguments_json)["markdown"]
    assert published == result(final["report"])["markdown"]
    assert "Nothing: every input came." in published
    assert [decision.digest for decision in final["publish"].decisions] == [final["publish"].bound_digest]
    assert Path(result(final["note"])["path"]).is_relative_to(tmp_path / "out")


async def test_one_agent_fails_and_the_report_comes_and_says_what_is_missing(tmp_path: Path):
    with research(tmp_path, "peer_histories:permanent") as pair:
        async with GreenlightClient(pair.orchestrator_address, principal="user:ann") as client:
            summary = await run(client, "IBM")
            final = await decide_all(client, summary.batch.batch_id)
            batch = (await client.get_batch(summary.batch.batch_id)).batch
    found = states(summary)
    assert [key for key, state in found.items() if state == FAILED] == ["peer_histories"]
    assert [key for key, state in found.items() if state == SKIPPED] == PEERS[1:]
    [findings] = [answer for answer in summary.answers if answer.key == "findings"]
    assert sorted(findings.missing_inputs) == sorted(PEERS[2:])
    assert {agent.name: agent.status for agent in batch.agents} == {
        "data": batch_pb2.AGENT_STATUS_COMPLETE,
        "fundamentals": batch_pb2.AGENT_STATUS_COMPLETE,
        "risk": batch_pb2.AGENT_STATUS_COMPLETE,
        "peers": batch_pb2.AGENT_STATUS_ERROR,
        "synthesis": batch_pb2.AGENT_STATUS_COMPLETE,
    }
    assert (batch.state, list(batch.missing)) == (batch_pb2.BATCH_STATE_PARTIAL, PEERS)
    published = Path(result(final["publish"])["path"]).read_text(encoding="utf-8")
    assert "## Missing\n\n- beta\n- correlation\n- ranking\n" in published
    assert published == json.loads(final["publish"].bound_arguments_json)["markdown"]
