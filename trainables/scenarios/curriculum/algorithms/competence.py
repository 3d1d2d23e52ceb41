"""Competence-based curriculum learning (Platanios et al., NAACL 2019)."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.scenarios.curriculum.paced import ScoredCurriculum
from trainables.scenarios.pacings.root import Root
from trainables.scenarios.scorer import Scorer
from trainables.scenarios.scorers.self_taught import SelfTaught


@dataclass(frozen=True)
class Competence(ScoredCurriculum):
    """Examples up to a competence are let in: c(t) = (c0^p + (1 - c0^p) t / T)^(1/p).

    Platanios, Stretcu, Neubig, Poczos and Mitchell, "Competence-based Curriculum Learning for
    Neural Machine Translation", NAACL 2019, section 3.2, with their c0 = 0.01 and square root.
    Difficulty is the share of examples that are no harder, so the competence is the share let in.
    p = 1 is linear competence; CurML calls the method Lambda Step. Their difficulties, length and
    rarity, are scorers for texts; of other data a copy of the model says at first what is hard.
    """

    pacing: Root = Root(start=0.01, full_at=0.5, power=2.0)
    scorer: Scorer = SelfTaught(epochs=1)
