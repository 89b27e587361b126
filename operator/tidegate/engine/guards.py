"""What a guard's numbers mean. Pure: measurements and limits in, a judgement out.

`judge` is the only way in. It compares numbers with limits over at least `minSamples`; it is not a statistical test,
and whatever replaces it has the same arguments and answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tidegate.api.grammar import Percent, placeholders
from tidegate.api.guard import Guard
from tidegate.api.limit import Limit
from tidegate.api.rules import OwnedGuard
from tidegate.engine.limits import Crossing, compare, describe, show, spaced
from tidegate.engine.records import Record
from tidegate.engine.values import FULL, Verdict
from tidegate.stats.measurement import Data, Measurement, Shape

MIN_SAMPLES: Final = 100
"""Of a ratio or a quantile whose guard does not say; a value judges one sample."""

TELLING: Final = ("version", "revision", "service")
"""Placeholders by which a query can tell the candidate from stable."""

STRONGEST_FIRST: Final = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Arm:
    """One version, as a guard asks for it."""

    name: str  # what people call it
    content: str  # its revision
    values: tuple[tuple[str, str], ...]  # placeholder and what it stands for

    @property
    def mapping(self) -> Mapping[str, str]:
        """The values by placeholder."""
        return dict(self.values)


@dataclass(frozen=True, slots=True)
class Side:
    """One part that takes part in the climb, or with `part` "" all of them."""

    part: str
    candidate: Arm
    stable: Arm | None  # None: there is nothing to compare with
    promised: int  # the candidate's share that we promise, in thousandths of a percent
    since: float  # when the part's newest move was seen to land


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: a guard, whose it is, and about what."""

    guard: Guard
    owner: str  # name of the policy; "" is the Release
    side: Side

    @property
    def component(self) -> str:
        """The component that it is judged for; "" is all."""
        return self.side.part

    @property
    def needs_stable(self) -> bool:
        """Whether stable is to be measured, too: to compare with, or to see whether anything is asked at all."""
        return self.side.stable is not None and (self.guard.value is None or _relative(self.guard))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one guard says. `verdict` is what was judged; `acting` is what counts."""

    ask: Ask
    verdict: Verdict
    data: Data
    sentence: str
    candidate: str = ""  # the candidate's number with its unit; "" if there is none
    stable: str = ""
    samples: tuple[int, int] = (0, 0)  # of the candidate, of stable
    through: float = 0.0  # samples up to then are in it
    record: Record | None = None  # stable's, to be kept for the time when it has no traffic

    @property
    def acting(self) -> Verdict:
        """The verdict that counts: a guard that only observes never acts."""
        return self.verdict if self.ask.guard.enforced else Verdict.PASS


def asks(guards: Iterable[OwnedGuard], whole: Side, parts: Sequence[Side]) -> tuple[Ask, ...]:
    """The questions of one Release: a guard that names a component, or has $(component) or $(service), is asked of
    each part it is about; any other once, of all parts together (`whole`)."""
    questions = []
    for owned in guards:
        guard = owned.guard
        used = frozenset[str]().union(*(placeholders(text) for text in guard.texts))
        if guard.component is not None:
            about = [side for side in parts if side.part == guard.component]
        elif used & {"component", "service"}:
            about = list(parts)
        else:
            about = [whole]
        questions += [Ask(guard, owned.owner, side) for side in about]
    return tuple(questions)


def strongest(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that counts of all guards. No guards: Pass."""
    return min(verdicts, key=STRONGEST_FIRST.index, default=Verdict.PASS)


def blindness(ask: Ask) -> str | None:
    """Why the guard could not tell the candidate from stable, and what to change; None if it can.

    A value with limits of its own only may be about something that both share, a database's connections.
    """
    guard, side = ask.guard, ask.side
    if guard.value is not None and not _relative(guard):
        return None
    for text in guard.texts:
        telling = [name for name in TELLING if name in placeholders(text)]
        if not telling:
            return (
                f"its query {_shortened(text)} is the same for every version: "
                'select one of them, as in version="$(version)" or revision="$(revision)"'
            )
        if side.stable is not None and all(
            side.candidate.mapping.get(name) == side.stable.mapping.get(name) for name in telling
        ):
            names = " and ".join(f"$({name})" for name in telling)
            return (
                f"its query {_shortened(text)} tells versions apart by {names}, which is "
                f"{side.candidate.mapping.get(telling[0], '')} for both: use $(revision) or $(service)"
            )
    return None


def judge(
    ask: Ask, candidate: Measurement | None, stable: Measurement | None = None, record: Record | None = None
) -> Judgement:
    """What the guard says of what was measured. None is "not answered yet"; `record` is stable's, if one is kept."""
    side = ask.side
    if why := blindness(ask):
        return Judgement(ask, Verdict.HOLD, Data.BLIND, f"{ask.guard.name} is blind: {why}", record=record)
    if candidate is None:
        return Judgement(ask, Verdict.UNKNOWN, Data.AWAITED, f"{ask.guard.name}: not measured yet", record=record)
    if side.stable is None or (record is not None and record.content != side.stable.content):
        record = None
    baseline = _baseline(ask, stable, record)
    finding = _traffic(ask, candidate, stable) or _reading(ask, candidate, baseline)
    return Judgement(
        ask=ask,
        verdict=finding.verdict,
        data=finding.data,
        sentence=finding.sentence,
        candidate=_number(ask.guard, candidate.shape),
        stable=_number(ask.guard, baseline.shape),
        samples=(candidate.samples, baseline.samples),
        through=candidate.through,
        record=_renewed(ask, stable) or record,
    )


class _Finding(NamedTuple):
    verdict: Verdict
    data: Data
    sentence: str


def _finding(ask: Ask, verdict: Verdict, data: Data, why: str) -> _Finding:
    return _Finding(verdict, data, f"{ask.guard.name}: {why}")


class _Baseline(NamedTuple):
    """What stable is taken to be. Without a shape, `otherwise` says what a limit against stable then gives."""

    shape: Shape | None
    samples: int
    otherwise: _Finding
    suffix: str = ""


_PASS: Final = _Finding(Verdict.PASS, Data.OK, "")


def _relative(guard: Guard) -> bool:
    return any(limit.against_stable for limit in guard.limits)


def _min_samples(guard: Guard) -> int:
    return 1 if guard.value is not None else guard.min_samples or MIN_SAMPLES


def _renewed(ask: Ask, stable: Measurement | None) -> Record | None:
    """At less than 100 % each good look at stable replaces its record; at 100 % it stays as it is."""
    side = ask.side
    if side.stable is None or stable is None or side.promised >= FULL or not _relative(ask.guard):
        return None
    return Record.of(side.stable.content, stable) if stable.samples >= _min_samples(ask.guard) else None


def _baseline(ask: Ask, stable: Measurement | None, record: Record | None) -> _Baseline:
    side, least = ask.side, _min_samples(ask.guard)
    if side.stable is None:
        why = "there is no stable version to compare with"
        return _Baseline(None, 0, _finding(ask, Verdict.PASS, Data.NO_BASELINE, why))
    name = side.stable.name
    if side.promised >= FULL:
        if record is not None:
            return _Baseline(record.shape, record.shape.samples, _PASS, f" ({name} as it was during the climb)")
        why = f"nothing to compare with: {name} was not measured during the climb, and has no traffic now"
        return _Baseline(None, 0, _finding(ask, Verdict.INCONCLUSIVE, Data.NO_BASELINE, why))
    if stable is None:
        return _Baseline(None, 0, _finding(ask, Verdict.UNKNOWN, Data.AWAITED, f"{name} is not measured yet"))
    if stable.data not in (Data.OK, Data.NO_TRAFFIC):
        return _Baseline(None, 0, _no_data(ask, name, stable))
    if stable.samples < least:
        few = f"{stable.samples} of {least} samples of {name}, too few to compare with"
        return _Baseline(None, stable.samples, _finding(ask, Verdict.INCONCLUSIVE, stable.data, few))
    return _Baseline(stable.shape, stable.samples, _PASS)


def _no_data(ask: Ask, name: str, measured: Measurement) -> _Finding:
    if measured.data is Data.BLIND:  # the source can't make sense of the query: that does not pass by waiting
        return _finding(ask, Verdict.HOLD, Data.BLIND, measured.sentence)
    return _finding(ask, Verdict.UNKNOWN, measured.data, f"no data of {name}: {measured.sentence}")


# The source did not answer, or not wholly, or may not be asked, or not like this.
_SILENT: Final = (Data.PROVIDER_ERROR, Data.PARTIAL, Data.AWAITED, Data.NOT_PERMITTED, Data.BLIND)


def _traffic(ask: Ask, candidate: Measurement, stable: Measurement | None) -> _Finding | None:
    """What there is to say because of who is asked anything, or None if the candidate's numbers are to be judged."""
    side, name = ask.side, ask.side.candidate.name
    if side.promised == 0 and candidate.data not in _SILENT:
        return _unpromised(ask, candidate, stable)
    if candidate.data is Data.NO_TRAFFIC or (candidate.data is Data.NO_SERIES and _idle(side, stable)):
        if side.stable is not None and ask.needs_stable and stable is None:
            return _finding(ask, Verdict.UNKNOWN, Data.AWAITED, f"{side.stable.name} is not measured yet")
        if side.stable is None or stable is None or _idle(side, stable):
            return _finding(ask, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC, "nothing is asked, so there is nothing to see")
        if stable.data is not Data.OK:
            return _no_data(ask, side.stable.name, stable)
        share = Percent(side.promised).text
        why = f"{side.stable.name} is asked and {name} is not: the split does not give it its {share}"
        return _finding(ask, Verdict.UNKNOWN, Data.NO_TRAFFIC, why)
    return None if candidate.data is Data.OK else _no_data(ask, name, candidate)


def _idle(side: Side, stable: Measurement | None) -> bool:
    """Whether stable is seen to be asked nothing. Where it is promised nothing, missing series are no missing data."""
    if stable is None:
        return False
    return stable.data is Data.NO_TRAFFIC or (side.promised >= FULL and stable.data is Data.NO_SERIES)


def _unpromised(ask: Ask, candidate: Measurement, stable: Measurement | None) -> _Finding | None:
    """The candidate is promised nothing and the source answers: its missing series are no missing data."""
    if stable is not None and ask.side.stable is not None and stable.data in (*_SILENT, Data.STALE):
        return _no_data(ask, ask.side.stable.name, stable)
    if ask.guard.value is not None and candidate.data is Data.OK:
        return None  # a value needs no traffic: beyond its limit, nothing starts
    return _promised_nothing(ask)


def _promised_nothing(ask: Ask) -> _Finding:
    why = f"{ask.side.candidate.name} is promised no traffic yet"
    return _finding(ask, Verdict.NO_TRAFFIC, Data.NO_TRAFFIC, why)


def _reading(ask: Ask, candidate: Measurement, baseline: _Baseline) -> _Finding:
    """The strongest of what the limits say."""
    assert candidate.shape is not None
    least = _min_samples(ask.guard)
    if candidate.samples < least:
        few = f"{candidate.samples} of {least} samples of {ask.side.candidate.name}"
        return _finding(ask, Verdict.INCONCLUSIVE, Data.OK, few if not candidate.sentence else candidate.sentence)
    findings = [
        _against(ask, limit, beyond, candidate.shape, baseline)
        for limit, beyond in ((ask.guard.revert, Verdict.BREACH), (ask.guard.hold, Verdict.HOLD))
        if limit is not None
    ]
    found = min(findings, key=_strength)
    if ask.side.promised == 0:  # there is nothing to take back yet; but nothing starts while it is so
        if found.verdict is Verdict.BREACH:
            return found._replace(verdict=Verdict.HOLD)
        return _promised_nothing(ask) if found.verdict is Verdict.PASS else found
    return found


def _strength(finding: _Finding) -> tuple[int, bool]:
    """Of two that pass, the one that is to be shown is the one that passes for want of a baseline."""
    return STRONGEST_FIRST.index(finding.verdict), finding.data is not Data.NO_BASELINE


def _against(ask: Ask, limit: Limit, beyond: Verdict, candidate: Shape, baseline: _Baseline) -> _Finding:
    side = ask.side
    if limit.against_stable and baseline.shape is None:
        return baseline.otherwise
    shape = baseline.shape if limit.against_stable else None
    crossing = compare(ask.guard, limit, candidate, shape)
    stable = side.stable.name if side.stable is not None else ""
    said = describe(ask.guard, limit, candidate, shape, side.candidate.name, stable)
    sentence = f"{ask.guard.name} of {said}{baseline.suffix if limit.against_stable else ''}"
    which = f"{'limit' if beyond is Verdict.BREACH else 'hold limit'} {spaced(limit)}"
    if crossing is Crossing.UNSEEN:
        why = f"the {which} can't be seen, since the histogram's edges end there; add larger buckets"
        return _Finding(Verdict.HOLD, Data.BLIND, f"{sentence}: {why}")
    return _Finding(beyond if crossing is Crossing.BEYOND else Verdict.PASS, Data.OK, f"{sentence}; {which}")


def _number(guard: Guard, shape: Shape | None) -> str:
    return show(guard, shape) if shape is not None and shape.samples else ""


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"
