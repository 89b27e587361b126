"""What a person does: an Intervention is written, and the operator answers it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api import ReleaseStatus
from tidegate.api.intervention import Action, Answer, InterventionSpec, Pause, Promote, Rollback, Seen, TargetRef
from tidegate.api.meta import API_VERSION, KIND_INTERVENTION, KIND_RELEASE
from tidegate.api.parse import parse_intervention, parse_meta, parse_release_status
from tidegate.cli.cluster import Reach, reach
from tidegate.cli.exits import CommandFailed, Exit
from tidegate.cli.output import plain, write
from tidegate.errors import NotFound, Unavailable
from tidegate.kube import INTERVENTIONS, Object

_POLL_SECONDS: Final = 0.5


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0: written, or with --wait obeyed; 1: refused; 5: not answered in time."""
    return asyncio.run(_act(arguments))


async def _act(arguments: argparse.Namespace) -> int:
    action = next(action for action in Action if action.verb == arguments.verb)
    async with reach(arguments) as here:
        release, by = await asyncio.gather(here.release(arguments.release), here.who())
        spec = intervention(
            action, release, by=by, reason=arguments.reason, percent=arguments.percent, version=arguments.version
        )
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND_INTERVENTION,
            "metadata": {"generateName": f"{arguments.release}-{action.verb}-", "namespace": here.namespace},
            "spec": spec.document(),
        }
        made = await here.client.create(INTERVENTIONS, here.namespace, body)
        if not arguments.wait:
            _tell(made, arguments.output, _asked(made, here.namespace, arguments.release))
            return Exit.OK
        return await _answered(here, made, arguments)


def intervention(
    action: Action, release: Object, *, by: str, reason: str, percent: Any = None, version: str | None = None
) -> InterventionSpec:
    """The act as it is written, bound to what the caller sees of the Release now. Raises Invalid."""
    meta = parse_meta(release)
    return InterventionSpec(
        target_ref=TargetRef(kind=KIND_RELEASE, name=meta.name, uid=meta.uid or None),
        action=action,
        pause=Pause(at=percent) if action is Action.PAUSE and percent is not None else None,
        promote=Promote(to=percent) if action is Action.PROMOTE and percent is not None else None,
        rollback=Rollback(version=version) if version is not None else None,
        by=by,
        reason=reason,
        seen=_seen(action, parse_release_status(release)),
    )


def _seen(action: Action, status: ReleaseStatus) -> Seen | None:
    """What the act is bound to: one that raises to attempt and step, a Rollback to the attempt, a Pause to nothing."""
    if action is Action.PAUSE:
        return None
    step = status.step.number if status.step is not None and action is not Action.ROLLBACK else None
    return Seen(attempt=status.attempt, step=step)


async def _answered(here: Reach, made: Object, arguments: argparse.Namespace) -> int:
    name = made["metadata"]["name"]
    try:
        answered = await asyncio.wait_for(_poll(here, name), arguments.timeout)
    except TimeoutError:
        raise CommandFailed(
            f"nobody has answered Intervention {name} in time: does the operator run, and has it this namespace? "
            "It stands, and may still be obeyed; "
            f"to take it back: kubectl delete intervention {name} -n {here.namespace}",
            Exit.TIMED_OUT,
        ) from None
    status = parse_intervention(answered).status
    refused = status.outcome is Answer.REFUSED
    if refused and arguments.output == "table":
        raise CommandFailed(f"refused: {status.message}", Exit.NO)
    _tell(answered, arguments.output, f"{status.outcome}: {status.message}")
    return Exit.NO if refused else Exit.OK


async def _poll(here: Reach, name: str) -> Object:
    while True:
        try:
            found = await here.client.get(INTERVENTIONS, here.namespace, name)
        except Unavailable:
            found = {}  # what was asked for is written: an API server that starts anew does not end the waiting
        except NotFound:
            raise NotFound(f"Intervention {name} was deleted before it was answered") from None
        if (found.get("status") or {}).get("outcome"):
            return found
        await asyncio.sleep(_POLL_SECONDS)


def _asked(made: Object, namespace: str, release: str) -> str:
    name = made["metadata"]["name"]
    return (
        f"{made['spec']['action']} of {release} is asked for by Intervention {name}. "
        f"What became of it (or use --wait): kubectl get intervention {name} -n {namespace} -o wide"
    )


def _tell(obj: Mapping[str, Any], form: str, sentence: str) -> None:
    if form == "table":
        sys.stdout.write(sentence + "\n")
    else:
        write(plain(obj), form)
