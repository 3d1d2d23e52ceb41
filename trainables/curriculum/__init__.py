"""Curriculum learning: which examples a model sees when, and how much each counts.

Each module without an underscore is one algorithm; `_curriculum.py` says what an algorithm is.
"""

from trainables.curriculum._curriculum import Curriculum, DataCurriculum, LossCurriculum

__all__ = ["Curriculum", "DataCurriculum", "LossCurriculum"]
