"""SoftConfirm: the user's next turn approves everything SOFT that was shown, but for the objections."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import orjson

from orchestrator_svc.application.add_proposals import remember
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.sessions import unknown_session
from orchestrator_svc.application.tokens import SessionCursor, decode_cursor
from orchestrator_svc.application.watch import Item, Until, Watch
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.deciding import Decision, check, make
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.ports.store import SoftCandidate, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import FieldViolation, InvalidError


@dataclass(frozen=True, slots=True)
class SoftConfirmSpec:
    """Exactly one of `shown_through` (a session token) and `everything`. `objections`: proposal id -> message."""

    session_id: str
    shown_through: str = ""
    everything: bool = False
    objections: Mapping[str, str] = field(default_factory=dict[str, str])
    agents: tuple[str, ...] = ()


@dataclass(slots=True)
class Confirmation:
    """Proposal ids, by session number and ordinal. `after`: batch id -> its last event before it was decided in."""

    confirmed: list[str] = field(default_factory=list[str])
    objected: list[str] = field(default_factory=list[str])
    expired: list[str] = field(default_factory=list[str])
    not_shown: list[str] = field(default_factory=list[str])
    window_passed: list[str] = field(default_factory=list[str])
    after: dict[str, int] = field(default_factory=dict[str, int])

    def decided(self) -> list[str]:
        return [*self.confirmed, *self.objected]


class SoftConfirm:
    """`window`: ns in which a turn still confirms. `expired_since`: how long ago an expiry is still told of, in ns."""

    def __init__(
        self, engine: Engine, store: Store, requests: Requests, watch: Watch, clock: Clock, window: int, told: int
    ) -> None:
        self._engine, self._store, self._requests, self._watch = engine, store, requests, watch
        self._clock, self._window, self._told = clock, window, told

    async def confirm(self, caller: Caller, spec: SoftConfirmSpec, key: RequestKey | None) -> Confirmation:
        """Returns when all of it is on record. Raises NotFoundError (SESSION_UNKNOWN), InvalidError."""
        cursor = _cursor(caller.tenant, spec)
        async with self._requests.once(caller.tenant, key) as earlier:
            if earlier is not None and earlier.chosen:
                confirmation = Confirmation(**orjson.loads(earlier.chosen))
            else:
                confirmation = await self._choose(caller.tenant, spec, cursor)
                chosen = orjson.dumps(asdict(confirmation))
                await self._requests.claim(caller.tenant, key, chosen)
            done = earlier.answers if earlier is not None else {}
            for batch_id, keys in _by_batch(confirmation).items():
                if batch_id in done:
                    confirmation.after[batch_id] = orjson.loads(done[batch_id])["after"]
                else:
                    after = await self._apply(caller, batch_id, keys, spec.objections, key)
                    confirmation.after[batch_id] = after
        return confirmation

    async def _choose(self, tenant: str, spec: SoftConfirmSpec, cursor: SessionCursor | None) -> Confirmation:
        if await self._store.get_session(tenant, spec.session_id) is None:
            raise unknown_session(spec.session_id)
        now = self._clock.time_ns()
        chosen = Confirmation()
        candidates = await self._store.soft_candidates(tenant, spec.session_id, now - self._told)
        await self._check_objections(tenant, spec, {f"{each.batch_id}/{each.key}" for each in candidates})
        for candidate in candidates:
            if spec.agents and candidate.agent not in spec.agents:
                continue
            self._sort(f"{candidate.batch_id}/{candidate.key}", candidate, spec, cursor, now, chosen)
        return chosen

    async def _check_objections(self, tenant: str, spec: SoftConfirmSpec, known: set[str]) -> None:
        """Raises InvalidError: with an objection that names nothing, what was objected to would be confirmed."""
        found: list[FieldViolation] = []
        for index, proposal_id in enumerate(spec.objections):
            if proposal_id not in known:
                batch_id, _, key = proposal_id.partition("/")
                view = await self._store.get_proposal(tenant, batch_id, key)
                if view is None or view.session_id != spec.session_id:
                    problem = "no proposal of that id in this session; its id is BATCH_ID/KEY"
                    found.append(FieldViolation(f"objections[{index}].proposal_id", problem))
                elif view.proposal.state is State.PROPOSED:
                    problem = "is HARD: a turn neither confirms nor rejects it; decide it with DecideProposals"
                    found.append(FieldViolation(f"objections[{index}].proposal_id", problem))
        if found:
            problem = f"{found[0].field}: {found[0].description}"
            raise InvalidError("REQUEST_INVALID", problem, violations=found[:20])

    def _sort(
        self,
        proposal_id: str,
        candidate: SoftCandidate,
        spec: SoftConfirmSpec,
        cursor: SessionCursor | None,
        now: int,
        chosen: Confirmation,
    ) -> None:
        if candidate.state is State.EXPIRED:
            chosen.expired.append(proposal_id)
        elif proposal_id in spec.objections:
            chosen.objected.append(proposal_id)
        elif cursor is not None and not cursor.shown(candidate.session_no, candidate.added_sequence):
            chosen.not_shown.append(proposal_id)
        elif now - candidate.asked_time > self._window:
            chosen.window_passed.append(proposal_id)
        else:
            chosen.confirmed.append(proposal_id)

    async def _apply(
        self,
        caller: Caller,
        batch_id: str,
        keys: Sequence[str],
        objections: Mapping[str, str],
        key: RequestKey | None,
    ) -> int:
        """Returns the batch's last sequence before."""

        def operation(batch: Batch, changes: Changes) -> int:
            after = batch.head
            for name in keys:
                message = objections.get(f"{batch_id}/{name}")
                verdict = Verdict.APPROVE if message is None else Verdict.REJECT
                decision = Decision(name, verdict, message or "", soft_confirmed=message is None)
                if check(batch, decision, caller.principal, self_approval=True) is None:
                    make(batch, changes, decision, caller.principal)
            remember(changes, key, {"after": after})
            return after

        async with self._engine.live.pin(caller.tenant, batch_id) as batch:
            return await self._engine.execute(batch, operation)

    async def follow(
        self, tenant: str, session_id: str, confirmation: Confirmation, until: Until, max_wait: float | None
    ) -> AsyncIterator[Item]:
        """The events of the batches that it decided in, from its decisions on, until each of them is there."""
        async for item in self._watch.batches(tenant, session_id, confirmation.after, until, max_wait):
            yield item


def _by_batch(confirmation: Confirmation) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for proposal_id in confirmation.decided():
        batch_id, _, key = proposal_id.partition("/")
        groups.setdefault(batch_id, []).append(key)
    return groups


def _cursor(tenant: str, spec: SoftConfirmSpec) -> SessionCursor | None:
    if bool(spec.shown_through) == spec.everything:
        problem = "say what the user was shown: shown_through (a session_token), or all"
        raise InvalidError("SHOWN_REQUIRED", problem, violations=[FieldViolation("scope", problem)])
    if spec.everything:
        return None
    return decode_cursor(spec.shown_through, "shown_through", tenant, spec.session_id)
