"""One batch of 1,000 no-ops on PostgreSQL, of the same on SQLite: two pairs of services, alternately.

Needs a PostgreSQL on the machine (apt-get install postgresql); one is started for the measure.
"""

from tests.bench.clients import ours
from tests.bench.figures import Figure
from tests.bench.measures.ratio import compare
from tests.bench.plan import Plan
from tests.bench.services import services
from tests.support.postgresql import postgres_server


async def postgresql(plan: Plan) -> list[Figure]:
    folder = plan.folder / "postgresql"
    with postgres_server() as server:
        async with server.database() as url:
            with (
                services(folder, env={"GREENLIGHT_STORE": url}, name="on_postgresql") as other,
                services(folder, name="on_sqlite") as own,
            ):
                async with ours(other) as with_postgresql, ours(own) as with_sqlite:
                    got = await compare(with_postgresql, with_sqlite, [1000], plan.pairs)
    rates = f"{got.one:,.0f} and {got.other:,.0f} calls/s"
    note = f"{plan.pairs} pairs, quartiles {got.low:.2f} and {got.high:.2f}, {rates}"
    label = "one batch of 1,000 on PostgreSQL, of the same on SQLite"
    return [Figure("postgresql_of_sqlite", label, got.ratio, "", 0.5, 0.9, True, note=note)]
