"""A toolbox is a Python module, or a .py file: its tools are the decorated functions that it has as attributes."""

import importlib
import importlib.util
import sys
import zlib
from collections.abc import Collection, Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from greenlight_tool import Tool


class ToolboxError(Exception):
    """A toolbox cannot be loaded; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class PythonToolbox:
    """`lifespan` is what the module's function of that name gave, not yet entered; `root` the folder of its code."""

    reference: str
    tools: list[Tool[..., Any]]
    lifespan: AbstractAsyncContextManager[Any] | None
    root: Path


def load(references: Sequence[str]) -> list[PythonToolbox]:
    """Imports modules by name (current folder first) and files that end in .py. Raises ToolboxError."""
    _put_first(str(Path.cwd()))
    return [_load(reference) for reference in references]


def load_anew(references: Sequence[str], roots: Collection[Path], keep: Collection[str]) -> list[PythonToolbox]:
    """As `load`, with what was imported from below `roots` imported again, except for the modules named in `keep`.

    If it fails every module stays as it was.
    """
    with _forgotten([name for name, _ in own_modules(roots) if name not in keep]):
        return load(references)


def own_modules(roots: Collection[Path]) -> list[tuple[str, Path]]:
    """Name and file of every module that was imported from below the folders; installed packages are not meant."""
    found: list[tuple[str, Path]] = []
    for name, module in list(sys.modules.items()):
        if origin := getattr(module, "__file__", None):
            path = Path(origin)
            if "site-packages" not in path.parts and any(root in path.parents for root in roots):
                found.append((name, path))
    return found


def _load(reference: str) -> PythonToolbox:
    try:
        path = _file(reference)
        module = _import_file(path) if reference.endswith(".py") else importlib.import_module(reference)
        return _read(reference, module, path)
    except (ToolboxError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever a module does while it is imported, sys.exit() included
        raise ToolboxError(f"toolbox {reference}: {type(error).__name__}: {error}") from error


def _read(reference: str, module: ModuleType, path: Path) -> PythonToolbox:
    tools: list[Tool[..., Any]] = [value for value in vars(module).values() if isinstance(value, Tool)]
    if not tools:
        raise ToolboxError(f"toolbox {reference} has no tools: decorate a function with @tool(effect=...)")
    make_lifespan = getattr(module, "lifespan", None)
    lifespan: Any = make_lifespan() if make_lifespan is not None else None
    if lifespan is not None and not hasattr(lifespan, "__aenter__"):
        raise ToolboxError(f"toolbox {reference}: lifespan must be decorated with contextlib.asynccontextmanager")
    return PythonToolbox(reference, list(dict.fromkeys(tools)), lifespan, _root(reference, path))


def _root(reference: str, path: Path) -> Path:
    """The outermost package's folder; of a module outside any package, the folder that it is in."""
    if reference.endswith(".py"):
        return path.parent
    depth = reference.count(".") if path.name == "__init__.py" else reference.count(".") - 1
    return path.parents[max(0, depth)]


def _file(reference: str) -> Path:
    if reference.endswith(".py"):
        path = Path(reference).resolve()
        if not path.is_file():
            raise ToolboxError(f"toolbox {reference}: there is no such file")
        return path
    try:
        found = importlib.util.find_spec(reference)
    except ModuleNotFoundError:
        found = None
    if found is None or found.origin is None:
        raise ToolboxError(f"toolbox {reference}: there is no such module (looked in {Path.cwd()} first)")
    return Path(found.origin).resolve()


def _import_file(path: Path) -> ModuleType:
    # Under a name of its own: a toolbox called json.py must not become everybody's json.
    name = f"greenlight_toolbox_{path.stem}_{zlib.crc32(str(path).encode()):08x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ToolboxError(f"toolbox {path}: it is no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    # Its neighbours can be imported by name, as if it had been started itself.
    _put_first(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _forgotten(names: list[str]) -> Generator[None]:
    kept = {name: sys.modules.pop(name) for name in names}
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        sys.modules.update(kept)
        raise


def _put_first(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)
