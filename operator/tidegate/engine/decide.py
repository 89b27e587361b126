"""decide(spec, status, observation, now) -> Decision: the order of one pass.

Pure and total: no clock, no I/O, no randomness. A later stage sees what an earlier one changed, so that one pass goes
from "breach seen" to "all routes written", and from "put back" to "at rest", without a second look.
"""

from tidegate.engine.acts import hear_people
from tidegate.engine.climbing import climb, prepare, roll_holds
from tidegate.engine.ending import count_debts, keep_house
from tidegate.engine.hands import notice_hands, take_as_hand
from tidegate.engine.passing import POLL, Pass
from tidegate.engine.resting import rest
from tidegate.engine.turning import hear_late_breach, revert, turn_back_if_needed
from tidegate.engine.values import (
    CLIMBING,
    Decision,
    Forget,
    Observation,
    Phase,
    Reread,
    Spec,
    Status,
)


def decide(spec: Spec, status: Status, seen: Observation, now: float) -> Decision:
    """What the status should be, what to do once it is recorded, and when to look again (None: at the next change)."""
    p = Pass(spec._replace(tracks=tuple(track for track in spec.tracks if track.ladder)), status, seen, now)
    if status.phase is Phase.GONE:
        # recorded, perhaps not done: said again until the object is gone
        steady = all(p.at_peace(part) or p.given_back(part) for part in status.parts)
        return Decision(status, (Forget(settled=steady),), now + POLL)
    if p.newest_move_seen() > status.move:
        if not seen.confirmed:
            return Decision(status, (Reread(),), now)
        take_as_hand(p)
    if p.climbing and status.candidate is None:
        p.set(phase=Phase.REVERTING)  # an edited status: nothing is known to climb, and what serves is stable's
    notice_hands(p)
    hear_people(p)
    if p.climbing:
        turn_back_if_needed(p)
    hear_late_breach(p)
    if p.status.phase is Phase.REVERTING:
        revert(p)
    if p.status.phase not in (*CLIMBING, Phase.REVERTING, Phase.GONE):
        rest(p)
    if p.status.phase is Phase.PREPARING:
        prepare(p)
    if p.status.phase in (Phase.PROGRESSING, Phase.COMPLETING):
        climb(p)
    keep_house(p)
    count_debts(p)
    if p.effects or seen.instances is None or any(reading.split is None for _, reading in seen.readings):
        p.wake_in(POLL)  # an effect may be lost; what is unknown may be anything
    if p.status != status:
        roll_holds(p)
    return Decision(p.status, tuple(p.effects), min(p.wakes, default=None))
