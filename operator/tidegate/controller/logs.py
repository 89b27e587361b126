"""Logs: one JSON object a line on stderr, and in each line which object, revision and step it is about.

`bind` says what the lines of a block are about; it follows the work through tasks, as context variables do.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TextIO

from tidegate.scrubbing import scrub

FIELDS: Final = ("object", "revision", "step")
LEVELS: Final = ("debug", "info", "warning", "error")

_bound: ContextVar[Mapping[str, str]] = ContextVar("tidegate.logs", default=MappingProxyType({}))


@contextmanager
def bind(**fields: str | int) -> Iterator[None]:
    """Lines that are logged inside carry these fields: `object`, `revision`, `step`, or others."""
    token = _bound.set({**_bound.get(), **{name: str(value) for name, value in fields.items()}})
    try:
        yield
    finally:
        _bound.reset(token)


def bound() -> Mapping[str, str]:
    """What is bound here."""
    return _bound.get()


class JsonFormatter(logging.Formatter):
    """`time` (RFC 3339), `level`, `message`, `object`, `revision`, `step`, `logger`; `trace` of an error; and
    `transition`, the reason of an Event, where the line is about one (`extra={"transition": …}`)."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": scrub(record.getMessage()),
            **dict.fromkeys(FIELDS, ""),
            **bound(),
            "logger": record.name,
        }
        if transition := getattr(record, "transition", None):
            line["transition"] = str(transition)
        if record.exc_info:
            line["trace"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Let all loggers of the process write so. `level` is one of LEVELS; libraries speak from `warning` on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("tidegate").setLevel(level.upper())
    logging.getLogger("kopf").setLevel(logging.INFO if level == "debug" else logging.WARNING)
    # Here Kopf says of each event of each object that its handler succeeded.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
