"""The status that a pass ends with: memory and story together, and whether it is worth a write.

Zero writes at rest: equal status is not patched, and readings alone (numbers of guards, counts of pods) are written
with a verdict or once a minute.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate import api
from tidegate.api.conditions import ConditionType, Reason
from tidegate.api.grammar import FULL, ZERO, Percent
from tidegate.api.intervention import Action
from tidegate.controller import story
from tidegate.controller.binding import begun, under_way
from tidegate.controller.memory import candidate, component_memory, write_down
from tidegate.controller.picture import Picture
from tidegate.engine.acts import DONE
from tidegate.engine.promise import promise, step_of, takes_part
from tidegate.engine.values import CLIMBING, Cause, Part, Phase, Status, Verdict
from tidegate.stats.measurement import Data
from tidegate.targets.port import Size

READINGS_EVERY = 60.0
"""Seconds between two writes for readings alone."""

_HISTORY = 10
_FACES = {Verdict.PASS: "ok", Verdict.BREACH: "breached", Verdict.HOLD: "hold", Verdict.UNKNOWN: "no data"}


def compose(picture: Picture, status: Status, before: api.ReleaseStatus, writer: api.Writer) -> api.ReleaseStatus:
    """The whole status that should stand in the object."""
    revert = _revert(picture, status, before)
    number, of = step_of(picture.spec, status)
    climbs = status.phase in CLIMBING
    fields: dict[str, Any] = {
        **write_down(status, dict(picture.authors)),
        "candidate": _candidate(picture, status, before),
        "observed_generation": picture.release.metadata.generation,
        "weight": Percent(story.exposure(status, picture.spec.version.content)),
        "summary": api.Summary(step=f"{number}/{of}" if climbs else "", guards=_guards_in_short(picture)),
        "writer": writer,
        "step": _step(status, number) if climbs else None,
        "steps": picture.force.steps,
        "components": tuple(_component(picture, status, part, before) for part in status.parts),
        "guards": picture.guards if climbs or status.phase is Phase.REVERTING else before.guards,
        "checks": picture.checks,
        "policies": picture.force.policies,
        "binding": _binding(picture, status),
        "history": _with_kept(picture, _history(picture, status, before)),
        "revert": revert,
        "conditions": story.conditions(picture, status, revert.message if revert else "", before.conditions),
    }
    return api.ReleaseStatus(**fields)


def _candidate(picture: Picture, status: Status, before: api.ReleaseStatus) -> api.CandidateRef | None:
    """What climbs; while nothing does, what waits to."""
    wanted = picture.spec.version
    if status.candidate is not None:
        written = candidate(status, dict(picture.authors))
        same = before.candidate is not None and before.candidate.revision == status.candidate.content
        known = before.candidate.changed if before.candidate is not None and same else ()
        changed = picture.changed if status.candidate.content == wanted.content else ()
        return written.model_copy(update={"changed": known or changed}) if written else None
    if status.phase is not Phase.WAITING:
        return None
    author = picture.authors.get(wanted.content, "")
    return api.CandidateRef(version=wanted.name, revision=wanted.content, author=author, changed=picture.changed)


def _binding(picture: Picture, status: Status) -> tuple[api.Binding, ...]:
    """What the policies ask of the climb; one that begins in this pass is asked what they ask now."""
    if not under_way(status):
        return ()
    same = under_way(picture.before) and picture.before.attempt == status.attempt
    return picture.binding if same else begun(picture.force)


def _step(status: Status, number: int) -> api.StepState:
    parts = [part for part in status.parts if takes_part(status, part.name)]
    landed = [part.landed_at for part in parts if part.landed >= part.move]
    return api.StepState(
        number=number,
        decided_at=max((part.moved for part in parts if part.weight), default=0.0) or None,
        shifted_at=(max(landed) or None) if parts and len(landed) == len(parts) else None,
        guarded=round(min((part.held for part in parts), default=0.0), 3),
    )


def _guards_in_short(picture: Picture) -> str:
    counts: dict[str, int] = {}
    for guard in picture.guards:
        face = _FACES.get(guard.verdict, "open")
        counts[face] = counts.get(face, 0) + 1
    return ", ".join(f"{count} {face}" for face, count in counts.items())


def _component(picture: Picture, status: Status, part: Part, before: api.ReleaseStatus) -> api.ComponentStatus:
    old = next((component for component in before.components if component.name == part.name), None)
    return api.ComponentStatus(
        **component_memory(part),
        state=story.state_of(picture, status, part),
        weight=_weight(picture, status, part, old.weight if old else None),
        stable=_instances(picture, part.name, status.stable.runs(part.name) if status.stable else None),
        candidate=_instances(picture, part.name, status.candidate.runs(part.name) if status.candidate else None),
        message="; ".join(p.sentence for p in picture.sight.problems if p.part == part.name)[:1024],
    )


def _weight(picture: Picture, status: Status, part: Part, old: api.Weight | None) -> api.Weight:
    """Of the candidate while there is one; at rest of what the spec asks for, which serves or was taken back."""
    wanted = (status.candidate or picture.spec.version).runs(part.name)
    reading = picture.sight.readings.get(part.name)
    split = reading.split if reading else None
    observed = None if split is None or wanted is None else Percent(dict(split).get(wanted, 0))
    desired = Percent(dict(promise(status, part)).get(wanted, 0)) if wanted else ZERO
    achieved = picture.sight.achieved.get((part.name, wanted or ""))
    same = old is not None and old.desired == desired and old.observed == observed
    return api.Weight(
        desired=desired,
        observed=observed,
        achieved=None if achieved is None else Percent(achieved),
        at=old.at if old and same else picture.now,
    )


def _instances(picture: Picture, part: str, content: str | None) -> api.Instances | None:
    size: Size | None = picture.sight.sizes.get((part, content)) if content else None
    return api.Instances(ref=size.ref, ready=size.ready, wanted=size.wanted) if size else None


# ---- reverts and history


def _revert(picture: Picture, status: Status, before: api.ReleaseStatus) -> api.Revert | None:
    if status.cause is None:
        return None
    old = before.revert
    if old is not None and old.at == status.turned:
        done = old.finished_at or (None if status.phase is Phase.REVERTING else picture.now)
        return old.model_copy(update={"finished_at": done})
    name, message = _why(picture, status)
    finished = None if status.phase is Phase.REVERTING else picture.now
    return api.Revert(cause=status.cause, name=name, at=status.turned, finished_at=finished, message=message[:2048])


def _why(picture: Picture, status: Status) -> tuple[str, str]:
    """(what, why in a sentence with the numbers) of a revert that is decided in this pass."""
    left = picture.before.candidate or picture.before.stable
    name = left.name if left else picture.spec.version.name
    if status.cause is Cause.BREACH:
        observed = {(g.guard.name, g.owner) for g in picture.force.guards if not g.guard.enforced}
        breached = [g for g in picture.guards if g.verdict is Verdict.BREACH]
        guard = next((g for g in breached if (g.name, g.from_) not in observed), None)
        return (guard.name, guard.message) if guard else ("", "a guard was breached")
    if status.cause is Cause.PERSON:
        by, reason = _who_rolled_back(picture, status)
        return (by, f"{by} rolled {name} back: {reason}") if by else ("", f"{name} was rolled back")
    if status.cause is Cause.CHECK_FAILED:
        check = next((c for c in picture.checks if c.outcome == api.CheckOutcome.FAILED), None)
        return (check.name, f"check {check.name}: {check.message}") if check else ("", "a check failed")
    if status.cause is Cause.DEADLINE:
        return "", _late(picture, status, name)
    if status.cause is Cause.HEALTH_LOST:
        return "", _with_problems(picture, f"{name} has lost its pods while it had traffic")
    if status.cause is Cause.SUPERSEDED:
        return "", f"{name} was superseded by {picture.spec.version.name}"
    if status.cause is Cause.PUT_BACK:
        return "", f"the spec asks for {picture.spec.version.name} again"
    return "", "the Release is being deleted"


def _who_rolled_back(picture: Picture, status: Status) -> tuple[str, str]:
    """(who, why): of the act that is obeyed in this pass, or of the one for which an old version was started."""
    known = {handled.uid for handled in picture.before.handled}
    obeyed = {handled.uid for handled in status.handled if handled.outcome == DONE and handled.uid not in known}
    for act in picture.spec.acts:
        if act.verb is Action.ROLLBACK and act.uid in obeyed:
            return act.by, act.reason
    recall = picture.before.recall
    return (recall.by, recall.reason) if recall else ("", "")


def _late(picture: Picture, status: Status, name: str) -> str:
    owed = dict(picture.before.owed)
    first = min(owed, key=lambda debt: owed[debt], default=None)
    what = {
        "Ready": "it did not become ready",
        "Check": "a check did not end",
        "Write": "its weight was not seen to be taken on",
        "Data": "there was no usable measurement",
        "Step": "its step was not passed after the hold",
    }.get(str(first), "it was overdue")
    return _with_problems(picture, f"{name}: {what} in time")


def _with_problems(picture: Picture, sentence: str) -> str:
    problems = "; ".join(p.sentence for p in picture.sight.problems)
    return f"{sentence}: {problems}" if problems else sentence


def _history(picture: Picture, status: Status, before: api.ReleaseStatus) -> tuple[api.Past, ...]:
    """One entry an attempt, the newest first; written when the attempt ends."""
    was = picture.before
    ended = _ended(was, status)
    history = before.history
    if ended is None:
        return history
    version = was.candidate or status.stable
    if version is None:
        return history
    entry = api.Past(
        version=version.name,
        revision=version.content,
        attempt=was.attempt if was.candidate else status.attempt,
        outcome=ended,
        reached=FULL if ended is api.Outcome.COMPLETED else _reached(was),
        started_at=was.started or None,
        ended_at=picture.now,
        author=picture.authors.get(version.content, ""),
        changed=before.candidate.changed if before.candidate and was.candidate else (),
    )
    return _cut((entry, *history))


def _with_kept(picture: Picture, history: tuple[api.Past, ...]) -> tuple[api.Past, ...]:
    """Which of them a rollback may name: the newest of each revision that completed and is kept."""
    there = {kept.content for kept in picture.sight.kept}
    told: set[str] = set()
    marked = []
    for past in history:
        kept = past.outcome == api.Outcome.COMPLETED and past.revision in there and past.revision not in told
        if kept:
            told.add(past.revision)
        marked.append(past.model_copy(update={"kept": kept}))
    return tuple(marked)


def _cut(history: tuple[api.Past, ...]) -> tuple[api.Past, ...]:
    """At most ten; what completed is kept longest, since it may be asked for by name."""
    left = list(history)
    while len(left) > _HISTORY:
        failed = [past for past in left[1:] if past.outcome != api.Outcome.COMPLETED]
        left.remove(failed[-1] if failed else left[-1])
    return tuple(left)


def _reached(was: Status) -> Percent:
    return Percent(max((part.weight for part in was.parts if takes_part(was, part.name)), default=0))


def _ended(was: Status, status: Status) -> api.Outcome | None:
    """How the attempt of `was` ended in this pass, or None if it goes on. A climb ends where it turns back."""
    climbed = was.phase in CLIMBING and was.candidate is not None
    if climbed and status.phase not in (*CLIMBING, Phase.REVERTING) and status.stable == was.candidate:
        return api.Outcome.COMPLETED
    if climbed and (status.phase not in CLIMBING or status.attempt != was.attempt):
        cause = _turned_by(was, status)
        if cause is None or not cause.rejects:
            return api.Outcome.SUPERSEDED
        if cause is Cause.PERSON:
            return api.Outcome.ROLLED_BACK
        return api.Outcome.REVERTED if was.touched else api.Outcome.FAILED
    if not climbed and was.stable and status.stable and was.stable.content != status.stable.content:
        return api.Outcome.COMPLETED  # put back in one step
    if was.stable is None and status.stable and was.recall and was.recall.cause is Cause.ADOPTED:
        return api.Outcome.COMPLETED  # taken over in one step
    return None


def _turned_by(was: Status, status: Status) -> Cause | None:
    """Why the climb of `was` turned back. Where the next has begun in the same pass, only the rejection still tells."""
    left = was.candidate.content if was.candidate else ""
    rejection = next((r for r in status.rejected if (r.content, r.attempt) == (left, was.attempt)), None)
    return rejection.cause if rejection else status.cause


# ---- worth a write


def worth_writing(old: api.ReleaseStatus, new: api.ReleaseStatus, since_last: float) -> bool:
    """Whether anything changed that is more than a reading, or a minute has passed since the last write."""
    changed = tuple(_changed(old, new))
    if any(_is_essential(name, old, new) for name in changed):
        return True
    return since_last >= READINGS_EVERY and bool(changed)


def differ(old: api.ReleaseStatus, new: api.ReleaseStatus) -> bool:
    """Whether anything is different, readings included; who wrote it is not."""
    return any(_changed(old, new))


def _changed(old: api.ReleaseStatus, new: api.ReleaseStatus) -> Iterator[str]:
    """The fields that would be written differently. Values are compared first: a whole status takes a millisecond to be
    put into words, and most of one pass's is as the last one's was."""
    for name in api.ReleaseStatus.model_fields:
        if name == "writer" or getattr(old, name) == getattr(new, name):
            continue
        if _words(old, name) != _words(new, name):
            yield name


def _words(status: api.ReleaseStatus, name: str) -> Mapping[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True, include={name})


def _is_essential(name: str, old: api.ReleaseStatus, new: api.ReleaseStatus) -> bool:
    """Whether a change of that field is written at once: all but readings are."""
    if name == "guards":
        return _verdicts(old, new) != _verdicts(new, new)
    if name == "conditions":
        return _told(old, new) != _told(new, new)
    if name == "components":
        return [_bare(component) for component in old.components] != [_bare(component) for component in new.components]
    return name != "summary" or not _silent(new) or _step_in_short(old) != _step_in_short(new)


def _step_in_short(status: api.ReleaseStatus) -> str:
    return status.summary.step if status.summary else ""


def _silent(status: api.ReleaseStatus) -> frozenset[tuple[str, str, str]]:
    """The guards that have nothing to say yet: asked and not answered, or asked before there is any traffic to judge.

    Within seconds they will, or the climb begins, and then it is told what they said: silence is not worth a write of
    its own. At rest the last readings stay, and none is silent.
    """
    if status.phase not in CLIMBING:
        return frozenset()
    too_soon = status.phase is Phase.PREPARING
    return frozenset(
        _name(guard)
        for guard in status.guards
        if guard.data == Data.AWAITED or (too_soon and guard.verdict == Verdict.NO_TRAFFIC)
    )


def _name(guard: api.GuardStatus) -> tuple[str, str, str]:
    return guard.name, guard.from_, guard.component


def _verdicts(status: api.ReleaseStatus, newest: api.ReleaseStatus) -> list[tuple[tuple[str, str, str], str]]:
    silent = _silent(newest)
    return [(_name(guard), str(guard.verdict)) for guard in status.guards if _name(guard) not in silent]


def _told(status: api.ReleaseStatus, newest: api.ReleaseStatus) -> list[tuple[Any, ...]]:
    """While a guard is silent, that there is no data is no news: what else changes is."""
    waits = bool(_silent(newest))
    without_data = {c.type for c in newest.conditions if waits and c.reason == Reason.NO_DATA}
    return [
        (c.type, c.status, "" if c.type in without_data else c.reason, c.observed_generation)
        for c in status.conditions
        if not (waits and c.type == ConditionType.GUARDS_HEALTHY)
    ]


def _bare(component: api.ComponentStatus) -> Mapping[str, Any]:
    """Without its readings."""
    document = component.document()
    bare = {key: value for key, value in document.items() if key not in ("stable", "candidate", "message")}
    if "weight" in bare:
        bare["weight"] = {key: value for key, value in bare["weight"].items() if key != "achieved"}
    return bare
