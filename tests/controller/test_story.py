"""What an SRE reads: Ready and its reasons, the three words of kstatus, and sentences with numbers in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hack.stage import shop
from tests.controller.scenes import (
    MISSING_ROUTE,
    NOW,
    V1,
    V2,
    V3,
    climbing,
    guard_status,
    obstacle,
    picture,
    release,
    resting,
    reverted,
    reverting,
    sight,
    split,
)
from tests.engine.world import percent
from tidegate.api import Condition, effective
from tidegate.controller.picture import Picture
from tidegate.controller.story import conditions, exposure, state_of
from tidegate.controller.waits import clock, hold_until
from tidegate.engine.values import (
    Cause,
    CheckKey,
    Gate,
    Instance,
    Outcome,
    Phase,
    Recall,
    Standing,
    State,
    Status,
    Verdict,
    When,
)
from tidegate.targets.port import Problem, Size

WAITING = resting(Phase.WAITING)
COLD = Recall(V1, Cause.PERSON, reject=True, wanted="2")
HAND = resting().parts[0]._replace(hand=4, hand_at=NOW - 5)
PULL = Problem("web", "2", "ImagePullFailed", "image v2 can't be pulled", lasting=True)
SLOW = Problem("web", "2", "DependencyDown", "database is down", lasting=False)
DENIED = obstacle("could not write the weights: patch httproutes is forbidden", "NotPermitted")
BARE = Status(Phase.WAITING)
LOST = (Instance("web", "1", State.LOST, 1),)

SCENES: dict[str, tuple[Status, Picture]] = {
    "completed": (resting(), picture(resting(), wanted=V1)),
    "completed without a route": (
        resting(),
        picture(resting(), wanted=V1, seen=sight(resting(), readings=split(None), problems=(MISSING_ROUTE,))),
    ),
    "completed, a foreign raise": (
        resting(stable=V2),
        picture(resting(stable=V2), wanted=V2, seen=sight(resting(stable=V2), readings=split({"1": 40, "2": 60}))),
    ),
    "completed, its pods lost": (resting(), picture(resting(), wanted=V1, seen=sight(resting(), instances=LOST))),
    "completed, a hand": (resting(parts=(HAND,)), picture(resting(parts=(HAND,)), wanted=V1)),
    "completed, a ladder that a policy forbids now": (
        resting(),
        picture(resting(), wanted=V1, obstacles=(obstacle("too steep"),)),
    ),
    "completed, its spec can't be read": (
        resting(),
        picture(resting(), wanted=V1, obstacles=(obstacle("spec.steps[0].weight: write 0 to 100", "Invalid"),)),
    ),
    "waits": (WAITING, picture(WAITING)),
    "waits at a gate": (WAITING, picture(WAITING, obstacles=(obstacle("the first step is 90 %"),))),
    "waits with a problem": (WAITING, picture(WAITING, seen=sight(WAITING, problems=(SLOW,)))),
    "the first waits": (BARE, picture(BARE)),
    "prepared": (climbing(0, Phase.PREPARING), picture(climbing(0, Phase.PREPARING))),
    "prepared, no image": (
        climbing(0, Phase.PREPARING),
        picture(climbing(0, Phase.PREPARING), seen=sight(climbing(0), problems=(PULL,))),
    ),
    "climbs": (climbing(), picture(climbing())),
    "climbs, gates shut": (climbing(), picture(climbing(), obstacles=(obstacle("the first step is 90 %"),))),
    "climbs, denied": (climbing(), picture(climbing(), troubles=(DENIED,))),
    "bakes": (climbing(100, Phase.COMPLETING), picture(climbing(100, Phase.COMPLETING))),
    "reverts": (reverting(), picture(reverting())),
    "reverts, denied": (reverting(), picture(reverting(), troubles=(DENIED,))),
    "reverts without a route": (
        reverting(),
        picture(reverting(), seen=sight(reverting(), readings=split(None), problems=(MISSING_ROUTE,))),
    ),
    "reverts to nothing": (reverting(stable=None), picture(reverting(stable=None))),
    "reverted": (reverted(), picture(reverted())),
    "rolled back": (reverted(cause=Cause.PERSON), picture(reverted(cause=Cause.PERSON))),
    "failed": (reverted(Phase.FAILED, Cause.DEADLINE), picture(reverted(Phase.FAILED, Cause.DEADLINE))),
    "recalls": (WAITING._replace(recall=COLD), picture(WAITING)),
    "gave up": (WAITING._replace(recall=COLD._replace(gave_up=True)), picture(WAITING)),
    "is deleted": (resting(), picture(resting(), wanted=V1, release=release("v1", deleting=True))),
    "is deleted after a revert": (reverted(), picture(reverted(), release=release(deleting=True))),
    "is deleted in a revert": (reverting(), picture(reverting(), release=release(deleting=True))),
}

# Ready's reason, and whether it is Reconciling and Stalled.
TOLD = {
    "completed": ("Completed", False, False),
    "completed without a route": ("RouteMissing", False, True),
    "completed, a foreign raise": ("TargetUnknown", True, False),
    "completed, its pods lost": ("StableLost", True, False),
    "completed, a hand": ("LoweredByHand", True, False),
    "completed, a ladder that a policy forbids now": ("Completed", False, False),
    "completed, its spec can't be read": ("Invalid", False, True),
    "waits": ("Waiting", True, False),
    "waits at a gate": ("PolicyViolated", False, True),
    "waits with a problem": ("DependencyDown", True, False),
    "the first waits": ("Waiting", True, False),
    "prepared": ("Preparing", True, False),
    "prepared, no image": ("ImagePullFailed", False, True),
    "climbs": ("Progressing", True, False),
    "climbs, gates shut": ("PolicyViolated", False, True),
    "climbs, denied": ("NotPermitted", False, True),
    "bakes": ("Completing", True, False),
    "reverts": ("Reverting", True, False),
    "reverts, denied": ("Reverting", False, True),
    "reverts without a route": ("Reverting", False, True),
    "reverts to nothing": ("Reverting", False, True),
    "reverted": ("Reverted", False, True),
    "rolled back": ("RolledBack", False, True),
    "failed": ("Failed", False, True),
    "recalls": ("Preparing", True, False),
    "gave up": ("DeadlineExceeded", False, True),
    "is deleted": ("Deleting", True, False),
    "is deleted after a revert": ("Deleting", True, False),
    "is deleted in a revert": ("Deleting", True, False),
}


def told(status: Status, seen: Picture) -> dict[str, Condition]:
    return {each.type: each for each in conditions(seen, status, "", ())}


def ready(status: Status, seen: Picture) -> str:
    return told(status, seen)["Ready"].message


@pytest.mark.parametrize("scene", SCENES)
def test_every_phase_tells_the_reason_and_the_three_words_that_tools_wait_for(scene: str) -> None:
    said = told(*SCENES[scene])
    reason, reconciling, stalled = TOLD[scene]
    assert said["Ready"].reason == reason
    assert said["Ready"].status == ("True" if reason == "Completed" else "False")
    assert (said["Reconciling"].status == "True", said["Stalled"].status == "True") == (reconciling, stalled)
    assert not (reconciling and stalled)
    assert {condition.observed_generation for condition in said.values()} == {3}


def test_every_phase_has_a_scene() -> None:
    assert {status.phase for status, _ in SCENES.values()} == set(Phase) - {Phase.IDLE, Phase.GONE}


# ---- sentences


def test_a_climb_is_told_with_its_version_weight_step_and_when_the_hold_ends() -> None:
    status = climbing()
    until = NOW - 40 + 60
    assert hold_until(picture(status), status) == until
    assert ready(status, picture(status)) == f"v2 at 10 %, step 1 of 3; holds until {clock(until)}"
    assert clock(until) == "02:47:00 UTC"


def test_a_hold_that_a_person_has_ended_or_that_stands_has_no_end() -> None:
    for status in (climbing(promoted=percent(50)), climbing(parts=(climbing().parts[0]._replace(since=None),))):
        assert ready(status, picture(status)) == "v2 at 10 %, step 1 of 3"


def test_a_hold_counts_what_was_held_before() -> None:
    part = climbing().parts[0]._replace(held=25.0, since=NOW)
    assert hold_until(picture(climbing()), climbing(parts=(part,))) == NOW + 35


@pytest.mark.parametrize(
    ("status", "seen", "sentence"),
    [
        (climbing(standing=(Standing("u", "ana", "lunch", NOW, percent(50)),)), {}, "paused at 50 % by ana: lunch"),
        (climbing(parts=(HAND,)), {}, "the weight of web was lowered by hand"),
        (climbing(), {"troubles": (obstacle("could not write the weights: no answer"),)}, "could not write"),
        (climbing(), {"seen": sight(climbing(), problems=(PULL,))}, "image v2 can't be pulled"),
        (climbing(), {"seen": sight(climbing(), sizes={("web", "2"): Size("x", 1, 2)})}, "web has 1 of 2 pods ready"),
        (climbing(), {"seen": sight(climbing(), instances=LOST)}, "v1 is not at full size"),
        (climbing(parts=(climbing().parts[0]._replace(landed=1),)), {}, "the weight of web is being written"),
    ],
)
def test_what_stands_before_the_next_step_is_told(status: Status, seen: dict[str, object], sentence: str) -> None:
    message = ready(status, picture(status, **seen))  # type: ignore[arg-type]
    assert message.startswith("v2 at ")
    assert sentence in message


def test_a_check_that_runs_and_a_guard_that_holds_are_told() -> None:
    seen = picture(climbing())
    key = CheckKey("smoke", When.EACH_STEP, 2, "web", 2)
    checked = replace(seen, seen=seen.seen._replace(checks=((key, Outcome.RUNNING),)))
    assert told(climbing(), checked)["Ready"].reason == "CheckRunning"
    held = picture(climbing(), verdict=Verdict.HOLD, guards=(guard_status("p99", Verdict.HOLD, "p99 is 900 ms"),))
    assert ready(climbing(), held).endswith("; p99 is 900 ms, hold not counting")
    quiet = picture(climbing(), verdict=Verdict.NO_TRAFFIC, guards=(guard_status("p99", Verdict.NO_TRAFFIC, "idle"),))
    assert told(climbing(), quiet)["Ready"].reason == "NoData"


def test_the_problems_of_a_release_that_waits_are_told() -> None:
    assert ready(*SCENES["waits with a problem"]) == "v2 waits; database is down"
    first = picture(BARE, seen=sight(BARE, problems=(MISSING_ROUTE,)))
    assert ready(BARE, first) == f"v2 waits; {MISSING_ROUTE.sentence}"


def test_how_it_ended_says_what_serves_and_what_to_do() -> None:
    expected = "v1 serves; v2 was reverted. Change the spec, or: kubectl tidegate retry shop"
    assert ready(*SCENES["reverted"]) == expected
    assert told(*SCENES["reverted"])["Stalled"].message == expected
    assert "v2 was rolled back" in ready(*SCENES["rolled back"])
    assert "v2 did not start" in ready(*SCENES["failed"])
    assert ready(*SCENES["gave up"]).startswith("v1 serves; v1 did not become ready in time, so nothing was changed")


def test_what_is_taken_over_is_told_until_its_copy_is_ready_or_given_up() -> None:
    copy = Recall(V1, Cause.ADOPTED, reject=False, wanted="2")
    copying, gave_up = BARE._replace(recall=copy), BARE._replace(recall=copy._replace(gave_up=True))
    crashing = Problem("web", "1", "CrashLoop", "it crashes", lasting=True)
    sentence = "what served before serves until its copy v1, which is started beside it, is ready"
    assert ready(copying, picture(copying)) == sentence
    assert ready(copying, picture(copying, seen=sight(copying, problems=(crashing,)))) == f"{sentence}: it crashes"
    assert told(copying, picture(copying))["Stalled"].status == "False"
    assert ready(gave_up, picture(gave_up)).startswith("what served before still serves; its copy v1 did not become")
    assert told(gave_up, picture(gave_up))["Stalled"].status == "True"


def test_lasting_problems_are_told_also_while_it_reverts() -> None:
    assert told(*SCENES["reverts, denied"])["Stalled"].message == DENIED.sentence
    assert DENIED.sentence in ready(*SCENES["reverts, denied"])
    assert told(*SCENES["reverts without a route"])["Stalled"].message == MISSING_ROUTE.sentence


def test_a_completed_release_is_not_ready_while_its_traffic_is_not_as_promised() -> None:
    assert ready(*SCENES["completed without a route"]) == MISSING_ROUTE.sentence
    assert "the traffic of web is not as it should be" in ready(*SCENES["completed, a foreign raise"])


def test_a_spec_that_cannot_be_read_is_not_live_whatever_serves() -> None:
    assert "spec.steps[0].weight" in ready(*SCENES["completed, its spec can't be read"])


def test_a_new_spec_is_not_ready_before_its_version_is() -> None:
    assert told(resting(), picture(resting(), wanted=V3))["Ready"].status == "False"


# ---- the other conditions


def test_available_is_what_to_page_on_whatever_became_of_the_candidate() -> None:
    for status in (resting(), climbing(), reverting(), reverted()):
        assert told(status, picture(status))["Available"].status == "True"
    blind = picture(climbing(), seen=sight(climbing(), instances=None))
    assert told(climbing(), blind)["Available"].status == "Unknown"
    down = told(climbing(), picture(climbing(), seen=sight(climbing(), instances=LOST)))["Available"]
    assert (down.status, down.reason) == ("False", "StableLost")
    assert down.message == "v1 has no ready pods; it is being started again"
    assert told(BARE, picture(BARE))["Available"].reason == "NoStable"


def test_gates_are_shut_unknown_or_open() -> None:
    assert told(*SCENES["waits at a gate"])["GatesOpen"].message == "the first step is 90 %"
    seen = picture(climbing())
    unsure = replace(seen, seen=seen.seen._replace(step=Gate.UNKNOWN))
    assert told(climbing(), unsure)["GatesOpen"].status == "Unknown"
    assert told(climbing(), seen)["GatesOpen"].status == "True"


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [(Verdict.BREACH, "GuardBreached"), (Verdict.HOLD, "GuardsHold"), (Verdict.UNKNOWN, "NoData")],
)
def test_a_guard_that_is_not_content_says_why(verdict: Verdict, reason: str) -> None:
    force = effective(release(guards=[shop.error_rate("prod")]), ())
    seen = picture(climbing(), force=force, guards=(guard_status("errors", verdict, "25 % > 5 %"),))
    said = told(climbing(), seen)["GuardsHealthy"]
    assert (said.status, said.reason, said.message) == ("False", reason, "25 % > 5 %")
    assert told(climbing(), replace(seen, guards=()))["GuardsHealthy"].reason == "AllPass"
    assert told(resting(), replace(seen, guards=()))["GuardsHealthy"].reason == "NotClimbing"


def test_the_cause_of_the_last_revert_stays_told() -> None:
    said = conditions(picture(reverted()), reverted(), "errors of v2: 25 %", ())
    assert [(c.status, c.reason, c.message) for c in said if c.type == "Reverted"] == [
        ("True", "GuardBreached", "errors of v2: 25 %")
    ]


def test_a_transition_is_dated_when_the_status_changes_and_not_when_the_words_do() -> None:
    first = conditions(picture(climbing()), climbing(), "", ())
    later = conditions(replace(picture(climbing(50)), now=NOW + 60), climbing(50), "", first)
    assert {c.last_transition_time for c in later} == {NOW}
    assert [c.message for c in later] != [c.message for c in first]
    done = conditions(replace(picture(resting(), wanted=V1), now=NOW + 90), resting(), "", later)
    changed = {c.type for c in done if c.last_transition_time == NOW + 90}
    assert changed == {"Ready", "Reconciling"}


# ---- words


def test_exposure_is_the_weight_of_a_climb_and_all_or_nothing_at_rest() -> None:
    assert exposure(climbing(10), "2") == 10_000
    assert exposure(resting(stable=V2), "2") == 100_000
    assert exposure(reverting(), "2") == exposure(reverted(), "2") == 0


def test_a_component_is_one_word() -> None:
    said = [
        (reverting(), "Reverting"),
        (reverting(parts=(reverted().parts[0],)), "Reverted"),
        (resting(), "Stable"),
        (climbing(0, Phase.PREPARING), "Starting"),
        (climbing(0), "Pending"),
        (climbing(), "Shifted"),
        (climbing(parts=(climbing().parts[0]._replace(landed=1),)), "Shifting"),
        (climbing(candidate=V1), "Unchanged"),
    ]
    assert [state_of(picture(status), status, status.parts[0]) for status, _ in said] == [word for _, word in said]
