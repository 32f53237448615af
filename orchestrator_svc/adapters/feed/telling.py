"""A feed that also tells other orchestrators which batches moved here."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from orchestrator_svc.ports.feed import Feed, News, SessionStand, Stand, Subscription, Watched
from orchestrator_svc.ports.wakeups import Wake, WakeKind, Wakeups


class TellingFeed:
    """Implements `Feed`, by another one. `others`: whether there are any."""

    def __init__(self, inner: Feed, wakeups: Wakeups, others: Callable[[], bool]) -> None:
        self._inner, self._wakeups, self._others = inner, wakeups, others

    def publish(self, news: Sequence[News]) -> None:
        self._inner.publish(news)
        if news and self._others():
            self._wakeups.send([_moved(item) for item in news])

    def nudge(self, stands: Sequence[Stand]) -> None:
        self._inner.nudge(stands)

    def nudge_sessions(self, stands: Sequence[SessionStand]) -> None:
        self._inner.nudge_sessions(stands)

    def nudge_all(self) -> None:
        self._inner.nudge_all()

    def watched(self) -> Watched:
        return self._inner.watched()

    def watch_batch(self, tenant: str, batch_id: str) -> AbstractContextManager[Subscription]:
        return self._inner.watch_batch(tenant, batch_id)

    def watch_session(self, tenant: str, session_id: str) -> AbstractContextManager[Subscription]:
        return self._inner.watch_session(tenant, session_id)

    def close(self, retry_after: float) -> None:
        self._inner.close(retry_after)

    @property
    def closed(self) -> bool:
        return self._inner.closed

    @property
    def retry_after(self) -> float:
        return self._inner.retry_after


def _moved(news: News) -> Wake:
    return Wake(WakeKind.MOVED, news.tenant, news.session_id, news.batch_id, head=news.head)
