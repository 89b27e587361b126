"""`tidegate status`: one Release with all there is to know, or a line for each."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from rich.console import Console, RenderableType

from tidegate.api.meta import API_VERSION
from tidegate.cli import tables
from tidegate.cli.cluster import Reach, reach
from tidegate.cli.drawing import drawing
from tidegate.cli.exits import CommandFailed, Exit
from tidegate.cli.output import PIPE_WIDTH, plain, write
from tidegate.cli.view import view
from tidegate.cli.watch import watch
from tidegate.kube import RELEASES


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 if it could be shown; with --watch 0 when it is ready and 1 when it is stalled."""
    if arguments.watch and not arguments.release:
        raise CommandFailed("--watch follows one Release: name it", Exit.USAGE)
    if arguments.all_namespaces and arguments.release:
        raise CommandFailed("--all-namespaces is for all Releases: name none, or use -n", Exit.USAGE)
    return asyncio.run(_status(arguments))


async def _status(arguments: argparse.Namespace) -> int:
    async with reach(arguments) as here:
        if not arguments.release:
            return await _all(here, arguments)
        if arguments.watch:
            return await watch(here, arguments.release, arguments.output, console())
        obj = await here.release(arguments.release)
        if arguments.output == "table":
            show(drawing(view(obj), time.time()), console())
        else:
            write(plain(obj), arguments.output)
        return Exit.OK


async def _all(here: Reach, arguments: argparse.Namespace) -> int:
    namespace = None if arguments.all_namespaces else here.namespace
    found = sorted(
        (await here.releases(namespace)),
        key=lambda obj: (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]),
    )
    if arguments.output != "table":
        items = [{"apiVersion": API_VERSION, "kind": RELEASES.kind, **plain(obj)} for obj in found]
        write({"apiVersion": "v1", "kind": "List", "items": items}, arguments.output)
        return Exit.OK
    drawn = tables.releases([view(obj) for obj in found], namespaces=namespace is None)
    if drawn is None:
        sys.stderr.write("there is no Release " + (f"in {namespace}\n" if namespace else "in this cluster\n"))
    else:
        show(drawn, console())
    return Exit.OK


def show(what: RenderableType, console: Console) -> None:
    """Into a pipe without the blanks that fill a line on a terminal."""
    if console.is_terminal:
        console.print(what)
        return
    with console.capture() as captured:
        console.print(what)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def console() -> Console:
    """On standard output. A pipe gets long lines, and no colours."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPE_WIDTH)
