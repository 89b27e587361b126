"""What one Release asks of the target in one breath: no part waits for another."""

from collections.abc import AsyncIterator

import pytest

from tests.kube.fake import FakeApi, thing
from tests.targets.sample import NAMESPACE, app, climbing, component, release, version_of
from tidegate.engine.values import FULL, Ensure, Reading
from tidegate.errors import Permanent
from tidegate.kube import HTTPROUTES, SERVICES, VIRTUALSERVICES, Cluster, Store
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


async def test_a_revert_goes_through_while_virtual_services_are_not_followed_and_only_the_server_refuses_it(
    api: FakeApi,
) -> None:
    """One watch that was denied for a moment must not take the way back."""
    traffic = {"traffic": {"istio": {"virtualService": "web"}}}
    old, new = release("v1", component("web", **traffic)), release("v2", component("web", **traffic))
    stable, candidate = version_of(old), version_of(new)
    http = [{"route": [{"destination": {"host": "web"}, "weight": 100}]}]
    api.served.append(VIRTUALSERVICES)
    api.put(VIRTUALSERVICES, thing(VIRTUALSERVICES, "web", namespace=NAMESPACE, spec={"http": http}))
    async with api.client() as client:
        cluster = Cluster(client, Store())
        cluster.store.mark_followed(VIRTUALSERVICES, NAMESPACE, "it may not be listed")
        target = KubernetesTarget(cluster, lambda key: None)
        service = workload.service(app(old), old.spec.components[0], stable.content, "v1")
        cluster.store.put(SERVICES, api.put(SERVICES, service))
        seen = app(new, climbing(stable, candidate, weight=FULL // 10))
        back = [Ensure("web", ((stable.content, FULL),), 7, Reading(None, None))]
        await target.ensure(seen, back, 0.0)
        written = api.objects[VIRTUALSERVICES, NAMESPACE, "web"]["spec"]["http"][0]["route"]
        api.remove(VIRTUALSERVICES, NAMESPACE, "web")
        with pytest.raises(Permanent, match="does not serve"):
            await target.ensure(seen, back, 0.0)
        await target.close()
    assert {each["destination"]["host"]: each["weight"] for each in written}[service["metadata"]["name"]] == 100
