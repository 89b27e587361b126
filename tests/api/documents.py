"""Documents as the API server gives them, made from the shipped samples, so that the samples can't go stale."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"

Document = dict[str, Any]


def all_documents() -> list[Document]:
    """Every document of every sample."""
    found: list[Document] = []
    for file in sorted(SAMPLES.glob("*.yaml")):
        found += [document for document in yaml.safe_load_all(file.read_text()) if document]
    return found


def document(kind: str) -> Document:
    """A copy of the first sample of a kind, to be changed at will."""
    return copy.deepcopy(_firsts()[kind])


def changed(kind: str, change: Callable[[Document], object]) -> Document:
    """The sample of a kind with something changed in its spec."""
    made = document(kind)
    change(made["spec"])
    return made


@cache
def _firsts() -> Mapping[str, Document]:
    return {each["kind"]: each for each in reversed(all_documents())}
