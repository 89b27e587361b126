"""Logging in by `exec`, as the kubeconfigs of EKS, GKE and AKS have it (client.authentication.k8s.io)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tidegate.kube import NoAccess

_SECONDS: Final = 120.0  # a person may have to type something, or look at a browser


def log_in(wanted: Mapping[str, Any], kubeconfig: Path) -> Mapping[str, str]:
    """Run the program and take what it gives; see `tidegate.kube.access.LogIn`. Raises NoAccess."""
    command = str(wanted.get("command") or "")
    program = str(kubeconfig.parent / command) if "/" in command else shutil.which(command)
    if not program:
        hint = str(wanted.get("installHint") or "").strip()
        raise NoAccess(f"{kubeconfig} logs in by {command!r}, which is not on PATH. {hint}".strip())
    interactive = sys.stdin.isatty() and wanted.get("interactiveMode") != "Never"
    asked = {
        "apiVersion": wanted.get("apiVersion") or "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "spec": {"interactive": interactive},
    }
    extra = {str(each.get("name")): str(each.get("value")) for each in wanted.get("env") or ()}
    try:
        answer = subprocess.run(
            [program, *map(str, wanted.get("args") or ())],
            env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAccess(f"{kubeconfig} logs in by {command}, and that failed: {error}") from None
    if answer.returncode != 0:
        raise NoAccess(
            f"{kubeconfig} logs in by {command}, which ended with {answer.returncode}: see what it says above"
        )
    return _credential(answer.stdout, command)


def _credential(text: bytes, command: str) -> Mapping[str, str]:
    try:
        status = json.loads(text)["status"]
        if token := status.get("token"):
            return {"token": str(token)}
        pair = {"client-certificate-data": "clientCertificateData", "client-key-data": "clientKeyData"}
        return {ours: base64.b64encode(str(status[theirs]).encode()).decode() for ours, theirs in pair.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        # What it printed may hold a secret: it is not shown.
        raise NoAccess(f"{command} printed no ExecCredential with a token or a certificate") from None
