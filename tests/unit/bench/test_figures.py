"""The bench's arithmetic, and what it prints."""

import json
import random

import pytest

from tests.bench import report
from tests.bench.figures import Figure, median, percentile, rounded
from tests.bench.measures.dags import longest_path, random_dag
from tests.bench.peers_run import Peer


def test_percentiles_lie_between_ranks():
    assert median([3, 1, 2]) == 2
    assert median([1, 2]) == 1.5
    assert percentile(range(101), 0.99) == 99
    assert percentile([7], 0.99) == 7


@pytest.mark.parametrize(
    ("value", "higher_is_better", "verdict"),
    [(2.9, False, "aim met"), (4, False, "must met"), (5.1, False, "MISSED"), (5.1, True, "aim met")],
)
def test_a_figure_says_which_limit_it_keeps(value: float, higher_is_better: bool, verdict: str):
    must, aim = (3, 5) if higher_is_better else (5, 3)
    assert Figure("k", "label", value, "ms", must, aim, higher_is_better).verdict == verdict


def test_the_longest_path_goes_through_the_slowest_parents():
    assert longest_path([[], [], [0, 1], []], [1.0, 2.0, 3.0, 4.0]) == 5.0


def test_the_dags_are_always_the_same_and_as_large_as_said():
    dags = [random_dag(random.Random(seed)) for seed in range(50)]
    assert dags == [random_dag(random.Random(seed)) for seed in range(50)]
    assert all(5 <= len(dag.milliseconds) <= 60 for dag in dags)
    assert all(5 <= time <= 50 for dag in dags for time in dag.milliseconds)
    assert all(parent < node for dag in dags for node, parents in enumerate(dag.parents) for parent in parents)


PROMISED = (
    "batch_1000_per_s",
    "batch_1000_of_ceiling",
    "batches_100x10_per_s",
    "batches_100x10_of_ceiling",
    "five_50ms_p50_ms",
    "approve_to_start_p50_ms",
    "approve_to_start_p99_ms",
    "dag_over_critical_path",
    "neighbour_p99_ms",
)


def test_the_last_line_has_exactly_the_promised_keys():
    figures = [Figure(key, key, 1 / 3, "ms") for key in (*PROMISED, "memory_growth_mb")]
    assert json.loads(report.json_line(figures)) == dict.fromkeys(PROMISED, rounded(1 / 3))


def test_the_page_has_a_column_for_each_peer():
    figures = [Figure("five_50ms_p50_ms", "five", 55.0, "ms", 58, 56, note="300 batches")]
    peers = [
        Peer("Other", {"five_50ms_p50_ms": 99.0}, {"other": "1.2"}, "as it comes"),
        Peer("Gone", {}, {}, "missing"),
    ]
    page = report.markdown(figures, peers)
    assert "| five | 58.0 ms | 56.0 ms | **55.0 ms** |  | 99.0 ms |  |" in page
    assert "- Other (other 1.2): as it comes" in page
    assert "- Gone: missing" in page
