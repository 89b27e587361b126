from __future__ import annotations

from typing import Any

import pytest

from tests.targets.sample import app, component, release
from tidegate.api.grammar import format_time
from tidegate.engine.values import FULL, State
from tidegate.targets.kubernetes import health, problems
from tidegate.targets.kubernetes.sizing import pods_for, share_of
from tidegate.targets.kubernetes.workload import claim_of, deployment, scale

NOW = 1_800_000_000.0


def made(
    replicas: int = 2, *, complete: bool = True, none_for: float | None = None, generation: int = 1, observed: int = 1
) -> dict[str, Any]:
    conditions = []
    if complete:
        conditions.append({"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"})
    available = {"type": "Available", "status": "True" if none_for is None else "False"}
    available["lastTransitionTime"] = format_time(NOW - (none_for or 0))
    return {
        "metadata": {"name": "storefront-web-aaaaaaaaaa", "generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": observed, "conditions": [*conditions, available]},
    }


def pod(ready: bool = False, **status: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {"name": "web-1", "uid": "1", "labels": {"app.kubernetes.io/version": "v1"}},
        "status": {"conditions": [condition], "podIP": "10.0.0.7", "phase": "Running", **status},
    }


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "app", "image": "app:v1", "state": state, **more}]}


@pytest.mark.parametrize(
    ("ready", "deployed", "expected"),
    [
        (2, made(), State.READY),
        (3, made(), State.READY),
        (1, made(), State.SHORT),
        (0, made(complete=False, none_for=500), State.STARTING),
        (0, made(none_for=29), State.STARTING),
        (0, made(none_for=30), State.LOST),
        (2, made(generation=2, observed=1), State.SHORT),
        (2, made(replicas=0), State.LOST),
    ],
)
def test_states_by_ready_pods(ready: int, deployed: dict[str, Any], expected: State) -> None:
    assert health.state(deployed, True, ready, 2, NOW) is expected


def test_half_of_a_workload_is_lost_and_none_of_it_or_a_leaving_one_is_absent() -> None:
    leaving = made()
    leaving["metadata"]["deletionTimestamp"] = format_time(NOW)
    assert health.state(made(), False, 2, 2, NOW) is State.LOST
    assert health.state(None, True, 0, 2, NOW) is State.LOST
    assert health.state(None, False, 0, 2, NOW) is State.ABSENT
    assert health.state(leaving, True, 2, 2, NOW) is State.ABSENT


@pytest.mark.parametrize("replicas", [1, 2, 3, 6, 7, 10_000])
@pytest.mark.parametrize("share", [0, 1, 100, 10_000, 33_333, 50_000, FULL])
def test_pods_for_a_share_are_rounded_up_and_suffice_for_it(replicas: int, share: int) -> None:
    pods = pods_for(share, replicas)
    assert 1 <= pods <= replicas
    assert pods * FULL >= share * replicas
    assert share_of(pods, replicas) >= share


@pytest.mark.parametrize("pods", [1, 2, 50])
def test_a_deployment_is_available_as_long_as_one_pod_is(pods: int) -> None:
    rolling = scale(pods)["strategy"]["rollingUpdate"]
    assert rolling["maxUnavailable"] == pods - 1
    assert rolling["maxSurge"] + rolling["maxUnavailable"] > 0


def test_a_claim_counts_for_the_release_of_its_uid_only() -> None:
    found = release("v1", component())
    body = deployment(app(found), found.spec.components[0], "a" * 64, "v1", 2, 5)
    assert claim_of(body, app(found).uid) == 5
    assert claim_of(body, "another") == 0
    assert claim_of({"metadata": {"annotations": {"tidegate.dev/claim": "nonsense"}}}, "x") == 0
    assert claim_of({"metadata": {"annotations": {"tidegate.dev/claim": "x/" + "9" * 5000}}}, "x") == 0
    assert claim_of(None, "x") == 0


def test_the_labels_of_a_users_template_stay_beside_ours() -> None:
    found = release("v1", component())
    body = deployment(app(found), found.spec.components[0], "a" * 64, "v1", 2, 5)
    labels = body["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "graphql"
    assert labels["tidegate.dev/revision"] == "a" * 10
    assert "app" not in body["spec"]["selector"]["matchLabels"]


WAITING = [
    ("ErrImagePull", "ImagePullFailed", False, "can't be pulled"),
    ("ImagePullBackOff", "ImagePullFailed", True, "can't be pulled"),
    ("ErrImageNeverPull", "ImagePullFailed", True, "can't be pulled"),
    ("InvalidImageName", "ImagePullFailed", True, "Check its name and tag"),
    ("CreateContainerConfigError", "ContainerConfigError", True, "can't be made"),
]


@pytest.mark.parametrize(("waiting", "reason", "lasting", "words"), WAITING)
def test_what_a_container_waits_for_becomes_a_sentence(waiting: str, reason: str, lasting: bool, words: str) -> None:
    bad = pod(**container({"waiting": {"reason": waiting, "message": "it says\n why."}}))
    (found,) = problems.of_workload("web", "a" * 64, made(), [bad])
    assert (found.reason, found.lasting, found.part) == (reason, lasting, "web")
    assert words in found.sentence
    assert "it says why" in found.sentence


def test_a_crash_is_told_with_exit_code_reason_and_last_words() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "no memory"}}
    looping = pod(**container({"waiting": {"reason": "CrashLoopBackOff"}}, lastState=last, restartCount=4))
    (found,) = problems.of_workload("web", "a" * 64, made(), [looping])
    assert found.reason == "CrashLoop"
    assert found.lasting
    assert found.sentence.endswith("crashes again and again: it exited with code 137 (OOMKilled): no memory")


def test_the_last_words_of_a_container_are_told_without_credentials_and_not_at_length() -> None:
    said = "can't connect to postgres://app:hunter22@db/shop, PGPASSWORD=hunter22: " + "at frame " * 100
    last = {"terminated": {"exitCode": 1, "message": said}}
    looping = pod(**container({"waiting": {"reason": "CrashLoopBackOff"}}, lastState=last, restartCount=4))
    (found,) = problems.of_workload("web", "a" * 64, made(), [looping])
    assert "can't connect to postgres://***@db/shop" in found.sentence
    assert "hunter22" not in found.sentence
    assert len(found.sentence) < 350
    assert found.sentence.endswith("…")


def test_one_crash_is_no_lasting_problem_and_a_pod_that_is_ready_has_none() -> None:
    last = {"terminated": {"exitCode": 1, "reason": "Error"}}
    restarted = container({"running": {}}, lastState=last, restartCount=1)
    (found,) = problems.of_workload("web", "a" * 64, made(), [pod(**restarted)])
    assert (found.reason, found.lasting) == ("Crashed", False)
    assert problems.of_workload("web", "a" * 64, made(), [pod(ready=True, **restarted)]) == []


def test_several_pods_with_the_same_trouble_are_one_problem() -> None:
    bad = pod(**container({"waiting": {"reason": "ImagePullBackOff", "message": "no"}}))
    (found,) = problems.of_workload("web", "a" * 64, made(), [bad, bad, bad])
    assert found.sentence.endswith("(3 pods in all)")


@pytest.mark.parametrize(
    ("message", "reason"),
    [("pods is forbidden: exceeded quota: team, used: pods=10", "QuotaExceeded"), ("denied by webhook", "PodsRefused")],
)
def test_pods_that_the_server_refuses(message: str, reason: str) -> None:
    refused = made()
    refused["status"]["conditions"].append({"type": "ReplicaFailure", "status": "True", "message": message})
    (found,) = problems.of_workload("web", "a" * 64, refused, [])
    assert found.reason == reason
    assert message in found.sentence


def test_a_pod_that_no_node_takes_is_told_but_may_yet_find_one() -> None:
    pending = pod(phase="Pending")
    pending["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    ]
    (found,) = problems.of_workload("web", "a" * 64, made(), [pending])
    assert (found.reason, found.lasting) == ("Unschedulable", False)


def test_endpoints_of_both_families() -> None:
    six = pod()
    six["status"]["podIP"] = "fd00::7"
    assert health.endpoints([six, pod()], 8080) == ("10.0.0.7:8080", "[fd00::7]:8080")
