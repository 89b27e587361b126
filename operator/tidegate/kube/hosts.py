"""Hosts that name a Service: how a VirtualService of Istio says where its traffic goes."""

from __future__ import annotations


def service_of(host: object, namespace: str) -> str | None:
    """The Service of that namespace that a host names, short or with its domain: `web`, `web.shop`, `web.shop.svc`,
    `web.shop.svc.cluster.local`. None if it names something else."""
    name, _, domain = str(host).partition(".")
    labels = domain.split(".") if domain else []
    if not name or (labels and labels[0] != namespace) or (len(labels) > 1 and labels[1] != "svc"):
        return None
    return name


def in_place_of(host: str, service: str) -> str:
    """The host of another Service of the same namespace, in the same form."""
    _, dot, domain = host.partition(".")
    return f"{service}{dot}{domain}"
