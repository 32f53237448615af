"""From a template and its parameters to proposals as a proposer would send them. Pure."""

from collections.abc import Mapping
from typing import Any

from orchestrator_svc.domain.canonical import JsonError, write
from orchestrator_svc.domain.proposal import ProposalSpec
from orchestrator_svc.domain.template.model import Path, Template, TemplateProposal, Text, render
from orchestrator_svc.domain.template.problems import template_invalid
from orchestrator_svc.domain.template.substitution import substitute
from shared.kernel.errors import FieldViolation


def complete(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters given and, for those that are not, the defaults. Not yet judged by the schema."""
    return {**template.defaults, **given}


def expand(template: Template, values: Mapping[str, Any]) -> list[ProposalSpec]:
    """In the order of the text. `values`: complete, and valid by the template's schema.

    Raises InvalidError (TEMPLATE_INVALID) where a parameter that is not a text stands where only a text can.
    """
    return [_expand(proposal, values) for proposal in template.proposals]


def _expand(proposal: TemplateProposal, values: Mapping[str, Any]) -> ProposalSpec:
    path = ("agents", proposal.agent, "proposals", proposal.key)
    return ProposalSpec(
        tool=proposal.tool,
        key=proposal.key,
        agent=proposal.agent,
        version=proposal.version,
        arguments=_arguments(proposal, values, path),
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


def _arguments(proposal: TemplateProposal, values: Mapping[str, Any], path: Path) -> str:
    try:
        return write(substitute(proposal.arguments, values))
    except JsonError as error:
        raise template_invalid([FieldViolation(render((*path, "arguments")), str(error))]) from None


def _text(text: Text, values: Mapping[str, Any], path: Path) -> str:
    if isinstance(text, str):
        return text
    value = values[text.name]
    if not isinstance(value, str):
        message = f"the parameter {text.name!r} must be a text to stand here, and is {type(value).__name__}"
        raise template_invalid([FieldViolation(render(path), message)])
    return value
