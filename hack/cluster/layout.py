"""Where everything lies, and at which address it listens."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

NODE_NAME = "tidegate"
NODE_ADDRESS = "10.89.0.1"
NODE_GATEWAY = "10.89.0.254"  # leads nowhere, see machine.py
POD_RANGE = "10.88.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"  # the first of the range is the API server's
GATEWAY_PORT = 8080
GATEWAY_METRICS_PORT = 8082
PROMETHEUS_PORT = 9090
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


class ClusterError(Exception):
    """Something a person has to do something about; the text says what."""


@dataclass(frozen=True)
class Layout:
    """The folders of one checkout's cluster. Two checkouts share the cache and nothing else."""

    checkout: Path
    cache: Path

    @property
    def tool(self) -> Path:
        return self.checkout / "hack" / "cluster"

    @property
    def state(self) -> Path:
        return self.checkout / ".cluster"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def credentials(self) -> Path:
        return self.state / "credentials"

    @property
    def kubeconfig(self) -> Path:
        return self.credentials / "admin.kubeconfig"

    @property
    def configuration(self) -> Path:
        """What was generated for the components of the running cluster."""
        return self.state / "configuration"

    @property
    def volatile(self) -> Path:
        """A tmpfs that only the cluster's own mount namespace sees: etcd, containers, Prometheus."""
        return self.state / "volatile"

    @property
    def images(self) -> Path:
        return self.state / "images"

    @property
    def bin(self) -> Path:
        """Programs of ours for commands inside: `sample`, which is the load generator too."""
        return self.state / "bin"

    @property
    def venv_bin(self) -> Path:
        return Path(os.environ.get("TIDEGATE_VENV", self.checkout / ".venv")).resolve() / "bin"

    @property
    def cgroup(self) -> str:
        """The folder in every cgroup hierarchy; several checkouts run side by side."""
        return "tidegate-" + hashlib.sha256(str(self.checkout).encode()).hexdigest()[:8]

    def from_venv(self, command: str) -> Path:
        """Path of a command that comes from a wheel. Raises ClusterError if it is not there."""
        path = self.venv_bin / command
        if not path.exists():
            raise ClusterError(f"{path} is missing: run `make dev` first")
        return path


def current_layout() -> Layout:
    """The layout of the checkout this file is in; TIDEGATE_CACHE moves the cache."""
    checkout = Path(__file__).resolve().parent.parent.parent
    cache = Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache" / "tidegate")
    return Layout(checkout=checkout, cache=cache.resolve())
