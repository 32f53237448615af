"""docs/templates.md says what is so."""

import json
import re
from pathlib import Path

import pytest

from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.templates.folder import FolderTemplates
from orchestrator_svc.adapters.templates.scalars import read_plain
from orchestrator_svc.application.expand_template import ExpandTemplate
from orchestrator_svc.domain.template import proposals, reading
from shared.kernel.errors import InvalidError

DOCUMENT = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
[EXPANDED] = re.findall(r"^```json\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
[MESSAGES] = re.findall(r"^```text\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


def expander() -> ExpandTemplate:
    schemas = JsonSchemaRsCompiler()
    return ExpandTemplate(FolderTemplates([], schemas), schemas)


def test_the_worked_example_comes_to_what_is_written():
    [parameters] = re.findall(r"With the parameters `(.*?)`", DOCUMENT)
    expanded = expander().from_text(EXAMPLE, parameters).proposals
    assert {one.key: json.loads(one.arguments) for one in expanded} == json.loads(EXPANDED)


@pytest.mark.parametrize(
    ("old", "new", "parameters"),
    [
        ("arguments: {customer:", "argumets: {customer:", "{}"),
        ("{$from: letter, path: /text}", "{$from: leter, path: /text}", "{}"),
        ("", "", '{"customer": "C-17", "tone": "loud"}'),
    ],
)
def test_the_messages_are_those_that_come(old: str, new: str, parameters: str):
    with pytest.raises(InvalidError) as raised:
        expander().from_text(EXAMPLE.replace(old, new), parameters)
    [violation] = raised.value.violations
    assert f"{violation.field}: {violation.description}" in MESSAGES.splitlines()


def test_every_key_is_in_the_tables():
    known = reading.TEMPLATE_KEYS | proposals.PROPOSAL_KEYS
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", DOCUMENT, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)} >= known


def test_the_table_of_scalars_is_true():
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \| (.*?) \|$", DOCUMENT.split("## YAML")[1], re.MULTILINE)
    assert len(rows) == 5
    for written, meaning in rows:
        for text in re.findall(r"`([^`]+)`", written):
            if meaning.startswith("refused"):
                with pytest.raises(ValueError, match="without quotes"):
                    read_plain(text)
            elif meaning == "text":
                assert read_plain(text) == text
            else:
                assert read_plain(text) == json.loads(text)
