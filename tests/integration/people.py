"""People with roles of their own who ask the API server by kubectl, and what they write."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.documents import Document, document

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


def component(**changes: Any) -> Document:
    return {**release()["spec"]["components"][0], **changes}


def kubernetes(**changes: Any) -> list[Document]:
    """None takes a field away."""
    said = {**component()["kubernetes"], **changes}
    return [component(kubernetes={key: value for key, value in said.items() if value is not None})]


def guard(**changes: Any) -> list[Document]:
    return [{"name": "g", "connection": "p", "ratio": {"bad": "b", "total": "t"}, "revert": "1%", **changes}]


def pods(image: str) -> Document:
    return {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}
