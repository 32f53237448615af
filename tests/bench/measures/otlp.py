"""What exporting traces costs: one batch of 1,000 with an OTLP endpoint, of the same run without.

The sink is a process of its own, sampling is the default. Spans leave while the next batches run: the exporter's
delay is shorter than usual, so that what it costs falls into the measurement and not after it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.clients import ours
from tests.bench.figures import Figure
from tests.bench.measures.ratio import compare
from tests.bench.plan import Plan
from tests.bench.processes import ProcessError, python, running
from tests.bench.services import Services, services


async def otlp(plan: Plan) -> list[Figure]:
    folder = plan.folder / "otlp"
    with (
        running("sink", python("-m", "tests.bench.otlp_sink"), folder) as sink,
        _exporting(folder, sink.ready()["address"]) as traced,
        services(folder, name="plain") as plain,
    ):
        async with ours(traced) as with_otlp, ours(plain) as without:
            got = await compare(with_otlp, without, [1000], plan.pairs)
    spans = json.loads(sink.out.read_text().splitlines()[-1]).get("spans", 0)
    if not spans:
        raise ProcessError("no span reached the sink")
    note = f"{plan.pairs} pairs, quartiles {got.low:.2f} and {got.high:.2f}, {spans:,} spans"
    label = "one batch of 1,000 with OTLP to a local sink, of the same without"
    return [Figure("otlp_of_plain", label, got.ratio, "", 0.7, 0.85, True, note=note)]


@contextmanager
def _exporting(folder: Path, address: str) -> Iterator[Services]:
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with services(folder, env=env, name="traced") as pair:
        yield pair
