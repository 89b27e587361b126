"""Where people come in: the address of the Gateway that an HTTPRoute is attached to. Nobody writes it into a Release.

It is asked for anew for each question: a Gateway is not watched, and may have moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tidegate.errors import Transient
from tidegate.kube import GATEWAYS, HTTPROUTES, Cluster, Object

SCHEMES: Final[Mapping[str, str]] = {"HTTP": "http", "HTTPS": "https"}
"""By protocol of the listener; the plain one is taken first."""

ANY_LABEL: Final = "tidegate"  # stands for the * of a wildcard


class Door(NamedTuple):
    base: str  # http://10.0.0.1:8080
    host: str | None  # what to ask for there; None: whatever


async def front_door(cluster: Cluster, namespace: str, name: str) -> Door:
    """Of a Gateway that has accepted the route.

    Raises Transient where there is none yet or it tells no address, and whatever the API server refuses.
    """
    route = cluster.get(HTTPROUTES, namespace, name)
    if route is None:
        raise Transient(f"HTTPRoute {name} is not there, so nobody comes in by it.")
    troubles = []
    for parent in accepted_parents(route):
        gateway = await cluster.client.get(GATEWAYS, str(parent.get("namespace") or namespace), str(parent["name"]))
        found = door(route, parent, gateway)
        if isinstance(found, Door):
            return found
        troubles.append(found)
    raise Transient(" ".join(troubles) or f"No Gateway has accepted HTTPRoute {name} yet.")


def accepted_parents(route: Object) -> Iterator[Mapping[str, Any]]:
    """The Gateways that take the route, as it names them: a Gateway says itself whose routes it takes."""
    for entry in (route.get("status") or {}).get("parents") or ():
        parent = entry.get("parentRef") or {}
        accepted = any(
            condition.get("type") == "Accepted" and condition.get("status") == "True"
            for condition in entry.get("conditions") or ()
        )
        if accepted and parent.get("kind", "Gateway") == "Gateway":
            yield parent


def door(route: Object, parent: Mapping[str, Any], gateway: Object) -> Door | str:
    """By the first listener that the route may be at; else a sentence that says what is missing."""
    name = gateway["metadata"]["name"]
    addresses = [
        str(each["value"]) for each in (gateway.get("status") or {}).get("addresses") or () if each.get("value")
    ]
    if not addresses:
        return f"Gateway {name} tells no address in its status. Check that its controller has given it one."
    listeners = [each for each in gateway["spec"].get("listeners") or () if _may_be_at(parent, each)]
    hostnames = [str(each) for each in (route.get("spec") or {}).get("hostnames") or ()]
    for listener in sorted(listeners, key=lambda each: list(SCHEMES).index(each["protocol"])):
        host = _host(hostnames, listener.get("hostname"))
        if host is not None:
            address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
            return Door(f"{SCHEMES[listener['protocol']]}://{address}:{listener['port']}", host or None)
    return (
        f"Gateway {name} has no listener for HTTP or HTTPS by which HTTPRoute {route['metadata']['name']} is reached."
    )


def _may_be_at(parent: Mapping[str, Any], listener: Mapping[str, Any]) -> bool:
    return (
        listener.get("protocol") in SCHEMES
        and parent.get("sectionName") in (None, listener.get("name"))
        and parent.get("port") in (None, listener.get("port"))
    )


def _host(hostnames: Sequence[str], listens: str | None) -> str | None:
    """A name under which both are met; "" for any, None for none."""
    if not hostnames:
        return _made(listens or "")
    if not listens:
        return _made(hostnames[0])
    for hostname in hostnames:
        if _covers(listens, hostname):
            return _made(hostname)
        if _covers(hostname, listens):
            return _made(listens)
    return None


def _covers(pattern: str, hostname: str) -> bool:
    if pattern.startswith("*."):
        return hostname == pattern or hostname.removeprefix("*").endswith(pattern[1:])
    return pattern == hostname


def _made(hostname: str) -> str:
    return hostname.replace("*", ANY_LABEL, 1)
