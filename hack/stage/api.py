"""A small, blocking client of the API server of KUBECONFIG: what a script or a test has to say and to ask."""

import base64
import itertools
import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import httpx
import yaml

from tidegate.cli.login import log_in
from tidegate.kube.access import from_environment

FIELD_MANAGER = "stage"
# A kind is served a little before it can be applied: the server says so, and is asked again.
_NEW_KIND, _NEW_KIND_TRIES = "There can be a delay between when CustomResourceDefinitions are created", 30

_PATHS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "Service": ("/api/v1", "services", True),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "Pod": ("/api/v1", "pods", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Secret": ("/api/v1", "secrets", True),
    "ResourceQuota": ("/api/v1", "resourcequotas", True),
    "Event": ("/apis/events.k8s.io/v1", "events", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions", True),
    "Job": ("/apis/batch/v1", "jobs", True),
    "CronJob": ("/apis/batch/v1", "cronjobs", True),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "HTTPRoute": ("/apis/gateway.networking.k8s.io/v1", "httproutes", True),
    "VirtualService": ("/apis/networking.istio.io/v1", "virtualservices", True),
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
        """`user` acts as that user by impersonation; without, as the kubeconfig's own: by token, certificate or `exec`.

        Only an explicit KUBECONFIG counts, as in the tests. Raises KeyError without, NoAccess where it can't be used.
        """
        self._access = from_environment({"KUBECONFIG": os.environ["KUBECONFIG"]}, log_in=log_in)
        headers = {"Impersonate-User": user, "Impersonate-Group": "system:authenticated"} if user else {}
        self._http = httpx.Client(
            base_url=self.server,
            auth=self._authorize,
            headers=headers,
            verify=self._access.tls() or True,
            timeout=30,
            trust_env=False,
        )

    @property
    def server(self) -> str:
        """https://host:port."""
        return self._access.server

    @property
    def authority(self) -> str | None:
        """Who signed the server's certificate, as PEM; None: an authority of the system's."""
        return self._access.authority

    @cached_property
    def me(self) -> str:
        """The name by which the API server knows us: what stands in `by`."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = _read(self._http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=body))
        name: str = answer["status"]["userInfo"]["username"]
        return name

    def kubeconfig(self, token: str, *, server: str = "") -> str:
        """Text of a kubeconfig for the same server with that token and nothing else. `server`: another way to it, by
        plain http."""
        cluster: dict[str, Any] = {"server": server or self.server}
        if not server and self.authority is not None:
            cluster["certificate-authority-data"] = base64.b64encode(self.authority.encode()).decode()
        if not server and self._access.insecure:
            cluster["insecure-skip-tls-verify"] = True
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stage", "cluster": cluster}],
            "users": [{"name": "stage", "user": {"token": token}}],
            "contexts": [{"name": "stage", "context": {"cluster": "stage", "user": "stage"}}],
            "current-context": "stage",
        }
        return yaml.safe_dump(config)

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        if value := self._access.authorization():
            request.headers["Authorization"] = value
        return request

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
