"""A small, blocking client of the API server of KUBECONFIG: what a script or a test has to say and to ask."""

import itertools
import os
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

FIELD_MANAGER = "stage"
# A kind is served a little before it can be applied: the server says so, and is asked again.
_NEW_KIND, _NEW_KIND_TRIES = "There can be a delay between when CustomResourceDefinitions are created", 30

_PATHS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "Service": ("/api/v1", "services", True),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "Pod": ("/api/v1", "pods", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "ResourceQuota": ("/api/v1", "resourcequotas", True),
    "Event": ("/apis/events.k8s.io/v1", "events", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions", True),
    "Job": ("/apis/batch/v1", "jobs", True),
    "CronJob": ("/apis/batch/v1", "cronjobs", True),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "HTTPRoute": ("/apis/gateway.networking.k8s.io/v1", "httproutes", True),
    "Release": ("/apis/tidegate.dev/v1alpha1", "releases", True),
    "ReleasePolicy": ("/apis/tidegate.dev/v1alpha1", "releasepolicies", True),
    "Connection": ("/apis/tidegate.dev/v1alpha1", "connections", True),
    "Intervention": ("/apis/tidegate.dev/v1alpha1", "interventions", True),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "ValidatingAdmissionPolicy": ("/apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies", False),
    "ValidatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
        False,
    ),
    "MutatingAdmissionPolicy": ("/apis/admissionregistration.k8s.io/v1", "mutatingadmissionpolicies", False),
    "MutatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1",
        "mutatingadmissionpolicybindings",
        False,
    ),
}


class Refused(Exception):
    """The API server said no; the text is its own."""


class Api:
    def __init__(self, *, user: str | None = None) -> None:
        """`user` acts as that user by impersonation; without, as the kubeconfig's own."""
        config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server: str = cluster["server"]
        self.authority: str = cluster["certificate-authority"]
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        if user:
            headers |= {"Impersonate-User": user, "Impersonate-Group": "system:authenticated"}
        trust = ssl.create_default_context(cafile=self.authority)
        self._http = httpx.Client(base_url=self.server, headers=headers, verify=trust, timeout=30, trust_env=False)

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        answer = self._http.get(_path(kind, namespace, name))
        if answer.status_code == 404:
            return None
        return _read(answer)

    def list(self, kind: str, namespace: str, labels: str = "") -> list[dict[str, Any]]:
        found = _read(self._http.get(_path(kind, namespace), params={"labelSelector": labels} if labels else {}))
        items: list[dict[str, Any]] = found["items"]
        return items

    def apply(self, *documents: Mapping[str, Any], dry_run: bool = False) -> None:
        """Server-side apply, with validation as kubectl does it. Raises Refused."""
        for document in documents:
            meta = document["metadata"]
            params = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
            if dry_run:
                params["dryRun"] = "All"
            for attempt in itertools.count():
                answer = self._http.patch(
                    _path(document["kind"], meta.get("namespace", ""), meta["name"]),
                    params=params,
                    content=yaml.safe_dump(dict(document)),
                    headers={"Content-Type": "application/apply-patch+yaml"},
                )
                if _NEW_KIND not in answer.text or attempt == _NEW_KIND_TRIES:
                    _read(answer)
                    break
                time.sleep(0.5)

    def create(self, document: Mapping[str, Any]) -> dict[str, Any]:
        path = _path(document["kind"], document["metadata"].get("namespace", ""))
        return _read(self._http.post(path, json=dict(document), params={"fieldValidation": "Strict"}))

    def merge(
        self, kind: str, namespace: str, name: str, patch: Mapping[str, Any], *, subresource: str = ""
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/merge-patch+json"}
        path = _path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return _read(self._http.patch(path, json=dict(patch), headers=headers, params={"fieldManager": FIELD_MANAGER}))

    def delete(self, kind: str, namespace: str, name: str, *, propagation: str = "Background") -> None:
        answer = self._http.delete(_path(kind, namespace, name), params={"propagationPolicy": propagation})
        if answer.status_code != 404:
            _read(answer)

    def token(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount, good for some hours."""
        path = _path("ServiceAccount", namespace, account) + "/token"
        made = _read(self._http.post(path, json={"spec": {"expirationSeconds": 14_400}}))
        value: str = made["status"]["token"]
        return value

    def close(self) -> None:
        self._http.close()


def _path(kind: str, namespace: str, name: str = "") -> str:
    group, plural, namespaced = _PATHS[kind]
    path = f"{group}/namespaces/{namespace}/{plural}" if namespaced else f"{group}/{plural}"
    return f"{path}/{name}" if name else path


def _read(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_success:
        document: dict[str, Any] = answer.json()
        return document
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError):
        message = answer.text
    raise Refused(message)


T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float, what: str, every: float = 0.1) -> T:
    """The first true answer. Raises AssertionError, with the last answer, when the time is over."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {found!r}")
        time.sleep(every)
