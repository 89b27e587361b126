"""The stage's client with a kubeconfig as kind and kubeadm write it: client certificate and authority as data in it."""

from __future__ import annotations

import base64
import subprocess
import uuid
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from hack.cluster.elsewhere import elsewhere
from hack.cluster.layout import current_layout
from hack.stage.api import Api
from hack.stage.operator import SYSTEM, Operator, install
from tidegate.kube.access import from_kubeconfig

LAYOUT = current_layout()
USER = "carla"

pytestmark = pytest.mark.skipif(elsewhere(LAYOUT) is not None, reason="only our own cluster's CA signs for us")


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No token and no path in it."""
    authority = LAYOUT.credentials / "ca.crt"
    with closing(Api()) as api:
        server = api.server
    key, request, certificate = (tmp_path / f"{USER}.{end}" for end in ("key", "csr", "crt"))
    ecdsa = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", *ecdsa, "-subj", f"/O=system:masters/CN={USER}", "-keyout", str(key), "-out", str(request))
    signed_by = ["-CA", str(authority), "-CAkey", str(LAYOUT.credentials / "ca.key"), "-set_serial", "4711"]
    openssl("x509", "-req", "-in", str(request), *signed_by, "-days", "1", "-out", str(certificate))
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        # as with somebody who has several: the first of a list is not the current one
        "clusters": [
            {"name": "other", "cluster": {"server": "https://other.example"}},
            {"name": "kind-tidegate", "cluster": {"server": server, "certificate-authority-data": encoded(authority)}},
        ],
        "users": [{"name": "other", "user": {"token": "none"}}, {"name": "kind-tidegate", "user": user}],
        "contexts": [{"name": "kind-tidegate", "context": {"cluster": "kind-tidegate", "user": "kind-tidegate"}}],
        "current-context": "kind-tidegate",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def test_a_kubeconfig_with_certificates_as_data_will_do(kubeconfig: Path) -> None:
    name = f"stage-{uuid.uuid4().hex[:8]}"
    with closing(Api()) as api, closing(Api(user="nora")) as nora:
        assert (api.me, nora.me) == (USER, "nora")
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        assert api.get("Namespace", "", name) is not None
        api.delete("Namespace", "", name)


def test_the_operator_gets_its_own_token_and_not_our_certificate(kubeconfig: Path, tmp_path: Path) -> None:
    install()  # by kubectl, with the same kubeconfig
    with closing(Api()) as api:
        path = Operator(api, tmp_path / "operator").kubeconfig()
        access = from_kubeconfig([path])
        assert (access.certificate, access.private_key, access.authority) == (None, None, api.authority)
    command = ["kubectl", "--kubeconfig", str(path), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == f"system:serviceaccount:{SYSTEM}:tidegate"
