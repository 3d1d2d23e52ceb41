"""Joining a cluster that was started elsewhere, as `ray start --head` starts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Head

pytestmark = [pytest.mark.ray, pytest.mark.slow]

JOIN = """
import sys
from cluster import TrialResources, concurrency, connect
with connect(sys.argv[1], packages=("search_spaces",)):
    import ray
    print("slots", concurrency(TrialResources(1.0, 0.0, 1)))
    name = ray.remote(lambda: __import__("search_spaces").__name__)
    print("shipped", ray.get(name.remote()))
    # The head asks after the owner of an actor, and must be let in.
    actor = ray.remote(type("Actor", (), {"answer": lambda self: "there"})).remote()
    print("actor", ray.get(actor.answer.remote(), timeout=60))
print("left", ray.is_initialized())
"""


@pytest.mark.parametrize("protected", [True, False])
def test_a_head_is_joined_whether_it_asks_for_a_token_or_not(
    tmp_path: Path, protected: bool
) -> None:
    """The token in our environment, which any local Ray leaves at home, is used where it helps."""
    head = Head(tmp_path, protected)
    try:
        for _ in range(6):  # until the head is up: each attempt waits for it
            joined = subprocess.run(
                [sys.executable, "-c", JOIN, head.address],
                env=head.environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if joined.returncode == 0:
                break
    finally:
        head.kill()
    assert joined.returncode == 0, joined.stderr
    for words in ("slots 2", "shipped search_spaces", "actor there", "left False"):
        assert words in joined.stdout
