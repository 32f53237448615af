"""What the demo tells: agents propose, it runs live, the user's turn confirms, somebody approves, and the figures."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.calls import template
from greenlight_client.cli.cards import card
from greenlight_client.cli.commands.confirming import say_confirmation, shown
from greenlight_client.cli.exit_codes import ExitCode, of_summary
from greenlight_client.cli.latency import BlockedTime, attempt_times, compare
from greenlight_client.cli.latency_table import comparison_line, latency_table, times_object
from greenlight_client.cli.results import answers_table
from greenlight_client.cli.sanitise import clean, clean_block
from greenlight_client.cli.terminal import Terminal
from greenlight_client.cli.watching import Watcher
from greenlight_client.client import GreenlightClient
from greenlight_client.wire import FINISHED_BATCH_STATES

_SESSION = "demo"
_TIMES_WITHIN = 2.0
_YES = ("y", "yes")


class Story:
    """`agent` proposes, `user` decides; both call the same orchestrator."""

    def __init__(
        self, terminal: Terminal, agent: GreenlightClient, user: GreenlightClient, *, sequential: bool, yes: bool
    ) -> None:
        self._terminal = terminal
        self._agent = agent
        self._user = user
        self._sequential = sequential
        self._yes = yes
        self._blocked = BlockedTime()
        self._watcher = Watcher(terminal, agent, on_event=self._blocked.add, hints=False)
        self._left_waiting = False

    async def tell(self, ticker: str) -> ExitCode:
        """From the first proposal to the last figure."""
        how = "one call after another" if self._sequential else "everything as soon as it can"
        self._say("1", f"Five agents propose to research {ticker}; {how}.")
        self._terminal.say("   The prices are real. The tools' latency is simulated, and declared by the example.")
        stream = self._agent.run(
            template("research_stock", {"ticker": ticker}),
            session=_SESSION,
            name=f"research {ticker}",
            max_in_flight=1 if self._sequential else 0,
            until="blocked",
            on_interruption=self._watcher.interrupted,
        )
        summary = await self._watcher.follow(stream)
        while summary.batch.state not in FINISHED_BATCH_STATES and await self._person(summary.batch.batch_id):
            batch_id, sequence = summary.batch.batch_id, self._watcher.board.models[summary.batch.batch_id].sequence
            summary = await self._watcher.follow(self._agent.watch(batch_id, resume_after=sequence, until="blocked"))
        return await self._end(summary)

    async def _person(self, batch_id: str) -> bool:
        """Does what a person has to do now; False where nobody did anything, and nothing will move."""
        pending = [item async for item in self._user.list_proposals(batch_id=batch_id)]
        soft = [item for item in pending if item.tier == tool_pb2.TIER_SOFT]
        hard = [item for item in pending if item.tier == tool_pb2.TIER_HARD]
        moved = await self._next_turn(soft) if soft else False
        for proposal in [] if self._left_waiting else hard:
            moved = await self._decide(proposal) or moved
        return moved

    async def _next_turn(self, soft: Sequence[proposal_pb2.Proposal]) -> bool:
        names = ", ".join(clean(item.key) for item in soft)
        self._say("2", f"{names} is SOFT: the user's next turn confirms it, unless they object.")
        self._terminal.say("   This is that turn: SoftConfirm, for all that was shown up to now.")
        token, _ = await shown(self._user, _SESSION)
        async with self._user.soft_confirm(_SESSION, shown_through=token, until="blocked") as stream:
            confirmation = await stream.confirmed()
        say_confirmation(self._terminal, confirmation)
        return bool(confirmation.confirmed)

    async def _decide(self, proposal: proposal_pb2.Proposal) -> bool:
        self._say("3", f"{clean(proposal.key)} is HARD: it runs on an approval of exactly these arguments.")
        self._terminal.json("proposal", proposal)
        if not self._terminal.settings.json_lines:
            self._terminal.say(card(proposal))
        if self._yes:
            self._terminal.say(f"   --yes approves it, by the digest {proposal.digest}")
        elif not self._terminal.can_ask:
            self._left_waiting = True
            self._terminal.say("   Nobody is here to decide, so it waits; the rest goes on.")
            return False
        elif (await self._terminal.ask("   Publish exactly this? [y/N]")).lower() not in _YES:
            await self._user.reject(proposal, "The user does not want it to be published.")
            return True
        await self._user.approve(proposal)
        return True

    async def _end(self, summary: batch_pb2.Summary) -> ExitCode:
        self._terminal.json("summary", summary)
        batch_id = summary.batch.batch_id
        proposals = await self._measured(batch_id)
        self._show_result(proposals, summary)
        self._show_times(proposals, summary)
        if self._left_waiting:
            waiting = ", ".join(clean(answer.key) for answer in summary.answers if answer.HasField("waiting"))
            self._terminal.say(
                Text(
                    f"{waiting} waits for a decision, and nobody is here to give it: --yes approves it.", style="yellow"
                )
            )
            return ExitCode.SUCCEEDED
        code = of_summary(summary)
        rejected = any(answer.state == proposal_pb2.PROPOSAL_STATE_REJECTED for answer in summary.answers)
        return ExitCode.SUCCEEDED if code is ExitCode.PARTIAL and rejected else code

    async def _measured(self, batch_id: str) -> list[proposal_pb2.Proposal]:
        """With the time that recording took, which itself is recorded a little later than all else."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _TIMES_WITHIN
        while True:
            proposals = await self._agent.proposals(batch_id)
            attempts = [attempt for item in proposals for attempt in item.attempts]
            if all(attempt.timing.HasField("record") for attempt in attempts) or loop.time() > end:
                return proposals
            await asyncio.sleep(0.1)

    def _show_result(self, proposals: Sequence[proposal_pb2.Proposal], summary: batch_pb2.Summary) -> None:
        results = {item.key: json.loads(item.result_json) for item in proposals if item.result_json}
        self._say("4", "The result")
        if "report" in results:
            text = clean_block(str(results["report"]["markdown"]))
            live = self._terminal.out.is_terminal
            self._terminal.result(Padding(Markdown(text, hyperlinks=False), (0, 3)) if live else Text(text))
        else:
            self._terminal.result(answers_table(summary.answers))
        for key in ("note", "publish"):
            if key in results:
                self._terminal.result(Text(f"   {key}: {clean(_near(str(results[key]['path'])))}"))

    def _show_times(self, proposals: Sequence[proposal_pb2.Proposal], summary: batch_pb2.Summary) -> None:
        self._say("5", "Where the time went")
        model = self._watcher.board.models[summary.batch.batch_id]
        end = model.finished or model.last
        took = (end - model.submitted).total_seconds() if end is not None and model.submitted is not None else 0.0
        comparison = compare(proposals, took, self._blocked.seconds)
        times = attempt_times(proposals)
        for entry in times:
            self._terminal.json_object("latency", times_object(entry))
        line = comparison_line(comparison, sequential=self._sequential)
        self._terminal.json_object(
            "comparison",
            {
                "sequential_s": comparison.sequential,
                "took_s": comparison.took,
                "waited_for_people_s": comparison.blocked,
                "critical_path_s": comparison.path.seconds,
                "critical_path": comparison.path.keys,
                "one_by_one": self._sequential,
            },
        )
        self._terminal.result(latency_table(times, comparison), Text(), Text(line, style="bold green"))

    def _say(self, number: str, text: str) -> None:
        self._terminal.say(Text.assemble("\n", (f"{number}. ", "bold cyan"), (clean(text), "bold")))


def _near(path: str) -> str:
    """From the current folder, where it lies below it."""
    place = Path(path)
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else path
