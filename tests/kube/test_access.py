"""How the API server is found, and what is said where it is not."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.kube import NoAccess
from tidegate.kube.access import from_environment, from_kubeconfig, from_service_account


def kubeconfig(path: Path, *, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
                "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", **cluster}}],
                "users": [{"name": "u", "user": user or {"token": "secret-token"}}],
            }
        )
    )
    return path


def test_a_kubeconfig_gives_server_namespace_and_token(tmp_path: Path) -> None:
    access = from_environment({"KUBECONFIG": str(kubeconfig(tmp_path / "config"))})
    assert (access.server, access.namespace) == ("https://10.0.0.1:6443", "shop")
    assert access.authorization() == "Bearer secret-token"


def test_no_secret_is_in_the_repr(tmp_path: Path) -> None:
    access = from_kubeconfig([kubeconfig(tmp_path / "config", user={"username": "me", "password": "hidden"})])
    assert "hidden" not in repr(access)
    assert "secret-token" not in repr(from_kubeconfig([kubeconfig(tmp_path / "config")]))
    assert access.authorization() == "Basic " + base64.b64encode(b"me:hidden").decode()


def test_certificates_are_read_from_the_file_or_from_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("the authority")
    inline = base64.b64encode(b"the certificate").decode()
    config = kubeconfig(
        tmp_path / "config", user={"client-certificate-data": inline}, **{"certificate-authority": "ca.crt"}
    )
    access = from_kubeconfig([config])
    assert (access.authority, access.certificate) == ("the authority", "the certificate")


def test_a_token_file_is_read_at_each_use(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    access = from_kubeconfig([kubeconfig(tmp_path / "config", user={"tokenFile": "token"})])
    assert access.current_token() == "first"
    (tmp_path / "token").write_text("second\n")
    assert access.current_token() == "second"


@pytest.mark.parametrize(
    ("user", "cluster", "sentence"),
    [
        ({"exec": {"command": "aws"}}, {}, "logs in by `exec`"),
        ({"auth-provider": {"name": "gcp"}}, {}, "logs in by `auth-provider`"),
        (None, {"tls-server-name": "x"}, "has a tls-server-name"),
        (None, {"server": ""}, "has no server"),
        (None, {"certificate-authority-data": "%%%"}, "is not base64"),
        (None, {"certificate-authority": "absent.crt"}, "can't be read"),
    ],
)
def test_what_we_can_not_do_is_said(
    tmp_path: Path, user: dict[str, Any] | None, cluster: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(NoAccess, match=sentence):
        from_kubeconfig([kubeconfig(tmp_path / "config", user=user, **cluster)])


def test_a_broken_kubeconfig_is_named_and_not_quoted(tmp_path: Path) -> None:
    broken = tmp_path / "config"
    broken.write_text("users: [{token: my-secret")
    with pytest.raises(NoAccess) as caught:
        from_kubeconfig([broken])
    assert str(broken) in str(caught.value)
    assert "my-secret" not in str(caught.value)


def test_a_pod_uses_its_service_account(tmp_path: Path) -> None:
    for name, text in (("token", "t\n"), ("ca.crt", "ca"), ("namespace", "tidegate-system\n")):
        (tmp_path / name).write_text(text)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    access = from_service_account(environment, tmp_path)
    assert (access.server, access.namespace) == ("https://[fd00::1]:443", "tidegate-system")
    assert access.authorization() == "Bearer t"


def test_without_any_way_in_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoAccess, match="set KUBECONFIG"):
        from_environment({"HOME": str(tmp_path)})
    with pytest.raises(NoAccess, match="no such file exists"):
        from_environment({"KUBECONFIG": str(tmp_path / "absent")})
