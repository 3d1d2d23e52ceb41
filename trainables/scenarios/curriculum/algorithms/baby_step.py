"""Baby Step (Bengio et al., ICML 2009; Spitkovsky et al., NAACL 2010)."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.scenarios.curriculum.paced import ScoredCurriculum
from trainables.scenarios.pacings.baby_step import BabySteps
from trainables.scenarios.scorer import Scorer
from trainables.scenarios.scorers.self_taught import SelfTaught


@dataclass(frozen=True)
class BabyStep(ScoredCurriculum):
    """In each stage, the next portion of harder examples joins the easier ones.

    Bengio, Louradour, Collobert and Weston, "Curriculum Learning", ICML 2009; Spitkovsky,
    Alshawi and Jurafsky, "From Baby Steps to Leapfrog", NAACL HLT 2010. Stages as in CurML: a
    tenth of the data more every tenth of the training. CurML takes the data to be sorted; here a
    scorer sorts it, at first a copy of the model trained for one epoch.
    """

    pacing: BabySteps = BabySteps()
    scorer: Scorer = SelfTaught(epochs=1)
