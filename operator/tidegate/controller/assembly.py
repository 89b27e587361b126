"""The loop with everything it is made of: the one place that knows every adapter."""

from tidegate.api.connection import Connection
from tidegate.api.parse import parse_connection
from tidegate.checks import Checks
from tidegate.controller.acting import Actor, limit_under
from tidegate.controller.audience import Audience
from tidegate.controller.judging import Judging
from tidegate.controller.looking import Looker
from tidegate.controller.loop import Loop
from tidegate.controller.parts import Parts
from tidegate.controller.sampling import Sampler
from tidegate.controller.secrets import SecretValues
from tidegate.controller.settling import Settler
from tidegate.errors import Invalid
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import CONNECTIONS, Key
from tidegate.targets import KubernetesTarget


def build(parts: Parts) -> Loop:
    """Wire the loop. Called once a process, inside its event loop."""
    cluster, queue = parts.cluster, parts.queue

    def wake(key: Key) -> None:
        queue.add(key)

    def hurry(key: Key) -> None:
        queue.add(key, first=True)  # a guard has spoken, or a revert is not at its end: before all others

    target = KubernetesTarget(cluster, wake, home=parts.home)
    checks = Checks(cluster, wake)
    sampler = Sampler(
        connection=_Connections(cluster).read,
        secret=SecretValues(cluster.client).read,
        wake=hurry,
        tick=parts.settings.tick,
    )
    judging = Judging(sampler)
    admission = parts.admission
    settler = Settler(cluster, target)
    return Loop(
        cluster,
        Looker(cluster, target, checks, judging, admission, parts.settings.tick),
        Actor(target, checks.run, settler, limit=limit_under(parts.settings.lease_duration)),
        settler,
        parts.gate,
        Audience(parts.events, parts.metrics),
        hurry=hurry,
        forgetting=(target.dismiss, checks.forget, judging.forget),
        closing=(admission.close, judging.close, checks.close, target.close),
    )


class _Connections:
    """Connections out of the store, parsed once a version."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._parsed: dict[tuple[str, str], tuple[str, Connection]] = {}

    def read(self, namespace: str, name: str) -> Connection | None:
        document = self._cluster.get(CONNECTIONS, namespace, name)
        if document is None:
            self._parsed.pop((namespace, name), None)
            return None
        version = document["metadata"]["resourceVersion"]
        known = self._parsed.get((namespace, name))
        if known is None or known[0] != version:
            try:
                known = (version, parse_connection(document))
            except Invalid:
                return None  # admission lets none such in; without it, the guard says that it can't be read
            self._parsed[namespace, name] = known
        return known[1]
