"""The operator in pods, installed as a user would: by Helm, or by kubectl and kustomize."""

import subprocess
from pathlib import Path

from hack.cluster.layout import NODE_ADDRESS, PROMETHEUS_PORT
from hack.stage.api import Api, eventually

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "tidegate"
PROMETHEUS = f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}"
"""The local cluster's, as seen from a pod."""

_LABELS = "app.kubernetes.io/name=tidegate,app.kubernetes.io/component=operator"


def helm(*words: str, within: float = 150) -> str:
    """Run it, and give what it printed. Raises AssertionError with what it complained of."""
    return _run("helm", *words, within=within)


def kubectl(*words: str, within: float = 150) -> str:
    """As `helm`."""
    return _run("kubectl", *words, within=within)


class Pods:
    """Of one installation. The Lease tells which of them leads: its holder is named after the pod."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self.namespace = api, namespace

    def names(self) -> list[str]:
        """Of those that are not on their way out."""
        pods = self._api.list("Pod", self.namespace, _LABELS)
        return sorted(pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"])

    def leader(self) -> str:
        """Name of the pod that leads; "" while none does."""
        lease = self._api.get("Lease", self.namespace, "tidegate") or {}
        pod, _, _ = str(lease.get("spec", {}).get("holderIdentity", "")).rpartition("_")
        return pod if pod in self.names() else ""

    def ready(self, within: float = 90) -> None:
        """Wait until the Deployment is rolled out, and one leads."""
        kubectl("rollout", "status", "deployment/tidegate", "-n", self.namespace, f"--timeout={within:g}s")
        eventually(self.leader, 30, "one of the operator's pods leads", 0.2)

    def logs(self) -> str:
        """The last words of all of them, for people."""
        return kubectl("logs", "-n", self.namespace, "-l", _LABELS, "--prefix", "--tail=15")


def _run(*command: str, within: float) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=within, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout
