"""Starting the cluster, and what is inside it."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import (
    build,
    controlplane,
    credentials,
    gateway,
    istio,
    machine,
    namespaces,
    node,
    packages,
    prometheus,
    state,
    tidegate_image,
)
from hack.cluster.api import Api
from hack.cluster.controlplane import IN_NAMESPACE, Endpoints
from hack.cluster.images import write_archive
from hack.cluster.layout import NODE_NAME, ClusterError, Layout
from hack.cluster.packages import Software
from hack.cluster.progress import Progress
from hack.cluster.state import Running
from hack.cluster.stock import stock_images
from hack.cluster.supervisor import Supervisor

READY_SECONDS = 180.0


@dataclass(frozen=True)
class Check:
    """Something that has to hold before the cluster is ready; called inside its network."""

    name: str
    holds: Callable[[], bool]


def up(layout: Layout, progress: Progress) -> None:
    """Brings the whole cluster up, or finds it up; returns when everything in it is ready."""
    if os.geteuid() != 0:
        raise ClusterError(
            "a node needs root: `sudo -E make cluster`. Without root, `make test-api` runs the tests that need no "
            "pods; or there are KIND=1 and CLUSTER=current"
        )
    with _only_one(layout):
        binaries = build.kubernetes(layout, progress)
        software = packages.unpack(layout, progress)
        definitions = gateway.definitions(layout, build.find_go(layout, progress), progress)
        istio.fetch(layout, build.find_go(layout, progress), progress)
        build.tools(layout, progress)
        archives = [_stock(layout, software, progress), _operator(layout, progress)]
        layout.from_venv("traefik")
        running = state.read(layout)
        if running is not None and not running.whole:
            raise ClusterError("a control plane only is running here: `python hack/cluster down` first")
        fresh = running is None
        if running is None:
            running = _start(layout, IN_NAMESPACE, binaries, software)
        try:
            # From here on this process lives in the cluster's network.
            running.enter()
            client = running.client(layout)
            _load(layout, running, software, archives, progress)
            _await(layout, running, [Check("kube-apiserver", running.endpoints.healthy)])
            if fresh:
                with progress.step("Gateway API installed"):
                    gateway.install(client, definitions)
            _await(layout, running, checks(client))
        except ClusterError:
            if fresh:
                state.stop(layout)
            raise
        progress.say("the cluster is ready" if fresh else "the cluster was up, and is ready")


def up_control_plane_only(layout: Layout, progress: Progress) -> None:
    """etcd, API server and controllers as plain processes on the loopback: no root, no pods, no gateway."""
    with _only_one(layout):
        binaries = build.kubernetes(layout, progress)
        definitions = gateway.definitions(layout, build.find_go(layout, progress), progress)
        istio.fetch(layout, build.find_go(layout, progress), progress)
        build.sample(layout, progress)
        build.tools(layout, progress)
        running = state.read(layout)
        if running is not None and running.whole:
            progress.say("the whole cluster is up already, which is more than was asked for")
            return
        fresh = running is None
        if running is None:
            running = _start(layout, controlplane.on_loopback(), binaries, None)
        client = running.client(layout)
        try:
            _await(layout, running, [Check("kube-apiserver", running.endpoints.healthy)])
            if fresh:
                gateway.install(client, definitions)
            _await(layout, running, [controllers(client)])
        except ClusterError:
            if fresh:
                state.stop(layout)
            raise
        progress.say(f"the control plane is ready at {running.endpoints.url}; there is no node: pods stay Pending")


def checks(client: Api) -> list[Check]:
    return [
        Check("kube-apiserver", IN_NAMESPACE.healthy),
        controllers(client),
        Check("kubelet", lambda: _node_ready(client)),
        Check("kube-proxy", node.proxy_healthy),
        Check("traefik", gateway.healthy),
        Check("gateway", lambda: gateway.programmed(client)),
        Check("prometheus", prometheus.healthy),
    ]


def controllers(client: Api) -> Check:
    # One of the last things the controllers do when they start.
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    return Check("kube-controller-manager", lambda: client.get(account).ok)


def _node_ready(client: Api) -> bool:
    answer = client.get(f"/api/v1/nodes/{NODE_NAME}")
    conditions = answer.json().get("status", {}).get("conditions", []) if answer.ok else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _start(layout: Layout, endpoints: Endpoints, binaries: Path, software: Software | None) -> Running:
    state.stop(layout)  # what an earlier one may have left
    for folder in (layout.log, layout.configuration, layout.volatile):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for mark in layout.images.glob("*.loaded"):
        mark.unlink()
    credentials.make(layout, endpoints.url)
    if software is not None:
        # Built into most kernels. Where neither that nor modprobe, the first mount says so.
        subprocess.run(["sh", "-c", "modprobe -qa overlay br_netfilter || true"], check=True, stderr=subprocess.DEVNULL)
    command = [sys.executable, str(layout.tool), "supervise", str(binaries), str(software.root if software else "")]
    command += [str(port) for port in (endpoints.etcd, endpoints.etcd_peer, endpoints.server)]
    pid = namespaces.start(command, log=layout.log / "supervisor.log", isolated=software is not None)
    started_at = namespaces.started_at(pid)
    if started_at is None:
        raise ClusterError(f"the supervisor ended at once: {_last_words(layout)}")
    running = Running(pid, started_at, endpoints)
    state.write(layout, running)
    return running


def _last_words(layout: Layout) -> str:
    log = layout.log / "supervisor.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"{lines[-1] if lines else 'without a word'} ({log})"


def supervise(layout: Layout, arguments: list[str]) -> None:
    """The body of the process that _start() starts."""
    binaries, root, *ports = arguments
    etcd, etcd_peer, server = map(int, ports)
    if not root:
        endpoints = Endpoints(etcd, etcd_peer, server, loopback=True)
        parts = controlplane.parts(layout, Path(binaries), endpoints)
        Supervisor(parts, log=layout.log, environment=os.environ).run()
        return
    software = Software(Path(root))
    machine.prepare(layout, software)
    client = Api(IN_NAMESPACE.url, layout.credentials / "ca.crt", credentials.token(layout, "admin"))
    parts = [
        *controlplane.parts(layout, Path(binaries), IN_NAMESPACE),
        *node.parts(layout, Path(binaries), software),
        gateway.part(layout, client),
        *prometheus.parts(layout, software, IN_NAMESPACE.url),
    ]
    environment = machine.component_environment(layout, software, path=[Path(binaries)])
    Supervisor(parts, log=layout.log, environment=environment).run()


def exec_environment(layout: Layout, *, whole: bool) -> Mapping[str, str]:
    """What a command inside finds: our environment, kubectl and friends, an admin's kubeconfig, and, for the tests, a
    word that there is no node."""
    found = dict(os.environ)
    found["PATH"] = ":".join(
        [str(layout.venv_bin), str(layout.bin), found.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")]
    )
    found["KUBECONFIG"] = str(layout.kubeconfig)
    found["TIDEGATE_CONTROL_PLANE_ONLY"] = "" if whole else "1"
    # kubectl keeps what it discovered for hours; another cluster may serve other kinds.
    found["KUBECACHEDIR"] = str(layout.state / "kubectl-cache")
    direct = "127.0.0.1,localhost,10.88.0.0/16,10.89.0.0/24,10.96.0.0/16"
    for name in ("NO_PROXY", "no_proxy"):
        found[name] = ",".join(filter(None, [found.get(name), direct]))
    return found


def load_archive(layout: Layout, archive: Path, progress: Progress) -> None:
    running = state.need(layout)
    if not running.whole:
        raise ClusterError("there is no node to load an image into: the control plane only is running")
    software = packages.unpack(layout, progress)
    node.import_images(software, running.pid, archive)


def _stock(layout: Layout, software: Software, progress: Progress) -> Path:
    archive = layout.images / "stock.tar"
    images = stock_images(build.sample(layout, progress), software.command("busybox"))
    archive.with_suffix(".digest").write_text(write_archive(archive, images))
    return archive


def _operator(layout: Layout, progress: Progress) -> Path:
    """Large, and its layers are named after what is in them: it is written only when they are others."""
    archive = layout.images / "tidegate.tar"
    image = tidegate_image.image(layout, progress)
    digest, known = hashlib.sha256(repr(image).encode()).hexdigest(), archive.with_suffix(".digest")
    if not (archive.exists() and known.exists() and known.read_text() == digest):
        known.unlink(missing_ok=True)
        write_archive(archive, [image])
        known.write_text(digest)
    return archive


def _load(layout: Layout, running: Running, software: Software, archives: list[Path], progress: Progress) -> None:
    """Gives containerd the archives that it does not have yet."""
    wanted = {archive: archive.with_suffix(".digest").read_text() for archive in archives}
    missing = [path for path, digest in wanted.items() if _mark(path) != digest]
    if not missing:
        return
    _await(layout, running, [Check("containerd", lambda: node.containerd_answers(software, running.pid))])
    with progress.step("images loaded"):
        for archive in missing:
            node.import_images(software, running.pid, archive)
            archive.with_suffix(".loaded").write_text(wanted[archive])


def _mark(archive: Path) -> str:
    """The digest of what was loaded last."""
    mark = archive.with_suffix(".loaded")
    return mark.read_text() if mark.exists() else ""


def _await(layout: Layout, running: Running, wanted: list[Check]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    missing = list(wanted)
    while missing:
        if not running.alive:
            raise ClusterError(f"the cluster ended while starting: {_last_words(layout)}")
        missing = [check for check in missing if not check.holds()]
        if missing and time.monotonic() > deadline:
            names = ", ".join(check.name for check in missing)
            raise ClusterError(f"not ready after {READY_SECONDS:.0f}s: {names}. Their logs are in {layout.log}")
        if missing:
            time.sleep(0.1)


@contextlib.contextmanager
def _only_one(layout: Layout) -> Iterator[None]:
    """Two `up` in one checkout wait for each other."""
    layout.state.mkdir(exist_ok=True)
    with (layout.state / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
