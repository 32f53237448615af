"""What is typed: parameters, files, durations, ids."""

import json
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import batch_pb2
from greenlight_client import GreenlightClient
from greenlight_client.cli import inputs, options
from greenlight_client.cli.ids import batch_id, only, proposal_id
from greenlight_client.cli.inputs import UsageError


def test_parameters_are_json_where_they_read_as_json() -> None:
    given = inputs.parameters(["ticker=ACME", "years=3", 'name="7"', "list=[1,2]", "text=a=b", "odd=NaN", "no="])
    assert given == {
        "ticker": "ACME",
        "years": 3,
        "name": "7",
        "list": [1, 2],
        "text": "a=b",
        "odd": "NaN",
        "no": "",
    }


@pytest.mark.parametrize("pairs", [["ticker"], ["=x"], ["a=1", "a=2"]])
def test_parameters_that_are_none(pairs: list[str]) -> None:
    with pytest.raises(UsageError):
        inputs.parameters(pairs)


@pytest.mark.parametrize("depth", [120, 3_000, 200_000])
def test_what_nests_too_deeply_to_be_sent(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    with pytest.raises(UsageError, match="--param amount: nested deeper than 64"):
        inputs.parameters([f"amount={deep}"])
    with pytest.raises(UsageError, match="x: not JSON: nested deeper than 64"):
        inputs.proposals('[{"tool":"t","arguments":{"value":' + deep + "}}]", "x", {})
    with pytest.raises(inputs.NotJsonError, match="nested deeper than 64"):
        inputs.ordered_json(deep)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"tool":"t","arguments":{"value":1e400}}]', "the number 1e400 is too large for a double; send it as a str"),
        ('[{"tool":"t","arguments":{"value":' + "9" * 5_000 + "}}]", "an integer has more than 1,000 digits; send it"),
        ("[1]", "x: proposals[0]: wants an object, not 1"),
        ('[{"tool":"t","timeout":5}]', 'timeout; a duration is a text like "5s"'),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_its_own_words(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        inputs.proposals(text, "x", {})
    assert said in str(raised.value)


def test_labels() -> None:
    assert inputs.labels(["team=a", "x="]) == {"team": "a", "x": ""}
    for wrong in (["team"], ["team=a", "team=b"]):
        with pytest.raises(UsageError):
            inputs.labels(wrong)


def test_a_template_by_name_and_version() -> None:
    source = inputs.source("research_stock@2", {"ticker": "ACME"})
    assert isinstance(source, batch_pb2.TemplateSource)
    assert (source.name, source.version, json.loads(source.parameters_json)) == (
        "research_stock",
        "2",
        {"ticker": "ACME"},
    )


def test_a_template_file(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("format: 1\n")
    source = inputs.source(str(path), {"a": 1})
    assert isinstance(source, batch_pb2.BatchSpec)
    assert source.template_yaml == "format: 1\n"
    assert source.parameters_json == '{"a": 1}'


@pytest.mark.parametrize("wrap", [True, False])
def test_a_file_of_proposals(tmp_path: Path, wrap: bool) -> None:
    items = [
        {"key": "a", "tool": "look", "arguments": {"n": 9007199254740993}},
        {"tool": "see", "argumentsJson": "{}", "dependsOn": [{"key": "a"}], "tier": "TIER_HARD"},
    ]
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"proposals": items, "name": "mine"} if wrap else items))
    source = inputs.source(str(path), {})
    assert isinstance(source, batch_pb2.BatchSpec)
    first, second = source.proposals.items
    assert first.arguments_json == '{"n": 9007199254740993}'
    assert second.depends_on[0].key == "a"
    assert source.name == ("mine" if wrap else "")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"proposals": {}}',
        "3",
        '[{"tool": "a", "tool": "b"}]',
        '[{"tol": "a"}]',
        '[{"tool": "a", "arguments": [1]}]',
        "[3]",
    ],
)
def test_files_that_are_wrong_say_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"p\.json"):
        inputs.source(str(path), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[{"tool": "a"}, {"tool": "a", "argumets": {}}]',
            "proposals[1]: unknown member 'argumets'; did you mean 'arguments'?",
        ),
        ('[{"tool": "a", "dependOn": []}]', "proposals[0]: unknown member 'dependOn'; did you mean 'depends_on'?"),
        (
            '[{"tool": "a", "dependsOn": [{"key": "b", "wen": "x"}]}]',
            "proposals[0].dependsOn[0]: unknown member 'wen'; did you mean 'when'?",
        ),
        ('{"proposals": [{"tool": "a"}], "nam": "x"}', "unknown member 'nam'; did you mean 'name'?"),
        ('[{"tool": "a", "zzz": 1}]', "proposals[0]: unknown member 'zzz'"),
    ],
)
def test_a_misspelt_member_is_named_and_so_is_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        inputs.source(str(path), {})
    assert str(refused.value) == f"{path}: {said}"


def test_what_is_data_may_be_called_anything(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('[{"tool": "a", "arguments": {"tol": {"x": 1}}, "labels": {"any": "b"}, "timeout": "3s"}]')
    source = inputs.source(str(path), {})
    assert isinstance(source, batch_pb2.BatchSpec)
    assert source.proposals.items[0].labels["any"] == "b"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        inputs.source(str(tmp_path / "none.yaml"), {})
    other = tmp_path / "proposals.txt"
    other.write_text("[]")
    with pytest.raises(UsageError, match=r"\.yaml"):
        inputs.source(str(other), {})


def test_parameters_are_for_templates(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('[{"tool": "a"}]')
    with pytest.raises(UsageError, match="--param"):
        inputs.source(str(path), {"a": 1})


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("500ms", 0.5), ("1.5s", 1.5), ("5m", 300), ("1h", 3600), ("2d", 172800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert options.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1 week", "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        options.duration(text)


def test_ids_by_a_unique_beginning() -> None:
    ids = ["prices", "price_history", "profile"]
    assert only("prof", ids, "proposal") == "profile"
    assert only("prices", ids, "proposal") == "prices"
    with pytest.raises(UsageError, match="more than one proposal begins with 'pri': prices, price_history"):
        only("pri", ids, "proposal")
    with pytest.raises(UsageError, match="no proposal begins with 'x'"):
        only("x", ids, "proposal")
    assert only("Pa", ["Pay", "pay", "pay-none"], "proposal") == "Pay"
    with pytest.raises(UsageError, match="no proposal begins with 'X'"):
        only("X", ["x"], "proposal")
    keys = ["p1", "p2", "p3", "p4", "p5", "p6"]
    with pytest.raises(UsageError, match=r"p1, p2, p3, p4, p5$"):
        only("p", keys[:5], "proposal")
    with pytest.raises(UsageError, match=r"p1, p2, p3, p4, p5 \.\.\.$"):
        only("p", keys, "proposal")


async def test_a_batch_by_its_whole_id_in_either_case_and_never_by_nothing() -> None:
    client = GreenlightClient()
    whole = "01A2027B-9506-7074-B9E9-7F8D612D4444"
    assert await batch_id(client, whole) == whole.lower()
    for typed in ("", "/s"):
        with pytest.raises(UsageError, match="a batch is named by its id"):
            await (proposal_id if typed else batch_id)(client, typed)
