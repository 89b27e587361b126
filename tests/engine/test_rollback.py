"""Back in one step to a version that has served before: warm or cold, refused when it does not come up."""

from __future__ import annotations

from tests.engine.loop import Loop, climb
from tests.engine.rules import broken_by
from tests.engine.world import QUICK, act, percent, spec, version, world
from tidegate.engine.values import Action, Cause, Gate, Phase, Retire, Verdict

A, B, C = version("A", "web"), version("B", "web"), version("C", "web")


def climbing(weight: float = 50) -> Loop:
    return climb(world(spec(A), stable=A), B, broken_by).until_weight(weight)


def completed(keep: float = 100_000, *, wait: float = 10) -> Loop:
    """B serves; A, the previous version, is warm for `keep`."""
    loop = climb(world(spec(A, keep=keep), stable=A), B, broken_by).until_stable("B").run(wait)
    return loop.change(kept=(B, A))


def test_while_it_climbs_a_rollback_goes_to_stable_and_rejects() -> None:
    loop = climbing()
    uid = loop.person(Action.ROLLBACK)
    loop.turn()
    assert loop.split() == {"A": 100}
    loop.until_rest()
    assert (loop.answer(uid), loop.status.phase, loop.status.cause) == ("Done", Phase.REVERTED, Cause.PERSON)
    assert [r.content for r in loop.status.rejected] == ["B"]


def test_at_rest_it_goes_to_the_previous_version_in_one_step() -> None:
    loop = completed()
    loop.person(Action.ROLLBACK)
    loop.until_rest()
    assert loop.split() == {"A": 100}
    assert {t.after.split("web").get("A", 0) for t in loop.turns[-5:]} <= {0, 100}
    assert (loop.status.stable, loop.status.previous) == (A, None)  # what was left is no fast way back
    assert loop.status.phase is Phase.REVERTED
    assert loop.world.instance("web", "B") is None
    assert loop.world.road("web").pin == "A"


def test_no_gate_stands_before_it() -> None:
    loop = completed().change(start=Gate.SHUT, step=Gate.SHUT, verdict=Verdict.UNKNOWN).edit(paused=True)
    loop.person(Action.ROLLBACK)
    loop.run(10)
    assert loop.split() == {"A": 100}


def test_a_cold_version_is_started_beside_what_serves_first() -> None:
    loop = completed(keep=10, wait=100)
    assert loop.world.instance("web", "A") is None
    loop.person(Action.ROLLBACK)
    loop.change(sick=frozenset({"A"})).run(30)
    assert loop.split() == {"B": 100}
    assert loop.world.instance("web", "A") is not None
    loop.change(sick=frozenset()).until_rest()
    assert loop.split() == {"A": 100}


def test_if_it_does_not_come_up_nothing_has_changed() -> None:
    loop = completed(keep=10, wait=100).change(sick=frozenset({"A"}))
    loop.person(Action.ROLLBACK)
    loop.run(QUICK.ready + 20)
    assert (loop.status.stable, loop.split(), loop.status.rejected) == (B, {"B": 100}, ())
    assert loop.status.recall is not None
    assert loop.status.recall.gave_up
    assert loop.until_rest().world.instance("web", "A") is None  # and nothing of it is left


def test_any_kept_version_may_be_named() -> None:
    loop = completed().edit(version=C).until_stable("C").run(10).change(kept=(C, B, A))
    loop.person(Action.ROLLBACK, version="vA")
    loop.until_rest()
    assert loop.split() == {"A": 100}
    assert [r.content for r in loop.status.rejected] == ["C"]


def superseded() -> Loop:
    """C is asked for while B climbs, and the routes do not answer yet: B is still on its way back."""
    loop = climbing().change(deaf=frozenset({"web"})).edit(version=C).run(5)
    assert (loop.status.phase, loop.status.cause) == (Phase.REVERTING, Cause.SUPERSEDED)
    return loop


def test_while_what_was_superseded_goes_back_a_rollback_rejects_what_would_begin_next() -> None:
    loop = superseded()
    uid = loop.person(Action.ROLLBACK)
    loop.run(5).change(deaf=frozenset()).until_rest()
    assert (loop.answer(uid), loop.split(), loop.status.attempt) == ("Done", {"A": 100}, 2)
    assert (loop.status.phase, {r.content for r in loop.status.rejected}) == (Phase.REVERTED, {"B", "C"})
    loop.person(Action.RETRY)
    loop.until_weight(10)


def test_superseded_in_the_same_look_it_is_no_other() -> None:
    loop = climbing().edit(version=C)
    loop.person(Action.ROLLBACK)
    loop.until_rest()
    assert (loop.split(), {r.content for r in loop.status.rejected}) == ({"A": 100}, {"B", "C"})


def test_while_another_only_waits_a_rollback_rejects_that_too() -> None:
    loop = completed().change(start=Gate.SHUT).edit(version=C).run(5)
    assert loop.status.phase is Phase.WAITING
    loop.person(Action.ROLLBACK)
    loop.run(10).change(start=Gate.OPEN).until_rest()
    assert (loop.split(), loop.status.phase) == ({"A": 100}, Phase.REVERTED)
    assert {r.content for r in loop.status.rejected} == {"B", "C"}
    loop.edit(version=version("D", "web")).until_weight(10)


def test_what_it_goes_to_is_not_rejected_though_the_spec_asks_for_it() -> None:
    loop = climbing().edit(version=A)
    loop.person(Action.ROLLBACK)
    loop.until_rest()
    assert (loop.status.phase, [r.content for r in loop.status.rejected]) == (Phase.COMPLETED, ["B"])


def test_a_recall_knows_who_asked_for_it_and_why() -> None:
    for loop in (completed(keep=10, wait=100), completed().edit(version=C).until_weight(50)):
        loop.change(sick=frozenset({"A"}), deaf=frozenset({"web"})).person(Action.ROLLBACK, version="vA")
        loop.turn()
        assert loop.status.recall is not None
        assert (loop.status.recall.by, loop.status.recall.reason) == ("ana@example.com", "a test")


def test_what_is_not_kept_is_refused() -> None:
    loop = completed()
    uid = loop.person(Action.ROLLBACK, version="v0")
    loop.run(5)
    assert (loop.answer(uid), loop.split()) == ("Refused", {"B": 100})


def test_a_named_version_while_another_climbs_reverts_that_first() -> None:
    loop = completed().edit(version=C).until_weight(50)
    loop.person(Action.ROLLBACK, version="vA")
    loop.turn()
    assert loop.split() == {"B": 100}
    loop.until_rest()
    assert loop.split() == {"A": 100}


def test_a_rollback_does_not_hit_the_next_attempt() -> None:
    loop = climbing()
    loop.edit(version=C).until_weight(10)
    late = loop.person(Action.ROLLBACK, seen_attempt=2)
    loop.run(5)
    assert loop.answer(late) == "Refused"
    assert loop.part().weight == percent(10)


def test_a_rollback_of_a_climb_that_has_turned_back_does_not_hit_stable() -> None:
    for seen in (None, 3):
        loop = completed().edit(version=C).until_weight(10)
        written = loop.world.now
        loop.elapse(5).change(verdict=Verdict.BREACH).run(10)
        late = loop.person(Action.ROLLBACK, seen_attempt=seen, written=written)
        loop.run(100)
        assert loop.answer(late) == "Refused"
        assert loop.split() == {"B": 100}


def test_a_rollback_at_rest_is_bound_to_the_attempt_that_proved_stable() -> None:
    loop = completed()
    loop.person(Action.ROLLBACK, seen_attempt=2, written=0.0)
    loop.run(10)
    assert loop.split() == {"A": 100}
    loop = completed()
    late = loop.person(Action.ROLLBACK, seen_attempt=1)
    loop.run(10)
    assert (loop.answer(late), loop.split()) == ("Refused", {"B": 100})


def test_the_spec_may_ask_for_the_previous_version_too() -> None:
    loop = completed().edit(version=A)
    loop.run(10)
    assert loop.split() == {"A": 100}
    assert loop.until_rest().status.phase is Phase.COMPLETED
    assert loop.status.rejected == ()


def test_from_there_the_way_forward_is_the_ladder() -> None:
    loop = completed().edit(version=A).run(10).edit(version=B)
    loop.until_weight(10)


def test_an_older_version_that_the_spec_asks_for_climbs_like_a_new_one() -> None:
    loop = completed(keep=10).edit(version=C).until_stable("C").edit(version=A)
    loop.until_weight(10)


def test_a_rollback_that_gave_up_is_over_once_the_spec_asks_for_something_else() -> None:
    loop = completed(keep=10, wait=100).change(sick=frozenset({"A"})).edit(version=A).run(QUICK.ready + 20)
    assert loop.status.recall is not None
    assert loop.split() == {"B": 100}
    loop.edit(version=C).until_stable("C")


def test_a_retry_tries_a_rollback_that_gave_up_again() -> None:
    loop = completed(keep=10, wait=100).change(sick=frozenset({"A"})).edit(version=A).run(QUICK.ready + 20)
    loop.person(Action.RETRY)
    loop.change(sick=frozenset()).run(20)
    assert loop.split() == {"A": 100}


def test_what_serves_already_is_no_rollback() -> None:
    loop = completed()
    uid = loop.person(Action.ROLLBACK, version="vB")
    loop.run(5)
    assert loop.answer(uid) == "Refused"


def test_guards_are_shown_not_obeyed_on_the_way_back() -> None:
    loop = completed().change(verdict=Verdict.BREACH, deaf=frozenset({"web"}))
    loop.person(Action.ROLLBACK)
    loop.run(30)
    assert loop.status.phase is Phase.REVERTING
    loop.change(deaf=frozenset()).until_rest()
    assert loop.split() == {"A": 100}


def test_a_rollback_that_finds_an_edit_writes_each_route_once() -> None:
    """What is put back and what is rolled back are one route: two writes at the same time would take turns."""
    loop = completed()
    loop.person(Action.ROLLBACK)
    loop.turn()  # claims the version that is to serve again
    loop.write_split(X=100).elapse(1).run(5)
    assert loop.split() == {"A": 100}


def test_a_part_that_was_still_being_let_go_is_let_go_all_the_same() -> None:
    loop = climb(world(spec(A, keep=100_000), stable=A, parts=("api", "web")), version("B", "api", "web"), broken_by)
    loop.until_stable("B").run(10).change(deaf=frozenset({"api"}), kept=(A,)).edit(version=C).until_stable("C").run(5)
    assert loop.split("api") == {"B": 100}
    loop.person(Action.ROLLBACK, version="vA")
    loop.run(30).change(deaf=frozenset()).until_rest()
    assert (loop.split("web"), loop.split("api")) == ({"A": 100}, {})


def test_a_removal_of_a_rollback_that_gave_up_does_not_hit_the_one_that_is_tried_again() -> None:
    loop = completed(keep=0, wait=100)
    loop.change(sick=frozenset({"A"})).edit(version=A)
    loop.until(lambda: loop.status.recall is not None and loop.status.recall.gave_up)
    loop.until(lambda: any(isinstance(e, Retire) for e in loop.last.decision.effects))
    late = next(e for e in loop.last.decision.effects if isinstance(e, Retire))
    loop.world = loop.last.before._replace(status=loop.status, sick=frozenset())  # it has not arrived yet
    loop.person(Action.RETRY)
    loop.until(lambda: loop.status.stable == A)
    loop.world = act(loop.world._replace(roads=loop.last.before.roads), late)  # nor has the new split
    assert loop.world.instance("web", "A") is not None
