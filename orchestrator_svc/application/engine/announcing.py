"""What a commit makes known: to watchers; to the memory, which lets go of what rests; and then to observers."""

import asyncio
from collections.abc import Sequence

from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.ports.feed import Feed, News
from orchestrator_svc.ports.observer import Observer
from orchestrator_svc.ports.store import Committed


class Announcer:
    def __init__(self, observer: Observer, feed: Feed, live: LiveBatches) -> None:
        self._observer, self._feed, self._live = observer, feed, live

    def committed(self, group: Sequence[Changes], committed: Committed) -> None:
        """In order, once the transaction is there. Observers come behind all that it wakes: nobody waits for them."""
        news: dict[str, News] = {}
        for changes in group:
            batch, header = changes.batch, changes.header
            if header is not None and changes.events and not changes.part:
                frames = tuple(committed.frames.get(batch.id, ()))
                news[batch.id] = News(batch.tenant, batch.session_id, batch.id, header.head, header.state, frames)
        self._feed.publish(list(news.values()))
        for changes in group:
            self._live.committed(changes)
        asyncio.get_running_loop().call_soon(self._observer.committed, group)
