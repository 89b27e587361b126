"""A store fed by plain lists: what the watches would have told by now."""

from __future__ import annotations

from tidegate.kube import (
    CONFIGMAPS,
    CONTROLLERREVISIONS,
    CRONJOBS,
    DEPLOYMENTS,
    HTTPROUTES,
    JOBS,
    PODS,
    SECRETS,
    SERVICES,
    VIRTUALSERVICES,
    Cluster,
    key_of,
)

KINDS = (HTTPROUTES, SERVICES, DEPLOYMENTS, CONTROLLERREVISIONS, PODS, JOBS, CRONJOBS, CONFIGMAPS, SECRETS)


async def mirror(cluster: Cluster, namespace: str) -> None:
    """Take over all that the namespace has, and drop what it has no more."""
    served = await cluster.client.serves(VIRTUALSERVICES)
    for resource in (*KINDS, VIRTUALSERVICES) if served else KINDS:
        listing = await cluster.client.list(resource, namespace)
        for obj in listing.items:
            cluster.store.put(resource, obj)
        there = {key_of(obj) for obj in listing.items}
        for key in cluster.store.keys_within(resource, namespace):
            if key not in there:
                cluster.store.drop(resource, key.namespace, key.name)
    if served:
        cluster.store.mark_followed(VIRTUALSERVICES, None)
