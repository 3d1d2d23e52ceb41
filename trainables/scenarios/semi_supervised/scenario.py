"""The semi-supervised scenario."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import Config, InputError, Int, Space, from_config, options
from trainables.data import (
    DataSpec,
    DataView,
    Examples,
    OpeningLog,
    hashes_of,
    load_view,
    open_test,
)
from trainables.learning.learner import Learner
from trainables.parts.find_model import find_model
from trainables.parts.model import Model
from trainables.parts.view import Views
from trainables.parts.views.image import FAR, NEAR
from trainables.scenarios.classification import ClassificationScenario
from trainables.scenarios.semi_supervised.learner import SemiSupervisedLearner
from trainables.scenarios.semi_supervised.recipe import Recipe
from trainables.scenarios.semi_supervised.semi_supervised import SemiSupervised
from trainables.scenarios.semi_supervised.view import PartlyLabelled

MEASURED = 64
IMAGE = ("view", "image")


@dataclass(frozen=True)
class Settings:
    """The settings of a semi-supervised search, besides those of every search.

    Attributes:
        labels: how many training examples keep their label, in all. Where the data has examples
            without one and nothing else is said, all that have one do.
        unlabelled: how many of the others stay, without a label; 0 for all.
    """

    labels: Annotated[int, Int(1, 10_000_000)] = 400
    unlabelled: Annotated[int, Int(0, 10_000_000)] = 0


@dataclass(frozen=True)
class UnsaidLabels(Settings):
    """The settings of a search that did not say how many labels it wants."""


class SemiSupervisedScenario(ClassificationScenario):
    """Classification from few labels and many inputs without one.

    Which examples are labelled is decided by the search's seed, class by class, and is the same
    for all algorithms; those that the data has without a label come on top.
    """

    name = "semi_supervised"
    settings = Settings
    recipe = Recipe
    algorithm = SemiSupervised
    baseline = "supervised"

    def with_settings(self, given: Mapping[str, Any], source: str = "") -> Settings:
        found: Settings = super().with_settings(given, source)
        return found if "labels" in given else UnsaidLabels(found.labels, found.unlabelled)

    def load(self, data: DataSpec, settings: Settings) -> DataView:
        return _partly_labelled(load_view(data, unlabelled=True), data, settings)

    def examples_of(self, data: DataSpec, settings: Settings, sealed: bool) -> NDArray[np.uint64]:
        return hashes_of(data, sealed, unlabelled=True)

    def open_test(
        self, data: DataSpec, settings: Settings, log: OpeningLog, fingerprint: str
    ) -> Examples:
        whole = load_view(data, unlabelled=True)
        now = _partly_labelled(whole, data, settings).fingerprint
        if now != fingerprint:
            raise InputError(
                f"data '{data.source}', or the labels chosen of it, has changed since the "
                f"search began: its fingerprint was {fingerprint} and is now {now}; the test "
                "stays sealed."
            )
        # Which labels are known makes no other test: openings are counted by the split.
        return open_test(data, log, whole.fingerprint, unlabelled=True)

    def shaped(self, space: Space, view: DataView) -> Space:
        return self.fitted_to(space, view, find_model(self.default_model(view)))

    def fitted_to(self, space: Space, view: DataView, model: Model) -> Space:
        """Fit the views' defaults: a weak view has to be one that the model's answer survives.

        A model of all pixels at once takes a mirror image for another image, others do not. For
        them images are mirrored where that keeps their classes: where the data says so, or, if it
        says nothing, where the images are photographs (have several channels). Photographs have
        FixMatch's shift of an eighth for models that know places, and everything else a pixel of
        28: a thing that fills its frame is shifted out of it by more, which costs a CNN points as
        well (docs/results/ranges.md).
        """
        if IMAGE[1] not in space.options(IMAGE[0]):
            return space
        photographs, keeps = view.input_shape[0] > 1, view.mirror_keeps_class
        far = model.knows_places and photographs
        mirrored = model.knows_places and (photographs if keeps is None else keeps)
        found = space.with_default((*IMAGE, "translation"), FAR if far else NEAR)
        return found.with_default((*IMAGE, "mirror"), mirrored)

    def notes(self, view: DataView, model: Model) -> list[str]:
        assert isinstance(view, PartlyLabelled)
        count = len(view.labelled)
        return [
            f"{count} of {len(view.train)} training examples had a label; configs were chosen by "
            f"{len(view.validation)} validation labels.",
            told_time(view),
            *super().notes(view, model),
        ]

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return SemiSupervisedLearner(from_config(Recipe, config), data, seed, device)


def told_time(view: DataView) -> str:
    """Say what views of this data cost, which compute does not hold: they are no layers.

    It is measured here, on some training inputs and at default hyperparameters, in a few
    milliseconds.
    """
    inputs = torch.from_numpy(view.train.inputs[:MEASURED])
    indices, times = torch.arange(len(inputs)), {}
    pair = next(each() for each in options(Views).values() if each.suits(view.input_shape))  # type: ignore[type-abstract]
    for name, look in (("weak", pair.weak), ("strong", pair.strong)):
        look(inputs, indices, 0)
        begun = time.perf_counter()
        look(inputs, indices, 0)
        times[name] = 100_000.0 * (time.perf_counter() - begun) / len(inputs)
    return (
        f"Compute does not count the time of views: {times['weak']:.1f} ms for 100 weak and "
        f"{times['strong']:.1f} ms for 100 strong ones on the CPU of the driver. On a CPU that "
        "can be more than the model's own step."
    )


def _partly_labelled(view: DataView, data: DataSpec, settings: Settings) -> PartlyLabelled:
    every = view.unlabelled is not None and isinstance(settings, UnsaidLabels)
    labels = None if every else settings.labels
    return PartlyLabelled.of(view, labels, data.seed, settings.unlabelled)


SCENARIO = SemiSupervisedScenario()
