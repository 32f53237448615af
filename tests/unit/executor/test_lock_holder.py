import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from executor_svc.application.lock_holder import holder, spent_by_threads

HOLDER, WAITING, RESTING = (threading.Thread(name=name) for name in ("holder", "waiting", "resting"))


def test_it_is_the_one_that_computed_meanwhile_whatever_others_did_before():
    before = {HOLDER: 1.0, WAITING: 50.0, RESTING: 7.0}
    assert holder(before, {HOLDER: 3.0, WAITING: 50.1, RESTING: 7.0}, 2.1) is HOLDER


def test_one_that_was_begun_meanwhile_may_be_it():
    assert holder({WAITING: 50.0}, {HOLDER: 3.0, WAITING: 50.1}, 3.0) is HOLDER


def test_nobody_is_where_all_only_waited():
    assert holder({}, {HOLDER: 0.01, WAITING: 0.01}, 0.02) is None


def test_nor_where_nothing_is_known():
    assert holder({}, {}, 1.0) is None


def test_who_hardly_computed_is_not_named_for_one_that_slept_with_it():
    assert holder({}, {HOLDER: 0.0, WAITING: 0.01}, 2.0) is None
    assert holder({}, {HOLDER: 0.0, WAITING: 0.11}, 2.0) is WAITING


@contextmanager
def doing(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """A thread that has done it, and has not ended."""
    done, over = threading.Event(), threading.Event()

    def run() -> None:
        work()
        done.set()
        over.wait()

    thread = threading.Thread(target=run)
    thread.start()
    done.wait()
    yield thread
    over.set()
    thread.join()


def compute() -> None:
    while time.thread_time() < 0.05:
        pass


def test_the_time_of_each_thread_is_its_own():
    with doing(compute) as busy, doing(lambda: None) as idle:
        spent = spent_by_threads()
    assert spent[busy] >= 0.05
    assert spent[idle] < spent[busy]
