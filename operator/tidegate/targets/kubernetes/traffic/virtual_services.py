"""A VirtualService's HTTP routes in the shape of an HTTPRoute's rules, and back: so that one set of functions splits
both. Pure.

Ours are the destinations in `http[].route` whose host is the app's own Service or a revision's, short or with its
domain. What a rule was made of goes along with it and comes back as it was, byte for byte, but for weights and ports of
ours; so do `tls`, `tcp`, and rules that redirect, delegate or answer by themselves, which have no `route`.

Istio reads weights in its own way: a destination that stands alone gets everything, whatever its weight; beside others,
one without a weight gets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from tidegate.kube.hosts import in_place_of, service_of
from tidegate.targets.kubernetes.traffic.routes import Ref, Rule

ALONE: Final = 100  # the weight that a destination counts as that stands alone
_MADE_OF: Final = "made of"  # no field of an HTTPRoute is called so
_WAS: Final = "was"
_LIKE: Final = "host like"


def as_rules(http: Sequence[Mapping[str, Any]], namespace: str) -> list[Rule]:
    """One rule for each HTTP route of a VirtualService of that namespace."""
    return [_rule(route, namespace) for route in http]


def _rule(route: Mapping[str, Any], namespace: str) -> Rule:
    destinations = route.get("route") or ()
    refs = [_ref(each, namespace, alone=len(destinations) == 1) for each in destinations]
    return {_MADE_OF: deepcopy(dict(route)), _WAS: deepcopy(refs), "backendRefs": refs}


def _ref(destination: Mapping[str, Any], namespace: str, *, alone: bool) -> Ref:
    to: Mapping[str, Any] = destination.get("destination") or {}
    host, port = str(to.get("host")), (to.get("port") or {}).get("number")
    service = service_of(host, namespace)
    ref: Ref = {"kind": "Host" if service is None else "Service", "name": service or host}
    if port is not None:
        ref["port"] = port
    # What a ref of ours has of its own, one that is added beside it gets, too: see `routes`.
    beside = {key: value for key, value in destination.items() if key not in ("destination", "weight")}
    ref["filters"] = {_LIKE: host, **deepcopy(beside)}
    weight = ALONE if alone else int(destination.get("weight") or 0)
    return {**ref, "weight": weight, _MADE_OF: deepcopy(dict(destination))}


def as_http(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """The HTTP routes of rules that `as_rules` made, and that were split anew."""
    return [_route(rule) for rule in rules]


def _route(rule: Rule) -> dict[str, Any]:
    whole: dict[str, Any] = deepcopy(rule[_MADE_OF])
    before: Sequence[Ref] = rule[_WAS]
    if list(before) == list(rule["backendRefs"]):
        return whole
    refs: Sequence[Ref] = rule["backendRefs"]
    lone = {len(before) == 1, len(refs) == 1}
    return {**whole, "route": [_destination(ref, lone) for ref in refs]}


def _destination(ref: Ref, lone: set[bool]) -> dict[str, Any]:
    """`lone`: whether it stood alone before, and whether it does now. Its weight stays as it is only where that has
    meant, and means, what it is to have."""
    if _MADE_OF not in ref:
        beside = {key: deepcopy(value) for key, value in ref["filters"].items() if key != _LIKE}
        host = in_place_of(ref["filters"][_LIKE], ref["name"])
        return {**beside, "destination": {"host": host, "port": {"number": ref["port"]}}, "weight": ref["weight"]}
    found: dict[str, Any] = deepcopy(ref[_MADE_OF])
    port = found["destination"].get("port") or {}
    if "port" in ref and port.get("number") != ref["port"]:
        found["destination"]["port"] = {**port, "number": ref["port"]}
    if any(ref["weight"] != (ALONE if alone else int(found.get("weight") or 0)) for alone in lone):
        found["weight"] = ref["weight"]
    return found


def sends_to_nothing(rules: Sequence[Rule]) -> bool:
    """Whether a rule was split so that no destination has a weight: what Istio has no words for."""
    changed = (rule["backendRefs"] for rule in rules if rule["backendRefs"] != rule[_WAS])
    return any(refs and not any(ref["weight"] for ref in refs) for refs in changed)
