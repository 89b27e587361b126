"""From an object, as the API server gives it, to a model; or to a sentence that says what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tidegate.api.connection import Connection
from tidegate.api.grammar import WIRE
from tidegate.api.intervention import Intervention
from tidegate.api.meta import KIND_CONNECTION, KIND_INTERVENTION, KIND_POLICY, KIND_RELEASE, Meta
from tidegate.api.policy import ReleasePolicy
from tidegate.api.release import Release
from tidegate.api.status import ReleaseStatus
from tidegate.errors import Invalid

Document = Mapping[str, Any]
"""An object as JSON has it."""

_Model = TypeVar("_Model", bound=BaseModel)

_MODELS: Mapping[str, type[BaseModel]] = {
    KIND_RELEASE: Release,
    KIND_POLICY: ReleasePolicy,
    KIND_CONNECTION: Connection,
    KIND_INTERVENTION: Intervention,
}


def parse_release(document: Document) -> Release:
    """Raises Invalid."""
    return _parse(Release, document)


def parse_policy(document: Document) -> ReleasePolicy:
    """Raises Invalid."""
    return _parse(ReleasePolicy, document)


def parse_connection(document: Document) -> Connection:
    """Raises Invalid."""
    return _parse(Connection, document)


def parse_intervention(document: Document) -> Intervention:
    """Raises Invalid."""
    return _parse(Intervention, document)


def faults(kind: str, document: Document) -> tuple[Invalid, ...]:
    """All that is wrong with an object of one of our kinds, field by field; what else is wrong may show when these are
    mended. Raises KeyError for a kind that is not ours."""
    try:
        # As JSON, so that it can be strict: to the API server "8080" is no number and "yes" is not true.
        text = json.dumps(document, default=str)
        _MODELS[kind].model_validate_json(text, strict=True, by_alias=True, by_name=False, context=WIRE)
    except ValidationError as error:
        return tuple(Invalid(_sentence(detail), path=_path(detail, "")) for detail in _details(error))
    return ()


def parse_meta(document: Document) -> Meta:
    """The object's metadata, also where the rest of it can't be read. Raises Invalid."""
    return _parse(Meta, document.get("metadata") or {}, "metadata")


def parse_release_status(document: Document) -> ReleaseStatus:
    """The Release's status, also where its spec can't be read: a revert must not wait for a better spec. Raises
    Invalid."""
    return _parse(ReleaseStatus, document.get("status") or {}, "status")


def _parse(model: type[_Model], document: Document, root: str = "") -> _Model:
    try:
        return model.model_validate(document, by_alias=True, by_name=False, context=WIRE)
    except ValidationError as error:
        raise _invalid(error, root) from None


def _invalid(error: ValidationError, root: str) -> Invalid:
    details = _details(error)
    path = _path(details[0], root)
    more = len(details) - 1
    also = (
        f" (and {more} more: {', '.join(_path(detail, root) for detail in details[1:4])}{', …' if more > 3 else ''})"
        if more
        else ""
    )
    return Invalid(_sentence(details[0]) + also, path=path)


def _details(error: ValidationError) -> list[ErrorDetails]:
    """What is wrong, without what pydantic only thinks: a list whose only item is wrong is none that is too short."""
    details = error.errors(include_url=False, include_context=True)
    deeper = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in deeper]


def _path(detail: ErrorDetails, root: str) -> str:
    path = root
    for piece in detail["loc"]:
        path += f"[{piece}]" if isinstance(piece, int) else f".{piece}" if path else str(piece)
    return path


_SENTENCES: Mapping[str, str] = {
    "missing": "is required and not there: write it",
    "extra_forbidden": "is no field here: remove it, or look for a slip of the pen",
    "string_type": "must be text: quote it",
    "tuple_type": "must be a list",
    "model_type": "must be an object with fields of its own",
    "mapping_type": "must be an object with fields of its own",
    "dict_type": "must be an object with fields of its own",
    "int_type": "must be a whole number, without quotes",
    "too_short": "has too few items: write at least {min_length}",
    "too_long": "has too many items: write at most {max_length}",
    "string_too_short": "is empty: write at least {min_length} character",
    "string_too_long": "is too long: write at most {max_length} characters",
    "greater_than_equal": "is too small: write at least {ge}",
    "less_than_equal": "is too great: write at most {le}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "bool_type": "must be true or false",
}


def _sentence(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if kind in _SENTENCES:
        return _SENTENCES[kind].format(**detail.get("ctx", {}))
    given = repr(detail["input"])
    return (
        f"{detail['msg'][:1].lower()}{detail['msg'][1:]}; given was {given if len(given) <= 80 else given[:77] + '…'}"
    )
