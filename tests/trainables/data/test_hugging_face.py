from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, located, open_test

datasets = pytest.importorskip("datasets")

A = np.random.default_rng(0).normal(size=60)
CLASSES = datasets.ClassLabel(names=["zebra", "ant"])


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def saved() -> Any:
    """A data set with a test and a validation split."""
    features = datasets.Features(a=datasets.Value("float64"), label=CLASSES)
    whole = datasets.Dataset.from_dict({"a": A, "label": [0, 1] * 30}, features=features)
    parts = {"train": range(40), "validation": range(40, 50), "test": range(50, 60)}
    return datasets.DatasetDict({name: whole.select(rows) for name, rows in parts.items()})


def test_parquet_files_and_save_to_disk_hold_the_same(
    saved: Any, tmp_path: Path, log: Any
) -> None:
    saved.save_to_disk(tmp_path / "saved")
    (tmp_path / "files").mkdir()
    for name, split in saved.items():
        split.to_parquet(tmp_path / "files" / f"{name}.parquet")
    specs = [DataSpec(f"hf:{tmp_path / place}") for place in ("saved", "files")]
    first, second = map(load_view, specs)
    assert first.fingerprint == second.fingerprint
    assert set(first.classes) == {"zebra", "ant"}
    assert len(first.train) + len(first.validation) == 50
    said = "split 'test' is the sealed test; 'validation' joins 'train'"
    assert any(said in each for each in first.notes)
    assert len(open_test(specs[0], log, first.fingerprint)) == 10
    other = load_view(DataSpec(specs[0].source, options={"test_split": "validation"}))
    assert other.fingerprint != first.fingerprint
    again = load_view(DataSpec(specs[0].source, options=first.options))
    assert again.fingerprint == first.fingerprint


def test_a_split_for_training_is_taken_alone(saved: Any, tmp_path: Path) -> None:
    saved.save_to_disk(tmp_path / "saved")
    source = f"hf:{tmp_path / 'saved'}"
    view = load_view(DataSpec(source, options={"train_split": "train"}))
    assert len(view.train) + len(view.validation) == 40
    assert any("splits that are not used: validation" in each for each in view.notes)
    view = load_view(DataSpec(source, options={"test_split": "validation"}))
    assert len(view.train) + len(view.validation) == 40
    assert any("splits that are not used: test" in each for each in view.notes)


def test_a_validation_split_with_other_columns_is_named(saved: Any, tmp_path: Path) -> None:
    saved["validation"] = saved["validation"].rename_column("a", "b")
    saved.save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError, match=r"'validation' has other columns.*train_split=train"):
        load_view(DataSpec(f"hf:{tmp_path / 'saved'}"))


@pytest.mark.parametrize("labels", ["as -1", "none"])
def test_a_split_without_labels_is_for_semi_supervised_searches(
    saved: Any, tmp_path: Path, labels: str
) -> None:
    others = datasets.Dataset.from_dict({"a": A + 5, "label": [-1] * 60})
    saved["unsupervised"] = (
        others if labels == "as -1" else others.remove_columns("label")
    ).cast_column("a", datasets.Value("float64"))
    saved.save_to_disk(tmp_path / "saved")
    source = f"hf:{tmp_path / 'saved'}"
    plain = load_view(DataSpec(source), unlabelled=True)
    assert plain.unlabelled is None
    assert any("unlabelled_split=unsupervised" in each for each in plain.notes)
    spec = DataSpec(source, options={"unlabelled_split": "unsupervised"})
    view = load_view(spec, unlabelled=True)
    assert view.unlabelled is not None and len(view.unlabelled) == 60
    raw = view.unlabelled.inputs[:, 0] * view.scale[0] + view.mean[0]
    np.testing.assert_allclose(np.sort(raw), np.sort(A + 5), atol=1e-4)
    assert len(view.train) + len(view.validation) == 50
    again = load_view(DataSpec(source, options=view.options), unlabelled=True)
    assert again.fingerprint == view.fingerprint and again.options == view.options
    supervised = load_view(spec)
    assert supervised.unlabelled is None
    assert any("60 inputs are left out" in each for each in supervised.notes)


def test_class_names_come_out_of_a_parquet_file(saved: Any, tmp_path: Path) -> None:
    saved["train"].to_parquet(tmp_path / "train.parquet")
    view = load_view(DataSpec(str(tmp_path / "train.parquet")))
    # By their numbers, as the makers ordered them.
    assert view.classes == ("zebra", "ant")


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("hf:nobody/nothing", {}, ["nobody/nothing", "cannot be loaded", "no folder"]),
        ("nobody/nothing", {}, ["nobody/nothing", "cannot be loaded", "no folder"]),
        ("hf:", {}, ["hf:NAME"]),
        ("hf:empty", {}, ["hf:empty", "cannot be loaded"]),
        ("hf:saved", {"train_split": "trian"}, ["'trian'", "Did you mean 'train'?"]),
        ("hf:saved", {"label_column": "lable"}, ["'lable'", "Did you mean 'label'?"]),
    ],
)
def test_what_is_wrong_is_named(
    saved: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    options: dict[str, str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    saved.save_to_disk("saved")
    Path("empty").mkdir()
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(source, options=options))
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_code_of_a_data_set_is_not_run(tmp_path: Path) -> None:
    folder, sprung = tmp_path / "trap", tmp_path / "sprung"
    folder.mkdir()
    (folder / "trap.py").write_text(f"open({str(sprung)!r}, 'w')\n")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_view(DataSpec(f"hf:{folder}"))
    assert not sprung.exists()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"extra hf: pip install -e '.\[hf\]'"):
        load_view(DataSpec("hf:nobody/nothing"))


def test_a_folder_is_made_absolute_and_a_name_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert located("hf:mine") == f"hf:{tmp_path}/mine"
    assert located("hf:owner/name") == "hf:owner/name"
    assert located("owner/name") == "owner/name"
    assert located("digits") == "digits"
