"""Which rows are shown where there is not room for all: those that need a person, or are moving, come first."""

from dataclasses import dataclass

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.model import AgentView, BatchModel, Row

_NEEDS_ATTENTION = (
    proposal_pb2.PROPOSAL_STATE_FAILED,
    proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN,
    proposal_pb2.PROPOSAL_STATE_EXPIRED,
    proposal_pb2.PROPOSAL_STATE_REJECTED,
)


@dataclass(frozen=True, slots=True)
class Group:
    """An agent, those of its rows that are shown (in input order), and how many are not."""

    agent: AgentView
    rows: list[Row]
    hidden: int


def groups(model: BatchModel, lines: int) -> list[Group]:
    """Fits the batch into so many lines; every agent keeps its own line as long as there is one."""
    agents = model.agents()[: max(1, lines)]
    room = max(0, lines - len(agents))
    rows = list(model.rows.values())
    if len(rows) > room:
        rows = sorted(sorted(rows, key=_urgency)[:room], key=lambda row: row.ordinal)
    shown: dict[str, list[Row]] = {}
    for row in rows:
        shown.setdefault(row.agent, []).append(row)
    return [_group(agent, shown.get(agent.name, [])) for agent in agents]


def _group(agent: AgentView, rows: list[Row]) -> Group:
    return Group(agent, rows, agent.total - len(rows))


def _urgency(row: Row) -> tuple[int, float]:
    if row.asked is not None and row.state == proposal_pb2.PROPOSAL_STATE_PROPOSED:
        rank = 0
    elif row.state == proposal_pb2.PROPOSAL_STATE_RUNNING:
        rank = 1
    elif row.retry_at is not None:
        rank = 2
    elif row.state in _NEEDS_ATTENTION:
        rank = 3
    else:
        rank = 5 if row.is_ended else 4
    latest_first = -row.ended.timestamp() if row.ended is not None else float(row.ordinal)
    return rank, latest_first
