"""Free text as numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.memory import memory_there_is

FEATURES = 4096
_COPIES = 4  # of the inputs, at most, while they are read and divided into parts
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def hashed(texts: Sequence[str | None], features: int = FEATURES) -> NDArray[Any]:
    """Counts of words and pairs of words by their hash, [n, features], float32.

    Rows have the length sqrt(features) / 2, about that of standardised features, on which the
    usual learning rates work. They must not be standardised: rare words would drown the others.
    Hashing learns nothing from the texts, so nothing of a test can leak through it, and other
    texts get the same features. A text that is missing is NaN throughout.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(n_features=features, ngram_range=(1, 2), dtype=np.float32)
    counts = vectorizer.transform([text or "" for text in texts])
    counts *= np.float32(np.sqrt(features) / 2)
    found: NDArray[Any] = counts.toarray()
    found[[text is None for text in texts]] = np.nan
    return found


def require_memory(texts: int, features: int, place: str) -> None:
    """Refuses texts whose features would not fit into this machine's memory.

    Raises:
        InputError: there are too many; says how many features would do.
    """
    there = memory_there_is()
    if 4 * texts * features * _COPIES > there:
        gib = 4 * texts * features / 2**30
        fewer = there // (4 * texts * _COPIES)
        raise InputError(
            f"{place}: {texts:,} texts of {features:,} features take {gib:,.0f} GiB, and "
            f"{_COPIES} times as much while they are read: too much for the "
            f"{there / 2**30:,.0f} GiB of this machine; --data-option text_features={fewer} at "
            "most."
        )


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
