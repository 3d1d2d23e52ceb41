"""Seeds derived from seeds. Needs no torch, so that a report can be made without it."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *purpose: object) -> int:
    """A seed of its own for each purpose: a hash, so that neighbouring seeds share nothing."""
    text = repr((int(seed), *map(str, purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
