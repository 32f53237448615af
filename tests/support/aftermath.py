"""What must hold after a drill, whatever was stopped when: nothing lost, nothing doubled, nothing left, no gap."""

import json
from collections import Counter

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import UNFINISHED, Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import attempt_at
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import Effect, KnownEffect
from orchestrator_svc.ports.views import BatchView
from tests.support.drill import Drill
from tests.support.engine_world import events
from tests.support.world import CALLER

BY_HAND = ("proposal_retried", "proposal_resolved")


async def finish(drill: Drill) -> None:
    """By themselves they finish or wait for a person; then a person does what is to be done."""
    rounds = 0
    while moving := [batch.state for batch in await drill.all() if not _stands(batch)] or not rounds:
        assert rounds < 40, f"batches that neither finish nor wait: {moving}"
        await drill.work(31)
        rounds += 1
    for _ in range(20):
        batches = [batch for batch in await drill.all() if not batch.state.finished]
        if not batches:
            return
        for batch in batches:
            await _help(drill, batch)
        await drill.work(31)
    raise AssertionError("batches that do not finish")


def _stands(batch: BatchView) -> bool:
    return batch.state.finished or batch.state.name in ("BLOCKED", "IDLE")


async def _help(drill: Drill, batch: BatchView) -> None:
    for proposal in await drill.proposals(batch.id):
        if proposal.state is State.PROPOSED and proposal.asked_time is not None:
            await drill.decide(batch.id, proposal.key)
        elif proposal.state is State.OUTCOME_UNKNOWN:
            await drill.resolve(f"{batch.id}/{proposal.key}")
    if batch.open:
        await drill.ask("CloseBatch", lambda w, key: w.add.close(CALLER, batch.id, key), lambda _: None)


async def check(drill: Drill) -> None:
    """All of it."""
    await check_acknowledged(drill)
    for batch in await drill.all():
        history = await _history(drill, batch.id)
        proposals = await drill.proposals(batch.id)
        _check_moves(history, proposals)
        _check_ledger(drill, batch.id, history, proposals)
        _check_words(drill, batch.id, history, proposals)
        _check_results(drill, batch.id, history, proposals)
    await _check_followers(drill)
    await _check_reminders(drill)


async def check_acknowledged(drill: Drill) -> None:
    """Every submission, addition, decision, cancel, retry and resolution that was answered."""
    present = {batch.id: batch for batch in await drill.all()}
    submissions = sum(asked.key.kind == "SubmitBatch" for asked in drill.asked)
    assert len(present) <= submissions, "a submission made two batches"
    for batch_id, total in drill.batches.items():
        assert batch_id in present, f"batch {batch_id} is lost"
        assert sum(present[batch_id].counts) >= total, f"proposals of {batch_id} are lost"
    for proposal_id, verdicts in drill.decided.items():
        proposal = await drill.world.proposal(proposal_id)
        made = [decision.verdict for decision in proposal.decisions]
        for verdict, edited in verdicts:
            assert verdict in made, f"a decision on {proposal_id} is lost"
            assert edited is None or proposal.arguments == edited, f"an edit of {proposal_id} is lost"
    for batch_id, sent in drill.cancelled.items():
        state = present[batch_id].state
        assert state.finished or state.name == "CANCELLING", f"the cancel of {batch_id} is lost"
        assert drill.sent(batch_id) == sent, f"a call was sent after the cancel of {batch_id}"
    there: Counter[str] = Counter()
    for batch_id in {proposal_id.partition("/")[0] for proposal_id in drill.by_hand}:
        history = await _history(drill, batch_id)
        there.update(f"{batch_id}/{event.key}" for event in history if event.WhichOneof("detail") in BY_HAND)
    assert not drill.by_hand - there, "retries or resolutions are lost"
    for session_id, contexts in drill.contexts.items():
        found = await drill.world.store.get_session("default", session_id)
        revision = found[0].revision if found else 0
        assert drill.changed[session_id] <= revision <= len(contexts), f"{session_id}: a change is lost, or doubled"
        assert found is None or found[0].context == contexts[revision - 1]


async def _history(drill: Drill, batch_id: str) -> list[event_pb2.Event]:
    """Its events, without a gap; those that have gone as they were seen."""
    head = await drill.world.store.batch_head("default", batch_id)
    assert head is not None
    assert drill.keep or head.oldest == 1, f"events of {batch_id} are gone"
    seen = next((each.seen[batch_id] for each in drill.followers.values() if batch_id in each.seen), [])
    gone = seen[: head.oldest - 1]
    assert [event.sequence for event in gone] == list(range(1, head.oldest))
    return [*gone, *await events(drill.world, batch_id, head.oldest)]


def _check_moves(history: list[event_pb2.Event], proposals: list[Proposal]) -> None:
    now: dict[str, State] = {}
    for event in history:
        if not event.key:
            continue
        was, to = now.get(event.key), State(event.state)
        if was is not None and was is not to:
            assert to in MOVES[was], f"{event.key}: {was.name} -> {to.name}"
            if was not in UNFINISHED and was is not State.SKIPPED:
                assert event.WhichOneof("detail") in BY_HAND
        now[event.key] = to
    assert now == {proposal.key: proposal.state for proposal in proposals}


def _check_ledger(drill: Drill, batch_id: str, history: list[event_pb2.Event], proposals: list[Proposal]) -> None:
    """At most once, but for what a person ran again, having seen that it was not there."""
    by_hand = {event.key for event in history if event.WhichOneof("detail") == "proposal_resolved"}
    again = Counter(event.key for event in history if event.key in by_hand and _is_run_again(event))
    for proposal in proposals:
        proposal_id = f"{batch_id}/{proposal.key}"
        numbers = [attempt.number for attempt in proposal.attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        if proposal.effect is Effect.NON_IDEMPOTENT:
            assert drill.tools.effects[proposal_id] <= 1 + again[proposal.key], f"{proposal_id} had its effect twice"


def _check_words(drill: Drill, batch_id: str, history: list[event_pb2.Event], proposals: list[Proposal]) -> None:
    """What is said to have had no effect, by its executor or because it was looked for, has none; what was found is
    there."""
    found = {event.key for event in history if event.outcome_probed.finding == proposal_pb2.PROBE_FINDING_FOUND}
    for proposal in proposals:
        proposal_id = f"{batch_id}/{proposal.key}"
        if proposal.key in found:
            assert drill.tools.effects[proposal_id], f"{proposal_id} was found, and had no effect"
        for attempt in proposal.attempts:
            none = attempt.failure is not None and attempt.failure.known_effect is KnownEffect.NONE
            call_id = f"{proposal_id}/{attempt.number}"
            assert not none or not drill.tools.effects_of_call[call_id], f"{call_id} is said to have had no effect"


def _is_run_again(event: event_pb2.Event) -> bool:
    """Also what a person first called failed, and then tried again."""
    if event.WhichOneof("detail") == "proposal_retried":
        return True
    resolved = event.WhichOneof("detail") == "proposal_resolved"
    return resolved and event.proposal_resolved.resolution == Resolution.RUN_AGAIN


def _check_results(drill: Drill, batch_id: str, history: list[event_pb2.Event], proposals: list[Proposal]) -> None:
    """What a proposal came to is what its tool gave; what was filled in is what it refers to."""
    by_hand = {event.key for event in history if event.WhichOneof("detail") == "proposal_resolved"}
    by_key = {proposal.key: proposal for proposal in proposals}
    for proposal in proposals:
        if proposal.state is not State.SUCCEEDED or proposal.key in by_hand:
            continue
        call_id = f"{batch_id}/{proposal.key}/{len(proposal.attempts)}"
        assert drill.tools.results.get(call_id) == proposal.result, f"{call_id}: another result"
        sent = proposal.bound_arguments
        received = {call.arguments for call in drill.tools.received if call.id == call_id}
        assert received == {sent}, f"{call_id}: one id, several calls"
        reference = json.loads(proposal.arguments).get("x")
        source = by_key.get(reference["$from"]) if isinstance(reference, dict) else None
        if source is not None and source.result is not None and source.key not in {*by_hand, *proposal.missing_inputs}:
            assert json.loads(sent)["x"] == json.loads(source.result)["n"], f"{call_id}: not what it refers to"


async def _check_followers(drill: Drill) -> None:
    await drill.settle()
    assert not drill.failures, f"a watcher failed: {drill.failures}"
    for follower in drill.followers.values():
        for batch_id, seen in follower.seen.items():
            assert seen == await _history(drill, batch_id), f"a watcher of {batch_id} saw something else"
    assert {*drill.batches} <= {batch_id for follower in drill.followers.values() for batch_id in follower.seen}


async def _check_reminders(drill: Drill) -> None:
    """An executor keeps nothing that is on record."""
    for call_id in drill.replica.unheard:
        batch_id, key, number = call_id.split("/")
        view = await drill.world.store.get_proposal("default", batch_id, key)
        attempt = view and attempt_at(view.proposal, int(number), drill.replica.target.executor_id)
        assert attempt is None, f"{call_id} was never acknowledged"
