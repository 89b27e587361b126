"""etcd and the API server, as plain processes on free loopback ports, with an audit log of what the measured
controller asks for. No other controller runs: nothing but what is measured, and the stand-ins, talks to it.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import api, build, controlplane, credentials, gateway
from hack.cluster.api import Api
from hack.cluster.controlplane import Endpoints
from hack.cluster.layout import Layout, current_layout
from hack.cluster.progress import Progress
from hack.cluster.supervisor import Part

READY_SECONDS = 120.0
STOP_SECONDS = 20.0


class BenchLayout(Layout):
    """As the local cluster's, in a folder of its own: both can run at once."""

    @property
    def state(self) -> Path:
        return self.checkout / ".cluster" / "bench"


@dataclass(frozen=True)
class ControlPlane:
    """A running one."""

    layout: BenchLayout
    endpoints: Endpoints
    pids: dict[str, int]

    @property
    def audit(self) -> Path:
        return self.layout.log / "audit.log"


@contextlib.contextmanager
def running(audited: Sequence[str]) -> Iterator[ControlPlane]:
    """Empty, with the Gateway API's definitions; KUBECONFIG and PATH of this process lead to it. `audited`: users whose
    requests are written down, by who and what."""
    progress = Progress()
    usual = current_layout()
    layout = BenchLayout(usual.checkout, usual.cache)
    for folder in (layout.log, layout.configuration, layout.volatile):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    binaries = build.kubernetes(layout, progress)
    definitions = gateway.definitions(layout, build.find_go(layout, progress), progress)
    endpoints = controlplane.on_loopback()
    credentials.make(layout, endpoints.url)
    etcd, server, _ = controlplane.parts(layout, binaries, endpoints)
    (layout.configuration / "audit-policy.json").write_text(json.dumps(_audit_policy(audited)))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with progress.step("control plane started"):
            for part, healthy in ((etcd, f"{endpoints.etcd_url}/health"), (server, f"{endpoints.url}/readyz")):
                processes.append(_start(part, layout.log))
                _await(healthy, processes[-1], part.name)
            client = Api(endpoints.url, layout.credentials / "ca.crt", credentials.token(layout, "admin"))
            gateway.install(client, definitions)
        os.environ["KUBECONFIG"] = str(layout.kubeconfig)
        os.environ["PATH"] = f"{layout.venv_bin}:{os.environ['PATH']}"
        os.environ["KUBECACHEDIR"] = str(layout.state / "kubectl-cache")
        names = (etcd.name, server.name)
        yield ControlPlane(layout, endpoints, {n: p.pid for n, p in zip(names, processes, strict=True)})
    finally:
        for process in reversed(processes):  # the API server hangs for minutes when etcd goes before it
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(layout.volatile, ignore_errors=True)


def _start(part: Part, log: Path) -> subprocess.Popen[bytes]:
    with (log / f"{part.name}.log").open("ab") as file:
        return subprocess.Popen(
            [str(word) for word in part.command], stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )


def _await(url: str, process: subprocess.Popen[bytes], name: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not api.get(url).ok:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"bench: {name} did not start; its log is in .cluster/bench/log")
        time.sleep(0.1)


def _audit_policy(users: Sequence[str]) -> dict[str, object]:
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": list(users)}, {"level": "None"}],
    }
