"""Lists whose items have a name: they merge by it, so that two tools may each own an item."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import AfterValidator, Field

from tidegate.api.schema import extra


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str: ...


def _unique(items: tuple[Named, ...]) -> tuple[Named, ...]:
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise ValueError(f"{item.name!r} is there twice; give each its own name")
        seen.add(item.name)
    return items


UNIQUE = AfterValidator(_unique)


def named(most: int, *, least: int = 0) -> Any:
    """The field of a list of at most `most` named things."""
    return Field(
        min_length=least or None, max_length=most, json_schema_extra=extra(list_type="map", list_map_keys=["name"])
    )
