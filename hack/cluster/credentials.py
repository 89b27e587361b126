"""Who may talk to the API server: one CA, one serving certificate, static tokens. Made once per checkout."""

import json
import secrets
import subprocess
from pathlib import Path

from hack.cluster.layout import NODE_ADDRESS, NODE_NAME, SERVICE_ADDRESS, ClusterError, Layout

# File name of the kubeconfig: (user, groups). Admission and RBAC see these names.
ACCOUNTS = {
    "admin": ("admin", "system:masters"),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    # In system:masters because its controllers act through this one account here; with one account each it
    # starts five seconds later.
    "kube-controller-manager": ("system:kube-controller-manager", "system:masters"),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "prometheus": ("tidegate:prometheus", "system:masters"),
    "traefik": ("tidegate:traefik", "system:masters"),
}

_NAMES = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
_NAMES += ["kubernetes.default.svc.cluster.local"]
_ADDRESSES = ["127.0.0.1", NODE_ADDRESS, SERVICE_ADDRESS]


def make(layout: Layout, server: str) -> None:
    """Makes what is missing and writes the kubeconfigs for the API server at `server`."""
    folder = layout.credentials
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / "tokens.csv").exists():
        _certificates(folder)
        lines = [
            f'{secrets.token_urlsafe(24)},{user},{number},"{groups}"\n'
            for number, (user, groups) in enumerate(ACCOUNTS.values())
        ]
        _write_secret(folder / "tokens.csv", "".join(lines))
    for account in ACCOUNTS:
        _write_secret(folder / f"{account}.kubeconfig", _kubeconfig(layout, account, server))


def token(layout: Layout, account: str) -> str:
    user = ACCOUNTS[account][0]
    for line in (layout.credentials / "tokens.csv").read_text().splitlines():
        if line.split(",")[1] == user:
            return line.split(",")[0]
    raise ClusterError(f"{layout.credentials} is from an older version: run `python hack/cluster down --clean`")


def _kubeconfig(layout: Layout, account: str, server: str) -> str:
    """JSON, which is YAML too."""
    secret = token(layout, account)
    _write_secret(layout.credentials / f"{account}.token", secret)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "tidegate",
                "cluster": {"server": server, "certificate-authority": str(layout.credentials / "ca.crt")},
            }
        ],
        "users": [{"name": account, "user": {"token": secret}}],
        "contexts": [{"name": "tidegate", "context": {"cluster": "tidegate", "user": account}}],
        "current-context": "tidegate",
    }
    return json.dumps(config, indent=1) + "\n"


def _certificates(folder: Path) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    alternatives = ",".join([*(f"DNS:{name}" for name in _NAMES), *(f"IP:{address}" for address in _ADDRESSES)])
    (folder / "alternatives").write_text(f"subjectAltName={alternatives}\n")
    commands = (
        ["req", "-x509", *key, "-days", "3650", "-subj", "/CN=tidegate", "-keyout", "ca.key", "-out", "ca.crt"],
        ["req", *key, "-subj", "/CN=kube-apiserver", "-keyout", "apiserver.key", "-out", "apiserver.csr"],
        [
            *["x509", "-req", "-in", "apiserver.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
            *["-days", "3650", "-extfile", "alternatives", "-out", "apiserver.crt"],
        ],
        ["genrsa", "-out", "service-accounts.key", "2048"],
        ["rsa", "-in", "service-accounts.key", "-pubout", "-out", "service-accounts.pub"],
    )
    for arguments in commands:
        try:
            done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
        except FileNotFoundError:
            raise ClusterError("openssl is missing: `apt-get install openssl`") from None
        if done.returncode != 0:
            raise ClusterError(f"`openssl {arguments[0]}` failed: {done.stderr}")


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
