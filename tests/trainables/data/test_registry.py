from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, data_sources, load_view


def test_sources_are_found_by_their_place() -> None:
    sources = data_sources()
    assert {"digits", "fashion-mnist", "npz", "parquet"} <= set(sources)
    for name, source in sources.items():
        assert source.__module__ == f"trainables.data.sources.{name.replace('-', '_')}"
        assert not inspect.isabstract(source)
        first_line = (source.__doc__ or "").splitlines()[0]
        assert len(first_line) > 20, f"{name} has nothing for `list data` to print"


def test_digits_are_8x8_images_in_ten_classes() -> None:
    view = load_view(DataSpec("digits"))
    assert view.name == "digits"
    assert view.input_shape == (1, 8, 8)
    assert view.classes == tuple("0123456789")
    assert len(view.train) + len(view.validation) == pytest.approx(0.8 * 1797, abs=5)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("digitz", ["digitz", "Did you mean 'digits'", "fashion-mnist", "*.npz", "*.parquet"]),
        ("fashionmnist", ["Did you mean 'fashion-mnist'"]),
        ("table.xlsx", ["table.xlsx", "*.npz", "*.csv", "hf:NAME", "MODULE:FUNCTION"]),
        ("npz", ["place", "*.npz"]),
        ("hugging-face", ["place", "hf:NAME"]),
        ("nowhere/absent.npz", ["nowhere/absent.npz", "no such file"]),
        ("absent.PARQUET", ["absent.PARQUET", "no such file"]),
    ],
)
def test_what_cannot_be_found_is_named(source: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(source))
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_directory_is_no_data_file(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(InputError, match=r"folder\.npz.*no such file"):
        load_view(DataSpec(str(tmp_path / "folder.npz")))


def test_a_file_is_known_by_its_suffix_in_any_case(write_npz, toy_arrays) -> None:
    lower = Path(write_npz(**toy_arrays))
    upper = lower.rename(lower.with_name("TOY.NPZ"))
    assert load_view(DataSpec(str(upper))).name == "TOY.NPZ"


def test_the_package_loads_data_without_torch_and_without_other_sources() -> None:
    code = (
        "import sys; from trainables.data import DataSpec, load_view;"
        "load_view(DataSpec('digits'));"
        "print([name for name in ('torch', 'ray', 'trainables.data.sources.npz')"
        " if name in sys.modules], 'sklearn' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] True"


@pytest.mark.parametrize("ending", ["", ".npz", ".csv", "/a"])
def test_a_name_that_no_file_can_have_is_refused(ending: str) -> None:
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(InputError):
            load_view(DataSpec(name + ending))
