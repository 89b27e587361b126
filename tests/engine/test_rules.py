"""The rules that make it safe (1 to 5, 7, 8 and 11 are the engine's), and the proof that their tests bite.

For each rule some tests of the tables are named. They pass as it is; with the naive version of one function in the
engine's place they must fail. Every naive version here is a design that somebody would have written first.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from tests.engine import (
    test_causes,
    test_climb,
    test_deletion,
    test_hands,
    test_hold,
    test_people,
    test_rest,
    test_revert,
    test_rollback,
)
from tests.engine.naive import (
    a_number_that_is_not_raised,
    a_status_that_is_stamped_each_turn,
    an_edit_begins_the_ladder_anew,
    asked_at_the_start_only,
    forgetting_what_was_rejected,
    hand_against_the_newest_promise_only,
    never,
    no,
    one_part_after_the_other,
    only_the_counter_is_mended,
    reached_by_the_rung_below,
    supersession_first,
    the_rung_ahead_is_for_later,
    wall_time,
    without_a_last_look,
    writing_again_to_be_sure,
    yes,
)
from tidegate.engine import acts, adopting, climbing, ending, hands, passing, resting, turning
from tidegate.engine.passing import POLL, Pass
from tidegate.engine.values import Gate

decide = import_module("tidegate.engine.decide")  # the module; the package gives the function that name

Story = Callable[[], None]


class Planted(NamedTuple):
    rule: int
    design: str
    where: object
    name: str
    naive: Any
    story: Story


PLANTED = [
    # 1. Level-triggered: what was done last time is not believed
    Planted(
        1,
        "settled is what was sent",
        Pass,
        "settled",
        yes,
        test_revert.test_a_revert_is_not_over_before_every_part_is_seen_to_stand,
    ),
    Planted(
        1,
        "settled is a value that agrees",
        Pass,
        "settled",
        Pass.agrees,
        test_revert.test_a_first_raise_that_is_still_on_its_way_loses_too,
    ),
    Planted(
        1,
        "an effect is not asked for again",
        Pass,
        "wake_in",
        never,
        lambda: test_climb.test_a_shut_step_gate_stops_every_raise_and_the_write_of_a_recorded_one(Gate.SHUT),
    ),
    # 2. Record before act: the number rises first, and an act is obeyed in the status that says so
    Planted(
        2,
        "a change without a number",
        Pass,
        "next_move",
        a_number_that_is_not_raised,
        test_climb.test_a_good_version_climbs_every_rung_in_order_and_completes,
    ),
    Planted(
        2,
        "two orders about one thing in a turn",
        passing,
        "_about_the_same",
        no,
        test_rollback.test_a_rollback_that_finds_an_edit_writes_each_route_once,
    ),
    # 3. Read your own writes: a status older than the world decides nothing
    Planted(
        3,
        "an old status is as good as any",
        Pass,
        "newest_move_seen",
        lambda self: 0,
        test_hands.test_a_world_ahead_of_the_status_is_read_again_before_it_is_believed,
    ),
    Planted(
        3,
        "a lost status begins anew at once",
        adopting,
        "_all_read",
        yes,
        test_rest.test_nothing_is_begun_while_it_is_unknown_what_serves,
    ),
    # 4. Reverts are absorbing and first
    Planted(
        4,
        "revert part after part",
        turning,
        "_send_back",
        one_part_after_the_other,
        test_revert.test_a_dead_target_does_not_delay_its_siblings,
    ),
    Planted(
        4,
        "the revert goes to stable, whatever its health",
        Pass,
        "can_go_back",
        yes,
        test_revert.test_traffic_is_never_sent_to_a_stable_version_that_is_known_to_be_down,
    ),
    Planted(
        4,
        "supersession is looked at before the breach",
        turning,
        "why_back",
        supersession_first,
        lambda: test_causes.test_of_two_causes_the_one_that_says_something_about_the_version_is_remembered(1, 7),
    ),
    Planted(
        4,
        "a rejection is forgotten when another version comes",
        resting,
        "begin",
        forgetting_what_was_rejected,
        lambda: test_causes.test_not_after_edits_and_other_versions_either("superseded"),
    ),
    Planted(
        4,
        "a rejection bars nothing",
        Pass,
        "is_rejected",
        no,
        test_causes.test_a_reverted_version_never_climbs_again_by_itself,
    ),
    Planted(
        4,
        "a retry counts whenever it was written",
        passing,
        "written_since",
        yes,
        lambda: test_people.test_a_retry_written_before_the_breach_does_not_lift_it(2),
    ),
    Planted(
        4,
        "a newer version waits until the stuck revert ends",
        turning,
        "may_rescue",
        no,
        test_revert.test_a_stuck_revert_lets_a_newer_version_through,
    ),
    Planted(
        4,
        "a breach seen while it reverts is old news",
        decide,
        "hear_late_breach",
        never,
        test_causes.test_a_breach_seen_while_it_reverts_for_a_harmless_cause_is_remembered,
    ),
    Planted(
        4,
        "a rollback is a rollback",
        acts,
        "_means_what_is_live",
        yes,
        test_rollback.test_a_rollback_of_a_climb_that_has_turned_back_does_not_hit_stable,
    ),
    # 5. Evidence or nothing
    Planted(
        5,
        "a verdict is a verdict",
        climbing,
        "_asked_for",
        yes,
        test_climb.test_a_step_needs_evidence_for_this_attempt_and_move,
    ),
    Planted(
        5,
        "a recorded raise is pushed whenever the world lacks it",
        climbing,
        "_would_raise",
        no,
        lambda: test_climb.test_a_shut_step_gate_stops_every_raise_and_the_write_of_a_recorded_one(Gate.SHUT),
    ),
    Planted(
        5,
        "the hold is wall time since the step",
        climbing,
        "_clock_of",
        wall_time,
        test_hold.test_time_in_which_the_operator_was_down_is_not_counted,
    ),
    Planted(
        5,
        "wait patiently for data",
        Pass,
        "owe",
        lambda self, debt: self.wake_in(POLL),
        test_hold.test_exposure_without_evidence_always_ends,
    ),
    Planted(
        5,
        "gates are asked at the start",
        Pass,
        "may_go_forward",
        asked_at_the_start_only,
        test_people.test_promote_opens_no_gate,
    ),
    Planted(
        5,
        "a promote counts whenever it comes",
        acts,
        "_has_passed",
        never,
        test_people.test_a_promote_is_refused_where_the_step_that_was_seen_has_passed,
    ),
    Planted(
        5,
        "capacity follows traffic",
        passing,
        "demand",
        the_rung_ahead_is_for_later,
        test_climb.test_capacity_for_the_next_rung_comes_before_its_traffic,
    ),
    Planted(
        5,
        "the hold of the first rung is that of all",
        climbing,
        "_rung_at",
        reached_by_the_rung_below,
        test_hold.test_the_bake_is_the_hold_of_the_last_rung,
    ),
    Planted(
        5,
        "an edit restarts the ladder",
        climbing,
        "_come_down_to_top",
        an_edit_begins_the_ladder_anew,
        test_climb.test_a_rung_that_is_gone_takes_no_exposure_away_but_a_lower_top_does,
    ),
    # 7. Zero writes at rest
    Planted(
        7,
        "write it again to be sure",
        resting,
        "repair",
        writing_again_to_be_sure,
        lambda: test_rest.test_an_equal_status_is_decided_nothing_is_done_and_no_wake_is_asked_for(test_rest.resting),
    ),
    Planted(
        7,
        "say in the status when we looked",
        decide,
        "count_debts",
        a_status_that_is_stamped_each_turn,
        lambda: test_rest.test_an_equal_status_is_decided_nothing_is_done_and_no_wake_is_asked_for(test_rest.reverted),
    ),
    Planted(
        7,
        "nobody takes down what is left",
        ending,
        "_take_down_leftovers",
        never,
        test_climb.test_a_newer_version_supersedes_and_stable_stays_where_a_revert_goes,
    ),
    # 8. Foreign edits: what raises is undone, what lowers is kept
    Planted(
        8,
        "a lowered weight is drift",
        decide,
        "notice_hands",
        never,
        test_hands.test_a_lowered_weight_is_kept_and_nothing_climbs,
    ),
    Planted(
        8,
        "a hand is compared with the newest promise only",
        hands,
        "_notice",
        hand_against_the_newest_promise_only,
        test_hands.test_an_edit_just_before_a_step_is_not_written_over,
    ),
    Planted(
        8,
        "any difference is a hand",
        Pass,
        "lowered",
        yes,
        lambda: test_hands.test_unknown_or_no_backends_in_our_share_are_put_back({"X": 100}),
    ),
    Planted(
        8,
        "what is not ours may be taken down",
        ending,
        "_take_down_leftovers",
        without_a_last_look,
        test_rest.test_a_leftover_that_still_has_traffic_is_not_taken_down,
    ),
    # 11. Decisions live in the status; what an author can edit orders nothing
    Planted(
        11,
        "the annotation is taken for the truth",
        decide,
        "take_as_hand",
        only_the_counter_is_mended,
        test_hands.test_an_edited_annotation_orders_nothing,
    ),
    Planted(
        11,
        "letting go is done when it is decided",
        decide,
        "Forget",
        lambda settled: None,
        test_deletion.test_letting_go_is_said_again_until_the_object_is_gone,
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"rule {planted.rule}: {planted.design}")
def test_the_rule_holds_and_its_test_fails_under_the_naive_design(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.story()
    monkeypatch.setattr(planted.where, planted.name, planted.naive)
    with pytest.raises(AssertionError):
        planted.story()


def test_every_rule_of_the_engine_has_a_test_that_bites() -> None:
    assert {planted.rule for planted in PLANTED} == {1, 2, 3, 4, 5, 7, 8, 11}
