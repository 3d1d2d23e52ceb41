"""Transfer Teacher (Weinshall, Cohen and Amir, ICML 2018)."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.scenarios.curriculum.paced import ScoredCurriculum
from trainables.scenarios.pacing import Pacing
from trainables.scenarios.pacings.linear import Linear
from trainables.scenarios.scorers.teacher import Teacher


@dataclass(frozen=True)
class TransferTeacher(ScoredCurriculum):
    """A teacher's scores order the examples, the easiest first.

    Weinshall, Cohen and Amir, "Curriculum Learning by Transfer Learning: Theory and Experiments
    with Deep Networks", ICML 2018. The loss under a trained and frozen teacher orders the examples
    once; the share let in grows from nothing to everything over half of the training, as in
    CurBench (100 of 200 epochs; CurML's default grows over all 200). The teacher learns from the
    same labels as the model and is paid for: never from clean ones.
    """

    pacing: Pacing = Linear(start=0.0, full_at=0.5)
    scorer: Teacher = Teacher()
