"""What an event wakes: the Releases that it concerns, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kube.fake import thing
from tidegate.controller.intake import Intake
from tidegate.kube import (
    CONNECTIONS,
    CONTROLLERREVISIONS,
    CRONJOBS,
    DEPLOYMENTS,
    HTTPROUTES,
    INTERVENTIONS,
    JOBS,
    PODS,
    POLICIES,
    RELEASES,
    SERVICES,
    Key,
    Object,
    Resource,
    Store,
)

WEB, API, OTHER = Key("shop", "web"), Key("shop", "api"), Key("test", "web")


class World:
    def __init__(self) -> None:
        self.woken: list[Key] = []
        self.urgent: list[Key] = []
        self.gone: list[Key] = []
        self.store = Store()
        self.changed: list[Key] = []
        self.intake = Intake(self.store, self._wake, self.gone.append, lambda resource, key: self.changed.append(key))
        self._version = 0
        for key in (WEB, API, OTHER):
            component = {"name": "c", "kubernetes": {"traffic": {"httpRoute": {"name": f"{key.name}-route"}}}}
            self.event(RELEASES, "ADDED", key.name, namespace=key.namespace, spec={"components": [component]})
        self.woken.clear()

    def _wake(self, key: Key, first: bool) -> None:
        self.woken.append(key)
        if first:
            self.urgent.append(key)

    def event(self, resource: Resource, event: str | None, name: str, **more: Any) -> bool:
        self._version += 1
        obj = thing(resource, name, **more)
        obj["metadata"] |= {"uid": f"{resource}-{name}", "resourceVersion": str(self._version)}
        self.last: Object = obj
        return self.intake.took(resource, event, obj)


@pytest.fixture
def world() -> World:
    return World()


def test_a_release_wakes_itself(world: World) -> None:
    world.event(RELEASES, "MODIFIED", "web")
    assert world.woken == [WEB]


def test_a_deleted_release_wakes_itself_and_is_forgotten(world: World) -> None:
    world.event(RELEASES, "DELETED", "web")
    assert world.woken == [WEB]
    assert world.gone == [WEB]


@pytest.mark.parametrize("resource", [POLICIES, CONNECTIONS])
def test_a_policy_or_connection_wakes_every_release_of_its_namespace(world: World, resource: Resource) -> None:
    world.event(resource, "ADDED", "any")
    assert world.woken == [API, WEB]


def test_an_intervention_wakes_its_target_before_all_others(world: World) -> None:
    world.event(INTERVENTIONS, "ADDED", "stop", spec={"targetRef": {"kind": "Release", "name": "web"}})
    assert world.woken == world.urgent == [WEB]


@pytest.mark.parametrize("resource", [DEPLOYMENTS, SERVICES, PODS, JOBS, CRONJOBS, CONTROLLERREVISIONS])
def test_a_labelled_object_wakes_the_release_of_its_label(world: World, resource: Resource) -> None:
    world.event(resource, "ADDED", "any", release="web")
    assert world.woken == [WEB]


def test_a_label_that_moves_wakes_both_releases(world: World) -> None:
    world.event(SERVICES, "ADDED", "front", release="web")
    world.woken.clear()
    world.event(SERVICES, "MODIFIED", "front", release="api")
    assert world.woken == [API, WEB]


def test_a_label_taken_away_wakes_the_release_that_has_lost_the_object(world: World) -> None:
    world.event(DEPLOYMENTS, "ADDED", "web-1", release="web")
    world.woken.clear()
    world.event(DEPLOYMENTS, "DELETED", "web-1")
    assert world.woken == [WEB]


def test_a_route_wakes_every_release_that_names_it(world: World) -> None:
    world.event(HTTPROUTES, "ADDED", "web-route")
    assert world.woken == [WEB]


def test_a_route_wakes_who_has_left_a_stamp_on_it(world: World) -> None:
    route = thing(HTTPROUTES, "shared")
    route["metadata"] |= {
        "uid": "r",
        "resourceVersion": "900",
        "annotations": {"tidegate.dev/move-api": "{}", "example.com/x": "y"},
    }
    world.intake.took(HTTPROUTES, None, route)
    assert world.woken == [API]


@pytest.mark.parametrize("resource", [RELEASES, PODS, HTTPROUTES, INTERVENTIONS])
def test_what_comes_for_the_first_time_is_not_parsed_again(
    world: World, resource: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tens of thousands of them come at a start."""
    monkeypatch.setattr(Store, "_read", lambda *_: pytest.fail("it was parsed"))
    assert world.event(resource, None, "new", release="web", spec={"targetRef": {"kind": "Release", "name": "web"}})
    assert world.woken


def test_an_unlabelled_service_wakes_nobody(world: World) -> None:
    world.event(SERVICES, "ADDED", "someone-elses")
    assert world.woken == []


def test_missing_double_and_late_events_change_nothing(world: World) -> None:
    world.event(PODS, "ADDED", "web-1", release="web")
    first = world.last
    world.event(PODS, "MODIFIED", "web-1", release="web")
    world.woken.clear()
    assert not world.intake.took(PODS, "MODIFIED", world.last)
    assert not world.intake.took(PODS, "ADDED", first)
    assert not world.intake.took(PODS, None, first)
    assert world.woken == []


def test_our_own_write_coming_back_wakes_nobody(world: World) -> None:
    status = thing(RELEASES, "web", status={"phase": "Idle"})
    status["metadata"] |= {"uid": "releases.tidegate.dev-web", "resourceVersion": "500"}
    world.store.put(RELEASES, status)  # as the answer to our write has
    assert not world.intake.took(RELEASES, "MODIFIED", status)
    assert world.woken == []


@pytest.mark.parametrize("resource", [POLICIES, CONNECTIONS])
def test_what_we_write_of_a_policy_or_connection_ourselves_wakes_nobody(world: World, resource: Resource) -> None:
    def seen(event: str, version: int, generation: int, uid: str = "one") -> tuple[list[Key], list[Key]]:
        world.woken.clear()
        world.changed.clear()
        obj = thing(resource, "any")
        obj["metadata"] |= {"uid": uid, "generation": generation, "resourceVersion": str(version)}
        assert world.intake.took(resource, event, obj)
        return world.woken, world.changed

    all_of_them = ([API, WEB], [Key("shop", "any")])
    assert seen("ADDED", 100, 1) == all_of_them
    assert seen("MODIFIED", 101, 1) == ([], [])
    assert seen("MODIFIED", 102, 2) == all_of_them
    assert seen("MODIFIED", 103, 2, uid="made anew") == all_of_them
    assert seen("DELETED", 104, 2, uid="made anew") == all_of_them
