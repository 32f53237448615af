"""Proposals with where they stand: the two tables as one."""

from collections.abc import Sequence

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    and_,
    column,
    func,
    literal,
    values,
)

from orchestrator_svc.adapters.store.tables import batches, proposals, standings

_SAME = and_(standings.c.batch_no == proposals.c.batch_no, standings.c.ordinal == proposals.c.ordinal)
PROPOSALS = proposals.join(standings, _SAME)
OF_BATCHES = batches.join(PROPOSALS, proposals.c.batch_no == batches.c.batch_no)
# `text_bytes`, which both have, is asked for as a sum.
COLUMNS = (
    *[column for column in proposals.c if column.name != "text_bytes"],
    *[column for column in standings.c if column.name not in proposals.c],
)
PLACE = proposals.c.batch_no, proposals.c.ordinal
SIZE = (proposals.c.text_bytes + standings.c.text_bytes + standings.c.result_bytes).label("size")


def of_batches(connection: Connection, numbers: Sequence[int]) -> ColumnElement[bool]:
    """Those proposals, joined. PostgreSQL is told so that it concludes nothing of `standings`: where it believes that
    batches are small, it would go through all of a large one's for each of its proposals."""
    if connection.dialect.name == "postgresql":
        return proposals.c.batch_no == func.any(literal([*numbers], ARRAY(BigInteger)))
    return proposals.c.batch_no.in_(numbers)


_CHOSEN = (column("batch_no", Integer), column("ordinal", Integer))


def chosen(keys: Sequence[tuple[int, int]]) -> FromClause:
    """Proposals of these (batch number, ordinal), joined. `IN` of pairs would have SQLite read the whole table."""
    wanted = values(*_CHOSEN, name="chosen").data(list(keys)).cte("chosen")
    same = and_(proposals.c.batch_no == wanted.c.batch_no, proposals.c.ordinal == wanted.c.ordinal)
    return wanted.join(proposals, same).join(standings, _SAME).join(batches, batches.c.batch_no == proposals.c.batch_no)
