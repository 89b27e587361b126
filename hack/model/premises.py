"""What puts a rule to the test. A rule whose premise never held was not tested, however many states there were."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.view import View, completes, raises
from tidegate.engine.values import CLIMBING, Action, Cause, Ensure, Gate, Phase, Preview, Reread, Retire, Verdict

PREMISES: dict[str, Callable[[View], bool]] = {
    "a raise (S2 S3 S4 S11 S12 S13 S15)": lambda view: bool(raises(view)),
    "a step of the ladder (S6 S7)": lambda view: any(
        part.weight > old.weight > old.rest
        for part in view.now.parts
        if view.same_climb and (old := view.was.part(part.name)) is not None
    ),
    "a completion (S6 S7)": completes,
    "a breach seen in a climb (S2 S3)": lambda view: (
        view.was.phase in CLIMBING
        and view.seen.verdict is Verdict.BREACH
        and Reread() not in view.turn.decision.effects
    ),
    "turned back for another cause (S3 S4 S5)": lambda view: (
        view.was.phase in CLIMBING and view.now.phase not in CLIMBING and view.now.cause is not Cause.BREACH
    ),
    "something rejected at a rest (S3)": lambda view: bool(view.now.rejected) and view.now.phase not in CLIMBING,
    "a write (S1 S4 S14)": lambda view: any(isinstance(effect, Ensure) for effect in view.turn.decision.effects),
    "a removal (S4)": lambda view: any(isinstance(effect, Retire) for effect in view.turn.decision.effects),
    "a preview (S4 S17 S20)": lambda view: any(
        isinstance(effect, Preview) and effect.content for effect in view.turn.decision.effects
    ),
    "a shut or unknown gate in a climb (S11)": lambda view: (
        view.was.phase in CLIMBING and view.seen.step is not Gate.OPEN
    ),
    "something unknown (S17)": lambda view: (
        view.seen.instances is None or any(reading.split is None for _, reading in view.seen.readings)
    ),
    "a rest without a wake (S17)": lambda view: view.turn.decision.wake_at is None,
    "a hand (S15)": lambda view: any(part.hand for part in view.now.parts),
    "deleting (S13)": lambda view: view.spec.deleting,
    "let go (S13)": lambda view: view.now.phase is Phase.GONE,
    "a status older than the world (S16)": lambda view: Reread() in view.turn.decision.effects,
    "a retry that is heard (S3)": lambda view: any(act.verb is Action.RETRY for act in view.spec.acts),
    "a rescue (S4)": lambda view: view.now.rescue,
}
"""Name of the premise, with the rules that it puts to the test (research page of invariants: S1 to S20)."""
