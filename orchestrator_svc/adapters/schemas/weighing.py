"""How much there is to check: nodes of schemas and values. What grows without bounds is heavier than any limit."""

from math import inf

import orjson

from orchestrator_svc.domain.template.values import is_list, is_object

_BYTES = 4  # of JSON that weigh as much as a node
_MOST = 100_000  # beyond it nobody counts on
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


def weigh(value: object) -> int:
    """Nodes, about, with long texts counted by their length. Of any depth."""
    try:
        return 1 + len(orjson.dumps(value)) // _BYTES
    except orjson.JSONEncodeError:
        return _weigh_slowly(value)  # integers of more than 64 bits, or very deep


def _weigh_slowly(value: object) -> int:
    weight, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        names = list(one) if is_object(one) else []
        weight += 1 + sum(len(text) // _BYTES for text in (one, *names) if isinstance(text, str))
        waiting.extend(members_of(one))
    return weight


def weigh_written_out(schema: object) -> float:
    """The nodes of a schema with every reference replaced by what it points to: infinite where that never ends."""
    weight = 0
    waiting: list[tuple[object, frozenset[str]]] = [(schema, frozenset())]
    while waiting:
        one, followed = waiting.pop()
        weight += 1
        if weight > _MOST:
            return inf
        waiting.extend((member, followed) for member in members_of(one))
        if not is_object(one):
            continue
        for name in _REFERENCES & one.keys():
            reference = one[name]
            target = resolve(schema, reference) if name == "$ref" and reference not in followed else None
            if target is None:
                return inf
            waiting.append((target, followed | {reference}))
    return weight


def resolve(root: object, reference: object) -> object | None:
    """What a reference within the schema (`#/a/b`) points to; None for all other ones."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    found = root
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if is_object(found):
            found = found.get(name)
        elif is_list(found) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def members_of(value: object) -> list[object]:
    """What a container holds; nothing for all else."""
    if is_object(value):
        return list(value.values())
    return value if is_list(value) else []
