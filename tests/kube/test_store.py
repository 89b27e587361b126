"""The view never turns back, and finds what belongs to a Release."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kube.fake import thing
from tidegate.api.meta import LABEL_RELEASE
from tidegate.kube import (
    CONFIGMAPS,
    DEPLOYMENTS,
    HTTPROUTES,
    LEASES,
    PODS,
    RELEASES,
    SECRETS,
    SERVICES,
    WATCHED,
    Key,
    Object,
    Store,
)


def stored(resource: Any, name: str, version: int, *, uid: str = "u1", release: str = "web", **more: Any) -> Object:
    body = thing(resource, name, release=release, **more)
    body["metadata"] |= {"uid": uid, "resourceVersion": str(version)}
    return body


def test_a_newer_object_takes_the_place_of_an_older_one() -> None:
    store = Store()
    assert store.put(RELEASES, stored(RELEASES, "web", 5))
    assert store.put(RELEASES, stored(RELEASES, "web", 10))
    assert store.version(RELEASES, "shop", "web") == 10


def test_versions_are_compared_as_numbers_not_as_text() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 9))
    assert store.put(RELEASES, stored(RELEASES, "web", 10))


def test_a_stale_line_of_a_watch_does_not_turn_the_view_back() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 10, spec={"version": "v2"}))
    assert not store.put(RELEASES, stored(RELEASES, "web", 9, spec={"version": "v1"}))
    found = store.get(RELEASES, "shop", "web")
    assert found is not None
    assert found["spec"] == {"version": "v2"}


def test_the_same_version_again_is_no_news() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 10))
    assert not store.put(RELEASES, stored(RELEASES, "web", 10))


def test_an_old_line_about_a_former_object_of_the_name_is_not_taken_for_the_new_one() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 20, uid="new"))
    assert not store.put(RELEASES, stored(RELEASES, "web", 15, uid="old"))
    assert not store.drop(RELEASES, "shop", "web", "old", 18)
    assert store.uid(RELEASES, "shop", "web") == "new"


def test_a_late_answer_does_not_raise_the_dead() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 10))
    assert store.drop(RELEASES, "shop", "web", "u1", 12)
    assert not store.put(RELEASES, stored(RELEASES, "web", 11))
    assert store.get(RELEASES, "shop", "web") is None


def test_an_answer_that_comes_before_its_deletion_was_seen_at_all_does_not_raise_the_dead() -> None:
    store = Store()
    assert not store.drop(RELEASES, "shop", "web", "u1", 12)
    assert not store.put(RELEASES, stored(RELEASES, "web", 11))


def test_a_new_object_of_the_name_of_a_dead_one_is_taken() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 10))
    store.drop(RELEASES, "shop", "web", "u1", 12)
    assert store.put(RELEASES, stored(RELEASES, "web", 13, uid="u2"))


def test_a_deletion_older_than_what_is_known_is_not_believed() -> None:
    store = Store()
    store.put(PODS, stored(PODS, "web-1", 20))  # it lost its label at 18 and got it back at 20
    assert not store.drop(PODS, "shop", "web-1", "u1", 18)
    assert store.get(PODS, "shop", "web-1") is not None


def test_what_loses_the_label_is_none_of_ours_any_more() -> None:
    store = Store()
    store.put(DEPLOYMENTS, stored(DEPLOYMENTS, "web", 10))
    assert store.put(DEPLOYMENTS, stored(DEPLOYMENTS, "web", 11, release=""))
    assert store.get(DEPLOYMENTS, "shop", "web") is None
    assert store.put(DEPLOYMENTS, stored(DEPLOYMENTS, "web", 12))


def test_an_unlabelled_service_is_known_so_that_its_owner_can_be_told_to_label_it() -> None:
    store = Store()
    store.put(SERVICES, stored(SERVICES, "web", 10, release=""))
    assert store.get(SERVICES, "shop", "web") is not None
    assert store.of_release(SERVICES, "shop", "web") == []


def test_objects_are_found_by_release_within_their_namespace_only() -> None:
    store = Store()
    for name in ("b", "a"):
        store.put(DEPLOYMENTS, stored(DEPLOYMENTS, name, 10, uid=name))
    store.put(DEPLOYMENTS, stored(DEPLOYMENTS, "c", 10, uid="c", release="other"))
    elsewhere = stored(DEPLOYMENTS, "d", 10, uid="d")
    elsewhere = {**elsewhere, "metadata": {**elsewhere["metadata"], "namespace": "test"}}
    store.put(DEPLOYMENTS, elsewhere)
    assert [obj["metadata"]["name"] for obj in store.of_release(DEPLOYMENTS, "shop", "web")] == ["a", "b"]
    assert [obj["metadata"]["name"] for obj in store.within(DEPLOYMENTS, "shop")] == ["a", "b", "c"]


def route(version: int, *services: str, name: str = "web") -> Object:
    refs = [{"name": service} for service in services]
    return stored(HTTPROUTES, name, version, release="", spec={"rules": [{"backendRefs": refs}]})


def test_routes_are_found_by_the_services_they_name_and_no_longer_when_they_stop() -> None:
    store = Store()
    store.put(HTTPROUTES, route(10, "web", "other"))
    assert len(store.routes_naming("shop", "web")) == 1
    store.put(HTTPROUTES, route(11, "other"))
    assert store.routes_naming("shop", "web") == []
    assert len(store.routes_naming("shop", "other")) == 1


def test_a_backend_of_another_namespace_or_kind_is_not_a_service_of_ours() -> None:
    store = Store()
    refs = [{"name": "web", "namespace": "elsewhere"}, {"name": "web", "kind": "Bucket"}]
    store.put(HTTPROUTES, stored(HTTPROUTES, "web", 10, spec={"rules": [{"backendRefs": refs}, {}]}))
    assert store.routes_naming("shop", "web") == []


def test_releases_are_found_by_the_route_their_traffic_goes_by() -> None:
    store = Store()
    component = {"name": "web", "kubernetes": {"traffic": {"httpRoute": {"name": "front"}}}}
    store.put(RELEASES, stored(RELEASES, "web", 10, spec={"components": [component, {"name": "x"}]}))
    assert store.releases_naming("shop", "front") == [Key("shop", "web")]
    store.drop(RELEASES, "shop", "web")
    assert store.releases_naming("shop", "front") == []


def test_what_is_not_watched_is_not_kept_and_asking_for_it_is_a_mistake() -> None:
    store = Store()
    assert not store.put(LEASES, stored(LEASES, "lock", 10))
    with pytest.raises(LookupError, match="read it from the server"):
        store.get(LEASES, "shop", "lock")


def naming(config_map: str, version: int = 5) -> Object:
    """A Release whose template names a ConfigMap."""
    container = {"name": "app", "image": "app", "envFrom": [{"configMapRef": {"name": config_map}}]}
    template = {"spec": {"containers": [container]}}
    return stored(
        RELEASES, "web", version, spec={"components": [{"name": "api", "kubernetes": {"template": template}}]}
    )


def test_of_configuration_only_what_a_release_names_or_what_is_labelled_is_kept_and_its_metadata_alone() -> None:
    store = Store()
    store.put(RELEASES, naming("named"))
    for name, release in (("named", ""), ("ours", "web"), ("others", "")):
        store.put(CONFIGMAPS, stored(CONFIGMAPS, name, 10, release=release, data={"much": "x" * 1000}))
    assert {key.name for key in store.keys(CONFIGMAPS)} == {"named", "ours"}
    assert all("data" not in (store.get(CONFIGMAPS, "shop", name) or {}) for name in ("named", "ours"))
    assert store.releases_mentioning(CONFIGMAPS, Key("shop", "named")) == [Key("shop", "web")]
    assert store.releases_mentioning(SECRETS, Key("shop", "named")) == []


def test_what_a_release_names_no_longer_is_let_go_at_the_next_word_of_it() -> None:
    store = Store()
    store.put(RELEASES, naming("old"))
    store.put(CONFIGMAPS, stored(CONFIGMAPS, "old", 10, release=""))
    store.put(RELEASES, naming("new", 11))
    assert not store.put(CONFIGMAPS, stored(CONFIGMAPS, "old", 12, release=""))
    assert store.keys(CONFIGMAPS) == []


def test_what_the_template_of_somebodys_labelled_deployment_names_concerns_the_release_of_the_label() -> None:
    store = Store()
    container = {"name": "app", "image": "app", "env": [{"valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}]}
    template = {"spec": {"containers": [container]}}
    store.put(DEPLOYMENTS, stored(DEPLOYMENTS, "api", 5, release="web", spec={"template": template}))
    assert store.releases_mentioning(SECRETS, Key("shop", "db")) == [Key("shop", "web")]


def test_a_view_is_whole_without_what_need_not_be_seen() -> None:
    store = Store()
    for resource in WATCHED:
        store.mark_synced(resource)
    assert store.all_synced
    store.mark_followed(SECRETS, None, "no right")
    store.mark_followed(SECRETS, "test")
    assert (store.trouble(SECRETS, "shop"), store.trouble(SECRETS, "test")) == ("no right", "")
    assert store.trouble(CONFIGMAPS, "shop") is None


def test_an_object_is_parsed_once_for_all_who_read_it_until_a_newer_one_comes() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 10, spec={"version": "v1"}))
    found = store.get(RELEASES, "shop", "web")
    assert store.get(RELEASES, "shop", "web") is found
    assert [store.within(RELEASES, "shop")[0]] == [found]
    store.put(RELEASES, stored(RELEASES, "web", 11, spec={"version": "v2"}))
    newer = store.get(RELEASES, "shop", "web")
    assert newer is not None
    assert newer["spec"]["version"] == "v2"


def test_of_many_objects_only_those_that_were_asked_for_last_stay_parsed() -> None:
    store = Store()
    for number in range(1000):
        store.put(RELEASES, stored(RELEASES, f"r{number}", number + 1))
    first = store.get(RELEASES, "shop", "r0")
    for number in range(1000):
        store.get(RELEASES, "shop", f"r{number}")
    again = store.get(RELEASES, "shop", "r0")
    assert again == first
    assert again is not first


def test_who_changes_what_others_read_too_is_told_of_it_by_any_test() -> None:
    """What `tests/conftest.py` lays over the store for all tests."""
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 10, spec={"version": "v1"}))
    found: Any = store.get(RELEASES, "shop", "web")
    found["spec"]["version"] = "v2"
    with pytest.raises(AssertionError, match="changed"):
        store.get(RELEASES, "shop", "web")


def test_the_view_is_whole_only_when_every_kind_is() -> None:
    store = Store()
    for resource in WATCHED:
        assert not store.all_synced
        store.mark_synced(resource)
    assert store.all_synced


def test_ballast_is_left_out_but_who_edited_a_route_is_kept() -> None:
    store = Store()
    for resource in (RELEASES, HTTPROUTES):
        body: Any = stored(resource, "web", 10)
        body["metadata"]["managedFields"] = [{"manager": "kubectl-edit"}]
        body["metadata"]["annotations"] = {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "kept": "yes",
        }
        store.put(resource, body)
    release, found = store.get(RELEASES, "shop", "web"), store.get(HTTPROUTES, "shop", "web")
    assert release is not None
    assert found is not None
    assert "managedFields" not in release["metadata"]
    assert release["metadata"]["annotations"] == {"kept": "yes"}
    assert found["metadata"]["managedFields"] == [{"manager": "kubectl-edit"}]


def test_a_server_that_went_back_is_believed_by_who_has_asked_it() -> None:
    store = Store()
    store.put(RELEASES, stored(RELEASES, "web", 100))
    store.turn_back(RELEASES, stored(RELEASES, "web", 50))
    assert store.version(RELEASES, "shop", "web") == 50


@given(st.permutations(range(1, 7)), st.integers(0, 6))
def test_lines_in_any_order_and_number_end_in_the_newest_state(order: list[int], deleted_at: int) -> None:
    store = Store()
    for version in [*order, *reversed(order)]:
        if version == deleted_at:
            store.drop(RELEASES, "shop", "web", "u1", version)
        elif version < deleted_at or not deleted_at:
            store.put(RELEASES, stored(RELEASES, "web", version, **{LABEL_RELEASE: str(version)}))
    assert store.version(RELEASES, "shop", "web") == (0 if deleted_at else 6)
