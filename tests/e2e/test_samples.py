"""What the README's section on installing says to type, typed: with the samples as they are, but for shorter waits.

Here the operator runs in its own pods, by kustomize."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.cluster.elsewhere import elsewhere
from hack.cluster.layout import current_layout
from hack.stage.api import Api, eventually
from hack.stage.load import Load
from hack.stage.operator import ROOT, SYSTEM, Operator
from hack.stage.pods import PROMETHEUS, Pods

NAMESPACE, NAME, HOST = "shop", "storefront", "shop.example"
QUICK = [{"weight": 10, "hold": "2s"}, {"weight": 50, "hold": "2s"}, {"weight": 100, "hold": "2s"}]
PATCHES = {
    "ReleasePolicy": [
        {"op": "replace", "path": "/spec/defaults/steps", "value": QUICK},
        {"op": "replace", "path": "/spec/ladder/weight/minHold", "value": "1s"},
        {"op": "replace", "path": "/spec/defaults/keepPrevious", "value": "5s"},
    ],
    "Release": [{"op": "replace", "path": "/spec/components/0/kubernetes/drain", "value": "1s"}],
    "Connection": [{"op": "replace", "path": "/spec/prometheus/url", "value": PROMETHEUS}],
}


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def tidegate(*words: str) -> str:
    return run(sys.executable, "-m", "tidegate.cli", *words)


def readme_commands() -> list[list[str]]:
    """The commands of the section, without their comments."""
    section = (ROOT / "README.md").read_text().split("## Install it")[1].split("\n## ")[0]
    return [line.split("#")[0].split() for line in re.findall(r"^\$ (.*)$", section, re.MULTILINE)]


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """The samples, by kustomize, with holds of seconds."""
    patches = [{"target": {"kind": kind}, "patch": yaml.safe_dump(patch)} for kind, patch in PATCHES.items()]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "manifests" / "samples", tmp_path)],
        "patches": patches,
    }
    (tmp_path / "kustomization.yaml").write_text(json.dumps(kustomization))
    return tmp_path


@pytest.fixture
def installed(api: Api, operator: Operator) -> Iterator[Pods]:
    """The pods of manifests/base, in the place of the operator that all other tests share."""
    install, *_ = readme_commands()[1:]
    assert install == ["kubectl", "apply", "--server-side", "-k", "manifests/base"]
    operator.stop()
    try:
        run(*install)
        run("kubectl", "set", "env", "deployment/tidegate", "TIDEGATE_TICK=1s", "-n", SYSTEM)
        pods = Pods(api, SYSTEM)
        pods.ready()
        yield pods
    finally:
        ours = "app.kubernetes.io/name=tidegate"
        run("kubectl", "delete", "deployments,poddisruptionbudgets,services", "-n", SYSTEM, "-l", ours)
        eventually(lambda: not api.list("Pod", SYSTEM, ours), 60, "the operator's pods are gone")
        operator.start()


@pytest.fixture
def customers(api: Api, installed: Pods, tmp_path: Path) -> Iterator[Load]:
    """Of the sample's host. Afterwards nothing is left of it."""
    with Load(HOST, tmp_path / "load.jsonl", rps=60) as load:
        yield load
    api.delete("Release", NAMESPACE, NAME)
    eventually(lambda: api.get("Release", NAMESPACE, NAME) is None, 60, "the sample's Release is let go")
    api.delete("Namespace", "", NAMESPACE)
    eventually(lambda: api.get("Namespace", "", NAMESPACE) is None, 60, "the sample's namespace is gone")


def completed(api: Api, version: str) -> None:
    def there() -> bool:
        release: dict[str, Any] = api.get("Release", NAMESPACE, NAME) or {}
        status = release.get("status", {})
        return bool(status.get("phase") == "Completed" and status["stable"]["version"] == version)

    try:
        eventually(there, 120, f"{version} is completed", every=0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}; {api.get('Release', NAMESPACE, NAME)}") from None


def test_lint_finds_no_fault_in_the_samples() -> None:
    assert "error" not in tidegate("lint", "manifests/samples")


@pytest.mark.skipif(elsewhere(current_layout()) is not None, reason="the operator's image is on our own cluster")
def test_what_the_readme_says_to_type_brings_the_sample_up_and_on(api: Api, overlay: Path, customers: Load) -> None:
    _, _, samples, status, _ = readme_commands()
    assert samples == ["kubectl", "apply", "-k", "manifests/samples"]
    run(*samples[:-1], str(overlay))
    completed(api, "v1.0.0")
    patch = json.dumps({"spec": {"version": "v1.1.0"}})
    run("kubectl", "patch", "release", NAME, "-n", NAMESPACE, "--type=merge", "-p", patch)
    completed(api, "v1.1.0")
    assert status[:2] == ["kubectl", "tidegate"]
    said = tidegate(*status[2:])  # it watches until the Release is ready
    assert "v1.1.0" in said
    assert "Completed" in said
    past = api.get("Release", NAMESPACE, NAME)
    assert past is not None
    history = [(each["version"], each["outcome"]) for each in past["status"]["history"]]
    assert history == [("v1.1.0", "Completed"), ("v1.0.0", "Completed")]
    checks = {check["name"] for check in past["status"]["checks"]}
    assert checks == {"smoke", "front"}
    answers = customers.requests()
    first = next(i for i, request in enumerate(answers) if request.version == "v1.0.0")
    assert not [request for request in answers[first:] if request.code != 200]
