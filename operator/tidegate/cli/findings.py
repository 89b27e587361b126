"""What lint finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tidegate.cli.documents import Document


class Severity(StrEnum):
    """Whether it keeps the object from working."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one field of one object. As text: `file:line: Kind name: path: sentence`."""

    document_of: Document
    path: str
    """As in `spec.steps[2].weight`; empty for the object as a whole."""
    sentence: str
    severity: Severity = Severity.ERROR
    at: int = 0
    """The line, where it is known better than by the path."""

    @property
    def line(self) -> int:
        """Counted from 1; 0 if nobody knows."""
        return self.at or self.document_of.line(self.path)

    def document(self) -> dict[str, Any]:
        """For JSON and YAML."""
        source = self.document_of
        return {
            "file": source.file,
            "document": source.number,
            "line": self.line,
            "kind": source.kind,
            "name": source.name,
            "path": self.path,
            "severity": self.severity.value,
            "message": self.sentence,
        }

    def __str__(self) -> str:
        source = self.document_of
        who = " ".join(word for word in (source.kind, source.name) if word) or f"document {source.number}"
        words = [f"{source.file}:{self.line}", who, self.path, self.sentence]
        warning = ["warning"] if self.severity is Severity.WARNING else []
        return ": ".join(word for word in (*words[:1], *warning, *words[1:]) if word)
