"""The orchestrator's own templates: listed without their text, got one by one with it, and run by name and version."""

from pathlib import Path

from greenlight.orchestrator.v1 import batch_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.refusals import refusal
from tests.support.services import Services, services

_GREETING = """\
format: 1
name: greeting
version: "VERSION"
description: Says a word.
parameters:
  properties: {word: {type: string}}
  required: [word]
agents:
  host:
    proposals:
      greet: {tool: echo, arguments: {value: {$param: word}}, labels: {edition: "VERSION"}}
      again: {tool: echo, arguments: {value: {$from: greet}}}
"""


def _folder(home: Path, *versions: str) -> Path:
    folder = home / "templates"
    folder.mkdir()
    for version in versions:
        (folder / f"greeting-{version}.yaml").write_text(_GREETING.replace("VERSION", version))
    return folder


async def test_a_template_is_got_with_its_text(tmp_path: Path):
    async with services(tmp_path, templates=[_folder(tmp_path, "1.9", "1.10")]) as pair:
        newest = (await pair.stub.GetTemplate(pb.GetTemplateRequest(name="greeting"))).template
        older = (await pair.stub.GetTemplate(pb.GetTemplateRequest(name="greeting", version="1.9"))).template
        listed = list((await pair.stub.ListTemplates(pb.ListTemplatesRequest())).templates)
    assert (newest.name, newest.version, newest.description) == ("greeting", "1.10", "Says a word.")
    assert (list(newest.agents), list(newest.tools), newest.proposals) == (["host"], ["echo"], 2)
    assert '"word"' in newest.parameters_schema_json
    assert newest.yaml == _GREETING.replace("VERSION", "1.10")
    assert older.yaml == _GREETING.replace("VERSION", "1.9")
    assert [(one.version, one.yaml) for one in listed] == [("1.9", ""), ("1.10", "")]


async def test_a_template_that_is_not_there(tmp_path: Path):
    async with services(tmp_path, templates=[_folder(tmp_path, "1")]) as pair:
        unknown = await refusal(pair.stub.GetTemplate(pb.GetTemplateRequest(name="nothing")))
        version = await refusal(pair.stub.GetTemplate(pb.GetTemplateRequest(name="greeting", version="2")))
    assert unknown.short == version.short == ("NOT_FOUND", "TEMPLATE_UNKNOWN")
    assert "'nothing'; there are: greeting" in unknown.message
    assert "greeting has no version '2'; there are: 1" in version.message


async def _submit(pair: Services, version: str) -> batch_pb2.Batch:
    source = batch_pb2.TemplateSource(name="greeting", version=version, parameters_json='{"word":"hello"}')
    request = pb.SubmitBatchRequest(batch=batch_pb2.BatchSpec(template=source))
    return (await pair.stub.SubmitBatch(request)).batch


async def test_the_version_that_is_named_runs_or_the_highest(tmp_path: Path):
    async with services(tmp_path, templates=[_folder(tmp_path, "1.9", "1.10")]) as pair:
        for named, runs in (("1.9", "1.9"), ("1.10", "1.10"), ("", "1.10")):
            batch = await _submit(pair, named)
            assert batch.template == f"greeting@{runs}"
            summary = await pair.summary(batch.batch_id)
            assert [answer.result_json for answer in summary.answers] == ['"hello"', '"hello"']
            assert dict((await pair.proposal(batch.batch_id, "greet")).labels) == {"edition": runs}
        refused = await refusal(_submit(pair, "2"))
        assert refused.short == ("NOT_FOUND", "TEMPLATE_UNKNOWN")
        assert len(await pair.batches()) == 3
