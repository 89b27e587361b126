"""What is known of a running cluster from outside: `.cluster/running.json`."""

import dataclasses
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import machine, namespaces
from hack.cluster.api import Api
from hack.cluster.controlplane import Endpoints
from hack.cluster.credentials import token
from hack.cluster.layout import ClusterError, Layout


@dataclass(frozen=True)
class Running:
    """`pid` is that of the supervisor out here, `started_at` proves that it is still the same process."""

    pid: int
    started_at: int
    endpoints: Endpoints

    @property
    def whole(self) -> bool:
        """Whether there is a node, with gateway and Prometheus, or the control plane only."""
        return not self.endpoints.loopback

    @property
    def alive(self) -> bool:
        return namespaces.started_at(self.pid) == self.started_at

    def enter(self) -> None:
        """Moves this process into the cluster's network."""
        if self.whole:
            namespaces.enter_network(self.pid)

    def client(self, layout: Layout) -> Api:
        return Api(self.endpoints.url, layout.credentials / "ca.crt", token(layout, "admin"))


def _file(layout: Layout) -> Path:
    return layout.state / "running.json"


def write(layout: Layout, running: Running) -> None:
    _file(layout).write_text(json.dumps(dataclasses.asdict(running)) + "\n")


def read(layout: Layout) -> Running | None:
    """The cluster that is running, if one is."""
    try:
        content = json.loads(_file(layout).read_text())
    except FileNotFoundError:
        return None
    running = Running(content["pid"], content["started_at"], Endpoints(**content["endpoints"]))
    return running if running.alive else None


def need(layout: Layout) -> Running:
    running = read(layout)
    if running is None:
        raise ClusterError("no cluster is running here: `make cluster` starts one")
    return running


def stop(layout: Layout) -> bool:
    """Ends every process of the cluster and removes its cgroups. Returns whether one was running."""
    running = read(layout)
    if running is not None:
        # Pid 1 of a pid namespace takes every process, mount and network device with it. The control plane alone has
        # no such namespace, and has to end its parts itself.
        os.kill(running.pid, signal.SIGKILL if running.whole else signal.SIGTERM)
        _wait_until_gone(running)
    _file(layout).unlink(missing_ok=True)
    _remove_cgroups(layout)
    return running is not None


def _wait_until_gone(running: Running) -> None:
    deadline = time.monotonic() + 60
    while running.alive:
        if time.monotonic() > deadline:
            raise ClusterError(f"process {running.pid} does not end; look at it with `ps -f {running.pid}`")
        time.sleep(0.05)


def _remove_cgroups(layout: Layout) -> None:
    """A cgroup is busy for a moment after its last process was killed."""
    deadline = time.monotonic() + 10
    while True:
        left = [folder for folder in machine.cgroup_folders(layout) if folder.exists()]
        for folder in left:
            for path, _, _ in os.walk(folder, topdown=False):
                try:
                    Path(path).rmdir()
                except OSError:
                    continue  # the next round
        if not any(folder.exists() for folder in left):
            return
        if time.monotonic() > deadline:
            raise ClusterError(f"cgroups are still in use: {', '.join(map(str, left))}")
        time.sleep(0.1)
