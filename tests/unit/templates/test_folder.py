from pathlib import Path

import pytest

from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.templates.folder import FolderTemplates
from orchestrator_svc.application.expand_template import ExpandTemplate
from orchestrator_svc.ports.templates import TemplateCatalogue
from shared.kernel.errors import InvalidError, NotFoundError

TEXT = """\
format: 1
name: {name}
version: "{version}"
parameters:
  properties:
    ticker: {{type: string, pattern: "^[A-Z]+$"}}
    months: {{type: integer, minimum: 1, default: 12}}
  required: [ticker]
agents:
  data:
    proposals:
      prices:
        tool: prices
        arguments: {{ticker: {{$param: ticker}}, months: {{$param: months}}}}
"""


def text(name: str = "stock", version: str = "1") -> str:
    return TEXT.format(name=name, version=version)


def catalogue(*paths: Path) -> TemplateCatalogue:
    return FolderTemplates(paths, JsonSchemaRsCompiler())


def expander(*paths: Path) -> ExpandTemplate:
    return ExpandTemplate(catalogue(*paths), JsonSchemaRsCompiler())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.yaml").write_text(text("b", "1"))
    (tmp_path / "a10.yaml").write_text(text("a", "1.10"))
    (tmp_path / "a9.yaml").write_text("\ufeff" + text("a", "1.9"), encoding="utf-8")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "template.yaml").write_text(text("inner", "2"))
    (tmp_path / "inner" / "values.yaml").write_text("not: a template")
    (tmp_path / "notes.txt").write_text("not a template")
    return tmp_path


def test_templates_are_listed_by_name_and_version(folder: Path):
    assert [str(template) for template in catalogue(folder).list()] == ["a@1.9", "a@1.10", "b@1", "inner@2"]


def test_without_a_version_the_highest_is_meant(folder: Path):
    found = catalogue(folder)
    assert found.get("a").version == "1.10"
    assert found.get("a", "").version == "1.10"
    assert found.get("a", "1.9").source == text("a", "1.9")


def test_what_is_not_there_is_said_with_what_is(folder: Path):
    with pytest.raises(NotFoundError, match=r"TEMPLATE_UNKNOWN.*'c'; there are: a, b, inner"):
        catalogue(folder).get("c")
    with pytest.raises(NotFoundError, match=r"TEMPLATE_UNKNOWN.*'3'; there are: 1\.10, 1\.9"):
        catalogue(folder).get("a", "3")
    with pytest.raises(NotFoundError, match="there are: none"):
        catalogue().get("a")


def test_a_file_may_be_a_search_path_and_be_named_twice(folder: Path):
    assert [str(one) for one in catalogue(folder / "b.yaml", folder / "b.yaml").list()] == ["b@1"]
    assert len(catalogue(folder, folder / "b.yaml").list()) == 4


def refusal(*paths: Path) -> str:
    with pytest.raises(InvalidError) as raised:
        catalogue(*paths)
    assert raised.value.reason == "TEMPLATE_INVALID"
    return raised.value.message


def test_two_files_with_the_same_name_and_version_are_an_error_at_start(folder: Path):
    (folder / "z.yaml").write_text(text("b", "1"))
    message = refusal(folder)
    assert message.startswith(f"{folder / 'z.yaml'}: b@1 is in {folder / 'b.yaml'} already")


def test_a_file_that_is_wrong_is_an_error_at_start(folder: Path):
    file = folder / "wrong.yaml"
    file.write_text(text().replace("tool:", "tol:"))
    assert refusal(folder).startswith(
        f"{file}: agents.data.proposals.prices.tol: unknown key 'tol': did you mean 'tool'?"
    )
    file.write_bytes(b"\xff")
    assert refusal(folder).startswith(f"{file}: is not UTF-8 at byte 0")
    file.write_text("x" * (1 << 21))
    assert refusal(folder).startswith(f"{file}: larger than")
    file.write_text("")
    assert refusal(folder).startswith(f"{file}: empty")
    assert "neither a folder nor a file" in refusal(folder / "missing")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minimum: 1", "minimum: x", "parameters/properties/months/minimum: "),
        ('pattern: "^[A-Z]+$"', 'pattern: "(?=x)"', "parameters/properties/ticker/pattern: "),
        ("default: 12", "default: 0", "parameters.properties.months.default: 0 is less than the minimum of 1"),
        ("default: 12", "default: [1]", "parameters.properties.months.default: [1] is not of type"),
    ],
)
def test_parameters_are_a_schema_and_their_defaults_fit_it(old: str, new: str, said: str):
    with pytest.raises(InvalidError) as raised:
        catalogue().parse(text().replace(old, new))
    assert raised.value.reason == "TEMPLATE_INVALID"
    assert raised.value.message.startswith(said)


def test_a_template_is_expanded_by_name_and_from_its_text(folder: Path):
    by_name = expander(folder).by_name("a", "", '{"ticker": "IBM"}')
    assert str(by_name.template) == "a@1.10"
    from_text = expander().from_text(text(), '{"ticker": "IBM"}')
    assert from_text.proposals == by_name.proposals
    assert [proposal.arguments for proposal in by_name.proposals] == ['{"months":12,"ticker":"IBM"}']


@pytest.mark.parametrize(
    ("parameters", "field", "said"),
    [
        ("", "parameters_json", '"ticker" is a required property'),
        ("{}", "parameters_json", '"ticker" is a required property'),
        ('{"ticker": 7}', "parameters_json/ticker", "not of type"),
        ('{"ticker": "ibm"}', "parameters_json/ticker", "does not match"),
        ('{"ticker": "IBM", "months": 0}', "parameters_json/months", "less than the minimum"),
        ('{"ticker": "IBM", "tickr": 1}', "parameters_json", "'tickr' was unexpected"),
        ('{"ticker": "IBM", "ticker": "X"}', "parameters_json", "stands twice"),
        ('{"ticker": NaN}', "parameters_json", "not JSON"),
        ("[]", "parameters_json", "must be a JSON object"),
        ("{", "parameters_json", "not JSON"),
        ('{"ticker": ' + "[" * 1000 + "]" * 1000 + "}", "parameters_json", "nested deeper"),
        ('{"ticker": "' + "A" * (1 << 20) + '"}', "parameters_json", "larger than"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_their_place(parameters: str, field: str, said: str):
    with pytest.raises(InvalidError) as raised:
        expander().from_text(text(), parameters)
    assert raised.value.reason == "TEMPLATE_INVALID"
    [violation] = raised.value.violations
    assert violation.field == field
    assert said in violation.description


def test_an_unknown_template_cannot_be_expanded():
    with pytest.raises(NotFoundError, match="TEMPLATE_UNKNOWN"):
        expander().by_name("a", "", "{}")
