"""A ladder, drawn with where it stands.

0 % ━━━ ✔ 10 % ━━━ ● 50 % ─── ○ 100 %
          15m       6m40s of 15m   15m
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from tidegate.api import ComponentStatus
from tidegate.api.grammar import Percent, format_duration
from tidegate.api.ladder import Step
from tidegate.cli.words import span

PASSED, HERE, AHEAD = "✔", "●", "○"
_STYLES = {PASSED: "green", HERE: "bold cyan", AHEAD: "dim"}


@dataclass(frozen=True, slots=True)
class Hold:
    """The hold of the step on which a ladder stands, in seconds of guarded time."""

    wanted: float
    done: float
    until: float | None  # when it will be full if all stays well; None: the clock stands


def hold_of(steps: Sequence[Step], weight: Percent, members: Sequence[ComponentStatus], now: float) -> Hold | None:
    """The hold that has furthest to go; None where nothing is held."""
    here = [step for step in steps if step.weight <= weight]
    if not here or not here[-1].hold or not members:
        return None
    wanted = here[-1].hold

    def done(member: ComponentStatus) -> float:
        running = max(now - member.since, 0.0) if member.since is not None else 0.0
        return min(member.held + running, wanted)

    slowest = min(members, key=done)
    until = None if slowest.since is None else slowest.since + max(wanted - slowest.held, 0.0)
    return Hold(wanted, done(slowest), until)


def draw(steps: Sequence[Step], weight: Percent, hold: Hold | None, *, done: bool) -> Text:
    """Two lines: the rungs, and below each its hold. `done`: the last hold is over, too."""
    top, bottom = Text("0 %", style="dim" if weight == 0 else "green"), Text("   ")
    room = 0  # what the text below a rung needs beyond it: the line to the next rung fills it
    for number, step in enumerate(steps):
        reached = step.weight <= weight
        stands = reached and not done and (number + 1 == len(steps) or steps[number + 1].weight > weight)
        mark = HERE if stands else PASSED if reached else AHEAD
        rung, below = f"{mark} {step.weight.text}", format_duration(step.hold) if step.hold else ""
        if stands and hold is not None:
            below = f"{span(hold.done)} of {span(hold.wanted)}"
        top.append(f" {('━' if reached else '─') * (3 + room)} ", style="green" if reached else "dim")
        top.append(rung, style=_STYLES[mark])
        room = max(cell_len(below) + 2 - cell_len(rung), 0)
        bottom.append(" " * 5)
        bottom.append(f"  {below}".ljust(cell_len(rung) + room), style="cyan" if stands else "dim")
    bottom.rstrip()
    return Text("\n").join([top, bottom])
