"""Gateway API: its CRDs, Traefik as the data plane, a GatewayClass, and one Gateway for everybody's routes."""

import json
import re
import shutil
from pathlib import Path

from hack.cluster import api, modules
from hack.cluster.api import Api
from hack.cluster.layout import GATEWAY_METRICS_PORT, GATEWAY_PORT, NODE_ADDRESS, ClusterError, Layout
from hack.cluster.progress import Progress
from hack.cluster.supervisor import Part

GATEWAY_API = "v1.6.1"
NAMESPACE = "gateway"
CLASS = "traefik"
NAME = "tidegate"

_KINDS = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}

# Seconds. Traefik's own four would put a P99 of 30 ms and one of 90 ms into the same bucket.
_BUCKETS = "0.005,0.01,0.025,0.05,0.075,0.1,0.15,0.2,0.3,0.4,0.5,0.75,1,1.5,2.5,5,10"


def definitions(layout: Layout, go: str, progress: Progress) -> Path:
    """Folder with the standard channel's CRDs, fetched once as the Go module that ships them."""

    def take(module: Path, folder: Path) -> None:
        shutil.copytree(module / "config" / "crd" / "standard", folder)

    folder, module = layout.cache / f"gateway-api-{GATEWAY_API}", f"sigs.k8s.io/gateway-api@{GATEWAY_API}"
    return modules.kept(folder, go, progress, f"Gateway API {GATEWAY_API}", module, take)


def install(client: Api, definitions: Path) -> None:
    """Applies the CRDs, the GatewayClass and the Gateway. Repeating it changes nothing."""
    for file in sorted(definitions.glob("*.yaml")):
        for document in re.split(r"^---$", file.read_text(), flags=re.MULTILINE):
            kind = re.search(r"^kind: (\w+)$", document, re.MULTILINE)
            name = re.search(r'^metadata:\n(?:  .*\n)*?  name: "?([^"\s]+)"?$', document, re.MULTILINE)
            if kind is not None and name is not None and kind[1] in _KINDS:
                _apply(client, f"{_KINDS[kind[1]]}/{name[1]}", document.encode())
    namespaced = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways/{NAME}"
    for path, manifest in (
        (f"/api/v1/namespaces/{NAMESPACE}", _NAMESPACE),
        (f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{CLASS}", _CLASS),
        (namespaced, _GATEWAY),
    ):
        _apply(client, path, json.dumps(manifest).encode())


def part(layout: Layout, client: Api) -> Part:
    kubeconfig = str(layout.credentials / "traefik.kubeconfig")
    return Part(
        name="traefik",
        command=[
            layout.from_venv("traefik"),
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.nocolor=true",
            f"--entrypoints.web.address=:{GATEWAY_PORT}",
            f"--entrypoints.metrics.address=:{GATEWAY_METRICS_PORT}",
            "--ping=true",
            "--ping.entrypoint=metrics",
            "--metrics.prometheus=true",
            "--metrics.prometheus.entrypoint=metrics",
            "--metrics.prometheus.addrouterslabels=true",
            "--metrics.prometheus.addserviceslabels=true",
            f"--metrics.prometheus.buckets={_BUCKETS}",
            "--providers.kubernetesgateway=true",
            f"--providers.kubernetesgateway.statusaddress.ip={NODE_ADDRESS}",
            "--providers.providersthrottleduration=100ms",
        ],
        environment={"KUBECONFIG": kubeconfig},
        # Started before the CRDs, it would take a while to look again.
        waits_for=lambda: client.get("/apis/gateway.networking.k8s.io/v1/gateways").ok,
    )


def programmed(client: Api) -> bool:
    answer = client.get(f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways/{NAME}")
    conditions = answer.json().get("status", {}).get("conditions", []) if answer.ok else []
    return any(one["type"] == "Programmed" and one["status"] == "True" for one in conditions)


def healthy() -> bool:
    return api.get(f"http://127.0.0.1:{GATEWAY_METRICS_PORT}/ping").ok


def _apply(client: Api, path: str, manifest: bytes) -> None:
    answer = client.apply(path, manifest)
    if not answer.ok:
        raise ClusterError(f"the API server refused {path}: {answer.body.decode(errors='replace')}")


_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
_CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": CLASS},
    "spec": {"controllerName": "traefik.io/gateway-controller"},
}
_GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": NAME, "namespace": NAMESPACE},
    "spec": {
        "gatewayClassName": CLASS,
        "listeners": [
            {
                "name": "http",
                "protocol": "HTTP",
                "port": GATEWAY_PORT,  # Traefik wants the port of an entrypoint
                "allowedRoutes": {"namespaces": {"from": "All"}},
            }
        ],
    },
}
