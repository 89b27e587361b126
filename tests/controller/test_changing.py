"""What differs between what serves and what is asked for, as people are told it."""

from __future__ import annotations

from typing import Any

import pytest

from hack.stage import shop
from tests.controller.scenes import release
from tidegate.api.release import Release
from tidegate.api.revision import Named, artifact, revision
from tidegate.controller.changing import changes, titled
from tidegate.controller.plan import wanted_version
from tidegate.engine.values import Status, Version
from tidegate.targets.port import Kept, Resolved

OLD, NEW = "a" * 64, "b" * 64


def resolved(asked: Release, **content: str) -> Resolved:
    return Resolved(asked, {"web": tuple(Named("ConfigMap", name, text) for name, text in sorted(content.items()))})


def kept(found: Resolved) -> tuple[Version, Kept]:
    """As it serves, and as it is kept."""
    version = wanted_version(found, Status())
    (part,) = found.release.spec.components
    artifacts = (("web", artifact(part, version.name, found.named["web"])),)
    return version, Kept(revision(found.release, found.named), version.name, 1, artifacts, found.named)


def differs(new: Resolved, old: Resolved) -> tuple[str, ...]:
    stable, record = kept(old)
    return changes(new, wanted_version(new, Status(stable=stable)), stable, [record])


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({"settings": OLD}, ()),
        ({"settings": NEW}, ("ConfigMap settings",)),
        ({"settings": OLD, "more": OLD}, ("ConfigMap more",)),
        ({"settings": NEW, "more": OLD}, ("ConfigMap more", "ConfigMap settings")),
    ],
)
def test_configuration_with_other_content_is_named(new: dict[str, str], told: tuple[str, ...]) -> None:
    assert differs(resolved(release("v1"), **new), resolved(release("v1"), settings=OLD)) == told


def test_a_status_holds_no_more_of_it_than_a_kibibyte_and_says_how_much_there_is() -> None:
    names = {f"{number:02}{'x' * 250}": NEW for number in range(30)}
    told = differs(resolved(release("v1"), **names), resolved(release("v1"), settings=OLD))
    assert sum(map(len, told)) <= 1024 + len("31 more")
    assert told[-1] == f"{31 - (len(told) - 1)} more"


def test_a_new_version_is_told_beside_its_new_configuration() -> None:
    assert differs(resolved(release("v2"), settings=OLD), resolved(release("v1"), settings=OLD)) == ("Version",)
    both = differs(resolved(release("v2"), settings=NEW), resolved(release("v1"), settings=OLD))
    assert both == ("Version", "ConfigMap settings")


def test_where_neither_explains_it_the_component_is_named() -> None:
    changed: list[Any] = [shop.component("web", environment={"COLOUR": "blue"})]
    new = resolved(release("v1", components=changed), settings=OLD)
    assert differs(new, resolved(release("v1"), settings=OLD)) == ("component web",)


def test_before_the_first_version_there_is_nothing_to_compare_with() -> None:
    found = resolved(release("v1"), settings=OLD)
    assert changes(found, wanted_version(found, Status()), None, []) == ()


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        ((), "v1"),
        (("Version", "ConfigMap settings"), "v1"),
        (("ConfigMap settings",), "v1 with another ConfigMap settings"),
        (("ConfigMap settings", "Secret db"), "v1 with other ConfigMap settings, Secret db"),
    ],
)
def test_a_title_says_what_tells_it_from_another_of_its_name(changed: tuple[str, ...], title: str) -> None:
    assert titled("v1", changed) == title
