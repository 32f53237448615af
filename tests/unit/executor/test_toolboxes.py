import json
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from executor_svc.adapters.runners.thread_pool import ThreadPool, Threads
from executor_svc.adapters.toolboxes.python_module import ToolboxError, load
from executor_svc.adapters.toolboxes.toolset import Toolset
from shared.kernel.clock import SystemClock
from shared.kernel.tasks import Supervisor


class Folder:
    """A folder of modules, the current one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> str:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from greenlight_tool import tool\n" + textwrap.dedent(text))
        return str(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield Folder(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    async with Supervisor() as supervisor:
        yield supervisor


def toolset(supervisor: Supervisor, *references: str) -> Toolset:
    return Toolset(references, SystemClock(), Threads(ThreadPool(1), ThreadPool(1)), supervisor)


ONE = """
@tool(effect="READ")
async def one() -> int:
    return 1
"""


def names(path: str) -> list[str]:
    return [tool.spec.name for box in load([path]) for tool in box.tools]


def test_a_file_and_a_module_of_the_current_folder(folder: Folder):
    folder.write("desk/__init__.py", "from desk.quotes import one\n")
    folder.write("desk/quotes.py", ONE)
    assert names(folder.write("mine.py", ONE)) == ["one"]
    assert names("desk") == names("desk.quotes") == ["one"]
    assert [box.root for box in load(["desk", "desk.quotes"])] == [folder.path / "desk"] * 2
    assert load(["mine.py"])[0].root == folder.path


def test_a_file_may_be_called_as_a_module_of_python(folder: Folder):
    assert names(folder.write("json.py", ONE)) == ["one"]
    assert sys.modules["json"] is json


def test_a_file_finds_its_neighbours(folder: Folder):
    folder.write("deep/helper_of_mine.py", "VALUE = 1\n")
    assert names(folder.write("deep/mine.py", "from helper_of_mine import VALUE\n" + ONE)) == ["one"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "has no tools"),
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_thing_at_all\n", "no_such_thing_at_all"),
        ("import sys; sys.exit(3)\n", "SystemExit"),
        ("@tool\ndef f() -> None: ...\n", "effect"),
        ("@tool(effect='READ')\ndef f(a) -> None: ...\n", "type hint"),
        (ONE + "\nasync def lifespan():\n    yield 1\n", "asynccontextmanager"),
    ],
)
def test_what_cannot_be_loaded_says_which_and_why(folder: Folder, text: str, said: str):
    path = folder.write("mine.py", text)
    with pytest.raises(ToolboxError, match=said) as raised:
        load([path])
    assert "mine.py" in str(raised.value)


async def test_an_effect_that_counts_and_needs_no_decision_is_said(
    folder: Folder, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
):
    path = folder.write(
        "mine.py",
        """
        @tool(effect="NON_IDEMPOTENT", tier="AUTO")
        async def pay() -> None: ...
        @tool(effect="NON_IDEMPOTENT")
        async def asked() -> None: ...
        @tool(effect="IDEMPOTENT", tier="AUTO")
        async def keep() -> None: ...
        """,
    )
    await toolset(supervisor, path).open()
    assert caplog.messages == ["tool pay 1 is NON_IDEMPOTENT and AUTO: it runs without a decision"]


@pytest.mark.parametrize("reference", ["nowhere.py", "no_such_module", "no.such.module", ""])
def test_what_is_not_there(folder: Folder, reference: str):
    with pytest.raises(ToolboxError):
        load([reference])


async def test_one_tool_described_twice_differently_is_refused(folder: Folder, supervisor: Supervisor):
    first = folder.write("first.py", ONE)
    second = folder.write("second.py", ONE.replace("one() ->", "one(a: int) ->"))
    with pytest.raises(ToolboxError, match=r"second\.py: tool one 1 is described a second time"):
        await toolset(supervisor, first, second).open()
    newer = folder.write("newer.py", ONE.replace('effect="READ"', 'effect="READ", version="2"'))
    opened = await toolset(supervisor, first, newer, first).open()
    assert [tool.spec.version for tool in opened.tools] == ["1", "2"]


async def test_descriptions_that_do_not_fit_one_message(folder: Folder, supervisor: Supervisor):
    text = """
    async def give() -> int:
        return 1

    for number in range(8):
        globals()[f"give{number}"] = tool(effect="READ", name=f"give{number}", description="x" * 500_000)(give)
    """
    path = folder.write("mine.py", textwrap.dedent(text))
    with pytest.raises(ToolboxError, match="8 tools take"):
        await toolset(supervisor, path).open()


LIFESPAN = """
from contextlib import asynccontextmanager
from greenlight_tool import ToolContext
LOG = []

@asynccontextmanager
async def lifespan():
    LOG.append("opened")
    yield {"pool": 1}
    LOG.append("closed")

@tool(effect="READ")
async def one(context: ToolContext) -> int:
    return context.lifespan["pool"]
"""


async def test_the_lifespan_is_open_while_the_tools_are(folder: Folder, supervisor: Supervisor):
    path = folder.write("mine.py", LIFESPAN)
    tools = toolset(supervisor, path)
    await tools.open()
    log = next(module.LOG for module in sys.modules.values() if getattr(module, "__file__", None) == path)
    assert log == ["opened"]
    await tools.close()
    assert log == ["opened", "closed"]


async def test_a_lifespan_that_does_not_open(folder: Folder, supervisor: Supervisor):
    path = folder.write("mine.py", LIFESPAN.replace('LOG.append("opened")', 'raise OSError("no database")'))
    with pytest.raises(ToolboxError, match="lifespan: OSError: no database"):
        await toolset(supervisor, path).open()


async def test_a_reload_brings_new_code_of_the_toolbox_and_of_its_helpers(folder: Folder, supervisor: Supervisor):
    folder.write("helper_of_mine.py", "VALUE = 'old'\n")
    path = folder.write("mine.py", "from helper_of_mine import VALUE\n" + ONE.replace("async def one", "async def old"))
    tools = toolset(supervisor, path)
    first = await tools.open()
    folder.write("helper_of_mine.py", "VALUE = 'new'\n")
    folder.write("mine.py", "from helper_of_mine import VALUE\n" + ONE)
    second = await tools.reload()
    assert [tool.spec.name for tool in first.tools] == ["old"]
    assert [tool.spec.name for tool in second.tools] == ["one"]
    assert sys.modules["helper_of_mine"].VALUE == "new"
    assert folder.path in tools.folders()


async def test_a_broken_edit_keeps_what_was_there(folder: Folder, supervisor: Supervisor):
    path = folder.write("mine.py", ONE)
    tools = toolset(supervisor, path)
    first = await tools.open()
    modules = dict(sys.modules)
    folder.write("mine.py", ONE + "def broken(:\n")
    with pytest.raises(ToolboxError, match="SyntaxError"):
        await tools.reload()
    assert tools.current is first
    assert {name: sys.modules.get(name) for name in modules if "mine" in name} == {
        name: module for name, module in modules.items() if "mine" in name
    }


async def test_a_reload_that_changes_a_description_says_so(
    folder: Folder, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
):
    tools = toolset(supervisor, folder.write("mine.py", ONE))
    await tools.open()
    folder.write("mine.py", ONE.replace("one() ->", "one(a: int) ->"))
    await tools.reload()
    assert "tool one 1 is described differently than before" in caplog.text


async def test_packages_that_are_installed_are_not_loaded_anew(folder: Folder, supervisor: Supervisor):
    site = folder.path / "venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "installed_thing.py").write_text("LOADED = object()\n")
    sys.path.insert(0, str(site))
    tools = toolset(supervisor, folder.write("mine.py", "import installed_thing\n" + ONE))
    await tools.open()
    before = sys.modules["installed_thing"]
    await tools.reload()
    assert sys.modules["installed_thing"] is before
