"""Number format, layout, compilation and parts of a batch: what they leave as it is."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from search_spaces import InputError, fitted, narrowed
from trainables.learning.flops import FlopCounter
from trainables.learning.passes import compile_passes, computed
from trainables.parts.sections.computing import Computing
from trainables.scenarios.scenario import load_scenario, scenario_names


def network(dropout: float = 0.0, normalised: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(20, 256), nn.ReLU(), nn.Dropout(dropout), nn.Linear(256, 256), nn.ReLU()]
    if normalised:
        layers.insert(1, nn.BatchNorm1d(256))
    return nn.Sequential(*layers, nn.Linear(256, 3))


def trained(model: nn.Module, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
    """A loss of the whole batch, and its gradients."""
    loss = model(inputs).log_softmax(1).square().mean(0).prod()
    loss.backward()
    return loss.detach(), [parameter.grad for parameter in model.parameters()]


INPUTS = torch.randn(64, 20, generator=torch.Generator().manual_seed(1))


def test_nothing_is_done_by_default() -> None:
    model = network()
    assert computed(model, Computing()) is model
    assert type(model) is nn.Sequential


@pytest.mark.parametrize("computing", [Computing("bfloat16"), Computing(micro_batches=4)])
def test_a_network_stays_what_it_was(computing: Computing) -> None:
    plain, model = network(), computed(network(), computing)
    assert isinstance(model, nn.Sequential)
    assert list(model.state_dict()) == list(plain.state_dict())
    assert isinstance(model[-1], nn.Linear)
    for other in (copy.deepcopy(model), model[:-1]):
        assert other._computing == computing
    model.load_state_dict(plain.state_dict())


def test_parts_have_the_loss_and_gradients_of_the_whole_batch() -> None:
    expected, parts = (
        trained(network(), INPUTS),
        trained(computed(network(), Computing(micro_batches=5)), INPUTS),
    )
    torch.testing.assert_close(parts, expected)


def test_dropout_is_the_same_on_the_way_back() -> None:
    model = computed(network(dropout=0.5), Computing(micro_batches=4))
    seen: list[Tensor] = []
    model[2].register_forward_hook(lambda _, __, output: seen.append(output == 0))
    trained(model, INPUTS)
    # Forward part by part, and back from the last part to the first.
    assert len(seen) == 8
    assert all(torch.equal(a, b) for a, b in zip(seen[:4], reversed(seen[4:]), strict=True))
    assert not torch.equal(seen[0], seen[1])


def test_running_statistics_take_each_part_in_once() -> None:
    once, model = (
        network(normalised=True),
        computed(network(normalised=True), Computing(micro_batches=4)),
    )
    for part in INPUTS.tensor_split(4):
        once(part)
    before = model[1].running_mean
    trained(model, INPUTS)
    assert model[1].running_mean is before
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(model[1], name), getattr(once[1], name))


def test_passes_that_train_nothing_are_in_parts_as_well() -> None:
    plain, model = (
        network(normalised=True),
        computed(network(normalised=True), Computing(micro_batches=4)),
    )
    sizes: list[int] = []
    model[0].register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(INPUTS), plain.eval()(INPUTS))
    assert sizes == [16, 16, 16, 16]


def test_no_part_has_a_single_example() -> None:
    sizes: list[int] = []
    model = computed(network(normalised=True), Computing(micro_batches=64))
    model[1].register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    model(INPUTS[:7])
    assert sizes == [3, 2, 2]


def test_parts_take_a_fraction_of_the_memory_and_a_forward_pass_more() -> None:
    layers = 4

    def measured(parts: int) -> tuple[int, int]:
        torch.manual_seed(0)
        blocks = [each for _ in range(layers) for each in (nn.Linear(64, 64), nn.ReLU())]
        whole = nn.Sequential(*blocks, nn.Linear(64, 1))
        model = computed(whole, Computing(micro_batches=parts))
        with FlopCounter() as counter:
            model(torch.randn(8192, 64)).square().mean().backward()
        return counter.peak, counter.total

    whole, parts = measured(1), measured(8)
    assert parts[0] < 0.4 * whole[0]
    # The last layer is not computed once more: its output is not needed on the way back.
    assert parts[1] == whole[1] + 8192 * layers * 2 * 64 * 64


def test_bfloat16_computes_in_bfloat16_and_gives_float32() -> None:
    model = computed(network(), Computing("bfloat16"))
    seen: list[torch.dtype] = []
    model[0].register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    loss, gradients = trained(model, INPUTS)
    assert seen == [torch.bfloat16]
    assert loss.dtype == torch.float32
    assert {gradient.dtype for gradient in gradients} == {torch.float32}


def test_channels_last_changes_the_layout_alone() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
    model = computed(copy.deepcopy(plain), Computing(channels_last=True))
    inputs = torch.randn(4, 3, 8, 8)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model[0](inputs).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(model(inputs), plain(inputs))


def test_compiling_pays_where_the_horizon_is_long_enough() -> None:
    assert not Computing().pays_to_compile(10**9)
    assert Computing(compile="always").pays_to_compile(1)
    auto = Computing(compile="auto")
    assert [auto.pays_to_compile(auto.compile_from + more) for more in (-1, 0)] == [False, True]
    assert replace(auto, compile_from=10).pays_to_compile(10)
    assert not auto.divided(8).pays_to_compile(10**9), "it is after memory, not speed"


def test_what_is_compiled_runs_as_it_is_while_counted_copied_and_evaluated(monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    model = computed(network(), Computing(compile="always"))
    compile_passes(model)
    calls: list[str] = []
    actual = model._compiled_pass
    model._compiled_pass = lambda *given: (calls.append("compiled"), actual(*given))[1]
    loss, gradients = trained(model, INPUTS)
    expected = trained(network(), INPUTS)
    torch.testing.assert_close((loss, gradients), expected)
    assert calls == ["compiled"]
    with torch.no_grad():
        model(INPUTS)
    model.eval()(INPUTS)
    trained(copy.deepcopy(model.train()), INPUTS)
    assert calls == ["compiled"]
    model._compiled_pass = actual
    counts = []
    for each in (model, network()):
        with FlopCounter() as counter:
            trained(each, INPUTS)
        counts.append(counter.total)
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("scenario", scenario_names())
def test_old_configs_mean_what_they_meant(view_for, make_learner, scenario: str) -> None:
    kind = load_scenario(scenario)
    view = view_for(scenario, "adamw")
    space = kind.space(view)
    assert "computing" not in space.default()
    assert "computing" not in space.describe()
    assert space.contains(space.default())
    chosen = narrowed(space, {"computing": {"precision": "bfloat16"}})
    assert chosen.default()["computing"]["precision"] == "bfloat16"
    assert not chosen.contains(space.default())
    assert chosen.fingerprint() != space.fingerprint()
    # What was found in another number format is worth trying in this one.
    assert fitted(chosen, space.default()) == chosen.default()
    assert fitted(space, chosen.default()) == space.default()


def test_a_config_without_whole_parts_is_refused_in_a_line(make_learner) -> None:
    for scenario, algorithm in (("curriculum", "dds"), ("meta_learning", "maml")):
        with pytest.raises(
            InputError, match=f"^computing.micro_batches: got 4, but '{algorithm}'"
        ):
            make_learner(scenario, algorithm, changes={"computing.micro_batches": 4})


def test_a_network_may_have_attributes_of_any_name() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.compiled, self.computing = nn.Linear(20, 3), "mine", "mine"

        def run(self, inputs: Tensor) -> Tensor:
            return self.layer(inputs)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.run(inputs)

    model = computed(Own(), Computing("bfloat16", micro_batches=2))
    assert model(INPUTS).shape == (64, 3)
    assert (model.compiled, model.computing) == ("mine", "mine")
