"""The Kubernetes API: a small async client, the store of what the watches tell, and the two as one `Cluster`."""

from tidegate.kube.access import Access, NoAccess
from tidegate.kube.client import Client, Listing
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import (
    CONNECTIONS,
    CONTROLLERREVISIONS,
    CRONJOBS,
    DEPLOYMENTS,
    EVENTS,
    HTTPROUTES,
    INTERVENTIONS,
    JOBS,
    LEASES,
    PODS,
    POLICIES,
    RELEASES,
    SECRETS,
    SERVICES,
    WATCHED,
    Key,
    Object,
    Resource,
    key_of,
    uid_of,
    version_of,
)
from tidegate.kube.store import Store

__all__ = [
    "CONNECTIONS",
    "CONTROLLERREVISIONS",
    "CRONJOBS",
    "DEPLOYMENTS",
    "EVENTS",
    "HTTPROUTES",
    "INTERVENTIONS",
    "JOBS",
    "LEASES",
    "PODS",
    "POLICIES",
    "RELEASES",
    "SECRETS",
    "SERVICES",
    "WATCHED",
    "Access",
    "Client",
    "Cluster",
    "Key",
    "Listing",
    "NoAccess",
    "Object",
    "Resource",
    "Store",
    "key_of",
    "uid_of",
    "version_of",
]
