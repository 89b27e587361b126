"""Act: run the effects of a recorded decision, all at the same time; none waits for a sibling.

What they return is not believed, the next look decides. An error becomes a sentence for the condition.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeAlias

from tidegate.api.conditions import Reason
from tidegate.controller.picture import Obstacle, Picture
from tidegate.controller.settling import Settler
from tidegate.engine.values import Answer, Effect, Ensure, Forget, Pin, Preview, Retire, RunCheck, Start
from tidegate.errors import Conflict, Permanent, TidegateError
from tidegate.targets.port import App, Target

_Call: TypeAlias = Callable[[], Awaitable[None]]

EFFECT_TIMEOUT = 10.0
"""Seconds one effect may take, at most."""


def limit_under(lease: float) -> float:
    """Seconds one effect may take under a Lease of so many: it is begun only while the Lease is ours for longer than
    that, so it must leave room for the time since the last renewal."""
    return min(EFFECT_TIMEOUT, lease * 2 / 3)


class Actor:
    """`limit` is what one effect may take, in seconds."""

    def __init__(
        self,
        target: Target,
        run_check: Callable[..., Awaitable[None]],
        settler: Settler,
        *,
        limit: float = EFFECT_TIMEOUT,
    ) -> None:
        self._target, self._run_check, self._settler, self.limit = target, run_check, settler, limit

    async def act(self, app: App, picture: Picture, effects: Iterable[Effect]) -> tuple[Obstacle, ...]:
        """Do them, each with a time-out. Gives the sentences of those that failed; a lost race is no failure."""
        calls = self._calls(app, picture, tuple(effects))
        results = await asyncio.gather(*(self._guarded(name, call) for name, call in calls))
        return tuple(result for result in results if result is not None)

    def _calls(self, app: App, picture: Picture, effects: tuple[Effect, ...]) -> list[tuple[str, _Call]]:
        writes = [effect for effect in effects if isinstance(effect, Ensure)]
        calls: list[tuple[str, _Call]] = []
        if writes:
            calls.append(("write the weights", partial(self._target.ensure, app, writes, picture.now)))
        for effect in effects:
            if isinstance(effect, Start):
                calls.append((f"start {effect.part}", partial(self._target.start, app, effect)))
            elif isinstance(effect, Retire):
                calls.append((f"take down {effect.part}", partial(self._target.retire, app, effect)))
            elif isinstance(effect, Pin):
                calls.append((f"pin the Service of {effect.part}", partial(self._target.pin, app, effect)))
            elif isinstance(effect, Preview):
                calls.append((f"preview {effect.part}", partial(self._target.preview, app, effect, picture.now)))
            elif isinstance(effect, RunCheck):
                calls.append(
                    (f"run check {effect.key.name}", partial(self._run_check, app, effect.key, picture.sight.sizes))
                )
            elif isinstance(effect, Answer):
                calls.append(("answer an Intervention", partial(self._settler.answer, app, effect, picture.now)))
            elif isinstance(effect, Forget):
                calls.append(("let the Release go", partial(self._settler.forget, app, effect)))
        return calls

    async def _guarded(self, name: str, call: _Call) -> Obstacle | None:
        try:
            async with asyncio.timeout(self.limit):
                await call()  # not made before: one that is cancelled at its start would be left unawaited
        except Conflict:
            return None
        except Permanent as error:
            return Obstacle(Reason.NOT_PERMITTED, f"could not {name}: {error.message}")
        except TidegateError as error:
            return Obstacle(Reason.TARGET_UNKNOWN, f"could not {name}: {error.message}")
        except TimeoutError:
            return Obstacle(Reason.TARGET_UNKNOWN, f"could not {name} within {self.limit:g} s; it is tried again")
        return None
