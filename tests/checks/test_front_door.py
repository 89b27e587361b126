from __future__ import annotations

from typing import Any

import pytest

from tidegate.checks.front_door import Door, accepted_parents, door

PLAIN: dict[str, Any] = {"name": "web", "protocol": "HTTP", "port": 8080}
SECURE: dict[str, Any] = {"name": "tls", "protocol": "HTTPS", "port": 443}


def route(*hostnames: str) -> dict[str, Any]:
    return {"metadata": {"name": "front"}, "spec": {"hostnames": list(hostnames)} if hostnames else {}}


def gateway(*listeners: dict[str, Any], address: str | None = "10.0.0.1") -> dict[str, Any]:
    status = {"addresses": [{"type": "IPAddress", "value": address}]} if address else {}
    return {"metadata": {"name": "gate"}, "spec": {"listeners": list(listeners)}, "status": status}


@pytest.mark.parametrize(
    ("parent", "listeners", "found"),
    [
        ({}, [PLAIN], Door("http://10.0.0.1:8080", "shop.example")),
        ({}, [SECURE, PLAIN], Door("http://10.0.0.1:8080", "shop.example")),
        ({"sectionName": "tls"}, [SECURE, PLAIN], Door("https://10.0.0.1:443", "shop.example")),
        ({"port": 443}, [SECURE, PLAIN], Door("https://10.0.0.1:443", "shop.example")),
        ({}, [{**PLAIN, "hostname": "other.example"}, SECURE], Door("https://10.0.0.1:443", "shop.example")),
        ({}, [{**PLAIN, "hostname": "*.example"}], Door("http://10.0.0.1:8080", "shop.example")),
    ],
)
def test_the_door_is_the_first_listener_that_the_route_may_be_at_a_plain_one_before_others(
    parent: dict[str, Any], listeners: list[dict[str, Any]], found: Door
) -> None:
    assert door(route("shop.example"), parent, gateway(*listeners)) == found


@pytest.mark.parametrize(
    ("hostnames", "listens", "host"),
    [
        ([], None, None),
        ([], "shop.example", "shop.example"),
        ([], "*.example", "tidegate.example"),
        (["*.example"], None, "tidegate.example"),
        (["*.example"], "shop.example", "shop.example"),
        (["*.shop.example"], "*.example", "tidegate.shop.example"),
        (["other.test", "shop.example"], "*.example", "shop.example"),
    ],
)
def test_a_name_is_asked_for_that_route_and_listener_both_have(
    hostnames: list[str], listens: str | None, host: str | None
) -> None:
    listener = PLAIN if listens is None else {**PLAIN, "hostname": listens}
    assert door(route(*hostnames), {}, gateway(listener)) == Door("http://10.0.0.1:8080", host)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert door(route(), {}, gateway(PLAIN, address="fd00::1")) == Door("http://[fd00::1]:8080", None)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (gateway(PLAIN, address=None), "Gateway gate tells no address in its status"),
        (gateway({**PLAIN, "protocol": "TCP"}), "Gateway gate has no listener for HTTP or HTTPS"),
        (gateway({**PLAIN, "hostname": "other.test"}), "by which HTTPRoute front is reached"),
        (gateway(), "Gateway gate has no listener"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(found: dict[str, Any], sentence: str) -> None:
    said = door(route("shop.example"), {}, found)
    assert isinstance(said, str)
    assert sentence in said


def test_only_gateways_that_have_accepted_the_route_are_asked() -> None:
    def parent(name: str, status: str, **more: str) -> dict[str, Any]:
        return {"parentRef": {"name": name, **more}, "conditions": [{"type": "Accepted", "status": status}]}

    parents = [parent("shut", "False"), parent("mesh", "True", kind="Service"), parent("open", "True")]
    found = accepted_parents({**route(), "status": {"parents": parents}})
    assert [each["name"] for each in found] == ["open"]
