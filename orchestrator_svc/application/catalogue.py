"""The tools that submissions are judged by: every descriptor ever seen, with its schema compiled once."""

import asyncio
import difflib
import json
import logging
from dataclasses import dataclass
from typing import Any, cast

from orchestrator_svc.domain.defaults import Fill, compile_defaults
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey, version_order
from orchestrator_svc.ports.executor import Executors, Target
from orchestrator_svc.ports.schemas import SchemaCompiler, SchemaValidator
from orchestrator_svc.ports.store import Store
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, UnavailableError

_log = logging.getLogger(__name__)
_EVERYTHING = "{}"
_SIMILAR = 3


@dataclass(slots=True)
class Entry:
    """A usable tool. `first_seen`: ns since 1970."""

    descriptor: ToolDescriptor
    first_seen: int
    validator: SchemaValidator
    fill: Fill | None


class UnknownToolError(Exception):
    """No such tool (or version); the message says what versions there are."""


class ToolCatalogue:
    """Also the domain's ArgumentsJudge. `seen` is told by the engine; `run` is its supervised task."""

    def __init__(self, store: Store, schemas: SchemaCompiler, executors: Executors, clock: Clock) -> None:
        self._store, self._schemas, self._executors, self._clock = store, schemas, executors, clock
        self._entries: dict[ToolKey, Entry] = {}
        self._versions: dict[str, list[ToolKey]] = {}
        self._unusable: dict[str, str] = {}
        self._queue: asyncio.Queue[tuple[Target, tuple[ToolDescriptor, ...]]] = asyncio.Queue()
        # Executors that have connected, and whose tools are not on record yet.
        self._newcomers = 0

    async def load(self) -> None:
        for tool in await self._store.load_tools():
            self._add(tool.descriptor, tool.first_seen)

    def seen(self, target: Target, descriptors: tuple[ToolDescriptor, ...]) -> None:
        """An executor describes its tools."""
        self._newcomers += 1
        self._queue.put_nowait((target, descriptors))

    async def run(self) -> None:
        """Remembers what is new, and tells which tools may be used. A store that is away delays, never drops."""
        while True:
            target, descriptors = await self._queue.get()
            while True:
                try:
                    await self._take_up(target, descriptors)
                    self._newcomers -= 1
                    break
                except UnavailableError as error:
                    _log.warning("tools of %s wait for the store: %s", target.executor_id, error)
                    await asyncio.sleep(0.5)

    async def _take_up(self, target: Target, descriptors: tuple[ToolDescriptor, ...]) -> None:
        now = self._clock.time_ns()
        sound = [d for d in descriptors if d.key in self._entries or self._compile(d, now) is not None]
        conflicting = set(await self._store.save_tools(sound, now))
        for descriptor in sound:
            if descriptor.key not in conflicting and descriptor.key not in self._entries:
                self._add(descriptor, now)
            elif descriptor.key not in conflicting and descriptor.probes:
                self._entries[descriptor.key].descriptor = descriptor  # the same, but for its probe
        for key in conflicting:
            _log.warning("%s of %s differs from the one on record and is not used", key, target.executor_id)
        unusable = [d.key for d in descriptors if d.key in conflicting or d.key not in self._entries]
        usable = [d.key for d in descriptors if d.key not in set(unusable)]
        self._executors.use_tools(target, usable, unusable)

    def _add(self, descriptor: ToolDescriptor, first_seen: int) -> None:
        entry = self._compile(descriptor, first_seen)
        if entry is None:
            return
        self._entries[descriptor.key] = entry
        versions = self._versions.setdefault(descriptor.key.name, [])
        versions.append(descriptor.key)
        versions.sort(key=lambda key: version_order(key.version, self._entries[key].first_seen))

    def _compile(self, descriptor: ToolDescriptor, first_seen: int) -> Entry | None:
        text = descriptor.arguments_schema_json or _EVERYTHING
        try:
            validator = self._schemas.compile(text)
        except GreenlightError as error:
            _log.warning("%s has a schema that cannot be used: %s", descriptor.key, error)
            self._unusable[str(descriptor.key)] = str(error)
            return None
        schema = json.loads(text)
        fill = compile_defaults(cast(dict[str, Any], schema)) if isinstance(schema, dict) else None
        return Entry(descriptor, first_seen, validator, fill)

    def find(self, name: str, version: str) -> ToolDescriptor:
        """`version` "": the highest. Raises UnknownToolError; UnavailableError while an executor may still bring it."""
        if version:
            entry = self._entries.get(ToolKey(name, version))
            if entry is not None:
                return entry.descriptor
        elif versions := self._versions.get(name):
            return self._entries[versions[-1]].descriptor
        if self._newcomers or not self._executors.connected_count():
            raise UnavailableError(
                "TOOLS_UNKNOWN",
                f"the tool {name[:128]!r} is not known, and no executor is connected that may have it; try again",
                metadata={"tool": name[:128]},
                retry_after=1.0,
            )
        known = [key.version for key in self._versions.get(name, [])]
        hint = f"; known versions: {', '.join(known[-10:])}" if known else ""
        raise UnknownToolError(f"no tool {name[:128]!r}{' of version ' + repr(version[:128]) if version else ''}{hint}")

    def similar(self, name: str) -> list[str]:
        """Names that may have been meant, the closest first. Looks at every name: not for each of many."""
        return difflib.get_close_matches(name[:128], self._versions, _SIMILAR)

    def entries(self) -> list[Entry]:
        """By name, then version."""
        return [self._entries[key] for name in sorted(self._versions) for key in self._versions[name]]

    def problems(self) -> list[str]:
        """Tools of connected executors that are not used, for people."""
        known = {str(key) for key in self._entries}
        found: list[str] = []
        for view in self._executors.views():
            for name in view.conflicting_tools if view.connected else []:
                why = "described differently than on record: give it another version"
                if name not in known:
                    why = self._unusable.get(name, "unusable")
                found.append(f"executor {view.executor_id} has {name[:128]}, {why}")
        return found

    def can_look(self, tool: ToolKey) -> bool:
        entry = self._entries.get(tool)
        return entry is not None and entry.descriptor.probes and self._executors.serves(tool)

    def fill_and_check(self, tool: ToolKey, value: Any) -> tuple[bool, list[str]]:
        """Fills defaults into arguments, in place; returns whether there were any, and what is wrong with the whole."""
        entry = self._entries.get(tool)
        if entry is None:
            return False, [f"the tool {tool} is not known here"]
        filled = entry.fill is not None and entry.fill(value)
        return filled, [f"{v.path or '/'}: {v.message}" for v in entry.validator.validate(value)]
