"""What comes from Debian: containerd, runc, the CNI plugins, iptables, busybox, Prometheus.

The packages are fetched and unpacked into the cache, not installed: nothing on the machine changes, no service
is ever started, and a containerd that Docker brought stays as it is.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.layout import ClusterError, Layout
from hack.cluster.progress import Progress

PACKAGES = ("busybox-static", "containerd", "containernetworking-plugins", "iptables", "prometheus", "runc")


@dataclass(frozen=True)
class Software:
    """Folders that hold the unpacked programs."""

    root: Path

    @property
    def path(self) -> tuple[Path, ...]:
        return tuple(self.root / folder for folder in ("usr/sbin", "usr/bin", "sbin", "bin"))

    @property
    def libraries(self) -> tuple[Path, ...]:
        return (*self.root.glob("usr/lib/*-linux-gnu*"), *self.root.glob("lib/*-linux-gnu*"))

    @property
    def cni_plugins(self) -> Path:
        return self.root / "usr" / "lib" / "cni"

    @property
    def iptables_extensions(self) -> Path:
        return next(self.root.glob("usr/lib/*/xtables"))

    def command(self, name: str) -> Path:
        for folder in self.path:
            if (folder / name).exists():
                return folder / name
        raise ClusterError(f"{name} is in none of the packages unpacked in {self.root}: remove that folder, try again")


def unpack(layout: Layout, progress: Progress) -> Software:
    """Fetches and unpacks what is not in the cache yet."""
    key = hashlib.sha256("\n".join((*PACKAGES, _release())).encode()).hexdigest()[:12]
    software = Software(layout.cache / f"debian-{key}")
    if software.root.exists():
        return software
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise ClusterError(
            f"this machine has no apt-get, where {', '.join(PACKAGES)} come from. Use a Debian or Ubuntu, or "
            "KIND=1 or CLUSTER=current, or `up --control-plane-only`"
        )
    layout.cache.mkdir(parents=True, exist_ok=True)
    with progress.step("Debian packages unpacked"), tempfile.TemporaryDirectory(dir=layout.cache) as scratch:
        archives, root = Path(scratch) / "archives", Path(scratch) / "root"
        (archives / "partial").mkdir(parents=True)
        _download(archives)
        root.mkdir()
        for archive in sorted(archives.glob("*.deb")):
            # Packages for every architecture are the web pages of Prometheus here.
            if not archive.name.endswith("_all.deb"):
                subprocess.run(["dpkg", "-x", archive, root], check=True)
        root.rename(software.root)
    return software


def _download(archives: Path) -> None:
    # --reinstall fetches also what is installed already; dependencies come along only if they are missing.
    fetch = ["apt-get", "install", "--yes", "--no-install-recommends", "--reinstall", "--download-only"]
    fetch += ["-o", f"Dir::Cache::Archives={archives}", *PACKAGES]
    # The lists of a fresh image are empty or out of date: only then is `update` worth its time.
    done = _apt(fetch)
    if done.returncode != 0:
        _apt(["apt-get", "update"])
        done = _apt(fetch)
    if done.returncode != 0:
        raise ClusterError(f"fetching {', '.join(PACKAGES)} failed; `{' '.join(fetch[:6])} …` said:\n{done.stderr}")


def _apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def _release() -> str:
    """Debian's or Ubuntu's name and version, so that an upgraded machine unpacks anew."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except FileNotFoundError:
        return os.uname().machine
    return " ".join([*(line for line in lines if line.startswith(("ID=", "VERSION_ID="))), os.uname().machine])
