from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, memory
from trainables.data.memory import memory_there_is

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("limit", "expected"),
    [("1048576", 2**20), ("max", MACHINE), ("9223372036854771712", MACHINE), ("", MACHINE)],
)
def test_a_container_s_limit_counts(tmp_path: Path, name: str, limit: str, expected: int) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(f"{limit}\n")
    assert memory_there_is(tmp_path) == expected


def test_without_control_groups_it_is_the_machine_s(tmp_path: Path) -> None:
    assert memory_there_is(tmp_path) == MACHINE


def test_arrays_that_a_container_cannot_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    monkeypatch.setattr(memory, "ROOT", tmp_path)
    np.savez(tmp_path / "a.npz", x=np.zeros((60, 4)), y=np.arange(60) % 2)
    with pytest.raises(InputError, match="more than this machine's memory"):
        load_view(DataSpec(str(tmp_path / "a.npz")))
