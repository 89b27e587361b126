"""The language of the end-to-end tests: one shop in a namespace of its own, told as given, when, then."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hack.stage import shop
from hack.stage.api import Api, eventually
from hack.stage.load import Load

STABLE, CANDIDATE = "stable", "candidate"


class Shop:
    """A Release `shop` of one component `web`, its route and its Service."""

    def __init__(self, api: Api, namespace: str, folder: Path) -> None:
        self.api, self.namespace, self._folder = api, namespace, folder
        self.host = f"{namespace}.example"

    def open(self) -> "Shop":
        """With a trickle of customers: a guard that is asked nothing lets nothing pass."""
        self.api.apply(
            shop.namespace(self.namespace),
            shop.service(self.namespace),
            shop.route(self.namespace, host=self.host),
            shop.connection(self.namespace),
        )
        self._trickle = self.load(rps=25)
        return self

    def close(self) -> None:
        """Release first, so that the operator lets go of it; then all the rest."""
        self._trickle.stop()
        for release in self.api.list("Release", self.namespace):
            self.api.delete("Release", self.namespace, release["metadata"]["name"])
        eventually(lambda: not self.api.list("Release", self.namespace), 60, "deleted Releases are let go")
        self.api.delete("Namespace", "", self.namespace)

    # ---- given, when

    def declare(self, version: str, **changes: Any) -> None:
        self.api.apply(shop.release(self.namespace, version, **changes))

    def given_live(self, version: str, **changes: Any) -> None:
        """That version is declared, and completed."""
        self.declare(version, **changes)
        self.then_phase("Completed", version=version, within=90)

    def act(self, action: str, **more: Any) -> str:
        """Write an Intervention. Gives its name."""
        made = self.api.create(shop.intervention(self.namespace, action, self.api.me, **more))
        name: str = made["metadata"]["name"]
        return name

    def load(self, rps: float = 50, url: str = shop.GATEWAY) -> Load:
        return Load(self.host, self._folder / f"{self.namespace}-{time.time_ns()}.jsonl", rps, url)

    def load_on_service(self, rps: float = 50) -> Load:
        """At the address of the app's own Service, past any gateway."""
        eventually(self._service_answers, 60, "kube-proxy leads to the pods of the Service")
        return self._on_service(rps)

    def _service_answers(self) -> bool:
        with self._on_service(20) as load:
            time.sleep(0.5)
        return {request.code for request in load.requests()} == {200}

    def _on_service(self, rps: float) -> Load:
        address = (self.api.get("Service", self.namespace, "web") or {})["spec"]["clusterIP"]
        log = self._folder / f"{self.namespace}-service-{time.time_ns()}.jsonl"
        return Load(self.host, log, rps, url=f"http://{address}:{shop.PORT}/")

    # ---- what is

    def status(self) -> dict[str, Any]:
        release = self.api.get("Release", self.namespace, "shop") or {}
        status: dict[str, Any] = release.get("status", {})
        return status

    def condition(self, kind: str) -> dict[str, Any]:
        return next((c for c in self.status().get("conditions", []) if c["type"] == kind), {})

    def route(self) -> dict[str, Any]:
        route = self.api.get("HTTPRoute", self.namespace, "web")
        assert route is not None
        return route

    def backends(self) -> dict[str, int]:
        """Weight by backend, of the route's first rule."""
        return {ref["name"]: ref.get("weight", 1) for ref in self.route()["spec"]["rules"][0]["backendRefs"]}

    def service_of(self, version: str) -> str:
        """Name of the Deployment and Service of a version, by its label."""
        labels = f"tidegate.dev/release=shop,app.kubernetes.io/version={version}"
        found = self.api.list("Deployment", self.namespace, labels)
        return str(found[0]["metadata"]["name"]) if found else ""

    def weight_of(self, version: str) -> int | None:
        """Percent of the route that a version has; None where it is not in the route."""
        name = self.service_of(version)
        backends = self.backends()
        total = sum(backends.values())
        return None if name not in backends else round(100 * backends[name] / total) if total else 0

    # ---- then

    def then_phase(self, phase: str, *, version: str = "", within: float = 60) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            status = self.status()
            stable = status.get("stable", {}).get("version", "")
            right = status.get("phase") == phase and (not version or stable == version)
            return status if right else None

        try:
            return eventually(there, within, f"{self.namespace} is {phase} {version}") or {}
        except AssertionError as error:
            raise AssertionError(f"{error}; status: {self.status()}") from None

    def then_ready_says(self, words: str, within: float = 30) -> None:
        try:
            eventually(lambda: words in str(self.condition("Ready")), within, f"Ready says {words!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.condition('Ready')}") from None

    def then_weight(self, version: str, weight: int, within: float = 30) -> None:
        eventually(
            lambda: self.weight_of(version) == weight, within, f"{version} has {weight} % of {self.backends()}", 0.05
        )

    def then_answered(self, intervention: str, outcome: str, within: float = 20) -> str:
        def answer() -> Mapping[str, Any]:
            found = self.api.get("Intervention", self.namespace, intervention) or {}
            status: Mapping[str, Any] = found.get("status", {})
            return status if status.get("outcome") else {}

        status = eventually(answer, within, f"{intervention} is answered")
        assert status["outcome"] == outcome, status
        return str(status.get("message", ""))
