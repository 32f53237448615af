"""Judging proposals as they are submitted: structure refuses the request, a fault of one call goes by `on_invalid`."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from orchestrator_svc.application.catalogue import ToolCatalogue, UnknownToolError
from orchestrator_svc.application.structure import MAX_VIOLATIONS, slices, structure_steps, weight
from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.batch import MAX_BATCH_ARGUMENTS
from orchestrator_svc.domain.canonical import JsonError, parse, size_of, write
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Condition, Dependency, ProposalSpec
from orchestrator_svc.domain.references import ReferenceFault, References, find_references, may_have_references
from orchestrator_svc.domain.states import OnInvalid
from orchestrator_svc.domain.tool import (
    Effect,
    Failure,
    FailureClass,
    KnownEffect,
    RetryPolicy,
    Tier,
    ToolDescriptor,
    ToolKey,
)
from shared.kernel.errors import FieldViolation, InvalidError

MAX_LABELS = 32
_SUGGESTED = 5
_HEAVY = 32 << 10
_KEY = re.compile(r"[!-.0-~]{1,128}")
_LIMITS = {"title": 256, "rationale": 4096, "agent": 128, "idempotency_key": 256, "tool": 128, "version": 128}


@dataclass(frozen=True, slots=True)
class JudgingSettings:
    """Sizes in bytes, times in ns."""

    max_arguments: int = 256 * 1024
    max_proposals: int = 10_000
    max_batch_arguments: int = MAX_BATCH_ARGUMENTS
    soft_approval_deadline: int = 1_800_000_000_000
    hard_approval_deadline: int = 86_400_000_000_000
    idle_timeout: int = 900_000_000_000
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class _CallFault(Exception):
    """A fault of one call alone."""

    def __init__(self, reason: str, problems: Sequence[str]) -> None:
        self.reason, self.problems = reason, list(problems)


class Judging:
    """One judgement of one request's proposals; collects all that is wrong before it refuses."""

    def __init__(self, catalogue: ToolCatalogue, settings: JudgingSettings) -> None:
        self._catalogue, self.settings = catalogue, settings
        self._one_thread = asyncio.Lock()

    async def judge(
        self,
        specs: Sequence[ProposalSpec],
        on_invalid: OnInvalid,
        existing: Mapping[str, object],
        field: str,
        held: int = 0,
    ) -> list[Judged]:
        """`existing`: keys that the batch has already; `held`: bytes of its arguments. Raises InvalidError
        (BATCH_INVALID), UnavailableError.

        Works in slices (of proposals and of bytes), and what is heavy by itself on a thread, one at a time, so that a
        large batch does not hold up its neighbours.
        """
        self.check_total(len(existing) + len(specs), field)
        violations: list[FieldViolation] = []
        judged: list[Judged] = []
        faults = 0
        for part in slices([weight(spec.arguments, spec.depends_on) for spec in specs]):
            if part.start:
                await asyncio.sleep(0)
            for index in part:
                place = f"{field}[{index}]"
                key = specs[index].key or f"p{len(existing) + index + 1}"
                one = partial(self._one, specs[index], key, on_invalid, place, violations, suggest=faults < _SUGGESTED)
                item = await self._aside(one) if len(specs[index].arguments) > _HEAVY else one()
                faults += item.failure is not None
                held += size_of(item.arguments)
                self.check_size(held, field)
                judged.append(item)
            if len(violations) >= MAX_VIOLATIONS:
                break
        if len(judged) == len(specs):  # else a key may stand in what was not looked at
            for _ in structure_steps(judged, existing, field, found := list[FieldViolation]()):
                await asyncio.sleep(0)
            violations += found
        if violations:
            raise invalid(violations)
        return judged

    async def _aside(self, work: Callable[[], Judged]) -> Judged:
        async with self._one_thread:
            return await asyncio.to_thread(work)

    def check_total(self, total: int, field: str) -> None:
        """Raises InvalidError (BATCH_INVALID) where a batch would have too many proposals."""
        limit = self.settings.max_proposals
        if total > limit:
            raise invalid([FieldViolation(field, f"{total:,} proposals; a batch has at most {limit:,}")])

    def check_size(self, held: int, field: str) -> None:
        """Raises InvalidError (BATCH_INVALID) where the arguments of a batch would have too many bytes in all."""
        limit = self.settings.max_batch_arguments
        if held > limit:
            problem = f"the batch's arguments have more than {limit:,} bytes in all; submit several batches"
            raise invalid([FieldViolation(field, problem)])

    def _one(
        self,
        spec: ProposalSpec,
        key: str,
        on_invalid: OnInvalid,
        place: str,
        violations: list[FieldViolation],
        *,
        suggest: bool,
    ) -> Judged:
        violations += _check_form(spec, key, place)
        descriptor: ToolDescriptor | None = None
        try:
            descriptor = self._find(spec, suggest=suggest)
            return self._sound(spec, key, descriptor, place, violations)
        except _CallFault as fault:
            if on_invalid is OnInvalid.REFUSE:
                member = "tool" if fault.reason == "TOOL_UNKNOWN" else "arguments_json"
                violations += [FieldViolation(f"{place}.{member}", problem) for problem in fault.problems]
            return self._faulty(spec, key, descriptor, fault)

    def _find(self, spec: ProposalSpec, *, suggest: bool) -> ToolDescriptor:
        try:
            return self._catalogue.find(spec.tool, spec.version)
        except UnknownToolError as error:
            similar = [name for name in self._catalogue.similar(spec.tool) if name != spec.tool] if suggest else []
            meant = f"; did you mean {' or '.join(map(repr, similar))}?" if similar else ""
            raise _CallFault("TOOL_UNKNOWN", [f"{error}{meant}"]) from None

    def _sound(
        self,
        spec: ProposalSpec,
        key: str,
        descriptor: ToolDescriptor,
        place: str,
        violations: list[FieldViolation],
    ) -> Judged:
        arguments, references = self._arguments(spec.arguments, descriptor.key)
        tier = spec.tier or descriptor.tier
        if tier < descriptor.tier:
            problem = f"{tier.name} is less strict than the tool's {descriptor.tier.name}; leave it out or raise it"
            violations.append(FieldViolation(f"{place}.tier", problem))
        digest = call_digest(descriptor.key, arguments)
        return self._judged(spec, key, descriptor, tier, arguments, digest, references, None)

    def _faulty(self, spec: ProposalSpec, key: str, descriptor: ToolDescriptor | None, fault: _CallFault) -> Judged:
        failure = Failure(
            FailureClass.INVALID_ARGUMENT, KnownEffect.NONE, fault.reason, "; ".join(fault.problems)[:4096]
        )
        arguments = spec.arguments[: self.settings.max_arguments]
        tier = descriptor.tier if descriptor else Tier.HARD
        return self._judged(spec, key, descriptor, tier, arguments, "", None, failure)

    def _judged(
        self,
        spec: ProposalSpec,
        key: str,
        descriptor: ToolDescriptor | None,
        tier: Tier,
        arguments: str,
        digest: str,
        references: References | None,
        failure: Failure | None,
    ) -> Judged:
        hard = tier is Tier.HARD
        default = self.settings.hard_approval_deadline if hard else self.settings.soft_approval_deadline
        return Judged(
            key,
            spec.agent or "agent",
            descriptor.key if descriptor else ToolKey(spec.tool, spec.version),
            descriptor.effect if descriptor else Effect.NON_IDEMPOTENT,
            tier,
            arguments,
            digest,
            references,
            merge_dependencies(spec.depends_on, references) if references else spec.depends_on,
            spec.title,
            spec.rationale,
            spec.labels,
            spec.idempotency_key,
            spec.timeout,
            spec.retry or (descriptor.retry if descriptor and descriptor.retry else self.settings.retry),
            spec.approval_deadline or default,
            failure,
        )

    def arguments(self, text: str, tool: ToolKey) -> str:
        """Of an edit: canonical. Raises InvalidError (ARGUMENTS_INVALID); references are refused."""
        try:
            arguments, references = self._arguments(text, tool)
        except _CallFault as fault:
            raise _arguments_invalid(fault.problems) from None
        if references is not None:
            raise _arguments_invalid(["edited arguments stand as they are: no $from, no $literal"])
        return arguments

    def _arguments(self, text: str, tool: ToolKey) -> tuple[str, References | None]:
        limit = self.settings.max_arguments
        if len(text) > limit or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > limit):
            raise _CallFault("ARGUMENTS_TOO_LARGE", [f"more than {limit:,} bytes"])
        try:
            value, plain = parse(text)
            if not isinstance(value, dict):
                raise JsonError("the arguments must be an object; put the value under a name")
            references = find_references(value) if may_have_references(text) else None
            if references is None:
                filled, problems = self._catalogue.fill_and_check(tool, value)
                if problems:
                    raise _CallFault("ARGUMENTS_INVALID", problems)
                plain = plain and not filled
            return write(value, plain=plain), references
        except (JsonError, ReferenceFault) as error:
            raise _CallFault("ARGUMENTS_INVALID", [str(error)]) from None


def _arguments_invalid(problems: Sequence[str]) -> InvalidError:
    violations = [FieldViolation("edited_arguments_json", problem) for problem in problems]
    return InvalidError("ARGUMENTS_INVALID", "; ".join(problems), violations=violations)


def invalid(violations: Sequence[FieldViolation]) -> InvalidError:
    """BATCH_INVALID, with the first of what is wrong in its message."""
    first = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return InvalidError(
        "BATCH_INVALID", f"{first.field}: {first.description}{more}", violations=violations[:MAX_VIOLATIONS]
    )


def _check_form(spec: ProposalSpec, key: str, place: str) -> list[FieldViolation]:
    found: list[FieldViolation] = []
    if not _KEY.fullmatch(key):
        found.append(FieldViolation(f"{place}.key", "must be 1-128 visible ASCII characters except '/'"))
    if not spec.tool:
        found.append(FieldViolation(f"{place}.tool", "is required"))
    for name, limit in _LIMITS.items():
        if len(getattr(spec, name)) > limit:
            found.append(FieldViolation(f"{place}.{name}", f"has more than {limit:,} characters"))
    if "\x00" in spec.idempotency_key:  # the one text that must come back from every database as it was
        found.append(FieldViolation(f"{place}.idempotency_key", "must not have U+0000"))
    if spec.labels:
        found += check_labels(spec.labels, f"{place}.labels")
    for name in ("timeout", "approval_deadline"):
        value = getattr(spec, name)
        if value is not None and value <= 0:
            found.append(FieldViolation(f"{place}.{name}", "must be more than 0; leave it out for the default"))
    if spec.retry is not None and not 1 <= spec.retry.max_attempts <= 100:
        found.append(FieldViolation(f"{place}.retry_policy.max_attempts", "must be from 1 to 100"))
    return found


def check_labels(labels: Mapping[str, str], place: str) -> list[FieldViolation]:
    """At most 32, keys of 1-63 and values of up to 256 characters."""
    found: list[FieldViolation] = []
    if len(labels) > MAX_LABELS:
        found.append(FieldViolation(place, f"has {len(labels)} labels; at most {MAX_LABELS}"))
    for key, value in labels.items():
        if not 1 <= len(key) <= 63:
            found.append(FieldViolation(place, f"the key {key[:80]!r} must have 1-63 characters"))
        if len(value) > 256:
            found.append(FieldViolation(f"{place}[{key[:80]!r}]", "has more than 256 characters"))
    return found


def merge_dependencies(declared: Sequence[Dependency], references: References) -> tuple[Dependency, ...]:
    """What a reference implies, unless it is declared otherwise."""
    merged = {dependency.key: dependency for dependency in declared}
    for key, has_default in references.by_key().items():
        if key not in merged:
            merged[key] = Dependency(key, Condition.FINISHED if has_default else Condition.SUCCEEDED)
    return tuple(merged.values())
