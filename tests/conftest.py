"""What all tests share: which of them need the cluster, and what happens to those when it is not there.

`make test` runs everything inside the cluster's namespaces and sets TIDEGATE_REQUIRE_CLUSTER=1: a missing cluster is
then a failure, never a skip. Without it (`make unit`, an editor) the tests that need a cluster are skipped. Where there
is no root, `make test-api` runs what a control plane without a node is enough for: all but those marked `pods`.
Only an explicit KUBECONFIG counts, so that no test ever runs against what happens to be somebody's current cluster.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tidegate.kube import Store

NEEDS_CLUSTER = ("integration", "e2e", "faults", "recorded")
NEEDS_PODS = ("e2e", "faults", "recorded")
TESTS = Path(__file__).parent


def pytest_configure() -> None:
    """Let nobody make an event loop by asking for one: on Python 3.11 pytest-asyncio does before its first test, and
    never closes it, for which some later test fails."""
    asyncio.set_event_loop(None)
    # An example may take what it takes on a busy machine; what hangs is ended by the time-out of its test.
    settings.register_profile("tidegate", deadline=None)
    settings.load_profile("tidegate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folder gives the marker, so that none is forgotten."""
    for item in items:
        if not item.path.is_relative_to(TESTS):
            continue
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in NEEDS_CLUSTER:
            item.add_marker(folder)
        if folder in NEEDS_PODS:
            item.add_marker("pods")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not any(item.get_closest_marker(name) for name in NEEDS_CLUSTER):
        return
    missing = missing_cluster() or (missing_node() if item.get_closest_marker("pods") else None)
    if missing is None:
        return
    if os.environ.get("TIDEGATE_REQUIRE_CLUSTER") == "1":
        pytest.fail(f"this test needs the cluster: {missing}", pytrace=False)
    pytest.skip(f"needs the cluster: {missing}")


@pytest.fixture(autouse=True)
def _views_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects of the store are shared by all who read them: who changes one would change everybody's view."""
    read = Store._read

    def checked(store: Store, place: Any, entry: Any) -> Any:
        found = read(store, place, entry)
        assert found == json.loads(entry.body), f"{place} was changed by one who read it"
        return found

    monkeypatch.setattr(Store, "_read", checked)


@functools.cache
def missing_cluster() -> str | None:
    """Why there is no cluster to test on, or None when its API server answers that it is ready."""
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG is not set. Run the tests by `make test`"
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [str(kubectl), "get", "--raw", "/readyz", "--request-timeout=10s"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if answer.returncode == 0:
        return None
    return f"its API server is not ready ({answer.stderr.strip()}). Start it by `make cluster`"


def missing_node() -> str | None:
    """Why there are no pods to test with, or None where there may be."""
    if os.environ.get("TIDEGATE_CONTROL_PLANE_ONLY") != "1":
        return None
    return "only the control plane runs here, without a node. `make test` starts all of it, as root"
