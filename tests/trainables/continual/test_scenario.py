"""Settings, what the search sees, and backbones."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from search_spaces import InputError
from trainables.continual._scenario import SCENARIO, Settings, stream_view
from trainables.continual._stream import Stream, StreamData
from trainables.continual.slca import SLCA
from trainables.data import DataSpec, DataView
from trainables.models.mlp import MLP
from trainables.pretraining import pretrain, read_backbone, write_backbone
from trainables.trial_run import TrialRequest, TrialRun

CPU = torch.device("cpu")


def test_classes_are_divided_evenly_or_not_at_all(make_stream) -> None:
    with pytest.raises(InputError, match=r"8 classes .* into 3 tasks; allowed: 2, 4, 8\.$"):
        make_stream(tasks=3)


def test_development_has_to_leave_tasks_unseen(make_stream) -> None:
    with pytest.raises(InputError, match=r"dev_tasks: got 3, must be fewer than tasks \(2\)"):
        make_stream(tasks=2)
    assert make_stream(tasks=2, hpo_protocol="oracle_stream").development_tasks == 0


def test_the_search_is_given_the_first_tasks_of_one_order_and_no_other_class(make_stream) -> None:
    data = StreamData.of(make_stream(), CPU)
    seen = SCENARIO.in_search(data)
    assert (seen.tasks, seen.classes) == (3, 6)
    assert seen.train.labels.unique().tolist() == list(range(6))
    assert seen.order_of(1) == seen.order_of(2)
    assert len(seen.train) == 6 * 60 < len(data.train)
    shown = {tuple(row) for row in seen.train.inputs.tolist()}
    hidden = set(data._development_order[6:])
    for row, label in zip(data.train.inputs.tolist(), data.train.labels.tolist(), strict=True):
        assert (tuple(row) in shown) == (label not in hidden)
    assert SCENARIO.in_search(data) is seen, "made once for all trials"


def test_under_the_oracle_it_is_given_everything(make_stream) -> None:
    data = StreamData.of(make_stream(hpo_protocol="oracle_stream"), CPU)
    assert SCENARIO.in_search(data) is data


def test_the_verdicts_orders_differ_by_seed_and_from_the_searchs(make_stream) -> None:
    data = StreamData.of(make_stream(tasks=4, dev_tasks=2), CPU)
    orders = {data.order_of(seed) for seed in range(300)}
    assert len(orders) > 290
    development = data._development_order
    for order in orders:
        assert sorted(order) == list(range(8))
        assert [set(order[i : i + 2]) for i in (0, 2)] != [
            set(development[i : i + 2]) for i in (0, 2)
        ]


def test_labels_are_places_in_the_order(make_stream) -> None:
    data = StreamData.of(make_stream(), CPU)
    stream, order = Stream(data, 5), data.order_of(5)
    for task in range(4):
        part = stream.train(task)
        assert part.labels.unique().tolist() == [2 * task, 2 * task + 1]
        rows = data.train.labels == order[2 * task]
        assert torch.equal(part.inputs[part.labels == 2 * task], data.train.inputs[rows])


@pytest.mark.parametrize("searching", [True, False])
def test_a_request_says_which_of_the_two_a_trial_is(make_stream, tmp_path, searching) -> None:
    view = make_stream()
    config = SCENARIO.space(view).only("algorithm", "fine_tuning").default()
    request = TrialRequest(
        1, "continual", config, 3, [4.0], "prefix", str(tmp_path), searching=searching
    )
    run = TrialRun(request, SCENARIO.on_device(view, CPU), CPU)
    assert run.learner.stream.tasks == (3 if searching else 4)
    assert run.next_rung().status == "done"
    assert run.learner.finished


def test_what_a_verdict_is_not_to_be_read_without(make_stream) -> None:
    said, started = SCENARIO.notes(make_stream(), MLP())
    assert "dev_tasks" in said and "first 3 of 4 tasks" in said
    assert "no pre-trained backbone" in started
    assert "oracle_stream" in SCENARIO.notes(make_stream(hpo_protocol="oracle_stream"), MLP())[0]


@pytest.fixture(scope="module")
def backbone(make_stream, tmp_path_factory):
    view = replace(make_stream(), name="other points", fingerprint="1" * 16)
    found = pretrain(view, MLP(), epochs=12, seed=0, device=CPU)
    path = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    write_backbone(path, found)
    return path, found


def test_a_backbone_survives_its_file(backbone) -> None:
    path, written = backbone
    read = read_backbone(path)
    assert (read.model, read.data, read.accuracy) == ("mlp", "other points", written.accuracy)
    assert read.accuracy > 0.8
    assert (
        read.weights.keys()
        == written.weights.keys()
        == {f"{layer}.{part}" for layer in (1, 3) for part in ("weight", "bias")}
    )


def test_learners_start_from_it(make_stream, backbone) -> None:
    path, written = backbone
    view = make_stream(backbone=str(path))
    config = SCENARIO.space(view).only("algorithm", "slca").default()
    learner = SCENARIO.learner(config, StreamData.of(view, CPU), 0, CPU)
    for name, value in written.weights.items():
        assert torch.equal(learner.network.backbone.state_dict()[name], value)
    assert isinstance(learner.algorithm, SLCA)
    assert SCENARIO.default_model(view) == "mlp"
    assert SCENARIO.space(view).options("model") == ["mlp"]
    assert "pre-trained on other points" in SCENARIO.notes(view, MLP())[1]


def test_a_backbone_trained_on_the_streams_own_data_is_refused(make_stream, backbone) -> None:
    path, _ = backbone
    stream = vars(make_stream()) | {"name": "other points"}
    own = DataView(**{each.name: stream[each.name] for each in fields(DataView)})
    with pytest.raises(InputError, match="the stream's own data"):
        stream_view(own, Settings(tasks=4, backbone=str(path)), 0)


def test_a_backbone_for_other_inputs_is_refused(backbone) -> None:
    path, _ = backbone
    with pytest.raises(InputError, match=r"another shape than \[1, 8, 8\]"):
        SCENARIO.load(DataSpec("digits"), Settings(backbone=str(path)))


def test_other_files_are_refused(tmp_path, make_stream) -> None:
    from trainables.trial_run import write_weights

    with pytest.raises(InputError, match="cannot read the weights"):
        make_stream(backbone=str(tmp_path / "none.safetensors"))
    write_weights(tmp_path / "bare.safetensors", {"a": torch.zeros(1)})
    with pytest.raises(InputError, match="is not what `automl-cl pretrain` writes"):
        make_stream(backbone=str(tmp_path / "bare.safetensors"))
