"""Checks by real Jobs, made from a real suspended CronJob. HTTP needs no cluster: it is in tests/checks."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from hack.stage import shop
from hack.stage.api import Api, Refused
from hack.stage.operator import install
from tests.checks.contract import CheckerContract, Reply
from tests.targets.mirror import mirror
from tests.targets.sample import app, climbing, release, version_of
from tidegate.checks import JobChecks, Reachable
from tidegate.engine.values import CheckKey, When
from tidegate.kube import Client, Cluster, Store

SAYS = {
    Reply.YES: ["sh", "-c", 'test "$TIDEGATE_VERSION" = v1.0.0 && test "$TIDEGATE_RELEASE" = storefront'],
    Reply.NO: ["sh", "-c", "exit 3"],
    Reply.NEVER: ["sleep", "1000"],
}


class Place:
    """A namespace with a CronJob `smoke`, and a Release that is climbing."""

    quick = False
    sizes: Mapping[tuple[str, str], Reachable] = {}
    key = CheckKey("smoke", When.BEFORE_TRAFFIC, 1)

    def __init__(self, client: Client, namespace: str) -> None:
        self.cluster, self.namespace, self.people = Cluster(client, Store()), namespace, Api()
        self.people.apply(shop.namespace(namespace))
        check: dict[str, Any] = {"name": "smoke", "when": ["BeforeTraffic"]}
        job = {**check, "job": {"cronJob": "smoke", "timeout": "5s"}}
        # It owns the Job, which is garbage without it. Paused, so that an operator beside this test starts nothing.
        declared = shop.release(namespace, "v1.0.0", name="storefront", guards=[], checks=[job], paused=True)
        uid = self.people.create(declared)["metadata"]["uid"]
        found = release("v1.0.0", shop.component(), namespace=namespace, checks=[job])
        self.app = app(found, climbing(None, version_of(found)), uid=uid)
        http = {**check, "http": {"component": "web", "path": "/"}}
        self.other = app(release("v1.0.0", shop.component(), namespace=namespace, checks=[http]), self.app.status)
        self.will_say(Reply.YES)

    def open(self) -> JobChecks:
        return JobChecks(self.cluster)

    def will_say(self, reply: Reply) -> None:
        container = {
            "name": "smoke",
            "image": "tidegate.local/busybox:1",
            "imagePullPolicy": "IfNotPresent",
            "command": SAYS[reply],
        }
        pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
        jobs = {"spec": {"backoffLimit": 0, "template": {"spec": pod}}}
        labels = {"tidegate.dev/release": "storefront"}
        cronjob = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "smoke", "namespace": self.namespace, "labels": labels},
            "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": jobs},
        }
        self.people.apply(cronjob)

    def take_away(self) -> None:
        self.people.delete("CronJob", self.namespace, "smoke")

    def asked(self) -> int:
        return len(self.people.list("Job", self.namespace))

    async def refresh(self) -> None:
        await mirror(self.cluster, self.namespace)

    async def close(self) -> None:
        await self.cluster.client.close()
        self.people.delete("Release", self.namespace, "storefront")
        if self.people.get("Release", self.namespace, "storefront"):
            with suppress(Refused):  # let go by now
                self.people.merge("Release", self.namespace, "storefront", {"metadata": {"finalizers": None}})
        self.people.delete("Namespace", "", self.namespace)
        self.people.close()


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    install()


@pytest.fixture
async def world() -> AsyncIterator[Place]:
    place = Place(Client.from_environment(), f"checks-{uuid.uuid4().hex[:8]}")
    try:
        yield place
    finally:
        await place.close()


@pytest.mark.pods
class TestJobs(CheckerContract):
    """On real pods."""
