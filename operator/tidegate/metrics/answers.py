"""What Prometheus answers, read. Everything that is not an answer is a `Transient` with a sentence.

Of the text of an answer only numbers, labels and the class of an error are kept: an answer may come from whatever
listens at that address, and must not find its way into a status.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tidegate.errors import Transient
from tidegate.stats.counters import Labels, Sample

ERROR_CLASSES: Final = frozenset(
    {"timeout", "canceled", "execution", "bad_data", "internal", "unavailable", "not_found", "not_acceptable"}
)

Found = tuple[tuple[Labels, tuple[Sample, ...]], ...]
"""Series, each with its samples, oldest first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`kind` is vector, matrix, scalar or string; a scalar is one series without labels. `partial`: Prometheus warns
    that it left something out. `native`: series with native histograms in place of numbers are in it; they are left
    out."""

    kind: str
    found: Found
    partial: bool = False
    native: bool = False


def read(status: int, body: bytes) -> Answer:
    """Raises Transient; its sentence goes on after "Connection x: "."""
    if status in (401, 403):
        raise Transient(f"it refuses our credentials (HTTP {status}); see the Secret that the Connection names")
    if 300 <= status < 400:
        raise Transient(f"it answers with a redirect (HTTP {status}), which is not followed; write the final url")
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or "status" not in document:
        raise Transient(f"it answers (HTTP {status}), but not as Prometheus does; see the url")
    if document["status"] != "success":
        kind = document.get("errorType")
        shown = kind if kind in ERROR_CLASSES else "an unknown error"
        raise Transient(f"Prometheus could not answer the query: {shown} (HTTP {status})")
    try:
        return _answer(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise Transient("its answer has not the shape of Prometheus's") from None


def _answer(document: dict[str, Any]) -> Answer:
    kind, result = document["data"]["resultType"], document["data"]["result"]
    partial = bool(document.get("warnings"))
    if kind in ("scalar", "string"):
        return Answer(kind, (((), (_sample(result),)),) if kind == "scalar" else (), partial)
    if kind not in ("vector", "matrix"):
        raise ValueError(kind)
    found, native = [], False
    for series in result:
        if "values" in series or "value" in series:
            samples = series["values"] if kind == "matrix" else [series["value"]]
            labels = tuple(sorted((str(name), str(value)) for name, value in series["metric"].items()))
            found.append((labels, tuple(_sample(each) for each in samples)))
        native = native or "histogram" in series or "histograms" in series
    return Answer(kind, tuple(found), partial, native)


def _sample(pair: Any) -> Sample:
    at, value = pair
    if not isinstance(value, str):
        raise ValueError(value)
    return Sample(float(at), float(value))  # float() reads NaN, +Inf and -Inf as Prometheus writes them
