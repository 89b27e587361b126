"""How answers are written: for people by rich, for programs as JSON or YAML."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import yaml

PIPE_WIDTH: Final = 160
"""Columns where nobody knows how wide the reader is: a sentence is not broken for want of a terminal."""

Document = Mapping[str, Any]


def write(document: Document, form: str, stream: TextIO | None = None, *, lines: bool = False) -> None:
    """As `json` or `yaml`. With `lines`, so that several may follow each other: a line each, or with `---`."""
    stream = stream or sys.stdout
    if form == "json":
        stream.write(json.dumps(document, indent=None if lines else 2, ensure_ascii=False) + "\n")
    else:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=PIPE_WIDTH)
        stream.write("---\n" + text if lines else text)
    stream.flush()


def plain(obj: Document) -> dict[str, Any]:
    """An object without what only the API server needs."""
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    return {**obj, "metadata": metadata}
