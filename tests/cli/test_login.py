"""Logging in by a program, as the kubeconfigs of the clouds have it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.cli.login import log_in
from tidegate.kube import NoAccess
from tidegate.kube.access import from_kubeconfig

TOKEN = """
import json, os
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert asked["kind"] == "ExecCredential" and asked["spec"]["interactive"] is False
print(json.dumps({"status": {"token": os.environ["WHO"] + "-token"}}))
"""
CERTIFICATE = """print('{"status": {"clientCertificateData": "cert", "clientKeyData": "key"}}')"""


def user(code: str) -> dict[str, Any]:
    env = [{"name": "WHO", "value": "ana"}]
    return {"command": sys.executable, "args": ["-c", code], "env": env, "interactiveMode": "Never"}


def kubeconfig(folder: Path, code: str) -> Path:
    path = folder / "kubeconfig"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"exec": user(code)}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_program_gives_a_token(tmp_path: Path) -> None:
    assert from_kubeconfig([kubeconfig(tmp_path, TOKEN)], log_in=log_in).current_token() == "ana-token"


def test_a_program_gives_a_certificate(tmp_path: Path) -> None:
    access = from_kubeconfig([kubeconfig(tmp_path, CERTIFICATE)], log_in=log_in)
    assert (access.certificate, access.private_key) == ("cert", "key")


def test_the_operator_logs_in_by_no_program(tmp_path: Path) -> None:
    with pytest.raises(NoAccess, match="logs in by `exec`"):
        from_kubeconfig([kubeconfig(tmp_path, TOKEN)])


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; sys.exit(3)", "ended with 3"),
        ("print('s3cret')", "printed no ExecCredential"),
        ("print('{\"status\": {}}')", "printed no ExecCredential"),
    ],
)
def test_what_goes_wrong_is_told_without_what_was_printed(tmp_path: Path, code: str, sentence: str) -> None:
    with pytest.raises(NoAccess, match=sentence) as told:
        from_kubeconfig([kubeconfig(tmp_path, code)], log_in=log_in)
    assert "s3cret" not in str(told.value).replace(code, "")


def test_a_program_that_is_not_there_is_told_with_how_to_get_it(tmp_path: Path) -> None:
    wanted = {"command": "no-such-login", "installHint": "install it from your cloud"}
    with pytest.raises(NoAccess, match=r"not on PATH\. install it from your cloud"):
        log_in(wanted, tmp_path / "kubeconfig")
