"""How traffic comes to a component's revisions: one module for each member of `traffic` in the spec.

A way keeps the protocol of `port.py`; a new one is a module here and an entry in `WAYS`. Nothing outside of this
package knows of what kind the object is that carries a split.
"""

from __future__ import annotations

from typing import Final

from tidegate.api.release import Component
from tidegate.targets.kubernetes.traffic.by_pods import ByPods
from tidegate.targets.kubernetes.traffic.http_route import HTTPRouteWay
from tidegate.targets.kubernetes.traffic.istio import IstioWay
from tidegate.targets.kubernetes.traffic.port import Carrier, InUse, Seen, Way, Write
from tidegate.targets.kubernetes.view import View

WAYS: Final[tuple[Way, ...]] = (HTTPRouteWay(), IstioWay(), ByPods())
"""All there are. Only what a component's own way says is read and written; but before something is taken down, none of
them may lead there."""


def way_of(component: Component) -> Way:
    """By the member of the union that the component has."""
    return next(way for way in WAYS if way.carries(component))


def own_port(view: View, component: Component) -> int:
    """The port of the app's own Service; while there is none, the one by which its traffic names it."""
    return view.service_port(component) or way_of(component).port(view, component) or component.kubernetes.port


__all__ = ["WAYS", "Carrier", "InUse", "Seen", "Way", "Write", "own_port", "way_of"]
