from __future__ import annotations

import pytest
import torch

from search_spaces import InputError, from_config, options
from trainables.scenarios.curriculum import Curriculum, DataCurriculum, LossCurriculum
from trainables.scenarios.curriculum.algorithms.baby_step import BabyStep
from trainables.scenarios.curriculum.algorithms.combined import Combined
from trainables.scenarios.curriculum.algorithms.random_order import RandomOrder
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss
from trainables.scenarios.pacings.step import Step

HALF = Step(start=0.5, full_at=1.0)


def test_the_data_is_that_of_one_and_the_loss_that_of_the_other(ranked, loss_of) -> None:
    examples, model = ranked([float(i) for i in range(100)])
    combined, alone = Combined(RandomOrder(HALF), SuperLoss()), RandomOrder(HALF)
    chosen = [each.data_curriculum(examples, model, 0.0, 3) for each in (combined, alone)]
    assert torch.equal(*chosen)
    losses = torch.tensor([0.1, 1.0, 3.0])
    assert loss_of(combined, losses) == loss_of(SuperLoss(), losses) != losses.mean()


def test_the_default_is_curmls_example() -> None:
    assert Combined() == Combined(BabyStep(), SuperLoss())


def test_it_tells_what_both_were_given(ranked) -> None:
    examples, _ = ranked([0.0, 1.0])
    given = "a copy of itself trained for 1 epoch on the same labels"
    assert Combined().was_given(examples) == given
    assert Combined(RandomOrder(), SuperLoss()).was_given(examples) is None


def test_the_state_of_both_is_kept(ranked, loss_of) -> None:
    examples, model = ranked([float(i) for i in range(100)])
    first, second = (Combined(RandomOrder(HALF), SuperLoss()) for _ in range(2))
    chosen = first.data_curriculum(examples, model, 0.0, 3)
    loss_of(first, torch.tensor([0.1, 1.0, 3.0]))
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.data_curriculum(examples, model, 0.5, 4), chosen)
    later = torch.tensor([0.5, 0.5])
    assert loss_of(second, later) == loss_of(first, later) != loss_of(SuperLoss(), later)


def test_with_everything_let_in_it_is_the_loss_alone(make_learner, assert_equal) -> None:
    changes = {"algorithm.combined.data.baby_step.pacing.start": 1.0}
    combined = make_learner("curriculum", "combined", changes=changes, horizon=4.0)
    alone = make_learner("curriculum", "superloss", horizon=4.0)
    for learner in (combined, alone):
        learner.advance(4.0)
    assert_equal(combined.model.state_dict(), alone.model.state_dict())


def test_only_what_fits_together_is_on_offer() -> None:
    data, loss = options(DataCurriculum), options(LossCurriculum)
    assert "random_order" in data and "superloss" in loss
    assert not set(data) & set(loss)
    assert not {"combined", "plain"} & (set(data) | set(loss))
    assert set(data) | set(loss) < set(options(Curriculum))
    other = {"name": "superloss", "lam": 1.0, "threshold": "average"}
    with pytest.raises(InputError, match="random_order"):
        from_config(Combined, {"data": other, "loss": other})
