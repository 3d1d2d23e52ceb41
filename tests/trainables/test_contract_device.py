"""A training step never waits for the device: no algorithm asks it for a number in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from search_spaces import options
from trainables.learner import Learner
from trainables.scenario import load_scenario, scenario_names

ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
# What has to know values on the host: a scalar, the size of its result, or whether it worked.
WAITING = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::masked_select",
    "aten::equal",
    "aten::is_nonzero",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::bincount",
    "aten::repeat_interleave",
    "aten::_linalg_check_errors",
}
# What reads from the device, or makes a tensor of the host's that would have to be sent to it.
HOST = {
    Tensor: ("tolist", "numpy", "cpu", "item"),
    torch: ("tensor", "as_tensor", "from_numpy", "randperm"),
}


class Waited(AssertionError):
    """Something in a step has to wait for the device."""


class NoWaiting(TorchDispatchMode):
    """Raises at operations that wait."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function._schema.name
        masks = name.startswith("aten::index") and any(
            isinstance(each, Tensor) and each.dtype == torch.bool
            for given in args
            if isinstance(given, list | tuple)
            for each in given
        )
        if name in WAITING or masks:
            raise Waited(name)
        return function(*args, **(kwargs or {}))


@contextmanager
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(name: str) -> Any:
        def refused(*args: Any, **kwargs: Any) -> Any:
            raise Waited(name)

        return refused

    with monkeypatch.context() as patch:
        for owner, names in HOST.items():
            for name in names:
                patch.setattr(owner, name, refuse(name))
        with NoWaiting():
            yield


def in_the_middle(make_learner: Any, scenario: str, algorithm: str, setting: str) -> Learner:
    """A learner between two steps of an epoch, whose kinds of steps have been counted."""
    learner: Learner = make_learner(scenario, algorithm, setting, horizon=6.0)
    learner.advance(2.0)
    reached = 2.0
    while learner.step_in_epoch == 0 or learner.step_in_epoch == learner.steps_per_epoch - 1:
        reached += 0.05
        learner.advance(reached)
        assert reached < 6.0
    return learner


@pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
@pytest.mark.parametrize("setting", ["adamw", "cnn"])
def test_a_step_never_waits_for_the_device(
    make_learner, monkeypatch, scenario: str, algorithm: str, setting: str
) -> None:
    learner = in_the_middle(make_learner, scenario, algorithm, setting)
    with no_waiting(monkeypatch):
        learner.step()


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x.tolist(),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.masked_fill_(x > 0, 0)[x == 0],
        lambda x: x.cpu(),
        lambda x: int(x.max()),
        lambda x: x.unique(),
        lambda x: torch.where(x > 0),
        lambda x: torch.tensor(1.0, device=x.device),
        lambda x: x.long().bincount(),
    ],
)
def test_the_check_sees_what_waits(monkeypatch, wait: Any) -> None:
    with pytest.raises(Waited), no_waiting(monkeypatch):
        wait(torch.ones(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="asks CUDA itself: needs a GPU")
@pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
def test_cuda_sees_no_waiting_in_a_step(
    make_config, view_for, setting_of, scenario: str, algorithm: str
) -> None:
    kind, setting = load_scenario(scenario), setting_of(scenario, algorithm)
    device = torch.device("cuda")
    data = kind.on_device(view_for(scenario, setting), device)
    learner = kind.learner(make_config(scenario, algorithm, setting), data, 0, device)
    learner.begin(6.0)
    in_middle = in_the_middle(lambda *_, **__: learner, scenario, algorithm, setting)
    torch.cuda.set_sync_debug_mode("error")
    try:
        in_middle.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
