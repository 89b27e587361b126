"""The command line against a real API server: what it reads, what it writes, under whose name, and what it says of no.

The test plays the operator here, so that every answer is known; a policy of this namespace keeps a real one out.
With the operator it is at work in tests/e2e/test_command_line.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.stage.api import Api, Refused, eventually
from hack.stage.operator import SYSTEM, install
from tests.api.documents import SAMPLES, document
from tests.cli import releases

ONCALL, NOBODY = "olga", "nora"
POLICY_GROUP = "admissionregistration.k8s.io/v1"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    made = Api()
    install()
    yield made
    made.close()


@pytest.fixture(scope="module")
def namespace(api: Api) -> Iterator[str]:
    name = f"cli-{uuid.uuid4().hex[:8]}"
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        account(name, ONCALL),
        account(name, NOBODY),
        *keeps_operators_out(name),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": ONCALL, "namespace": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tidegate-oncall"},
            "subjects": [{"kind": "ServiceAccount", "name": ONCALL, "namespace": name}],
        },
    )
    probe = {**document("Release"), "metadata": {"name": "probe", "namespace": name}}
    eventually(lambda: is_refused(api, probe), 30, "the policy that keeps operators out is in force")
    yield name
    api.delete("Namespace", "", name)
    for each in keeps_operators_out(name):
        api.delete(each["kind"], "", each["metadata"]["name"])


def account(namespace: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def keeps_operators_out(namespace: str) -> list[dict[str, Any]]:
    operator = f"system:serviceaccount:{SYSTEM}:tidegate"
    allowed = f"request.userInfo.username != '{operator}' && request.name != 'probe'"
    resources = ["releases", "releases/status", "interventions", "interventions/status"]
    rule = {"apiGroups": ["tidegate.dev"], "apiVersions": ["*"], "resources": resources, "operations": ["*"]}
    return [
        {
            "apiVersion": POLICY_GROUP,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": namespace},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "matchConditions": [{"name": "here", "expression": f"request.namespace == '{namespace}'"}],
                "validations": [{"expression": allowed, "message": "keep out"}],
            },
        },
        {
            "apiVersion": POLICY_GROUP,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": namespace},
            "spec": {"policyName": namespace, "validationActions": ["Deny"]},
        },
    ]


def is_refused(api: Api, sent: dict[str, Any]) -> bool:
    try:
        api.apply(sent, dry_run=True)
    except Refused as refusal:
        return "keep out" in str(refusal)
    return False


class Terminal:
    """`tidegate` as somebody in one namespace types it."""

    def __init__(self, namespace: str, kubeconfig: Path) -> None:
        self._reach = ["--namespace", namespace, "--kubeconfig", str(kubeconfig)]

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tidegate.cli", *self._reach, *words]
        environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def terminal(namespace: str) -> Terminal:
    return Terminal(namespace, Path(os.environ["KUBECONFIG"]))


def terminal_of(api: Api, namespace: str, user: str, folder: Path) -> Terminal:
    path = folder / "kubeconfig"
    path.write_text(api.kubeconfig(api.token(namespace, user)))
    return Terminal(namespace, path)


@pytest.fixture
def storefront(api: Api, namespace: str) -> Iterator[str]:
    """A Release on its way, with the status that an operator would have written."""
    release = releases.climbing()
    release["metadata"] = {"name": "storefront", "namespace": namespace}
    status = release.pop("status")
    api.apply(release)
    say(api, namespace, status)
    yield "storefront"
    api.delete("Release", namespace, "storefront")
    eventually(lambda: api.get("Release", namespace, "storefront") is None, 30, "the Release is gone")


def say(api: Api, namespace: str, status: dict[str, Any]) -> None:
    """What an operator says of the spec as it is now."""
    found = api.get("Release", namespace, "storefront")
    assert found is not None
    for condition in status["conditions"]:
        condition["observedGeneration"] = found["metadata"]["generation"]
        condition.setdefault("lastTransitionTime", "2026-11-23T18:00:00Z")
    api.merge("Release", namespace, "storefront", {"status": status}, subresource="status")


def answer(api: Api, namespace: str, outcome: str, message: str) -> None:
    """Answer the one Intervention that has no answer."""

    def unanswered() -> list[dict[str, Any]]:
        return [each for each in api.list("Intervention", namespace) if not each.get("status", {}).get("outcome")]

    (found,) = eventually(unanswered, 20, "an Intervention is written")
    status = {"outcome": outcome, "message": message}
    api.merge("Intervention", namespace, found["metadata"]["name"], {"status": status}, subresource="status")


# ---- status


@pytest.mark.usefixtures("storefront")
def test_status_shows_what_the_server_has(terminal: Terminal) -> None:
    code, out, err = terminal.run("status", "storefront")
    assert (code, err) == (0, "")
    assert "● 10 %" in out
    assert "production/error-rate" in out
    assert out == "".join(f"{line.rstrip()}\n" for line in out.splitlines())


@pytest.mark.usefixtures("storefront")
def test_programs_get_the_object_itself(terminal: Terminal, api: Api, namespace: str) -> None:
    code, out, _ = terminal.run("status", "storefront", "-o", "json")
    found = api.get("Release", namespace, "storefront")
    assert found is not None
    found["metadata"].pop("managedFields")
    assert (code, json.loads(out)) == (0, found)
    code, out, _ = terminal.run("status", "storefront", "-o", "yaml")
    assert (code, yaml.safe_load(out)) == (0, found)


@pytest.mark.usefixtures("storefront")
def test_without_a_name_all_are_listed(terminal: Terminal) -> None:
    code, out, _ = terminal.run("status")
    assert code == 0
    assert "storefront  v1.2.3   v1.2.2  Progressing" in out
    code, out, _ = terminal.run("status", "-o", "json")
    assert [item["metadata"]["name"] for item in json.loads(out)["items"]] == ["storefront"]
    code, out, _ = terminal.run("status", "--all-namespaces")
    assert code == 0
    assert out.startswith("NAMESPACE")


def test_what_is_not_there_is_code_4_with_where_to_look(terminal: Terminal, namespace: str) -> None:
    code, out, err = terminal.run("status", "nobody")
    assert (code, out) == (4, "")
    assert err == (
        f"tidegate: Release {namespace}/nobody does not exist; `tidegate status -n {namespace}` lists those that do, "
        "-n names another namespace\n"
    )


def test_who_may_not_read_is_told_the_right_that_is_missing(api: Api, namespace: str, tmp_path: Path) -> None:
    code, out, err = terminal_of(api, namespace, NOBODY, tmp_path).run("status", "storefront")
    assert (code, out) == (3, "")
    assert "grant the user named here to get releases in API group tidegate.dev" in err
    assert f"system:serviceaccount:{namespace}:{NOBODY}" in err


# ---- watch


@pytest.mark.usefixtures("storefront")
@pytest.mark.parametrize(("recorded", "code"), [(releases.completed, 0), (releases.reverted, 1)])
def test_a_watch_tells_changes_and_ends_with_how_it_ended(
    terminal: Terminal, api: Api, namespace: str, recorded: Any, code: int
) -> None:
    watching = terminal.start("status", "storefront", "--watch")
    assert watching.stdout is not None
    first = watching.stdout.readline()
    assert "Progressing v1.2.3 10 % step 1/3" in first
    say(api, namespace, recorded()["status"])
    rest, err = watching.communicate(timeout=30)
    assert (watching.returncode, err) == (code, "")
    (last,) = rest.splitlines()
    assert ("v1.2.3 serves" if code == 0 else "v1.2.3 was reverted") in last


@pytest.mark.usefixtures("storefront")
def test_a_watch_for_programs_is_a_document_a_line(terminal: Terminal, api: Api, namespace: str) -> None:
    watching = terminal.start("status", "storefront", "--watch", "-o", "json")
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    say(api, namespace, releases.completed()["status"])
    rest, _ = watching.communicate(timeout=30)
    phases = [each["status"]["phase"] for each in (first, *map(json.loads, rest.splitlines()))]
    assert (phases, watching.returncode) == (["Progressing", "Completed"], 0)


@pytest.mark.usefixtures("storefront")
def test_a_watch_of_what_is_deleted_says_so(terminal: Terminal, api: Api, namespace: str) -> None:
    watching = terminal.start("status", "storefront", "--watch")
    assert watching.stdout is not None
    watching.stdout.readline()
    api.delete("Release", namespace, "storefront")
    _, err = watching.communicate(timeout=30)
    assert watching.returncode == 4
    assert err == f"tidegate: Release {namespace}/storefront was deleted\n"


@pytest.mark.usefixtures("storefront")
def test_ctrl_c_ends_a_watch_in_silence(terminal: Terminal) -> None:
    watching = terminal.start("status", "storefront", "--watch")
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=30)
    assert (watching.returncode, err) == (130, "")


# ---- acts


@pytest.mark.usefixtures("storefront")
def test_an_act_is_written_under_ones_own_name_and_bound_to_what_was_seen(
    api: Api, namespace: str, tmp_path: Path
) -> None:
    words = ("promote", "storefront", "--to", "50%", "--reason", "all well", "-o", "json")
    code, out, err = terminal_of(api, namespace, ONCALL, tmp_path).run(*words)
    assert (code, err) == (0, "")
    made = json.loads(out)
    release = api.get("Release", namespace, "storefront")
    assert release is not None
    assert made["metadata"]["name"].startswith("storefront-promote-")
    assert made["spec"] == {
        "targetRef": {"kind": "Release", "name": "storefront", "uid": release["metadata"]["uid"]},
        "action": "Promote",
        "promote": {"to": 50},
        "by": f"system:serviceaccount:{namespace}:{ONCALL}",
        "reason": "all well",
        "seen": {"attempt": 3, "step": 1},
    }
    api.delete("Intervention", namespace, made["metadata"]["name"])


@pytest.mark.usefixtures("storefront")
@pytest.mark.parametrize("verb", ["pause", "resume", "promote", "rollback", "retry", "complete"])
def test_every_act_is_taken_by_the_server(terminal: Terminal, api: Api, namespace: str, verb: str) -> None:
    code, out, err = terminal.run(verb, "storefront", "--reason", "why not")
    assert (code, err) == (0, "")
    assert out.startswith(f"{verb.capitalize()} of storefront is asked for by Intervention storefront-{verb}-")
    answer(api, namespace, "Done", "done")


@pytest.mark.usefixtures("storefront")
def test_wait_says_the_answer(terminal: Terminal, api: Api, namespace: str) -> None:
    waiting = terminal.start("pause", "storefront", "--at", "10", "--reason", "lunch", "--wait")
    answer(api, namespace, "Standing", "climbs no further than 10 % until Resume")
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out, err) == (0, "Standing: climbs no further than 10 % until Resume\n", "")


@pytest.mark.usefixtures("storefront")
def test_a_refusal_is_code_1_with_its_sentence(terminal: Terminal, api: Api, namespace: str) -> None:
    waiting = terminal.start("resume", "storefront", "--reason", "lunch is over", "--wait")
    answer(api, namespace, "Refused", "nothing is paused here")
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out, err) == (1, "", "tidegate: refused: nothing is paused here\n")


@pytest.mark.usefixtures("storefront")
def test_no_answer_in_time_is_code_5_and_the_act_stands(terminal: Terminal, api: Api, namespace: str) -> None:
    started = time.monotonic()
    code, _, err = terminal.run("retry", "storefront", "--reason", "fixed", "--wait", "--timeout", "1s")
    assert code == 5
    assert "does the operator run" in err
    assert "kubectl delete intervention storefront-retry-" in err
    assert time.monotonic() - started < 15
    answer(api, namespace, "Refused", "late")


@pytest.mark.usefixtures("storefront")
def test_who_may_not_act_is_told_so_and_nothing_is_written(api: Api, namespace: str, tmp_path: Path) -> None:
    before = len(api.list("Intervention", namespace))
    code, out, err = terminal_of(api, namespace, NOBODY, tmp_path).run("rollback", "storefront", "--reason", "x")
    assert (code, out) == (3, "")
    assert "A right is missing" in err
    assert len(api.list("Intervention", namespace)) == before


def test_an_act_on_what_is_not_there_is_code_4(terminal: Terminal) -> None:
    code, _, err = terminal.run("pause", "nobody", "--reason", "x")
    assert code == 4
    assert "does not exist" in err


# ---- lint


def test_what_lint_accepts_the_server_accepts(api: Api, terminal: Terminal, namespace: str) -> None:
    assert terminal.run("lint", str(SAMPLES))[0] == 0
    for kind in ("Release", "ReleasePolicy", "Connection"):
        sent = document(kind)
        sent["metadata"]["namespace"] = namespace
        api.apply(sent, dry_run=True)


@pytest.mark.parametrize(
    "change",
    [
        {"port": "8080"},
        {"replicas": 0},
        {"template": {"spec": {"containers": [{"image": "app:1"}]}}},
        {"template": {"spec": {"containers": []}}},
    ],
)
def test_what_the_server_refuses_lint_refuses(
    api: Api, terminal: Terminal, namespace: str, tmp_path: Path, change: dict[str, Any]
) -> None:
    sent = document("Release")
    sent["metadata"]["namespace"] = namespace
    sent["spec"]["components"][0]["kubernetes"].update(change)
    with pytest.raises(Refused):
        api.apply(sent, dry_run=True)
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump(sent))
    code, out, _ = terminal.run("lint", str(file))
    assert code == 1
    assert "spec.components[0].kubernetes" in out
