"""A Deployment that serves, as the target sees it: what is offered, what is held, what goes and what stays."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hack.stage import shop as sample
from tests.integration.kubernetes_shop import Shop
from tests.targets.sample import app
from tidegate.api.defaults import without_defaults
from tidegate.api.revision import filled_template, revision
from tidegate.controller.plan import adoptable_version, wanted_version
from tidegate.engine.values import FULL, Cause, Part, Phase, Pin, Recall, Retire, Start, Status, Version
from tidegate.errors import TidegateError, Transient
from tidegate.kube import DEPLOYMENTS, PODS, SERVICES, Client, Object
from tidegate.targets.kubernetes import adopting, templates
from tidegate.targets.kubernetes.neighbours import Neighbours
from tidegate.targets.port import App, Sight

pytestmark = pytest.mark.pods

OWN = {"app": "web"}
ANY_VERSION = "tidegate.local/sample:$(version)"
PLACE = "?deployment/web"


class Street(Shop):
    """The shop, with a Deployment of somebody behind its Service."""

    async def open(self) -> None:
        await super().open()
        self.component = sample.adopting(replicas=2)
        del self.component["kubernetes"]["probes"]
        service = sample.service(self.namespace, release="storefront")
        service["spec"]["selector"] = OWN
        self.deployed = sample.deployment(self.namespace, "v1.0.0", release="storefront")
        self.people.apply(service, self.deployed)
        for _ in range(300):
            if (await self.deployment())["status"].get("availableReplicas") == 2:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the Deployment has no pods")

    async def asking(self, version: str, status: Status | None = None, **spec: Any) -> App:
        """The App, with what it names in its place."""
        await self.refresh()
        made = app(self.release(version, **spec), status)
        resolved = await self.target.resolve(made.release)
        content = revision(resolved.release, resolved.named)
        return App(made.namespace, made.name, made.uid, resolved, made.status, content)

    async def look(self, version: str = "v1.0.0", status: Status | None = None, **spec: Any) -> Sight:
        return await self.target.observe(await self.asking(version, status, **spec), {}, time.time())

    async def until(
        self, seen: Callable[[Sight], bool], version: str = "v1.0.0", status: Status | None = None
    ) -> Sight:
        for _ in range(200):
            sight = await self.look(version, status)
            if seen(sight):
                return sight
            await asyncio.sleep(0.1)
        sight = await self.look(version, status)
        raise AssertionError(f"not seen: {sight.occupied}, {sight.adopt}, {sight.problems}")

    async def offered(self, version: str = "v1.0.0") -> Version:
        sight = await self.until(lambda sight: sight.adopt is not None, version)
        found = adoptable_version(sight.adopt)
        assert found is not None
        return found

    async def told(self, words: str) -> None:
        sight = await self.until(lambda sight: any(words in problem.sentence for problem in sight.occupied))
        assert sight.adopt is None

    async def deployment(self) -> Object:
        return await self.client.get(DEPLOYMENTS, self.namespace, "web")

    def patch(self, spec: Object) -> None:
        self.people.merge("Deployment", self.namespace, "web", {"spec": spec})


@pytest.fixture
async def street(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Street]:
    monkeypatch.setattr(Neighbours, "AGAIN", 0.3)
    monkeypatch.setattr(Neighbours, "SOON", 0.1)
    place = Street(Client.from_environment(), f"adopting-{uuid.uuid4().hex[:8]}")
    try:
        await place.open()
        yield place
    finally:
        await place.close()


def copying(version: Version) -> Status:
    """As while its copy is being started."""
    return Status(phase=Phase.WAITING, recall=Recall(version, Cause.ADOPTED, reject=False, wanted=version.content))


def stable(version: Version) -> Status:
    return Status(phase=Phase.COMPLETED, stable=version, move=1, parts=(Part("web", move=1),))


def image(version: str) -> Object:
    return {"containers": [{"name": "app", "image": f"tidegate.local/sample:{version}"}]}


async def test_what_runs_is_offered_under_the_version_that_the_spec_says_if_it_is_what_that_asks_for(
    street: Street,
) -> None:
    found = await street.offered("v1.0.0")
    assert found == wanted_version((await street.asking("v1.0.0")).resolved, Status())
    street.component = sample.adopting(replicas=2, image=ANY_VERSION)
    assert (await street.offered("v1.0.0")).name == "v1.0.0"
    other = await street.offered("v1.1.0")
    assert other.name == "v1.0.0"
    assert other.content != wanted_version((await street.asking("v1.1.0")).resolved, Status()).content


async def test_others_pods_too_few_pods_and_a_rollout_under_way_are_told_and_nothing_is_offered(street: Street) -> None:
    street.component["kubernetes"]["replicas"] = 1
    await street.told("Deployment web serves with 2 pods, and component web asks for 1")
    street.component["kubernetes"]["replicas"] = 2
    stranger = {**street.deployed["spec"]["template"]["spec"], "terminationGracePeriodSeconds": 0}
    pod = {"metadata": {"name": "stranger", "namespace": street.namespace, "labels": OWN}, "spec": stranger}
    street.people.apply({"apiVersion": "v1", "kind": "Pod", **pod})
    await street.told("neither of this Release nor of Deployment web (1)")
    street.people.delete("Pod", street.namespace, "stranger")
    await street.offered()
    street.patch({"template": {"spec": image("v2.3.0-unready")}})
    await street.told("Deployment web is being rolled out")


async def test_of_a_paused_one_what_runs_is_offered_and_not_what_its_template_says_by_now(street: Street) -> None:
    first = await street.offered()
    street.patch({"paused": True, "template": {"spec": image("v1.1.0")}})
    assert await street.offered() == first
    wanted = wanted_version((await street.asking("v1.1.0")).resolved, Status())
    assert await street.offered("v1.1.0") == first
    assert wanted.pieces != first.pieces


async def test_it_is_held_before_its_copy_is_started_once_and_only_as_it_was_offered(street: Street) -> None:
    found = await street.offered()
    start = Start("web", found.content, FULL, 0)
    street.patch({"template": {"spec": {"terminationGracePeriodSeconds": 7}}})  # somebody is faster
    await street.refresh()
    with pytest.raises(TidegateError):
        await street.target.start(await street.asking("v1.0.0", copying(found)), start)
    assert not (await street.deployment())["spec"].get("paused")
    found = await street.offered()
    start = Start("web", found.content, FULL, 0)
    await street.target.start(await street.asking("v1.0.0", copying(found)), start)
    held = await street.deployment()
    assert (held["spec"]["paused"], held["spec"]["replicas"]) == (True, 2)
    assert adopting.held(held) == adopting.Held("web", 2, paused=False, at=0.0)
    await street.until(lambda sight: sight.adopt is not None, status=copying(found))
    await street.target.start(await street.asking("v1.0.0", copying(found)), start)
    assert _by_us(await street.deployment()) == _by_us(held), "written once"
    copy = await street.client.get(DEPLOYMENTS, street.namespace, street.name(found.content))
    assert "ownerReferences" not in copy["metadata"]
    theirs = templates.read(held["spec"]["template"]).document()
    resolved = (await street.asking("v1.0.0")).components["web"]
    assert without_defaults(theirs) == without_defaults(filled_template(resolved, "v1.0.0", "storefront"))


def _by_us(deployment: Object) -> tuple[Any, ...]:
    """What a write of ours would change; the controller of Deployments writes its status whenever it likes."""
    meta = deployment["metadata"]
    ours = [entry for entry in meta["managedFields"] if entry["manager"] != "kube-controller-manager"]
    return meta["generation"], ours, {name: mark for name, mark in meta["annotations"].items() if "tidegate" in name}


async def test_if_it_is_given_up_it_is_let_go_again(street: Street) -> None:
    found = await street.offered()
    await street.target.start(await street.asking("v1.0.0", copying(found)), Start("web", found.content, FULL, 0))
    under_way = await street.until(lambda sight: sight.adopt is not None, status=copying(found))
    assert not [instance for instance in under_way.instances or () if instance.content == PLACE]
    recall = copying(found).recall
    assert recall is not None
    gave_up = Status(phase=Phase.WAITING, recall=recall._replace(gave_up=True))
    sight = await street.look(status=gave_up)
    assert [instance.content for instance in sight.instances or () if instance.content == PLACE] == [PLACE]
    await street.target.retire(await street.asking("v1.0.0", gave_up), Retire("web", PLACE, 0))
    after = await street.deployment()
    assert (after["spec"].get("paused", False), after["spec"]["replicas"], adopting.held(after)) == (False, 2, None)


async def test_it_goes_to_zero_when_nothing_leads_to_it_and_who_scales_it_at_once_again_is_told(street: Street) -> None:
    found = await street.offered()
    await street.target.start(await street.asking("v1.0.0", copying(found)), Start("web", found.content, FULL, 0))
    serving = await street.asking("v1.0.0", stable(found))
    with pytest.raises(Transient, match="may still select the pods of Deployment web"):
        await street.target.retire(serving, Retire("web", PLACE, 0))
    await street.target.pin(serving, Pin("web", found.content))
    service = await street.client.get(SERVICES, street.namespace, "web")
    assert service["metadata"]["annotations"] == {"tidegate.dev/selector-before": '{"app":"web"}'}
    with pytest.raises(Transient, match=r"is kept until"):
        await street.target.retire(serving, Retire("web", PLACE, 0))
    for _ in range(100):
        try:
            await street.target.retire(await street.asking("v1.0.0", stable(found)), Retire("web", PLACE, 0))
            break
        except Transient:
            await asyncio.sleep(0.2)
    rests = await street.deployment()
    assert (rests["spec"]["replicas"], rests["spec"]["paused"]) == (0, True)
    assert not [i for i in (await street.look(status=stable(found))).instances or () if i.content == PLACE]
    street.patch({"replicas": 1})
    sight = await street.look(status=stable(found))
    assert any("has scaled it up again" in problem.sentence for problem in sight.problems)
    assert not [i for i in sight.instances or () if i.content == PLACE]


async def test_what_the_api_server_reads_back_is_what_was_written_but_for_its_defaults(street: Street) -> None:
    """So a move from `template` to `templateFrom`, or back, is no new revision."""
    container = {
        "name": "app",
        "image": "tidegate.local/sample:v1.0.0",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "env": [
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "EMPTY", "value": ""},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
        ],
        "envFrom": [{"configMapRef": {"name": "c", "optional": True}}],
        "livenessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 10},
        "readinessProbe": {"tcpSocket": {"port": "http"}},
        "startupProbe": {"exec": {"command": ["true"]}, "failureThreshold": 30},
        "lifecycle": {"preStop": {"httpGet": {"path": "/stop", "port": 8080}}},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "token", "mountPath": "/token"}],
    }
    volumes = [
        {"name": "data"},
        {"name": "config", "configMap": {"name": "c", "optional": True}},
        {"name": "secret", "secret": {"secretName": "s", "optional": True}},
        {"name": "host", "hostPath": {"path": "/tmp"}},
        {"name": "pod", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {
            "name": "token",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "t", "audience": "a"}},
                    {"configMap": {"name": "c", "optional": True}},
                    {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                ]
            },
        },
    ]
    spec = {
        "containers": [container],
        "initContainers": [{"name": "init", "image": "tidegate.local/busybox", "command": ["true"]}],
        "volumes": volumes,
        "serviceAccountName": "default",
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": "rich"}},
            }
        ],
        "tolerations": [{"key": "a", "operator": "Exists"}],
    }
    written = {"metadata": {"labels": {"app": "rich"}, "annotations": {"a": "b"}}, "spec": spec}
    body = {
        "metadata": {"name": "rich", "namespace": street.namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "rich"}}, "template": written},
    }
    made = await street.client.create(
        DEPLOYMENTS, street.namespace, {"apiVersion": "apps/v1", "kind": "Deployment", **body}
    )
    read = templates.read(made["spec"]["template"]).document()
    assert without_defaults(read) == without_defaults(written)
    assert not (await street.client.list(PODS, street.namespace, labels="app=rich")).items
