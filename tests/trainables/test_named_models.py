"""Models that stand for whatever has a name of a certain form: the user's own, transformers'."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces import InputError, from_config, to_config
from trainables.data import DataSpec, load_view
from trainables.learning.flops import FlopCounter
from trainables.learning.model_check import check_model
from trainables.parts.find_model import find_model
from trainables.parts.model import Model
from trainables.parts.models.transformers import Transformers
from trainables.scenarios.continual.scenario import SCENARIO as CONTINUAL
from trainables.scenarios.continual.settings import Settings, stream_view
from trainables.scenarios.meta_learning.scenario import SCENARIO as META

CODE = """
import math
import numpy as np, torch
from torch import nn

def seq(shape, classes):
    size = math.prod(shape)
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.ReLU(), nn.Linear(8, classes))

class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.body, self.head = seq(shape, 6), nn.Linear(6, classes)
    def forward(self, inputs):
        return self.head(self.body(inputs))

class HeadFirst(Net):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.head, self.body = self.head, seq(shape, 6)
        self.extra = nn.Linear(1, 1)

class Branching(nn.Sequential):
    def forward(self, inputs):
        if inputs.sum() > 0:
            return super().forward(inputs)
        return super().forward(inputs)
def branching(shape, classes): return Branching(*seq(shape, classes))

class Wrong(nn.Sequential):
    def forward(self, inputs):
        return wrong_on_purpose(super().forward(inputs))
def crash(shape, classes): return Wrong(*seq(shape, classes))

class Two(nn.Sequential):
    def forward(self, inputs):
        return super().forward(inputs), 1
def two(shape, classes): return Two(*seq(shape, classes))

def one_more(shape, classes): return seq(shape, classes + 1)
def nothing(shape, classes): return None
def frozen(shape, classes): return seq(shape, classes).requires_grad_(False)
def no_arguments(): return 1
def drawn(shape, classes):
    network = seq(shape, classes)
    with torch.no_grad():
        network[1].weight += float(np.random.default_rng().random())
    return network
def uncounted(shape, classes):
    class Eigen(nn.Sequential):
        def forward(self, inputs):
            features = super().forward(inputs)
            return features + torch.linalg.eigvalsh(features @ features.T).sum()
    return Eigen(*seq(shape, classes))
"""
SHAPE = (1, 8, 8)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"nets_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


@pytest.mark.parametrize("function", ["seq", "Net"])
def test_a_model_of_ones_own(module: str, tmp_path: Path, function: str) -> None:
    model = find_model(f"{module}:{function}")
    assert model.full_name == f"{module}:{function}"
    network = check_model(model, SHAPE, 5)
    assert network(torch.zeros(3, *SHAPE)).shape == (3, 5)
    config = to_config(model)
    assert config == {
        "name": "function",
        "address": f"{module}:{function}",
        "folder": str(tmp_path),
    }
    assert from_config(Model, config) == model


def test_it_is_built_where_nothing_else_says_where_it_is(
    module: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = to_config(find_model(f"{module}:seq"))
    sys.modules.pop(module)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != config["folder"]])
    monkeypatch.chdir(tmp_path_factory.mktemp("worker"))
    assert from_config(Model, config).build(SHAPE, 3)(torch.zeros(2, *SHAPE)).shape == (2, 3)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("one_more", ["[2, 6]", "expected logits of shape [2, 5]"]),
        ("nothing", ["NoneType", "torch.nn.Module"]),
        ("two", ["returned tuple", "[2, 5]"]),
        ("crash", ["wrong_on_purpose", ".py:"]),
        ("no_arguments", ["TypeError", "no_arguments()"]),
        ("frozen", ["no parameters to train"]),
        ("drawn", ["built twice", "torch's default generator"]),
        ("uncounted", ["FLOP formula", "register_formula"]),
        ("sek", ["'sek'", "Did you mean 'seq'?"]),
    ],
)
def test_what_is_wrong_is_named(module: str, function: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        check_model(find_model(f"{module}:{function}"), SHAPE, 5)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in [f"--model {module}:{function}", *words] if word not in message] == []


def test_what_a_scenario_needs_besides(module: str) -> None:
    view = load_view(DataSpec("digits"))
    stream = stream_view(view, Settings(tasks=5), 0)
    CONTINUAL.check_model(find_model(f"{module}:Net"), stream)
    with pytest.raises(InputError, match=r"last torch\.nn\.Linear is not its last layer"):
        CONTINUAL.check_model(find_model(f"{module}:HeadFirst"), stream)
    META.check_model(find_model(f"{module}:seq"), view)
    with pytest.raises(InputError, match=r"needs a torch\.nn\.Sequential that ends .* got Net"):
        META.check_model(find_model(f"{module}:Net"), view)
    with pytest.raises(InputError, match=r"under torch\.func\.vmap.*nets_.*\.py"):
        META.check_model(find_model(f"{module}:branching"), view)


def test_built_in_models_pass_every_check() -> None:
    view = load_view(DataSpec("digits"))
    for name in ("mlp", "cnn"):
        META.check_model(find_model(name), view)
        CONTINUAL.check_model(find_model(name), stream_view(view, Settings(tasks=5), 0))


def test_unknown_names() -> None:
    unknown = r"Did you mean 'mlp'.*Allowed: MODULE:FUNCTION, cnn, hf:"
    with pytest.raises(InputError, match=unknown):
        find_model("mpl")
    with pytest.raises(InputError, match="MODULE:FUNCTION"):
        from_config(Model, {"name": "function", "address": "", "folder": ""}).build(SHAPE, 2)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny vision transformer for 3x16x16 images, as save_pretrained writes it."""
    library = pytest.importorskip("transformers")
    config = library.ViTConfig(
        image_size=16,
        patch_size=4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=7,
    )
    folder = tmp_path_factory.mktemp("vit")
    library.ViTForImageClassification(config).save_pretrained(folder)
    return folder


def test_a_transformer_starts_from_its_weights(vit: Path) -> None:
    library = pytest.importorskip("transformers")
    model = find_model(f"hf:{vit}")
    network = check_model(model, (3, 16, 16), 4)
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, 4)
    original = library.ViTForImageClassification.from_pretrained(vit).state_dict()
    kept = [
        torch.equal(network.state_dict()[f"model.{name}"], value)
        for name, value in original.items()
        if not name.startswith("classifier")
    ]
    assert kept and all(kept)
    backbone, features = model.build_backbone((3, 16, 16))
    assert features == 16
    assert backbone.eval()(torch.zeros(2, 3, 16, 16)).shape == (2, 16)


def test_a_verdict_says_where_a_network_started(vit: Path) -> None:
    view = load_view(DataSpec("digits"))
    stream = stream_view(view, Settings(tasks=5), 0)
    model = find_model(f"hf:{vit}")
    sinusoids = META.load(DataSpec("sinusoid"), META.with_settings({}, "sinusoid"))
    for notes in (META.notes(sinusoids, model), CONTINUAL.notes(stream, model)):
        assert f"started from the pre-trained weights of hf:{vit}" in " ".join(notes)
    for other in (find_model("cnn"), Transformers(model.address, pretrained=False)):
        assert "started from" not in " ".join(META.notes(sinusoids, other))
        assert "no pre-trained backbone" in " ".join(CONTINUAL.notes(stream, other))


def test_its_classifier_comes_from_the_seed(vit: Path) -> None:
    heads = []
    for seed in (1, 1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            state = find_model(f"hf:{vit}").build((3, 16, 16), 4).state_dict()
        heads.append(state["model.classifier.weight"])
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_new_weights_fit_any_images(vit: Path) -> None:
    model = Transformers(f"hf:{vit}", pretrained=False)
    network = check_model(model, (1, 8, 8), 4)
    with FlopCounter() as counter:
        assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 4)
    assert counter.total > 0
    assert not Transformers.suits((64,))


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 8, 8)])
def test_images_that_its_weights_are_not_for(vit: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"shape \[3, 16, 16\].*--image-size 16x16"):
        find_model(f"hf:{vit}").build(shape, 4)


def test_transformers_that_cannot_be_used(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = pytest.importorskip("transformers")

    def refused(name: str, words: str) -> None:
        with pytest.raises(InputError, match=words) as caught:
            find_model(name).build((3, 16, 16), 4)
        assert "\n" not in str(caught.value)

    library.BertConfig().save_pretrained(tmp_path / "bert")
    refused(f"hf:{tmp_path / 'bert'}", "'bert' is no image classifier")
    library.ViTConfig.from_pretrained(vit).save_pretrained(tmp_path / "bare")
    refused(f"hf:{tmp_path / 'bare'}", r"cannot be loaded .*model\.pretrained: false")
    (tmp_path / "empty").mkdir()
    refused(f"hf:{tmp_path / 'empty'}", "cannot be loaded")
    refused("hf:", "hf:NAME")
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(f"hf:{vit}", r"extra transformers: pip install -e '.\[transformers\]'")


def test_pickled_weights_are_not_read(vit: Path, tmp_path: Path) -> None:
    library = pytest.importorskip("transformers")
    network: Any = library.ViTForImageClassification.from_pretrained(vit)
    network.config.save_pretrained(tmp_path)
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        find_model(f"hf:{tmp_path}").build((3, 16, 16), 4)
