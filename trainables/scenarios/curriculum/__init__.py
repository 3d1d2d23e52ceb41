"""Curriculum learning: which examples a model sees when, and how much each counts.

`curriculum.py` says what an algorithm is; `algorithms/` holds them, one a file.
"""

from trainables.scenarios.curriculum.curriculum import Curriculum, DataCurriculum, LossCurriculum

__all__ = ["Curriculum", "DataCurriculum", "LossCurriculum"]
