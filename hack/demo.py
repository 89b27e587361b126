"""The demo: a real release climbs 10 → 50 → 100 %, and a bad one goes back to 0 % by itself.

Run by `make demo`, inside the local cluster. Everything in it is real: pods, gateway, Prometheus, load, the operator
under the rights of its own ServiceAccount. What it prints is what happened, with the seconds that it took.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from hack.stage import shop
from hack.stage.api import Api, eventually
from hack.stage.load import Load
from hack.stage.operator import Operator, install

NAMESPACE, HOST, RPS = "demo", "demo.example", 100
STEPS = ({"weight": 10, "hold": "8s"}, {"weight": 50, "hold": "8s"}, {"weight": 100, "hold": "8s"})
BAD = "v2.0.0-bad"

console = Console(highlight=False, soft_wrap=True)


class Demo:
    def __init__(self, api: Api, load: Load) -> None:
        self._api, self._load = api, load
        self._began = time.time()

    def say(self, text: str, style: str = "") -> None:
        console.print(f"{time.time() - self._began:6.1f} s  {text}", style=style, markup=False)

    def declare(self, version: str) -> None:
        self.say(f"kubectl apply: spec.version is {version}", "bold cyan")
        release = shop.release(NAMESPACE, version, steps=STEPS, guards=[])
        self._api.apply(release)

    def status(self) -> Mapping[str, Any]:
        release = self._api.get("Release", NAMESPACE, "shop") or {}
        status: Mapping[str, Any] = release.get("status", {})
        return status

    def watch(self, done: Callable[[Mapping[str, Any]], bool], seconds: float) -> Mapping[str, Any]:
        """Print each change of the Ready sentence, with what the gateway really serves, until it is done."""
        end, last = time.time() + seconds, ""
        while time.time() < end:
            status = self.status()
            sentence = _ready(status)
            if sentence and sentence != last:
                self.say(f"{status.get('phase', ''):<12} {sentence}{self._served()}")
                last = sentence
            if done(status):
                return status
            time.sleep(0.2)
        raise SystemExit(f"The demo did not come to its end in {seconds:g} s; status: {self.status()}")

    def _served(self) -> str:
        shares = {version: count for version, count in self._load.shares(1.0).items() if version}
        total = sum(shares.values())
        if not total:
            return ""
        return "  [" + ", ".join(f"{v} {round(100 * n / total)} %" for v, n in sorted(shares.items())) + " of requests]"


def _ready(status: Mapping[str, Any]) -> str:
    conditions = status.get("conditions", [])
    return next((str(c.get("message", "")) for c in conditions if c["type"] == "Ready"), "")


def _policy() -> dict[str, Any]:
    """The platform team's word: what no release of the namespace can leave out."""
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "ReleasePolicy",
        "metadata": {"name": "production", "namespace": NAMESPACE},
        "spec": {
            "ladder": {"weight": {"maxFirst": 10, "maxRise": 50, "minHold": "5s"}},
            "guards": [shop.error_rate(NAMESPACE, minSamples=30)],
        },
    }


def _set_up(api: Api) -> None:
    if api.get("Release", NAMESPACE, "shop"):
        api.delete("Release", NAMESPACE, "shop")
        eventually(lambda: api.get("Release", NAMESPACE, "shop") is None, 60, "the last demo's Release is let go")
    api.apply(
        shop.namespace(NAMESPACE),
        shop.service(NAMESPACE),
        shop.route(NAMESPACE, host=HOST),
        shop.connection(NAMESPACE),
        _policy(),
    )


def play(demo: Demo, load: Load) -> None:
    demo.declare("v1.0.0")
    demo.watch(lambda s: s.get("phase") == "Completed" and s["stable"]["version"] == "v1.0.0", 120)
    climb_began = time.time()
    demo.declare("v1.1.0")
    demo.watch(lambda s: s.get("phase") == "Completed" and s["stable"]["version"] == "v1.1.0", 180)
    lost = [r for r in load.requests(since=climb_began) if r.code != 200]
    total = len(load.requests(since=climb_began))
    demo.say(f"v1.1.0 is live: {total} requests during the climb, {len(lost)} lost", "bold green")
    bad_began = time.time()
    demo.declare(BAD)
    status = demo.watch(lambda s: s.get("phase") == "Reverted", 120)
    time.sleep(3)
    _tell_revert(demo, load, status, bad_began)


def _tell_revert(demo: Demo, load: Load, status: Mapping[str, Any], since: float) -> None:
    reached = [r for r in load.requests(since=since) if r.version == BAD]
    first_failure = min((r.end for r in reached if r.code >= 500), default=since)
    last = max((r.end for r in reached), default=since)
    demo.say(str(status["revert"]["message"]), "bold red")
    demo.say(
        f"{BAD} went back to 0 % by itself: {last - first_failure:.1f} s from its first failed request to its last one",
        "bold green",
    )
    share = 100 * len(reached) / max(len(load.requests(since=since)), 1)
    demo.say(
        f"it had {len(reached)} requests in all, {share:.1f} % of those served meanwhile; none since", "bold green"
    )


def main() -> int:
    api = Api()
    console.print("Installing the CRDs, the operator's rights and the admission policies", style="dim")
    install()
    _set_up(api)
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-demo-") as folder,
        Operator(api, Path(folder), port=8092, TIDEGATE_TICK="1s") as operator,
        Load(HOST, Path(folder) / "load.jsonl", RPS) as load,
    ):
        try:
            play(Demo(api, load), load)
        except BaseException:
            console.print(operator.log.read_text()[-3000:], style="dim", markup=False)
            raise
    console.print("\nLook around: python hack/cluster exec -- kubectl get releases -A -o wide", style="dim")
    return 0


if __name__ == "__main__":
    sys.exit(main())
