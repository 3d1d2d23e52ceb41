"""Curriculum learning by a difficulty score and a pacing function."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.scenarios.curriculum.paced import ScoredCurriculum


@dataclass(frozen=True)
class EasyToHard(ScoredCurriculum):
    """Easy examples first (Bengio et al., ICML 2009; Hacohen and Weinshall, ICML 2019).

    A scorer orders the examples once; the pacing says how far into that order training has got.
    """
