"""How proposals of one request stand to each other: their keys, dependencies, cycles; and what one slice of work is."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.graph import CycleError, check_acyclic
from orchestrator_svc.domain.proposal import Dependency
from shared.kernel.errors import FieldViolation

MAX_VIOLATIONS = 20
SLICE = 128
SLICE_WEIGHT = 64 << 10
_EDGE_WEIGHT = 32


def weight(arguments: str, depends_on: Sequence[Dependency]) -> int:
    """What it costs to look at a proposal, as characters of its arguments."""
    return len(arguments) + _EDGE_WEIGHT * len(depends_on)


def slices(weights: Sequence[int]) -> Iterator[range]:
    """Positions, in runs of at most 128 that weigh at most 64 KiB together, or of one that is heavier by itself."""
    start = heavy = 0
    for position, one in enumerate(weights):
        if position > start and (position - start == SLICE or heavy + one > SLICE_WEIGHT):
            yield range(start, position)
            start, heavy = position, 0
        heavy += one
    if start < len(weights):
        yield range(start, len(weights))


def check_structure(judged: Sequence[Judged], existing: Mapping[str, object], field: str) -> list[FieldViolation]:
    """Keys that stand twice, dependencies on nothing or on itself, cycles."""
    found: list[FieldViolation] = []
    for _ in structure_steps(judged, existing, field, found):
        pass
    return found


def structure_steps(
    judged: Sequence[Judged], existing: Mapping[str, object], field: str, found: list[FieldViolation]
) -> Iterator[None]:
    """The same in slices: puts what is wrong into `found`, and stops where that is enough."""
    places: dict[str, int] = {}
    for index, item in enumerate(judged):
        if item.key in existing or item.key in places:
            found.append(FieldViolation(f"{field}[{index}].key", f"{item.key!r} is taken in this batch"))
        places.setdefault(item.key, index)
    parents: dict[int, list[int]] = {}
    for part in slices([weight("", item.depends_on) for item in judged]):
        for index in part:
            item = judged[index]
            found += _check_edges(item, places, existing, f"{field}[{index}].depends_on")
            if item.depends_on:
                parents[index] = [places[edge.key] for edge in item.depends_on if edge.key in places]
        if len(found) >= MAX_VIOLATIONS:
            del found[MAX_VIOLATIONS:]
            return
        yield
    if not found:
        try:
            check_acyclic(parents)
        except CycleError as error:
            circle = " -> ".join(judged[index].key for index in [*error.ordinals, error.ordinals[0]])
            found.append(FieldViolation(f"{field}[{error.ordinals[0]}].depends_on", f"a cycle: {circle}"))


def _check_edges(
    item: Judged, places: Mapping[str, int], existing: Mapping[str, object], place: str
) -> list[FieldViolation]:
    found: list[FieldViolation] = []
    keys = dict.fromkeys(edge.key for edge in item.depends_on)
    if len(keys) != len(item.depends_on):
        found.append(FieldViolation(place, "names a key twice"))
    for key in keys:
        if key == item.key:
            found.append(FieldViolation(place, f"{key!r} depends on itself"))
        elif key not in places and key not in existing:
            found.append(FieldViolation(place, f"no proposal {key[:128]!r} in this batch"))
            if len(found) > MAX_VIOLATIONS:
                break
    return found
