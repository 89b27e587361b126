"""The engine's memory, as it stands in `status`: written down, and read again by whoever leads next.

What is read back is what was written: instants to a millisecond, shares exactly. What stands beside something goes
with it: without a candidate there is no `started`, without stable no `stable_since`, without previous no `keep_until`,
without a cause no `turned`. A version that only waits stands in `status.candidate`, too, for people; it has no
`startedAt` and is no memory.

A word that a newer Tidegate has written is borne. A rejection and a revert stay what they are, whatever their cause; a
recall does as its `reject` says; a debt or an act that stands under an unknown name is dropped, since nobody here could
end it. For an unknown phase see `_phase`.
"""

from typing import Any

from tidegate import api
from tidegate.api.grammar import FULL, Percent
from tidegate.api.intervention import Action
from tidegate.engine.values import (
    Cause,
    Debt,
    Handled,
    Part,
    Phase,
    Piece,
    Recall,
    Rejection,
    Standing,
    Status,
    Version,
)

BAKE = FULL + 1
"""What `Status.promoted` is when the bake itself counts as full; written as a standing Complete."""

_DEBTS = frozenset(debt.value for debt in Debt)


def remember(written: api.ReleaseStatus) -> Status:
    """The engine's status out of what the object says."""
    stable, previous, candidate = written.stable, written.previous, written.candidate
    climbs = _climbs(written)
    revert = written.revert
    return Status(
        phase=_phase(written),
        attempt=written.attempt,
        move=written.move,
        stable=_version(stable),
        previous=_version(previous),
        candidate=_version(candidate) if climbs else None,
        stable_since=(stable.since or 0.0) if stable else 0.0,
        started=(candidate.started_at or 0.0) if climbs and candidate else 0.0,
        proved=written.proved,
        parts=tuple(_part(component) for component in written.components),
        cause=revert.cause if revert else None,
        turned=(revert.at or 0.0) if revert else 0.0,
        rejected=tuple(
            Rejection(r.revision, r.version, r.attempt, r.move, r.at or 0.0, Cause(r.cause)) for r in written.rejected
        ),
        owed=tuple((Debt(owed.debt), owed.since) for owed in written.owed if owed.debt in _DEBTS),
        keep_until=previous.warm_until if previous else None,
        retiring=written.retiring,
        rescue=written.rescue,
        touched=written.touched,
        recall=_recall(written.recall),
        promoted=_promoted(written.standing),
        standing=tuple(
            Standing(s.uid, s.by, s.reason, s.since or 0.0, s.at) for s in written.standing if s.action == Action.PAUSE
        ),
        handled=tuple(Handled(h.uid, h.outcome, h.message) for h in written.handled),
    )


def _climbs(written: api.ReleaseStatus) -> bool:
    return written.candidate is not None and written.candidate.started_at is not None


def _phase(written: api.ReleaseStatus) -> Phase:
    """An unknown one is read as what takes nothing for granted: a revert without an end is done again; a candidate with
    exposure keeps it, and each step asks for all that a step needs; one without is prepared and checked; else nothing
    is under way."""
    if written.phase.known:
        return written.phase
    if written.revert is not None and written.revert.finished_at is None:
        return Phase.REVERTING
    if not _climbs(written):
        return Phase.WAITING
    exposed = any(component.share != component.rest for component in written.components)
    return Phase.PROGRESSING if exposed else Phase.PREPARING


def _version(written: api.VersionRef | None) -> Version | None:
    if written is None or not written.revision:
        return None
    pieces = tuple(Piece(p.component, p.revision, p.artifact) for p in written.pieces)
    return Version(written.version, written.revision, pieces)


def _part(written: api.ComponentStatus) -> Part:
    return Part(
        name=written.name,
        weight=int(written.share),
        rest=int(written.rest),
        move=written.move,
        moved=written.moved or 0.0,
        held=written.held,
        since=written.since,
        landed=written.landed,
        landed_at=written.landed_at or 0.0,
        stood=int(written.stood),
        hand=written.hand,
        hand_at=written.hand_at or 0.0,
    )


def _recall(written: api.Recall | None) -> Recall | None:
    version = _version(written.version) if written else None
    if written is None or version is None:
        return None
    adopted = Cause.ADOPTED if written.cause == Cause.ADOPTED else Cause.PUT_BACK
    cause = Cause.PERSON if written.reject else adopted
    return Recall(version, cause, written.reject, written.wanted, written.gave_up, by=written.by, reason=written.reason)


def _promoted(standing: tuple[api.Standing, ...]) -> int:
    if any(s.action == Action.COMPLETE for s in standing):
        return BAKE
    return max((int(s.to) for s in standing if s.action == Action.PROMOTE and s.to is not None), default=0)


def write_down(status: Status, authors: dict[str, str]) -> dict[str, Any]:
    """The fields of `ReleaseStatus` that are memory. `authors` names who asked for a content, where that is known."""
    return {
        "phase": status.phase,
        "attempt": status.attempt,
        "move": status.move,
        "proved": status.proved,
        "stable": _stable(status, authors),
        "previous": _previous(status, authors),
        "candidate": candidate(status, authors),
        "retiring": status.retiring,
        "rescue": status.rescue,
        "touched": status.touched,
        "owed": tuple(api.Debt(debt=debt, since=since) for debt, since in status.owed),
        "recall": _write_recall(status.recall),
        "standing": _standing(status),
        "handled": tuple(api.Handled(uid=h.uid, outcome=h.outcome, message=h.message) for h in status.handled),
        "rejected": tuple(
            api.Rejected(revision=r.content, version=r.name, attempt=r.attempt, move=r.move, at=r.at, cause=r.cause)
            for r in status.rejected
        ),
    }


def component_memory(part: Part) -> dict[str, Any]:
    """The fields of `ComponentStatus` that are memory."""
    return {
        "name": part.name,
        "share": Percent(part.weight),
        "rest": Percent(part.rest),
        "move": part.move,
        "moved": part.moved or None,
        "held": round(part.held, 3),
        "since": part.since,
        "landed": part.landed,
        "landed_at": part.landed_at or None,
        "stood": Percent(part.stood),
        "hand": part.hand,
        "hand_at": part.hand_at or None,
    }


def _reference(version: Version) -> dict[str, Any]:
    pieces = tuple(
        api.Piece(component=piece.part, revision=piece.content, artifact=piece.artifact) for piece in version.pieces
    )
    return {"version": version.name, "revision": version.content, "pieces": pieces}


def _stable(status: Status, authors: dict[str, str]) -> api.StableRef | None:
    if status.stable is None:
        return None
    author = authors.get(status.stable.content, "")
    return api.StableRef(
        **_reference(status.stable), attempt=status.proved, author=author, since=status.stable_since or None
    )


def _previous(status: Status, authors: dict[str, str]) -> api.PreviousRef | None:
    if status.previous is None:
        return None
    author = authors.get(status.previous.content, "")
    return api.PreviousRef(**_reference(status.previous), author=author, warm_until=status.keep_until)


def candidate(status: Status, authors: dict[str, str]) -> api.CandidateRef | None:
    """What climbs, as far as it is memory."""
    if status.candidate is None:
        return None
    author = authors.get(status.candidate.content, "")
    return api.CandidateRef(
        **_reference(status.candidate), attempt=status.attempt, author=author, started_at=status.started
    )


def _write_recall(recall: Recall | None) -> api.Recall | None:
    if recall is None:
        return None
    return api.Recall(
        version=api.VersionRef(**_reference(recall.version)),
        cause=recall.cause,
        reject=recall.reject,
        wanted=recall.wanted,
        gave_up=recall.gave_up,
        by=recall.by,
        reason=recall.reason,
    )


def _standing(status: Status) -> tuple[api.Standing, ...]:
    written = [
        api.Standing(
            action=Action.PAUSE,
            at=None if s.at is None else Percent(s.at),
            by=s.by,
            uid=s.uid,
            since=s.since,
            reason=s.reason,
        )
        for s in status.standing
    ]
    if status.promoted >= BAKE:
        written.append(api.Standing(action=Action.COMPLETE, attempt=status.attempt))
    elif status.promoted:
        written.append(api.Standing(action=Action.PROMOTE, to=Percent(status.promoted), attempt=status.attempt))
    return tuple(written)
