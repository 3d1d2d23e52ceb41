"""Omniglot as one data set and as two, from a small archive in its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, hashes_of, load_class_view, load_view
from trainables.data.class_split import ClassSplit

REAL = Path(__file__).parents[3].parent / "shared" / "data"
SETS = ("omniglot-background", "omniglot-evaluation")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """6 + 2 alphabets of 3 characters, 20 of each; the corner says the character."""
    rng, arrays = np.random.default_rng(0), {}
    for part, alphabets in (("bg", 6), ("ev", 2)):
        labels = np.repeat(np.arange(3 * alphabets), 20)
        pixels = rng.integers(0, 256, (len(labels), 5, 5), dtype=np.uint8)
        pixels[:, 0, 0] = labels
        names = [f"{part}{a}/character{c:02d}" for a in range(alphabets) for c in range(1, 4)]
        arrays |= {f"{part}_x": pixels, f"{part}_y": labels.astype(np.int16)}
        arrays[f"{part}_classnames"] = np.array(names)
    (tmp_path / "omniglot").mkdir()
    np.savez(tmp_path / "omniglot" / "omniglot_28.npz", **arrays)
    monkeypatch.setenv("AUTOML_CL_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("source", "part", "classes"),
    [("omniglot-background", "bg", 18), ("omniglot-evaluation", "ev", 6)],
)
def test_either_set_is_a_data_set_of_its_own(
    archive: Path, source: str, part: str, classes: int
) -> None:
    view = load_view(DataSpec(source), standardised=False)
    assert (view.name, view.num_classes) == (source, classes)
    assert all(name.startswith(part) for name in view.classes)
    assert view.train.inputs[:, 0, 0, 0].tolist() == view.train.labels.tolist()
    for examples, each in ((view.train, 12), (view.validation, 4)):
        assert np.bincount(examples.labels).tolist() == [each] * classes


def test_they_have_nothing_in_common_and_both_are_in_the_whole(archive: Path) -> None:
    background, evaluation = (
        hashes_of(DataSpec(f"omniglot-{part}"), sealed=True)
        for part in ("background", "evaluation")
    )
    assert (len(background), len(evaluation)) == (360, 120)
    assert not np.intersect1d(background, evaluation).size
    whole = load_class_view(DataSpec("omniglot"), ClassSplit(3, 10))
    assert all(name.startswith("bg") for name in (*whole.classes, *whole.validation_classes))


def test_a_scenario_that_wants_its_classes_in_the_test_is_told_so_in_a_line(archive: Path) -> None:
    path = archive / "omniglot" / "omniglot_28.npz"
    with np.load(path) as saved:
        arrays = dict(saved)
    arrays["bg_x"], arrays["bg_y"] = np.tile(arrays["bg_x"], (9, 1, 1)), np.arange(3240) // 20
    arrays["bg_classnames"] = np.array([f"bg/{number}" for number in range(162)])
    np.savez(path, **arrays)
    with pytest.raises(
        InputError, match=r"class 'ev0/character01'.* \(162 in all\)\.$"
    ) as refused:
        load_view(DataSpec("omniglot"))
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("source", SETS)
def test_an_archive_that_is_not_there_is_said_to_be_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOML_CL_DATA", raising=False)
    with pytest.raises(InputError, match=r"omniglot_28\.npz not found"):
        load_view(DataSpec(source))


def test_the_real_sets_share_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (REAL / "omniglot" / "omniglot_28.npz").exists():
        pytest.skip("Omniglot is not here")
    monkeypatch.setenv("AUTOML_CL_DATA", str(REAL))
    sets = [
        hashes_of(DataSpec(f"omniglot-{p}"), sealed=True) for p in ("background", "evaluation")
    ]
    assert [len(each) for each in sets] == [19279, 13180], "one image of the first is there twice"
    assert not np.intersect1d(*sets).size
