"""What a stream does to learners, and what they do about it."""

from __future__ import annotations

from statistics import fmean
from types import SimpleNamespace

import pytest
import torch

from trainables.scenarios.continual.algorithms.experience_replay import ExperienceReplay
from trainables.scenarios.continual.algorithms.fine_tuning import FineTuning
from trainables.scenarios.continual.algorithms.joint import Joint
from trainables.scenarios.continual.algorithms.slca import SLCA
from trainables.scenarios.continual.scenario import SCENARIO

CPU = torch.device("cpu")
HORIZON = 12.0
TASKS = 4
SEEDS = (0, 1, 2)
Ends = dict[str, list[dict[str, float]]]


@pytest.fixture(scope="module")
def ends(make_stream_learner) -> Ends:
    """What each algorithm comes to under three seeds, so three orders of the classes."""
    algorithms = {
        "all": FineTuning(),
        "current": FineTuning(logits="current"),
        "replay": ExperienceReplay(),
        "slca": SLCA(slow=0.1, samples=32),
        "joint": Joint(),
    }
    found: Ends = {name: [] for name in algorithms}
    torch.set_num_threads(1)  # what is made for a whole module is made before `one_thread`
    for name, algorithm in algorithms.items():
        for seed in SEEDS:
            learner = make_stream_learner(algorithm, horizon=HORIZON, seed=seed)
            learner.advance(HORIZON)
            assert learner.finished
            found[name].append(learner.evaluate())
    return found


def test_fine_tuning_forgets_all_but_the_last_task(ends) -> None:
    for end in ends["all"]:
        earlier = [end[f"accuracy_after_4_on_{task}"] for task in (1, 2, 3)]
        assert fmean(earlier) < 1 / 8, "worse than guessing one of the eight classes"
        assert end["accuracy_after_4_on_4"] > 1 / 2, "better than knowing the task alone"


def test_with_the_current_tasks_logits_it_forgets_less(ends) -> None:
    for current, everything in zip(ends["current"], ends["all"], strict=True):
        assert current["forgetting"] < everything["forgetting"]


@pytest.mark.parametrize("name", ["replay", "slca", "joint"])
def test_replay_alignment_and_joint_training_remember(ends, name: str) -> None:
    for end, forgetful in zip(ends[name], ends["all"], strict=True):
        assert end["last_accuracy"] > 1 / TASKS, "the most that the last task alone can give"
        assert end["last_accuracy"] > forgetful["last_accuracy"]
        assert end["forgetting"] < forgetful["forgetting"]


def test_joint_training_is_the_upper_reference(ends) -> None:
    means = {name: fmean(end["last_accuracy"] for end in ends[name]) for name in ends}
    assert max(means, key=means.__getitem__) == "joint"


def test_joint_training_is_marked_and_others_are_not() -> None:
    marked = {
        name
        for name in SCENARIO.space(_View()).options("algorithm")
        if SCENARIO.extra_information(SCENARIO.space(_View()).only("algorithm", name).default())
    }
    assert marked == {"joint"}


class _View:
    input_shape = (6,)
    train = SimpleNamespace(columns={})


def test_tasks_have_equal_shares_of_the_horizon(make_stream_learner, slices) -> None:
    learner = make_stream_learner(FineTuning(), horizon=8.0)
    ended: list[float] = []
    for _ in slices(learner):
        if learner.task > len(ended):
            ended.append(learner.spent / learner.horizon)
    step = 2 * max(learner.state_dict()["step_flops"].values()) / learner.horizon
    assert ended == [pytest.approx(task / 4, abs=step) for task in (1, 2, 3, 4)]


def test_each_task_has_the_whole_schedule(make_stream_learner, slices) -> None:
    learner = make_stream_learner(FineTuning(), horizon=8.0)
    progress: list[list[float]] = [[], [], [], []]
    for _ in slices(learner):
        if not learner.finished:
            progress[learner.task].append(learner.task_progress)
    for one in progress:
        assert one == sorted(one)
        assert one[0] < 0.1 and one[-1] > 0.9


def test_a_run_too_short_for_the_stream_has_wrong_answers_for_the_rest(
    make_stream_learner,
) -> None:
    learner = make_stream_learner(SLCA(alignment_epochs=20), horizon=0.3)
    learner.advance(0.3)
    assert 0 < learner.task < 4
    found = learner.evaluate()
    scores = learner.item_scores(learner.data.validation)
    assert found["last_accuracy"] == pytest.approx(scores.mean().item())


def test_half_way_through_only_tasks_seen_are_evaluated(make_stream_learner) -> None:
    learner = make_stream_learner(FineTuning(), horizon=8.0)
    learner.advance(1.5)
    assert learner.task == 0
    # Of 40 examples in two classes: three standard errors above guessing.
    assert learner.evaluate()["last_accuracy"] > 0.5 + 3 * (0.25 / 40) ** 0.5
    learner.advance(3.0)
    found = learner.evaluate()
    assert "accuracy_after_1_on_1" in found and "accuracy_after_2_on_1" not in found
