from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.checks.contract import CheckerContract, Reply
from tests.kube.fake import FakeApi
from tests.targets.mirror import mirror
from tests.targets.sample import NAMESPACE, app, climbing, component, release, version_of
from tidegate.checks import Reachable
from tidegate.checks.job import JobChecks, job, job_name, outcome
from tidegate.engine.values import CheckKey, Outcome, When
from tidegate.errors import Transient
from tidegate.kube import CRONJOBS, JOBS, Client, Cluster, Store
from tidegate.kube.access import Access
from tidegate.targets.port import App

BEFORE = CheckKey("smoke", When.BEFORE_TRAFFIC, 3)


@pytest.fixture
def climb() -> App:
    check = {"name": "smoke", "when": ["BeforeTraffic"], "job": {"cronJob": "storefront-smoke", "timeout": "1m30s"}}
    found = release("v2", component("web-api"), checks=[check])
    return app(found, climbing(None, version_of(found), attempt=3))


@pytest.fixture
def cluster() -> Cluster:
    """A store without a server: nothing here may ask one."""
    return Cluster(Client(Access(server="https://127.0.0.1:1")), Store())


def cronjob(release_label: str | None = "storefront") -> dict[str, Any]:
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "smoke",
        "initContainers": [{"name": "wait", "image": "tools:1"}],
        "containers": [
            {
                "name": "smoke",
                "image": "registry.example/smoke:$(version)",
                "args": ["$(TIDEGATE_VERSION)"],
                "env": [{"name": "KEEP", "value": "1"}, {"name": "TIDEGATE_VERSION", "value": "mine"}],
            }
        ],
    }
    labels = {"tidegate.dev/release": release_label} if release_label else {}
    return {
        "metadata": {
            "name": "storefront-smoke",
            "namespace": NAMESPACE,
            "uid": "c",
            "resourceVersion": "5",
            "labels": labels,
        },
        "spec": {
            "suspend": True,
            "schedule": "0 0 1 1 *",
            "jobTemplate": {
                "metadata": {"labels": {"team": "shop"}, "annotations": {"note": "x"}},
                "spec": {"backoffLimit": 0, "suspend": True, "template": {"metadata": {}, "spec": pod}},
            },
        },
    }


def test_the_job_is_the_cronjobs_with_the_version_variables_and_limits(climb: App) -> None:
    (check,) = climb.release.spec.checks
    candidate = climb.status.candidate
    assert check.job
    assert candidate
    given = cronjob()
    made = job(climb, candidate, BEFORE, check.job, given, {"web-api": "10.96.0.7:8080"})
    spec, pod = made["spec"], made["spec"]["template"]["spec"]
    assert made["metadata"]["name"] == f"storefront-smoke-{candidate.content[:10]}-3-before"
    assert made["metadata"]["labels"].items() >= {"team": "shop", "tidegate.dev/release": "storefront"}.items()
    assert made["metadata"]["annotations"] == {"note": "x", "cronjob.kubernetes.io/instantiate": "manual"}
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (90, 0)
    assert "suspend" not in spec
    assert pod["serviceAccountName"] == "smoke"
    (container,) = pod["containers"]
    assert container["image"] == "registry.example/smoke:v2"
    assert container["args"] == ["$(TIDEGATE_VERSION)"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    assert variables["KEEP"] == "1"
    assert variables["TIDEGATE_VERSION"] == "v2"
    assert variables["TIDEGATE_REVISION"] == candidate.content[:10]
    assert variables["TIDEGATE_RELEASE"] == "storefront"
    assert variables["TIDEGATE_ENDPOINT_WEB_API"] == "10.96.0.7:8080"
    assert len(container["env"]) == len(variables)
    assert pod["initContainers"][0]["env"]
    assert given == cronjob()


def test_its_pods_are_not_taken_for_the_candidates(climb: App) -> None:
    (check,) = climb.release.spec.checks
    assert check.job
    assert climb.status.candidate
    made = job(climb, climb.status.candidate, BEFORE, check.job, cronjob(), {})
    assert "tidegate.dev/revision" not in (made["spec"]["template"]["metadata"].get("labels") or {})


@pytest.mark.parametrize(
    ("key", "end"),
    [
        (BEFORE, "-3-before"),
        (CheckKey("smoke", When.BEFORE_COMPLETION, 3), "-3-after"),
        (CheckKey("smoke", When.EACH_STEP, 3, "web", 12), "-3-step-12"),
    ],
)
def test_one_name_for_one_key(key: CheckKey, end: str) -> None:
    assert job_name("storefront", "a" * 64, key) == "storefront-smoke-aaaaaaaaaa" + end


def test_the_longest_names_stay_within_what_a_job_may_be_called_and_apart() -> None:
    keys = [CheckKey("c" * 18, When.EACH_STEP, 123_456, "web", move) for move in (1_234_567, 1_234_568)]
    names = {job_name("r" * 18, "a" * 64, key) for key in keys}
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)


@pytest.mark.parametrize(
    ("conditions", "expected", "words"),
    [
        ([], Outcome.RUNNING, ""),
        ([{"type": "Failed", "status": "False"}], Outcome.RUNNING, ""),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], Outcome.RUNNING, ""),
        ([{"type": "Complete", "status": "True"}], Outcome.PASSED, "succeeded"),
        (
            [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active too long."}],
            Outcome.FAILED,
            "Job was active too long. See kubectl logs job/j.",
        ),
    ],
)
def test_the_jobs_conditions_are_the_answer(conditions: list[dict[str, str]], expected: Outcome, words: str) -> None:
    found = outcome({"metadata": {"name": "j"}, "status": {"conditions": conditions}}, "smoke")
    assert (found.outcome, found.job) == (expected, "j")
    assert words in found.message


async def test_a_cronjob_that_is_missing_or_not_labelled_fails_the_check_with_what_to_do(
    climb: App, cluster: Cluster
) -> None:
    for given, words in ((None, "CronJob storefront-smoke is not there"), (cronjob(None), "kubectl label")):
        if given:
            cluster.store.put(CRONJOBS, given)
        checks = JobChecks(cluster)
        assert checks.observe(climb, [BEFORE]) == {}
        await checks.run(climb, BEFORE, {})
        found = checks.observe(climb, [BEFORE])[BEFORE]
        assert found.outcome is Outcome.FAILED
        assert words in found.message


async def test_a_job_that_is_there_is_not_made_again_and_one_of_an_earlier_release_is_told(
    climb: App, cluster: Cluster
) -> None:
    assert climb.status.candidate
    name = job_name("storefront", climb.status.candidate.content, BEFORE)
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": "j",
        "resourceVersion": "6",
        "labels": {"tidegate.dev/release": "storefront"},
        "ownerReferences": [{"uid": climb.uid}],
    }
    cluster.store.put(JOBS, {"metadata": metadata, "status": {}})
    checks = JobChecks(cluster)
    await checks.run(climb, BEFORE, {})
    assert checks.observe(climb, [BEFORE])[BEFORE].outcome is Outcome.RUNNING
    anew = app(climb.release, climb.status, uid="another")
    with pytest.raises(Transient, match=f"kubectl delete job --namespace {NAMESPACE} {name}"):
        await checks.run(anew, BEFORE, {})
    assert checks.observe(anew, [BEFORE]) == {}


# ---- the contract of all checks, with Jobs that end when they are told to


class Place:
    """The small API server, and a Job controller that gives each Job what it is told to say."""

    quick = True
    key = BEFORE
    sizes: Mapping[tuple[str, str], Reachable] = {}

    def __init__(self, server: FakeApi, client: Client, climb: App) -> None:
        self.app = climb
        http = {"name": "smoke", "when": ["BeforeTraffic"], "http": {"component": "web-api", "path": "/"}}
        self.other = app(release("v2", component("web-api"), checks=[http]), climb.status)
        self._server, self._cluster, self._reply = server, Cluster(client, Store()), Reply.YES
        server.put(CRONJOBS, cronjob())

    def open(self) -> JobChecks:
        return JobChecks(self._cluster)

    def will_say(self, reply: Reply) -> None:
        """To Jobs that are made from now on."""
        self._settle()
        self._reply = reply

    def take_away(self) -> None:
        self._server.remove(CRONJOBS, NAMESPACE, "storefront-smoke")

    def asked(self) -> int:
        return len(self._jobs())

    async def refresh(self) -> None:
        await mirror(self._cluster, NAMESPACE)
        await asyncio.sleep(0.01)
        self._settle()

    def _jobs(self) -> list[dict[str, Any]]:
        return [obj for (resource, _, _), obj in self._server.objects.items() if resource == JOBS]

    def _settle(self) -> None:
        for found in self._jobs():
            if "status" not in found:
                made = time.monotonic()
                self._server.put(JOBS, {**found, "status": {"says": self._reply, "made": made, "conditions": []}})
            elif not found["status"]["conditions"]:
                self._end(found, found["status"]["says"], time.monotonic() - found["status"]["made"])

    def _end(self, found: dict[str, Any], says: Reply, age: float) -> None:
        if says is Reply.NEVER and age < 0.5:
            return
        why = {"type": "Complete"} if says is Reply.YES else {"type": "Failed", "message": "it went on for too long"}
        status = {**found["status"], "conditions": [{**why, "status": "True"}]}
        self._server.put(JOBS, {**found, "status": status})


class TestContract(CheckerContract):
    @pytest.fixture
    async def world(self, climb: App) -> AsyncIterator[Place]:
        async with FakeApi() as server, server.client() as client:
            yield Place(server, client, climb)
