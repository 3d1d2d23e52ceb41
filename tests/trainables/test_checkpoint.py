from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch

import trainables.learning.checkpoint
from search_spaces import InputError
from trainables.learning.checkpoint import read_checkpoint, write_checkpoint

CPU = torch.device("cpu")
STATE = {
    "spent": 3,
    "progress": 0.25,
    "diverged": False,
    "weights": {"a": torch.arange(1000.0), "b": torch.tensor([1, 2], dtype=torch.int64)},
    "groups": [{"lr": 0.1, "betas": (0.9, 0.999)}],
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "state.pt"
    write_checkpoint(path, STATE)
    return path


def test_what_is_written_is_read(checkpoint: Path, assert_equal) -> None:
    assert_equal(read_checkpoint(checkpoint, CPU), STATE)
    assert os.listdir(checkpoint.parent) == ["state.pt"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pt is missing"):
        read_checkpoint(tmp_path / "none.pt", CPU)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint" * 100, b"\x80\x04N."])
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"other\.pt is damaged"):
        read_checkpoint(tmp_path / "other.pt", CPU)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_a_file_cut_short_is_named(checkpoint: Path, share: float) -> None:
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=rf"{re.escape(str(checkpoint))} is damaged"):
        read_checkpoint(checkpoint, CPU)


@pytest.mark.parametrize("member", ["data.pkl", "data/0", "data/1"])
def test_a_changed_byte_is_noticed_wherever_it_is(checkpoint: Path, member: str) -> None:
    # PyTorch itself reads wrong weights from such a file without a word.
    content = bytearray(checkpoint.read_bytes())
    with zipfile.ZipFile(checkpoint) as archive:
        name = next(name for name in archive.namelist() if name.endswith(f"/{member}"))
        info = archive.getinfo(name)
        stored = archive.read(name)
    start = content.find(stored, info.header_offset)
    content[start + len(stored) // 2] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(InputError, match=rf"{re.escape(str(checkpoint))} is damaged"):
        read_checkpoint(checkpoint, CPU)


def test_torch_would_not_notice_a_changed_weight(checkpoint: Path) -> None:
    content = checkpoint.read_bytes()
    weights = STATE["weights"]["a"].numpy().tobytes()
    assert content.count(weights) == 1
    checkpoint.write_bytes(content.replace(weights, weights[:-4] + b"\x00\x00\x00\x00"))
    read = torch.load(checkpoint, weights_only=True)
    assert not torch.equal(read["weights"]["a"], STATE["weights"]["a"])


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_in_a_file_is_run(tmp_path: Path, zipped: bool) -> None:
    trap, path = tmp_path / "run", tmp_path / "state.pt"
    if zipped:
        torch.save({"weights": Malicious(trap)}, path)
        torch.load(path, weights_only=False)
    else:
        path.write_bytes(pickle.dumps(Malicious(trap)))
        pickle.loads(path.read_bytes())
    assert trap.exists(), "the trap works"
    trap.unlink()
    with pytest.raises(InputError, match=r"state\.pt is damaged"):
        read_checkpoint(path, CPU)
    assert not trap.exists()


def test_a_write_that_fails_leaves_what_was_there(checkpoint: Path, monkeypatch) -> None:
    def fail(state: object, file: object) -> None:
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(trainables.learning.checkpoint.torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint(checkpoint, {**STATE, "spent": 4})
    assert read_checkpoint(checkpoint, CPU)["spent"] == 3


def test_the_name_appears_only_once_the_content_is_on_disk(tmp_path: Path, monkeypatch) -> None:
    path, synced, there = tmp_path / "state.pt", [], []
    sync, replace = os.fsync, Path.replace

    def watched_sync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        there.append(path.exists())
        sync(descriptor)

    def watched_replace(self: Path, target: Path) -> Path:
        assert synced == [str(self)]
        assert zipfile.ZipFile(self).testzip() is None
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    write_checkpoint(path, STATE)
    assert synced[1:] == [str(tmp_path)], "the folder's entry is on disk as well"
    assert there == [False, True]


def test_another_write_replaces_it(checkpoint: Path) -> None:
    write_checkpoint(checkpoint, {**STATE, "spent": 4})
    assert read_checkpoint(checkpoint, CPU)["spent"] == 4
