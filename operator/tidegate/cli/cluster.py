"""The cluster as a person at a terminal reaches it."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate.api.meta import API_VERSION
from tidegate.cli.exits import CommandFailed, Exit
from tidegate.cli.login import log_in
from tidegate.errors import NotFound
from tidegate.kube import RELEASES, Client, NoAccess, Object, Resource
from tidegate.kube.access import Access, from_environment, from_kubeconfig

SELF_REVIEWS: Final = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
MANAGER: Final = "tidegate-cli"


@dataclass(frozen=True, slots=True)
class Reach:
    """A cluster, and the namespace that is meant where none is named."""

    client: Client
    namespace: str

    async def release(self, name: str) -> Object:
        """The Release as the server has it. Raises NotFound with a sentence that helps."""
        try:
            return await self.client.get(RELEASES, self.namespace, name)
        except NotFound as error:
            if await self.client.serves(RELEASES):
                raise NotFound(
                    f"{error}; `tidegate status -n {self.namespace}` lists those that do, -n names another namespace"
                ) from None
            raise _not_installed() from None

    async def releases(self, namespace: str | None) -> Sequence[Object]:
        """All of a namespace, or of all namespaces."""
        try:
            return (await self.client.list(RELEASES, namespace)).items
        except NotFound:
            raise _not_installed() from None

    async def who(self) -> str:
        """The user name under which the server knows the caller."""
        review = {"apiVersion": SELF_REVIEWS.api_version, "kind": SELF_REVIEWS.kind, "metadata": {}}
        answer = await self.client.create(SELF_REVIEWS, None, review)
        name = ((answer.get("status") or {}).get("userInfo") or {}).get("username")
        if not name:
            raise CommandFailed("the API server does not say who you are, and an act needs a name", Exit.NO_ACCESS)
        return str(name)


def _not_installed() -> NotFound:
    return NotFound(f"this cluster does not know Release ({API_VERSION}): install Tidegate's CRDs first")


@asynccontextmanager
async def reach(arguments: argparse.Namespace) -> AsyncIterator[Reach]:
    """By --kubeconfig, --context and --namespace, where given."""
    access = _access(getattr(arguments, "kubeconfig", None), getattr(arguments, "context", None))
    async with Client(access, manager=MANAGER) as client:
        yield Reach(client, getattr(arguments, "namespace", None) or access.namespace or "default")


def _access(kubeconfig: str | None, context: str | None) -> Access:
    try:
        if kubeconfig is not None:
            return from_kubeconfig([Path(kubeconfig)], context=context, log_in=log_in)
        return from_environment(context=context, log_in=log_in)
    except NoAccess as error:
        raise CommandFailed(error.message, Exit.NO_ACCESS) from None
