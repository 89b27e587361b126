"""What all models share: camelCase outside, snake_case inside, frozen, and CEL rules that stand beside the field they
are about.

`Rule` carries what pydantic has no word for into the generated CustomResourceDefinition. It changes nothing at run
time:
each rule has its twin in a validator, because admission may be missing where the operator runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


@dataclass(frozen=True)
class Rule:
    """One `x-kubernetes-validations` entry: a CEL expression, and the sentence that is shown when it is false."""

    expression: str
    message: str
    path: str = ""
    """Relative to where the rule stands, as in `.name`: which field the refusal names."""
    message_expression: str = ""
    """CEL that gives the sentence with the offending name in it; `message` is the fallback."""
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """The entry as it stands in the definition."""
        entry: dict[str, Any] = {"rule": self.expression, "message": self.message}
        if self.message_expression:
            entry["messageExpression"] = self.message_expression
        if self.path:
            entry["fieldPath"] = self.path
        if self.reason:
            entry["reason"] = self.reason
        return entry


def extra(*rules: Rule, **keywords: Any) -> dict[str, Any]:
    """Schema keywords for a field or a model: rules, and `x-kubernetes-*` words with `_` for `-`."""
    document: dict[str, Any] = {f"x-kubernetes-{key.replace('_', '-')}": value for key, value in keywords.items()}
    if rules:
        document["x-kubernetes-validations"] = [rule.document() for rule in rules]
    return document


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
