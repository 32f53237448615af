"""What a PostgreSQL server has to be like, so that what was acknowledged is kept."""

from typing import Any

from shared.kernel.errors import PreconditionError

_OLDEST = 13
_SETTINGS = """
SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
       current_setting('fsync'), current_setting('synchronous_commit')
"""
_REMEDIES = {
    "fsync": "a crash of its machine would lose what was acknowledged. Set fsync = on in postgresql.conf, and reload",
    "synchronous_commit": "a crash would lose what was acknowledged. Set synchronous_commit = on (or local, "
    "remote_write, remote_apply): ALTER ROLE ... SET synchronous_commit = on, or in postgresql.conf",
}


async def check(connection: Any, name: str) -> None:
    """`connection`: of asyncpg. Raises PreconditionError (STORE_UNSUITABLE), which says what to do."""
    version, encoding, *safety = await connection.fetchrow(_SETTINGS)
    if version < _OLDEST * 10_000:
        raise PreconditionError("STORE_UNSUITABLE", f"{name} is PostgreSQL {version // 10_000}; {_OLDEST} is needed")
    if encoding.lower() != "utf8":
        raise PreconditionError(
            "STORE_UNSUITABLE", f"{name} has the encoding {encoding}: make a database with ENCODING 'UTF8'"
        )
    for setting, value in zip(_REMEDIES, safety, strict=True):
        if value == "off":
            raise PreconditionError(
                "STORE_UNSUITABLE",
                f"{name} has {setting} = off: {_REMEDIES[setting]}",
                metadata={"setting": setting},
            )
