"""The model that events move on: states, agents, why something waits."""

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.cli.badges import badge
from greenlight_client.cli.model import BatchModel
from tests.unit.client.recorded import APPROVED, BATCH, PROPOSED, REJECTED, RUNNING, SKIPPED, UNKNOWN, Log, at, failure


def _model(log: Log) -> BatchModel:
    model = BatchModel()
    for event in log.events:
        model.apply(event)
    return model


def _badge(log: Log, key: str, seconds: float = 1.0) -> tuple[str, str]:
    model = _model(log)
    mark = badge(model.rows[key], model, at(seconds))
    return mark.word, mark.reason


def test_a_batch_from_submission_to_end() -> None:
    log = Log().submitted(2).added("a").added("b", "a").dispatched(0.1, "a").succeeded(0.3, "a", '{"x":1}')
    log.dispatched(0.3, "b").succeeded(0.5, "b").finished(0.5, batch_pb2.BATCH_STATE_SUCCEEDED, total=2, succeeded=2)
    model = _model(log)
    assert model.batch_id == BATCH
    assert model.sequence == len(log.events)
    assert model.is_finished
    assert model.done == 2
    assert model.rows["a"].result_json == '{"x":1}'
    elapsed = model.rows["a"].elapsed(at(9))
    assert elapsed is not None
    assert elapsed.total_seconds() == 0.2


def test_what_it_waits_for_is_said() -> None:
    log = Log().submitted(3).added("a").added("b").added("c", "a", "b")
    assert _badge(log, "c") == ("waiting", "for a, b")
    assert _badge(log.dispatched(0.1, "a").succeeded(0.2, "a"), "c") == ("waiting", "for b")
    assert _badge(log, "b") == ("waiting", "to be sent")


def test_capacity_and_executor_are_the_servers_word() -> None:
    model = _model(Log().submitted(1).added("a"))
    for reason, text in (
        (proposal_pb2.WAITING_REASON_CAPACITY, "for capacity"),
        (proposal_pb2.WAITING_REASON_EXECUTOR, "for an executor"),
    ):
        waiting = proposal_pb2.Waiting(reason=reason)
        model.note_waiting([proposal_pb2.Proposal(key="a", state=APPROVED, waiting=waiting)])
        assert badge(model.rows["a"], model, at(1)).reason == text


def test_a_call_whose_executor_is_lost_says_so_and_until_when() -> None:
    model = _model(Log().submitted(1).added("a").dispatched(0.1, "a"))
    waiting = proposal_pb2.Waiting(reason=proposal_pb2.WAITING_REASON_LOST_EXECUTOR)
    waiting.until_time.FromDatetime(at(60))
    model.note_waiting([proposal_pb2.Proposal(key="a", state=RUNNING, waiting=waiting)])
    mark = badge(model.rows["a"], model, at(20))
    assert (mark.word, mark.reason) == ("running", "its executor is lost, asked for 40 s more")


def test_what_is_past_its_back_off_waits_for_what_the_server_says() -> None:
    model = _model(Log().submitted(1).added("a").dispatched(0, "a").retrying(1, "a", 3))
    waiting = proposal_pb2.Waiting(reason=proposal_pb2.WAITING_REASON_EXECUTOR)
    model.note_waiting([proposal_pb2.Proposal(key="a", state=APPROVED, waiting=waiting)])
    assert badge(model.rows["a"], model, at(2)).reason == "in 2 s, after TOOL_RAISED: busy"
    assert badge(model.rows["a"], model, at(5)).reason == "for an executor"


def test_the_servers_word_is_not_taken_for_another_state() -> None:
    model = _model(Log().submitted(1).added("a").dispatched(0.1, "a"))
    waiting = proposal_pb2.Waiting(reason=proposal_pb2.WAITING_REASON_CAPACITY)
    model.note_waiting([proposal_pb2.Proposal(key="a", state=APPROVED, waiting=waiting)])
    assert badge(model.rows["a"], model, at(1)).word == "running"


def test_decisions() -> None:
    log = Log().submitted(2).added("hard", state=PROPOSED).asked(0, "hard")
    log.added("soft", state=PROPOSED).asked(0, "soft", tool_pb2.TIER_SOFT)
    assert _badge(log, "hard", 0) == ("waiting", "for a decision (hard), 60 m left")
    assert _badge(log, "soft", 0) == ("waiting", "for your next turn, 60 m left")
    decision = proposal_pb2.DecisionRecord(principal="user:ann", message="not \x1b[31mnow")
    log.proposal(1, "hard", REJECTED, proposal_decided=event_pb2.ProposalDecided(decision=decision))
    assert _badge(log, "hard") == ("rejected", "by user:ann: not now")


def test_retry_and_its_progress() -> None:
    log = Log().submitted(1).added("a").dispatched(0, "a").retrying(1, "a", 3)
    assert _badge(log, "a", 1.0) == ("retrying", "in 3 s, after TOOL_RAISED: busy")
    log.dispatched(4, "a", attempt=2)
    assert _badge(log, "a") == ("running", "attempt 2")
    progress = event_pb2.AttemptProgressed(fraction=0.4, message="halfway")
    log.proposal(5, "a", proposal_pb2.PROPOSAL_STATE_RUNNING, attempt=2, attempt_progressed=progress)
    assert _badge(log, "a") == ("running", "attempt 2, 40%, halfway")
    assert _badge(log.succeeded(6, "a", attempt=2), "a") == ("done", "at attempt 2")


def test_endings_say_why() -> None:
    log = Log().submitted(3).added("a").added("b", "a").added("c").dispatched(0, "a").failed(1, "a", "no such [ticker]")
    log.proposal(1, "b", SKIPPED, proposal_skipped=event_pb2.ProposalSkipped(because="a"))
    log.dispatched(1, "c").proposal(2, "c", UNKNOWN, outcome_unknown=event_pb2.OutcomeUnknown(failure=failure("gone")))
    assert _badge(log, "a") == ("failed", "TOOL_RAISED: no such [ticker]")
    assert _badge(log, "b") == ("skipped", "because of a")
    assert _badge(log, "c") == ("unknown", "did it happen? TOOL_RAISED: gone")
    assert not _model(log).rows["c"].is_ended


def test_a_retry_by_hand_starts_afresh() -> None:
    log = Log().submitted(2).added("a").added("b", "a").dispatched(0, "a").failed(1, "a")
    log.proposal(1, "b", SKIPPED, proposal_skipped=event_pb2.ProposalSkipped(because="a"))
    log.proposal(5, "a", APPROVED, proposal_retried=event_pb2.ProposalRetried(principal="user:ann"))
    log.proposal(5, "b", APPROVED, proposal_unskipped=event_pb2.ProposalUnskipped())
    assert _badge(log, "b") == ("waiting", "for a")
    assert _model(log).rows["a"].elapsed(at(9)) is None


def test_agents_go_by_the_servers_rule() -> None:
    log = Log().submitted(4).added("a", agent="data").added("b", agent="risk").added("c", agent="late")
    log.added("d", agent="late").dispatched(0, "a", agent="data").succeeded(1, "a", agent="data").failed(1, "b")
    log.dispatched(1, "c", agent="late")
    model = _model(log)
    assert [(agent.name, agent.done, agent.total) for agent in model.agents()] == [
        ("data", 1, 1),
        ("risk", 1, 1),
        ("late", 0, 2),
    ]
    assert [agent.status for agent in model.agents()] == [
        batch_pb2.AGENT_STATUS_COMPLETE,
        batch_pb2.AGENT_STATUS_ERROR,
        batch_pb2.AGENT_STATUS_RUNNING,
    ]


def test_an_event_of_a_newer_server_is_harmless() -> None:
    log = Log().submitted(1).added("a")
    log.proposal(1, "a", 99)  # type: ignore[arg-type]
    log.batch(1)
    assert _badge(log, "a") == ("?", "")


def test_a_stream_that_starts_in_the_middle() -> None:
    log = Log().succeeded(1, "a", agent="data")
    model = _model(log)
    assert model.rows["a"].agent == "data"
    assert badge(model.rows["a"], model, at(1)).word == "done"


def test_blocked_and_running_again() -> None:
    log = (
        Log().submitted(1).added("a", state=PROPOSED).asked(0, "a").state(0, batch_pb2.BATCH_STATE_BLOCKED, decisions=1)
    )
    assert _model(log).blocked_on.decisions == 1
    log.state(1, batch_pb2.BATCH_STATE_RUNNING)
    assert _model(log).state == batch_pb2.BATCH_STATE_RUNNING
