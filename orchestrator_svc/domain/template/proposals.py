"""The agents of a template and their proposals, each read by itself; what ties them together is structure.py."""

import re
from typing import Any

from orchestrator_svc.domain.proposal import Condition, Dependency
from orchestrator_svc.domain.template import fields
from orchestrator_svc.domain.template.model import Path, TemplateProposal
from orchestrator_svc.domain.template.problems import Problems
from orchestrator_svc.domain.template.values import is_list
from orchestrator_svc.domain.tool import RetryPolicy, Tier

_AGENT_KEYS = frozenset({"proposals"})
PROPOSAL_KEYS = frozenset(
    {
        "tool",
        "version",
        "title",
        "rationale",
        "arguments",
        "tier",
        "depends_on",
        "labels",
        "idempotency_key",
        "timeout",
        "retry",
        "approval_deadline",
    }
)
_DEPENDENCY_KEYS = frozenset({"key", "when"})
_RETRY_KEYS = frozenset({"max_attempts", "initial_delay", "max_delay"})
_MAX_ATTEMPTS = 100
_KEY = re.compile(r"[!-.0-~]{1,128}")
_TIERS = {tier.name: tier for tier in Tier}
_CONDITIONS = {condition.name: condition for condition in Condition}


def read_agents(value: object, path: Path, problems: Problems) -> dict[str, TemplateProposal]:
    """Proposals by key, in the order of the text."""
    found: dict[str, TemplateProposal] = {}
    for agent, body in fields.mapping(value, path, problems).items():
        _check_key(agent, (*path, agent), "an agent's name", problems)
        members = fields.mapping(body, (*path, agent), problems, _AGENT_KEYS)
        place = (*path, agent, "proposals")
        for key, proposal in fields.mapping(members.get("proposals"), place, problems).items():
            _check_key(key, (*place, key), "a proposal's key", problems)
            if key in found:
                problems.add((*place, key), f"agent {found[key].agent!r} has a proposal {key!r} already: rename one")
            found[key] = _proposal(key, agent, proposal, (*place, key), problems)
    if not found:
        problems.add(path, "a template has at least one proposal")
    return found


def _check_key(key: str, path: Path, what: str, problems: Problems) -> None:
    if not _KEY.fullmatch(key):
        problems.add(path, f"{what} is 1-128 visible ASCII characters except '/'")


def _proposal(key: str, agent: str, value: object, path: Path, problems: Problems) -> TemplateProposal:
    body = fields.mapping(value, path, problems, PROPOSAL_KEYS)

    def at(name: str) -> tuple[Any, Path]:
        return body.get(name), (*path, name)

    return TemplateProposal(
        key=key,
        agent=agent,
        tool=fields.text(*at("tool"), problems, required=True),
        version=fields.text(*at("version"), problems),
        arguments=fields.mapping(body.get("arguments", {}), (*path, "arguments"), problems),
        tier=fields.one_of(*at("tier"), problems, _TIERS),
        depends_on=_dependencies(*at("depends_on"), problems),
        title=fields.text_or_parameter(*at("title"), problems),
        rationale=fields.text_or_parameter(*at("rationale"), problems),
        labels={
            name: fields.text_or_parameter(label, (*path, "labels", name), problems)
            for name, label in fields.mapping(body.get("labels", {}), (*path, "labels"), problems).items()
        },
        idempotency_key=fields.text_or_parameter(*at("idempotency_key"), problems),
        timeout=fields.duration(*at("timeout"), problems),
        retry=_retry(*at("retry"), problems),
        approval_deadline=fields.duration(*at("approval_deadline"), problems),
    )


def _dependencies(value: object, path: Path, problems: Problems) -> tuple[Dependency, ...]:
    if value is None:
        return ()
    if not is_list(value):
        problems.add(path, f"must be a list of keys or of {{key, when}}, and is {fields.kind(value)}")
        return ()
    return tuple(_dependency(item, (*path, position), problems) for position, item in enumerate(value))


def _dependency(value: object, path: Path, problems: Problems) -> Dependency:
    if isinstance(value, str):
        return Dependency(value)
    body = fields.mapping(value, path, problems, _DEPENDENCY_KEYS)
    key = fields.text(body.get("key"), (*path, "key"), problems, required=True)
    when = fields.one_of(body.get("when"), (*path, "when"), problems, _CONDITIONS)
    return Dependency(key, when or Condition.SUCCEEDED)


def _retry(value: object, path: Path, problems: Problems) -> RetryPolicy | None:
    if value is None:
        return None
    default = RetryPolicy()
    body = fields.mapping(value, path, problems, _RETRY_KEYS)
    attempts = body.get("max_attempts", default.max_attempts)
    if not isinstance(attempts, int) or isinstance(attempts, bool) or not 1 <= attempts <= _MAX_ATTEMPTS:
        problems.add((*path, "max_attempts"), f"must be a whole number from 1 to {_MAX_ATTEMPTS}")
        attempts = default.max_attempts
    initial = fields.duration(body.get("initial_delay"), (*path, "initial_delay"), problems)
    longest = fields.duration(body.get("max_delay"), (*path, "max_delay"), problems)
    return RetryPolicy(attempts, initial or default.initial_delay, longest or default.max_delay)
