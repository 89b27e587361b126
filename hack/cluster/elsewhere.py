"""The same commands on a cluster that is not ours: kind (KIND=1), or the current kubeconfig (CLUSTER=current)."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import build, gateway, istio, packages, tidegate_image
from hack.cluster.images import write_archive
from hack.cluster.layout import ClusterError, Layout
from hack.cluster.progress import Progress
from hack.cluster.stock import stock_images

KIND_NAME = "tidegate"

NEEDED = """\
it has no gateway and no Prometheus of ours. What the tests and the demo need there: a Gateway named "tidegate" in
the namespace "gateway", open to routes of all namespaces, its URL in TIDEGATE_GATEWAY; and a Prometheus that scrapes
pods with the label tidegate.dev/release every second or so, its URL in TIDEGATE_PROMETHEUS (hack/cluster/README.md,
"Elsewhere", has all of it)"""


@dataclass(frozen=True)
class Elsewhere:
    """A cluster made or named by somebody else. `kind` says which of the two it is."""

    layout: Layout
    kind: bool

    @property
    def _kubeconfig(self) -> Path:
        return self.layout.state / "kind.kubeconfig"

    def environment(self) -> Mapping[str, str]:
        found = dict(os.environ)
        found["PATH"] = f"{self.layout.venv_bin}:{self.layout.bin}:{found.get('PATH', '')}"
        if self.kind:
            found["KUBECONFIG"] = str(self._kubeconfig)
        else:
            # Spelled out, because the tests believe only what is.
            found.setdefault("KUBECONFIG", str(Path.home() / ".kube" / "config"))
        return found

    def up(self, progress: Progress) -> None:
        build.tools(self.layout, progress)
        istio.fetch(self.layout, build.find_go(self.layout, progress), progress)
        if self.kind:
            self._create(progress)
            definitions = gateway.definitions(self.layout, build.find_go(self.layout, progress), progress)
            self._run(["kubectl", "apply", "--server-side", "-f", str(definitions)])
        else:
            build.sample(self.layout, progress)  # the load generator
        self._run(["kubectl", "get", "--raw", "/readyz"])
        progress.say(f"the cluster answers; {NEEDED}")

    def _create(self, progress: Progress) -> None:
        if shutil.which("kind") is None:
            raise ClusterError("KIND=1 needs `kind` and Docker or Podman; neither comes with this repository")
        known = subprocess.run(["kind", "get", "clusters"], capture_output=True, text=True, check=True).stdout
        self.layout.state.mkdir(exist_ok=True)
        if KIND_NAME in known.split():
            self._run(["kind", "export", "kubeconfig", "--name", KIND_NAME])
        else:
            self._run(["kind", "create", "cluster", "--name", KIND_NAME])
        software = packages.unpack(self.layout, progress)
        archive = self.layout.images / "stock.tar"
        images = stock_images(build.sample(self.layout, progress), software.command("busybox"))
        write_archive(archive, [*images, tidegate_image.image(self.layout, progress)])
        self.load_archive(archive)

    def load_archive(self, archive: Path) -> None:
        if not self.kind:
            raise ClusterError("images reach a cluster of your own through your registry, not through this tool")
        self._run(["kind", "load", "image-archive", str(archive), "--name", KIND_NAME])

    def down(self) -> None:
        """Deletes the kind cluster; a cluster of your own is left as it is."""
        if self.kind and shutil.which("kind") is not None:
            self._run(["kind", "delete", "cluster", "--name", KIND_NAME])

    def _run(self, command: list[str]) -> None:
        try:
            done = subprocess.run(command, env=self.environment())
        except FileNotFoundError:
            raise ClusterError(f"{command[0]} is missing: run `make dev` first") from None
        if done.returncode != 0:
            raise ClusterError(f"`{' '.join(command)}` failed, see above")


def elsewhere(layout: Layout) -> Elsewhere | None:
    """What KIND and CLUSTER ask for; None for our own cluster."""
    cluster = os.environ.get("CLUSTER", "")
    if cluster not in ("", "current"):
        raise ClusterError(f"CLUSTER is {cluster!r}, expected `current` or nothing")
    if cluster == "current":
        return Elsewhere(layout, kind=False)
    if os.environ.get("KIND", "") not in ("", "0"):
        return Elsewhere(layout, kind=True)
    return None
