"""Views fit the data and the model: how far images shift, and where they are mirrored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import coordinates, decode, encode, narrowed
from trainables.data import DataSpec, load_view
from trainables.parts.models.cnn import CNN
from trainables.parts.models.mlp import MLP
from trainables.parts.views.image import ImageViews
from trainables.scenarios.scenario import load_scenario
from trainables.scenarios.semi_supervised.scenario import told_time

SCENARIO = load_scenario("semi_supervised")


def view_of(shape: tuple[int, ...], mirror_keeps_class: bool | None, folder: Path) -> Any:
    """Data of a shape whose source says this about mirror images."""
    rng, path = np.random.default_rng(0), folder / "data.npz"
    np.savez(path, x=rng.normal(size=(60, *shape)), y=np.arange(60) % 3)
    settings = SCENARIO.with_settings({"labels": 9})
    view = SCENARIO.load(DataSpec(str(path)), settings)
    return replace(view, mirror_keeps_class=mirror_keeps_class)


@pytest.mark.parametrize(("data", "keeps"), [("digits", False), ("fashion_mnist", True)])
def test_data_says_whether_mirror_images_keep_their_class(data: str, keeps: bool) -> None:
    try:
        view = load_view(DataSpec(data))
    except ValueError as error:
        pytest.skip(str(error))
    assert view.mirror_keeps_class is keeps


@pytest.mark.parametrize(
    ("shape", "keeps", "mirrored"),
    [
        ((1, 20, 20), None, False),
        ((3, 20, 20), None, True),
        ((1, 20, 20), True, True),
        ((3, 20, 20), False, False),
    ],
)
def test_images_are_mirrored_where_the_data_says_so_or_looks_like_photographs(
    tmp_path: Path, shape: tuple[int, ...], keeps: bool | None, mirrored: bool
) -> None:
    view = view_of(shape, keeps, tmp_path)
    found = SCENARIO.space(view).only("algorithm", "fixmatch").default()["view"]
    assert found["mirror"] is mirrored


@pytest.mark.parametrize(
    ("shape", "model", "shift"),
    [
        ((1, 28, 28), CNN(), 0.04),
        ((3, 28, 28), CNN(), 0.125),
        ((1, 28, 28), MLP(), 0.04),
        ((3, 28, 28), MLP(), 0.04),
    ],
)
@pytest.mark.parametrize("keeps", [True, False, None])
def test_a_thing_that_fills_its_frame_is_hardly_shifted(
    tmp_path: Path, shape: tuple[int, ...], model: Any, shift: float, keeps: bool | None
) -> None:
    view = view_of(shape, keeps, tmp_path)
    fitted = SCENARIO.fitted_to(SCENARIO.space(view), view, model)
    for name in fitted.options("algorithm"):
        assert fitted.only("algorithm", name).default()["view"]["translation"] == shift


def test_to_a_model_of_all_pixels_at_once_views_are_near(tmp_path: Path) -> None:
    view = view_of((3, 20, 20), True, tmp_path)
    space = SCENARIO.space(view)
    for model, expected in ((MLP(), (0.04, False)), (CNN(), (0.125, True))):
        fitted = SCENARIO.fitted_to(space, view, model).only("algorithm", "fixmatch")
        found = fitted.default()["view"]
        assert (found["translation"], found["mirror"]) == expected
        # Both stay searched, from not at all to a quarter of the side.
        names = coordinates(fitted)
        mirror = next(name for name in names if name.startswith("view.mirror"))
        point = encode(fitted, fitted.default())
        other = decode(fitted, {**point, mirror: not expected[1], "view.translation": 0.0})
        assert (other["view"]["translation"], other["view"]["mirror"]) == (0.0, not expected[1])


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_search_takes_the_defaults_of_its_model(model: str) -> None:
    spec = SearchSpec("semi_supervised", "digits", model=model, settings={"labels": 50})
    space = prepare(spec).space
    for name in space.options("algorithm"):
        assert space.only("algorithm", name).default()["view"]["translation"] == 0.04
    own = replace(spec, space={"view.image.translation": 0.2, "view.image.mirror": True})
    for name in ("supervised", "fixmatch"):
        found = prepare(own).space.only("algorithm", name).default()["view"]
        assert (found["translation"], found["mirror"]) == (0.2, True)


def test_vectors_have_no_shift(tmp_path: Path) -> None:
    view = view_of((7,), None, tmp_path)
    assert SCENARIO.space(view).options("view") == ["vector"]


def test_the_shift_goes_by_the_size_and_can_be_none() -> None:
    indices = torch.arange(200)
    for size, share, most in ((28, 0.04, 1), (28, 0.125, 4), (8, 0.04, 0), (96, 0.125, 12)):
        images = torch.arange(float(size)).expand(200, 1, size, size).contiguous()
        seen = ImageViews(translation=share).weak(images, indices, 5)
        middle = seen[:, 0, size // 2, size // 2] - size // 2
        assert middle.abs().max() == most


def test_what_only_weak_views_see_is_not_searched(tmp_path: Path) -> None:
    space = SCENARIO.space(view_of((1, 20, 20), None, tmp_path))
    strong = {"view.operations", "view.magnitude", "view.cutout"}
    assert not strong & set(coordinates(space.only("algorithm", "mean_teacher")))
    assert strong <= set(coordinates(space.only("algorithm", "fixmatch")))
    supervised = space.only("algorithm", "supervised")
    assert not {"operations", "magnitude", "cutout"} & set(supervised.default()["view"])
    on_strong = narrowed(supervised, {"algorithm.view": "strong"})
    assert {"operations", "magnitude", "cutout"} <= set(on_strong.default()["view"])


def test_the_time_of_views_is_told(tmp_path: Path) -> None:
    for shape in ((1, 20, 20), (7,)):
        view = view_of(shape, None, tmp_path)
        words = told_time(view)
        assert " ms for 100 weak and " in words
        assert words in [
            words if note.startswith("Compute does not count the time of views") else note
            for note in SCENARIO.notes(view, MLP())
        ]
