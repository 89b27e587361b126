"""What people ask for. Each Intervention acts once: it is obeyed and written into `handled` in the same status.

An act that raises is bound to what its writer saw, or else by time: a promote meant for 10 % that arrives late would
skip the hold at 50 %, a retry written before the breach would lift it. What lowers or stops is heard before all else.
"""

from tidegate.engine.hands import resume_hands
from tidegate.engine.passing import Pass, written_since
from tidegate.engine.promise import next_weight, standing_at, step_of, takes_part
from tidegate.engine.values import (
    FULL,
    Act,
    Action,
    Answer,
    Cause,
    Handled,
    Phase,
    Recall,
    Standing,
    Version,
)

DONE, STANDING, REFUSED = "Done", "Standing", "Refused"
MOST_PAUSES = 20
WAITING_ROOM = 20
"""How many obeyed acts may wait to be seen answered before the next that raises has to wait, too."""

_LOWERING = (Action.PAUSE, Action.ROLLBACK)


def hear_people(p: Pass) -> None:
    """Obey or refuse each act that is new; say again what was answered to those that do not show it yet."""
    waiting = {act.uid for act in p.spec.acts}
    p.set(handled=tuple(h for h in p.status.handled if h.uid in waiting))
    known = {h.uid for h in p.status.handled}
    fresh = [act for act in p.spec.acts if act.uid not in known]
    for act in sorted(fresh, key=lambda act: (act.verb not in _LOWERING, act.written)):
        if act.verb in _LOWERING or len(p.status.handled) < WAITING_ROOM:
            answer = _OBEY[act.verb](p, act)
            if answer is not None:
                outcome, message = answer
                p.set(handled=(*p.status.handled, Handled(act.uid, outcome, message)))
    for handled in p.status.handled:
        p.do(Answer(*handled))


Reply = tuple[str, str] | None
"""(outcome, sentence), or None: not now, ask again in the next pass."""


def _pause(p: Pass, act: Act) -> Reply:
    if len(p.status.standing) >= MOST_PAUSES:
        return REFUSED, f"{MOST_PAUSES} pauses stand already; Resume lifts them all, then pause again"
    p.set(standing=(*p.status.standing, Standing(act.uid, act.by, act.reason, act.written, act.at)))
    return STANDING, "climbs no further" + (f" than {act.at / 1000:g} %" if act.at else "") + " until Resume"


def _resume(p: Pass, act: Act) -> Reply:
    hands = [part for part in p.status.parts if part.hand]
    began = max([s.since for s in p.status.standing] + [part.hand_at for part in hands], default=0.0)
    if not hands and not p.status.standing:
        if p.spec.paused:
            return REFUSED, "spec.paused is true: what the spec pauses, the spec resumes"
        return REFUSED, "nothing is paused here"
    if not p.answers(act, began):
        return REFUSED, "it was written before what it would lift; look at the status and resume again"
    if any(p.reading(part).split is None for part in hands):
        return None
    p.set(standing=())
    if hands:
        resume_hands(p)
    return DONE, "climbs on"


def _promote(p: Pass, act: Act) -> Reply:
    status = p.status
    parts = [part for part in status.parts if takes_part(status, part.name)]
    if not p.climbing:
        return REFUSED, "nothing climbs here"
    if (passed := _has_passed(p, act)) is not None:
        return REFUSED, passed
    if act.to is not None:
        to = act.to
    else:
        tracks = [track for track in p.spec.tracks if any(part.name in track.parts for part in parts)]
        ahead = max((next_weight(status, track) for track in tracks), default=FULL)
        top = all(standing_at(status, track) >= track.ladder[-1].weight for track in tracks)
        to = FULL + 1 if top else ahead
    p.set(promoted=max(status.promoted, to))
    return DONE, "the bake counts as full" if to > FULL else f"holds below {to / 1000:g} % count as full"


def _has_passed(p: Pass, act: Act) -> str | None:
    """Why an act does not mean the step that is held now: by what its writer saw, or else by time."""
    status = p.status
    if act.seen_attempt is not None and act.seen_attempt != status.attempt:
        return f"it was meant for attempt {act.seen_attempt}; this is attempt {status.attempt}"
    if act.seen_step is not None and act.seen_step != step_of(p.spec, p.status)[0]:
        return f"it was meant for step {act.seen_step}, which has passed; this is step {step_of(p.spec, p.status)[0]}"
    exact = act.seen_attempt is not None and act.seen_step is not None
    if not exact and not written_since(act, max([status.started, *(part.moved for part in status.parts)])):
        return "it was written before this step began; look at the status and ask again"
    return None


def _complete(p: Pass, act: Act) -> Reply:
    status = p.status
    if p.climbing:
        weights = [part.weight for part in status.parts if takes_part(status, part.name)]
        if not weights or min(weights) < FULL:
            return REFUSED, "it is not at 100 % yet: promote it first"
        if (passed := _has_passed(p, act)) is not None:
            return REFUSED, passed
        p.set(promoted=FULL + 1)
        return DONE, "the bake counts as full"
    if status.keep_until is not None:
        if not _means_what_rests(p, act):
            return REFUSED, "it was meant for an earlier attempt; look at the status and complete again"
        p.set(keep_until=p.now)
        return DONE, "the previous version is let go"
    return REFUSED, "nothing bakes and no previous version is kept warm"


def _retry(p: Pass, act: Act) -> Reply:
    stays = p.status.phase is Phase.REVERTING and p.status.stable is None  # there is no end of this revert to wait for
    if p.climbing or (p.status.phase is Phase.REVERTING and not stays):
        if p.is_rejected(p.spec.version.content):
            return None  # after the revert, or the two would take turns
        return REFUSED, f"{p.spec.version.name} is not rejected"
    rejection = next((r for r in p.status.rejected if r.content == p.spec.version.content), None)
    gave_up = p.status.recall is not None and p.status.recall.gave_up
    if rejection is None and not gave_up:
        return REFUSED, f"{p.spec.version.name} is not rejected"
    if rejection is not None and not p.answers(act, rejection.at):
        return REFUSED, "it was written before the revert; look at the status and retry again"
    p.set(rejected=tuple(r for r in p.status.rejected if r is not rejection), recall=None)
    return DONE, f"{p.spec.version.name} may climb again, from the first step"


def _rollback(p: Pass, act: Act) -> Reply:
    status = p.status
    if not _means_what_is_live(p, act):
        return REFUSED, "it was meant for an earlier attempt; look at the status and roll back again"
    target = _named(p, act.version)
    if act.version is not None and target is None:
        names = ", ".join(dict.fromkeys(version.name for version in p.seen.kept))
        return REFUSED, f"{act.version} is not a completed version that is kept here; kept are {names or 'none'}"
    if p.climbing or status.phase is Phase.REVERTING:
        to = target or status.stable
        if status.candidate and not status.recall:
            p.reject(status.candidate, Cause.PERSON)
        if to is None or p.spec.version.content != to.content:
            p.reject(p.spec.version, Cause.PERSON)  # it may be another one: superseding this, it would begin at once
        if target is not None and status.stable and target.content != status.stable.content:
            p.call_back(_recall(p, target, act))
        return DONE, f"back to {to.name if to else 'nothing'}"
    target = target if act.version is not None else status.previous
    if target is None:
        return REFUSED, "no earlier version is kept here: name one with rollback.version, or change the spec"
    if status.stable and target.content == status.stable.content:
        return REFUSED, f"{target.name} serves already"
    p.call_back(_recall(p, target, act))
    return DONE, f"back to {target.name}"


def _recall(p: Pass, target: Version, act: Act) -> Recall:
    wanted = p.spec.version.content
    return Recall(target, Cause.PERSON, reject=True, wanted=wanted, by=act.by, reason=act.reason)


def _means_what_is_live(p: Pass, act: Act) -> bool:
    """A Rollback is bound to its attempt, or it would hit the next version."""
    status = p.status
    if not p.climbing and status.phase is not Phase.REVERTING:
        return _means_what_rests(p, act)
    if act.seen_attempt is not None:
        return act.seen_attempt == status.attempt
    return written_since(act, status.started)


def _means_what_rests(p: Pass, act: Act) -> bool:
    """At rest an act is bound to the attempt that proved stable: one that was meant for a climb which has turned back
    since would take down what that climb turned back to."""
    if act.seen_attempt is not None and act.seen_attempt == p.status.proved:
        return True
    return p.answers(act, max(p.status.stable_since, p.status.turned))


def _named(p: Pass, name: str | None) -> Version | None:
    if name is None:
        return None
    known = [v for v in (p.status.stable, p.status.previous, *p.seen.kept) if v]
    return next((version for version in known if version.name == name), None)


_OBEY = {
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.PROMOTE: _promote,
    Action.COMPLETE: _complete,
    Action.RETRY: _retry,
    Action.ROLLBACK: _rollback,
}
