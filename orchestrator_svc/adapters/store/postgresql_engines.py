"""PostgreSQL as the store needs it: where it is, and its connections, to write, for leases, for commands, to read
snapshots."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.kernel.errors import InvalidError

DRIVER = "postgresql+asyncpg"
READERS = 8
COMMAND_TIMEOUT = 30.0
"""Seconds that a statement may take; a server that does not answer is away."""
CONNECT_TIMEOUT = 5.0
_POOL_TIMEOUT = 10.0
_FORM = f"{DRIVER}://USER:PASSWORD@HOST:PORT/DATABASE"
# A client whose machine is gone loses its connections, and with them its locks, within ten seconds.
_SERVER_SETTINGS = {
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "statement_timeout": "0",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60000",
}
# Neither a lease nor a command that is on its way is a promise: what a crash of the server forgets of them is written
# again.
_NOT_FLUSHED = {"synchronous_commit": "off"}
_LEASE_TIMEOUT = 2.0


# What is written is found by its key, always: a plan that was made while a table was small would read all of it later.
# So one plan a statement is enough: planning the guard anew takes longer than running it.
_BY_KEY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}


def parse_url(text: str) -> URL:
    """Raises InvalidError (STORE_INVALID), which never says the password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidError("STORE_INVALID", f"the store is no address: expected {_FORM}, or nothing") from None
    if url.drivername != DRIVER or not url.database:
        raise InvalidError("STORE_INVALID", f"the store is at no database that is known: expected {_FORM}, or nothing")
    if find_spec("asyncpg") is None:
        raise InvalidError("STORE_INVALID", "PostgreSQL's driver is missing: pip install 'greenlight-svc[postgresql]'")
    unknown = sorted(url.query.keys() - {"ssl"})
    if unknown:
        raise InvalidError("STORE_INVALID", f"the store's address has {', '.join(unknown)}; only ssl is known there")
    return url


async def connect(url: URL, name: str) -> Any:
    """A connection of asyncpg, beside those of the engines."""
    driver: Any = import_module("asyncpg")
    return await driver.connect(**connect_arguments(url, name))


def shown(url: URL) -> str:
    """For people: without the password."""
    return f"postgresql://{url.host or 'localhost'}:{url.port or 5432}/{url.database}"


def connect_arguments(url: URL, name: str, **settings: str) -> dict[str, Any]:
    """For asyncpg. `name`: what the server shows of the connection; at most 63 characters."""
    found: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
        "timeout": CONNECT_TIMEOUT,
        "command_timeout": COMMAND_TIMEOUT,
        "server_settings": {**_SERVER_SETTINGS, **settings, "application_name": name},
        **url.query,
    }
    return {name: value for name, value in found.items() if value is not None}


def writer_engine(url: URL, name: str) -> AsyncEngine:
    """One connection, so that the transactions of this process never wait for each other's locks."""
    return _engine(connect_arguments(url, name, **_BY_KEY), 1, "READ COMMITTED")


def reader_engine(url: URL, name: str) -> AsyncEngine:
    """Each use is one snapshot."""
    engine = _engine(connect_arguments(url, name), READERS, "REPEATABLE READ")
    return engine.execution_options(postgresql_readonly=True)


def lease_engine(url: URL, name: str) -> AsyncEngine:
    """Each use renews one lease; quickly, or not."""
    arguments = connect_arguments(url, name, **_NOT_FLUSHED)
    return _engine({**arguments, "timeout": _LEASE_TIMEOUT, "command_timeout": _LEASE_TIMEOUT}, 1, "AUTOCOMMIT")


def inbox_engine(url: URL, name: str) -> AsyncEngine:
    """Each use sends commands, by one statement."""
    return _engine(connect_arguments(url, name, **_NOT_FLUSHED, **_BY_KEY), 1, "AUTOCOMMIT")


def _engine(arguments: dict[str, Any], pool_size: int, isolation_level: Any) -> AsyncEngine:
    return create_async_engine(
        URL.create(DRIVER),
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT,
        isolation_level=isolation_level,
        hide_parameters=True,
    )
