"""etcd, kube-apiserver and kube-controller-manager."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import api
from hack.cluster.layout import NODE_ADDRESS, SERVICE_RANGE, Layout
from hack.cluster.supervisor import Part


@dataclass(frozen=True)
class Endpoints:
    """Where the control plane listens: fixed ports in the cluster's own network, free ones on the loopback."""

    etcd: int
    etcd_peer: int
    server: int
    loopback: bool

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server}"

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd}"

    def healthy(self) -> bool:
        return api.get(f"{self.url}/readyz").ok


IN_NAMESPACE = Endpoints(etcd=2379, etcd_peer=2380, server=6443, loopback=False)


def on_loopback() -> Endpoints:
    """Ports that are free now; whoever takes one before we do makes the start fail, not go wrong."""
    sockets = [socket.socket() for _ in range(3)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return Endpoints(etcd=ports[0], etcd_peer=ports[1], server=ports[2], loopback=True)


def parts(layout: Layout, binaries: Path, endpoints: Endpoints) -> list[Part]:
    return [
        _etcd(layout, binaries, endpoints),
        _apiserver(layout, binaries, endpoints),
        _controller_manager(layout, binaries, endpoints),
    ]


def _etcd(layout: Layout, binaries: Path, endpoints: Endpoints) -> Part:
    peer = f"http://127.0.0.1:{endpoints.etcd_peer}"
    return Part(
        name="etcd",
        command=[
            binaries / "etcd",
            "--name=tidegate",
            f"--data-dir={layout.volatile / 'etcd'}",
            f"--listen-client-urls={endpoints.etcd_url}",
            f"--advertise-client-urls={endpoints.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=tidegate={peer}",
            "--unsafe-no-fsync",  # the data lies in memory, or is thrown away with the cluster
        ],
    )


def _apiserver(layout: Layout, binaries: Path, endpoints: Endpoints) -> Part:
    secrets = layout.credentials
    policy = layout.configuration / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY, indent=1))
    command: list[str | Path] = [
        binaries / "kube-apiserver",
        f"--etcd-servers={endpoints.etcd_url}",
        f"--secure-port={endpoints.server}",
        f"--tls-cert-file={secrets / 'apiserver.crt'}",
        f"--tls-private-key-file={secrets / 'apiserver.key'}",
        f"--cert-dir={layout.configuration / 'apiserver'}",
        f"--client-ca-file={secrets / 'ca.crt'}",
        f"--token-auth-file={secrets / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={secrets / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={secrets / 'service-accounts.key'}",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={layout.log / 'audit.log'}",
        "--audit-log-maxsize=100",  # megabytes
        "--audit-log-maxbackup=9",  # with these at most 1 GB: the tests read all that was asked since they began
    ]
    if endpoints.loopback:
        # The `kubernetes` Service may not lead to a loopback address, so nobody writes its endpoints.
        command += ["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"]
    else:
        command += ["--bind-address=0.0.0.0", f"--advertise-address={NODE_ADDRESS}"]
    return Part(
        name="kube-apiserver",
        command=command,
        waits_for=lambda: api.get(f"{endpoints.etcd_url}/health").ok,
    )


def _controller_manager(layout: Layout, binaries: Path, endpoints: Endpoints) -> Part:
    secrets = layout.credentials
    command: list[str | Path] = [
        binaries / "kube-controller-manager",
        f"--kubeconfig={secrets / 'kube-controller-manager.kubeconfig'}",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
        "--authentication-skip-lookup=true",
        f"--service-account-private-key-file={secrets / 'service-accounts.key'}",
        f"--root-ca-file={secrets / 'ca.crt'}",
        "--allocate-node-cidrs=false",
        "--kube-api-qps=100",  # all controllers share one account, hence one budget
        "--kube-api-burst=200",
        f"--cert-dir={layout.configuration / 'controller-manager'}",
        # Its default is a folder of the machine, which it would make.
        f"--flex-volume-plugin-dir={layout.configuration / 'volume-plugins'}",
    ]
    # Its health port says nothing the tests need; on the loopback it would be one more to collide.
    command += ["--secure-port=0"] if endpoints.loopback else ["--bind-address=127.0.0.1"]
    # Started before the API server is ready, it sits out a retry of several seconds.
    return Part(name="kube-controller-manager", command=command, waits_for=endpoints.healthy)


# Whole requests and answers for what Tidegate reads and writes, so that a test can ask "who wrote this, when, from
# what"; the rest, among it what the controllers write into status, by who and what only.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "omitManagedFields": True,  # half of every object, and `user` says who it was
    "rules": [
        {
            "level": "None",
            "users": ["system:kube-scheduler", "system:kube-proxy", "tidegate:prometheus", "system:apiserver"],
        },
        {"level": "None", "userGroups": ["system:nodes"]},
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/openapi*", "/version"]},
        {"level": "Metadata", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
        {
            "level": "RequestResponse",
            "verbs": ["create", "update", "patch", "delete", "deletecollection"],
            "resources": [
                {"group": "tidegate.dev"},
                {"group": "gateway.networking.k8s.io", "resources": ["httproutes"]},
                {
                    "group": "apps",
                    "resources": ["deployments", "deployments/scale", "controllerrevisions"],
                },
                {"group": "batch", "resources": ["jobs"]},
                {"group": "", "resources": ["services"]},
            ],
        },
        {"level": "Metadata"},
    ],
}
