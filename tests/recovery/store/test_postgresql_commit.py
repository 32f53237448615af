"""A COMMIT whose answer is lost: it was made, or not, and the store finds out. Nothing is lost or written twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from orchestrator_svc.adapters.store import postgresql
from orchestrator_svc.domain.changes import BatchWrite, CommandRecord
from orchestrator_svc.ports.store import Committed, Session, Store
from shared.kernel.errors import UnavailableError
from tests.support.batches import START, Builder, judged, write
from tests.support.commit_proxy import CommitProxy, Cut
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.stores import PostgresqlOpener, sequences, submitted

pytestmark = pytest.mark.postgresql
_NEXT_NUMBER = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
CUTS = pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.ANSWER, Cut.BETWEEN])


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[CommitProxy]:
    async with CommitProxy(f"127.0.0.1:{postgres.port}") as proxy:
        yield proxy


@pytest.fixture
async def url(postgres: PostgresServer) -> AsyncIterator[str]:
    async with postgres.database(await postgres.migrated()) as url:
        yield url


@pytest.fixture
async def store(postgres: PostgresServer, proxy: CommitProxy, url: str) -> AsyncIterator[Store]:
    opener = PostgresqlOpener(url.replace(str(postgres.port), proxy.address.rpartition(":")[2]))
    yield await opener.open()
    proxy.refusing = False
    await opener.close()


@pytest.fixture(autouse=True)
def asked_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_ASKED_APART", 0.02)


async def writes(store: Store) -> tuple[list[BatchWrite], Builder, Builder]:
    """One batch that moves, one that is new, each with a command."""
    old, new = Builder(), Builder()
    await submitted(store, old, old.submit([judged("a")]))
    moved = old.dispatch("a")
    moved.command = CommandRecord("r1", "AddProposals", b"hash", b"answer")
    created = new.submit([judged("x")], CommandRecord("r2", "SubmitBatch", b"hash", b"answer"))
    return write(moved, created), old, new


async def retried(store: Store, writes: list[BatchWrite]) -> Committed:
    """As the recorder does it."""
    while True:
        try:
            return await store.commit(writes)
        except UnavailableError:
            continue


async def check(store: Store, committed: Committed, old: Builder, new: Builder) -> None:
    """Both are there, once, as their writer believes them to be; and it may go on."""
    assert committed.lost == set()
    assert set(committed.created) == {new.batch.id}
    for builder in (old, new):
        head = await store.batch_head("default", builder.batch.id)
        assert head is not None
        assert head.head == builder.batch.head
        frames = await store.read_frames(head.number, 0, 1 << 30)
        assert [frame.first for frame in frames] == [1, *[frame.last + 1 for frame in frames[:-1]]]
        assert frames[-1].last == builder.batch.head
        assert frames[-1] == committed.frames[builder.batch.id][-1]
    new.batch.number, new.batch.session_no = committed.created[new.batch.id]
    assert sequences(await store.commit(write(new.dispatch("x"))), new) == [new.batch.head]
    assert (await store.commit(write(old.succeed("a")))).lost == set()
    found = await store.find_request("default", "r2")
    assert found is not None
    assert set(found.answers) == {new.batch.id}


@CUTS
async def test_it_is_found_out(store: Store, proxy: CommitProxy, cut: Cut) -> None:
    changes, old, new = await writes(store)
    proxy.arm(cut)
    await check(store, await retried(store, changes), old, new)
    assert proxy.cuts == 1


@CUTS
async def test_it_is_found_out_later(store: Store, proxy: CommitProxy, cut: Cut) -> None:
    """The server cannot be asked at once: that is not known yet is what its callers hear."""
    changes, old, new = await writes(store)
    proxy.arm(cut, refuse=True)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await store.commit(changes)
    proxy.refusing = False
    await check(store, await retried(store, changes), old, new)


@CUTS
async def test_again_and_again(store: Store, proxy: CommitProxy, cut: Cut) -> None:
    changes, old, new = await writes(store)
    proxy.arm(cut, 3)
    committed = await retried(store, changes)
    assert proxy.cuts == (1 if cut is Cut.ANSWER else proxy.cuts)
    proxy.arm(cut, 0)
    await check(store, committed, old, new)


async def test_one_that_was_made_is_not_tried_again_as_another_owner_has_it(
    store: Store, proxy: CommitProxy, postgres: PostgresServer, url: str
) -> None:
    """Committed, then taken over: what its callers hear is that it is recorded; the next commit is lost."""
    changes, old, _ = await writes(store)
    proxy.arm(Cut.ANSWER, refuse=True)
    with pytest.raises(UnavailableError):
        await store.commit(changes)
    await postgres.query(url.rpartition("/")[2], "UPDATE batches SET epoch = epoch + 1")
    proxy.refusing = False
    assert (await retried(store, changes)).lost == set()
    assert (await store.commit(write(old.succeed("a")))).lost == {old.batch.id}


async def test_one_that_was_not_made_is_lost_to_another_owner(
    store: Store, proxy: CommitProxy, postgres: PostgresServer, url: str
) -> None:
    changes, old, new = await writes(store)
    proxy.arm(Cut.BEFORE, refuse=True)
    with pytest.raises(UnavailableError):
        await store.commit(changes)
    await postgres.query(url.rpartition("/")[2], "UPDATE batches SET epoch = epoch + 1")
    proxy.refusing = False
    committed = await retried(store, changes)
    assert committed.lost == {old.batch.id}
    assert set(committed.created) == {new.batch.id}


@pytest.mark.parametrize("others", [0, 5])
async def test_the_database_crashes_and_gives_its_number_to_another(others: int) -> None:
    """What was not flushed is forgotten, and so is which numbers of transactions were given out."""
    with postgres_server("wal_writer_delay=10000", "autovacuum=off") as server:
        template = await server.migrated()
        async with server.database(template) as url, CommitProxy(f"127.0.0.1:{server.port}") as proxy:
            opener = PostgresqlOpener(url.replace(str(server.port), proxy.address.rpartition(":")[2]))
            store = await opener.open()
            changes, old, new = await writes(store)
            before = await server.query("postgres", _NEXT_NUMBER)
            proxy.arm(Cut.HELD, refuse=True)
            committing = asyncio.create_task(store.commit(changes))
            await proxy.held.wait()
            server.restart("immediate")
            with pytest.raises(UnavailableError):
                await committing
            assert await server.query("postgres", _NEXT_NUMBER) == before
            another = PostgresqlOpener(url, prefix="another")
            beside = await another.open()
            for _ in range(others):
                builder = Builder()
                await submitted(beside, builder, builder.submit([judged("a")]))
            proxy.refusing = False
            await check(store, await retried(store, changes), old, new)
            await opener.close()
            await another.close()


@CUTS
async def test_other_writes_too(store: Store, proxy: CommitProxy, cut: Cut) -> None:
    session = Session("s", "default", "", "", {}, 1, START, START)
    proxy.arm(cut)
    made = False
    while not made:
        try:
            made = await store.create_session(session)
        except UnavailableError:
            assert await store.get_session("default", "s") is None, "nothing was changed"
    assert await store.get_session("default", "s") is not None
