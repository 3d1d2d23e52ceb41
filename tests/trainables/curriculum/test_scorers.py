"""Scorers: what they say by hand, on flipped labels, of all ranks; what they cost and need."""

from __future__ import annotations

import copy
import dataclasses
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from automl_cl.results.tuned import Tuned
from search_spaces import InputError, narrowed, options, to_config
from trainables.data import DataSpec
from trainables.learning.flops import FlopCounter
from trainables.learning.scoring import losses_of
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum import Curriculum
from trainables.scenarios.curriculum.algorithms.easy_to_hard import EasyToHard
from trainables.scenarios.curriculum.recipe import Recipe
from trainables.scenarios.curriculum.scenario import SCENARIO
from trainables.scenarios.scorer import ColumnScorer, Scorer
from trainables.scenarios.scorers.column import Column
from trainables.scenarios.scorers.consistency import Consistency
from trainables.scenarios.scorers.cross_validated import CrossValidated
from trainables.scenarios.scorers.current_loss import CurrentLoss
from trainables.scenarios.scorers.margin import Margin, negative_margin
from trainables.scenarios.scorers.prediction_flips import PredictionFlips
from trainables.scenarios.scorers.self_taught import SelfTaught
from trainables.scenarios.scorers.teacher import Teacher
from trainables.scenarios.scorers.text_length import TextLength
from trainables.scenarios.scorers.word_rarity import WordRarity

ALL = options(Scorer)
COLUMNS = {cls.needs_column: cls for cls in options(ColumnScorer).values()}
TRAINED = sorted(set(ALL) - set(options(ColumnScorer)) - {"current_loss"})
LONG: dict[str, Scorer] = {
    "consistency": Consistency(repeats=3, epochs=5),
    "cross_validated": CrossValidated(folds=5, epochs=5),
    "margin": Margin(epochs=6),
    "prediction_flips": PredictionFlips(epochs=6),
    "self_taught": SelfTaught(epochs=3),
    "teacher": Teacher(epochs=6),
}


@pytest.fixture
def problem(make_learner):
    """Examples with every column, and an untrained network without dropout."""
    changes = {"model.mlp.dropout": 0.0, "model.mlp.width": 64}
    learner = make_learner("curriculum", "plain", changes=changes)
    columns = {name: torch.arange(210.0) * 37 % 210 for name in COLUMNS}
    return replace(learner.data.train, columns=columns), learner.model


@pytest.mark.parametrize("name", ALL)
def test_every_scorer_gives_a_number_for_each_example_and_leaves_the_model(
    problem, assert_equal, name: str
) -> None:
    examples, model = problem
    before = copy.deepcopy(model.state_dict())
    found, again, other = (ALL[name]().difficulty(examples, model, seed) for seed in (0, 0, 1))
    assert found.shape == (210,) and found.isfinite().all()
    assert torch.equal(found, again)
    assert torch.equal(found, other) == (name not in TRAINED)
    assert_equal(dict(model.state_dict()), dict(before))
    assert model.training and all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("name", TRAINED)
def test_flipped_labels_are_harder_than_clean_ones(make_learner, flipped, name: str) -> None:
    view, flips = flipped
    changes = {"model.mlp.dropout": 0.0, "model.mlp.width": 64}
    learner = make_learner("curriculum", "plain", changes=changes, view=view)
    difficulty = LONG[name].difficulty(learner.data.train, learner.model, 0)
    hard, easy = difficulty[flips][:, None], difficulty[~flips][None, :]
    # The chance that a flipped example is harder than a clean one, equal ones counted half.
    chance = ((hard > easy).double() + 0.5 * (hard == easy).double()).mean()
    assert chance > 0.75


def test_the_loss_of_the_model_as_it_stands(problem) -> None:
    examples, model = problem
    found = CurrentLoss().difficulty(examples, model, 0)
    assert torch.equal(found, losses_of(model, examples))


def test_a_margin_by_hand() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [2.0, -1.0, 0.5], [0.3, 0.3, 0.0]])
    # The best other logit less the label's: 0.5 - 2, 2 - (-1), 0.3 - 0.3.
    found = negative_margin(logits, torch.tensor([0, 1, 1]))
    assert found.tolist() == pytest.approx([-1.5, 3.0, 0.0])


def test_teacher_and_margin_agree_for_two_classes(problem) -> None:
    # Then the loss is log(1 + e^difference), which grows with the difference.
    examples, model = problem
    two = replace(examples, labels=examples.labels.clamp_max(1))
    model = nn.Sequential(model, nn.Linear(3, 2))
    margin, loss = (kind(epochs=2).difficulty(two, model, 0) for kind in (Margin, Teacher))
    torch.testing.assert_close(F.softplus(margin), loss)


class Seen(nn.Module):
    """Knows, of inputs that are numbers, whether each was among those it was trained on."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, inputs: Tensor) -> Tensor:
        known = torch.isin(inputs[:, 0].long(), self.rows).float()
        return torch.stack([known, 1.0 - known], 1)


@pytest.mark.parametrize("total", [1, 2, 7, 210])
@pytest.mark.parametrize(
    ("scorer", "folds"),
    [(CrossValidated(folds=2), 2), (CrossValidated(folds=5), 5), (Consistency(repeats=3), 2)],
)
def test_nothing_is_scored_by_a_model_that_was_trained_on_it(
    monkeypatch, scorer: Any, folds: int, total: int
) -> None:
    trainings: list[Tensor] = []

    def train(model: Any, examples: Any, rows: Tensor, *_: Any, **__: Any) -> nn.Module:
        trainings.append(rows)
        return Seen(rows)

    monkeypatch.setattr(f"{type(scorer).__module__}.trained_copy", train)
    inputs = torch.arange(float(total))[:, None]
    examples = TensorExamples(inputs, torch.zeros(total, dtype=torch.int64))
    found = scorer.difficulty(examples, nn.Identity(), 0)
    # What was not seen gets the logits 0 and 1, and the label is 0: wrong, at a loss of 1.3133.
    expected = 1.0 if isinstance(scorer, Consistency) else 1.3132617
    assert found.tolist() == pytest.approx([expected] * total)
    repeats = getattr(scorer, "repeats", 1)
    assert len(trainings) == repeats * min(folds, total)
    sizes = {len(rows) for rows in trainings}
    assert sizes <= {total - -(-total // folds), total - total // folds}


def test_consistency_by_hand(monkeypatch) -> None:
    # Of the 4 rounds, example i is predicted right in i of them: difficulty 1 - i / 4.
    rounds: list[Tensor] = []

    class Right(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            round = (len(rounds) - 1) // 2  # two halves to each
            right = (inputs[:, 0] > round).float()
            return torch.stack([right, 1.0 - right], 1)

    def train(model: Any, examples: Any, rows: Tensor, *_: Any, **__: Any) -> nn.Module:
        rounds.append(rows)
        return Right()

    monkeypatch.setattr("trainables.scenarios.scorers.consistency.trained_copy", train)
    examples = TensorExamples(torch.arange(5.0)[:, None], torch.zeros(5, dtype=torch.int64))
    found = Consistency(repeats=4).difficulty(examples, nn.Identity(), 0)
    assert found.tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_forgetting_events_by_hand(monkeypatch) -> None:
    # Right or wrong in the order of the epochs, and what Toneva et al. count:
    history = [
        ([1, 1, 1, 1], 0),  # never forgotten
        ([0, 0, 1, 1], 0),  # learnt late, never forgotten
        ([1, 0, 1, 1], 1),
        ([1, 0, 1, 0], 2),
        ([0, 1, 0, 0], 1),
        ([0, 0, 0, 0], 4),  # never learnt: as many as there are epochs
    ]

    def train(model: Any, examples: Any, rows: Tensor, *_: Any, observe: Any) -> None:
        for epoch in range(4):
            right = torch.tensor([float(each[epoch]) for each, _ in history])
            logits = torch.stack([right, 0.5 * torch.ones(6)], 1)
            for batch in rows.flip(0).split(4):
                observe(batch, logits[batch])

    monkeypatch.setattr("trainables.scenarios.scorers.prediction_flips.trained_copy", train)
    examples = TensorExamples(torch.zeros(6, 1), torch.zeros(6, dtype=torch.int64))
    found = PredictionFlips(epochs=4).difficulty(examples, nn.Identity(), 0)
    assert found.tolist() == [float(events) for _, events in history]


@pytest.mark.parametrize(
    ("scorer", "trainings", "passes"),
    [
        # One training example costs three forward passes of it, less what the first layer saves.
        (CurrentLoss(), 0, 1),
        (SelfTaught(epochs=2), 2, 1),
        (Teacher(epochs=3), 3, 1),
        (Margin(epochs=3), 3, 1),
        # Each of k copies is trained on (k - 1) / k of the data and scores 1 / k.
        (CrossValidated(folds=3, epochs=2), 4, 1),
        # Each of 2 r copies is trained on half of the data and scores the other.
        (Consistency(repeats=3, epochs=2), 6, 3),
        # Looks at the steps that it takes anyhow.
        (PredictionFlips(epochs=4), 4, 0),
        (Column(), 0, 0),
        (TextLength(), 0, 0),
        (WordRarity(), 0, 0),
    ],
)
def test_what_scoring_costs(problem, scorer: Scorer, trainings: int, passes: int) -> None:
    examples, model = problem
    with FlopCounter() as training:
        F.cross_entropy(model(examples.inputs), examples.labels).backward()
    model.zero_grad()
    with FlopCounter() as scoring:
        losses_of(model, examples)
    with FlopCounter() as counter:
        scorer.difficulty(examples, model, 0)
    assert counter.total == trainings * training.total + passes * scoring.total


@pytest.mark.parametrize(
    ("scorer", "given"),
    [
        (CurrentLoss(), None),
        (Column(), None),
        (SelfTaught(epochs=1), "a copy of itself trained for 1 epoch on the same labels"),
        (PredictionFlips(), "a copy of itself trained for 3 epochs on the same labels"),
        (Teacher(), "a teacher trained for 3 epochs on the same labels"),
        (Margin(), "a teacher trained for 3 epochs on the same labels"),
        (
            CrossValidated(folds=3),
            "3 teachers trained for 2 epochs on the same labels, each without the fold that it "
            "scored",
        ),
        (
            Consistency(),
            "4 teachers trained for 1 epoch on the same labels, each without the half that it "
            "scored",
        ),
    ],
)
def test_what_was_given_is_told(scorer: Scorer, given: str | None) -> None:
    assert scorer.was_given() == given


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [1, 2, 65])
def test_few_examples_and_a_last_batch_of_one_break_nothing(
    make_learner, name: str, size: int
) -> None:
    learner = make_learner("curriculum", "plain", "sgd" if size == 1 else "cnn")
    train = learner.data.train
    columns = {each: torch.arange(float(size)) for each in COLUMNS}
    examples = TensorExamples(train.inputs[:size], train.labels[:size], columns=columns)
    assert ALL[name]().difficulty(examples, learner.model, 0).isfinite().all()


@pytest.mark.parametrize(("column", "cls"), COLUMNS.items())
def test_a_column_says_what_is_hard(problem, let_in, column: str, cls: type[ColumnScorer]) -> None:
    examples, model = problem
    algorithm = EasyToHard(balanced=False, scorer=cls())
    chosen = let_in(algorithm, examples, model, 0.0, 0)
    # The column holds 37 i mod 210, which takes each value from 0 to 209 once.
    assert (chosen * 37 % 210).tolist() == list(range(42))
    assert algorithm.was_given(examples) is None


@pytest.mark.parametrize(("column", "cls"), COLUMNS.items())
def test_without_its_column_a_scorer_is_no_choice(
    vectors, column: str, cls: type[ColumnScorer]
) -> None:
    name = cls.part_name()
    numbers = np.zeros(len(vectors.train))
    having = replace(vectors, train=replace(vectors.train, columns={column: numbers}))
    for view, there in [(vectors, False), (having, True)]:
        group = SCENARIO.space(view).root.fields["algorithm"].options["easy_to_hard"]
        found = set(group.fields["scorer"].options)
        assert (name in found) == there
        assert not (set(options(ColumnScorer)) - {name}) & found
    with pytest.raises(InputError, match=f"'{name}'"):
        narrowed(SCENARIO.space(vectors), {"algorithm.easy_to_hard.scorer": name})


@pytest.mark.parametrize(("column", "cls"), COLUMNS.items())
def test_without_its_column_a_scorer_says_in_one_line_how_to_get_it(
    problem, column: str, cls: type[ColumnScorer]
) -> None:
    examples, model = problem
    said = f"scorer {cls.part_name()}: the data has no column '{column}'; {cls.column_from}."
    with pytest.raises(InputError) as raised:
        cls().difficulty(replace(examples, columns={}), model, 0)
    assert str(raised.value) == said and cls.column_from
    config = to_config(Recipe(algorithm=EasyToHard(scorer=cls())))
    shape = {"classes": 10, "input_shape": [1, 8, 8]}
    tuned = Tuned("curriculum", config, DataSpec("digits").to_dict(), shape, {}, {})
    with pytest.raises(InputError, match=r"^config\.algorithm\.scorer: .* 'digits': the data has"):
        tuned.fit()


# Ranks are processes of their own: torch has one default process group each.
SCRIPT = """
import os
import sys
import torch
import torch.distributed as dist
from torch import nn
from search_spaces import options
from trainables.ranks.ranks import ALONE, ProcessGroup
from trainables.scenarios.scorer import Scorer
from trainables.ranks.shared_layers import share_layers
from trainables.learning.tensors import TensorExamples

rank, size, store, out = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:5]
torch.set_num_threads(1)
ranks = ALONE
if size > 1:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    ranks = ProcessGroup(torch.device("cpu"))
torch.manual_seed(0)
labels = torch.randint(0, 3, (129,))
inputs = torch.randn(129, 6) + labels[:, None]
columns = dict.fromkeys(["text_length", "word_rarity", "difficulty"], torch.arange(129.0))
examples = TensorExamples(inputs, labels, ranks, columns)
# A bias before a normalisation has no gradient but rounding, which Adam makes large.
first, last = nn.Linear(6, 16, bias=False), nn.Linear(16, 3)
model = nn.Sequential(first, nn.BatchNorm1d(16), nn.ReLU(), last)
model = share_layers(model, ranks)
found = {name: cls().difficulty(examples, model, 3) for name, cls in options(Scorer).items()}
torch.save(found, f"{out}-{rank}")
if size > 1:
    dist.barrier()  # a rank that leaves early may take down one that is still at it
# Threads of gloo may still be at work while Python ends, which then ends in an abort.
os._exit(0)
"""


def scored(folder: Path, size: int) -> list[dict[str, Tensor]]:
    """What each of `size` ranks says, by scorer."""
    out, store = folder / f"scores-{size}", folder / f"store-{size}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(rank), str(size), str(store), str(out)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(size)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0] * size
    return [torch.load(f"{out}-{rank}", weights_only=True) for rank in range(size)]


@pytest.mark.slow
def test_two_ranks_give_the_scores_of_one(tmp_path: Path) -> None:
    alone = scored(tmp_path, 1)[0]
    first, second = scored(tmp_path, 2)
    assert set(alone) == set(ALL)
    for name, expected in alone.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], expected, rtol=1e-4, atol=1e-5)


def test_whoever_has_a_scorer_says_what_it_was_given() -> None:
    having = {
        name: cls
        for name, cls in options(Curriculum).items()
        if any(field.name == "scorer" for field in dataclasses.fields(cls))
    }
    assert {"baby_step", "easy_to_hard", "rl_teacher", "transfer_teacher"} <= set(having)
    examples = TensorExamples(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))
    for cls in having.values():
        assert "epoch" in (cls().was_given(examples) or "")
