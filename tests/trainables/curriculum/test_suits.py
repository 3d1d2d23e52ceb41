"""A search offers the algorithms that can teach its model, and refuses others that were named."""

from __future__ import annotations

import pytest
from torch import nn

from search_spaces import InputError, narrowed, options
from trainables.scenarios.curriculum import Curriculum
from trainables.scenarios.curriculum.algorithms.learning_to_reweight import LearningToReweight
from trainables.scenarios.curriculum.scenario import SCENARIO

FOR_CONVOLUTIONS = {"curriculum_by_smoothing", "efficient_train"}


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_what_cannot_teach_the_model_is_no_arm(images, model: str) -> None:
    space = narrowed(SCENARIO.space(images), {"model": model})
    offered = set(SCENARIO.tunable(space, images).options("algorithm"))
    everything = set(options(Curriculum))
    assert offered == (everything if model == "cnn" else everything - FOR_CONVOLUTIONS)


def test_on_vectors_nobody_offers_what_is_for_images(vectors) -> None:
    assert not FOR_CONVOLUTIONS & set(SCENARIO.space(vectors).options("algorithm"))


@pytest.mark.parametrize("name", sorted(FOR_CONVOLUTIONS))
def test_what_was_named_and_cannot_teach_the_model_is_refused_in_one_line(
    images, name: str
) -> None:
    space = narrowed(SCENARIO.space(images), {"model": "mlp", "algorithm": ["plain", name]})
    with pytest.raises(InputError, match=f"'{name}' cannot teach --model mlp: ") as refused:
        SCENARIO.tunable(space, images)
    assert "\n" not in str(refused.value)


def test_models_without_a_forward_mode_derivative_get_no_meta_gradients() -> None:
    assert LearningToReweight.unsuited(nn.Sequential(nn.LSTM(4, 4)), (4,))
    assert LearningToReweight.unsuited(nn.Linear(4, 4), (4,)) is None
