"""Kopf, embedded as in production, against a server that misbehaves. Each trap that was measured has its test."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import kopf
import pytest

import tidegate.controller
from tests.controller.waiting import soon
from tests.kube.fake import FakeApi, thing
from tidegate.api.meta import FINALIZER
from tidegate.controller.intake import Intake
from tidegate.controller.watch import NoMemories, pinned, watch
from tidegate.kube import DEPLOYMENTS, INTERVENTIONS, PODS, RELEASES, SERVICES, Key, Object, Resource, Store, key_of

RESOURCES = (RELEASES, INTERVENTIONS, SERVICES, DEPLOYMENTS, PODS)


class Watched:
    def __init__(self) -> None:
        self.store = Store()
        self.lines: list[tuple[Resource, str | None, Key]] = []
        self.counts: list[tuple[str, str, str]] = []
        self._intake = Intake(self.store, lambda key, first: None, lambda key: None)

    def counted(self, verb: str, resource: Resource, code: str) -> None:
        self.counts.append((verb, resource.full_name, code))

    def took(self, resource: Resource, event: str | None, obj: Object) -> None:
        self.lines.append((resource, event, key_of(obj)))
        self._intake.took(resource, event, obj)

    def names(self, resource: Resource) -> set[str]:
        return {key.name for key in self.store.keys(resource)}


@asynccontextmanager
async def watching(api: FakeApi, *namespaces: str) -> AsyncIterator[Watched]:
    watched = Watched()
    started = asyncio.Event()
    access = api.access()
    task = asyncio.create_task(
        watch(
            access,
            watched.took,
            namespaces=namespaces,
            started=started,
            resources=RESOURCES,
            counted=watched.counted,
        )
    )
    try:
        await soon(started.is_set)
        await soon(lambda: sum(seen.watches for seen in api.seen) >= len(RESOURCES) * max(1, len(namespaces)))
        yield watched
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


async def test_what_is_there_and_what_comes_changes_and_goes_arrives_and_nothing_is_written(api: FakeApi) -> None:
    api.put(RELEASES, thing(RELEASES, "web"))
    async with watching(api) as watched:
        await soon(lambda: watched.names(RELEASES) == {"web"})
        api.put(RELEASES, thing(RELEASES, "api"))
        api.put(RELEASES, thing(RELEASES, "web", spec={"version": "v2"}))
        await soon(lambda: watched.store.version(RELEASES, "shop", "web") == api.version)
        api.remove(RELEASES, "shop", "api")
        await soon(lambda: watched.names(RELEASES) == {"web"})
    assert api.writes() == []


async def test_what_the_watches_ask_of_the_api_server_is_counted(api: FakeApi) -> None:
    async with watching(api) as watched:
        each = {(verb, resource.full_name, "200") for resource in RESOURCES for verb in ("list", "watch")}
        await soon(lambda: each <= set(watched.counts))
        await soon(lambda: len(watched.counts) == len(api.seen))  # each request once


async def test_our_finalizer_is_left_alone(api: FakeApi) -> None:
    body = thing(RELEASES, "web")
    body["metadata"]["finalizers"] = [FINALIZER]
    api.put(RELEASES, body)
    async with watching(api) as watched:
        await soon(lambda: watched.names(RELEASES) == {"web"})
        api.put(RELEASES, body)
        await soon(lambda: watched.store.version(RELEASES, "shop", "web") == api.version)
    assert api.writes() == []
    assert api.objects[RELEASES, "shop", "web"]["metadata"]["finalizers"] == [FINALIZER]


async def test_only_labelled_pods_are_asked_for_but_every_service_is_seen(api: FakeApi) -> None:
    for resource in (PODS, SERVICES):
        api.put(resource, thing(resource, "ours", release="web"))
        api.put(resource, thing(resource, "other"))
    async with watching(api) as watched:
        await soon(lambda: watched.names(SERVICES) == {"ours", "other"})
        await soon(lambda: watched.names(PODS) == {"ours"})
    for seen in api.seen:
        if seen.path.endswith(("/pods", "/deployments")):
            assert seen.query["labelSelector"] == "tidegate.dev/release"
        elif seen.path.endswith(("/services", "/releases")):
            assert "labelSelector" not in seen.query


async def test_a_cut_stream_goes_on_where_it_was(api: FakeApi) -> None:
    async with watching(api) as watched:
        api.cut()
        api.put(RELEASES, thing(RELEASES, "web"))
        await soon(lambda: watched.names(RELEASES) == {"web"})
        api.cut()
        api.remove(RELEASES, "shop", "web")
        await soon(lambda: watched.names(RELEASES) == set())


async def test_after_a_410_all_is_listed_anew_and_that_is_seen(api: FakeApi) -> None:
    api.put(RELEASES, thing(RELEASES, "web"))
    async with watching(api) as watched:
        await soon(lambda: watched.names(RELEASES) == {"web"})
        api.remove(RELEASES, "shop", "web", told=False)
        api.put(RELEASES, thing(RELEASES, "api"), told=False)
        watched.lines.clear()
        api.expire()
        await soon(lambda: "api" in watched.names(RELEASES))
        # Nobody tells of the deletion: that a list came (an event without a type) is what the sweep goes by.
        assert (RELEASES, None, Key("shop", "api")) in watched.lines
        assert "web" in watched.names(RELEASES)


async def test_doubled_and_stale_lines_do_not_turn_the_view_back(api: FakeApi) -> None:
    old = api.put(RELEASES, thing(RELEASES, "web", spec={"version": "v1"}))
    async with watching(api) as watched:
        new = api.put(RELEASES, thing(RELEASES, "web", spec={"version": "v2"}))
        await soon(lambda: watched.store.version(RELEASES, "shop", "web") == api.version)
        api.version += 1
        for stale in (old, new, old):
            api.tell(RELEASES, "MODIFIED", stale)
        await soon(lambda: watched.lines.count((RELEASES, "MODIFIED", Key("shop", "web"))) >= 4)
        seen = watched.store.get(RELEASES, "shop", "web")
        assert seen is not None
        assert seen["spec"] == {"version": "v2"}


async def test_only_the_given_namespaces_are_watched(api: FakeApi) -> None:
    api.put(RELEASES, thing(RELEASES, "web", namespace="elsewhere"))
    api.put(RELEASES, thing(RELEASES, "web", namespace="shop"))
    async with watching(api, "shop") as watched:
        await soon(lambda: watched.names(RELEASES) == {"web"})
        assert watched.store.keys(RELEASES) == [Key("shop", "web")]


def test_the_settings_that_were_measured_are_pinned() -> None:
    settings = pinned()
    assert settings.persistence.finalizer != FINALIZER
    assert settings.queueing.worker_limit is None
    assert settings.queueing.idle_timeout == 0.01
    assert settings.watching.chunk_size == 50
    assert settings.watching.initial_streaming is False
    assert settings.posting.enabled is False
    assert settings.peering.standalone is True
    assert settings.scanning.disabled is True
    backoffs = settings.networking.error_backoffs
    assert isinstance(backoffs, tuple)
    assert 600 <= sum(backoffs) <= 1200


async def test_kopf_keeps_nothing_of_an_object_that_it_has_told_of(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[NoMemories] = []
    made = NoMemories.__init__

    def remembered(self: NoMemories) -> None:
        made(self)
        kept.append(self)

    monkeypatch.setattr(NoMemories, "__init__", remembered)
    api.put(RELEASES, thing(RELEASES, "web"))
    async with watching(api) as watched:
        await soon(lambda: watched.names(RELEASES) == {"web"})
        api.put(RELEASES, thing(RELEASES, "web", spec={"version": "v2"}))
        await soon(lambda: watched.store.version(RELEASES, "shop", "web") == api.version)
        assert [list(one.iter_all_memories()) for one in kept] == [[]]


def test_null_storages_leave_nothing_in_a_patch() -> None:
    settings, patch, body = pinned(), kopf.Patch(), kopf.Body({"spec": {"a": 1}})
    key = kopf.HandlerId("x")
    settings.persistence.diffbase_storage.store(body=body, patch=patch, essence=kopf.BodyEssence())
    settings.persistence.progress_storage.store(key=key, record=kopf.ProgressRecord(), body=body, patch=patch)
    settings.persistence.progress_storage.purge(key=key, body=body, patch=patch)
    settings.persistence.progress_storage.touch(body=body, patch=patch, value="x")
    assert not patch
    assert settings.persistence.diffbase_storage.build(body=body) == {}
    assert settings.persistence.diffbase_storage.fetch(body=body) is None
    assert settings.persistence.progress_storage.fetch(key=key, body=body) is None


def test_kopfs_stateful_half_is_not_used() -> None:
    allowed = {"event", "login"}
    for path in Path(next(iter(tidegate.controller.__path__))).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "on":
                assert node.attr in allowed, f"{path.name} uses kopf.on.{node.attr}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "kopf":
                assert node.attr not in {"timer", "daemon", "index", "event", "run"}, f"{path.name}: kopf.{node.attr}"
