"""LangGraph: a graph that fans out with Send, a checkpoint on SQLite before each next step (durability="sync")."""

import asyncio
import itertools
import operator
import sys
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from timing import TEXT, report


class State(TypedDict):
    calls: list[dict[str, Any]]
    results: Annotated[list[Any], operator.add]


async def noop(call: dict[str, Any]) -> dict[str, Any]:
    return {"results": [call["text"]]}


async def sleep_ms(call: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(call["ms"] / 1000)
    return {"results": [call["ms"]]}


def fan_out(state: State) -> list[Send]:
    return [Send("sleep_ms" if "ms" in call else "noop", call) for call in state["calls"]]


async def main(folder: Path) -> None:
    graph = StateGraph(State)
    graph.add_node("noop", noop)
    graph.add_node("sleep_ms", sleep_ms)
    graph.add_conditional_edges(START, fan_out, ["noop", "sleep_ms"])
    graph.add_edge("noop", END)
    graph.add_edge("sleep_ms", END)
    threads = itertools.count()
    async with AsyncSqliteSaver.from_conn_string(str(folder / "langgraph.db")) as saver:
        app = graph.compile(checkpointer=saver)

        async def run(calls: list[dict[str, Any]]) -> None:
            config = {"configurable": {"thread_id": str(next(threads))}, "max_concurrency": None}
            state = await app.ainvoke({"calls": calls, "results": []}, config, durability="sync")
            assert len(state["results"]) == len(calls)

        await report(
            lambda count: run([{"text": TEXT}] * count),
            lambda count: run([{"ms": 50}] * count),
            ["langgraph", "langgraph-checkpoint-sqlite"],
            'StateGraph, Send, AsyncSqliteSaver, durability="sync"; tools in the same process',
        )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
