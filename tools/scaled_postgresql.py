"""The PostgreSQL of `make up-scaled`: from the machine's packages, in a folder of its own, as a child process."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

_INSTALL = "PostgreSQL's server programs are missing here: apt-get install postgresql"
_USER = "greenlight"
_OWNER = "postgres"  # where we are root, as whom the server refuses to run
_READY_WITHIN = 30.0
_LINES_SHOWN = 10


class PostgresError(Exception):
    """It is not there, or does not start; the message says why and what to do."""


class Postgres:
    """`start` makes the cluster where there is none; what is in it stays for the next start."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._bin = programs()
        self._as_owner = _as_owner()
        self._folder = folder.absolute()
        self._cluster, self._log = self._folder / "cluster", self._folder / "log"
        self._password = self._folder / "password"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def store(self) -> str:
        """For GREENLIGHT_STORE."""
        return f"postgresql+asyncpg://{_USER}:{self._password.read_text()}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Until it takes connections. Raises PostgresError."""
        await self._prepare()
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        given = [word for setting in settings for word in ("-c", setting)]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._as_owner,
                *(str(self._bin / "postgres"), "-D", str(self._cluster), *given),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(_READY_WITHIN):
                while await self._run("pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"):
                    if self._process.returncode is not None:
                        raise PostgresError(f"PostgreSQL does not start:\n{self._last_lines()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise PostgresError(f"PostgreSQL was not ready in {_READY_WITHIN:.0f} s:\n{self._last_lines()}") from None

    async def ended(self) -> PostgresError:
        """Why it ended by itself, once it has."""
        assert self._process is not None
        code = await self._process.wait()
        return PostgresError(f"PostgreSQL ended, with exit code {code}:\n{self._last_lines()}")

    async def stop(self) -> None:
        """Its fast shutdown: nobody is waited for, and everything is written."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
            await self._process.wait()

    async def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self._folder, _OWNER, _OWNER)
        if self._cluster.exists():
            return
        self._password.write_text(secrets.token_urlsafe(24))
        self._password.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(self._password, _OWNER, _OWNER)
        unfinished = self._folder / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        options = [f"--pgdata={unfinished}", f"--username={_USER}", f"--pwfile={self._password}"]
        if await self._run("initdb", *options, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", as_owner=True):
            reach = f" (can the user {_OWNER} get to {self._folder}?)" if os.geteuid() == 0 else ""
            raise PostgresError(f"no cluster could be made in {self._folder}{reach}:\n{self._last_lines()}")
        unfinished.rename(self._cluster)

    async def _run(self, program: str, *arguments: str, as_owner: bool = False) -> int:
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(self._as_owner if as_owner else ()),
                *(str(self._bin / program), *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        return await process.wait()

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:])


def programs(versions: Path = Path("/usr/lib/postgresql")) -> Path:
    """Where `initdb` and `postgres` are; of several versions the highest. Raises PostgresError."""
    found = sorted(versions.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        raise PostgresError(_INSTALL)
    return Path(initdb).parent


def _as_owner() -> Sequence[str]:
    """The words before a command: as another user, where we are root; and ending with us, should we be killed."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return [setpriv, "--pdeathsig=INT", "--"] if setpriv else []
    if setpriv is None:
        raise PostgresError("PostgreSQL refuses to run as root: run this as another user")
    return [setpriv, f"--reuid={_OWNER}", f"--regid={_OWNER}", "--init-groups", "--pdeathsig=INT", "--"]
