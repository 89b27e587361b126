"""What somebody may not do, by the admission policies and roles.

Asked as people ask, by kubectl; each refusal is known by its sentence. Nearly all of it is a dry run on the server.
"""

from __future__ import annotations

import json
import time

import pytest

from tests.api.documents import Document
from tests.integration.people import (
    DRY,
    OPERATOR,
    Cluster,
    component,
    guard,
    intervention,
    kubernetes,
    pods,
    release,
    wait_for_admission,
)

# ---- who wrote it


def test_the_author_is_stamped_whatever_he_writes(cluster: Cluster, shop: Document) -> None:
    assert shop["spec"]["author"] == "ana"
    assert cluster.apply(release(author="somebody", version="v2"), user="bo")["spec"]["author"] == "bo"


def test_a_version_is_changed_without_the_right_to_create_deployments(cluster: Cluster, shop: Document) -> None:
    changed = cluster.gives(
        "patch", "release", "shop", DRY, "--type=merge", "--patch", '{"spec":{"version":"v1.1.0"}}', user="bo"
    )
    assert (changed["spec"]["version"], changed["spec"]["author"]) == ("v1.1.0", "bo")


def test_metadata_and_status_do_not_touch_the_author(cluster: Cluster, shop: Document) -> None:
    labelled = cluster.gives("label", "release", "shop", DRY, "team=web", user="bo")
    assert labelled["spec"]["author"] == "ana"
    finalizer = '{"metadata":{"finalizers":["tidegate.dev/settle"]}}'
    patched = cluster.gives("patch", "release", "shop", DRY, "--type=merge", "--patch", finalizer, user=OPERATOR)
    assert patched["spec"]["author"] == "ana"
    status = '{"status":{"phase":"Waiting"}}'
    written = cluster.gives("patch", "release", "shop", DRY, "--subresource=status", "--type=merge", "--patch", status)
    assert (written["status"]["phase"], written["spec"]["author"]) == ("Waiting", "ana")


def test_who_may_submit_may_state_somebody_else_and_stands_in_where_nobody_is_stated(cluster: Cluster) -> None:
    assert cluster.apply(release(author="dan@example.com"), user="ci")["spec"]["author"] == "dan@example.com"
    assert cluster.apply(release(), user="ci")["spec"]["author"] == "ci"


def test_without_the_stamp_only_oneself_may_be_stated(cluster: Cluster, shop: Document) -> None:
    binding = cluster.gives("get", "mutatingadmissionpolicybinding", "tidegate-author")
    cluster.run("delete", "mutatingadmissionpolicybinding", "tidegate-author")
    try:
        deadline = time.monotonic() + 30
        lie = release(version="v2", author="ana")
        while (answer := cluster.run("apply", DRY, "--filename=-", sent=lie, user="bo")).returncode == 0:
            assert time.monotonic() < deadline, "the binding stayed in force"
            time.sleep(0.2)
        assert "spec.author must be you: write bo" in answer.stderr
        assert cluster.apply(release(version="v2", author="bo"), user="bo")["spec"]["author"] == "bo"
        assert cluster.apply(release(version="v2", author="ana"), user="ci")["spec"]["author"] == "ana"
    finally:
        back = {key: binding[key] for key in ("apiVersion", "kind", "spec")}
        cluster.gives("apply", "--filename=-", sent={**back, "metadata": {"name": "tidegate-author"}})
        wait_for_admission(cluster)


# ---- who may change what


def test_pods_are_declared_only_by_those_who_may_create_deployments(cluster: Cluster, shop: Document) -> None:
    sentence = (
        f"bo may not create deployments in {cluster.namespace}, and so may not change spec.components[].kubernetes"
    )
    other = release()
    other["metadata"]["name"] = "other"
    assert sentence in cluster.refuses("create", DRY, "--filename=-", sent=other, user="bo")
    for change in (
        {"components": kubernetes(**pods("tidegate.local/other:$(version)"))},
        {"components": kubernetes(replicas=9)},
        {"components": [component(name="api")], "checks": []},
        {"components": [component(), component(name="api")]},
    ):
        assert sentence in cluster.refuses("apply", DRY, "--filename=-", sent=release(**change), user="bo")
        cluster.apply(release(**change), user="ana")


def test_ladders_guards_and_checks_take_no_more_than_the_release_itself(cluster: Cluster, shop: Document) -> None:
    steps = [{"weight": 20, "hold": "1m"}, {"weight": 100}]
    for change in ({"steps": steps}, {"components": [component(steps=steps)]}, {"guards": guard()}, {"paused": True}):
        cluster.apply(release(**change), user="bo")


def test_what_takes_the_pods_along_takes_delete_deployments(cluster: Cluster, shop: Document) -> None:
    taking = release(deletionPolicy="Delete")
    assert "and so may not write deletionPolicy Delete; write Keep" in cluster.refuses(
        "apply", DRY, "--filename=-", sent=taking, user="bo"
    )
    assert cluster.run("delete", "release", "shop", DRY, user="bo").returncode == 0
    cluster.gives(
        "patch", "release", "shop", "--type=merge", "--patch", '{"spec":{"deletionPolicy":"Delete"}}', user="ana"
    )
    assert "takes its pods along (deletionPolicy Delete); set it to Keep first" in cluster.refuses(
        "delete", "release", "shop", DRY, user="bo"
    )
    assert cluster.run("delete", "release", "shop", DRY, user="ana").returncode == 0


# ---- acts of people


def test_an_intervention_is_its_writers(cluster: Cluster) -> None:
    sentence = cluster.refuses("create", DRY, "--filename=-", sent=intervention(by="ana"), user="olga")
    assert "spec.by must be you: write olga" in sentence
    cluster.gives("create", DRY, "--filename=-", sent=intervention(), user="olga")


ACTIONS = ["Pause", "Resume", "Promote", "Retry", "Rollback", "Complete"]


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_takes_its_own_verb(cluster: Cluster, action: str) -> None:
    cluster.gives("create", DRY, "--filename=-", sent=intervention(action=action), user="olga")
    by_pia = intervention(action=action, by="pia")
    if action == "Pause":
        cluster.gives("create", DRY, "--filename=-", sent=by_pia, user="pia")
        by_pia["spec"]["targetRef"]["name"] = "other"
        assert "pia may not pause Release other" in cluster.refuses(
            "create", DRY, "--filename=-", sent=by_pia, user="pia"
        )
    else:
        sentence = cluster.refuses("create", DRY, "--filename=-", sent=by_pia, user="pia")
        assert f"pia may not {action.lower()} Release shop: it takes the verb {action.lower()} on releases" in sentence


def test_an_intervention_cannot_be_changed(cluster: Cluster) -> None:
    name = cluster.gives("create", "--filename=-", sent=intervention(), user="olga")["metadata"]["name"]
    change = json.dumps({"spec": {"reason": "another"}})
    sentence = cluster.refuses("patch", "intervention", name, "--type=merge", "--patch", change)
    assert "an Intervention can't be changed: it acts once; write another one" in sentence
    answer = json.dumps({"status": {"outcome": "Done", "message": "Paused."}})
    cluster.gives("patch", "intervention", name, "--subresource=status", "--type=merge", "--patch", answer)


# ---- roles


@pytest.mark.parametrize(
    ("user", "verb", "resource", "may"),
    [
        ("bo", "update", "releases.tidegate.dev", True),
        ("bo", "create", "releasepolicies.tidegate.dev", False),
        ("bo", "create", "interventions.tidegate.dev", False),
        ("bo", "patch", "releases.tidegate.dev --subresource=status", False),
        ("bo", "submit", "releases.tidegate.dev", False),
        ("petra", "update", "connections.tidegate.dev", True),
        ("petra", "update", "releases.tidegate.dev", False),
        ("olga", "rollback", "releases.tidegate.dev", True),
        ("olga", "update", "releases.tidegate.dev", False),
        ("olga", "update", "interventions.tidegate.dev", False),
        (OPERATOR, "patch", "releases.tidegate.dev --subresource=status", True),
        (OPERATOR, "patch", "interventions.tidegate.dev --subresource=status", True),
        (OPERATOR, "patch", "connections.tidegate.dev", False),
        (OPERATOR, "create", "interventions.tidegate.dev", False),
        (OPERATOR, "create", "secrets", True),
        (OPERATOR, "update", "secrets", False),
        (OPERATOR, "patch", "secrets", False),
        (OPERATOR, "patch", "configmaps", False),
        (OPERATOR, "create", "pods", False),
        (OPERATOR, "delete", "httproutes.gateway.networking.k8s.io", False),
        (OPERATOR, "impersonate", "users", False),
    ],
)
def test_roles_give_what_they_say_and_no_more(cluster: Cluster, user: str, verb: str, resource: str, may: bool) -> None:
    answer = cluster.run("auth", "can-i", verb, *resource.split(), user=user)
    assert (answer.stdout.strip() == "yes") is may, answer.stderr
