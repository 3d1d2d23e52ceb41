"""What trials are too short to pay for is left out or refused; others are made longer."""

from __future__ import annotations

from typing import Any

import pytest

from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.horizons import long_enough
from search_spaces import InputError, Int, decode, encode

WITH_TEACHERS = {
    "adaptive", "anti_curriculum", "baby_step", "coarse_to_fine", "combined", "competence",
    "easy_to_hard", "rl_teacher", "transfer_teacher",
}  # fmt: skip


def prepared(**settings: Any) -> Prepared:
    return prepare(SearchSpec("curriculum", "digits", **settings))


def test_arms_that_cannot_be_paid_for_are_left_out_and_named() -> None:
    short, longer = prepared(max_epochs=1.0), prepared(max_epochs=5.0)
    whole = set(prepared(max_epochs=30.0).space.options("algorithm"))
    assert whole - set(short.space.options("algorithm")) == WITH_TEACHERS
    (note,) = short.notes
    assert all(f"{name} (" in note for name in WITH_TEACHERS) and "\n" not in note
    assert whole - set(longer.space.options("algorithm")) == {"transfer_teacher"}
    assert prepared(max_epochs=30.0).notes == ()


def test_an_arm_that_was_named_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="'competence' needs trials of at least 2") as refused:
        prepared(max_epochs=1.0, space={"algorithm": ["superloss", "competence"]})
    assert "--max-epochs" in str(refused.value) and "\n" not in str(refused.value)


def test_in_compressed_runs_the_shortest_one_decides() -> None:
    # The lowest of four rungs of 30 epochs, each a third of the next, is a run of 30 / 27 epochs.
    short = prepared(max_epochs=30.0, fidelity="compressed")
    assert not WITH_TEACHERS & set(short.space.options("algorithm"))


def test_teachers_are_no_longer_than_half_of_the_longest_trial() -> None:
    scorer: Any = prepared(max_epochs=9.0).space.root.fields["algorithm"]
    teacher = scorer.options["transfer_teacher"].fields["scorer"]
    epochs = getattr(teacher, "options", {"teacher": teacher})["teacher"].fields["epochs"]
    # A pass is 0.37 epochs: 2 (4 + 0.37) is within 9 epochs, 2 (5 + 0.37) is not.
    assert epochs.allowed == Int(1, 4, log=True)


def test_a_proposal_that_is_too_short_is_made_longer() -> None:
    ready = prepared(max_epochs=9.0, space={"algorithm": ["easy_to_hard"]})
    arm = ready.space.only("algorithm", "easy_to_hard")
    config = arm.default()
    config["training"]["epochs"] = 2.5
    needed = ready.least_horizon(config["algorithm"])
    assert 4.5 < needed < 5.0
    longer = long_enough(arm, config, needed, 9.0)
    assert needed <= longer["training"]["epochs"] <= needed + 0.001
    assert arm.contains(longer)
    assert decode(arm, encode(arm, longer))["training"]["epochs"] >= needed
    assert long_enough(arm, longer, needed, 9.0) is longer
