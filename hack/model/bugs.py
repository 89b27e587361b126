"""Naive designs, planted in the engine, its loop and its targets, one at a time: each must be caught.

A bug is looked for in the one small world that is about such things, breadth-first: what is printed is a shortest way
to it. Those that break no rule at any step are caught by where they come to rest, or by that they never do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import product
from typing import Any, NamedTuple

from hack.model import events
from hack.model.explore import Exploration, Found
from hack.model.scenarios import Fault, Scenario, named
from tests.engine import naive, world
from tidegate.engine import acts, adopting, climbing, ending, hands, passing, resting, turning
from tidegate.engine.passing import POLL, Pass

decide = import_module("tidegate.engine.decide")  # the module; the package gives the function that name


class Bug(NamedTuple):
    design: str
    where: object
    name: str
    naive: Any
    scenario: str
    more: tuple[tuple[object, str, Any], ...] = ()  # what else goes with it
    changes: tuple[tuple[str, Any], ...] = ()  # of that world: what shows it, and no more

    @property
    def world(self) -> Scenario:
        return named(self.scenario)._replace(**dict(self.changes))


HAND_ON_OLD_READINGS = (("faults", frozenset({Fault.HAND, Fault.STALE})), ("most_faults", 2), ("most_edits", 0))
LOST_AND_BLIND = (("faults", frozenset({Fault.RESTORE, Fault.BLIND})), ("most_edits", 0))
STALLED_THRICE = (("most_faults", 3), ("most_edits", 0), ("asks", ()))

BUGS = (
    # what is, and what was done
    Bug("settled is what was sent", Pass, "settled", naive.yes, "core"),
    Bug("settled is a value that agrees", Pass, "settled", Pass.agrees, "leaders"),
    Bug("an effect is not asked for again", Pass, "wake_in", naive.never, "core"),
    Bug("a change without a number", Pass, "next_move", naive.a_number_that_is_not_raised, "core"),
    Bug("a climb without a number", resting, "begin", naive.no_new_attempt, "versions"),
    Bug("only what differs gets a number", turning, "turn_back", naive.only_what_differs_gets_a_number, "leaders"),
    Bug("two orders about one thing in a turn", passing, "_about_the_same", naive.no, "foreign"),
    Bug("an old status is as good as any", Pass, "newest_move_seen", lambda self: 0, "foreign"),
    Bug("the annotation is taken for the truth", decide, "take_as_hand", naive.only_the_counter_is_mended, "foreign"),
    Bug("write it again to be sure", resting, "repair", naive.writing_again_to_be_sure, "core"),
    Bug("say in the status when we looked", decide, "count_debts", naive.a_status_that_is_stamped_each_turn, "core"),
    # the way up
    Bug("a verdict is a verdict", climbing, "_asked_for", naive.yes, "hands"),
    Bug("inconclusive is as good as proven", climbing, "_proven", naive.almost_proven, "clock"),
    Bug("silence is consent", climbing, "_proven", naive.silence_is_consent, "core"),
    Bug("a recorded raise is pushed whenever the world lacks it", climbing, "_would_raise", naive.no, "core"),
    Bug("gates are asked at the start", Pass, "may_go_forward", naive.asked_at_the_start_only, "ladders"),
    Bug(
        "capacity follows traffic",
        Pass,
        "_fits",
        naive.yes,
        "core",
        more=(
            (passing, "demand", naive.the_rung_ahead_is_for_later),
            (world, "demand", naive.the_rung_ahead_is_for_later),
        ),
    ),
    Bug("ready when it is there", Pass, "health", naive.ready_when_it_is_there, "lost"),
    Bug("the ladder is skipped", climbing, "_step_up", naive.the_top_at_once, "core"),
    Bug("an edit restarts the ladder", climbing, "_come_down_to_top", naive.an_edit_begins_the_ladder_anew, "ladders"),
    Bug("done when the last step is declared", decide, "climb", naive.completed_when_it_climbed, "core"),
    Bug("the hold is wall time since the step", climbing, "_clock_of", naive.wall_time, "clock"),
    Bug("the hold of the first rung is that of all", climbing, "_rung_at", naive.reached_by_the_rung_below, "clock"),
    Bug("wait patiently for data", Pass, "owe", lambda self, debt: self.wake_in(POLL), "core"),
    # the way back
    Bug("revert part after part", turning, "_send_back", naive.one_part_after_the_other, "core"),
    Bug("the revert goes to stable, whatever its health", Pass, "can_go_back", naive.yes, "lost"),
    Bug("a newer version waits for the stuck revert", turning, "may_rescue", naive.no, "lost"),
    Bug("supersession is looked at before the breach", turning, "why_back", naive.supersession_first, "lost"),
    Bug("a breach while it reverts is old news", decide, "hear_late_breach", naive.never, "members"),
    Bug(
        "a rejection is forgotten with the next version",
        resting,
        "begin",
        naive.forgetting_what_was_rejected,
        "versions",
    ),
    Bug("a rejection ends with its revert", turning, "end_revert", naive.back_and_forgotten, "core"),
    Bug("a rejection bars nothing", Pass, "is_rejected", naive.no, "versions"),
    # people
    Bug("a retry counts whenever it was written", passing, "written_since", naive.yes, "versions"),
    Bug("a rollback is a rollback", acts, "_means_what_is_live", naive.yes, "versions"),
    Bug("a promote counts whenever it comes", acts, "_has_passed", naive.never, "versions"),
    Bug("a lowered weight is drift", decide, "notice_hands", naive.never, "hands"),
    Bug(
        "a hand is compared with the newest promise only",
        hands,
        "_notice",
        naive.hand_against_the_newest_promise_only,
        "hands",
        changes=HAND_ON_OLD_READINGS,
    ),
    Bug("any difference is a hand", Pass, "lowered", naive.yes, "foreign"),
    # housekeeping
    Bug("nobody takes down what is left", ending, "_take_down_leftovers", naive.never, "core"),
    Bug(
        "what is not needed is taken down unlooked",
        ending,
        "_take_down_leftovers",
        naive.without_a_last_look,
        "foreign",
    ),
    Bug("the Service selects what is newest", passing, "pin", naive.the_candidate_is_what_is_newest, "members"),
    Bug("a preview ends with its candidate's pods", ending, "_named", naive.nothing, "preview"),
    Bug("a preview is written with the weights", Pass, "preview_candidate", naive.at_once, "preview"),
    Bug("a preview is a courtesy", Pass, "previews_stand", naive.yes, "preview"),
    Bug("a preview leads to what is newest", passing, "preview", naive.the_newest_that_runs, "preview"),
    Bug("a preview is written once", Pass, "preview_candidate", naive.before_the_first_weight_only, "preview"),
    Bug("deleted is gone", resting, "let_go", naive.gone_is_gone, "delete"),
    Bug("letting go is done when it is decided", decide, "Forget", lambda settled: None, "delete"),
    Bug("a lost status begins anew at once", adopting, "_all_read", naive.yes, "foreign", changes=LOST_AND_BLIND),
    # the loop around it, and what its targets refuse
    Bug("an old leader's status is accepted", events, "accepts", naive.yes, "leaders"),
    Bug(
        "a leader without a status change acts unconfirmed",
        events,
        "confirms",
        naive.yes,
        "leaders",
        changes=STALLED_THRICE,
    ),
    Bug("a write is fenced by value", world, "_write", naive.fenced_by_value, "leaders"),
    Bug(
        "a write is fenced by our stamp alone",
        world,
        "_write",
        naive.fenced_by_our_stamp,
        "hands",
        changes=HAND_ON_OLD_READINGS,
    ),
    Bug("a removal names no claim", world, "_retire", naive.whoever_ran_it_last, "leaders"),
)

MOST = 60_000
"""A bug that is not caught in so many states is not caught."""


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    patches = ((bug.where, bug.name, bug.naive), *bug.more)
    real = [(where, name, getattr(where, name)) for where, name, _ in patches]
    for where, name, wrong in patches:
        setattr(where, name, wrong)
    try:
        yield
    finally:
        for where, name, right in real:
            setattr(where, name, right)


def hunt(bug: Bug, most: int = MOST) -> Found:
    """Looks where little happens first: no fault and no edit, then one, then two, as far as its world goes."""
    whole = bug.world
    budgets = sorted(product(range(whole.most_faults + 1), range(whole.most_edits + 1)), key=sum)
    states, seconds = 0, 0.0
    with planted(bug):
        while True:
            faults, edits = budgets.pop(0)
            smaller = whole._replace(most_faults=faults, most_edits=edits)
            found = Exploration(smaller).run(most - states, live_every=250)
            states, seconds = states + found.states, seconds + found.seconds
            if found.broken or states >= most or not budgets:
                return found._replace(states=states, seconds=seconds)
