"""docs/wire.md computes digests as the services do, and names limits that are those of the code."""

import json
import re

from greenlight_client.servers import SERVICE_CONFIG
from orchestrator_svc.application.judging import JudgingSettings
from orchestrator_svc.domain.canonical import MAX_DEPTH
from orchestrator_svc.domain.digest import call_digest, idempotency_key
from orchestrator_svc.domain.references import MAX_BOUND_BYTES
from orchestrator_svc.domain.tool import ToolKey
from shared.runtime.limits import MAX_RECEIVED_BYTES, MAX_REQUEST_BYTES, MAX_SENT_BYTES
from tests.unit.house.documents import ROOT

TEXT = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")


def test_the_digest_of_the_example():
    found = re.search(r"<!-- digest -->\n```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert found is not None
    names: dict[str, str] = {}
    exec(found[1], names)
    assert call_digest(ToolKey("publish_report", "1"), names["bound_arguments_json"]) in TEXT


def test_the_idempotency_key_is_what_the_page_says():
    assert "tenant LF proposal id LF bound\ndigest" in TEXT
    assert idempotency_key("a", "b/c", "d") == idempotency_key("a", "b/c", "d") != idempotency_key("a", "b/d", "c")


def test_the_limits():
    settings = JudgingSettings()
    for row in (
        f"| a request | {MAX_REQUEST_BYTES >> 20} MiB;",
        f"over {MAX_RECEIVED_BYTES >> 20} MiB gRPC itself",
        f"| any message that the server sends | {MAX_SENT_BYTES >> 20} MiB |",
        f"| proposals of a batch | {settings.max_proposals:,} |",
        f"| arguments of a proposal | {settings.max_arguments >> 10} KiB; bound: {MAX_BOUND_BYTES >> 20} MiB |",
        f"nesting deeper than {MAX_DEPTH}",
    ):
        assert row in TEXT.replace("\n", " ") or row in TEXT


def test_the_service_config_is_that_of_our_client():
    found = re.search(r"<!-- service config -->\n```json\n(.*?)```", TEXT, flags=re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == json.loads(SERVICE_CONFIG)
