"""Times, shares and states as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from tidegate.api import Phase, VersionRef
from tidegate.api.grammar import Percent, format_duration
from tidegate.api.meta import short

PHASES: Final = {
    Phase.COMPLETED: "green",
    Phase.REVERTING: "bold red",
    Phase.REVERTED: "red",
    Phase.FAILED: "red",
    Phase.IDLE: "dim",
    Phase.WAITING: "yellow",
}
"""Style of a phase; those that climb are blue."""


def phase_style(phase: Phase) -> str:
    return PHASES.get(phase, "blue")


def share(value: Percent | None) -> str:
    """`10 %`, or `?` where nobody knows."""
    return "?" if value is None else value.text


def span(seconds: float) -> str:
    """Seconds in whole ones: `6m40s`; two pieces at most, since nobody plans by the second of a day."""
    whole = max(round(seconds), 0)
    if whole >= 86_400:
        days, rest = divmod(whole, 86_400)
        return f"{days}d{rest // 3600}h" if rest >= 3600 else f"{days}d"
    return format_duration(whole - whole % 60 if whole >= 3600 else whole)


def instant(when: float | None, now: float) -> str:
    """`18:17:13 UTC` on the day of `now`, else with its date."""
    if not when:
        return "–"
    moment, today = datetime.fromtimestamp(round(when), UTC), datetime.fromtimestamp(now, UTC)
    return f"{moment:%H:%M:%S} UTC" if moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def ago(when: float | None, now: float) -> str:
    """`18:17:13 UTC, 5m ago` or `18:17:13 UTC, in 3m20s`."""
    if not when:
        return "–"
    return f"{instant(when, now)}, " + (f"in {span(when - now)}" if when > now else f"{span(now - when)} ago")


def named(version: VersionRef | None) -> str:
    """`v1.2.3 (5d9f0c1e7b)`."""
    return f"{version.version} ({short(version.revision)})" if version is not None else "–"
