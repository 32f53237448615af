"""From a template and its parameters to proposals as a proposer would send them. Pure."""

from collections.abc import Mapping
from typing import Any

from orchestrator_svc.domain.canonical import JsonError, size_of, write
from orchestrator_svc.domain.proposal import ProposalSpec
from orchestrator_svc.domain.template.model import Path, Template, TemplateProposal, Text, render
from orchestrator_svc.domain.template.problems import template_invalid
from orchestrator_svc.domain.template.substitution import PARAM, parameters_in, substitute
from shared.kernel.errors import FieldViolation


def complete(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters given and, for those that are not, the defaults. Not yet judged by the schema."""
    return {**template.defaults, **given}


def expand(template: Template, values: Mapping[str, Any], max_arguments: int) -> list[ProposalSpec]:
    """In the order of the text. `values`: complete, and valid by the template's schema.

    Raises InvalidError (TEMPLATE_INVALID) where a parameter that is not a text stands where only a text can, and where
    all arguments together come to more than `max_arguments` bytes.
    """
    filling = _Filling(values, max_arguments)
    return [_expand(proposal, values, filling) for proposal in template.proposals]


class _Filling:
    """Fills parameters into arguments; what they come to is counted before it is written."""

    def __init__(self, values: Mapping[str, Any], max_arguments: int) -> None:
        self._values, self._max = values, max_arguments
        self._left = max_arguments
        self._sizes: dict[str, int] = {}

    def arguments(self, proposal: TemplateProposal, path: Path) -> str:
        place = (*path, "arguments")
        try:
            coming = sum(self._size(found[PARAM]) for _, found in parameters_in(proposal.arguments, place))
            text = "" if coming > self._left else write(substitute(proposal.arguments, self._values))
        except JsonError as error:
            raise template_invalid([FieldViolation(render(place), str(error))]) from None
        self._left -= max(coming, size_of(text))
        if self._left < 0:
            problem = f"with its parameters, the template's arguments have more than {self._max:,} bytes in all"
            raise template_invalid([FieldViolation(render(place), problem)])
        return text

    def _size(self, name: str) -> int:
        if name not in self._sizes:
            self._sizes[name] = size_of(write(self._values[name]))
        return self._sizes[name]


def _expand(proposal: TemplateProposal, values: Mapping[str, Any], filling: _Filling) -> ProposalSpec:
    path = ("agents", proposal.agent, "proposals", proposal.key)
    return ProposalSpec(
        tool=proposal.tool,
        key=proposal.key,
        agent=proposal.agent,
        version=proposal.version,
        arguments=filling.arguments(proposal, path),
        tier=proposal.tier,
        depends_on=proposal.depends_on,
        title=_text(proposal.title, values, (*path, "title")),
        rationale=_text(proposal.rationale, values, (*path, "rationale")),
        labels={name: _text(label, values, (*path, "labels", name)) for name, label in proposal.labels.items()},
        idempotency_key=_text(proposal.idempotency_key, values, (*path, "idempotency_key")),
        timeout=proposal.timeout,
        retry=proposal.retry,
        approval_deadline=proposal.approval_deadline,
    )


def _text(text: Text, values: Mapping[str, Any], path: Path) -> str:
    if isinstance(text, str):
        return text
    value = values[text.name]
    if not isinstance(value, str):
        message = f"the parameter {text.name!r} must be a text to stand here, and is {type(value).__name__}"
        raise template_invalid([FieldViolation(render(path), message)])
    return value
