"""Looks go on whatever fails; only who surely leads acts; and what no pass can be made of is told, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hack.stage import shop
from tests.controller.bench import KEY, NEW, OLD, Bench, Leader, gaps
from tests.controller.scenes import climbing, resting, sight, split
from tests.kube.fake import FakeApi, thing
from tidegate.api import ReleaseStatus
from tidegate.api.meta import FINALIZER
from tidegate.controller.loop import SLACK, Attention, Loop
from tidegate.controller.writers import AHEAD
from tidegate.engine.values import FULL, Decision, Instance, Phase, State, Status
from tidegate.errors import Permanent, Transient
from tidegate.kube import INTERVENTIONS, RELEASES, Cluster, Store
from tidegate.targets.port import Problem, Sight

NONSENSE: dict[str, Any] = {
    "a phase that is no word": {"phase": ["Banana"], "move": 7},
    "a weight that is none": {"phase": "Progressing", "weight": "x", "move": 7},
    "a rejection of nothing": {"phase": "Completed", "weight": 0, "rejected": [{"version": "v1"}], "move": 7},
    "conditions that are none": {"phase": ["Banana"], "conditions": [{"type": 5}], "move": 7},
}


def test_a_changed_memory_is_looked_at_again_without_waiting_for_anybody() -> None:
    """What a revert has left is taken down one pass after its end: no event of the world may come in between."""
    nobody = cast(Any, None)
    loop = Loop(nobody, nobody, nobody, nobody, Leader(), nobody, wall=lambda: 1000.0)
    was, written = Status(phase=Phase.REVERTING), ReleaseStatus()
    picture = cast(Any, SimpleNamespace(before=was, refused=(), troubles=()))

    def next_look(status: Status) -> float | None:
        seen = Attention("uid", 0.0, 0.0)
        return loop._next_look(Decision(status, (), None), seen, picture, written, written, True)

    assert next_look(was._replace(phase=Phase.REVERTED)) == 1000.0
    assert next_look(was) is None


@pytest.fixture
async def cluster() -> AsyncIterator[tuple[FakeApi, Cluster]]:
    async with FakeApi() as api, api.client() as client:
        yield api, Cluster(client, Store())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with FakeApi() as api, api.client() as client:
        yield Bench(api, client)


def at_rest() -> Status:
    return resting(stable=OLD)


def climbs() -> Status:
    return climbing(stable=OLD, candidate=NEW)


def raised_by_somebody() -> Sight:
    """Half of the traffic goes to what is not ours."""
    return sight(at_rest(), readings=split({OLD.content: 50, "stranger": 50}))


def without_candidate() -> tuple[Instance, ...]:
    return (Instance("web", OLD.content, State.READY, 2), Instance("web", NEW.content, State.LOST, 2))


@pytest.mark.parametrize("status", NONSENSE.values(), ids=NONSENSE)
async def test_a_status_that_cannot_be_read_is_told_once_and_left_as_it_is(
    status: dict[str, Any], cluster: tuple[FakeApi, Cluster]
) -> None:
    api, view = cluster
    document = shop.release("prod", "v1.0.0", guards=[])
    document["metadata"]["finalizers"] = [FINALIZER]
    view.store.put(RELEASES, api.put(RELEASES, {**document, "status": status}))
    nobody = cast(Any, None)  # nothing is looked at, nothing is done
    loop = Loop(view, nobody, nobody, nobody, Leader(), nobody)
    assert await loop.reconcile(KEY) is None
    after = api.objects[RELEASES, "prod", "shop"]["status"]
    told = {condition["type"]: condition for condition in after.pop("conditions")}
    assert after == {name: value for name, value in status.items() if name != "conditions"}
    assert told["Ready"]["status"] == "False"
    assert told["Ready"]["reason"] == "Invalid"
    assert "status" in told["Ready"]["message"]
    assert "put it right, or remove it" in told["Stalled"]["message"]
    await loop.reconcile(KEY)  # once the conditions can be read, there may be less to complain of
    writes = len(api.writes())
    await loop.reconcile(KEY)
    assert len(api.writes()) == writes <= 2, "said once, not at every look"


# ---- effects are backed off, looks are not


async def test_what_fails_is_tried_less_and_less_often_while_the_looks_go_on(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    bench.target.shows = raised_by_somebody()
    bench.target.error = Transient("no answer")
    looks = await bench.run(150)
    assert max(gaps(looks)) <= 1.001, "guards are judged as often as the engine wants"
    assert gaps(bench.target.instants())[-1] > 20
    assert max(gaps(bench.target.instants())) <= 61
    assert len(bench.target.writes) < 25


async def test_what_is_asked_for_again_and_again_and_changes_nothing_is_no_hot_loop(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    bench.target.shows = raised_by_somebody()
    looks = await bench.run(60)
    assert max(gaps(looks)) <= 1.001
    assert len(looks) < 100
    assert 4 < len(bench.target.writes) < 20


def missing(*, lasting: bool = True) -> tuple[Problem, ...]:
    return (Problem("web", "", "ConfigMapMissing", "ConfigMap web is not there. Create it.", lasting),)


async def test_a_climb_stands_where_it_is_while_something_that_the_spec_names_is_not_there(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = sight(climbs())
    bench.target.unresolved = missing()
    await bench.run(30)
    assert bench.phase is Phase.PROGRESSING
    assert bench.target.writes == [], "neither raised nor taken back"
    stalled = bench.condition("Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "ConfigMapMissing")


async def test_a_revert_waits_for_nothing_that_the_spec_names(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = replace(sight(climbs()), instances=without_candidate())
    bench.target.unresolved = missing(lasting=False)
    await bench.look()
    assert bench.phase is Phase.REVERTING
    assert bench.target.writes


async def test_at_rest_what_is_missing_is_told_and_nothing_begins(bench: Bench) -> None:
    bench.given(at_rest(), "v2.0.0")
    bench.target.unresolved = missing()
    await bench.run(30)
    assert bench.phase is Phase.WAITING
    assert "ConfigMap web is not there" in bench.condition("Ready")["message"]
    assert bench.target.done == []


async def test_to_ask_for_stable_again_is_heard_though_something_that_it_names_is_gone(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = sight(climbs())
    await bench.look()
    bench.edit(version="v1.0.0")
    bench.target.unresolved, bench.target.may_mean = missing(), {OLD.content: True, NEW.content: False}
    await bench.look()
    assert bench.phase is Phase.REVERTING
    assert bench.stored()["status"]["revert"]["cause"] == "PutBack"
    assert bench.target.writes


async def test_a_newer_version_that_names_something_missing_takes_the_candidate_back(bench: Bench) -> None:
    bench.given(climbs())
    bench.edit(version="v3.0.0")
    bench.target.unresolved, bench.target.may_mean = missing(), {OLD.content: False, NEW.content: False}
    await bench.run(60)
    assert bench.stored()["status"]["revert"]["cause"] == "Superseded"
    assert bench.phase is Phase.WAITING
    assert "ConfigMap web is not there" in bench.condition("Ready")["message"]
    assert bench.target.world.roads[0].split == ((OLD.content, FULL),)


async def test_at_rest_what_only_could_not_be_read_begins_nothing_and_is_looked_at_again(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    await bench.look()
    bench.target.unresolved, bench.target.may_mean = missing(lasting=False), {OLD.content: True}
    assert len(await bench.run(60)) == 6
    assert bench.phase is Phase.COMPLETED
    assert bench.condition("Ready")["status"] == "True"
    assert bench.target.done == []
    bench.target.unresolved = ()
    await bench.look()
    assert bench.condition("GatesOpen")["status"] == "True"


async def test_at_rest_a_foreign_edit_is_put_back_and_a_person_obeyed_though_a_source_can_not_be_read(
    bench: Bench,
) -> None:
    bench.given(at_rest()._replace(previous=NEW), "v1.0.0")
    bench.target.unresolved, bench.target.may_mean = missing(lasting=False), {OLD.content: True}
    bench.target.shows = raised_by_somebody()
    await bench.run(1)
    assert bench.target.writes
    spec = {"targetRef": {"kind": "Release", "name": "shop"}, "action": "Rollback", "by": "ana", "reason": "it is bad"}
    spec["seen"] = {"attempt": 1}
    body = {**thing(INTERVENTIONS, "back", namespace="prod"), "spec": spec}
    bench.cluster.store.put(INTERVENTIONS, bench.server.put(INTERVENTIONS, body))
    bench.target.shows = None
    await bench.run(1)
    assert bench.phase is Phase.REVERTED
    assert bench.stored()["status"]["stable"]["version"] == "v2.0.0"


async def test_a_revert_is_tried_again_within_five_seconds_whatever_happens(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = replace(sight(climbs()), instances=without_candidate())
    bench.target.error = Transient("no answer")
    looks = await bench.run(120)
    assert bench.phase is Phase.REVERTING
    assert max(gaps(looks)) <= 1.001
    assert max(gaps(bench.target.instants())) <= 5.0 + 1.001, "retried after at most 5 s, at a look"
    assert len(bench.target.writes) < 60


async def test_a_revert_goes_before_all_in_the_queue_but_not_when_it_has_just_failed(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = replace(sight(climbs()), instances=without_candidate())
    await bench.look()
    assert (bench.phase, bench.hurried) == (Phase.REVERTING, 1)
    bench.target.error = Transient("no answer")
    await bench.look()
    assert bench.hurried == 1
    bench.given(at_rest(), "v1.0.0")
    bench.target.error, bench.target.shows = None, raised_by_somebody()
    await bench.look()
    assert bench.hurried == 1, "only reverts"


async def test_a_trouble_that_is_over_is_told_no_longer(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    bench.target.shows, bench.target.error = raised_by_somebody(), Permanent("patch httproutes is forbidden")
    await bench.run(3)
    assert bench.condition("Stalled")["reason"] == "NotPermitted"
    bench.target.shows = bench.target.error = None  # somebody has put it right by hand
    assert await bench.look() == bench.now, "nothing else would wake it"
    assert await bench.look() is None
    assert bench.condition("Stalled")["status"] == "False"
    assert "forbidden" not in str(bench.stored()["status"])


# ---- only who leads acts


async def test_nothing_unconfirmed_is_done_while_the_lease_is_not_surely_ours(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    bench.target.shows = raised_by_somebody()
    await bench.run(1)
    done = len(bench.target.writes)
    bench.leader.sure = False
    looks = await bench.run(20)
    assert len(bench.target.writes) == done
    assert len(looks) < 60, "no hot loop"
    bench.leader.sure = True
    await bench.run(20)
    assert len(bench.target.writes) > done


async def test_nothing_unconfirmed_is_done_where_the_server_has_another_version_of_the_object(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    bench.target.shows = raised_by_somebody()
    await bench.run(1)
    done = len(bench.target.writes)
    bench.now += 30
    stale = bench.stored()
    bench.server.put(RELEASES, {**stale, "metadata": {**stale["metadata"], "labels": {"a": "b"}}}, told=False)
    reads = len(bench.server.seen)
    await bench.look()
    assert len(bench.target.writes) == done
    assert [seen.method for seen in bench.server.seen[reads:]] == ["GET"], "a fresh read, and nothing more"
    bench.now += 1
    await bench.look()  # the answer is in the view by now
    assert len(bench.target.writes) == done + 1


async def test_who_loses_the_race_for_the_status_throws_the_decision_and_its_effects_away(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = replace(sight(climbs()), instances=without_candidate())
    other = bench.stored()
    newer = {**other, "status": {**other["status"], "writer": {"holder": "other", "epoch": 1}}}
    bench.server.put(RELEASES, newer, told=False)
    assert await bench.look() == bench.now
    (write,) = bench.server.writes()
    assert write.body["metadata"]["resourceVersion"] == other["metadata"]["resourceVersion"]
    assert bench.stored()["status"]["writer"]["holder"] == "other"
    assert bench.target.writes == []
    assert bench.heard.recordings == [], "nothing is told that did not happen"
    await bench.look()
    assert bench.phase is Phase.REVERTING
    assert len(bench.target.writes) == 1


async def test_a_status_of_a_newer_leader_is_left_alone(bench: Bench) -> None:
    bench.given(climbs())
    written = bench.stored()
    bench.declare({**written, "status": {**written["status"], "writer": {"holder": "next", "epoch": 2}}})
    bench.target.shows = replace(sight(climbs()), instances=without_candidate())
    assert await bench.look() is None
    assert bench.server.writes() == []
    assert bench.target.writes == []


def claim(bench: Bench, epoch: int) -> None:
    """Somebody puts that number into the status."""
    written = bench.stored()
    bench.declare({**written, "status": {**written["status"], "writer": {"holder": "nobody", "epoch": epoch}}})


async def test_an_epoch_that_no_lease_can_have_reached_is_told_and_overwritten(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    claim(bench, 10**15)
    await bench.look()
    assert bench.stored()["status"]["writer"] == {"holder": "me", "epoch": 1}
    assert [(item.reason, item.warning) for item in bench.heard.news] == [("ForgedWriter", True)]
    version = bench.stored()["metadata"]["resourceVersion"]
    await bench.look()
    assert (len(bench.heard.news), bench.stored()["metadata"]["resourceVersion"]) == (1, version), "once"


async def test_a_revert_is_not_silenced_by_a_number_in_the_status(bench: Bench) -> None:
    bench.given(climbs())
    claim(bench, 10**15)
    bench.target.shows = replace(sight(climbs()), instances=without_candidate())
    await bench.look()
    assert bench.phase is Phase.REVERTING


async def test_an_epoch_that_a_second_operator_could_have_is_told_with_the_way_out_and_left_alone(
    bench: Bench,
) -> None:
    bench.given(at_rest(), "v1.0.0")
    claim(bench, int(bench.now // 60) + AHEAD)
    bench.leader.sure = False
    assert await bench.look() is None
    assert bench.heard.news == [], "it may be we who are deposed"
    bench.leader.sure = True
    assert await bench.look() is None
    (item,) = bench.heard.news
    assert item.reason == "WrittenByNewerLeader"
    assert "kubectl patch release shop --subresource=status --type=merge" in item.note
    assert bench.server.writes() == []
    bench.declare({**bench.stored(), "status": {**bench.stored()["status"], "writer": None}})
    assert await bench.look() is None
    assert len(bench.heard.news) == 1, "the way out was taken"


# ---- watching


async def test_what_was_missed_in_a_gap_of_watching_is_not_credited(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = sight(climbs())
    began = bench.now
    wake = await bench.look()
    assert wake is not None
    bench.now = wake + SLACK
    await bench.look()
    assert bench.heard.pictures[-1].seen.watched.since == began
    wake = await bench.look()
    assert wake is not None
    bench.now = wake + SLACK + 0.1
    await bench.look()
    assert bench.heard.pictures[-1].seen.watched.since == bench.now


async def test_another_object_of_the_same_name_is_watched_anew(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    await bench.look()
    bench.server.remove(RELEASES, *KEY)
    bench.cluster.store.drop(RELEASES, *KEY)
    await bench.look()
    assert bench.heard.lost == [KEY]
    bench.given(at_rest(), "v1.0.0")
    bench.now += 1
    await bench.look()
    assert bench.heard.pictures[-1].seen.watched.since == bench.now


async def test_at_rest_nothing_is_written_and_nobody_wakes_it(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    await bench.run(5)
    requests = len(bench.server.seen)
    bench.now += 3600
    assert await bench.look() is None
    assert len(bench.server.seen) == requests


# ---- a spec that can't be read


async def test_a_spec_that_cannot_be_read_stops_the_climb_and_no_revert(bench: Bench) -> None:
    bench.given(climbs())
    bench.target.shows = sight(climbs())
    await bench.look()
    bench.edit(steps=[{"weight": "many"}])
    bench.now += 3600
    await bench.run(30)
    assert bench.stored()["status"]["weight"] == 10, "nothing rises"
    said = bench.condition("Stalled")
    assert (said["status"], said["reason"]) == ("True", "Invalid")
    assert "spec.steps[0].weight" in said["message"]
    bench.target.shows = replace(sight(climbs()), instances=without_candidate())
    await bench.look()
    assert bench.phase is Phase.REVERTING
    assert [dict(write.split) for _, write in bench.target.writes] == [{OLD.content: 100_000}]


async def test_a_spec_that_cannot_be_read_keeps_nobody_from_deleting_it(bench: Bench) -> None:
    bench.given(at_rest(), "v1.0.0")
    await bench.look()
    body = bench.stored()
    deleted = {**body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    bench.declare({**body, "metadata": deleted, "spec": {**body["spec"], "steps": [{"weight": "many"}]}})
    await bench.run(5)
    assert "forget shop, settled: True" in bench.target.done
    assert (RELEASES, *KEY) not in bench.server.objects, "nothing held it any more"


async def test_a_spec_of_which_no_readable_one_is_known_is_told_and_left_alone(bench: Bench) -> None:
    bench.given(climbs())
    assert bench.condition("Reconciling")["status"] == "True"
    bench.edit(steps=[{"weight": "many"}])
    assert await bench.look() is None
    said = {kind: bench.condition(kind)["status"] for kind in ("Ready", "Reconciling", "Stalled")}
    assert said == {"Ready": "False", "Reconciling": "False", "Stalled": "True"}
    assert "spec.steps[0].weight" in bench.condition("Ready")["message"]
    assert bench.stored()["status"]["weight"] == 10
    assert bench.heard.pictures == []
