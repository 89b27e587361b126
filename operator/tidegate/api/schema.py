"""What all models share: camelCase outside, snake_case inside, frozen, and CEL rules that stand beside the field they
are about.

`Rule` carries what pydantic has no word for into the generated CustomResourceDefinition. It changes nothing at run
time: each rule has its twin in a validator, because admission may be missing where the operator runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Rule:
    """One `x-kubernetes-validations` entry: a CEL expression, and the sentence that is shown when it is false."""

    expression: str
    message: str
    path: str = ""
    """Relative to where the rule stands, as in `.name`: which field the refusal names."""

    def document(self) -> dict[str, Any]:
        """The entry as it stands in the definition."""
        entry: dict[str, Any] = {"rule": self.expression, "message": self.message}
        if self.path:
            entry["fieldPath"] = self.path
        return entry


def words(*rules: Rule, **keywords: Any) -> dict[str, Any]:
    """Schema keywords: `x-kubernetes-*` with `_` for `-`, and the rules. For a model, as its `json_schema_extra`."""
    document: dict[str, Any] = {f"x-kubernetes-{key.replace('_', '-')}": value for key, value in keywords.items()}
    if rules:
        document["x-kubernetes-validations"] = [rule.document() for rule in rules]
    return document


class Schema:
    """Schema keywords for a type, as an annotation of it: they stay with it wherever it is used."""

    def __init__(self, *rules: Rule, **keywords: Any) -> None:
        self._words = words(*rules, **keywords)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), **self._words}


class Matching(Schema):
    """Text that must match a pattern as a whole, asked here and by the API server with one sentence.

    It is no bare `pattern`: its refusal would show the expression, and not what to write.
    """

    def __init__(self, pattern: str, message: str) -> None:
        super().__init__(Rule(f"self.matches('^{pattern}$')", message))
        self._pattern = re.compile(pattern)
        self._message = message

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if not self._pattern.fullmatch(value):
            raise ValueError(f"{value!r} is refused; {self._message}")
        return value


class Model(BaseModel):
    """What a user writes. An unknown field is refused, never ignored in silence."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        regex_engine="python-re",
    )

    def document(self) -> dict[str, Any]:
        """The object as JSON has it: camelCase, and what nobody said stays unsaid."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


class Reader(Model):
    """What somebody else writes, or a newer version of ourselves: unknown fields are borne."""

    model_config = ConfigDict(extra="ignore")


class Part(Reader):
    """A piece of status. What is as it is by default is not written, so that equal statuses are written equally."""

    always_written: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _sparse(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for name, alias, default in _defaults(type(self)):
            if getattr(self, name) == default:
                written.pop(name, None)
                written.pop(alias, None)
        return written

    def document(self) -> dict[str, Any]:
        """The piece as JSON has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@cache
def _defaults(part: type[Part]) -> tuple[tuple[str, str, Any], ...]:
    """(name, alias, default) of each field that may stay unwritten. Defaults are only compared with, never handed out.

    Statuses are written and compared all day: asking pydantic for this each time was a third of a pass.
    """
    return tuple(
        (name, field.alias or name, field.get_default(call_default_factory=True))
        for name, field in part.model_fields.items()
        if name not in part.always_written and not field.is_required()
    )
