"""Free text as numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEATURES = 1024
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def hashed(texts: Sequence[str | None], features: int = FEATURES) -> NDArray[Any]:
    """Counts of words and pairs of words by their hash, rows of length 1: [n, features], float32.

    Hashing learns nothing from the texts, so nothing of a test can leak through it, and other
    texts get the same features. A text that is missing is NaN throughout.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(n_features=features, ngram_range=(1, 2), dtype=np.float32)
    found: NDArray[Any] = vectorizer.transform([text or "" for text in texts]).toarray()
    found[[text is None for text in texts]] = np.nan
    return found


def words_of(text: str) -> list[str]:
    """The words of a text in small letters; apostrophes and hyphens within one belong to it."""
    return _WORD.findall(text.lower())


def lengths(texts: Sequence[str]) -> NDArray[np.float32]:
    """How many words each text has, [n]."""
    return np.array([len(words_of(text)) for text in texts], dtype=np.float32)


def rarities(texts: Sequence[str]) -> NDArray[np.float32]:
    """How rare the words of each text are, [n]: - sum over its words of log p(word).

    p is a word's share of all words of these texts (Platanios et al., NAACL 2019, eq. 3).
    """
    split = [words_of(text) for text in texts]
    counts = Counter(word for words in split for word in words)
    total = counts.total()
    surprise = {word: -float(np.log(count / total)) for word, count in counts.items()}
    return np.array([sum(surprise[word] for word in words) for words in split], dtype=np.float32)
