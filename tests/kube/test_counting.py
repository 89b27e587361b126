"""What others ask of the API server is counted under the names that RBAC has for it."""

from __future__ import annotations

import aiohttp
import pytest

from tests.kube.fake import FakeApi, thing
from tidegate.kube import RELEASES, Resource
from tidegate.kube.counting import counting, said_by

SERVER = "https://kubernetes.default.svc"


@pytest.mark.parametrize(
    ("method", "path", "verb", "name"),
    [
        ("GET", "/api/v1/pods?watch=true&resourceVersion=7", "watch", "pods"),
        ("GET", "/api/v1/pods?limit=500", "list", "pods"),
        ("GET", "/api/v1/namespaces/shop/pods", "list", "pods"),
        ("GET", "/api/v1/namespaces/shop/pods/web", "get", "pods"),
        ("GET", "/api/v1/namespaces/shop", "get", "namespaces"),
        ("GET", "/apis/tidegate.dev/v1alpha1/releases?watch=true", "watch", "releases.tidegate.dev"),
        ("GET", "/k8s/clusters/c-1/apis/apps/v1/namespaces/a/deployments", "list", "deployments.apps"),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b", "patch", "deployments.apps"),
        ("GET", "/api", "get", "discovery"),
        ("GET", "/apis", "get", "discovery"),
        ("GET", "/api/v1", "get", "discovery"),
        ("GET", "/apis/apps/v1", "get", "discovery"),
        ("GET", "/version", "get", "discovery"),
    ],
)
def test_a_request_is_named_as_rbac_does(method: str, path: str, verb: str, name: str) -> None:
    said, resource = said_by(method, SERVER + path)
    assert (said, resource.full_name) == (verb, name)


async def test_what_was_answered_and_what_was_not_is_counted() -> None:
    counts: list[tuple[str, str, str]] = []

    def counted(verb: str, resource: Resource, code: str) -> None:
        counts.append((verb, resource.full_name, code))

    async with FakeApi() as api, aiohttp.ClientSession(trace_configs=[counting(counted)]) as session:
        api.put(RELEASES, thing(RELEASES, "web"))
        server = api.access().server
        for name in ("web", "other"):
            async with session.get(server + RELEASES.path("shop", name)):
                pass
    async with aiohttp.ClientSession(trace_configs=[counting(counted)]) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("http://127.0.0.1:1/api/v1/pods")
    assert counts == [
        ("get", "releases.tidegate.dev", "200"),
        ("get", "releases.tidegate.dev", "404"),
        ("list", "pods", "none"),
    ]
