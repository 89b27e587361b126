"""By the weights of an HTTPRoute's backendRefs: the Gateway API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from tidegate.api.conditions import Reason
from tidegate.api.release import Component
from tidegate.kube import HTTPROUTES, Object, Resource
from tidegate.targets.kubernetes.names import app_service_name, section
from tidegate.targets.kubernetes.problems import one_line
from tidegate.targets.kubernetes.traffic.by_refs import ByRefs
from tidegate.targets.kubernetes.traffic.gateway import is_followed, refusals_of
from tidegate.targets.kubernetes.traffic.port import Carrier
from tidegate.targets.kubernetes.traffic.routes import Rule
from tidegate.targets.kubernetes.view import View
from tidegate.targets.port import Problem

ROUTE_NOT_ACCEPTED: Final = "RouteNotAccepted"
ROUTE_UNCLAIMED: Final = "RouteUnclaimed"
ROUTE_NOT_FOLLOWED: Final = "RouteNotFollowed"
PATIENCE: Final = 30.0  # seconds that a gateway has to report on a route


class HTTPRouteWay(ByRefs):
    resource: ClassVar[Resource] = HTTPROUTES
    path: ClassVar[tuple[str, str]] = ("f:spec", "f:rules")
    tells_headers: ClassVar[bool] = True

    def carries(self, component: Component) -> bool:
        return component.kubernetes.traffic.http_route is not None

    def carrier(self, release: str, component: Component) -> Carrier:
        named = component.kubernetes.traffic.http_route
        assert named is not None
        return Carrier(HTTPROUTES, named.name)

    def rules_of(self, route: Object) -> Sequence[Rule]:
        rules: Sequence[Rule] = section(route, "spec").get("rules") or ()
        return rules

    def spec_with(self, rules: Sequence[Rule]) -> Mapping[str, Any]:
        return {"rules": list(rules)}

    def is_followed(self, route: Object) -> bool:
        return is_followed(route)

    def troubles(self, part: str, route: Object, left: float, now: float) -> Sequence[Problem]:
        problems = _not_taken(part, route)
        if not is_followed(route) and now - left > PATIENCE:
            problems.append(_not_followed(part, route))
        return problems

    def missing(self, view: View, component: Component) -> Problem:
        sentence = (
            f"{self.carrier(view.app.name, component)} is not there. Create it in namespace {view.app.namespace}, with "
            f"a backendRef to Service {app_service_name(view.app.name, component)} in each rule that should reach it."
        )
        return Problem(component.name, "", Reason.ROUTE_MISSING, sentence, lasting=True)


def _not_taken(part: str, route: Object) -> list[Problem]:
    """By which gateways the newest spec of a route is not taken, and why."""
    name = route["metadata"]["name"]
    if not section(route, "status").get("parents"):
        sentence = (
            f"No Gateway has taken HTTPRoute {name} yet, so nothing tells whether its weights hold. "
            "Check its parentRefs, and that the Gateway's controller runs."
        )
        return [Problem(part, "", ROUTE_UNCLAIMED, sentence, lasting=False)]
    found = []
    for gateway, kind, message in refusals_of(route):
        sentence = f"Gateway {gateway} does not take HTTPRoute {name} ({kind}): {one_line(message)}"
        # A ref that leads nowhere may be one of others, or be there in a moment.
        found.append(Problem(part, "", ROUTE_NOT_ACCEPTED, sentence, lasting=kind == "Accepted"))
    return found


def _not_followed(part: str, route: Object) -> Problem:
    """For a route that was last written longer than `PATIENCE` ago."""
    sentence = (
        f"The Gateway of HTTPRoute {route['metadata']['name']} has not reported that it took the newest weights, so "
        "nothing that had traffic is taken down. Check the Gateway's controller."
    )
    return Problem(part, "", ROUTE_NOT_FOLLOWED, sentence, lasting=False)
