"""How Python looks for cycles of garbage here.

The operator keeps hundreds of thousands of small objects for as long as it runs. As Python is set, it looks through all
of them again and again while lists of thousands are parsed: that was half of a start's processor time. So what is kept
is set aside, never to be looked through, and the rest is looked through less often. What no cycle holds is freed at
once, as ever.
"""

import gc
from typing import Final

SELDOM: Final = (20_000, 10, 10)
"""New objects until they are looked through; times of that until older ones are; times of that until all are."""


def look_seldom() -> None:
    """For this process, from now on."""
    gc.set_threshold(*SELDOM)


def set_aside() -> None:
    """All that there is now is kept: it is not looked through again. Garbage is removed first, or it would stay."""
    gc.collect()
    gc.freeze()
