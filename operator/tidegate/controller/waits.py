"""What stands before the next rung, in a sentence, and until when.

A wait is told by the instant at which it ends, so that nothing in it changes by the clock alone.
"""

from datetime import UTC, datetime

from tidegate.api.conditions import Reason
from tidegate.api.grammar import Percent
from tidegate.controller.picture import Obstacle, Picture
from tidegate.engine.promise import preview, standing_at, takes_part, track_of
from tidegate.engine.values import (
    CLIMBING,
    Outcome,
    Phase,
    State,
    Status,
    Verdict,
)


def percent(share: int) -> str:
    return Percent(share).text


def clock(instant: float) -> str:
    """Hours, minutes and seconds in UTC, as sentences tell a time."""
    return datetime.fromtimestamp(round(instant), UTC).strftime("%H:%M:%S UTC")


def waits_for(picture: Picture, status: Status) -> tuple[Reason | str, str]:
    """(reason, sentence) of the first thing that stands before the next rung."""
    hand = hand_of(status)
    if hand:
        return Reason.LOWERED_BY_HAND, hand
    paused = _paused(picture, status)
    if paused:
        return Reason.PAUSED, paused
    if picture.obstacles:
        return picture.obstacles[0].reason, sentences(picture.obstacles)
    if picture.troubles:
        return picture.troubles[0].reason, sentences(picture.troubles)
    if status.phase in CLIMBING:
        return _climb_waits(picture, status)
    if picture.sight.problems:
        first = picture.sight.problems[0]
        return first.reason, "; ".join(problem.sentence for problem in picture.sight.problems)
    return Reason.WAITING, ""


def _climb_waits(picture: Picture, status: Status) -> tuple[Reason | str, str]:
    phase = phase_reason(status)
    candidate = status.candidate
    assert candidate is not None
    parts = tuple(piece.part for piece in candidate.pieces)
    problem = problem_of(picture, candidate.content, parts, of_its_own=True)
    if problem:
        return problem.reason, problem.sentence
    short = _not_ready(picture, status)
    if short:
        return phase, short
    problem = problem_of(picture, candidate.content, parts)
    if problem:
        return problem.reason, problem.sentence
    if status.stable and not status.rescue and _stable_short(picture, status):
        return Reason.STABLE_NOT_READY, f"{status.stable.name} is not at full size, and nothing climbs away from it"
    if status.phase is Phase.PREPARING and (unmarked := _without_preview(picture, status)):
        return phase, f"the preview of {', '.join(unmarked)} is being written"
    for key, outcome in picture.seen.checks:
        if outcome is Outcome.RUNNING and key.attempt == status.attempt:
            return Reason.CHECK_RUNNING, f"check {key.name} runs"
    unlanded = [p.name for p in status.parts if p.landed < p.move and takes_part(status, p.name)]
    if unlanded and status.phase is not Phase.PREPARING:
        return phase, f"the weight of {', '.join(unlanded)} is being written"
    guard = _strongest_guard(picture)
    if guard:
        return guard
    until = hold_until(picture, status)
    return phase, f"holds until {clock(until)}" if until is not None else ""


def hold_until(picture: Picture, status: Status) -> float | None:
    """When the first hold that runs will be full, if all stays well."""
    ends = []
    for part in status.parts:
        track = track_of(picture.spec, part.name)
        if track and part.since is not None and part.weight == standing_at(status, track):
            rungs = [rung for rung in track.ladder if rung.weight <= part.weight]
            if rungs and rungs[-1].weight >= status.promoted:
                ends.append(part.since + max(rungs[-1].hold - part.held, 0.0))
    return min(ends, default=None)


def phase_reason(status: Status) -> Reason:
    return {
        Phase.PREPARING: Reason.PREPARING,
        Phase.PROGRESSING: Reason.PROGRESSING,
        Phase.COMPLETING: Reason.COMPLETING,
    }.get(status.phase, Reason.WAITING)


def hand_of(status: Status) -> str:
    names = [part.name for part in status.parts if part.hand]
    if not names:
        return ""
    return (
        f"the weight of {', '.join(names)} was lowered by hand, and that is kept; "
        "nothing climbs until: kubectl tidegate resume"
    )


def _paused(picture: Picture, status: Status) -> str:
    for standing in status.standing:
        at = f" at {percent(standing.at)}" if standing.at else ""
        return f"paused{at} by {standing.by}: {standing.reason}"
    return "paused by spec.paused" if picture.spec.paused else ""


def _not_ready(picture: Picture, status: Status) -> str:
    candidate = status.candidate
    assert candidate is not None
    missing = []
    for piece in candidate.pieces:
        size = picture.sight.sizes.get((piece.part, piece.content))
        if takes_part(status, piece.part) and (size is None or size.ready < size.wanted):
            ready, wanted = (size.ready, size.wanted) if size else (0, 1)
            missing.append(f"{piece.part} has {ready} of {wanted} pods ready")
    return "; ".join(missing)


def _without_preview(picture: Picture, status: Status) -> list[str]:
    readings = dict(picture.seen.readings)
    found = []
    for part in status.parts:
        seen = readings[part.name].preview if part.name in readings else None
        if seen is not None and seen != preview(status, part):
            found.append(part.name)
    return found


def _strongest_guard(picture: Picture) -> tuple[Reason, str] | None:
    verdict = picture.seen.verdict
    if verdict not in (Verdict.UNKNOWN, Verdict.HOLD, Verdict.NO_TRAFFIC):
        return None
    sentences = [guard.message or guard.name for guard in picture.guards if guard.verdict == verdict]
    reason = Reason.GUARDS_HOLD if verdict is Verdict.HOLD else Reason.NO_DATA
    tail = "" if verdict is Verdict.NO_TRAFFIC else ", hold not counting"
    return reason, ("; ".join(sentences) or f"guards say {verdict}") + tail


# ---- words


def problem_of(picture: Picture, content: str, parts: tuple[str, ...], *, of_its_own: bool = False) -> Obstacle | None:
    """What keeps these parts from being as they should; `of_its_own` leaves out what is not about one version."""
    found = [p for p in picture.problems_of(content, parts) if p.content or not of_its_own]
    return Obstacle(found[0].reason, "; ".join(p.sentence for p in found)) if found else None


def stable_states(picture: Picture, status: Status) -> list[State]:
    running = {(i.part, i.content): i.state for i in picture.seen.instances or ()}
    pieces = status.stable.pieces if status.stable else ()
    return [running.get((piece.part, piece.content), State.ABSENT) for piece in pieces]


def _stable_short(picture: Picture, status: Status) -> bool:
    return any(state is not State.READY for state in stable_states(picture, status))


def sentences(obstacles: tuple[Obstacle, ...]) -> str:
    return "; ".join(dict.fromkeys(o.sentence for o in obstacles))
