"""The story in the status: phases, sentences and conditions that an SRE reads. Derived, never obeyed.

Nothing in it changes by the clock alone: a wait is told by the instant at which it ends.
"""

from collections.abc import Mapping
from typing import Literal

from tidegate.api.conditions import Condition, ConditionType, Reason
from tidegate.api.grammar import FULL
from tidegate.controller.admission import UNPROVEN
from tidegate.controller.picture import Obstacle, Picture
from tidegate.controller.waits import hand_of, percent, phase_reason, problem_of, sentences, stable_states, waits_for
from tidegate.engine.promise import promise, step_of, takes_part
from tidegate.engine.values import (
    CLIMBING,
    Cause,
    Gate,
    Part,
    Phase,
    Recall,
    Rejection,
    State,
    Status,
    Verdict,
)

_REVERT_REASON = {
    Cause.PERSON: Reason.BY_PERSON,
    Cause.BREACH: Reason.GUARD_BREACHED,
    Cause.CHECK_FAILED: Reason.CHECK_FAILED,
    Cause.HEALTH_LOST: Reason.HEALTH_LOST,
    Cause.DEADLINE: Reason.DEADLINE_EXCEEDED,
    Cause.DELETED: Reason.DELETED,
    Cause.PUT_BACK: Reason.PUT_BACK,
    Cause.SUPERSEDED: Reason.SUPERSEDED,
}
_WORDS: Mapping[bool | None, Literal["True", "False", "Unknown"]] = {True: "True", False: "False", None: "Unknown"}
_ENDED_BADLY = (Phase.REVERTED, Phase.FAILED)


def exposure(status: Status, wanted: str) -> int:
    """The share of traffic that what the spec asks for has by promise."""
    if status.phase in CLIMBING:
        return min((p.weight for p in status.parts if takes_part(status, p.name)), default=0)
    return FULL if status.stable and status.stable.content == wanted else 0


def conditions(picture: Picture, status: Status, reason: str, before: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """All conditions; a transition time changes only with the status of its condition."""
    facts = [
        _ready(picture, status),
        _reconciling(picture, status),
        _stalled(picture, status),
        _available(picture, status),
        _gates(picture),
        _guards(picture, status),
        _reverted(status, reason),
    ]
    unproven = next((each for each in before if each.type == ConditionType.IDENTITY_UNPROVEN), None)
    if picture.proven is False or (picture.proven is None and unproven is not None):
        facts.append(fact(ConditionType.IDENTITY_UNPROVEN, True, Reason.ADMISSION_MISSING, UNPROVEN))
    old = {condition.type: condition for condition in before}
    generation = picture.release.metadata.generation
    return tuple(dated(each, old.get(each.type), generation, picture.now) for each in facts)


def fact(kind: ConditionType, true: bool | None, reason: str, message: str = "") -> Condition:
    return Condition(type=kind, status=_WORDS[true], reason=reason, message=message[:32_000])


def dated(condition: Condition, old: Condition | None, generation: int, now: float) -> Condition:
    """The condition with its times: the transition's is kept while the status is."""
    same = old is not None and old.status == condition.status
    when = old.last_transition_time if old is not None and same else now
    return condition.model_copy(update={"observed_generation": generation, "last_transition_time": when})


# ---- Ready


def _ready(picture: Picture, status: Status) -> Condition:
    wanted, meta = picture.spec.version, picture.release.metadata
    serving = status.stable.name if status.stable else None
    if meta.deleting:
        going = f"being deleted; traffic is settled on stable first{_trouble(picture)}"
        return fact(ConditionType.READY, False, Reason.DELETING, going)
    hand = hand_of(status)
    if status.phase is Phase.COMPLETED and status.stable and status.stable.content == wanted.content:
        unreadable = tuple(o for o in picture.obstacles if o.reason == Reason.INVALID)
        if unreadable:  # what serves is what an older spec asked for
            return fact(ConditionType.READY, False, Reason.INVALID, sentences(unreadable))
        if hand:
            return fact(ConditionType.READY, False, Reason.LOWERED_BY_HAND, hand)
        lost = _not_at_peace(picture, status)
        if lost is not None:
            return fact(ConditionType.READY, False, lost.reason, lost.sentence)
        if _stable_down(picture, status):
            sentence = _stable_problem(picture, status) or f"{wanted.name} has no ready pods"
            return fact(ConditionType.READY, False, Reason.STABLE_LOST, sentence)
        return fact(ConditionType.READY, True, Reason.COMPLETED, f"{wanted.name} serves{_trouble(picture)}")
    if picture.obstacles and status.phase not in (*CLIMBING, Phase.REVERTING):
        first = picture.obstacles[0]
        return fact(ConditionType.READY, False, first.reason, sentences(picture.obstacles))
    if status.phase in _ENDED_BADLY:
        return fact(ConditionType.READY, False, *_ended(picture, status))
    if status.phase is Phase.REVERTING:
        name = _title(picture, status)
        where = f"back to {serving}" if serving else "but there is no proven version to go back to"
        return fact(ConditionType.READY, False, Reason.REVERTING, f"{name} is taken {where}{_trouble(picture)}")
    if status.recall:
        return fact(ConditionType.READY, False, *_recalling(picture, status))
    return fact(ConditionType.READY, False, *_on_the_way(picture, status))


def _ended(picture: Picture, status: Status) -> tuple[Reason, str]:
    name = picture.release.metadata.name
    rejection = _rejection(picture, status)
    what = "did not start" if status.phase is Phase.FAILED else "was reverted"
    reason = Reason.FAILED if status.phase is Phase.FAILED else Reason.REVERTED
    if rejection and rejection.cause is Cause.PERSON:
        what, reason = "was rolled back", Reason.ROLLED_BACK
    serves = f"{status.stable.name} serves; " if status.stable else ""
    change = "it" if picture.title != picture.spec.version.name else "the spec"
    return reason, f"{serves}{picture.title} {what}. Change {change}, or: kubectl tidegate retry {name}"


def _recalling(picture: Picture, status: Status) -> tuple[Reason, str]:
    recall = status.recall
    assert recall is not None
    serving = status.stable.name if status.stable else "nothing"
    if recall.cause is Cause.ADOPTED:
        return _adopting(picture, recall)
    if recall.gave_up:
        return Reason.DEADLINE_EXCEEDED, (
            f"{serving} serves; {recall.version.name} did not become ready in time, so nothing was changed. "
            f"Change the spec, or: kubectl tidegate retry {picture.release.metadata.name}"
        )
    return Reason.PREPARING, f"{serving} serves until {recall.version.name}, which is started beside it, is ready"


def _adopting(picture: Picture, recall: Recall) -> tuple[Reason, str]:
    name = recall.version.name
    if recall.gave_up:
        return Reason.DEADLINE_EXCEEDED, (
            f"what served before still serves; its copy {name} did not become ready in time, so nothing was changed. "
            f"Change the spec, or: kubectl tidegate retry {picture.release.metadata.name}"
        )
    wait = problem_of(picture, recall.version.content, tuple(piece.part for piece in recall.version.pieces))
    return Reason.PREPARING, (
        f"what served before serves until its copy {name}, which is started beside it, is ready"
        + (f": {wait.sentence}" if wait else "")
    )


def _rejection(picture: Picture, status: Status) -> Rejection | None:
    return next((r for r in status.rejected if r.content == picture.spec.version.content), None)


def _on_the_way(picture: Picture, status: Status) -> tuple[Reason | str, str]:
    wanted = picture.title
    reason, wait = waits_for(picture, status)
    if status.phase in CLIMBING and status.candidate:
        number, of = step_of(picture.spec, status)
        weight = exposure(status, picture.spec.version.content)
        head = f"{_title(picture, status)} at {percent(weight)}, step {number} of {of}"
        if status.phase is Phase.PREPARING:
            head = f"{_title(picture, status)} is prepared"
        return reason, f"{head}; {wait}" if wait else head
    return reason, f"{wanted} waits; {wait}" if wait else f"{wanted} waits"


def _title(picture: Picture, status: Status) -> str:
    """What climbs or is taken back, as people call it."""
    candidate, wanted = status.candidate, picture.spec.version
    return candidate.name if candidate and candidate.content != wanted.content else picture.title


# ---- the others


def _reconciling(picture: Picture, status: Status) -> Condition:
    """It is on its way wherever it is neither there nor waits for a person alone."""
    if _ready(picture, status).status == "True":
        return fact(ConditionType.RECONCILING, False, Reason.COMPLETED)
    if _stalled(picture, status).status == "True":
        return fact(ConditionType.RECONCILING, False, Reason.NOTHING_YET)
    return fact(ConditionType.RECONCILING, True, phase_reason(status))


def _stalled(picture: Picture, status: Status) -> Condition:
    if status.phase in _ENDED_BADLY and not picture.release.metadata.deleting:
        return fact(ConditionType.STALLED, True, *_ended(picture, status))
    if status.recall and status.recall.gave_up:
        return fact(ConditionType.STALLED, True, *_recalling(picture, status))
    if status.phase is Phase.REVERTING and status.stable is None:
        return fact(ConditionType.STALLED, True, Reason.NO_STABLE, "there is no proven version: ask for another one")
    arrived = status.phase is Phase.COMPLETED and _serves(picture, status)
    # where nothing is to move, what would stop a move stalls nothing
    obstacles = [o for o in picture.obstacles if not arrived or o.reason == Reason.INVALID]
    if obstacles:
        return fact(ConditionType.STALLED, True, obstacles[0].reason, sentences(tuple(obstacles)))
    lasting = [Obstacle(p.reason, p.sentence) for p in picture.sight.problems if p.lasting]
    lasting += [trouble for trouble in picture.troubles if trouble.reason == Reason.NOT_PERMITTED]
    if lasting:
        return fact(ConditionType.STALLED, True, lasting[0].reason, sentences(tuple(lasting)))
    return fact(ConditionType.STALLED, False, Reason.PROGRESSING)


def _serves(picture: Picture, status: Status) -> bool:
    """What the spec asks for is the stable version."""
    return status.stable is not None and status.stable.content == picture.spec.version.content


def _available(picture: Picture, status: Status) -> Condition:
    if status.stable is None:
        return fact(ConditionType.AVAILABLE, False, Reason.NO_STABLE, "no version has been proven here yet")
    if picture.seen.instances is None:
        return fact(ConditionType.AVAILABLE, None, Reason.TARGET_UNKNOWN, "the target can't be read")
    if _stable_down(picture, status):
        return fact(ConditionType.AVAILABLE, False, Reason.STABLE_LOST, _stable_problem(picture, status))
    return fact(ConditionType.AVAILABLE, True, Reason.STABLE_SERVES, f"{status.stable.name} is proven and has pods")


def _gates(picture: Picture) -> Condition:
    if picture.obstacles:
        return fact(ConditionType.GATES_OPEN, False, picture.obstacles[0].reason, sentences(picture.obstacles))
    unknown = Gate.UNKNOWN in (picture.seen.start, picture.seen.step)
    return fact(ConditionType.GATES_OPEN, None if unknown else True, Reason.GATES_OPEN)


def _guards(picture: Picture, status: Status) -> Condition:
    if not picture.force.guards:
        return fact(ConditionType.GUARDS_HEALTHY, True, Reason.NO_GUARDS, "no guard is declared")
    if status.phase not in (*CLIMBING, Phase.REVERTING):
        return fact(ConditionType.GUARDS_HEALTHY, True, Reason.NOT_CLIMBING)
    bad = [g for g in picture.guards if g.verdict in (Verdict.BREACH, Verdict.HOLD, Verdict.UNKNOWN)]
    if bad:
        reason = Reason.GUARD_BREACHED if any(g.verdict is Verdict.BREACH for g in bad) else Reason.GUARDS_HOLD
        if all(g.verdict is Verdict.UNKNOWN for g in bad):
            reason = Reason.NO_DATA
        return fact(ConditionType.GUARDS_HEALTHY, False, reason, "; ".join(g.message or g.name for g in bad))
    return fact(ConditionType.GUARDS_HEALTHY, True, Reason.ALL_PASS)


def _reverted(status: Status, reason: str) -> Condition:
    if status.cause is None:
        return fact(ConditionType.REVERTED, False, Reason.NOT_REVERTED)
    return fact(ConditionType.REVERTED, True, _REVERT_REASON.get(status.cause, Reason.REVERTED), reason)


# ---- words


def _not_at_peace(picture: Picture, status: Status) -> Obstacle | None:
    """What keeps the traffic of a completed Release from being as it is promised, if anything does."""
    for part in status.parts:
        reading = picture.sight.readings.get(part.name)
        split = reading.split if reading else None
        if split is not None and tuple(sorted(split)) == promise(status, part):
            continue
        problem = next((p for p in picture.sight.problems if p.part == part.name), None)
        if problem:
            return Obstacle(problem.reason, problem.sentence)
        return Obstacle(Reason.TARGET_UNKNOWN, f"the traffic of {part.name} is not as it should be, and is put back")
    return None


def _stable_down(picture: Picture, status: Status) -> bool:
    states = stable_states(picture, status)
    return any(state in (State.ABSENT, State.LOST, State.STARTING) for state in states)


def _stable_problem(picture: Picture, status: Status) -> str:
    stable = status.stable
    assert stable is not None
    problem = problem_of(picture, stable.content, tuple(p.part for p in stable.pieces))
    return problem.sentence if problem else f"{stable.name} has no ready pods; it is being started again"


def _trouble(picture: Picture) -> str:
    return f"; {sentences(picture.troubles)}" if picture.troubles else ""


def state_of(picture: Picture, status: Status, part: Part) -> str:
    """One component, in a word."""
    if status.phase is Phase.REVERTING:
        return "Reverted" if part.landed >= part.move else "Reverting"
    if status.phase not in CLIMBING:
        return "Stable"
    if not takes_part(status, part.name):
        return "Unchanged"
    if status.phase is Phase.PREPARING:
        return "Starting"
    if part.weight == 0:
        return "Pending"
    return "Shifted" if part.landed >= part.move else "Shifting"
