"""Every way in which a state may go on: a turn of the operator, a fault, an edit, a person, the world, time."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import combinations
from typing import NamedTuple

from hack.model.scenarios import Ask, Fault, Scenario, edit_of
from hack.model.states import NOW, TICK, Other, State
from tests.engine.memory import remember, remember_crash, remember_edit
from tests.engine.rules import decided_wrongly, done_wrongly
from tests.engine.world import (
    Turn,
    Watch,
    World,
    act,
    ask,
    edit_split,
    look,
    recorded,
    watched,
    with_road,
    without_anything,
    without_readings,
)
from tidegate.engine import decide
from tidegate.engine.values import (
    FULL,
    Act,
    Answer,
    Decision,
    Effect,
    Forget,
    Observation,
    Outcome,
    Phase,
    Reread,
    Spec,
    Status,
)
from tidegate.engine.values import (
    State as Health,
)


class Step(NamedTuple):
    name: str
    after: State
    broken: list[str]


AT_REST = (Phase.COMPLETED, Phase.REVERTED, Phase.FAILED, Phase.WAITING)

MOST_TOGETHER = 3
"""Of so many effects every set may arrive; of more, each alone, or all but one."""


class Events:
    """What may happen in one scenario. Decisions are remembered: the same is never decided twice."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.decisions: dict[tuple[Spec, Status, Observation], tuple[Decision, list[str]]] = {}
        self._looks: dict[Hashable, Observation] = {}

    def after(self, state: State) -> Iterator[Step]:
        """Every step that may come next. The states are not in their one form yet."""
        if state.world.status.phase is Phase.GONE:
            return
        yield from self._turns(state)
        yield from self._time(state)
        yield from self._nature(state)
        yield from self._weather(state)
        yield from self._people(state)
        yield from self._late(state)
        if state.faults:
            yield from self._accidents(state)
        if state.other is not None:
            yield from self._other_leader(state)

    # ---- the operator

    def look(self, w: World) -> Observation:
        known = (w.spec, w.status, w.roads, w.running, w.checks, w.watch)  # each is one object for all states
        key = (*map(id, known), w.kept, w.others, w.verdict, w.start, w.step, w.confirmed)
        found = self._looks.get(key)
        if found is None:
            found = self._looks[key] = look(w)
        return found

    def decide(self, w: World, seen: Observation) -> tuple[Decision, list[str]]:
        """What the engine decides, and the rules that this breaks."""
        key = (w.spec, w.status, seen)
        found = self.decisions.get(key)
        if found is None:
            decision = decide(w.spec, w.status, seen, NOW)
            found = self.decisions[key] = (decision, decided_wrongly(Turn(w, seen, decision, w)))
        return found

    def turned(self, w: World, seen: Observation, decision: Decision, effects: tuple[Effect, ...]) -> World:
        """The world once the status is written, and these effects have arrived."""
        watch = Watch(watched(w).since, NOW, decision.wake_at) if self.scenario.gaps else w.watch
        after = recorded(w, decision)._replace(watch=watch)
        for effect in effects:
            after = act(after, effect)
        return after

    def _turns(self, state: State) -> Iterator[Step]:
        for name, cost, seen in self._observations(state):
            yield from self._turn(state, name, state.faults - cost, seen)

    def _observations(self, state: State) -> Iterator[tuple[str, int, Observation]]:
        seen, old, faults = self.look(state.world), state.old, self.scenario.faults
        yield "turn", 0, seen
        if not state.faults:
            return
        if Fault.BLIND in faults:
            yield "turn, readings lost", 1, without_readings(seen)
            yield "turn, all lost", 1, without_anything(seen)
        if Fault.STALE in faults and old is not None:
            yield "turn on an old look", 1, old._replace(watched=seen.watched, confirmed=seen.confirmed)
            yield "turn on old readings", 1, seen._replace(readings=old.readings)
            yield "turn on an old verdict", 1, seen._replace(verdict=old.verdict, evidence=old.evidence)

    def _turn(self, state: State, name: str, faults: int, seen: Observation) -> Iterator[Step]:
        w, possible = state.world, self.scenario.faults
        decision, wrong = self.decide(w, seen)
        old = seen if faults and Fault.STALE in possible else None
        changed = decision.status != w.status
        other = state.other
        if other is not None and changed and not other.outdated:
            other = other._replace(outdated=True)

        def step(how: str, effects: tuple[Effect, ...], cost: int, *, dies: bool = False) -> Step:
            after = self.turned(w, seen, decision, effects)
            done = Turn(w, seen, decision, after)
            memory, unkept = remember(state.memory, done, self.scenario.concerns)
            if dies:
                memory, after = remember_crash(memory), self._without_operator(after)
            left = faults - cost
            then = State(after, memory, old if left else None, other, left, state.edits)
            return Step(name + how, then, [*wrong, *done_wrongly(done), *unkept])

        effects = decision.effects
        yield step("", effects, 0)
        if not faults or not effects:
            return
        if Fault.CRASH in possible or Fault.LOST in possible:
            for some in _some_of(effects):
                if Fault.CRASH in possible:
                    yield step(f", crash after {len(some)} of {len(effects)} effects", some, 1, dies=True)
                if Fault.LOST in possible:
                    yield step(f", {len(some)} of {len(effects)} effects arrive", some, 1)
        late = tuple(effect for effect in effects if not isinstance(effect, Answer | Reread | Forget))
        if Fault.STALL in possible and late:
            stalled = step(", leader stalls", (), 1, dies=True)
            world = stalled.after.world
            yield stalled._replace(after=stalled.after._replace(world=world._replace(late=(*world.late, *late))))

    def _without_operator(self, w: World) -> World:
        return w._replace(watch=None) if self.scenario.gaps else w

    def _other_leader(self, state: State) -> Iterator[Step]:
        """A leader with an old object: the API server refuses its status; without a change of that it asks first."""
        other, w = state.other, state.world
        assert other is not None
        mine = w._replace(spec=other.spec, status=other.status, confirmed=False)
        decision, _ = self.decide(mine, self.look(mine))
        if decision.status != other.status:
            if not accepts(other):
                return
            after = self.turned(mine, self.look(mine), decision, decision.effects)
        else:
            if not decision.effects or not confirms(other):
                return
            after = self.turned(mine, self.look(mine), decision, decision.effects)._replace(status=w.status)
        broken = done_wrongly(Turn(w, self.look(w), decision._replace(status=w.status), after))
        if other.outdated:
            broken += _overwritten(w.status, after.status)
        yield Step("the other leader turns", state._replace(world=after._replace(spec=w.spec), other=None), broken)

    # ---- time and nature

    def _time(self, state: State) -> Iterator[Step]:
        yield Step("tick", state._replace(world=self.tick(state.world)), [])

    def tick(self, w: World) -> World:
        if not self.scenario.gaps and w.watch is not None:
            w = w._replace(watch=w.watch._replace(last=w.watch.last + TICK))
        return w._replace(now=w.now + TICK)

    def _nature(self, state: State) -> Iterator[Step]:
        for what, after in self.grown(state.world):
            yield Step(what, state._replace(world=after), [])
        if self.scenario.failing_checks:
            for key, outcome in state.world.checks:
                if outcome is Outcome.RUNNING:
                    failed = tuple((k, Outcome.FAILED if k == key else o) for k, o in state.world.checks)
                    yield Step(f"{key.name} fails", state._replace(world=state.world._replace(checks=failed)), [])

    def grown(self, w: World) -> Iterator[tuple[str, World]]:
        """What happens by itself, each alone: pods become ready, checks pass."""
        for instance in w.running:
            if instance.state in (Health.STARTING, Health.SHORT) and instance.content not in w.sick:
                ready = tuple(i._replace(state=Health.READY) if i is instance else i for i in w.running)
                yield f"{instance.part} {instance.content} is ready", w._replace(running=ready)
        for key, outcome in w.checks:
            if outcome is Outcome.RUNNING:
                passed = tuple((k, Outcome.PASSED if k == key else o) for k, o in w.checks)
                yield f"{key.name} passes", w._replace(checks=passed)

    def _weather(self, state: State) -> Iterator[Step]:
        w, scenario = state.world, self.scenario
        for verdict in scenario.verdicts:
            if verdict is not w.verdict:
                yield Step(f"guards say {verdict.value}", state._replace(world=w._replace(verdict=verdict)), [])
        for gate in scenario.gates:
            if gate is not w.step:
                yield Step(f"gates {gate.value}", state._replace(world=w._replace(step=gate, start=gate)), [])
        for part in scenario.deaf:
            name = f"{part} {'listens' if part in w.deaf else 'is deaf'}"
            yield Step(name, state._replace(world=w._replace(deaf=w.deaf ^ {part})), [])
        for content in scenario.deaths:
            lives = [i for i in w.running if i.content == content and i.state is not Health.LOST]
            if lives:
                lost = tuple(i._replace(state=Health.LOST) if i in lives else i for i in w.running)
                yield Step(f"{content} is lost", state._replace(world=w._replace(running=lost)), [])
            elif any(i.content == content for i in w.running):
                back = tuple(i._replace(state=Health.READY) if i.content == content else i for i in w.running)
                yield Step(f"{content} is back", state._replace(world=w._replace(running=back)), [])

    # ---- people

    def _people(self, state: State) -> Iterator[Step]:
        if not state.edits:
            return
        w, other = state.world, state.other
        outdated = other._replace(outdated=True) if other else None
        for edit in self.scenario.edits:
            edited = edit_of(w, edit)
            if edited.spec != w.spec:
                yield Step(edit.name, state._replace(world=edited, other=outdated, edits=state.edits - 1), [])
        for wish in self.scenario.asks:
            asked = _asked(w, wish)
            if asked is not None:
                name = f"somebody asks: {wish}"
                yield Step(name, state._replace(world=asked, other=outdated, edits=state.edits - 1), [])

    # ---- faults

    def _late(self, state: State) -> Iterator[Step]:
        for after, effect, rest in landings(state.world):
            yield Step(f"late: {describe(effect)}", state._replace(world=after), landed_wrongly(state.world, after))
            yield Step(f"lost: {describe(effect)}", state._replace(world=state.world._replace(late=rest)), [])

    def _accidents(self, state: State) -> Iterator[Step]:
        w, faults = state.world, self.scenario.faults
        left = state._replace(faults=state.faults - 1, old=state.old if state.faults > 1 else None)
        if Fault.CRASH in faults and self.scenario.gaps and w.watch is not None:
            memory = remember_crash(state.memory)
            yield Step("crash", left._replace(world=self._without_operator(w), memory=memory), [])
        if Fault.LEADER in faults and state.other is None:
            yield Step("another leader reads the object", left._replace(other=Other(w.spec, w.status)), [])
        if Fault.HAND in faults:
            yield from self._hands(state, left)
        if Fault.FOREIGN in faults:
            for road in w.roads:
                for split in ({"B": 100.0}, {"A": 100.0}, {"X": 100.0}, {}):
                    edited = edit_split(w, road.part, **split)
                    if edited.road(road.part).split != road.split:
                        name = f"somebody gives {next(iter(split), 'nobody')} all of {road.part}"
                        yield Step(name, left._replace(world=edited), [])
        if Fault.MARKED in faults:
            yield from _previews_edited(w, left)
        if Fault.RESTORE in faults:
            for name, status in (
                ("an old status is restored", self.scenario.start.status),
                ("the status is lost", Status()),
            ):
                restored = self._without_operator(w._replace(status=status))
                yield Step(name, left._replace(world=restored), [])

    def _hands(self, state: State, left: State) -> Iterator[Step]:
        w = state.world
        newest, older = _newest_two(w.status)
        for road in w.roads:
            pair = (newest.get(road.part), older.get(road.part))
            if None in pair or pair[0] == pair[1] or not dict(road.split).get(pair[0] or ""):
                continue
            edited = edit_split(w, road.part, **{pair[1] or "": 100.0})
            memory = remember_edit(state.memory, w, road.part, edited) if self.scenario.concerns else state.memory
            yield Step(f"a hand lowers {road.part}", left._replace(world=edited, memory=memory), [])


def _previews_edited(w: World, left: State) -> Iterator[Step]:
    for road in w.roads:
        for edit, how in (("", "takes away"), ("?", "edits")):
            if road.preview != edit:
                edited = with_road(w, road._replace(preview=edit, token=road.token + 1))
                yield Step(f"somebody {how} the preview of {road.part}", left._replace(world=edited), [])


def accepts(other: Other) -> bool:
    """Whether the API server takes a status that was decided on this object: it compares the resourceVersion."""
    return not other.outdated


def confirms(other: Other) -> bool:
    """Whether a leader that has nothing to record finds, before it acts, that it still leads."""
    return not other.outdated


def _overwritten(was: Status, now: Status) -> list[str]:
    lost = {r.content for r in was.rejected} - {r.content for r in now.rejected}
    fell = now.move < was.move or now.attempt < was.attempt
    return ["S14 an old leader wrote over a newer status"] if lost or fell else []


def _some_of(effects: tuple[Effect, ...]) -> Iterator[tuple[Effect, ...]]:
    """Which of the effects arrive when not all do."""
    if len(effects) <= MOST_TOGETHER:
        for size in range(len(effects)):
            yield from combinations(effects, size)
        return
    yield ()
    for index in range(len(effects)):
        yield (effects[index],)
        yield effects[:index] + effects[index + 1 :]


def landings(w: World) -> Iterator[tuple[World, Effect, tuple[Effect, ...]]]:
    for index, effect in enumerate(w.late):
        rest = w.late[:index] + w.late[index + 1 :]
        yield act(w._replace(late=rest), effect), effect, rest


def landed_wrongly(before: World, after: World) -> list[str]:
    """What a late effect must not do, whenever it comes."""
    broken = []
    for road in after.roads:
        if road.stamp < before.road(road.part).stamp:
            broken.append("S14 an old move landed after a newer one")
        if sum(share for _, share in road.split) not in (0, FULL):
            broken.append(f"S1 the shares of {road.part} are no split")
    stable = before.status.stable
    if before.status.phase in AT_REST and stable is not None:
        for road in after.roads:
            had = dict(before.road(road.part).split)
            if any(share > had.get(content, 0) for content, share in road.split if content != stable.runs(road.part)):
                broken.append("S14 a raise landed after its climb was over")
    gone = {(i.part, i.content): i for i in before.running if after.instance(i.part, i.content) is None}
    status = before.status
    proven = [(piece.part, piece.content) for piece in (status.stable.pieces if status.stable else ())]
    climbs = [(piece.part, piece.content) for piece in (status.candidate.pieces if status.candidate else ())]
    claimed = [key for key in climbs if key in gone and gone[key].claim >= status.attempt]  # else it is started anew
    if claimed or any(key in gone for key in proven):
        broken.append("S4 a late removal took down a version that is needed")
    return broken


def _asked(w: World, wish: Ask) -> World | None:
    """The world with one more Intervention; None while one of the kind waits."""
    known = {act.uid for act in w.spec.acts} | {handled.uid for handled in w.status.handled}
    if any(act.verb is wish.verb for act in w.spec.acts):
        return None
    uid = next(f"{wish.verb.value}-{n}" for n in range(9) if f"{wish.verb.value}-{n}" not in known)
    seen = w.status.attempt - (1 if wish.late else 0)
    if wish.seen and seen < 1:
        return None
    written = Act(
        uid,
        wish.verb,
        "ana@example.com",
        "a model",
        written=NOW - (TICK if wish.late else 0),
        at=wish.at,
        seen_attempt=seen if wish.seen else None,
    )
    return ask(w, written)


def _newest_two(status: Status) -> tuple[dict[str, str], dict[str, str]]:
    newest, older = (status.candidate, status.stable) if status.candidate else (status.stable, status.previous)
    first, second = (
        {piece.part: piece.content for piece in version.pieces} if version else {} for version in (newest, older)
    )
    return first, second


def describe(effect: Effect) -> str:
    return f"{type(effect).__name__} {' '.join(str(value) for value in effect[:3])}"
