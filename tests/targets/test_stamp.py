from __future__ import annotations

from typing import Any

import pytest

from tidegate.targets.kubernetes.stamp import (
    Stamp,
    annotation,
    last_change,
    last_editor,
    left_at,
    stamp_of,
    token_of,
)
from tidegate.targets.kubernetes.traffic.gateway import is_followed, refusals_of

UID = "uid-1"
RULES = ("f:spec", "f:rules")


def route(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "uid": "r", "generation": 4, **metadata}, "spec": {"rules": []}}


def entry(manager: str, when: str, *, subresource: str = "", rules: bool = True) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {"f:rules": {}}} if rules else {"f:metadata": {}}
    return {"manager": manager, "time": when, "fieldsV1": fields, "subresource": subresource}


def parent(generation: int, **statuses: str) -> dict[str, Any]:
    conditions = [
        {"type": kind, "status": status, "observedGeneration": generation, "message": f"{kind} it is"}
        for kind, status in statuses.items()
    ]
    return {"parentRef": {"name": "tidegate"}, "conditions": conditions}


def test_a_stamp_is_read_back_to_the_millisecond() -> None:
    stamp = Stamp({"web": 7, "api": 3}, 1_800_000_000.123)
    marked = route(annotations={annotation("shop"): stamp.written(UID)})
    assert stamp_of(marked, "shop", UID) == stamp
    assert stamp_of(marked, "shop", UID).move("other") == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"uid":"uid-1"}',
        '{"uid":"uid-1","moves":7,"at":0}',
        '{"uid":"uid-1","moves":{"a":"x"},"at":0}',
        '{"uid":"another","moves":{"web":9},"at":0}',
        '{"uid":"uid-1","moves":{"web":9},"at":1e999}',
        '{"uid":"uid-1","moves":{"web":9},"at":NaN}',
        '{"uid":"uid-1","moves":{"web":1e999},"at":0}',
        f'{{"uid":"uid-1","moves":{{"web":9}},"at":{10**30}}}',
        f'{{"uid":"uid-1","moves":{{"web":{10**30}}},"at":0}}',
        f'{{"uid":"uid-1","moves":{{"web":{"9" * 5000}}},"at":0}}',
        '{"uid":"uid-1","moves":{"web":-1},"at":0}',
        '{"uid":"uid-1","moves":{"web":true},"at":0}',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_or_is_anothers_is_no_stamp(text: str) -> None:
    assert stamp_of(route(annotations={annotation("shop"): text}), "shop", UID) == Stamp()


def test_a_token_changes_with_the_spec_and_the_object_but_not_with_its_status() -> None:
    assert token_of(route(resourceVersion="1")) == token_of(route(resourceVersion="2"))
    assert token_of(route(generation=5)) != token_of(route())
    assert token_of(route(uid="anew")) != token_of(route())


def test_the_last_editor_is_who_owns_the_rules_now() -> None:
    ours, theirs = entry("tidegate", "2026-11-23T10:00:00Z"), entry("kubectl-edit", "2026-11-23T11:00:00Z")
    gateway = entry("traefik", "2026-11-23T12:00:00Z", subresource="status")
    assert last_editor(route(managedFields=[theirs, gateway]), *RULES) == "kubectl-edit"
    assert last_editor(route(managedFields=[ours, theirs]), *RULES) is None
    assert last_editor(route(managedFields=[entry("argocd", "2026-11-23T11:00:00Z", rules=False)]), *RULES) is None
    assert last_editor(route(), *RULES) is None


def test_traffic_left_when_we_moved_it_or_when_a_person_did() -> None:
    edited = route(managedFields=[entry("kubectl-edit", "2027-01-15T08:00:10Z")])
    ours = route(managedFields=[entry("tidegate", "2027-01-15T08:00:10Z")])
    assert left_at(edited, Stamp(at=1_800_000_000.0), *RULES) == 1_800_000_011.0
    assert left_at(edited, Stamp(at=1_800_000_500.0), *RULES) == 1_800_000_500.0
    assert left_at(ours, Stamp(at=1_800_000_000.0), *RULES) == 1_800_000_000.0
    assert last_change(ours, *RULES, by_us=True) == 1_800_000_011.0


@pytest.mark.parametrize(
    ("parents", "followed"),
    [
        ([], False),
        ([{"parentRef": {"name": "silent"}}], False),
        ([parent(4, Accepted="True", ResolvedRefs="True")], True),
        ([parent(4, Accepted="True"), parent(3, Accepted="True")], False),
        ([parent(5, Accepted="True")], True),
    ],
)
def test_the_data_plane_follows_when_every_gateway_has_taken_the_newest_spec(
    parents: list[Any], followed: bool
) -> None:
    assert is_followed({**route(), "status": {"parents": parents}}) is followed


def test_only_refusals_of_the_newest_spec_count() -> None:
    parents = [parent(4, Accepted="True", ResolvedRefs="False"), parent(3, Accepted="False")]
    found = list(refusals_of({**route(), "status": {"parents": parents}}))
    assert found == [("tidegate", "ResolvedRefs", "ResolvedRefs it is")]
