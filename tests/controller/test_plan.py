"""What a Release asks for, in the engine's words."""

from __future__ import annotations

from typing import Any

from hack.stage import shop
from tests.controller.scenes import release
from tidegate.api import Intervention, InterventionStatus, effective, parse_intervention
from tidegate.api.intervention import Answer
from tidegate.api.memory import Past
from tidegate.controller.plan import act_of, assemble, authors_of, kept_versions, spec_of, unanswered, wanted_version
from tidegate.engine.values import Act, Action, Cause, Check, Phase, Recall, Rejection, Rung, Status, Track, When
from tidegate.targets.port import Kept, Problem, Resolved

LASTING = (Problem("web", "", "ConfigMapMissing", "it is not there", lasting=True),)
PASSING = (Problem("web", "", "ConfigurationUnknown", "it can't be read now", lasting=False),)
TWO = [shop.component("api"), shop.component("web")]


def _kept(content: str, number: int) -> Kept:
    return Kept(content, f"v{content}", number, (("web", f"artifact-{content}"),))


def _past(content: str, outcome: str, author: str = "") -> Past:
    return Past(version=f"v{content}", revision=content, outcome=outcome, author=author)


def _asked(name: str, at: str, **changes: Any) -> Intervention:
    spec = {
        "targetRef": {"kind": "Release", "name": "shop"},
        "action": "Pause",
        "by": "ana",
        "reason": "why",
        **changes,
    }
    meta = {"name": name, "namespace": "prod", "uid": f"uid-{name}", "creationTimestamp": at}
    return parse_intervention({"metadata": meta, "spec": spec})


def test_a_component_that_has_not_changed_keeps_the_revision_under_which_it_runs() -> None:
    stable = wanted_version(Resolved(release("v1.0.0", components=TWO)), Status())
    changed = [shop.component("api"), shop.component("web", environment={"COLOUR": "blue"})]
    wanted = wanted_version(Resolved(release("v1.0.0", components=changed)), Status(stable=stable))
    assert wanted.content != stable.content
    assert wanted.runs("api") == stable.content
    assert wanted.runs("web") == wanted.content


def test_the_same_spec_is_the_same_version_whoever_wrote_it_and_however_it_climbs() -> None:
    one = release("v1.0.0", author="ana@example.com", steps=[{"weight": 100}])
    other = release("v1.0.0", author="bob@example.com", paused=True)
    assert wanted_version(Resolved(one), Status()) == wanted_version(Resolved(other), Status())


def test_while_something_that_the_spec_names_is_missing_what_is_under_way_stays_what_is_wanted() -> None:
    climbing = assemble("v2.0.0", "2", [("web", "b")], None)
    old = assemble("v1.0.0", "1", [("web", "a")], None)
    asked, climbs = release("v2.0.0"), Status(phase=Phase.PROGRESSING, stable=old, candidate=climbing)
    assert wanted_version(Resolved(asked, problems=LASTING, may_mean={"2": True, "1": False}), climbs) == climbing
    assert wanted_version(Resolved(asked, problems=LASTING), climbs) == climbing, "nothing of it is kept yet"
    recall = Recall(old, Cause.PERSON, reject=True, wanted="2")
    other = Resolved(release("v3.0.0"), problems=LASTING)
    assert wanted_version(other, Status(stable=climbing, recall=recall)).content == "2"
    assert wanted_version(other, Status(stable=climbing)).name == "v3.0.0"


def test_what_surely_asks_for_something_else_is_heard_though_something_that_it_names_is_missing() -> None:
    climbing = assemble("v2.0.0", "2", [("web", "b")], None)
    old = assemble("v1.0.0", "1", [("web", "a")], None)
    climbs = Status(phase=Phase.PROGRESSING, stable=old, candidate=climbing)
    for problems in (LASTING, PASSING):
        put_back = Resolved(release("v1.0.0"), problems=problems, may_mean={"1": True, "2": False})
        assert wanted_version(put_back, climbs) == old
        superseded = Resolved(release("v3.0.0"), problems=problems, may_mean={"1": False, "2": False})
        assert wanted_version(superseded, climbs).content not in ("1", "2")
        assert wanted_version(Resolved(release("v3.0.0"), problems=problems), climbs).name == "v3.0.0"


def test_at_rest_what_only_could_not_be_read_asks_for_nothing_new() -> None:
    old = assemble("v1.0.0", "1", [("web", "a")], None)
    rejected = Rejection("2", "v2.0.0", 2, 5, 0.0, Cause.BREACH)
    rests = Status(phase=Phase.REVERTED, stable=old, rejected=(rejected,))
    unread = Resolved(release("v1.0.0"), problems=PASSING, may_mean={"1": True, "2": False})
    assert wanted_version(unread, rests) == old
    unread = Resolved(release("v2.0.0"), problems=PASSING, may_mean={"1": False, "2": True})
    assert wanted_version(unread, rests).content == "2"
    gone = Resolved(release("v2.0.0"), problems=LASTING, may_mean={"1": False, "2": True})
    assert wanted_version(gone, rests).content != "2", "a person must mend it, and is told"


def test_only_what_once_completed_can_be_started_again_the_newest_first() -> None:
    kept = [_kept("1", 1), _kept("2", 2), _kept("3", 3)]
    history = [_past("3", "Completed"), _past("2", "Reverted"), _past("1", "Completed")]
    assert [version.name for version in kept_versions(kept, history, None)] == ["v3", "v1"]


def test_with_the_history_lost_all_that_is_kept_counts() -> None:
    assert [version.name for version in kept_versions([_kept("1", 1), _kept("2", 2)], [], None)] == ["v2", "v1"]


def test_parts_stand_in_the_order_of_their_names_so_that_equal_versions_are_equal() -> None:
    artifacts = [("web", "a"), ("api", "b")]
    assert assemble("v1", "1", artifacts, None) == assemble("v1", "1", reversed(artifacts), None)


def test_a_component_with_steps_of_its_own_climbs_by_itself_and_the_others_in_lockstep() -> None:
    own = {**shop.component("web"), "steps": [{"weight": 20, "hold": "1m"}, {"weight": 100}]}
    asked = release("v1.0.0", components=[shop.component("api"), own], steps=[{"weight": 100, "hold": "5s"}])
    spec = spec_of(Resolved(asked), effective(asked, ()), status=Status(), acts=(), tick=10.0)
    assert spec.tracks == (
        Track(("api",), (Rung(100_000, 5.0),)),
        Track(("web",), (Rung(20_000, 60.0), Rung(100_000, 0.0))),
    )


def test_where_there_are_no_guards_there_is_no_tick_to_wait_for() -> None:
    bare, guarded = release(), release(guards=[shop.error_rate("prod")])
    ticks = [
        spec_of(Resolved(each), effective(each, ()), status=Status(), acts=(), tick=10.0).tick
        for each in (bare, guarded)
    ]
    assert ticks == [None, 10.0]


def test_limits_checks_pause_and_deletion_are_what_the_release_says() -> None:
    check = {"name": "smoke", "when": ["BeforeTraffic"], "http": {"component": "web", "path": "/", "timeout": "2s"}}
    deadlines = {"ready": "2m", "step": "1h", "orphan": "30m"}
    asked = release("v1.0.0", checks=[check], deadlines=deadlines, keepPrevious="7m", paused=True, deleting=True)
    spec = spec_of(Resolved(asked), effective(asked, ()), status=Status(), acts=(), tick=10.0)
    assert spec.checks == (Check("smoke", (When.BEFORE_TRAFFIC,)),)
    assert spec.deadlines == (120.0, 3600.0, 1800.0)
    assert (spec.keep, spec.paused, spec.deleting) == (420.0, True, True)


def test_an_act_carries_what_its_writer_asked_for_and_saw() -> None:
    promoted = _asked("p", "1970-01-01T00:01:00Z", action="Promote", promote={"to": 50}, seen={"attempt": 4, "step": 2})
    assert act_of(promoted) == Act("uid-p", Action.PROMOTE, "ana", "why", 60.0, to=50_000, seen_attempt=4, seen_step=2)
    assert act_of(_asked("a", "1970-01-01T00:01:00Z", pause={"at": 10})).at == 10_000
    named = _asked("r", "1970-01-01T00:01:00Z", action="Rollback", rollback={"version": "v1.2.3"})
    assert act_of(named).version == "v1.2.3"


def test_only_the_acts_on_this_release_that_wait_for_an_answer_count_oldest_first() -> None:
    young, old = _asked("young", "2026-01-02T00:00:00Z"), _asked("old", "2026-01-01T00:00:00Z")
    elsewhere = _asked("elsewhere", "2026-01-01T00:00:00Z", targetRef={"kind": "Release", "name": "other"})
    answered = young.model_copy(update={"status": InterventionStatus(outcome=Answer.DONE, at=1.0)})
    assert unanswered([young, elsewhere, answered, old], "shop") == (old, young)


def test_the_author_of_a_content_stays_who_asked_for_it_first() -> None:
    edited = release("v1.0.0", author="bob@example.com")
    assert authors_of({"2": "ana@example.com"}, edited, "2") == {"2": "ana@example.com"}
    assert authors_of({}, edited, "2") == {"2": "bob@example.com"}
