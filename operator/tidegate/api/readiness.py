"""Status of what platform teams write: whether it can be used as it stands, and why not."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from tidegate.api.conditions import Condition
from tidegate.api.schema import Part, Schema


class Readiness(Part):
    """Whether it can be used as it stands."""

    conditions: Annotated[tuple[Condition, ...], Schema(list_type="map", list_map_keys=["type"])] = ()
    """Ready, with a reason and a sentence."""

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it is there."""
        return next((condition for condition in self.conditions if condition.type == type_), None)


def _leniently(value: Any, handler: ValidatorFunctionWrapHandler) -> Readiness:
    try:
        written: Readiness = handler(value)
    except ValidationError:
        return Readiness()
    return written


ReadinessField = Annotated[Readiness, WrapValidator(_leniently), Field(default_factory=Readiness)]
"""As the status of a kind. One that can't be read counts as none: a spec is not unreadable for its status."""
