"""Runs the example's tools and its whole template without any server, references filled as the service fills them."""

import inspect
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.research_stock import toolbox
from examples.research_stock.desk import Desk
from examples.research_stock.prices import Prices
from examples.research_stock.settings import Settings
from greenlight_tool import Tool, ToolError
from greenlight_tool.testing import RecordedSignals, call, fake_context
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.templates.folder import FolderTemplates
from orchestrator_svc.application.expand_template import ExpandTemplate
from orchestrator_svc.domain.proposal import ProposalSpec
from orchestrator_svc.domain.references import fill, find_references
from orchestrator_svc.domain.sources import Sources

MARKDOWN_FILES = "tenant-default/*.md"
TEMPLATE = Path(toolbox.__file__).with_name("template.yaml")
TOOLS: dict[str, Tool[..., Any]] = {
    tool.spec.name: tool for _, tool in inspect.getmembers(toolbox, lambda member: isinstance(member, Tool))
}


def settings(out: Path, fault: str = "") -> Settings:
    given = {"RESEARCH_STOCK_LATENCY_MS": "0", "RESEARCH_STOCK_FAULT": fault, "RESEARCH_STOCK_OUT": str(out)}
    return Settings.read(given)


def expand(parameters: str = "") -> list[ProposalSpec]:
    schemas = JsonSchemaRsCompiler()
    return (
        ExpandTemplate(FolderTemplates([TEMPLATE], schemas), schemas)
        .by_name("research_stock", "", parameters)
        .proposals
    )


@dataclass
class Desktop:
    """One start of the tools. `chunks` and `progressed` are those of the last call."""

    settings: Settings
    signals: RecordedSignals = field(default_factory=RecordedSignals)

    async def use(self, tool: str, arguments: dict[str, Any], **context: Any) -> Any:
        self.signals = RecordedSignals()
        desk = Desk(Prices.read(), self.settings)
        given = fake_context(lifespan=desk, signals=self.signals, **context)
        return await call(TOOLS[tool], arguments, context=given)

    async def run(self, parameters: str = "") -> dict[str, Any]:
        """Results by key. A tool that fails twice has none, and neither has what needs it."""
        results: dict[str, Any] = {}
        for proposal in expand(parameters):
            references = find_references(json.loads(proposal.arguments))
            needed = references.by_key() if references else {}
            if any(key not in results and not has_default for key, has_default in needed.items()):
                continue
            texts = {key: json.dumps(results[key]) if key in results else None for key in needed}
            text, _ = fill(proposal.arguments, texts, Sources())
            arguments = json.loads(text)
            schema = JsonSchemaRsCompiler().compile(TOOLS[proposal.tool].spec.arguments_schema)
            assert schema.validate(arguments) == []
            for attempt in (1, 2):
                try:
                    identity = f"batch/{proposal.key}"
                    results[proposal.key] = await self.use(
                        proposal.tool, arguments, attempt=attempt, proposal_id=identity
                    )
                    break
                except ToolError:
                    continue
        return results
