"""A warm start: what a history advises to try after the published defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from automl_cl.history.meta_features import distance, meta_features
from automl_cl.history.portfolio import PastTask, portfolio, ranks
from automl_cl.history.reading import read_history
from automl_cl.history.record import Record
from automl_cl.run.events import Status
from automl_cl.run.trial import CONFIRM, SEARCH
from automl_cl.spec.preparation import Prepared
from search_spaces import FlatSpace, Point, Space, as_today, coordinates, encode, fitted
from trainables.foundation.seeds import derive_seed
from trainables.foundation.storage import Place

Task = tuple[str, str, float]


@dataclass(frozen=True)
class WarmStart:
    """The journal's note on a warm start.

    Attributes:
        points: what each arm tries after its published default, in order.
        tasks: how many past tasks they come from.
        same_data: whether one of them is the present data with the same split and noise.
        words: the same in a line.
    """

    points: dict[str, list[Point]]
    tasks: int
    same_data: bool
    words: str


def warm_start(folder: Place, prepared: Prepared, warn: Callable[[str], None]) -> WarmStart:
    """Chooses configs for each arm from a history.

    Only searches of the same scenario, metric and mode count, and none that saw examples of the
    present sealed test, such as one on another split of the same data: whatever did well there
    was chosen on what it is to be tested on.

    Args:
        folder: the history.
        prepared: the search to come.
        warn: called with a line for each file, and for the tasks, that are left out.

    Raises:
        InputError: if there is no history in the folder.
    """
    scenario = prepared.scenario
    wanted = (scenario.name, scenario.metric, scenario.mode)
    records = [
        each
        for each in read_history(folder, warn, "--warm-start")
        if (each.scenario, each.metric, each.mode) == wanted
    ]
    records = _without_leaks(records, prepared, warn)
    points: dict[str, list[Point]] = {}
    used: set[Task] = set()
    for name in prepared.space.options("algorithm"):
        mine = [each for each in records if each.algorithm == name]
        points[name], tasks = _of_arm(prepared, prepared.space.only("algorithm", name), mine)
        used |= tasks
    same = any(task[0] == prepared.view.fingerprint for task in used)
    return WarmStart(points, len(used), same, _words(points, len(used), folder))


def _without_leaks(
    records: Sequence[Record], prepared: Prepared, warn: Callable[[str], None]
) -> list[Record]:
    data, settings = prepared.data, prepared.settings
    whole, seen = (
        {int(each) for each in prepared.scenario.examples_of(data, settings, sealed)}
        for sealed in (True, False)
    )
    sealed = whole - seen
    leaking = {each.task for each in records if not sealed.isdisjoint(each.sample)}
    if leaking:
        tasks = "1 task" if len(leaking) == 1 else f"{len(leaking)} tasks"
        warn(
            f"warm start: {tasks} left out, whose searches saw examples that are in the sealed "
            "test of this one (another split of the same data?)."
        )
    return [each for each in records if each.task not in leaking]


def _of_arm(
    prepared: Prepared, arm: Space, records: Sequence[Record]
) -> tuple[list[Point], set[Task]]:
    """An arm's points, and the tasks that had a say in them."""
    space = FlatSpace(coordinates(arm))
    if not space.ranges:
        return [], set()
    here = meta_features(prepared.view)
    tasks: dict[Task, PastTask] = {}
    for task in sorted({each.task for each in records}):
        mine = [each for each in records if each.task == task]
        recipe = prepared.scenario.recipe
        found = _past_task(arm, recipe, mine, distance(mine[0].features, here))
        if found.candidates:
            tasks[task] = found
    seed = derive_seed(prepared.spec.seed, "warm start")
    chosen = portfolio(space, encode(arm, arm.default()), list(tasks.values()), seed=seed)
    return chosen, set(tasks) if chosen else set()


def _past_task(arm: Space, recipe: type, records: Sequence[Record], away: float) -> PastTask:
    """One task's search trials; who failed to repeat in confirmation is no candidate."""
    searched = [each for each in records if each.stage == SEARCH]
    unconfirmed = {
        (each.search, each.source)
        for each in records
        if each.stage == CONFIRM and each.status in (Status.FAILED, Status.DIVERGED)
    }
    # Trials of several searches on one task get numbers of their own.
    trials = [each.trial({}) for each in searched]
    for number, trial in enumerate(trials):
        trial.number = number
    points: list[Point] = []
    losses, candidates, moved = [], [], set()
    for number, loss in sorted(ranks(trials, records[0].mode).items()):
        record = searched[number]
        given = as_today(recipe, record.config)
        config = fitted(arm, given)
        if config is None:
            continue
        if config != given:
            moved.add(len(points))
        if record.status == Status.DONE and (record.search, record.number) not in unconfirmed:
            candidates.append(len(points))
        points.append(encode(arm, config))
        losses.append(loss)
    return PastTask(points, losses, candidates, frozenset(moved), away)


def _words(points: dict[str, list[Point]], tasks: int, folder: Place) -> str:
    counts = sorted(len(each) for each in points.values() if each)
    if not counts:
        return (
            f"warm start: {folder} has nothing for this kind of search and space but the "
            "published defaults"
        )
    few, many = counts[0], counts[-1]
    configs = f"{many} config" + ("" if many == 1 else "s")
    if few < many:
        configs = f"{few} to {configs}"
    arms = _count(len(counts), "arm") if len(counts) == len(points) else ""
    arms = arms or f"{len(counts)} of {_count(len(points), 'arm')}"
    return f"warm start: {configs} for each of {arms} from {_count(tasks, 'task')} in {folder}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
