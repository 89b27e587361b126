"""Lists whose items have a name: they merge by it, so that two tools may each own an item."""

from __future__ import annotations

from typing import Final, Protocol

from pydantic import AfterValidator

from tidegate.api.schema import Rule, Schema

TWICE_MESSAGE: Final = "two items have the same name: give each its own"


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str: ...


def _unique(items: tuple[Named, ...]) -> tuple[Named, ...]:
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise ValueError(f"{item.name!r} is there twice; {TWICE_MESSAGE}")
        seen.add(item.name)
    return items


BY_NAME = AfterValidator(_unique)
"""No two items of one name."""

MERGED_BY_NAME = Schema(
    Rule("self.all(one, self.exists_one(other, other.name == one.name))", TWICE_MESSAGE),
    list_type="map",
    list_map_keys=["name"],
)
"""Beside `BY_NAME`: the API server merges by it."""
