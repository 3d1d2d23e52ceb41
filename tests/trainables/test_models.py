from __future__ import annotations

import pytest
import torch
from torch import nn

from search_spaces import options
from trainables.parts.model import Model
from trainables.parts.models.cnn import CNN
from trainables.parts.models.mlp import MLP

# The others stand for whatever has a name of a certain form.
OWN = {name: cls for name, cls in options(Model).items() if cls.names() == name}
SHAPES = [(6,), (1, 1, 1), (1, 2, 3), (1, 8, 8), (3, 5, 7), (3, 32, 32)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name, cls in OWN.items() for shape in SHAPES if cls.suits(shape)],
)
def test_logits_have_the_right_shape_and_train(name: str, shape: tuple[int, ...]) -> None:
    model = OWN[name]().build(shape, 4)
    for batch in (2, 5):
        logits = model(torch.randn(batch, *shape))
        assert logits.shape == (batch, 4)
        logits.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert model.eval()(torch.randn(1, *shape)).shape == (1, 4)


def test_which_inputs_they_suit() -> None:
    assert CNN.suits((3, 8, 8))
    assert not CNN.suits((64,))
    assert MLP.suits((3, 8, 8)) and MLP.suits((64,))


def test_a_multilayer_perceptrons_parts() -> None:
    model = MLP(width=10, depth=3, dropout=0.25).build((2, 3), 4)
    kinds = [type(layer) for layer in model]
    hidden = [nn.Linear, nn.ReLU, nn.Dropout]
    assert kinds == [nn.Flatten, *hidden, *hidden, *hidden, nn.Linear]
    # 6 -> 10 -> 10 -> 10 -> 4, with biases.
    assert sum(p.numel() for p in model.parameters()) == 70 + 110 + 110 + 44
    assert {layer.p for layer in model if isinstance(layer, nn.Dropout)} == {0.25}
    assert nn.Dropout not in [type(layer) for layer in MLP().build((6,), 4)]


def test_a_cnns_parts() -> None:
    model = CNN(width=8, blocks=2).build((3, 8, 8), 5)
    # Convolutions 3 -> 8 -> 16 without bias, two numbers a channel for the normalisation, and
    # 2 x 2 places of 16 channels -> 5.
    expected = (3 * 8 * 9 + 16) + (8 * 16 * 9 + 32) + (64 * 5 + 5)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_many_blocks_on_a_small_image_still_see_something() -> None:
    # Pooling rounds up: 3 -> 2 -> 1 -> 1, so there is always a place left.
    model = CNN(width=4, blocks=4).build((1, 3, 3), 2).train()
    first, second = model(torch.randn(2, 1, 3, 3, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", OWN)
def test_weights_come_from_torchs_generator(name: str) -> None:
    built = []
    with torch.random.fork_rng():
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            built.append(OWN[name]().build((1, 8, 8), 3).state_dict())
    assert all(torch.equal(built[0][key], built[1][key]) for key in built[0])
    assert any(not torch.equal(built[0][key], built[2][key]) for key in built[0])
