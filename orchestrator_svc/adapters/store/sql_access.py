"""How code over SQL gets to a connection, on either database."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


class SqlAccess(ABC):
    """Of one start, once it has begun."""

    def __init__(self) -> None:
        self._incarnation = ""

    @abstractmethod
    async def _read(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """From one snapshot: a short read, which somebody's call waits for."""

    async def _look(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `_read`, of one statement: that is a snapshot by itself, and may cost less."""
        return await self._read(read, *args, **kwargs)

    @abstractmethod
    async def _list(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """From one snapshot: a long read, and a rare one."""

    @abstractmethod
    async def _write(self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction."""
