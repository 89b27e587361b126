"""Following one Release until it is ready or stalled."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from tidegate.cli.cluster import Reach
from tidegate.cli.drawing import drawing
from tidegate.cli.exits import Exit
from tidegate.cli.output import plain, write
from tidegate.cli.view import View, view
from tidegate.cli.words import share
from tidegate.errors import NotFound, Unavailable
from tidegate.kube import RELEASES, Object

_POLL_SECONDS = 1.0


async def watch(here: Reach, name: str, form: str, console: Console) -> int:
    """Exit code 0 when it is ready, 1 when it is stalled.

    A terminal is redrawn; into a pipe goes a line a change, or with `json` and `yaml` a document a change.
    Raises NotFound when it is deleted meanwhile.
    """
    if form != "table":
        return await _documents(here, name, form)
    return await (_redraw(here, name, console) if console.is_terminal else _lines(here, name))


async def _redraw(here: Reach, name: str, console: Console) -> int:
    with Live(console=console, auto_refresh=False) as live:
        last: View | None = None
        async for obj, trouble in _seen(here, name):
            last = view(obj) if obj is not None else last
            if last is None:
                live.update(Text(trouble, style="yellow"), refresh=True)
                continue
            shown: RenderableType = drawing(last, time.time())
            if trouble:
                shown = Group(shown, Text(trouble, style="yellow"))
            live.update(shown, refresh=True)
            if (code := end(last)) is not None:
                return code
    return Exit.OK


async def _lines(here: Reach, name: str) -> int:
    told = ""
    async for obj, trouble in _seen(here, name):
        if obj is None:
            if trouble != told:
                sys.stderr.write(f"tidegate: {trouble}\n")
            told = trouble
            continue
        seen = view(obj)
        words = line(seen)
        if words != told:
            now = datetime.now(UTC)
            sys.stdout.write(f"{now:%H:%M:%S} {words}\n")
            sys.stdout.flush()
        told = words
        if (code := end(seen)) is not None:
            return code
    return Exit.OK


async def _documents(here: Reach, name: str, form: str) -> int:
    told = ""
    async for obj, _ in _seen(here, name):
        if obj is None:
            continue
        version = str(obj["metadata"].get("resourceVersion"))
        if version != told:
            write(plain(obj), form, lines=True)
        told = version
        if (code := end(view(obj))) is not None:
            return code
    return Exit.OK


async def _seen(here: Reach, name: str) -> AsyncIterator[tuple[Object | None, str]]:
    """The Release once a second; where the API server is away, None and what is the matter."""
    found = await here.release(name)
    uid = found["metadata"].get("uid")
    yield found, ""
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        try:
            found = await here.client.get(RELEASES, here.namespace, name)
        except Unavailable as error:
            yield None, f"{error}; trying again"
            continue
        except NotFound:
            raise NotFound(f"Release {here.namespace}/{name} was deleted") from None
        if found["metadata"].get("uid") != uid:
            raise NotFound(f"Release {here.namespace}/{name} was deleted; one of the same name has taken its place")
        yield found, ""


def end(seen: View) -> Exit | None:
    """How the watch ends: only by what was found out for the spec as it is now."""
    if seen.deleting:
        return None
    if seen.ready:
        return Exit.OK
    return Exit.NO if seen.stalled else None


def line(seen: View) -> str:
    """One line for a log: `Progressing v1.2.3 10 % step 1/3 [1 ok, 1 no data] the sentence`."""
    summary = seen.status.summary
    step = f"step {summary.step}" if summary and summary.step else ""
    guards = f"[{summary.guards}]" if summary and summary.guards else ""
    words = (seen.status.phase.value, seen.version, share(seen.status.weight), step, guards, seen.sentence)
    return " ".join(word for word in words if word)
