"""Generates proto/gen/greenlight (messages, stubs, type stubs) from proto/greenlight; the only writer of that folder.

With --check it writes nothing and says what differs. Only our own files are generated: google.rpc comes from
googleapis-common-protos at run time.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import cast

from grpc_tools import protoc  # pyright: ignore[reportMissingTypeStubs]

PROTO = Path(__file__).resolve().parent.parent / "proto"
OUT = PROTO / "gen" / "greenlight"
PACKAGE_NOTE = '"""Generated from proto/greenlight; never edited."""\n'


def generate(proto: Path, out: Path) -> None:
    """Fills the empty folder `out` with the package `greenlight`."""
    sources = sorted(str(path.relative_to(proto)) for path in (proto / "greenlight").rglob("*.proto"))
    if not sources:
        raise SystemExit(f"no .proto files under {proto / 'greenlight'}")
    plugin = Path(sys.executable).parent
    arguments = [
        "protoc",
        f"-I{proto}",
        f"-I{resources.files('grpc_tools') / '_proto'}",
        f"--plugin=protoc-gen-mypy={plugin / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={plugin / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet,only_async:{out}",
        *sources,
    ]
    run = cast(Callable[[list[str]], int], protoc.main)  # pyright: ignore[reportUnknownMemberType]
    if run(arguments) != 0:
        raise SystemExit("protoc failed")
    _drop_stubs_without_services(out)
    for folder in [out / "greenlight", *(path for path in (out / "greenlight").rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text(PACKAGE_NOTE, encoding="utf-8")
    (out / "greenlight" / "py.typed").write_text("", encoding="utf-8")


def _drop_stubs_without_services(out: Path) -> None:
    # protoc writes an (empty) _pb2_grpc for every file, also where there is no service.
    for stub in out.rglob("*_pb2_grpc.py"):
        if "class " not in stub.read_text(encoding="utf-8"):
            stub.unlink()
            stub.with_suffix(".pyi").unlink(missing_ok=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its relative path; what Python itself puts there is left out."""
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def write(wanted: dict[str, bytes], present: dict[str, bytes], out: Path) -> int:
    """Writes what differs, deletes what has no source any more; unchanged files keep their time."""
    changed = [name for name, data in wanted.items() if present.get(name) != data]
    for name in changed:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(wanted[name])
    gone = present.keys() - wanted.keys()
    for name in gone:
        (out / name).unlink()
    return len(changed) + len(gone)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where the committed code differs")
    parser.add_argument("--proto", type=Path, default=PROTO, help="another folder of sources")
    parser.add_argument("--out", type=Path, default=OUT, help="another folder to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="greenlight-proto-") as scratch:
        generate(options.proto.resolve(), Path(scratch))
        wanted = contents(Path(scratch) / "greenlight")
    present = contents(options.out)
    if options.check:
        differing = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        for name in differing:
            print(f"differs from its .proto: {options.out / name}", file=sys.stderr)
        if differing:
            print("run `make proto` and commit proto/gen", file=sys.stderr)
        return 1 if differing else 0
    print(f"{len(wanted)} files, {write(wanted, present, options.out)} changed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
