"""What ties a template's proposals together: dependencies, references and parameters name what is there."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator_svc.domain.graph import CycleError, check_acyclic
from orchestrator_svc.domain.references import ReferenceFault, find_references
from orchestrator_svc.domain.template.model import Parameter, Path, TemplateProposal
from orchestrator_svc.domain.template.parameters import Parameters
from orchestrator_svc.domain.template.problems import Problems
from orchestrator_svc.domain.template.substitution import PARAM, parameters_in, references_in, substitute


def check_structure(proposals: Mapping[str, TemplateProposal], parameters: Parameters, problems: Problems) -> None:
    """Unknown keys and parameters, proposals that wait for themselves or in a circle, malformed references."""
    ordinals = {key: ordinal for ordinal, key in enumerate(proposals, 1)}
    parents: dict[int, list[int]] = {}
    for key, proposal in proposals.items():
        path = ("agents", proposal.agent, "proposals", key)
        _check_parameters(proposal, path, parameters, problems)
        _check_twice(proposal, path, problems)
        waits_for = [*_depended(proposal, path), *_referred(proposal, path, problems)]
        for place, other in waits_for:
            if other not in proposals:
                problems.add(place, f"no proposal has the key {other!r}")
            elif other == key:
                problems.add(place, "a proposal cannot wait for itself")
        parents[ordinals[key]] = [ordinals[other] for _, other in waits_for if other in proposals and other != key]
    try:
        check_acyclic(parents)
    except CycleError as error:
        keys = list(proposals)
        circle = " -> ".join(keys[ordinal - 1] for ordinal in [*error.ordinals, error.ordinals[0]])
        problems.add(("agents",), f"proposals wait for each other in a circle: {circle}")


def _depended(proposal: TemplateProposal, path: Path) -> Iterator[tuple[Path, str]]:
    for position, dependency in enumerate(proposal.depends_on):
        yield (*path, "depends_on", position), dependency.key


def _check_twice(proposal: TemplateProposal, path: Path, problems: Problems) -> None:
    seen: set[str] = set()
    for place, key in _depended(proposal, path):
        if key in seen:
            problems.add(place, f"the key {key!r} stands twice: keep one of them")
        seen.add(key)


def _referred(proposal: TemplateProposal, path: Path, problems: Problems) -> list[tuple[Path, str]]:
    """Keys that the arguments refer to; read as the submission will read them, with null for each parameter."""
    place = (*path, "arguments")
    arguments = substitute(proposal.arguments, _Nulls())
    try:
        find_references(arguments)
    except ReferenceFault as fault:
        problems.add((*place, *_tokens(fault.path)), fault.problem)
        return []
    return list(references_in(arguments, place))


def _check_parameters(proposal: TemplateProposal, path: Path, parameters: Parameters, problems: Problems) -> None:
    for place, node in parameters_in(proposal.arguments, (*path, "arguments")):
        name = node[PARAM]
        if len(node) > 1 or not isinstance(name, str):
            problems.add(place, 'a parameter stands alone: {"$param": NAME}')
        else:
            _check_parameter(name, place, parameters, problems)
    for place, name in _texts(proposal, path):
        _check_parameter(name, place, parameters, problems)


def _texts(proposal: TemplateProposal, path: Path) -> Iterator[tuple[Path, str]]:
    labels = {("labels", name): label for name, label in proposal.labels.items()}
    texts = {
        ("title",): proposal.title,
        ("rationale",): proposal.rationale,
        ("idempotency_key",): proposal.idempotency_key,
    }
    for place, text in (texts | labels).items():
        if isinstance(text, Parameter):
            yield (*path, *place), text.name


def _check_parameter(name: str, place: Path, parameters: Parameters, problems: Problems) -> None:
    if name not in parameters.names:
        known = ", ".join(sorted(parameters.names)) or "none"
        problems.add(place, f"no parameter is called {name[:64]!r}; declared: {known}")
    elif name not in parameters.certain:
        problems.add(place, f"the parameter {name!r} may have no value: require it, or give it a default")


def _tokens(pointer: str) -> Path:
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    return tuple(tokens)


class _Nulls(dict[str, Any]):
    def __getitem__(self, _: object) -> None:
        return None
