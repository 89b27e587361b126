"""Checks by real Jobs, made from a real suspended CronJob."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from hack.stage import shop
from hack.stage.api import Api, Refused
from tests.targets.mirror import mirror
from tests.targets.sample import app, climbing, release, version_of
from tidegate.checks import CheckResult, Checks
from tidegate.engine.values import CheckKey, Outcome, When
from tidegate.kube import Client, Cluster, Key, Store
from tidegate.targets.port import App

BEFORE = CheckKey("smoke", When.BEFORE_TRAFFIC, 1)


class Place:
    """A namespace with a CronJob `smoke`, and a Release that is climbing."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.cluster, self.namespace, self.people = Cluster(client, Store()), namespace, Api()
        self.woken: list[Key] = []
        self.checks = Checks(self.cluster, self.woken.append)
        self.app: App | None = None

    def open(self, command: Sequence[str], timeout: str = "20s") -> None:
        self.people.apply(shop.namespace(self.namespace))
        container = {
            "name": "smoke",
            "image": "tidegate.local/busybox:1",
            "imagePullPolicy": "IfNotPresent",
            "command": list(command),
        }
        pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
        cronjob: dict[str, Any] = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {
                "name": "smoke",
                "namespace": self.namespace,
                "labels": {"tidegate.dev/release": "storefront"},
            },
            "spec": {
                "schedule": "0 0 1 1 *",
                "suspend": True,
                "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
            },
        }
        self.people.apply(cronjob)
        check = {"name": "smoke", "when": ["BeforeTraffic"], "job": {"cronJob": "smoke", "timeout": timeout}}
        # It owns the Job, which is garbage without it. Paused, so that an operator beside this test starts nothing.
        declared = shop.release(self.namespace, "v1.0.0", name="storefront", guards=[], checks=[check], paused=True)
        owner = self.people.create(declared)
        found = release("v1.0.0", shop.component(), namespace=self.namespace, checks=[check])
        self.app = app(found, climbing(None, version_of(found)), uid=owner["metadata"]["uid"])

    async def close(self) -> None:
        await self.checks.close()
        await self.cluster.client.close()
        self.people.delete("Release", self.namespace, "storefront")
        if self.people.get("Release", self.namespace, "storefront"):
            with suppress(Refused):  # let go by now
                self.people.merge("Release", self.namespace, "storefront", {"metadata": {"finalizers": None}})
        self.people.delete("Namespace", "", self.namespace)
        self.people.close()

    async def answer(self) -> CheckResult:
        assert self.app
        end = time.monotonic() + 60
        while time.monotonic() < end:
            await mirror(self.cluster, self.namespace)
            await self.checks.run(self.app, BEFORE, {})
            found = self.checks.observe(self.app, [BEFORE]).get(BEFORE)
            if found and found.outcome is not Outcome.RUNNING:
                return found
            await asyncio.sleep(0.3)
        raise AssertionError("the check never ended")


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place(Client.from_environment(), f"checks-{uuid.uuid4().hex[:8]}")
    try:
        yield place
    finally:
        await place.close()


async def test_a_job_that_succeeds_passes_and_is_made_once(place: Place) -> None:
    place.open(["sh", "-c", 'test "$TIDEGATE_VERSION" = v1.0.0 && test "$TIDEGATE_RELEASE" = storefront'])
    assert (await place.answer()).outcome is Outcome.PASSED
    assert len(place.people.list("Job", place.namespace)) == 1


async def test_a_job_that_fails_says_where_to_read_on(place: Place) -> None:
    place.open(["sh", "-c", "exit 3"])
    found = await place.answer()
    assert found.outcome is Outcome.FAILED
    assert f"See kubectl logs job/{found.job}" in found.message


async def test_a_job_that_does_not_end_fails_by_its_own_deadline(place: Place) -> None:
    place.open(["sleep", "1000"], timeout="2s")
    found = await place.answer()
    assert found.outcome is Outcome.FAILED
    assert "longer than specified deadline" in found.message
