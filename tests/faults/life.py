"""One Release in a namespace of its own, with an operator of its own behind a fault proxy."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hack.stage import shop
from hack.stage.api import Api, eventually
from hack.stage.operator import SYSTEM, Operator
from hack.stage.proxy import FaultProxy, Write

# As short as a busy machine bears: an operator that gets no turn for the time of `RENEW` ends by itself.
SHORT_LEASE = {
    "TIDEGATE_LEASE_DURATION": "8s",
    "TIDEGATE_LEASE_RENEW": "6s",
    "TIDEGATE_LEASE_RETRY": "500ms",
    "TIDEGATE_TICK": "1s",
}
AT_ONCE = ({"weight": 100, "hold": "0s"},)


class Life:
    """A Release `shop` of one component `web` with one pod. Nothing that it does is seen by any other operator."""

    def __init__(self, api: Api, folder: Path, words: str) -> None:
        self.api, self._folder = api, folder
        self.namespace = f"fault-{words}-{uuid.uuid4().hex[:6]}"
        self.host = f"{self.namespace}.example"
        self._proxies: list[FaultProxy] = []
        self._operators: list[Operator] = []

    def __enter__(self) -> Self:
        self.api.apply(
            shop.namespace(self.namespace),
            *_lease_rights(self.namespace),
            shop.service(self.namespace),
            shop.route(self.namespace, host=self.host),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for operator in self._operators:
            operator.kill()
        for proxy in self._proxies:
            proxy.__exit__(None, None, None)
        for release in self.api.list("Release", self.namespace):
            unheld = {"metadata": {"finalizers": None}}
            self.api.merge("Release", self.namespace, release["metadata"]["name"], unheld)
        self.api.delete("Namespace", "", self.namespace)

    # ---- operators

    def operator(self, words: str = "operator", **settings: str) -> tuple[Operator, FaultProxy]:
        """One more that works in this namespace only, unless `settings` say otherwise. It is not started yet."""
        proxy = FaultProxy(self.api.server, self.api.authority)
        proxy.__enter__()
        self._proxies.append(proxy)
        chosen = {"TIDEGATE_NAMESPACES": self.namespace, "TIDEGATE_LEASE_NAMESPACE": self.namespace, **SHORT_LEASE}
        operator = Operator(self.api, self._folder / words, port=0, server=proxy.url, **{**chosen, **settings})
        proxy.kill = operator.strike
        self._operators.append(operator)
        return operator, proxy

    # ---- what is

    def declare(self, version: str, *, name: str = "shop", **changes: Any) -> None:
        changes = {"components": [component()], "guards": [], "keepPrevious": "0s", **changes}
        self.api.apply(shop.release(self.namespace, version, name=name, **changes))

    def given_live(self, version: str, **changes: Any) -> None:
        self.declare(version, **{"steps": AT_ONCE, **changes})
        self.then_live(version)

    def then_live(self, version: str, seconds: float = 90) -> None:
        self.then(lambda status: status.get("phase") == "Completed" and _stable(status) == version, seconds, "live")

    def act(self, action: str, **more: Any) -> str:
        """Write an Intervention. Gives its name."""
        made = self.api.create(shop.intervention(self.namespace, action, self.api.me, **more))
        name: str = made["metadata"]["name"]
        return name

    def release(self, name: str = "shop") -> Mapping[str, Any]:
        return self.api.get("Release", self.namespace, name) or {}

    def status(self, name: str = "shop") -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.release(name).get("status", {})
        return status

    def then(self, look: Any, seconds: float, what: str, *, name: str = "shop") -> Mapping[str, Any]:
        """Wait until the status is as `look` says."""

        def there() -> Mapping[str, Any] | None:
            status = self.status(name)
            return status if look(status) else None

        try:
            return eventually(there, seconds, what, 0.2) or {}
        except AssertionError as error:
            raise AssertionError(f"{self.namespace}: {error}; {self.scene(name)}") from None

    def then_weight(self, weight: int, seconds: float = 60, *, name: str = "shop") -> None:
        """Declared in the status, and written to the route."""
        self.then(lambda status: status.get("weight") == weight, seconds, f"weight {weight}", name=name)

    def scene(self, name: str) -> str:
        """What there is, and the last words of all operators, for people."""
        route = self.api.get("HTTPRoute", self.namespace, "web") or {}
        reports = [
            (condition["type"], condition["status"], condition["reason"], condition.get("observedGeneration"))
            for parent in route.get("status", {}).get("parents", [])
            for condition in parent.get("conditions", [])
        ]
        return (
            f"status: {str(self.status(name))[:2500]}\nbackends {self.backends()} of generation "
            f"{route.get('metadata', {}).get('generation')}, reported as {reports}; {self.names('Deployment')}\n"
            f"{self._logs()}"
        )

    def _logs(self) -> str:
        return "\n".join(
            f"--- {operator.log.parent.name}\n"
            + "\n".join(line[:400] for line in operator.log.read_text().splitlines()[-12:])
            for operator in self._operators
            if operator.log.exists()
        )

    def names(self, kind: str) -> list[str]:
        """Of all objects of a kind, without those of the cluster's own."""
        return sorted(item["metadata"]["name"] for item in self.api.list(kind, self.namespace))

    def backends(self, route: str = "web") -> Mapping[str, int]:
        found = self.api.get("HTTPRoute", self.namespace, route)
        return weights(found) if found else {}

    def workload(self, version: str) -> str:
        """Name of the Deployment and the Service of a version; "" where it does not run."""
        labels = f"tidegate.dev/release,app.kubernetes.io/version={version}"
        found = self.api.list("Deployment", self.namespace, labels)
        return str(found[0]["metadata"]["name"]) if found else ""


def component(name: str = "web", **changes: Any) -> dict[str, Any]:
    """One pod, which ends at once when it is told to."""
    made = shop.component(name, replicas=1, environment={"DRAIN_SECONDS": "0"})
    made["kubernetes"] |= {"drain": "0s", **changes}
    return made


def weights(route: Mapping[str, Any]) -> Mapping[str, int]:
    """Weight by backend, of the first rule. Raises KeyError where a weight is not written out."""
    return {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]}


def epoch_of(release: Mapping[str, Any]) -> int:
    """Of whom the status was written by."""
    return int(release["status"]["writer"].get("epoch", 0))


def route_writes(writes: Sequence[Write], name: str = "web") -> list[Mapping[str, int]]:
    """The weights that each write of a route has left behind, in their order."""
    stored = [w.answer for w in writes if w.resource == "httproutes" and w.name == name and w.done]
    stored.sort(key=lambda route: int(route["metadata"]["resourceVersion"]))
    return [weights(route) for route in stored]


def until_quiet(proxies: Sequence[FaultProxy], seconds: float = 1.5, within: float = 40) -> None:
    """No write for so long."""
    begun = time.time()
    eventually(
        lambda: min(proxy.quiet_for() for proxy in proxies) > seconds and time.time() > begun + seconds,
        within,
        f"no write for {seconds:g} s",
        0.2,
    )


def _stable(status: Mapping[str, Any]) -> str:
    return str(status.get("stable", {}).get("version", ""))


def _lease_rights(namespace: str) -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    meta = {"name": "tidegate-lease", "namespace": namespace}
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": [
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}
            ],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "tidegate-lease"},
            "subjects": [{"kind": "ServiceAccount", "name": "tidegate", "namespace": SYSTEM}],
        },
    ]
