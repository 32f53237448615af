"""A real PostgreSQL of the tests' own, on a free port, with the durable settings that it comes with."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from orchestrator_svc.adapters.store.migrating import migrate_within
from orchestrator_svc.adapters.store.postgresql_engines import parse_url, writer_engine
from tests.bench.processes import free_port

USER, PASSWORD = "greenlight", "s3cret-w0rd"
_INSTALL = "PostgreSQL is missing: install it (apt-get install postgresql)"
# Not the collation of SQLite, so that whatever depends on one shows.
_LOCALE = ("--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8")


def binaries() -> Path:
    """Where `initdb` is. Raises where there is none: a test of PostgreSQL is not skipped."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    if initdb is None:
        raise RuntimeError(_INSTALL)
    return Path(initdb).parent


class PostgresServer:
    """One cluster in a folder of its own. `port` stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._bin, self._data, self._log = binaries(), folder / "data", folder / "log"
        self._numbers, self._made = itertools.count(1), set[str]()
        self.port = free_port()

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        return f"postgresql+asyncpg://{USER}:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def initialise(self) -> None:
        password = self._data.parent / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:  # the server refuses to run as root
            for path in (self._data.parent, password):
                shutil.chown(path, "postgres", "postgres")
        files = ["-D", str(self._data), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync"]
        self._run("initdb", *files, *_LOCALE)
        settings = f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(settings + "max_connections = 200\nlog_min_messages = warning\n")

    def start(self, *options: str) -> None:
        given = [item for option in options for item in ("-o", f"-c {option}")]
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", str(self._log), *given)

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "stop", "-w", "-D", str(self._data), "-m", mode)

    def restart(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: nothing is written first."""
        self._run("pg_ctl", "restart", "-w", "-D", str(self._data), "-l", str(self._log), "-m", mode)

    def pid(self) -> int:
        """Of its first process, as long as it runs."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"

    # -- databases

    async def query(self, database: str, sql: str, *arguments: Any) -> list[Any]:
        connection: Any = await asyncpg.connect(self.url(database).replace("+asyncpg", ""))
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self, template: str = "template0") -> AsyncGenerator[str]:
        """A new one; its URL."""
        name = f"test_{next(self._numbers)}"
        await self.query("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield self.url(name)
        await self.query("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')

    async def migrated(self) -> str:
        """A database of the present schema, to be copied: that takes a third of migrating one."""
        name = "migrated"
        if name not in self._made:
            await self.query("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
            engine = writer_engine(parse_url(self.url(name)), "migration")
            async with engine.begin() as connection:
                await connection.run_sync(migrate_within, name)
            await engine.dispose()
            self._made.add(name)
        return name


@contextmanager
def postgres_server(*options: str) -> Iterator[PostgresServer]:
    """`options`: settings, as `name=value`. Its folder is not below pytest's, which are closed to the server's user."""
    folder = Path(tempfile.mkdtemp(prefix="greenlight-postgresql-"))
    folder.chmod(0o755)
    server = PostgresServer(folder)
    try:
        server.initialise()
        server.start(*options)
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)
