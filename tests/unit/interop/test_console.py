"""How a document's commands are found, run and compared."""

import json

from tests.interop.console import Command, Console, commands, same, sections

DOCUMENT = """
```console
$ not run
```
<!-- console: services -->
```console
$ echo one \\
    two
one two
$ true
```
text
```console
$ echo three
three
```
<!-- console: end -->
"""
ONE = "01980000-0000-7000-8000-00000000000%d"


def test_only_marked_blocks_are_run_and_lines_go_on_after_a_backslash():
    (section,) = sections(DOCUMENT)
    assert commands(section) == [
        Command("echo one \\\n    two", "one two"),
        Command("true", ""),
        Command("echo three", "three"),
    ]


def test_a_here_document_belongs_to_its_command():
    section = "```console\n$ cat - \\\n  - <<'END'\nhello\nEND\nhello\n```\n"
    (command,) = commands(section)
    assert command == Command("cat - \\\n  - <<'END'\nhello\nEND", "hello")
    assert Console("a", "b", "c").run(command) == "hello"


def test_ids_times_and_durations_are_compared_by_shape_only():
    written = f'{{"id": "{ONE % 1}", "at": "2026-01-01T00:00:00Z", "took": "0.5s"}}'
    assert same(written, f'{{"id": "{ONE % 2}", "at": "2026-02-03T04:05:06.789Z", "took": "1.25s"}}')
    assert not same(written, written.replace("took", "lasted"))


def test_digests_are_compared_as_they_are():
    assert not same("sha256:" + "0" * 64, "sha256:" + "1" * 64)


def test_how_events_fell_into_frames_does_not_matter():
    def message(*keys: str, **more: object) -> str:
        return json.dumps({"frame": {"events": [{"key": key} for key in keys], **more}}, indent=2)

    end = {"summary": {"batch": {"state": "X"}}}
    assert same(message("a", "b") + "\n" + message("c", **end), message("a") + "\n" + message("b", "c", **end))
    assert not same(message("a", "b"), message("b", "a"))


def test_three_dots_stand_for_any_lines():
    assert same("first\n...\nlast", "first\nsecond\nthird\nlast")
    assert same("first\n...", "first\nsecond")
    assert not same("first\n...\nlast", "first\nsecond")
    assert same('{\n  "frame": {\n...\n}', '{\n  "frame": {\n    "events": []\n  }\n}')


def test_an_id_in_a_command_means_the_one_that_took_its_place():
    console = Console("127.0.0.1:1", "127.0.0.1:2", "/somewhere")
    assert console.run(Command(f"echo {ONE % 1}", ONE % 1)) == ONE % 1
    console.ids.clear()
    console.run(Command(f"echo {ONE % 3}", ONE % 1))
    assert console.run(Command(f"echo get {ONE % 1} localhost:50051", "")) == f"get {ONE % 3} localhost:50051"


def test_addresses_are_put_in_and_taken_out():
    console = Console("127.0.0.1:1", "127.0.0.1:2", "/somewhere")
    assert console.run(Command("echo localhost:50052 | tr -d '\\n' | wc -c", "")) == "11"
    assert console.run(Command("echo localhost:50052", "")) == "localhost:50052"
