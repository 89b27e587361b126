"""Who wrote a status, and whether that can be.

A status of a newer leader is left alone: it is we who are deposed. But the number is a field like any other, and who
may write a status could put any there, which would silence the operator for that one Release.
"""

from __future__ import annotations

from typing import Final

from tidegate.api import Writer
from tidegate.controller.audience import News

AHEAD: Final = 24 * 60
"""A Lease begins at the minutes since 1970 and counts its holders, who change more slowly than minutes pass. So none is
further than now, and than what the clocks of two machines differ by; a day is more than that."""


def outranks(writer: Writer | None, epoch: int) -> bool:
    """Whether a newer leader than ours has written it, by its own words."""
    return writer is not None and writer.epoch > epoch


def impossible(writer: Writer, now: float) -> bool:
    """Whether no Lease can have counted so far by now (seconds since the epoch)."""
    return writer.epoch > now // 60 + AHEAD


def overwritten(writer: Writer) -> News:
    """Told where such a status is not believed."""
    note = (
        f"the status said that {writer.holder or 'nobody'} wrote it as leader {writer.epoch}, further than any Lease "
        "can have counted: that is not believed, and overwritten. See who may patch releases/status"
    )
    return News("ForgedWriter", note, True, f"writer/{writer.epoch}")


def left_alone(name: str, writer: Writer, epoch: int) -> News:
    """Told where the Lease is ours, and somebody else wrote as if it were not."""
    note = (
        f"the status was written by {writer.holder or 'nobody'} as leader {writer.epoch}, and this operator is leader "
        f"{epoch}: the Release is left alone. Is there a second operator? If not: kubectl patch release {name} "
        '--subresource=status --type=merge -p \'{"status":{"writer":null}}\''
    )
    return News("WrittenByNewerLeader", note, True, f"writer/{writer.epoch}/{epoch}")
