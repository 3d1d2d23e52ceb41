"""Semi-supervised learning: a few labels, and many inputs without one.

`semi_supervised.py` says what an algorithm is; `algorithms/` holds them, one a file.
"""

from trainables.scenarios.semi_supervised.semi_supervised import SemiSupervised

__all__ = ["SemiSupervised"]
