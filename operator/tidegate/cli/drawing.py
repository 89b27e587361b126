"""The status of a Release for people: where it stands, what it waits for and until when, and how it came there."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tidegate.api import ConditionType, Phase
from tidegate.api.ladder import Step
from tidegate.cli import tables
from tidegate.cli.ladder import draw, hold_of
from tidegate.cli.view import UNCHANGED, View
from tidegate.cli.words import ago, instant, phase_style, span

_OWED = {
    "Ready": "pods to become ready",
    "Check": "a check to end",
    "Write": "the route to take on what was written",
    "Data": "a usable measurement",
    "Step": "evidence after a full hold",
    "Revert": "the way back to be done",
}


def drawing(view: View, now: float) -> RenderableType:
    """All there is to show of one Release at `now` (seconds since the epoch)."""
    parts: list[RenderableType] = [_head(view), _sentence(view), Text()]
    parts += [*_section("Ladder", _ladders(view, now)), *_section("Waits", _waits(view, now))]
    parts += [*_section("Preview", _previews(view))]
    parts += [*_section("Versions", tables.versions(view.status, now))]
    parts += [*_section("Components", tables.components(view.status))]
    parts += [*_section("Guards", tables.guards(view.status, now))]
    parts += [*_section("Checks", tables.checks(view.status, now))]
    parts += [*_section("Revert", _revert(view, now))]
    parts += [*_section("Rejected", tables.rejected(view.status, now))]
    parts += [*_section("History", tables.history(view.status, now))]
    return Group(*parts)


def _section(title: str, body: RenderableType | None) -> Iterator[RenderableType]:
    if body is not None:
        yield Text(title, style="bold")
        yield Padding(body, (0, 0, 1, 2))


def _head(view: View) -> Text:
    head = Text()
    head.append(view.name, style="bold")
    head.append(f" in {view.namespace}   ")
    head.append(view.version, style="bold")
    head.append("   ")
    head.append(view.status.phase, style=phase_style(view.status.phase))
    if view.deleting:
        head.append("   being deleted", style="bold red")
    return head


def _sentence(view: View) -> Text:
    if view.ready:
        return Text(f"✔ {view.sentence}", style="green")
    if view.stalled:
        return Text(f"✖ {view.sentence}", style="red")
    return Text(f"… {view.sentence}", style="yellow")


def _ladders(view: View, now: float) -> RenderableType | None:
    steps = view.status.steps
    if not steps:
        return None
    table = Table.grid(padding=(0, 2))
    done = not view.climbing
    ladders: list[tuple[str | None, tuple[Step, ...]]] = []
    if view.members() or not view.own_steps:
        ladders.append((None, steps))
    ladders += [(name, own) for name, own in view.own_steps if view.members(name) or not view.climbing]
    for own, rungs in ladders:
        weight = view.weight(own)
        hold = None if done else hold_of(rungs, weight, view.members(own), now)
        drawn = draw(rungs, weight, hold, done=done)
        if view.own_steps:
            table.add_row(Text(own or "together"), drawn)
        else:
            table.add_row(drawn)
    return table


def _waits(view: View, now: float) -> RenderableType | None:
    lines = list(_reasons(view, now))
    return Text("\n".join(lines)) if lines else None


def _previews(view: View) -> RenderableType | None:
    """What to send to meet the candidate, for each component of which there is one."""
    candidate, climbing = view.status.candidate, {c.name for c in view.status.components if c.state != UNCHANGED}
    if not view.climbing or candidate is None:
        return None
    lines = [f"{name}: send {header}: {candidate.version}" for name, header in view.previews if name in climbing]
    return Text("\n".join(lines)) if lines else None


def _reasons(view: View, now: float) -> Iterator[str]:
    """Until when, for whom, and since when; Ready's sentence says the first of them already, without the clock."""
    status = view.status
    if view.paused:
        yield "paused by spec.paused, until the spec says otherwise"
    for standing in status.standing:
        if standing.action == "Pause":
            at = f" at {standing.at.text}" if standing.at else ""
            since = f" since {instant(standing.since, now)}"
            yield f"paused{at} by {standing.by}{since}: {standing.reason}. To go on: tidegate resume {view.name}"
        elif standing.action == "Promote" and standing.to is not None:
            yield f"promoted: holds below {standing.to.text} count as full"
        elif standing.action == "Complete":
            yield "promoted: the bake counts as full"
    for component in status.components:
        if component.hand:
            since = instant(component.hand_at, now)
            yield f"{component.name}: lowered by hand since {since}. To go on: tidegate resume {view.name}"
    if view.climbing:
        yield from _holds(view, now)
    yield from _platform(view)
    for owed in status.owed:
        yield f"{_OWED.get(owed.debt, owed.debt)}: since {ago(owed.since, now)}"
    gates = view.current(ConditionType.GATES_OPEN)
    if gates is not None and gates.status != "True" and gates.message and gates.message not in view.sentence:
        yield gates.message
    if status.recall is not None and not status.recall.gave_up:
        yield f"{status.recall.version.version} is started beside what serves, and takes over when it is ready"


def _platform(view: View) -> Iterator[str]:
    unproven = view.current(ConditionType.IDENTITY_UNPROVEN)
    if unproven is not None and unproven.status == "True":
        yield unproven.message
    for binding in view.status.binding:
        if binding.loosened:
            yield f"policy {binding.policy} asks for less by now; what it asked goes on until the next climb"


def _holds(view: View, now: float) -> Iterator[str]:
    ladders = [(None, view.status.steps), *view.own_steps]
    for own, steps in ladders:
        hold = hold_of(steps, view.weight(own), view.members(own), now)
        if hold is None or hold.done >= hold.wanted:
            continue
        whose = f"hold of {own}" if own else "hold"
        if hold.until is not None:
            yield f"{whose}: full at {ago(hold.until, now)}, if all stays well"
        else:
            yield f"{whose}: does not count now; {span(hold.wanted - hold.done)} are left"


def _revert(view: View, now: float) -> RenderableType | None:
    revert = view.status.revert
    if revert is None:
        return None
    name = f" {revert.name}" if revert.name else ""
    when = ago(revert.at, now)
    if revert.finished_at and revert.at:
        took = f", all traffic back within {max(revert.finished_at - revert.at, 0.0):.1f} s"
    else:
        took = ", under way" if view.status.phase is Phase.REVERTING else ""
    text = Text(f"{revert.cause}{name} at {when}{took}", style="red" if revert.cause.rejects else "")
    if revert.message:
        text.append(f"\n{revert.message}", style="")
    return text
