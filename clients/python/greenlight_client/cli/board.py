"""The batches that one stream is about, each with its model, by first appearance."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.cli.formats import short_id
from greenlight_client.cli.model import BatchModel, Row

# A call that runs for longer may have lost its executor.
_LONG = timedelta(seconds=3)


@dataclass(slots=True)
class Board:
    """Usually one batch; several where a session is watched or confirmed."""

    models: dict[str, BatchModel] = field(default_factory=dict[str, BatchModel])

    def apply(self, event: event_pb2.Event) -> tuple[BatchModel, Row | None]:
        """Moves the event's batch on."""
        model = self.models.get(event.batch_id)
        if model is None:
            model = self.models[event.batch_id] = BatchModel()
        return model, model.apply(event)

    def asks(self) -> list[tuple[str, ...]]:
        """The command lines (without `greenlight`) by which a person would move on what waits for one."""
        asked: dict[tuple[str, ...], None] = {}
        for model in self.models.values():
            for row in model.rows.values():
                proposal = f"{short_id(model.batch_id)}/{row.key}"
                if row.state == proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN:
                    asked["resolve", proposal] = None
                elif row.state == proposal_pb2.PROPOSAL_STATE_PROPOSED and row.asked is not None:
                    soft = row.asked.tier == tool_pb2.TIER_SOFT and model.session_id
                    asked[("confirm", model.session_id) if soft else ("approve", proposal)] = None
        return list(asked)

    def moving(self) -> bool:
        """Something runs or is about to: the picture changes by itself."""
        rows = (row for model in self.models.values() for row in model.rows.values())
        return any(row.state == proposal_pb2.PROPOSAL_STATE_RUNNING or row.retry_at is not None for row in rows)

    def stalled(self, at: datetime) -> list[BatchModel]:
        """Batches in which something might move and does not: why, only the server knows."""
        return [
            model for model in self.models.values() if any(_is_stalled(row, model, at) for row in model.rows.values())
        ]


def _is_stalled(row: Row, model: BatchModel, at: datetime) -> bool:
    if row.state == proposal_pb2.PROPOSAL_STATE_RUNNING:
        return row.since is not None and at - row.since > _LONG
    ready = row.state == proposal_pb2.PROPOSAL_STATE_APPROVED and (row.retry_at is None or row.retry_at < at)
    return ready and not model.is_finished and not model.unmet(row)
