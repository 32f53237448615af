"""A template and its parameters become proposals, as if their proposer had sent those."""

from dataclasses import dataclass

from orchestrator_svc.application.catalogue import ToolCatalogue, UnknownToolError
from orchestrator_svc.domain.batch import MAX_BATCH_ARGUMENTS
from orchestrator_svc.domain.canonical import JsonError, parse
from orchestrator_svc.domain.proposal import ProposalSpec
from orchestrator_svc.domain.template.expansion import complete, expand
from orchestrator_svc.domain.template.model import Template, render
from orchestrator_svc.domain.template.problems import template_invalid
from orchestrator_svc.domain.template.values import is_object
from orchestrator_svc.ports.schemas import SchemaCompiler
from orchestrator_svc.ports.templates import TemplateCatalogue
from shared.kernel.errors import FieldViolation, UnavailableError

_FIELD = "parameters_json"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a template came to."""

    template: Template
    proposals: list[ProposalSpec]


class ExpandTemplate:
    """Reads, judges and expands; holds nothing. With `tools`, parameters that are wrong do not hide unknown tools."""

    def __init__(
        self,
        catalogue: TemplateCatalogue,
        schemas: SchemaCompiler,
        tools: ToolCatalogue | None = None,
        max_arguments: int = MAX_BATCH_ARGUMENTS,
    ) -> None:
        self._catalogue = catalogue
        self._schemas = schemas
        self._tools = tools
        self._max_arguments = max_arguments

    def by_name(self, name: str, version: str, parameters_json: str) -> Expansion:
        """`version` "" is the highest, `parameters_json` "" none. Raises NotFoundError (TEMPLATE_UNKNOWN) and
        InvalidError (TEMPLATE_INVALID), whose violations name the parameter as `parameters_json/NAME`."""
        return self._expand(self._catalogue.get(name, version or None), parameters_json)

    def from_text(self, template_yaml: str, parameters_json: str) -> Expansion:
        """The same for a text that comes with the request."""
        return self._expand(self._catalogue.parse(template_yaml), parameters_json)

    def _expand(self, template: Template, parameters_json: str) -> Expansion:
        values = complete(template, _read(parameters_json))
        wrong = self._schemas.compile(template.parameters_schema_json).validate(values)
        if wrong:
            found = [FieldViolation(_FIELD + one.path, one.message) for one in wrong]
            raise template_invalid(found + self._unknown_tools(template))
        return Expansion(template, expand(template, values, self._max_arguments))

    def _unknown_tools(self, template: Template) -> list[FieldViolation]:
        """What can be said of the calls before there are parameters for them."""
        found: list[FieldViolation] = []
        if self._tools is None:
            return found
        for proposal in template.proposals:
            try:
                self._tools.find(proposal.tool, proposal.version)
            except UnknownToolError as error:
                place = render(("agents", proposal.agent, "proposals", proposal.key, "tool"))
                found.append(FieldViolation(place, str(error)))
            except UnavailableError:
                break  # no executor is there: nothing is known of any tool yet
        return found


def _read(parameters_json: str) -> dict[str, object]:
    if len(parameters_json) > _MAX_BYTES:
        raise template_invalid([FieldViolation(_FIELD, f"larger than {_MAX_BYTES:,} bytes")])
    try:
        value, _ = parse(parameters_json or "{}")
    except JsonError as error:
        raise template_invalid([FieldViolation(_FIELD, str(error))]) from None
    if not is_object(value):
        raise template_invalid([FieldViolation(_FIELD, "must be a JSON object: parameters by name")])
    return value
