"""The status that a pass ends with: who is blamed, what is kept, and what is worth a write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.controller.scenes import (
    ME,
    NOW,
    V1,
    V2,
    V3,
    climbing,
    guard_status,
    picture,
    recorded,
    release,
    resting,
    reverted,
    reverting,
    rollback,
    sight,
    split,
)
from tests.engine.world import spec as asked
from tests.engine.world import turn, version, world
from tidegate import api
from tidegate.api import Effective, effective
from tidegate.api.grammar import FULL, Percent
from tidegate.api.memory import Past
from tidegate.controller.memory import remember
from tidegate.controller.picture import Picture
from tidegate.controller.recording import READINGS_EVERY, compose, differ, worth_writing
from tidegate.engine import decide
from tidegate.engine.values import (
    Cause,
    CheckKey,
    Debt,
    Handled,
    Outcome,
    Phase,
    Recall,
    Status,
    Verdict,
    When,
)
from tidegate.targets.port import Kept, Size


def _revert(status: Status, seen: Picture) -> api.Revert:
    revert = compose(seen, status, recorded(seen.before), ME).revert
    assert revert is not None
    return revert


def _guarded(*guards: dict[str, object]) -> Effective:
    return effective(release(guards=list(guards)), ())


# ---- why, and by whom


def test_a_revert_names_who_was_obeyed_not_who_was_refused() -> None:
    acts = (rollback("r", "ana@example.com", "an old wish"), rollback("o", "bob@example.com", "it burns"))
    handled = (Handled("r", "Refused", "it was meant for an earlier attempt"), Handled("o", "Done", "back to v1"))
    seen = picture(reverting(Cause.PERSON), before=climbing(), acts=acts)
    revert = _revert(reverting(Cause.PERSON, handled=handled), seen)
    assert revert.name == "bob@example.com"
    assert revert.message == "bob@example.com rolled v2 back: it burns"


def test_an_act_that_was_obeyed_before_is_not_blamed_for_what_comes_later() -> None:
    before = climbing(handled=(Handled("o", "Done", "back to v1"),))
    acts = (rollback("o", "bob@example.com", "last week"), rollback("n", "eve@example.com", "now"))
    handled = (*before.handled, Handled("n", "Done", "back to v1"))
    revert = _revert(reverting(Cause.PERSON, handled=handled), picture(climbing(), before=before, acts=acts))
    assert revert.name == "eve@example.com"


def test_a_cold_rollback_names_who_asked_for_it_long_ago() -> None:
    back = Recall(V1, Cause.PERSON, reject=True, wanted="2", by="ana@example.com", reason="it leaks")
    before = resting(stable=V2, recall=back)
    revert = _revert(resting(cause=Cause.PERSON, turned=NOW), picture(resting(), before=before))
    assert (revert.name, revert.message) == ("ana@example.com", "ana@example.com rolled v2 back: it leaks")


def test_a_revert_names_the_guard_that_acted_not_one_that_only_observes() -> None:
    value = {"connection": "prometheus", "value": {"query": "max(q)"}, "revert": 80}
    force = _guarded({**value, "name": "watching", "mode": "Observe"}, {**value, "name": "acting"})
    guards = tuple(guard_status(name, Verdict.BREACH, f"{name}: 90 > 80") for name in ("watching", "acting"))
    revert = _revert(reverting(), picture(reverting(), before=climbing(), force=force, guards=guards))
    assert (revert.name, revert.message) == ("acting", "acting: 90 > 80")


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (Cause.CHECK_FAILED, "check smoke: it answered 500"),
        (Cause.DEADLINE, "v2: it did not become ready in time"),
        (Cause.HEALTH_LOST, "v2 has lost its pods while it had traffic"),
        (Cause.SUPERSEDED, "v2 was superseded by v3"),
        (Cause.PUT_BACK, "the spec asks for v3 again"),
        (Cause.DELETED, "the Release is being deleted"),
    ],
)
def test_every_cause_is_told_in_a_sentence(cause: Cause, sentence: str) -> None:
    failed = api.CheckStatus(name="smoke", outcome=api.CheckOutcome.FAILED, message="it answered 500")
    before = climbing(owed=((Debt.STEP, NOW - 5), (Debt.READY, NOW - 600)))
    seen = picture(reverting(cause), before=before, wanted=V3, shown=(failed,))
    assert _revert(reverting(cause), seen).message == sentence


def test_a_revert_keeps_its_words_and_gets_its_end_once() -> None:
    status = reverting()
    first = recorded(status, picture_=picture(status, before=climbing()))
    again = recorded(status, first)
    assert again.revert == first.revert
    assert again.revert is not None
    assert again.revert.finished_at is None
    after = recorded(reverted(), again, picture(reverted(), before=status))
    assert after.revert == again.revert.model_copy(update={"finished_at": NOW})
    later = recorded(reverted(), after, replace(picture(reverted()), now=NOW + 60))
    assert later.revert == after.revert


# ---- history


def test_what_is_superseded_while_it_is_prepared_is_history_under_its_own_attempt() -> None:
    before = climbing(0, Phase.PREPARING)
    seen = picture(before, wanted=V3)
    status = decide(seen.spec, before, seen.seen, NOW).status
    assert (status.phase, status.attempt) == (Phase.PREPARING, 3)
    past = compose(seen, status, recorded(before), ME).history[0]
    assert (past.version, past.attempt, past.outcome) == ("v2", 2, "Superseded")


def test_what_failed_in_the_pass_in_which_the_next_begins_was_not_superseded() -> None:
    before = climbing(0, Phase.PREPARING)
    seen = picture(before, wanted=V3)
    failed = (CheckKey("smoke", When.BEFORE_TRAFFIC, 2), Outcome.FAILED)
    status = decide(seen.spec, before, seen.seen._replace(checks=(failed,)), NOW).status
    assert (status.phase, status.attempt, status.cause) == (Phase.PREPARING, 3, None)
    assert compose(seen, status, recorded(before), ME).history[0].outcome == "Failed"


@pytest.mark.parametrize(
    ("cause", "touched", "outcome"),
    [
        (Cause.BREACH, True, "Reverted"),
        (Cause.DEADLINE, False, "Failed"),
        (Cause.PERSON, True, "RolledBack"),
        (Cause.SUPERSEDED, True, "Superseded"),
    ],
)
def test_an_attempt_ends_where_it_turns_back_and_says_how_far_it_had_come(
    cause: Cause, touched: bool, outcome: str
) -> None:
    before = climbing(50, touched=touched)
    written = recorded(reverting(cause), recorded(before), picture(reverting(cause), before=before))
    past = written.history[0]
    assert (past.version, past.attempt, past.outcome, past.reached) == ("v2", 2, outcome, 50_000)
    after = recorded(reverted(cause=cause), written, picture(reverted(cause=cause), before=reverting(cause)))
    assert len(after.history) == 1, "once, not again where the way back ends"


def test_who_completed_reached_all_and_what_comes_back_in_one_step_completed_too() -> None:
    done = resting(stable=V2, attempt=2, proved=2)
    first = recorded(done, None, picture(done, before=climbing(100, Phase.COMPLETING))).history[0]
    assert (first.version, first.outcome, first.reached) == ("v2", "Completed", FULL)
    back = resting(stable=V1, attempt=3, proved=3)
    assert recorded(back, None, picture(back, before=done)).history[0].version == "v1"


def test_what_was_taken_over_completed_as_it_ran_and_is_no_revert() -> None:
    copying = Status(phase=Phase.WAITING, recall=Recall(V1, Cause.ADOPTED, reject=False, wanted="2"))
    taken = resting(attempt=0, proved=0)
    written = recorded(taken, recorded(copying), picture(taken, before=copying))
    assert [(past.version, past.outcome, past.reached) for past in written.history] == [("v1", "Completed", FULL)]
    assert written.revert is None
    assert remember(recorded(copying)).recall == copying.recall


def test_the_history_says_which_versions_a_rollback_may_name() -> None:
    def past(revision: str, outcome: str) -> Past:
        return Past(version=f"v{revision}", revision=revision, outcome=outcome)

    history = (past("2", "Reverted"), past("1", "Completed"), past("3", "Completed"), past("1", "Completed"))
    kept = tuple(Kept(revision, f"v{revision}", 1, ()) for revision in ("1", "2"))
    seen = picture(resting(), seen=sight(resting(), kept=kept))
    written = recorded(resting(), recorded(resting()).model_copy(update={"history": history}), seen)
    assert [entry.kept for entry in written.history] == [False, True, False, False]


def test_of_a_long_history_what_completed_is_kept_longest() -> None:
    def past(number: int, outcome: str) -> Past:
        return Past(version=f"v{number}", attempt=number, outcome=outcome)

    old = [past(number, "Completed" if number in (0, 3) else "Reverted") for number in reversed(range(10))]
    written = recorded(climbing()).model_copy(update={"history": tuple(old)})
    after = recorded(reverting(), written, picture(reverting(), before=climbing())).history
    assert [entry.attempt for entry in after] == [2, 9, 8, 7, 6, 5, 4, 3, 2, 0]


# ---- weights


def test_the_weight_of_a_component_is_the_candidates_while_there_is_one() -> None:
    for status in (climbing(10), reverting(), reverting(Cause.SUPERSEDED)):
        seen = picture(status, wanted=V3, seen=sight(status, readings=split({"1": 90, "2": 10})))
        weight = recorded(status, picture_=seen).components[0].weight
        assert weight is not None
        assert weight.observed == 10_000
        assert weight.desired == (10_000 if status.phase is Phase.PROGRESSING else 0)


def test_at_rest_it_is_that_of_what_the_spec_asks_for() -> None:
    serves = recorded(resting(), picture_=picture(resting(), wanted=V1)).components[0].weight
    taken_back = recorded(reverted(), picture_=picture(reverted(), wanted=V2)).components[0].weight
    assert serves is not None
    assert taken_back is not None
    assert (serves.desired, serves.observed) == (FULL, FULL)
    assert (taken_back.desired, taken_back.observed) == (0, 0)


def test_a_weight_that_is_not_known_is_absent_and_its_instant_is_that_of_its_last_change() -> None:
    status = climbing()
    unknown = recorded(status, picture_=picture(status, seen=sight(status, readings=split(None))))
    assert unknown.components[0].weight is not None
    assert unknown.components[0].weight.observed is None
    later = recorded(status, unknown, replace(picture(status, seen=sight(status, readings=split(None))), now=NOW + 9))
    assert later.components[0].weight == unknown.components[0].weight


def test_the_step_is_shifted_when_all_parts_that_climb_have_landed() -> None:
    two, old = version("2", "api", "web"), version("1", "api", "web")
    api_, web = climbing().parts[0]._replace(name="api", landed=1), climbing().parts[0]
    status = climbing(stable=old, candidate=two, parts=(api_, web))
    step = recorded(status, picture_=picture(status, wanted=two)).step
    assert step is not None
    assert step.shifted_at is None
    landed = status._replace(parts=(web._replace(name="api", landed_at=NOW - 2), web))
    step = recorded(landed, picture_=picture(landed, wanted=two)).step
    assert step is not None
    assert step.shifted_at == NOW - 2
    assert recorded(resting(), picture_=picture(resting(), wanted=V1)).step is None


def test_a_version_that_waits_is_shown_but_is_no_memory() -> None:
    waiting = recorded(resting(Phase.WAITING))
    assert waiting.candidate is not None
    assert (waiting.candidate.version, waiting.candidate.started_at) == ("v2", None)


# ---- worth a write


def test_what_is_seen_again_is_equal_and_not_written() -> None:
    for status in (resting(), climbing(), reverting(), reverted()):
        before = recorded(status)
        after = recorded(status, before, replace(picture(status), now=NOW + 3600))
        assert after == before
        assert not worth_writing(before, after, 3600.0)


def test_a_world_at_rest_composes_the_same_status_at_every_look() -> None:
    w = world(asked(V1), stable=V1)
    seen = picture(turn(w).after.status, wanted=V1)
    assert recorded(seen.before, recorded(seen.before, picture_=seen), seen) == recorded(seen.before, picture_=seen)


def test_readings_alone_are_written_at_most_once_a_minute() -> None:
    status = climbing()
    one, two = guard_status("errors", Verdict.PASS, "0.1 %"), guard_status("errors", Verdict.PASS, "0.2 %")
    before = recorded(status, picture_=picture(status, guards=(one,)))
    pods = sight(status, sizes={("web", "2"): Size("shop-web-2", 1, 2)})
    for seen in (picture(status, guards=(two,)), picture(status, guards=(one,), seen=pods)):
        after = recorded(status, before, seen)
        assert differ(before, after)
        assert not worth_writing(before, after, READINGS_EVERY - 0.1)
        assert worth_writing(before, after, READINGS_EVERY)


def test_a_verdict_a_reason_and_a_weight_are_written_at_once() -> None:
    status = climbing()
    before = recorded(status, picture_=picture(status, guards=(guard_status("errors", Verdict.PASS),)))
    held = recorded(status, before, picture(status, guards=(guard_status("errors", Verdict.HOLD),)))
    moved = recorded(status, before, picture(status, seen=sight(status, readings=split({"1": 95, "2": 5}))))
    for after in (held, moved, recorded(climbing(50), before)):
        assert worth_writing(before, after, 0.0)


def _message(status: api.ReleaseStatus) -> str:
    ready = status.condition("Ready")
    assert ready is not None
    return ready.message


def test_that_a_guard_is_awaited_is_told_with_what_it_says_and_not_by_a_write_of_its_own() -> None:
    status = climbing(0, phase=Phase.PREPARING)
    awaited = guard_status("errors", Verdict.UNKNOWN, "errors: not measured yet", data="Awaited")
    before = compose(picture(status), status, api.ReleaseStatus(), ME)
    asked_now = compose(picture(status, guards=(awaited,), verdict=Verdict.UNKNOWN), status, before, ME)
    assert asked_now.guards != before.guards
    assert "not measured yet" in _message(asked_now)
    assert not worth_writing(before, asked_now, 0.0)
    answered = guard_status("errors", Verdict.UNKNOWN, "errors: no answer", data="ProviderError")
    assert worth_writing(before, compose(picture(status, guards=(answered,)), status, before, ME), 0.0)
    other = guard_status("latency", Verdict.PASS, "latency: fine", data="OK")
    assert worth_writing(before, compose(picture(status, guards=(awaited, other)), status, before, ME), 0.0)


def test_that_there_is_no_traffic_is_no_news_before_the_first_step() -> None:
    quiet = guard_status("errors", Verdict.NO_TRAFFIC, "errors: v2 is promised no traffic yet", data="NoTraffic")
    for status, written in ((climbing(0, phase=Phase.PREPARING), False), (climbing(10), True)):
        before = compose(picture(status), status, api.ReleaseStatus(), ME)
        seen = picture(status, guards=(quiet,), verdict=Verdict.NO_TRAFFIC)
        assert worth_writing(before, compose(seen, status, before, ME), 0.0) is written


def test_while_a_guard_is_awaited_all_else_is_written_as_ever() -> None:
    awaited = guard_status("errors", Verdict.UNKNOWN, "errors: not measured yet", data="Awaited")
    low, high = climbing(10), climbing(50)
    before = compose(picture(low), low, api.ReleaseStatus(), ME)
    assert worth_writing(before, compose(picture(high, guards=(awaited,)), high, before, ME), 0.0)


def test_a_guard_that_was_never_answered_delays_no_write_at_rest() -> None:
    status = resting()
    awaited = guard_status("errors", Verdict.UNKNOWN, "errors: not measured yet", data="Awaited")
    before = compose(picture(status), status, api.ReleaseStatus(guards=(awaited,)), ME)
    left = before.model_copy(update={"summary": api.Summary(guards="1 no data")})
    assert before.guards == (awaited,)
    assert worth_writing(left, before, 0.0)


def test_another_writer_alone_makes_no_difference() -> None:
    seen = picture(resting())
    mine = compose(seen, resting(), api.ReleaseStatus(), ME)
    others = compose(seen, resting(), mine, api.Writer(holder="other", epoch=2))
    assert not differ(mine, others)
    assert not worth_writing(mine, others, 3600.0)


def test_the_weight_of_the_whole_is_the_least_of_its_parts() -> None:
    two, old = version("2", "api", "web"), version("1", "api", "web")
    web = climbing(50).parts[0]
    status = climbing(stable=old, candidate=two, parts=(web._replace(name="api", weight=10_000), web))
    assert recorded(status, picture_=picture(status, wanted=two)).weight == Percent(10_000)
