"""Batches and proposals by what people type: a whole id, a beginning that only one has, or `last`."""

from collections.abc import Sequence

from greenlight_client.cli.inputs import UsageError
from greenlight_client.client import GreenlightClient

NEWEST = "last"
_WHOLE_ID = 36
_CANDIDATES = 5


async def batch_id(client: GreenlightClient, typed: str) -> str:
    """The one batch whose id begins with `typed`; `last` is the newest."""
    if not typed:
        raise UsageError("a batch is named by its id, a unique beginning of it, or `last`")
    if len(typed) == _WHOLE_ID:
        return typed.lower()
    prefix = "" if typed == NEWEST else typed.lower()
    found: list[str] = []
    async for batch in client.list_batches(batch_id_prefix=prefix, page_size=_CANDIDATES + 1):
        found.append(batch.batch_id)
        if typed == NEWEST:
            return batch.batch_id
        if len(found) > _CANDIDATES:
            break
    if typed == NEWEST and not found:
        raise UsageError("there is no batch yet")
    return only(prefix, found, "batch")


async def proposal_id(client: GreenlightClient, typed: str) -> str:
    """`BATCH/KEY`, both by a unique beginning."""
    batch_part, separator, key_part = typed.partition("/")
    if not separator or not key_part:
        raise UsageError(f"{typed}: a proposal is BATCH/KEY, for example {typed.partition('/')[0]}/prices")
    batch = await batch_id(client, batch_part)
    answer = await client.get_batch(batch, "answers")
    keys = [item.key for item in answer.answers]
    if answer.omitted:
        keys = [key_part]  # too many to be told; the server judges the key itself
    return f"{batch}/{only(key_part, keys, 'proposal')}"


def only(typed: str, ids: Sequence[str], what: str) -> str:
    """The id that is `typed`, else the only one that begins with it, in this case."""
    if typed in ids:
        return typed
    fitting = [item for item in ids if item.startswith(typed)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UsageError(f"no {what} begins with {typed!r}")
    shown = ", ".join(fitting[:_CANDIDATES])
    raise UsageError(
        f"more than one {what} begins with {typed!r}: {shown}{' ...' if len(fitting) > _CANDIDATES else ''}"
    )
