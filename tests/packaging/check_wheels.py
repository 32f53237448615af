"""Builds both wheels, installs them in an empty environment, and runs one batch from an empty folder.

An editable install finds the whole repository; only this shows what a wheel forgot (generated code, migrations,
typing markers). Run by `make wheels`; not a pytest module, because it makes an environment of its own.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {
    "greenlight_client": {
        "greenlight": ROOT / "proto" / "gen" / "greenlight",
        "greenlight_client": ROOT / "clients" / "python" / "greenlight_client",
        "greenlight_tool": ROOT / "clients" / "python" / "greenlight_tool",
    },
    "greenlight_svc": {name: ROOT / name for name in ("executor_svc", "orchestrator_svc", "shared")},
}
TOOLS = '''
from greenlight_tool import tool


@tool(effect="READ")
async def add(left: int, right: int) -> int:
    """Adds two numbers."""
    return left + right
'''
READY_WITHIN = 30.0


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}\nended with {done.returncode}")
    return done.stdout


def build(out: Path) -> dict[str, Path]:
    """The wheels by distribution; each is built from its sdist, so that the sdist is proved as well."""
    for project in (ROOT / "clients" / "python", ROOT):
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, project, cwd=out)
    return {path.name.split("-")[0]: path for path in out.glob("*.whl")}


def check_contents(distribution: str, wheel: Path) -> None:
    """Every file of a package is in the wheel, and no other package is."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    packages = SHIPPED[distribution]
    wanted = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in packages.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    if names != wanted:
        raise SystemExit(f"{wheel.name}: missing {sorted(wanted - names)}, too much {sorted(names - wanted)}")


def install(folder: Path, wheels: Sequence[Path]) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
    lock = ROOT / "requirements" / "runtime.txt"
    run(*pip, "install", "--require-hashes", "--requirement", lock, cwd=folder)
    run(*pip, "install", "--no-deps", "--no-index", *wheels, cwd=folder)
    run(*pip, "check", cwd=folder)
    return folder / "bin" / "greenlight"


def wait_until_ready(out: Path, errors: Path, process: subprocess.Popen[bytes]) -> str:
    """The orchestrator's address, from the ready object that `up --json` prints."""
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        for line in out.read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            if said["type"] == "ready":
                return said["ready"]["orchestrator"]
        time.sleep(0.05)
    raise SystemExit(f"`greenlight up` did not become ready:\n{errors.read_text(encoding='utf-8')}")


def run_one_batch(greenlight: Path, folder: Path) -> None:
    (folder / "adding.py").write_text(TOOLS, encoding="utf-8")
    proposals = [{"key": "sum", "tool": "add", "arguments": {"left": 2, "right": 40}}]
    (folder / "batch.json").write_text(json.dumps({"proposals": proposals}), encoding="utf-8")
    out, errors = folder / "up.out", folder / "up.err"
    anywhere = ("--orchestrator", "127.0.0.1:0", "--executor", "127.0.0.1:0")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GREENLIGHT"))}
    with out.open("wb") as stdout, errors.open("wb") as stderr:
        up = subprocess.Popen(
            [greenlight, "--json", "up", *anywhere, "--data", "data", "--toolbox", "adding.py"],
            cwd=folder,
            env=environment,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            address = wait_until_ready(out, errors, up)
            printed = run(greenlight, "--server", address, "run", "batch.json", cwd=folder)
            if "42" not in printed:
                raise SystemExit(f"the batch did not print its result:\n{printed}")
        finally:
            up.send_signal(signal.SIGINT)
            code = up.wait(timeout=READY_WITHIN)
    if code != 0:
        raise SystemExit(f"`greenlight up` ended with {code}:\n{errors.read_text(encoding='utf-8')}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="greenlight-wheels-") as scratch:
        folder = Path(scratch)
        (folder / "dist").mkdir()
        wheels = build(folder / "dist")
        for distribution in SHIPPED:
            check_contents(distribution, wheels[distribution])
        greenlight = install(folder / "venv", list(wheels.values()))
        (folder / "empty").mkdir()
        run_one_batch(greenlight, folder / "empty")
    print("both wheels hold what they must, and run a batch from an empty folder")


if __name__ == "__main__":
    main()
