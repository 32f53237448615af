"""Parameters of a template that are missing or wrong: what was typed is wrong then, and this says what to type."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from greenlight_client.cli.inputs import UsageError, json_or_text
from greenlight_client.errors import FieldViolation, InvalidArgumentError

_PLACE = "parameters_json"
_WANTS_TEXT = 'is not of type "string"'


class ParametersError(UsageError):
    """`refusal` is the orchestrator's answer; `advice` what to type instead, a line each."""

    def __init__(self, refusal: InvalidArgumentError, advice: Sequence[str]) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.advice = list(advice)


@contextmanager
def judged(given: Sequence[str] | None, *before: str) -> Generator[None]:
    """Within it, an orchestrator that refuses nothing but the parameters raises ParametersError.

    `given` are the `--param`s as they were typed; `before` stands first in the advice.
    """
    try:
        yield
    except InvalidArgumentError as error:
        fields = [violation.field for violation in error.violations]
        if error.reason != "TEMPLATE_INVALID" or not all(field.startswith(_PLACE) for field in fields):
            raise
        raise ParametersError(error, [*before, *_advice(error.violations, given or ())]) from error


def _advice(violations: Sequence[FieldViolation], given: Sequence[str]) -> list[str]:
    typed = {name: text for name, _, text in (pair.partition("=") for pair in given)}
    quoted: list[str] = []
    for violation in violations:
        name = violation.field.removeprefix(f"{_PLACE}/")
        text = typed.get(name)
        if text is not None and violation.description.endswith(_WANTS_TEXT) and not isinstance(json_or_text(text), str):
            quoted.append(f"{text} reads as JSON; as text it is -p '{name}=\"{text}\"'")
    return quoted if len(quoted) == len(violations) else [*quoted, "Give each by --param NAME=VALUE."]
