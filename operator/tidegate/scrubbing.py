"""Credentials have no business in a log line, a condition or an Event; where one slips into the words of a library or
of a container, it is struck out.
"""

from __future__ import annotations

import re
from typing import Final

_SECRETS: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(?i)://[^/\s:@]*:[^/\s@]+@"), "://***@"),
    (
        re.compile(
            r"(?i)([a-z0-9_-]*(?:password|passwd|pwd|token|secret|credential|api[_-]?key|access[_-]?key)[a-z0-9_-]*)"
            r"(\"?\s*[=:]\s*\"?)[^\s,;&\"'{}]+"
        ),
        r"\1\2***",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), "***"),
)


def scrub(text: str) -> str:
    """The text without what looks like a credential."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text
