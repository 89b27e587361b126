"""The client: what it asks, what it tries again, and the sentences it raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from tests.kube.fake import FakeApi, Seen, refusal, thing
from tidegate.errors import AlreadyExists, Conflict, Denied, NotFound, Permanent, Rejected, Transient, Unavailable
from tidegate.kube import DEPLOYMENTS, PODS, RELEASES, SERVICES, Client, Resource, client


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


@pytest.fixture
async def reach(api: FakeApi) -> AsyncIterator[Client]:
    async with api.client() as reach:
        yield reach


def answers(*codes: int, only: str = "", **headers: str) -> object:
    """A fault: these codes, one a request, then the truth."""
    left = list(codes)

    async def fault(seen: Seen) -> web.Response | None:
        if left and (not only or seen.method == only):
            return refusal(left.pop(0), "Fault", "on purpose", **headers)
        return None

    return fault


async def test_what_was_created_can_be_read_changed_and_deleted(reach: Client) -> None:
    made = await reach.create(DEPLOYMENTS, "shop", thing(DEPLOYMENTS, "web"))
    assert await reach.get(DEPLOYMENTS, "shop", "web") == made
    changed = await reach.merge(DEPLOYMENTS, "shop", "web", {"spec": {"replicas": 2}})
    assert changed["spec"] == {"replicas": 2}
    await reach.delete(DEPLOYMENTS, "shop", "web", uid=made["metadata"]["uid"])
    with pytest.raises(NotFound, match="Deployment shop/web does not exist"):
        await reach.get(DEPLOYMENTS, "shop", "web")


async def test_each_write_says_who_manages_the_fields(api: FakeApi, reach: Client) -> None:
    await reach.create(DEPLOYMENTS, "shop", thing(DEPLOYMENTS, "web"))
    await reach.merge(DEPLOYMENTS, "shop", "web", {})
    await reach.replace(DEPLOYMENTS, "shop", "web", thing(DEPLOYMENTS, "web"))
    assert [seen.query["fieldManager"] for seen in api.writes()] == ["tidegate"] * 3
    assert [seen.content_type for seen in api.writes()] == [
        "application/json",
        "application/merge-patch+json",
        "application/json",
    ]


async def test_what_is_created_is_validated_strictly(api: FakeApi, reach: Client) -> None:
    await reach.create(DEPLOYMENTS, "shop", thing(DEPLOYMENTS, "web"))
    assert api.writes()[0].query["fieldValidation"] == "Strict"


async def test_a_write_at_an_old_version_is_a_conflict_and_transient(reach: Client) -> None:
    await reach.create(RELEASES, "shop", thing(RELEASES, "web"))
    stale = {"metadata": {"resourceVersion": "1"}, "status": {"phase": "Idle"}}
    with pytest.raises(Conflict, match="Release shop/web was changed by someone else") as caught:
        await reach.merge(RELEASES, "shop", "web", stale, subresource="status")
    assert isinstance(caught.value, Transient)


async def test_what_is_there_already_is_told_apart_from_a_lost_race(reach: Client) -> None:
    await reach.create(RELEASES, "shop", thing(RELEASES, "web"))
    with pytest.raises(AlreadyExists):
        await reach.create(RELEASES, "shop", thing(RELEASES, "web"))


async def test_a_list_comes_in_chunks_and_says_each_items_kind(api: FakeApi, reach: Client) -> None:
    for number in range(7):
        api.put(PODS, thing(PODS, f"web-{number}", release="web"))
    api.put(PODS, thing(PODS, "other"))
    api.chunk = 3
    items, version = await reach.list(PODS, labels="tidegate.dev/release")
    assert [item["metadata"]["name"] for item in items] == [f"web-{number}" for number in range(7)]
    assert {item["kind"] for item in items} == {"Pod"}
    assert version == str(api.version)
    assert len(api.seen) == 3


async def test_a_read_is_tried_again_while_the_server_is_busy(api: FakeApi, reach: Client) -> None:
    api.put(RELEASES, thing(RELEASES, "web"))
    api.faults.append(answers(503, 429, Retry_After="0"))  # type: ignore[arg-type]
    await reach.get(RELEASES, "shop", "web")
    assert len(api.seen) == 3


async def test_a_read_is_not_tried_for_ever(api: FakeApi, reach: Client) -> None:
    api.faults.append(answers(*[500] * 9, Retry_After="0"))  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match=r"could not get Release shop/web now \(500\): on purpose"):
        await reach.get(RELEASES, "shop", "web")
    assert len(api.seen) == 3


async def test_a_long_retry_after_is_handed_to_the_caller(api: FakeApi, reach: Client) -> None:
    api.faults.append(answers(429, Retry_After="30"))  # type: ignore[arg-type]
    with pytest.raises(Unavailable) as caught:
        await reach.get(RELEASES, "shop", "web")
    assert caught.value.retry_after == 30
    assert len(api.seen) == 1


@pytest.mark.parametrize("code", [429, 500, 503, 504])
async def test_a_write_is_never_tried_again_blindly(api: FakeApi, reach: Client, code: int) -> None:
    api.put(RELEASES, thing(RELEASES, "web"))
    api.faults.append(answers(code, only="PATCH"))  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await reach.merge(RELEASES, "shop", "web", {})
    assert len(api.writes()) == 1


async def test_a_missing_right_is_named(api: FakeApi, reach: Client) -> None:
    async def fault(seen: Seen) -> web.Response:
        return refusal(403, "Forbidden", 'User "tidegate" cannot patch resource "releases/status" in API group')

    api.faults.append(fault)
    with pytest.raises(Denied, match=r"to patch releases/status in API group tidegate.dev") as caught:
        await reach.merge(RELEASES, "shop", "web", {}, subresource="status")
    assert isinstance(caught.value, Permanent)


async def test_a_quota_that_is_full_is_not_taken_for_a_missing_right(api: FakeApi, reach: Client) -> None:
    async def fault(seen: Seen) -> web.Response:
        return refusal(403, "Forbidden", "exceeded quota: pods=10")

    api.faults.append(fault)
    with pytest.raises(Denied, match="forbids to create Deployment shop/web: exceeded quota: pods=10"):
        await reach.create(DEPLOYMENTS, "shop", thing(DEPLOYMENTS, "web"))


async def test_what_is_refused_is_permanent_and_says_why(api: FakeApi, reach: Client) -> None:
    api.faults.append(answers(422))  # type: ignore[arg-type]
    with pytest.raises(Rejected, match="refused to create Service shop/web: on purpose"):
        await reach.create(SERVICES, "shop", thing(SERVICES, "web"))


async def test_an_answer_that_never_comes_is_unavailable(
    api: FakeApi, reach: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fault(seen: Seen) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(client, "TOTAL_SECONDS", 0.1)
    api.faults.append(fault)
    with pytest.raises(Unavailable, match=r"did not answer within 0.1 s when asked to delete Pod shop/web"):
        await reach.delete(PODS, "shop", "web")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with Client(replace(FakeApi().access(), server="http://127.0.0.1:1")) as reach:
        with pytest.raises(Unavailable, match="can't be reached"):
            await reach.delete(PODS, "shop", "web")


async def test_a_proxys_page_in_the_place_of_json_is_unavailable(api: FakeApi, reach: Client) -> None:
    async def fault(seen: Seen) -> web.Response:
        return web.Response(text="<html>")

    api.faults.append(fault)
    with pytest.raises(Unavailable, match="is a proxy between"):
        await reach.get(PODS, "shop", "web")


async def test_a_renewed_token_is_read_again_when_the_old_one_is_refused(api: FakeApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    accepted = "first"
    given: list[str] = []

    async def fault(seen: Seen) -> web.Response | None:
        return None if given[-1] == f"Bearer {accepted}" else refusal(401, "Unauthorized")

    api.faults.append(fault)
    api.put(PODS, thing(PODS, "web"))
    async with Client(replace(api.access(), token=None, token_file=token)) as reach:
        send = reach._send

        async def spied(*arguments: object) -> tuple[int, bytes, float | None]:
            given.append(str(arguments[-1]))
            return await send(*arguments)  # type: ignore[arg-type]

        reach._send = spied  # type: ignore[method-assign,assignment]
        await reach.get(PODS, "shop", "web")
        accepted = "second"
        token.write_text("second")
        await reach.get(PODS, "shop", "web")
        accepted = "third"
        with pytest.raises(Denied, match="does not know who we are"):
            await reach.get(PODS, "shop", "web")
    assert given == ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]


async def test_each_request_is_counted_by_verb_resource_and_code(api: FakeApi) -> None:
    counts: list[tuple[str, Resource, str]] = []
    async with Client(api.access(), counted=lambda *what: counts.append(what)) as reach:
        with pytest.raises(NotFound):
            await reach.get(PODS, "shop", "web")
        await reach.create(PODS, "shop", thing(PODS, "web"))
    assert counts == [("get", PODS, "404"), ("create", PODS, "201")]


async def test_a_kind_that_is_not_served_is_known(api: FakeApi, reach: Client) -> None:
    assert await reach.serves(RELEASES)
    api.served.remove(RELEASES)
    assert not await reach.serves(RELEASES)
    with pytest.raises(NotFound, match=r"does not know the kind Release \(tidegate.dev/v1alpha1\)"):
        await reach.list(RELEASES)
