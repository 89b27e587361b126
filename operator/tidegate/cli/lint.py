"""`tidegate lint`: what the cluster would refuse, said without a cluster."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tidegate.api.meta import API_VERSION, GROUP, KIND_INTERVENTION, KIND_RELEASE, PLURALS
from tidegate.api.parse import faults
from tidegate.cli.documents import Document, read
from tidegate.cli.exits import CommandFailed, Exit
from tidegate.cli.findings import Finding, Severity
from tidegate.cli.output import write
from tidegate.cli.together import together
from tidegate.errors import Invalid

_TOP: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})
_METADATA: Final = frozenset(
    {
        *("name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences"),
        *("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"),
        *("deletionGracePeriodSeconds", "selfLink", "managedFields"),
    }
)
_RELEASE_NAME: Final = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_OBJECT_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if there is an error among the findings; warnings alone are 0."""
    try:
        documents = list(read(arguments.files))
    except Invalid as error:
        raise CommandFailed(error.message, Exit.USAGE) from None
    ours = [document for document in documents if document.group == GROUP]
    findings = lint(documents, getattr(arguments, "namespace", None) or "")
    if arguments.output == "table":
        _print(findings, len(ours))
    else:
        write({"objects": len(ours), "findings": [finding.document() for finding in findings]}, arguments.output)
    return Exit.NO if any(finding.severity is Severity.ERROR for finding in findings) else Exit.OK


def lint(documents: Sequence[Document], namespace: str = "") -> tuple[Finding, ...]:
    """All findings, file by file. `namespace` is that of objects that name none."""
    found = [*_unreadable(documents), *_twice(documents, namespace)]
    sound = []
    for document in documents:
        if document.group == GROUP:
            alone = list(_alone(document))
            found += alone
            if any(finding.severity is Severity.ERROR for finding in alone):
                continue  # what it says of others can't be told before it is mended
        sound.append(document)
    found += together(sound, namespace)
    order = {id(document): number for number, document in enumerate(documents)}
    return tuple(sorted(found, key=lambda finding: (order[id(finding.document_of)], finding.line, finding.path)))


# ---- one object by itself


def _unreadable(documents: Iterable[Document]) -> Iterator[Finding]:
    for document in documents:
        for line, path, sentence in document.problems:
            if document.content is None or document.group == GROUP:
                yield Finding(document, path, sentence, at=line)


def _alone(document: Document) -> Iterator[Finding]:
    content = document.content or {}
    if content.get("apiVersion") != API_VERSION:
        yield Finding(document, "apiVersion", f"{content.get('apiVersion')!r} is not served: write {API_VERSION}")
        return
    if document.kind not in PLURALS:
        known = ", ".join(sorted(PLURALS))
        yield Finding(document, "kind", f"{document.kind!r} is no kind of {GROUP}: write one of {known}")
        return
    for key in content.keys() - _TOP:
        if key == "status":
            yield Finding(
                document, key, "is the operator's: leave it out, no client can set it", severity=Severity.WARNING
            )
        else:
            yield Finding(document, key, "is no field here: remove it, or look for a slip of the pen")
    yield from _metadata(document)
    for fault in faults(document.kind, content):
        yield Finding(document, fault.path, fault.message.removeprefix(f"{fault.path}: "))


def _metadata(document: Document) -> Iterator[Finding]:
    if not isinstance((document.content or {}).get("metadata"), dict):
        return  # the model says so
    for key in document.metadata.keys() - _METADATA:
        yield Finding(document, f"metadata.{key}", "is no field of metadata: remove it, or look for a slip of the pen")
    acts = document.kind == KIND_INTERVENTION
    if not document.name and not (acts and document.metadata.get("generateName")):
        also = "; generateName is for kubectl create, and an object in Git keeps its name" if not acts else ""
        yield Finding(document, "metadata", f"has no name: write metadata.name{also}")
    elif document.name and (sentence := _name_refused(document)):
        yield Finding(document, "metadata.name", sentence)


def _name_refused(document: Document) -> str | None:
    release = document.kind == KIND_RELEASE
    if len(document.name) <= 253 and (_RELEASE_NAME if release else _OBJECT_NAME).fullmatch(document.name):
        return None
    what = "letters, digits and '-', a letter first: Services bear it" if release else "letters, digits, '-' and '.'"
    return f"{document.name!r} is refused; write lower-case {what}"


def _twice(documents: Iterable[Document], namespace: str) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        if document.group != GROUP or not document.name:
            continue
        key = (document.kind, str(document.metadata.get("namespace") or namespace), document.name)
        first = seen.setdefault(key, document)
        if first is not document:
            where = f"{first.file}:{first.line()}"
            yield Finding(
                document, "metadata.name", f"{document.name!r} is there twice, also in {where}: the last wins"
            )


# ---- what people read


def _print(findings: Sequence[Finding], objects: int) -> None:
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    counts = Counter(finding.severity for finding in findings)
    said = [_count(counts[severity], severity.value) for severity in Severity if counts[severity]]
    if objects == 0:
        said.append(f"no object of {GROUP} was found")
    sys.stdout.write(f"{_count(objects, 'object')}: {', '.join(said) or 'no fault found'}\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
