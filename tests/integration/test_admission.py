"""What the API server refuses by itself: nonsense by its schema, and what somebody may not do by the admission
policies.

Asked as people ask, by kubectl; each refusal is known by its sentence. Nearly all of it is a dry run on the server.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.documents import Document, all_documents, document

ROOT = Path(__file__).parents[2]
KUBECTL = str(Path(sys.executable).with_name("kubectl"))
OPERATOR = "system:serviceaccount:tidegate-system:tidegate"
DRY = "--dry-run=server"

ROLES: dict[str, list[str]] = {
    "ana": ["tidegate-author", "deployer"],
    "bo": ["tidegate-author"],
    "ci": ["tidegate-author", "deployer", "submitter"],
    "olga": ["tidegate-oncall"],
    "pia": ["tidegate-viewer", "pauser"],
    "petra": ["tidegate-platform"],
}
OWN_ROLES: dict[str, list[dict[str, list[str]]]] = {
    "deployer": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "delete"]}],
    "submitter": [{"apiGroups": ["tidegate.dev"], "resources": ["releases"], "verbs": ["submit"]}],
    "pauser": [
        {"apiGroups": ["tidegate.dev"], "resources": ["interventions"], "verbs": ["create"]},
        {"apiGroups": ["tidegate.dev"], "resources": ["releases"], "resourceNames": ["shop"], "verbs": ["pause"]},
    ],
}


class Cluster:
    """One namespace, or with no name the whole, asked as anybody."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def run(self, *arguments: str, sent: Any = None, user: str = "") -> subprocess.CompletedProcess[str]:
        flags = [f"--namespace={self.namespace}"] if self.namespace else []
        flags += [f"--as={user}", "--as-group=system:authenticated"] if user else []
        return subprocess.run(
            [KUBECTL, *flags, *arguments],
            input=None if sent is None else json.dumps(sent),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def gives(self, *arguments: str, sent: Any = None, user: str = "") -> Document:
        """The object that the server gives back. Fails with what it says otherwise."""
        answer = self.run(*arguments, "--output=json", sent=sent, user=user)
        assert answer.returncode == 0, answer.stderr
        found: Document = json.loads(answer.stdout)
        return found

    def refuses(self, *arguments: str, sent: Any = None, user: str = "") -> str:
        """The sentence with which the server refuses. Fails if it doesn't."""
        answer = self.run(*arguments, sent=sent, user=user)
        assert answer.returncode != 0, f"not refused: {answer.stdout}"
        return answer.stderr

    def apply(self, sent: Any, user: str = "") -> Document:
        """A dry run of kubectl apply."""
        return self.gives("apply", DRY, "--filename=-", sent=sent, user=user)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster(f"admission-{uuid.uuid4().hex[:8]}")
    base = Cluster("").run(
        "apply", "--server-side", "--force-conflicts", "--kustomize", str(ROOT / "manifests" / "base")
    )
    assert base.returncode == 0, base.stderr
    made.gives("create", "namespace", made.namespace)
    for name, rules in OWN_ROLES.items():
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": rules,
        }
        made.gives("create", "--filename=-", sent=role)
    for user, roles in ROLES.items():
        for name in roles:
            kind = "role" if name in OWN_ROLES else "clusterrole"
            made.gives("create", "rolebinding", f"{user}-{name}", f"--{kind}={name}", f"--user={user}")
    wait_for_admission(made)
    yield made
    made.run("delete", "namespace", made.namespace, "--wait=false")


def wait_for_admission(cluster: Cluster) -> None:
    """The API server takes in CRDs and admission policies a moment after they were written."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        probe = {**release(), "metadata": {"generateName": "probe-"}}
        stamped = cluster.run("create", DRY, "--filename=-", "--output=json", sent=probe, user="ana")
        refused = cluster.run("create", DRY, "--filename=-", sent=intervention(by="somebody"), user="olga")
        if (
            stamped.returncode == 0
            and json.loads(stamped.stdout)["spec"].get("author")
            and "must be you" in refused.stderr
        ):
            return
        time.sleep(0.2)
    pytest.fail("the admission policies did not come into force within a minute")


def release(**spec: Any) -> Document:
    made = document("Release")
    made["metadata"] = {"name": "shop"}
    made["spec"] = {**made["spec"], **spec}
    return made


def intervention(**spec: Any) -> Document:
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Intervention",
        "metadata": {"generateName": "shop-"},
        "spec": {
            "targetRef": {"kind": "Release", "name": "shop"},
            "action": "Pause",
            "by": "olga",
            "reason": "INC-1",
            **spec,
        },
    }


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[Document]:
    """A Release that ana wrote."""
    yield cluster.gives("create", "--filename=-", sent=release(), user="ana")
    # An operator that happens to run here has put its finalizer on, and may be gone before it takes it off.
    cluster.run("delete", "release", "shop", "--wait=false")
    cluster.run("patch", "release", "shop", "--type=merge", "--patch", '{"metadata":{"finalizers":null}}')
    cluster.run("wait", "release", "shop", "--for=delete", "--timeout=30s")


# ---- the schema


def test_every_sample_is_accepted(cluster: Cluster) -> None:
    for sample in all_documents():
        if sample["apiVersion"].startswith("tidegate.dev/"):
            sample["metadata"].pop("namespace")
            if sample["kind"] == "Intervention":
                sample["spec"]["by"] = cluster.gives("auth", "whoami")["status"]["userInfo"]["username"]
            cluster.gives("create", DRY, "--filename=-", sent=sample)


def component(**changes: Any) -> Document:
    return {**release()["spec"]["components"][0], **changes}


def kubernetes(**changes: Any) -> list[Document]:
    return [component(kubernetes={**component()["kubernetes"], **changes})]


def guard(**changes: Any) -> list[Document]:
    return [{"name": "g", "connection": "p", "ratio": {"bad": "b", "total": "t"}, "revert": "1%", **changes}]


def pods(image: str) -> Document:
    return {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}


def beside(*first: Document) -> Document:
    """A pod whose init containers are these."""
    spec = pods("app:$(version)")["template"]["spec"]
    return {"template": {"spec": {**spec, "initContainers": list(first)}}}


FALLING = [{"weight": 50}, {"weight": 10}, {"weight": 100}]

NONSENSE: list[tuple[Document, str]] = [
    ({"steps": FALLING}, "steps must rise: each weight must be greater than the one before it"),
    ({"steps": [{"weight": "9.9%"}, {"weight": "9.99%"}, {"weight": "9.98%"}, {"weight": 100}]}, "steps must rise"),
    ({"steps": [{"weight": 0}, {"weight": 100}]}, "and the first greater than 0"),
    ({"steps": [{"weight": 10}]}, "the last step must have weight 100"),
    ({"steps": [{"weight": 101}]}, "spec.steps[0].weight: Invalid value: 101: write a percentage from 0 to 100"),
    ({"steps": [{"weight": "0.0001%"}, {"weight": 100}]}, "write a percentage from 0 to 100"),
    ({"steps": [{"weight": "10"}, {"weight": 100}]}, "write a percentage from 0 to 100"),
    ({"steps": [{"weight": 100, "hold": "soon"}]}, '"soon": write a duration such as 30s, 15m, 1h30m or 500ms'),
    ({"steps": [{"weight": number + 1} for number in range(21)]}, "must have at most 20 items"),
    ({"keepPrevious": "1 hour"}, "write a duration such as 30s"),
    ({"deadlines": {"ready": "-5m"}}, "write a duration such as 30s"),
    ({"stepz": []}, 'unknown field "spec.stepz"'),
    ({"version": "v1/2"}, "write a version of up to 63 letters"),
    ({"version": 1.1}, "must be of type string"),
    ({"components": [component(), component()]}, "two items have the same name: give each its own"),
    ({"components": []}, "should have at least 1 items"),
    (
        {"components": [component(name="Web")]},
        "write a name of lower-case letters, digits and '-', with a letter first",
    ),
    ({"components": [component(steps=FALLING)]}, "spec.components[0].steps: Invalid value: steps must rise"),
    ({"components": [component(name="w" * 33)], "checks": []}, "may have 36 characters together: shorten one"),
    ({"components": kubernetes(replicas=0)}, "should be greater than or equal to 1"),
    ({"components": kubernetes(port=70000)}, "should be less than or equal to 65535"),
    ({"components": kubernetes(service="../other")}, "write the name of an object of this namespace, without a slash"),
    (
        {"components": kubernetes(traffic={"httpRoute": {"name": "a/b"}})},
        "write the name of an object of this namespace",
    ),
    ({"components": kubernetes(probes={"health": "health"})}, "write a path that begins with /"),
    (
        {"components": kubernetes(**pods("app:$(versoin)"))},
        "known placeholders are $(component), $(release), $(version)",
    ),
    ({"components": kubernetes(template={"spec": {}})}, "Required value"),
    (
        {"components": kubernetes(**beside({"name": "init", "image": "app:$(versoin)"}))},
        "initContainers[0].image: Invalid value",
    ),
    ({"components": kubernetes(**beside({"name": "init"}))}, "initContainers[0].image: Required value"),
    ({"components": kubernetes(**beside({"image": "app"}))}, "initContainers[0].name: Required value"),
    ({"checks": [{"name": "c", "when": ["EachStep"]}]}, "write exactly one of job and http"),
    ({"checks": [{"name": "c", "when": ["Sometimes"], "job": {"cronJob": "x"}}]}, "Unsupported value"),
    (
        {"checks": [{"name": "c", "when": ["EachStep"], "http": {"component": "nobody", "path": "/"}}]},
        "a check's http.component is none of spec.components",
    ),
    ({"guards": guard(component="nobody")}, "a guard's component is none of spec.components"),
    ({"guards": guard(value={"query": "q"})}, "write exactly one of ratio, quantile and value"),
    (
        {"guards": [{"name": "g", "connection": "p", "value": {"query": "q"}}]},
        "write hold (stop climbing), revert (go back)",
    ),
    ({"guards": guard(revert="never")}, "write a limit: +0.5pp (points against stable)"),
    ({"guards": guard(revert="800ms")}, "for a ratio write +0.5pp"),
    ({"guards": guard(ratio={"bad": "b", "good": "g", "total": "t"})}, "write either bad or good"),
    ({"guards": guard(ratio={"good": "g", "total": "t"})}, "good counts what went well"),
    ({"guards": guard(ratio={"bad": "b$(window)", "total": "t"})}, "known placeholders are"),
    ({"guards": guard(connection="https://prometheus")}, "write the name of an object of this namespace"),
    ({"guards": guard() * 2}, "two items have the same name"),
    ({"deletionPolicy": "Maybe"}, 'supported values: "Keep", "Delete"'),
]


@pytest.mark.parametrize(("change", "sentence"), NONSENSE)
def test_nonsense_in_a_release_is_refused_with_a_sentence(cluster: Cluster, change: Document, sentence: str) -> None:
    assert sentence in cluster.refuses("apply", DRY, "--filename=-", sent=release(**change))


@pytest.mark.parametrize("change", [{"service": "other"}, {"traffic": {"httpRoute": {"name": "other"}}}])
def test_by_which_route_a_component_is_reached_stays_once_it_has_traffic(
    cluster: Cluster, shop: Document, change: Document
) -> None:
    moved = release(components=kubernetes(**change))
    cluster.apply(moved)  # a typo in a first version can be mended
    for had in ({"stable": {"version": "v0.9.0"}}, {"stable": None, "touched": True}):
        status = json.dumps({"status": {"phase": "Completed", **had}})
        cluster.gives("patch", "release", "shop", "--subresource=status", "--type=merge", "--patch", status)
        sentence = cluster.refuses("apply", DRY, "--filename=-", sent=moved)
        assert "service and traffic.httpRoute of a component that has had traffic can't be changed" in sentence
        cluster.apply(release(components=kubernetes(replicas=9)))
        renamed = component(name="anew", kubernetes={**component()["kubernetes"], **change})
        cluster.apply(release(components=[renamed], checks=[], guards=[]))


def test_a_release_without_a_spec_is_told_so(cluster: Cluster) -> None:
    bare = {key: value for key, value in release().items() if key != "spec"}
    assert "spec: Required value" in cluster.refuses("create", DRY, "--filename=-", sent=bare)


@pytest.mark.parametrize("member", ["quantile", "value"])
def test_each_kind_of_guard_has_its_own_limits(cluster: Cluster, member: str) -> None:
    members = {"quantile": {"percentile": "99.9%", "histogram": "h"}, "value": {"query": "q[$(window)]"}}
    fits: dict[str, list[str | int]] = {
        "quantile": ["+25%", "-10%", "800ms", "1m"],
        "value": ["+25%", "-10%", 80, "0.8", "<10"],
    }
    other = {"quantile": "value", "value": "quantile"}[member]

    def made(limit: object) -> Document:
        return release(guards=[{"name": "g", "connection": "p", member: members[member], "hold": limit}])

    for limit in fits[member]:
        cluster.apply(made(limit))
    for limit in {"+1pp", "1%", *fits[other]} - set(fits[member]):
        assert f"for a {member} write" in cluster.refuses("apply", DRY, "--filename=-", sent=made(limit)), limit


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("ReleasePolicy", lambda spec: spec["defaults"].update(steps=FALLING), "steps must rise"),
        (
            "ReleasePolicy",
            lambda spec: spec["appliesTo"].update(names=["*-x"]),
            "write a name, or the beginning of one",
        ),
        ("ReleasePolicy", lambda spec: spec["ladder"]["weight"].update(minHold="soon"), "write a duration"),
        ("ReleasePolicy", lambda spec: spec.update(windows={}), 'unknown field "spec.windows"'),
        (
            "Connection",
            lambda spec: spec["prometheus"].update(url="prometheus:9090"),
            "write http:// or https:// and a",
        ),
        ("Connection", lambda spec: spec["prometheus"].update(matchers={"a-b": "c"}), "write label names of letters"),
        ("Connection", lambda spec: spec.update(allow=[]), "should have at least 1 items"),
        ("Connection", lambda spec: spec.update(datadog={}), 'unknown field "spec.datadog"'),
        ("Intervention", lambda spec: spec.update(pause={"at": 10}), "pause belongs to action Pause"),
        ("Intervention", lambda spec: spec.update(action="Kill"), "Unsupported value"),
        ("Intervention", lambda spec: spec.pop("reason"), "spec.reason: Required value"),
        ("Intervention", lambda spec: spec["rollback"].update(version="-"), "write a version"),
    ],
)
def test_nonsense_in_the_other_kinds_is_refused_too(
    cluster: Cluster, kind: str, change: Callable[[Document], object], sentence: str
) -> None:
    made = document(kind)
    made["metadata"].pop("namespace")
    if kind == "Intervention":
        made["spec"]["rollback"] = {"version": "v1"}
    change(made["spec"])
    assert sentence in cluster.refuses("create", DRY, "--filename=-", sent=made)


def test_explain_teaches(cluster: Cluster) -> None:
    answer = cluster.run("explain", "release.spec.components.kubernetes.drain")
    assert "its pods keep serving" in " ".join(answer.stdout.split())


def test_columns_show_what_an_sre_asks_first(cluster: Cluster, shop: Document) -> None:
    status = {
        "phase": "Progressing",
        "weight": 10,
        "stable": {"version": "v0.9.0"},
        "summary": {"step": "1/3", "guards": "1 ok"},
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Progressing",
                "message": "v1.0.0 at 10 %",
                "lastTransitionTime": "2026-11-23T18:02:11.123Z",
            }
        ],
    }
    cluster.gives(
        "patch", "release", "shop", "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status})
    )
    table = cluster.run("get", "releases", "--output=wide").stdout
    header, row = (line.split() for line in table.splitlines())
    assert header == ["NAME", "VERSION", "STABLE", "PHASE", "WEIGHT", "STEP", "GUARDS", "READY", "AGE", "MESSAGE"]
    assert row[:9] == ["shop", "v1.0.0", "v0.9.0", "Progressing", "10", "1/3", "1", "ok", "False"]
    assert "v1.0.0 at 10 %" in table


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
        (OPERATOR, "get", "secrets", False),
        (OPERATOR, "create", "pods", False),
        (OPERATOR, "delete", "httproutes.gateway.networking.k8s.io", False),
        (OPERATOR, "impersonate", "users", False),
    ],
)
def test_roles_give_what_they_say_and_no_more(cluster: Cluster, user: str, verb: str, resource: str, may: bool) -> None:
    answer = cluster.run("auth", "can-i", verb, *resource.split(), user=user)
    assert (answer.stdout.strip() == "yes") is may, answer.stderr
