"""Namespaces on the real API server: of people, for what it refuses; and of an app, for the Kubernetes target."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.api.documents import Document
from tests.integration.kubernetes_shop import Shop
from tests.integration.people import (
    OWN_ROLES,
    ROLES,
    ROOT,
    Cluster,
    release,
    wait_for_admission,
)
from tests.targets.contract import Story
from tidegate.kube import Client


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster(f"admission-{uuid.uuid4().hex[:8]}")
    base = Cluster("").run(
        "apply", "--server-side", "--force-conflicts", "--kustomize", str(ROOT / "manifests" / "rights")
    )
    assert base.returncode == 0, base.stderr
    made.gives("create", "namespace", made.namespace)
    for name, rules in OWN_ROLES.items():
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": rules,
        }
        made.gives("create", "--filename=-", sent=role)
    for user, roles in ROLES.items():
        for name in roles:
            kind = "role" if name in OWN_ROLES else "clusterrole"
            made.gives("create", "rolebinding", f"{user}-{name}", f"--{kind}={name}", f"--user={user}")
    wait_for_admission(made)
    yield made
    made.run("delete", "namespace", made.namespace, "--wait=false")


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[Document]:
    """A Release that ana wrote."""
    yield cluster.gives("create", "--filename=-", sent=release(), user="ana")
    # An operator that happens to run here has put its finalizer on, and may be gone before it takes it off.
    cluster.run("delete", "release", "shop", "--wait=false")
    cluster.run("patch", "release", "shop", "--type=merge", "--patch", '{"metadata":{"finalizers":null}}')
    cluster.run("wait", "release", "shop", "--for=delete", "--timeout=30s")


@pytest.fixture
async def world() -> AsyncIterator[Shop]:
    place = Shop(Client.from_environment(), f"target-{uuid.uuid4().hex[:8]}")
    try:
        await place.open()
        yield place
    finally:
        await place.close()


@pytest.fixture
def story(world: Shop) -> Story:
    return Story(world)
