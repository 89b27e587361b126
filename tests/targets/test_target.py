"""What one Release asks of the target in one breath: no part waits for another."""

from collections.abc import AsyncIterator

import pytest

from tests.kube.fake import FakeApi, thing
from tests.targets.sample import NAMESPACE, app, climbing, component, release, version_of
from tidegate.engine.values import FULL, Ensure, Reading
from tidegate.errors import Permanent
from tidegate.kube import HTTPROUTES, SERVICES, Cluster, Store
from tidegate.targets.kubernetes import KubernetesTarget, workload


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as api:
        yield api


async def test_a_part_that_nobody_knows_any_more_does_not_keep_a_sibling_from_going_back(api: FakeApi) -> None:
    """It was taken out of the spec midway, and the revision that had it was deleted by hand."""
    old, new = release("v1", component("web")), release("v2", component("web"))
    stable, candidate = version_of(old), version_of(new)
    rules = [{"backendRefs": [{"name": "web", "port": 80, "weight": 1}]}]
    route = api.put(HTTPROUTES, thing(HTTPROUTES, "web", namespace=NAMESPACE, spec={"rules": rules}))
    async with api.client() as client:
        cluster = Cluster(client, Store())
        target = KubernetesTarget(cluster, lambda key: None)
        cluster.store.put(HTTPROUTES, route)
        service = workload.service(app(old), old.spec.components[0], stable.content, "v1")
        cluster.store.put(SERVICES, api.put(SERVICES, service))
        seen = app(new, climbing(stable, candidate, weight=FULL // 10))
        back = ((stable.content, FULL),)
        writes = [Ensure(part, back, 7, Reading(None, None)) for part in ("gone", "web")]
        with pytest.raises(Permanent, match="gone is not in the spec"):
            await target.ensure(seen, writes, 0.0)
        await target.close()
    written = api.objects[HTTPROUTES, NAMESPACE, "web"]["spec"]["rules"][0]["backendRefs"]
    assert {ref["name"]: ref["weight"] for ref in written}[service["metadata"]["name"]] == 100
