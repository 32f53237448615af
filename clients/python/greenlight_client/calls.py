"""What is proposed, in short words: `call`, `ref`, `finished`, `template`. They make the generated messages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.wire import ON_INVALID, TIERS, OnInvalidName, Seconds, TierName, duration, json_text

Source = Sequence[proposal_pb2.ProposalSpec] | batch_pb2.TemplateSource | batch_pb2.BatchSpec

_NO_DEFAULT = object()


class BatchOptions(TypedDict, total=False):
    """What may be said of a batch beside its proposals; each means what the field of that name in BatchSpec means."""

    session: str
    name: str
    labels: Mapping[str, str]
    open: bool
    max_in_flight: int
    deadline: Seconds
    on_invalid: OnInvalidName
    idle_timeout: Seconds


def call(
    tool: str,
    arguments: Mapping[str, Any] | str | None = None,
    *,
    key: str = "",
    after: Iterable[str | proposal_pb2.Dependency] = (),
    agent: str = "",
    version: str = "",
    tier: TierName | None = None,
    title: str = "",
    rationale: str = "",
    labels: Mapping[str, str] | None = None,
    idempotency_key: str = "",
    timeout: Seconds | None = None,
    retry_policy: tool_pb2.RetryPolicy | None = None,
    approval_deadline: Seconds | None = None,
) -> proposal_pb2.ProposalSpec:
    """One proposed call.

    `arguments` is a mapping (values may hold `ref(...)`), or JSON text as a model wrote it, which goes unparsed.
    `after` names proposals that have to succeed first; `finished(key)` asks only that they ended.
    """
    return proposal_pb2.ProposalSpec(
        key=key,
        agent=agent,
        tool=tool,
        version=version,
        arguments_json=json_text({} if arguments is None else arguments),
        tier=TIERS[tier] if tier else tool_pb2.TIER_UNSPECIFIED,
        depends_on=[succeeded(item) if isinstance(item, str) else item for item in after],
        title=title,
        rationale=rationale,
        labels=dict(labels or {}),
        idempotency_key=idempotency_key,
        timeout=duration(timeout),
        retry_policy=retry_policy,
        approval_deadline=duration(approval_deadline),
    )


def ref(key: str, path: str = "", default: Any = _NO_DEFAULT) -> dict[str, Any]:
    """Stands in arguments for what the proposal `key` will return: all of it, or what the JSON Pointer `path` names.

    With a `default` the call runs even if that proposal ends without a result.
    """
    reference: dict[str, Any] = {"$from": key}
    if path:
        reference["path"] = path
    if default is not _NO_DEFAULT:
        reference["default"] = default
    return reference


def literal(value: Any) -> dict[str, Any]:
    """Stands in arguments for `value` as it is, though it may look like a reference."""
    return {"$literal": value}


def succeeded(key: str) -> proposal_pb2.Dependency:
    """For `after`: that proposal has to succeed. The same as its key alone."""
    return proposal_pb2.Dependency(key=key, when=proposal_pb2.DEPENDENCY_CONDITION_SUCCEEDED)


def finished(key: str) -> proposal_pb2.Dependency:
    """For `after`: that proposal has to end, however."""
    return proposal_pb2.Dependency(key=key, when=proposal_pb2.DEPENDENCY_CONDITION_FINISHED)


def template(name: str, parameters: Mapping[str, Any] | None = None, *, version: str = "") -> batch_pb2.TemplateSource:
    """A template that the orchestrator has, with its parameters; no `version` takes the highest."""
    return batch_pb2.TemplateSource(name=name, version=version, parameters_json=json_text(parameters or {}))


def template_yaml(text: str, parameters: Mapping[str, Any] | None = None) -> batch_pb2.BatchSpec:
    """A whole template as YAML text, with its parameters."""
    return batch_pb2.BatchSpec(template_yaml=text, parameters_json=json_text(parameters or {}))


def batch_spec(source: Source, options: BatchOptions) -> batch_pb2.BatchSpec:
    """The message of a submission; options go over what a given BatchSpec says, which itself stays as it is."""
    spec = batch_pb2.BatchSpec()
    if isinstance(source, batch_pb2.BatchSpec):
        spec.CopyFrom(source)
    elif isinstance(source, batch_pb2.TemplateSource):
        spec.template.CopyFrom(source)
    else:
        spec.proposals.items.extend(source)
    _apply(spec, options)
    return spec


def _apply(spec: batch_pb2.BatchSpec, options: BatchOptions) -> None:
    if "session" in options:
        spec.session_id = options["session"]
    if "name" in options:
        spec.name = options["name"]
    if "labels" in options:
        spec.labels.update(options["labels"])
    if "open" in options:
        spec.open = options["open"]
    if "max_in_flight" in options:
        spec.max_in_flight = options["max_in_flight"]
    if "on_invalid" in options:
        spec.on_invalid = ON_INVALID[options["on_invalid"]]
    if (deadline := duration(options.get("deadline"))) is not None:
        spec.deadline.CopyFrom(deadline)
    if (idle_timeout := duration(options.get("idle_timeout"))) is not None:
        spec.idle_timeout.CopyFrom(idle_timeout)
