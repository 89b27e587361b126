"""The tables in the status of a Release. Each is None where there is nothing to show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tidegate.api import CHANGED_VERSION, Instances, Outcome, ReleaseStatus, Verdict
from tidegate.api.meta import short
from tidegate.cli.view import View
from tidegate.cli.words import ago, instant, named, phase_style, share

_VERDICTS = {Verdict.PASS: "green", Verdict.BREACH: "bold red", Verdict.HOLD: "yellow", Verdict.UNKNOWN: "yellow"}
_OUTCOMES: Mapping[str, str] = {
    Outcome.COMPLETED: "green",
    Outcome.REVERTED: "red",
    Outcome.FAILED: "red",
    Outcome.ROLLED_BACK: "red",
}


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, breaks: Collection[str]) -> Table | None:
    """Left-aligned columns without lines. A column that is empty in all rows is left out. `breaks` names the columns
    whose cells take several lines where the terminal is narrow: a number never does."""
    filled = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    if not filled:
        return None
    shown = [number for number, _ in enumerate(columns) if any(row[number].plain for row in filled)]
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for number in shown:
        drawn.add_column(columns[number], no_wrap=columns[number] not in breaks, overflow="fold")
    for row in filled:
        drawn.add_row(*(row[number] for number in shown))
    return drawn


def _with_notes(drawn: Table | None, notes: Iterable[str]) -> RenderableType | None:
    """Sentences have lines of their own below: in a column they would be a word wide."""
    said = [Text(note, style="yellow") for note in dict.fromkeys(notes)]
    return Group(drawn, *said) if drawn is not None and said else drawn


def releases(views: Sequence[View], *, namespaces: bool) -> RenderableType | None:
    """A line each, as kubectl get shows it; below, what those wait for that are not ready."""
    columns = ("NAMESPACE", "NAME", "VERSION", "STABLE", "PHASE", "WEIGHT", "STEP", "GUARDS", "READY")
    rows = []
    for view in views:
        status = view.status
        summary = status.summary
        ready = view.ready
        rows.append(
            (
                view.namespace if namespaces else "",
                view.name,
                view.version,
                status.stable.version if status.stable else "–",
                Text(status.phase, style=phase_style(status.phase)),
                share(status.weight),
                summary.step if summary else "",
                summary.guards if summary else "",
                Text("yes" if ready else "no", style="green" if ready else "red" if view.stalled else "yellow"),
            )
        )
    drawn = table(columns, rows, breaks=("NAMESPACE", "NAME", "GUARDS"))
    return _with_notes(drawn, (f"{view.name}: {view.sentence}" for view in views if not view.ready))


def versions(status: ReleaseStatus, now: float) -> Table | None:
    rows: list[tuple[str, str, str, str, str]] = []
    if status.candidate is not None:
        begun = status.candidate.started_at
        since = f"attempt {status.candidate.attempt}, since {ago(begun, now)}" if begun else "waits"
        rows.append(
            (
                "candidate",
                named(status.candidate),
                since,
                status.candidate.author,
                _but_version(status.candidate.changed),
            )
        )
    if status.stable is not None:
        since = f"proven {ago(status.stable.since, now)}"
        rows.append(("stable", named(status.stable), since, status.stable.author, ""))
    if status.previous is not None:
        warm = status.previous.warm_until
        kept = f"warm until {ago(warm, now)}" if warm else "being taken down" if status.retiring else "cold"
        rows.append(("previous", named(status.previous), kept, status.previous.author, ""))
    return table(("", "VERSION", "SINCE", "AUTHOR", "CHANGED"), rows, breaks=("SINCE", "AUTHOR", "CHANGED"))


def _but_version(changed: Sequence[str]) -> str:
    """What differs beside the version, which has a column of its own."""
    return ", ".join(each for each in changed if each != CHANGED_VERSION)


def components(status: ReleaseStatus) -> RenderableType | None:
    columns = ("NAME", "STATE", "DESIRED", "OBSERVED", "STABLE", "CANDIDATE")
    rows = []
    for component in status.components:
        weight = component.weight
        agrees = weight is not None and weight.observed == weight.desired
        observed = Text(share(weight.observed) if weight else "", style="" if agrees else "yellow")
        if weight is not None and weight.achieved is not None:
            observed.append(f" ({weight.achieved.text} by ready pods)")
        rows.append(
            (
                component.name,
                component.state,
                share(weight.desired) if weight else "",
                observed,
                _pods(component.stable),
                _pods(component.candidate),
            )
        )
    return _with_notes(
        table(columns, rows, breaks=("NAME",)), (f"{c.name}: {c.message}" for c in status.components if c.message)
    )


def _pods(pods: Instances | None) -> Text:
    if pods is None:
        return Text()
    return Text(f"{pods.ready}/{pods.wanted} ready", style="" if pods.ready >= pods.wanted else "yellow")


def guards(status: ReleaseStatus, now: float) -> RenderableType | None:
    columns = ("NAME", "COMPONENT", "VERDICT", "CANDIDATE", "STABLE", "HOLD AT", "REVERT AT", "SAMPLES", "THROUGH")
    rows = []
    for guard in status.guards:
        samples = guard.samples
        verdict = Text(guard.verdict, style=_VERDICTS.get(guard.verdict, ""))
        if guard.verdict is Verdict.PASS and guard.data not in ("", "OK"):
            verdict.append(f", {guard.data}")  # of the others the sentence below says it
        rows.append(
            (
                f"{guard.from_}/{guard.name}" if guard.from_ else guard.name,
                guard.component,
                verdict,
                guard.candidate,
                guard.stable,
                guard.hold,
                guard.revert,
                f"{samples.candidate}/{samples.stable}" if samples else "",
                instant(guard.through, now).removesuffix(" UTC") if guard.through else "",
            )
        )
    notes = (guard.message for guard in status.guards if guard.message and guard.verdict is not Verdict.PASS)
    return _with_notes(table(columns, rows, breaks=("NAME", "COMPONENT", "VERDICT")), notes)


def checks(status: ReleaseStatus, now: float) -> RenderableType | None:
    rows = []
    for check in status.checks:
        style = {"Passed": "green", "Failed": "bold red"}.get(check.outcome, "yellow")
        outcome = Text(check.outcome or "runs", style=style)
        rows.append((check.name, check.when, outcome, instant(check.at, now), check.job))
    notes = (f"{check.name}: {check.message}" for check in status.checks if check.message and check.outcome != "Passed")
    return _with_notes(table(("NAME", "WHEN", "OUTCOME", "AT", "JOB"), rows, breaks=("AT", "JOB")), notes)


def rejected(status: ReleaseStatus, now: float) -> Table | None:
    rows = [
        (each.version, short(each.revision), each.cause, str(each.attempt), instant(each.at, now))
        for each in status.rejected
    ]
    return table(("VERSION", "REVISION", "CAUSE", "ATTEMPT", "AT"), rows, breaks=("AT",))


def history(status: ReleaseStatus, now: float) -> Table | None:
    live = status.stable.revision if status.stable else ""
    rows = [
        (
            past.version,
            Text(past.outcome, style=_OUTCOMES.get(past.outcome, "")),
            share(past.reached),
            str(past.attempt),
            instant(past.started_at, now),
            instant(past.ended_at, now),
            past.author,
            _but_version(past.changed),
            "can be rolled back to" if past.kept and past.revision != live else "",
        )
        for past in status.history
    ]
    columns = ("VERSION", "OUTCOME", "REACHED", "ATTEMPT", "STARTED", "ENDED", "AUTHOR", "CHANGED", "KEPT")
    return table(columns, rows, breaks=("STARTED", "ENDED", "AUTHOR", "CHANGED", "KEPT"))
