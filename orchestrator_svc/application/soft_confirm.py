"""SoftConfirm: the user's next turn approves everything SOFT that was shown, but for the objections."""

from collections.abc import AsyncIterator, Container, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands.kind import CommandKind, remember
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.engine.inbox import Operation
from orchestrator_svc.application.items import ItemAnswer, dump, fault, undump
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.sessions import unknown_session
from orchestrator_svc.application.tokens import SessionCursor, decode_cursor
from orchestrator_svc.application.watch import Item, Until, Watch
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.deciding import Decision, check, check_pending, make
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import SoftCandidate, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import FieldViolation, InvalidError


@dataclass(frozen=True, slots=True)
class SoftConfirmSpec:
    """Exactly one of `shown_through` (a session token) and `everything`. `objections`: proposal id -> message.

    `agents`: whose proposals the turn is about; an objection counts whoever proposed it.
    """

    session_id: str
    shown_through: str = ""
    everything: bool = False
    objections: Mapping[str, str] = field(default_factory=dict[str, str])
    agents: tuple[str, ...] = ()


@dataclass(slots=True)
class Confirmation:
    """Proposal ids, by session number and ordinal. `after`: batch id -> its last event before it was decided in.

    `not_pending`: what the turn came too late for, and what each is now.
    """

    confirmed: list[str] = field(default_factory=list[str])
    objected: list[str] = field(default_factory=list[str])
    expired: list[str] = field(default_factory=list[str])
    not_shown: list[str] = field(default_factory=list[str])
    window_passed: list[str] = field(default_factory=list[str])
    not_pending: list[ItemAnswer] = field(default_factory=list[ItemAnswer])
    after: dict[str, int] = field(default_factory=dict[str, int])

    def chosen(self) -> bytes:
        """What is known of it before anything is decided, for the record."""
        lists = ("confirmed", "objected", "expired", "not_shown", "window_passed")
        return orjson.dumps({name: getattr(self, name) for name in lists})

    @staticmethod
    def load(chosen: bytes) -> "Confirmation":
        return Confirmation(**orjson.loads(chosen))

    def decided(self) -> list[str]:
        return [*self.confirmed, *self.objected]

    def tell(self, batch_id: str, after: int, late: Sequence[ItemAnswer], asked: int) -> None:
        """What became of a batch's: of those `asked` for, all but the `late` ones were decided."""
        if len(late) < asked:
            self.after[batch_id] = after
        ids = {answer.proposal_id for answer in late}
        if ids:
            self.confirmed = [each for each in self.confirmed if each not in ids]
            self.objected = [each for each in self.objected if each not in ids]
            self.not_pending += late


@dataclass(frozen=True, slots=True)
class Turn:
    """What it is about in one batch. `objections`: key -> message."""

    keys: list[str]
    objections: dict[str, str]


@dataclass(frozen=True, slots=True)
class Turned:
    """The batch's last sequence before, and what came too late."""

    after: int
    late: list[ItemAnswer]


class SoftConfirm:
    """`window`: ns in which a turn still confirms. `expired_since`: how long ago an expiry is still told of, in ns."""

    def __init__(
        self,
        router: CommandRouter,
        store: Store,
        requests: Requests,
        watch: Watch,
        clock: Clock,
        window: int,
        told: int,
    ) -> None:
        self._router, self._store, self._requests = router, store, requests
        self._watch, self._clock, self._window, self._told = watch, clock, window, told
        self._kind = router.serve(CommandKind("SoftConfirm", Turn, self._decide, _load))

    async def confirm(self, caller: Caller, spec: SoftConfirmSpec, key: RequestKey | None) -> Confirmation:
        """Returns when all of it is on record. Raises NotFoundError (SESSION_UNKNOWN), InvalidError."""
        cursor = _cursor(caller.tenant, spec)
        async with self._requests.once(caller.tenant, key) as earlier:
            if earlier is not None:
                confirmation = Confirmation.load(earlier.chosen)
            else:
                confirmation = await self._choose(caller.tenant, spec, cursor)
                earlier = await self._requests.claim(caller.tenant, key, confirmation.chosen())
                confirmation = confirmation if earlier is None else Confirmation.load(earlier.chosen)
            for batch_id, keys in _by_batch(confirmation).items():
                turn = _turn(batch_id, keys, spec.objections)
                done = await self._router.carry_out(self._kind, caller, batch_id, turn, key, earlier)
                confirmation.tell(batch_id, done.after, done.late, len(keys))
        return confirmation

    async def _choose(self, tenant: str, spec: SoftConfirmSpec, cursor: SessionCursor | None) -> Confirmation:
        if await self._store.get_session(tenant, spec.session_id) is None:
            raise unknown_session(spec.session_id)
        now = self._clock.time_ns()
        chosen = Confirmation()
        candidates = await self._store.soft_candidates(tenant, spec.session_id, now - self._told)
        known = {f"{each.batch_id}/{each.key}": each for each in candidates}
        await self._check_objections(tenant, spec, known.keys())
        for proposal_id, candidate in known.items():
            if proposal_id in spec.objections or not spec.agents or candidate.agent in spec.agents:
                self._sort(proposal_id, candidate, spec, cursor, now, chosen)
        chosen.objected += [each for each in spec.objections if each not in known]
        return chosen

    async def _check_objections(self, tenant: str, spec: SoftConfirmSpec, known: Container[str]) -> None:
        """Raises InvalidError: with an objection that names nothing, what was objected to would be confirmed."""
        found: list[FieldViolation] = []
        for index, proposal_id in enumerate(spec.objections):
            if proposal_id not in known:
                batch_id, _, key = proposal_id.partition("/")
                view = await self._store.get_proposal(tenant, batch_id, key)
                if view is None or view.session_id != spec.session_id:
                    problem = "no proposal of that id in this session; its id is BATCH_ID/KEY"
                    found.append(FieldViolation(f"objections[{index}].proposal_id", problem))
                elif view.proposal.state is State.PROPOSED and view.proposal.tier is Tier.HARD:
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

    async def _decide(self, caller: Caller, batch: Batch, turn: Turn, key: RequestKey | None) -> Operation[Turned]:
        """What is still pending."""

        def operation(batch: Batch, changes: Changes) -> Turned:
            turned = Turned(batch.head, [])
            for name in turn.keys:
                message = turn.objections.get(name)
                verdict = Verdict.APPROVE if message is None else Verdict.REJECT
                decision = Decision(name, verdict, message or "", soft_confirmed=message is None)
                proposal = batch.by_key[name]
                error = check_pending(batch, proposal)
                error = error or check(batch, decision, caller.principal, self_approval=True)
                if error is None:
                    make(batch, changes, decision, caller.principal)
                else:
                    turned.late.append(fault(f"{batch.id}/{name}", error, proposal))
            remember(changes, key, {"after": turned.after, "late": dump(enumerate(turned.late))})
            return turned

        return operation

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


def _turn(batch_id: str, keys: list[str], objections: Mapping[str, str]) -> Turn:
    ids = {name: f"{batch_id}/{name}" for name in keys}
    return Turn(keys, {name: objections[id_] for name, id_ in ids.items() if id_ in objections})


def _load(recorded: bytes) -> Turned:
    answer = orjson.loads(recorded)
    return Turned(answer["after"], list(undump(answer["late"]).values()))


def _cursor(tenant: str, spec: SoftConfirmSpec) -> SessionCursor | None:
    if bool(spec.shown_through) == spec.everything:
        problem = "say what the user was shown: shown_through (a session_token), or all"
        raise InvalidError("SHOWN_REQUIRED", problem, violations=[FieldViolation("scope", problem)])
    if spec.everything:
        return None
    return decode_cursor(spec.shown_through, "shown_through", tenant, spec.session_id)
