"""By the weights of destinations in a VirtualService: Istio.

Nothing in a VirtualService tells whether the proxies have taken its newest weights, so a drain counts from the write.
Where Istio's definitions are not installed there is nothing to look at: that is a refusal, and no reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from tidegate.api.conditions import Reason
from tidegate.api.release import Component
from tidegate.engine.values import Reading
from tidegate.errors import Permanent
from tidegate.kube import VIRTUALSERVICES, Object, Resource
from tidegate.targets.kubernetes.names import app_service_name, section
from tidegate.targets.kubernetes.traffic.by_refs import ByRefs
from tidegate.targets.kubernetes.traffic.port import Carrier, Seen, Write
from tidegate.targets.kubernetes.traffic.routes import Rule
from tidegate.targets.kubernetes.traffic.virtual_services import as_http, as_rules, sends_to_nothing
from tidegate.targets.kubernetes.view import View
from tidegate.targets.port import Problem

NOT_SERVED: Final = "IstioNotInstalled"


class IstioWay(ByRefs):
    resource: ClassVar[Resource] = VIRTUALSERVICES
    path: ClassVar[tuple[str, str]] = ("f:spec", "f:http")
    ref: ClassVar[str] = "destination"

    def carries(self, component: Component) -> bool:
        return component.kubernetes.traffic.istio is not None

    def carrier(self, release: str, component: Component) -> Carrier:
        named = component.kubernetes.traffic.istio
        assert named is not None
        return Carrier(VIRTUALSERVICES, named.virtual_service)

    def look(self, view: View, component: Component, now: float) -> Seen:
        if not view.cluster.follows(VIRTUALSERVICES, view.app.namespace):
            return Seen(Reading(None, None), refusals=(_not_served(self.carrier(view.app.name, component), component),))
        return super().look(view, component, now)

    async def ensure(self, view: View, carrier: Carrier, writes: Sequence[Write], now: float) -> None:
        cluster, namespace = view.cluster, view.app.namespace
        # Not to see it for a while is no reason to refuse a revert: only that it is not there is.
        followed = cluster.follows(VIRTUALSERVICES, namespace)
        if not followed and await cluster.fresh(VIRTUALSERVICES, namespace, carrier.name) is None:
            raise Permanent(_not_served(carrier, writes[0].component).sentence)
        await super().ensure(view, carrier, writes, now)

    def rules_of(self, route: Object) -> Sequence[Rule]:
        return as_rules(section(route, "spec").get("http") or (), str(route["metadata"].get("namespace", "")))

    def spec_with(self, rules: Sequence[Rule]) -> Mapping[str, Any]:
        """Raises Permanent."""
        if sends_to_nothing(rules):
            raise Permanent(
                "A VirtualService can't send requests to nothing: give the route that leads only to this component "
                "another destination, or take it out."
            )
        return {"http": as_http(rules)}

    def is_followed(self, route: Object) -> bool:
        return True

    def troubles(self, part: str, route: Object, left: float, now: float) -> Sequence[Problem]:
        return ()

    def missing(self, view: View, component: Component) -> Problem:
        sentence = (
            f"{self.carrier(view.app.name, component)} is not there. Create it in namespace {view.app.namespace}, with "
            f"destination {app_service_name(view.app.name, component)} in each route that should reach it."
        )
        return Problem(component.name, "", Reason.ROUTE_MISSING, sentence, lasting=True)


def _not_served(carrier: Carrier, component: Component) -> Problem:
    sentence = (
        f"{carrier} can't be looked at: the API server does not serve {VIRTUALSERVICES.api_version}, or does not let "
        "Tidegate list it. Install Istio (1.22 or newer), or split the traffic by an httpRoute."
    )
    return Problem(component.name, "", NOT_SERVED, sentence, lasting=True)
