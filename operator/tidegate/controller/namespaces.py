"""Which of the namespaces that the operator is to work in it can work in.

A namespace that is deleted takes the Role in it along, and one rule is soon lost: what is denied in one must not end
the work in the others, where something may have to go back. It is left out, and told; when it can be read again, the
process starts afresh with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import NoReturn

from tidegate.api.meta import LABEL_RELEASE
from tidegate.errors import Denied, Permanent, Unavailable
from tidegate.kube.client import Client
from tidegate.kube.resources import LABELLED_ONLY, WATCHED

logger = logging.getLogger(__name__)


class NamespaceBack(Permanent):
    """A namespace that was left out can be worked in."""


async def left_out(client: Client, namespaces: Sequence[str]) -> Mapping[str, Denied]:
    """Those in which something that is watched can't be listed, and why. Raises Denied where that is so in all."""
    found: dict[str, Denied] = {}
    for namespace in namespaces:
        try:
            await _check(client, namespace)
        except Denied as error:
            found[namespace] = error
        except Unavailable as error:
            logger.warning("namespace %s is taken as one to work in: %s", namespace, error)
    if found and len(found) == len(namespaces):
        raise next(iter(found.values()))
    for namespace, why in found.items():
        logger.error("Nothing is done in namespace %s until that is put right: %s", namespace, why)
    return found


async def regained(client: Client, namespaces: Sequence[str], period: float) -> NoReturn:
    """Raises NamespaceBack when one of these that were left out can be worked in; they are asked for every `period`
    seconds."""
    while True:
        await asyncio.sleep(period)
        for namespace in namespaces:
            try:
                await _check(client, namespace)
            except (Denied, Unavailable):
                continue
            raise NamespaceBack(f"Namespace {namespace} can be worked in again. The process ends, to start with it")


async def _check(client: Client, namespace: str) -> None:
    for resource in WATCHED:
        labels = LABEL_RELEASE if resource in LABELLED_ONLY else None
        pages = client.pages(resource, namespace, labels=labels, resource_version="0", metadata_only=True)
        async with aclosing(pages):
            await anext(pages)
