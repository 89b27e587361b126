"""What a pass may see, as values: a Release, a status, and a picture in which all is as that status promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hack.stage import shop
from tests.engine.world import percent, spec, version
from tidegate import api
from tidegate.api import CheckStatus, Effective, GuardStatus, Release, effective, parse_release
from tidegate.controller.picture import Obstacle, Picture
from tidegate.controller.recording import compose
from tidegate.engine.promise import promise
from tidegate.engine.values import (
    CLIMBING,
    FULL,
    Act,
    Action,
    Cause,
    Check,
    Evidence,
    Instance,
    Observation,
    Part,
    Phase,
    Reading,
    Rejection,
    State,
    Status,
    Verdict,
    Version,
    Watched,
)
from tidegate.targets.port import Problem, Sight, Size

NOW = 10_000.0
V1, V2, V3 = version("1", "web"), version("2", "web"), version("3", "web")
ME = api.Writer(holder="me", epoch=1)
MISSING_ROUTE = Problem("web", "", "RouteMissing", "there is no HTTPRoute web; create it", lasting=True)


def release(name: str = "v2", *, generation: int = 3, deleting: bool = False, **changes: Any) -> Release:
    document = shop.release("prod", name, **{"guards": [], **changes})
    document["metadata"] |= {"uid": "uid-1", "generation": generation}
    if deleting:
        document["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return parse_release(document)


def resting(phase: Phase = Phase.COMPLETED, stable: Version = V1, **changes: Any) -> Status:
    """Everything is on `stable`, which the first attempt proved."""
    parts = tuple(Part(piece.part, move=1, landed=1, stood=FULL) for piece in stable.pieces)
    status = Status(phase, attempt=1, move=1, stable=stable, stable_since=NOW - 900, proved=1, parts=parts)
    return status._replace(**changes)


def climbing(weight: float = 10, phase: Phase = Phase.PROGRESSING, **changes: Any) -> Status:
    """The second attempt: V2 has so many percent of V1's traffic, and its hold runs since 40 s ago."""
    share = percent(weight)
    moved = NOW - 45 if share else 0.0
    part = Part("web", weight=share, move=2, moved=moved, since=NOW - 40, landed=2, landed_at=NOW - 41, stood=share)
    status = resting(phase)._replace(
        attempt=2, move=2, candidate=V2, started=NOW - 100, touched=bool(share), parts=(part,)
    )
    return status._replace(**changes)


def reverting(cause: Cause = Cause.BREACH, **changes: Any) -> Status:
    """V2 is on its way back from 10 %; the third move has not landed."""
    back = Part("web", move=3, moved=NOW - 1, landed=2, landed_at=NOW - 41, stood=percent(10))
    rejected = (Rejection("2", "v2", 2, 2, NOW - 1, cause),) if cause.rejects else ()
    status = climbing(phase=Phase.REVERTING)._replace(
        move=3, cause=cause, turned=NOW - 1, parts=(back,), rejected=rejected
    )
    return status._replace(**changes)


def reverted(phase: Phase = Phase.REVERTED, cause: Cause = Cause.BREACH) -> Status:
    """V2 was taken back, and is rejected for it."""
    back = Part("web", move=3, moved=NOW - 10, landed=3, landed_at=NOW - 9, stood=FULL)
    return reverting(cause, phase=phase, candidate=None, parts=(back,))


def rollback(uid: str, by: str, reason: str, verb: Action = Action.ROLLBACK) -> Act:
    return Act(uid, verb, by, reason, written=NOW)


def guard_status(name: str, verdict: Verdict, message: str = "", **changes: Any) -> GuardStatus:
    return GuardStatus(name=name, from_="", verdict=verdict, message=message, **changes)


def sight(status: Status, **changes: Any) -> Sight:
    """All is as promised, and every pod is ready."""
    versions = [v for v in (status.stable, status.candidate, status.previous) if v]
    pieces = sorted({(piece.part, piece.content) for v in versions for piece in v.pieces})
    readings = {part.name: Reading(promise(status, part), part.move, "7", None) for part in status.parts}
    seen = Sight(
        readings=readings,
        instances=tuple(Instance(part, content, State.READY, claim=status.attempt) for part, content in pieces),
        sizes={(part, content): Size(f"shop-{part}-{content}", 2, 2) for part, content in pieces},
    )
    return replace(seen, **changes)


def split(shares: Mapping[str, float] | None, move: int = 1, token: str = "7") -> Mapping[str, Reading]:
    """How the route of the one component is: percents by content. None: not known."""
    if shares is None:
        return {"web": Reading(None, None)}
    return {"web": Reading(tuple(sorted((c, percent(share)) for c, share in shares.items())), move, token)}


def picture(
    status: Status,
    *,
    wanted: Version = V2,
    before: Status | None = None,
    seen: Sight | None = None,
    acts: Iterable[Act] = (),
    checks: tuple[Check, ...] = (),
    shown: tuple[CheckStatus, ...] = (),
    verdict: Verdict = Verdict.PASS,
    force: Effective | None = None,
    **changes: Any,
) -> Picture:
    """What a pass saw that ended with `status`; it began with `before`, or with the same."""
    asked = changes.pop("release", None) or release(wanted.name)
    looked = seen or sight(status)
    was = before or status
    climbs = was.phase in (*CLIMBING, Phase.REVERTING)
    observed = Observation(
        readings=tuple(looked.readings.items()),
        instances=looked.instances,
        watched=Watched(NOW - 500, NOW - 1),
        verdict=verdict,
        evidence=Evidence(was.attempt, tuple((part.name, part.move) for part in was.parts)) if climbs else None,
    )
    made = Picture(
        release=asked,
        force=force or effective(asked, ()),
        spec=spec(wanted, checks=checks)._replace(acts=tuple(acts), deleting=asked.metadata.deleting),
        before=was,
        seen=observed,
        sight=looked,
        now=NOW,
        checks=shown,
    )
    return replace(made, **changes)


def recorded(
    status: Status, before: api.ReleaseStatus | None = None, picture_: Picture | None = None
) -> api.ReleaseStatus:
    """The whole status as it is written."""
    return compose(picture_ or picture(status), status, before or api.ReleaseStatus(), ME)


def obstacle(sentence: str, reason: str = "PolicyViolated") -> Obstacle:
    return Obstacle(reason, sentence)
