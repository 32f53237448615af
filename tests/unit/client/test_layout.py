"""Which rows are shown where there is not room for all; and the picture itself."""

import pytest
from rich.console import Console

from greenlight.orchestrator.v1 import batch_pb2
from greenlight_client.cli.board import Board
from greenlight_client.cli.layout import groups
from greenlight_client.cli.live import render
from greenlight_client.cli.model import BatchModel
from tests.unit.client.recorded import PROPOSED, Log, at


def _many() -> Log:
    log = Log().submitted(101)
    for number in range(100):
        log.added(f"p{number}", agent="many")
    log.added("ask", state=PROPOSED, agent="one").asked(0, "ask")
    for number in range(50):
        log.dispatched(0.1, f"p{number}", agent="many").succeeded(0.2, f"p{number}", agent="many")
    return log.dispatched(0.3, "p77", agent="many").dispatched(0.3, "p60", agent="many").failed(0.4, "p60")


def test_what_needs_somebody_or_moves_comes_first() -> None:
    model = BatchModel()
    for event in _many().events:
        model.apply(event)
    many, one = groups(model, 6)
    assert [row.key for row in one.rows] == ["ask"]
    assert [row.key for row in many.rows] == ["p50", "p60", "p77"]
    assert many.hidden == 97


def test_all_rows_where_there_is_room() -> None:
    model = BatchModel()
    for event in _many().events:
        model.apply(event)
    assert sum(len(group.rows) for group in groups(model, 400)) == 101


def test_every_agent_keeps_a_line_as_long_as_there_is_one() -> None:
    model = BatchModel()
    log = Log().submitted(3)
    for name in "abc":
        log.added(name, agent=name)
    for event in log.events:
        model.apply(event)
    assert [group.agent.name for group in groups(model, 3)] == ["a", "b", "c"]
    assert len(groups(model, 1)) == 1


def _picture(log: Log, width: int = 100) -> str:
    board = Board()
    for event in log.events:
        board.apply(event)
    console = Console(width=width, force_terminal=False, highlight=False)
    with console.capture() as capture:
        console.print(render(board, at(2), 50, "a note"))
    return capture.get()


def test_the_picture() -> None:
    log = Log().submitted(3).added("profile", agent="data").added("prices", "profile", agent="data")
    log.added("publish", state=PROPOSED, agent="synthesis").asked(0, "publish")
    log.dispatched(0.5, "profile", agent="data").succeeded(1, "profile", agent="data").dispatched(
        1, "prices", agent="data"
    )
    picture = _picture(log)
    for text in ("research", "1/3", "running", "profile", "done", "0.50 s", "for a decision (hard)", "a note", "1/2"):
        assert text in picture


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_the_bar_is_as_long_as_what_has_ended(done: int) -> None:
    log = Log().submitted(3)
    for key in "abc":
        log.added(key)
    for key in "abc"[:done]:
        log.dispatched(1, key).succeeded(2, key)
    head = _picture(log).splitlines()[0]
    assert head.count("━") == 8 * done
    assert f" {done}/3 " in head


def test_every_agent_has_its_status() -> None:
    log = Log().submitted(4)
    for agent in ("later", "now", "well", "badly"):
        log.added(f"of_{agent}", agent=agent)
    log.dispatched(1, "of_now", agent="now")
    log.dispatched(1, "of_well", agent="well").succeeded(2, "of_well", agent="well")
    log.dispatched(1, "of_badly", agent="badly").failed(2, "of_badly")
    lines = [line.split() for line in _picture(log).splitlines()]
    agents = [words for words in lines if words[0] in ("later", "now", "well", "badly")]
    assert agents == [
        ["later", "idle", "0/1"],
        ["now", "running", "0/1"],
        ["well", "complete", "1/1"],
        ["badly", "error", "1/1"],
    ]


def test_markup_and_escapes_of_others_are_only_text() -> None:
    log = (
        Log()
        .submitted(1, name="[red]x[/red]")
        .added("k", agent="[blink]a\x1b[2J")
        .dispatched(0, "k")
        .failed(1, "k", "[link=http://evil]click[/link]\x1b[31m")
    )
    picture = _picture(log)
    assert "\x1b" not in picture
    for text in ("[red]x[/red]", "[blink]a", "[link=http://evil]click[/link]"):
        assert text in picture


def test_several_batches_on_one_board() -> None:
    board = Board()
    for batch_id in ("0195a000-0000-7000-8000-00000000000a", "0195a000-0000-7000-8000-00000000000b"):
        for event in Log(batch_id).submitted(1, name=batch_id[-4:]).added("k").events:
            board.apply(event)
    assert len(board.models) == 2
    assert len(board.stalled(at(1))) == 2


def test_what_runs_or_has_ended_is_not_stalled() -> None:
    board = Board()
    log = Log().submitted(2).added("a").added("b", "a").dispatched(0, "a")
    for event in log.events:
        board.apply(event)
    assert board.stalled(at(1)) == []
    assert len(board.stalled(at(4))) == 1
    board = Board()
    for event in Log().submitted(1).finished(1, batch_pb2.BATCH_STATE_CANCELLED, total=1, cancelled=1).events:
        board.apply(event)
    assert board.stalled(at(1)) == []
