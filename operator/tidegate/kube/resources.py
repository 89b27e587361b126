"""The kinds that Tidegate reads and writes, and how an object is addressed.

Past this package objects are models or dataclasses; at this border they are the JSON that Kubernetes speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from tidegate.api.meta import GROUP, KIND_CONNECTION, KIND_INTERVENTION, KIND_POLICY, KIND_RELEASE, PLURALS, VERSION

Object: TypeAlias = Mapping[str, Any]
"""One object as Kubernetes JSON."""


class Key(NamedTuple):
    """Where an object of a kind known from the context lives."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One namespaced kind, as the API server names it. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As in `apiVersion`: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As RBAC and kubectl name it: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of one object, of all objects of a namespace, or of all there are."""
        words = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            words += ["namespaces", namespace]
        words += [self.plural, *(word for word in (name, subresource) if word is not None)]
        return "/" + "/".join(quote(word, safe="") for word in words)

    def __str__(self) -> str:
        return self.full_name


RELEASES: Final = Resource(GROUP, VERSION, PLURALS[KIND_RELEASE], KIND_RELEASE)
POLICIES: Final = Resource(GROUP, VERSION, PLURALS[KIND_POLICY], KIND_POLICY)
CONNECTIONS: Final = Resource(GROUP, VERSION, PLURALS[KIND_CONNECTION], KIND_CONNECTION)
INTERVENTIONS: Final = Resource(GROUP, VERSION, PLURALS[KIND_INTERVENTION], KIND_INTERVENTION)
HTTPROUTES: Final = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
GATEWAYS: Final = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
VIRTUALSERVICES: Final = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
ENDPOINTSLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
REPLICASETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet")
CONTROLLERREVISIONS: Final = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
SERVICES: Final = Resource("", "v1", "services", "Service")
PODS: Final = Resource("", "v1", "pods", "Pod")
CONFIGMAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")
CRONJOBS: Final = Resource("batch", "v1", "cronjobs", "CronJob")
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")

WATCHED: Final = (
    RELEASES,
    POLICIES,
    CONNECTIONS,
    INTERVENTIONS,
    HTTPROUTES,
    SERVICES,
    CRONJOBS,
    DEPLOYMENTS,
    CONTROLLERREVISIONS,
    PODS,
    JOBS,
)
"""What the store holds, and `OUTLINED`. All else is read from the server when it is needed."""

OUTLINED: Final = (CONFIGMAPS, SECRETS)
"""Of these the store holds the metadata alone, and only of what carries the label `tidegate.dev/release` or is named by
a Release. A namespace may have thousands of them, with a megabyte each, and what is in most is nobody's business."""

OPTIONAL: Final = (VIRTUALSERVICES,)
"""What the store holds besides, where the API server serves it: it may come later, and go."""

LABELLED_ONLY: Final = frozenset({DEPLOYMENTS, CONTROLLERREVISIONS, PODS, JOBS})
"""Of these only what carries the label `tidegate.dev/release`: they are ours, or nothing to us.

Services and CronJobs are people's, who must label them first: to tell them so, we must see them without it.
"""


def key_of(obj: Object) -> Key:
    """Where the object lives."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def uid_of(obj: Object) -> str:
    """The uid; empty for what was never stored by an API server."""
    return str(obj["metadata"].get("uid", ""))


def version_of(obj: Object) -> int:
    """The resourceVersion as a number: comparing them so is official (KEP-5504). 0 where there is none."""
    return int(obj["metadata"].get("resourceVersion") or 0)
