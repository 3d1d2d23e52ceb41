"""Backbones: pre-trained elsewhere, known again by content, and what a stream starts from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError, narrowed
from trainables.data import DataSpec
from trainables.data.content import content_hashes
from trainables.learning.pretraining import pretrain, read_backbone, write_backbone
from trainables.parts.find_model import find_model
from trainables.scenarios.continual.algorithms.slca import SLCA
from trainables.scenarios.continual.scenario import SCENARIO
from trainables.scenarios.continual.stream import StreamData, StreamView

CPU = torch.device("cpu")
Pretrain = Callable[..., str]
Arrays = dict[str, np.ndarray]


def images(seed: int, count: int = 160) -> Arrays:
    """Byte images of 5x5 pixels in 8 classes, no two alike; the class is a brighter row."""
    rng, labels = np.random.default_rng(seed), np.arange(count) % 8
    pictures = rng.integers(0, 100, (count, 5, 5), dtype=np.uint8)
    pictures[np.arange(count), labels % 5, :] += (100 + 10 * labels[:, None]).astype(np.uint8)
    return {"x": pictures, "y": labels}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def to(name: str, arrays: Arrays) -> str:
        np.savez(tmp_path / name, **arrays)
        return str(tmp_path / name)

    return to


@pytest.fixture
def pretrained(tmp_path: Path) -> Pretrain:
    def on(source: str, model: str = "mlp", seed: int = 0, **sizes: Any) -> str:
        found = pretrain(DataSpec(source, seed=seed), model, 8, seed, CPU, sizes)
        path = tmp_path / f"{Path(source).stem}-{seed}.safetensors"
        write_backbone(path, found)
        return str(path)

    return on


def stream(source: str, backbone: str, **settings: object) -> StreamView:
    given = {"tasks": 4, "backbone": backbone, **settings}
    return SCENARIO.load(DataSpec(source), SCENARIO.with_settings(given))


def test_a_backbone_survives_its_file(write, tmp_path: Path) -> None:
    spec = DataSpec(write("other.npz", images(1, count=800)))
    written = pretrain(spec, "mlp", 20, 0, CPU, {"width": 32, "depth": 1})
    write_backbone(tmp_path / "b.safetensors", written)
    read = read_backbone(tmp_path / "b.safetensors")
    assert (read.model, read.data, read.accuracy) == ("mlp", "other.npz", written.accuracy)
    assert read.sizes["width"] == 32 and read.sizes["depth"] == 1
    assert read.weights.keys() == written.weights.keys() == {"1.weight", "1.bias"}
    chance, validated = 1 / 8, 160
    assert read.accuracy > chance + 3 * (chance * (1 - chance) / validated) ** 0.5
    assert torch.equal(read.mean, written.mean) and torch.equal(read.scale, written.scale)
    assert np.array_equal(read.examples, written.examples)
    assert len(read.examples) == 640, "training and validation"


def test_learners_start_from_it_and_scale_inputs_as_it_does(write, pretrained) -> None:
    path = pretrained(write("other.npz", images(1)), width=32, depth=1)
    view, written = stream(write("own.npz", images(2)), path), read_backbone(Path(path))
    space = SCENARIO.space(view)
    config = space.only("algorithm", "slca").default()
    learner = SCENARIO.learner(config, StreamData.of(view, CPU), 0, CPU)
    for name, value in written.weights.items():
        assert torch.equal(learner.network.backbone.state_dict()[name], value)
    assert learner.network.mean.item() == pytest.approx(written.mean.item())
    assert learner.network.scale.item() == pytest.approx(written.scale.item())
    assert isinstance(learner.algorithm, SLCA)
    assert SCENARIO.default_model(view) == "mlp"
    assert space.options("model") == ["mlp"]
    assert config["model"]["width"] == 32, "its sizes are the backbone's"
    assert "pre-trained on other.npz" in SCENARIO.notes(view, find_model("mlp"))[2]


def test_a_model_of_another_size_is_refused(write, pretrained) -> None:
    path = pretrained(write("other.npz", images(1)), width=32)
    view = stream(write("own.npz", images(2)), path)
    wider = narrowed(SCENARIO.space(view), {"model.mlp.width": 64})
    with pytest.raises(InputError, match=r"width=64.* but the backbone is a mlp of sizes"):
        SCENARIO.tunable(wider, view)
    with pytest.raises(InputError, match="pre-train another backbone"):
        SCENARIO.learner(wider.default(), StreamData.of(view, CPU), 0, CPU)


def as_they_are(own: Arrays, to: Path) -> str:
    np.savez(to / "copy.npz", **own)
    return "copy.npz"


def shuffled_and_renumbered(own: Arrays, to: Path) -> str:
    order = np.random.default_rng(5).permutation(len(own["y"]))
    np.savez(to / "copy.npz", x=own["x"][order], y=7 - own["y"][order])
    return "copy.npz"


def as_floats(own: Arrays, to: Path) -> str:
    np.savez(to / "copy.npz", x=(own["x"] / 255).astype(np.float32), y=own["y"])
    return "copy.npz"


def standardised(own: Arrays, to: Path) -> str:
    np.savez(to / "copy.npz", x=(own["x"] - own["x"].mean()) / own["x"].std(), y=own["y"])
    return "copy.npz"


def a_tenth_among_others(own: Arrays, to: Path) -> str:
    other = images(9)
    arrays = {name: np.concatenate([own[name][:16], other[name][16:]]) for name in own}
    np.savez(to / "copy.npz", **arrays)
    return "copy.npz"


@pytest.mark.parametrize(
    "renamed",
    [as_they_are, shuffled_and_renumbered, as_floats, standardised, a_tenth_among_others],
)
def test_a_renamed_copy_of_the_streams_data_is_refused(
    write, pretrained, tmp_path: Path, renamed: Callable[[Arrays, Path], str]
) -> None:
    own = images(2)
    (tmp_path / "elsewhere").mkdir()
    copy = str(tmp_path / "elsewhere" / renamed(own, tmp_path / "elsewhere"))
    path = pretrained(copy, seed=3)
    with pytest.raises(InputError, match=r"pre-trained on (\d+) of the stream's own examples"):
        stream(write("own.npz", own), path)


def test_nor_may_it_have_seen_the_sealed_test(write, pretrained, tmp_path: Path) -> None:
    own = images(2, count=320)
    spec = DataSpec(write("own.npz", own))

    class Log:
        def record_opening(self, fingerprint: str) -> int:
            return 1

    settings = SCENARIO.with_settings({"tasks": 4})
    view = SCENARIO.load(spec, settings)
    test = SCENARIO.open_test(spec, settings, Log(), view.fingerprint)
    path = pretrained(write("leak.npz", {"x": test.inputs[:, 0], "y": test.labels}))
    count = len(read_backbone(Path(path)).examples)
    with pytest.raises(InputError, match=rf"pre-trained on {count} of the stream's own"):
        stream(write("own.npz", own), path)


def test_vectors_are_known_again_in_another_kind_of_file(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(50, 3))
    columns = {f"f{i}": table[:, i] for i in range(3)} | {"label": np.arange(50) % 2}
    pq.write_table(pa.table(columns), tmp_path / "copy.parquet")
    read = SCENARIO.load(
        DataSpec(str(tmp_path / "copy.parquet")),
        SCENARIO.with_settings({"tasks": 2, "hpo_protocol": "oracle_stream"}),
    )
    assert np.isin(content_hashes(read.train.inputs), content_hashes(table)).all()
    assert not np.isin(content_hashes(table + 1), content_hashes(table)).any()


def test_data_that_only_looks_alike_is_not_refused(write, pretrained) -> None:
    own, other = images(2), images(1)
    blank = np.zeros((8, 5, 5), np.uint8)  # in both, and says nothing
    for arrays in (own, other):
        arrays["x"] = np.concatenate([arrays["x"], blank])
        arrays["y"] = np.concatenate([arrays["y"], np.arange(8)])
    nearly = own["x"].astype(np.int64).copy()
    nearly[:, 2, 2] += 40
    other["x"] = np.concatenate([other["x"], nearly])
    other["y"] = np.concatenate([other["y"], own["y"]])
    assert stream(write("own.npz", own), pretrained(write("other.npz", other))).pretrained


def test_a_backbone_for_other_inputs_is_refused(write, pretrained) -> None:
    path = pretrained(write("other.npz", images(1)))
    with pytest.raises(InputError, match=r"another shape than \[1, 8, 8\]"):
        stream("digits", path, tasks=5)


def test_other_files_are_refused(write, tmp_path: Path) -> None:
    from trainables.learning.weights import write_weights

    own = write("own.npz", images(2))
    with pytest.raises(InputError, match="cannot read the weights"):
        stream(own, str(tmp_path / "none.safetensors"))
    write_weights(tmp_path / "bare.safetensors", {"a": torch.zeros(1)})
    with pytest.raises(InputError, match="is not what `automl-cl pretrain` writes"):
        stream(own, str(tmp_path / "bare.safetensors"))


def test_a_size_that_the_model_does_not_have_is_refused(write) -> None:
    with pytest.raises(InputError, match=r"'widht'. Did you mean 'width'"):
        pretrain(DataSpec(write("a.npz", images(1))), "mlp", 1, 0, CPU, {"widht": 3})


OWN = """
from torch import nn

def net(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 8), nn.ReLU(), nn.Linear(8, classes))

def other(shape, classes):
    return net(shape, classes)
"""


def test_a_backbone_of_ones_own_model_is_found_again_from_anywhere(
    write, pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_backbone.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    path = pretrained(write("other.npz", images(1)), "own_backbone:net")
    own = write("own.npz", images(2))
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path)])
    sys.modules.pop("own_backbone")
    spec = SearchSpec("continual", own, settings={"tasks": 4, "backbone": path})
    prepared = prepare(spec)
    assert prepared.model.full_name == "own_backbone:net"
    assert "a own_backbone:net backbone" in SCENARIO.notes(prepared.view, prepared.model)[2]
    with pytest.raises(InputError, match=r"own_backbone:other.* but the backbone is a own_back"):
        prepare(replace(spec, model="own_backbone:other"))
    sys.modules.pop("own_backbone")


def test_a_search_from_a_backbone_has_its_sizes(write, pretrained) -> None:
    path = pretrained(write("other.npz", images(1)), width=32, depth=1)
    settings = {"tasks": 4, "backbone": path}
    for model in (None, "mlp"):
        found = prepare(
            SearchSpec("continual", write("own.npz", images(2)), model=model, settings=settings)
        )
        assert found.space.default()["model"] == {
            "name": "mlp",
            "width": 32,
            "depth": 1,
            "dropout": 0.0,
        }


def test_what_was_guessed_about_its_data_is_said(write, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    lines = [f"{a},{b},{'xy'[n % 2]}" for n, (a, b) in enumerate(rows)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,kind", *lines]))
    said: list[str] = []
    spec = DataSpec(str(tmp_path / "a.csv"), options={"drop_columns": "b"})
    found = pretrain(spec, "mlp", 1, 0, CPU, say=said.append)
    assert any("'kind' (guessed" in note for note in said)
    assert len(found.examples) == 48 and found.weights["1.weight"].shape[1] == 1
