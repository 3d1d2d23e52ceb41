"""How networks are computed, from the command line to the tuned config and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from automl_cl.engine.fork import Fork
from automl_cl.results.tuned import Tuned
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError, read_yaml
from trainables.parts.sections.computing import Computing

WriteNpz = Callable[..., Path]


@pytest.fixture
def spec(write_npz: WriteNpz) -> SearchSpec:
    space = {"algorithm": ["superloss"], "optimizer": "adamw", "training.batch_size": 8}
    return SearchSpec(
        "curriculum",
        str(write_npz()),
        trials=3,
        max_epochs=2.0,
        seeds=3,
        space=space,
        precision="bfloat16",
    )


def test_what_was_searched_in_bfloat16_is_trained_in_bfloat16(
    spec: SearchSpec, search_without_ray: Callable[..., Path], tmp_path: Path
) -> None:
    run = search_without_ray(spec, tmp_path / "run")
    expected = Computing("bfloat16")
    rows = pq.read_table(run / "trials.parquet").to_pylist()
    assert {Computing.of(json.loads(row["config"])) for row in rows} == {expected}
    tuned = Tuned.read(run / "tuned.yaml")
    assert tuned.recipe().computing == expected
    fitted = tuned.fit()
    seen: list[torch.dtype] = []
    model = fitted.learner.model  # type: ignore[attr-defined]
    model[1].register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    fitted.learner.evaluate()
    assert set(seen) == {torch.bfloat16}
    # A fork computes as its parent did, and so can take its trials over.
    assert Fork.of(run, {"trials": 4}).spec.precision == "bfloat16"


def test_a_tuned_config_from_before_means_float32(tuned: Tuned, tmp_path: Path) -> None:
    tuned.write(tmp_path / "tuned.yaml")
    assert "computing" not in read_yaml(tmp_path / "tuned.yaml")["config"]
    assert Tuned.read(tmp_path / "tuned.yaml").recipe().computing == Computing()


def test_a_spec_says_what_is_searched_once(spec: SearchSpec) -> None:
    assert spec.computing == {"precision": "bfloat16"}
    assert SearchSpec("curriculum", "digits").computing == {}
    with pytest.raises(InputError, match=r"^--channels-last: got 1, expected true or false"):
        SearchSpec("curriculum", "digits", channels_last=1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^--compile: got 'auto', but what is computed by 2"):
        SearchSpec("curriculum", "digits", compile="auto", workers_per_trial=2)


def test_vectors_have_no_channels(refused: Callable[..., None], write_npz: WriteNpz) -> None:
    arguments = ("search", "curriculum", "--data", str(write_npz()), "--channels-last")
    refused(*arguments, words=["--channels-last: inputs of shape [4] have no channels"])
