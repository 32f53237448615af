"""Output that waits for nobody: what is read comes whole and in order, what is not read is counted."""

import os
import threading
from collections.abc import Iterator

import pytest

from shared.runtime.output import Outflow

MIB = 1 << 20


def missing(lines: int) -> str:
    return f"({lines})\n"


class Pipe:
    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.out = Outflow(self.writer, missing)
        self.is_read = True

    def leave(self) -> None:
        self.is_read = False
        os.close(self.reader)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    if made.is_read:
        made.leave()
    made.out.drain(10)  # its thread must not write to whoever gets the number of the descriptor next
    os.close(made.writer)


def read(reader: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += os.read(reader, size - len(found))
    return found


def test_what_is_written_is_read_in_order(pipe: Pipe):
    out = pipe.out
    for number in range(1000):
        out.write(b"%d\n" % number)
    out.drain(10)
    assert os.read(pipe.reader, MIB) == b"".join(b"%d\n" % number for number in range(1000))


def test_what_nobody_reads_is_dropped_and_said_where_it_is_missing(pipe: Pipe):
    out = pipe.out
    line = b"x" * 999 + b"\n"
    for _ in range(3000):
        assert out.write(line) == len(line)
    taken = bytearray()

    def take() -> None:
        while not taken.endswith(b"!"):
            taken.extend(os.read(pipe.reader, MIB))

    reading = threading.Thread(target=take, daemon=True)
    reading.start()
    out.drain(10)
    out.write(b"later\n")
    out.drain(10)
    out.write(b"!")
    reading.join(10)
    kept = bytes(taken.removesuffix(b"!"))
    lines, _, later = kept.rpartition(b"(")
    count = int(later.partition(b")")[0])
    assert later.endswith(b")\nlater\n")
    assert lines.count(line) + count == 3000
    assert lines == line * (3000 - count)


def test_one_that_is_large_by_itself_is_taken(pipe: Pipe):
    out = pipe.out
    out.write(b"x" * (3 * MIB))
    assert read(pipe.reader, 3 * MIB) == b"x" * (3 * MIB)


def test_a_pipe_that_says_try_again_is_tried_again(pipe: Pipe):
    os.set_blocking(pipe.writer, False)
    out = pipe.out
    for _ in range(10):
        out.write(b"y" * 100_000)
    assert read(pipe.reader, 1_000_000) == b"y" * 1_000_000


def test_without_a_reader_it_goes_on(pipe: Pipe):
    out = pipe.out
    pipe.leave()
    for _ in range(100):
        out.write(b"z" * MIB)
    out.drain(10)
    assert out.write(b"z") == 1


def test_many_threads_lose_nothing_while_it_is_read(pipe: Pipe):
    out = pipe.out
    writers = [threading.Thread(target=lambda: [out.write(b"0123456\n") for _ in range(1000)]) for _ in range(8)]
    for writer in writers:
        writer.start()
    assert read(pipe.reader, 64_000) == b"0123456\n" * 8000
    for writer in writers:
        writer.join()
