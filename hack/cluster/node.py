"""containerd, kubelet, kube-scheduler and kube-proxy: what makes the machine a node."""

import json
import subprocess
from pathlib import Path

from hack.cluster import api
from hack.cluster.controlplane import IN_NAMESPACE
from hack.cluster.layout import CONTAINERD_SOCKET, NODE_ADDRESS, NODE_NAME, POD_RANGE, ClusterError, Layout
from hack.cluster.packages import Software
from hack.cluster.stock import PAUSE
from hack.cluster.supervisor import Part

PROXY_HEALTH = "http://127.0.0.1:10256/healthz"


def parts(layout: Layout, binaries: Path, software: Software) -> list[Part]:
    return [
        _containerd(layout, software),
        _scheduler(layout, binaries),
        _kubelet(layout, binaries),
        _proxy(layout, binaries),
    ]


def import_images(software: Software, inside: int, archive: Path) -> None:
    """Gives the containerd that runs where the process `inside` does every image of an OCI archive."""
    done = _ctr(software, inside, "images", "import", str(archive))
    if done.returncode != 0:
        raise ClusterError(f"containerd refused the images in {archive}: {done.stderr}")


def containerd_answers(software: Software, inside: int) -> bool:
    return _ctr(software, inside, "version").returncode == 0


def _ctr(software: Software, inside: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    socket = f"/proc/{inside}/root{CONTAINERD_SOCKET}"
    command: list[str | Path] = [software.command("ctr"), "--address", socket, "--namespace", "k8s.io"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True)


def _containerd(layout: Layout, software: Software) -> Part:
    configuration = layout.configuration / "containerd.toml"
    network = layout.configuration / "cni"
    network.mkdir(exist_ok=True)
    (network / "10-tidegate.conflist").write_text(json.dumps(_CNI, indent=1))
    configuration.write_text(
        _CONTAINERD.format(
            root=layout.volatile / "containerd", socket=CONTAINERD_SOCKET, pause=PAUSE, cni=network,
            plugins=software.cni_plugins,
        )
    )  # fmt: skip
    return Part(name="containerd", command=[software.command("containerd"), "-c", configuration])


def _scheduler(layout: Layout, binaries: Path) -> Part:
    return Part(
        name="kube-scheduler",
        command=[
            binaries / "kube-scheduler",
            f"--kubeconfig={layout.credentials / 'kube-scheduler.kubeconfig'}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--cert-dir={layout.configuration / 'scheduler'}",
        ],
        waits_for=IN_NAMESPACE.healthy,
    )


def _kubelet(layout: Layout, binaries: Path) -> Part:
    (layout.configuration / "resolv.conf").touch()
    configuration = layout.configuration / "kubelet.json"
    configuration.write_text(json.dumps(_kubelet_configuration(layout), indent=1))
    return Part(
        name="kubelet",
        command=[
            binaries / "kubelet",
            f"--config={configuration}",
            f"--kubeconfig={layout.credentials / 'kubelet.kubeconfig'}",
            "--root-dir=/var/lib/kubelet",
            f"--cert-dir={layout.configuration / 'kubelet'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
        ],
        # Without containerd's socket it would give up.
        waits_for=lambda: Path(CONTAINERD_SOCKET).exists() and IN_NAMESPACE.healthy(),
    )


def _proxy(layout: Layout, binaries: Path) -> Part:
    configuration = layout.configuration / "kube-proxy.json"
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.credentials / "kube-proxy.kubeconfig")},
        "mode": "iptables",
        "iptables": {"minSyncPeriod": "0s"},  # endpoints of few Services: follow them at once
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": POD_RANGE,
        "oomScoreAdj": 0,
        "metricsBindAddress": "127.0.0.1:10249",
        "healthzBindAddress": "127.0.0.1:10256",
        # These are settings of the whole machine: leave them as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    configuration.write_text(json.dumps(settings, indent=1))
    return Part(
        name="kube-proxy",
        command=[binaries / "kube-proxy", f"--config={configuration}"],
        waits_for=IN_NAMESPACE.healthy,
    )


def proxy_healthy() -> bool:
    return api.get(PROXY_HEALTH).ok


# Where lowering oom_score_adj is not allowed (containers, CI), a pod would not start without the two settings that
# speak of it.
_CONTAINERD = """\
version = 2
root = "{root}"
state = "/run/containerd/state"
oom_score = 0
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""

_CNI = {
    "cniVersion": "0.4.0",
    "name": "tidegate",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,  # a pod may reach itself through its Service
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_RANGE}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


def _kubelet_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Only the cluster's own network can reach it.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": NODE_ADDRESS,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        # A nearly full disk of the machine is no reason to evict pods whose disk is memory.
        "evictionHard": {
            "memory.available": "1Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
        "resolvConf": str(layout.configuration / "resolv.conf"),
        "clusterDomain": "cluster.local",
        "volumePluginDir": str(layout.configuration / "volume-plugins"),
        "nodeStatusUpdateFrequency": "5s",
        "nodeStatusReportFrequency": "30s",
        "maxPods": 200,
    }
