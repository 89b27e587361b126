"""Copies of the ConfigMaps and Secrets that a template names: each revision runs with its own.

A copy is immutable and named after the Release, its source and its content, so that revisions with the same content
share it, and no two Releases do. It is the only place where the content is kept: a ControllerRevision says which copies
a revision needs, and holds none of what is in them. Who may write ConfigMaps can make one in its place, with its name
and annotations: so what is in it is looked at before a revision starts with it, and what it says of its source is
believed only under our seal. It carries no ownerReference and nothing of its source's labels and annotations, as all
that must outlive the Release, or must not be taken for somebody else's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tidegate.api.configuration import CONFIG_MAP, Mention, mentions
from tidegate.api.meta import LABEL_MANAGED_BY, LABEL_RELEASE, MANAGED_BY, short
from tidegate.api.revision import Named
from tidegate.kube import CONFIGMAPS, SECRETS, Cluster, Object, Resource, uid_of
from tidegate.targets.kubernetes.names import annotations_of, is_leaving, labels_of, section

ANNOTATION_SOURCE: Final = "tidegate.dev/copy-of"  # name of what was copied
ANNOTATION_HASH: Final = "tidegate.dev/hash"  # of the content, whole
ANNOTATION_ORIGIN: Final = "tidegate.dev/origin"  # uid and resourceVersion of the source as it was copied
ANNOTATION_KEY: Final = "tidegate.dev/key"  # fingerprint of the key that the content of a Secret was hashed under

ANNOTATION_SEAL: Final = "tidegate.dev/seal"  # by which we know that we have written all that

ABSENT: Final = "0" * 64
"""The content of what is not there and need not be. Pods of that revision name a copy that nobody makes: what is
created later under the source's name is none of theirs."""

MISSING: Final = "f" * 64
"""The content of what is not there and must be. Nothing ever runs with it."""

_LONGEST_NAME: Final = 253


class Copy(NamedTuple):
    named: Named
    origin: str
    key: str  # "" for a ConfigMap
    seal: str
    uid: str
    version: str


def resource_of(kind: str) -> Resource:
    return CONFIGMAPS if kind == CONFIG_MAP else SECRETS


def copy_name(release: str, named: Named) -> str:
    """Of the copy, 253 characters at most."""
    digits = plain_digest(f"{release}\0{named.name}\0{named.content}".encode())
    head, tail = f"{release}-{named.name}", f"-{short(digits)}"
    return head[: _LONGEST_NAME - len(tail)].rstrip("-.") + tail


def text_of(obj: Object) -> bytes:
    """What is in a ConfigMap or Secret, in one order: equal content is equal text, whatever its metadata."""
    content = {name: obj[name] for name in ("data", "binaryData") if obj.get(name)}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def plain_digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def origin_of(uid: str, version: str) -> str:
    return f"{uid}/{version}"


def origin_in(source: Object) -> str:
    return origin_of(source["metadata"]["uid"], source["metadata"]["resourceVersion"])


def words(namespace: str, release: str, named: Named, origin: str) -> tuple[str, ...]:
    """All that a copy says of its source, to be sealed."""
    return (namespace, release, *named, origin)


def body(namespace: str, release: str, named: Named, source: Object, key: str, seal: str) -> Object:
    """The copy of a source that was just read. `key` is the fingerprint, "" for a ConfigMap; `seal` is over `words`."""
    annotations = {
        ANNOTATION_SOURCE: named.name,
        ANNOTATION_HASH: named.content,
        ANNOTATION_ORIGIN: origin_in(source),
        ANNOTATION_SEAL: seal,
    }
    # A Secret of another type may be somebody's to manage, as tokens of ServiceAccounts are; pods don't ask for it.
    kind: dict[str, Any] = {} if named.kind == CONFIG_MAP else {"type": "Opaque"}
    return {
        "apiVersion": "v1",
        "kind": named.kind,
        "metadata": {
            "name": copy_name(release, named),
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_RELEASE: release},
            "annotations": {**annotations, **({ANNOTATION_KEY: key} if key else {})},
        },
        "immutable": True,
        **kind,
        **{name: source[name] for name in ("data", "binaryData") if source.get(name)},
    }


def read(kind: str, obj: Object) -> Copy | None:
    """None if it is none of ours, or is being deleted."""
    notes, metadata = annotations_of(obj), obj["metadata"]
    source, content = notes.get(ANNOTATION_SOURCE), notes.get(ANNOTATION_HASH)
    if not source or not content or labels_of(obj).get(LABEL_MANAGED_BY) != MANAGED_BY or is_leaving(obj):
        return None
    return Copy(
        Named(kind, source, content),
        notes.get(ANNOTATION_ORIGIN, ""),
        notes.get(ANNOTATION_KEY, ""),
        notes.get(ANNOTATION_SEAL, ""),
        uid_of(obj),
        str(metadata["resourceVersion"]),
    )


def of_release(cluster: Cluster, namespace: str, release: str) -> Mapping[Named, Copy]:
    """All copies of a Release that the store knows of, under the names that they must have."""
    found: dict[Named, Copy] = {}
    for resource in (CONFIGMAPS, SECRETS):
        for obj in cluster.of_release(resource, namespace, release):
            copy = read(resource.kind, obj)
            if copy is not None and copy_name(release, copy.named) == obj["metadata"]["name"]:
                found[copy.named] = copy
    return found


def needed_names(release: str, named: Iterable[Named], deployments: Iterable[Object]) -> frozenset[Mention]:
    """Kind and name of each copy that these name, or that these Deployments' pods read."""
    found = {Mention(each.kind, copy_name(release, each)) for each in named}
    for deployment in deployments:
        template = section(deployment, "spec").get("template") or {}
        found |= set(mentions(template.get("spec") or {}))
    return frozenset(found)


def superfluous(release: str, copies: Mapping[Named, Copy], needed: frozenset[Mention]) -> Sequence[Copy]:
    """Those that none of the needed is."""
    return [
        copy for named, copy in sorted(copies.items()) if Mention(named.kind, copy_name(release, named)) not in needed
    ]
