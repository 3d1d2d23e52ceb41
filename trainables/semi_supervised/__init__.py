"""Semi-supervised learning: a few labels, and many inputs without one.

Each module without an underscore is one algorithm; `_semi_supervised.py` says what an algorithm
is, and `_consistency.py` what those have in common that learn from unlabelled inputs.
"""

from trainables.semi_supervised._semi_supervised import SemiSupervised

__all__ = ["SemiSupervised"]
