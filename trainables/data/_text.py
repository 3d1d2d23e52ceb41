"""Free text as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEATURES = 1024


def hashed(texts: Sequence[str | None]) -> NDArray[Any]:
    """Counts of words and pairs of words by their hash, rows of length 1: [n, 1024], float32.

    Hashing learns nothing from the texts, so nothing of a test can leak through it. A text that
    is missing is NaN throughout.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(n_features=FEATURES, ngram_range=(1, 2), dtype=np.float32)
    features: NDArray[Any] = vectorizer.transform([text or "" for text in texts]).toarray()
    features[[text is None for text in texts]] = np.nan
    return features
