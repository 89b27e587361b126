"""The inside of the namespaces, before the first part starts: mounts, network, cgroups.

Run by pid 1 of the new namespaces. Nothing here is seen outside, except the cgroup folders (which `down` removes).
"""

import os
import subprocess
from pathlib import Path

from hack.cluster.layout import NODE_ADDRESS, NODE_GATEWAY, ClusterError, Layout
from hack.cluster.packages import Software

CGROUPS = Path("/sys/fs/cgroup")

# The kubelet insists on writing these settings of the whole machine: it gets files of its own in their place.
_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

# The network settings are the namespace's own. Not every kernel has each of them.
_NETWORK = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/route_localnet": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}


def prepare(layout: Layout, software: Software) -> None:
    _mounts(layout)
    _network()
    _choose_iptables(layout, software)
    make_cgroups(layout)


def _mounts(layout: Layout) -> None:
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "proc", "proc", "/proc")
    layout.volatile.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", layout.volatile)
    for name in ("etcd", "containerd", "prometheus", "bin"):
        (layout.volatile / name).mkdir()
    for name, value in _SYSCTLS.items():
        file = layout.volatile / "sysctl" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value)
        _run("mount", "--bind", file, Path("/proc/sys", name))
    # Folders that are hard-wired in the kubelet, containerd and CNI are made in a layer of our own.
    for folder in (Path("/var/lib"), Path("/var/log")):
        _overlay(folder, layout.volatile / "overlay" / folder.name)
    _private_run()
    for folder in (Path("/var/lib/kubelet"), Path("/var/log/pods"), Path("/var/log/containers")):
        folder.mkdir(parents=True, exist_ok=True)
    # The kubelet's volume mounts have to reach the containers.
    _run("mount", "--make-rshared", "/")


def _overlay(folder: Path, layer: Path) -> None:
    for part in ("upper", "work"):
        (layer / part).mkdir(parents=True)
    options = f"lowerdir={folder},upperdir={layer / 'upper'},workdir={layer / 'work'}"
    _run("mount", "-t", "overlay", "-o", options, "overlay", folder)


def _private_run() -> None:
    """A new /run with the entries of the old one in it.

    Not an overlay: one cannot connect to a socket through an overlay, and sockets are what /run is full of.
    """
    real = Path("/run").resolve()
    held = os.open(real, os.O_PATH | os.O_DIRECTORY)
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", real)
    for entry in os.scandir(f"/proc/self/fd/{held}"):
        ours = real / entry.name
        if entry.is_symlink():
            ours.symlink_to(os.readlink(entry.path))
            continue
        # The first two are what we want to have for ourselves; the last is `mount`'s own, it makes one as it goes.
        if entry.name in ("containerd", "netns", "mount"):
            continue
        if entry.is_dir(follow_symlinks=False):
            ours.mkdir()
        else:
            ours.touch()
        _run("mount", "--rbind", entry.path, ours, pass_fds=(held,))
    os.close(held)


def _network() -> None:
    """The loopback, and a bridge without ports as the node's network card: no way out, no way in."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "node0", "type", "bridge")
    _run("ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "node0")
    _run("ip", "link", "set", "node0", "up")
    # A packet to a Service address needs some route before kube-proxy's rules rewrite it. It never gets there.
    _run("ip", "route", "add", "default", "via", NODE_GATEWAY, "dev", "node0")
    for name, value in _NETWORK.items():
        path = Path("/proc/sys", name)
        if path.exists():
            path.write_text(value)


def _choose_iptables(layout: Layout, software: Software) -> None:
    """Debian's iptables speaks to nf_tables, or to the legacy tables where the kernel has only those."""
    for flavour in ("nft", "legacy"):
        program = software.command(f"xtables-{flavour}-multi")
        tried = subprocess.run(
            [program, "iptables", "-w", "-t", "nat", "-L", "-n"],
            env=component_environment(layout, software, path=[]),
            capture_output=True,
        )
        if tried.returncode == 0 or flavour == "legacy":
            for family in ("iptables", "ip6tables"):
                for action in ("", "-save", "-restore"):
                    (layout.volatile / "bin" / f"{family}{action}").symlink_to(program)
            return


def component_environment(layout: Layout, software: Software, *, path: list[Path]) -> dict[str, str]:
    """The environment of the parts: unpacked programs first, no proxy between us and our own addresses."""
    folders = [*path, layout.volatile / "bin", *software.path]
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {
        **kept,
        "PATH": ":".join([*map(str, folders), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
        "LD_LIBRARY_PATH": ":".join(map(str, software.libraries)),
        "XTABLES_LIBDIR": str(software.iptables_extensions),
    }


def cgroup_folders(layout: Layout) -> list[Path]:
    """Our folder in every hierarchy of the machine, whether it is there or not."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / layout.cgroup]
    hierarchies = [entry for entry in CGROUPS.iterdir() if entry.is_dir() and not entry.is_symlink()]
    return [entry / layout.cgroup for entry in sorted(hierarchies) if (entry / "cgroup.procs").exists()]


def make_cgroups(layout: Layout) -> None:
    for folder in cgroup_folders(layout):
        folder.mkdir(exist_ok=True)
        if folder.parent == CGROUPS:
            _delegate(folder)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # In version 1 a new cpuset has no processors at all until it is told.
            if folder.parent.name == "cpuset":
                (folder / setting).write_text((folder.parent / setting).read_text())


def _delegate(folder: Path) -> None:
    """Version 2: lets our folder have every controller that there is."""
    for controller in (folder.parent / "cgroup.controllers").read_text().split():
        try:
            (folder.parent / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            print(f"cgroup controller {controller} cannot be delegated: {error}", flush=True)


def _run(*command: str | Path, pass_fds: tuple[int, ...] = ()) -> None:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, pass_fds=pass_fds)
    except FileNotFoundError:
        raise ClusterError(f"{words[0]} is missing: `apt-get install iproute2 mount`") from None
    if done.returncode != 0:
        raise ClusterError(f"`{' '.join(words)}` failed: {done.stderr.strip()}")
