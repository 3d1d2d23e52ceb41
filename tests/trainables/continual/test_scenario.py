"""Settings, what the search sees, and what a verdict says."""

from __future__ import annotations

from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError, coordinates, options
from trainables.foundation.randomness import permutation
from trainables.parts.models.mlp import MLP
from trainables.scenarios.continual import Continual
from trainables.scenarios.continual.learner import ContinualLearner
from trainables.scenarios.continual.scenario import SCENARIO
from trainables.scenarios.continual.stream import Stream, StreamData, draw_tasks
from trainables.trials.trial_run import TrialRequest, TrialRun

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("classes", "tasks", "expected"),
    [
        (7, 3, (3, 2, 2)),
        (7, 2, (4, 3)),
        (7, 7, (1,) * 7),
        (11, 4, (3, 3, 3, 2)),
        (101, 10, (11, *[10] * 9)),
        (8, 4, (2, 2, 2, 2)),
    ],
)
def test_tasks_are_as_even_as_can_be(make_npz_view, classes, tasks, expected) -> None:
    view = make_npz_view({"": classes}, tasks=tasks, hpo_protocol="first_task")
    assert view.sizes == expected and view.tasks == tasks
    data = StreamData.of(view, CPU)
    for seed in (0, 1):
        drawn = data.tasks_of(seed)
        assert tuple(map(len, drawn)) == expected
        assert sorted(chain(*drawn)) == list(range(classes))
        stream = Stream(data, seed)
        assert stream.sizes == list(expected) and stream.tasks == tasks
        assert [len(stream.train(each)) for each in range(tasks)] == [12 * n for n in expected]
    assert data.tasks_of(0) != data.tasks_of(1)
    assert len(view.development[0]) == expected[0]


def test_even_tasks_are_those_that_they_always_were(make_stream) -> None:
    """The order of a seed is kept from version to version, or runs could not be taken up."""
    order = permutation(8, 5).tolist()
    assert draw_tasks((2, 2, 2, 2), (), 5) == tuple(tuple(order[n : n + 2]) for n in (0, 2, 4, 6))
    assert make_stream().sizes == (2, 2, 2, 2)


def test_sizes_of_tasks_can_be_given(make_npz_view) -> None:
    for given in ("2,4,1", " 2, 4 ,1"):
        view = make_npz_view({"": 7}, task_sizes=given, hpo_protocol="first_task")
        assert (view.tasks, view.sizes) == (3, (2, 4, 1))
        assert tuple(map(len, StreamData.of(view, CPU).tasks_of(3))) == (2, 4, 1)
    assert make_npz_view({"": 7}, tasks=3, task_sizes="2,4,1", dev_tasks=2).tasks == 3
    said = "Of the 3 tasks 1 has 1 class, 1 has 2 classes and 1 has 4 classes."
    assert SCENARIO.notes(view, MLP())[1] == said


def test_unequal_tasks_are_learnt_and_their_search_sees_the_first(make_npz_view) -> None:
    view = make_npz_view({"": 7}, tasks=3, dev_tasks=2)
    seen = SCENARIO.in_search(StreamData.of(view, CPU))
    assert (seen.tasks, seen.sizes, seen.num_classes) == (2, (3, 2), 5)
    assert Stream(seen, 0).sizes == [3, 2]
    config = SCENARIO.space(view).default()
    config["training"]["batch_size"] = 8
    learner = SCENARIO.learner(config, StreamData.of(view, CPU), 0, CPU)
    learner.begin(3.0)
    learner.advance(3.0)
    assert learner.finished and learner.network.sizes == [3, 2, 2]
    assert 0 <= learner.evaluate()["last_accuracy"] <= 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tasks": 8}, r"tasks: got 8, but data '.*' has 7 classes; allowed: 2 to 7\.$"),
        ({"task_sizes": "3,2"}, r"task_sizes: 3,2 make 5 classes, but data '.*' has 7; they must"),
        ({"task_sizes": "7"}, r"task_sizes: got '7', expected a whole number"),
        ({"task_sizes": "3,x,4"}, r"got '3,x,4', expected a whole number from 1"),
        ({"task_sizes": "7,0"}, r"got '7,0', expected a whole number from 1"),
        ({"task_sizes": "8,-1"}, r"got '8,-1', expected a whole number from 1"),
        ({"task_sizes": "3,2.5,1.5"}, r"got '3,2.5,1.5', expected a whole number from 1"),
        ({"task_sizes": 7}, r"task_sizes: got 7, expected a whole number"),
        ({"task_sizes": "3,2,2", "tasks": 4}, r"got 4, but task_sizes 3,2,2 are of 3 tasks"),
        ({"task_sizes": "3,2,2", "task_by": "group"}, r"task_by=group each task is a whole group"),
        ({"task_sizes": "3,2,2", "dev_tasks": 3}, r"must be fewer than tasks \(3\)"),
    ],
)
def test_tasks_that_cannot_be_made_are_refused(make_npz_view, settings, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        make_npz_view({"": 7}, **settings)
    assert "\n" not in str(refused.value)


def test_development_has_to_leave_tasks_unseen(make_stream) -> None:
    with pytest.raises(InputError, match=r"dev_tasks: got 3, must be fewer than tasks \(2\)"):
        make_stream(tasks=2)
    assert make_stream(tasks=2, hpo_protocol="oracle_stream").development == ()
    assert len(make_stream(tasks=2, hpo_protocol="first_task").development) == 1


@pytest.mark.parametrize(
    ("protocol", "tasks"), [("dev_tasks", 3), ("fixed", 3), ("first_task", 1)]
)
def test_the_search_is_given_the_first_tasks_of_one_order_and_no_other_class(
    make_stream, protocol: str, tasks: int
) -> None:
    data = StreamData.of(make_stream(hpo_protocol=protocol), CPU)
    seen = SCENARIO.in_search(data)
    assert (seen.tasks, seen.num_classes) == (tasks, 2 * tasks)
    assert seen.train.labels.unique().tolist() == list(range(2 * tasks))
    assert seen.tasks_of(1) == seen.tasks_of(2)
    assert len(seen.train) == 2 * tasks * 60 < len(data.train)
    shown = {tuple(row) for part in (seen.train, seen.validation) for row in part.inputs.tolist()}
    searched = set(chain(*data.seen))
    for row, label in zip(data.train.inputs.tolist(), data.train.labels.tolist(), strict=True):
        assert (tuple(row) in shown) == (label in searched)
    assert seen.seen == () and seen.transfer is None and seen.groups == ()
    assert SCENARIO.in_search(data) is seen, "made once for all trials"


def test_under_the_oracle_it_is_given_everything(make_stream) -> None:
    data = StreamData.of(make_stream(hpo_protocol="oracle_stream"), CPU)
    assert SCENARIO.in_search(data) is data


def test_the_verdicts_orders_differ_by_seed_and_from_the_searchs(make_stream) -> None:
    data = StreamData.of(make_stream(tasks=4, dev_tasks=2), CPU)
    orders = {data.tasks_of(seed) for seed in range(300)}
    assert len(orders) > 290
    searched = [set(task) for task in data.seen]
    for order in orders:
        assert sorted(chain(*order)) == list(range(8))
        assert [set(task) for task in order[:2]] != searched


def test_labels_are_places_in_the_order(make_stream) -> None:
    data = StreamData.of(make_stream(), CPU)
    stream, order = Stream(data, 5), data.tasks_of(5)
    for task in range(4):
        part = stream.train(task)
        assert part.labels.unique().tolist() == [2 * task, 2 * task + 1]
        rows = data.train.labels == order[task][0]
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


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("dev_tasks", "saw the first 3 of 4 tasks"),
        ("first_task", "penalties, replay, alignment) has no effect"),
        ("fixed", "nothing was tuned"),
        ("oracle_stream", "NOT REALISTIC"),
    ],
)
def test_what_a_verdict_is_not_to_be_read_without(make_stream, protocol: str, said: str) -> None:
    first, tasks, start = SCENARIO.notes(make_stream(hpo_protocol=protocol), MLP())
    assert first.startswith(f"hpo_protocol {protocol}: ") and said in first
    assert "4 tasks have 2 classes each" in tasks
    assert "no pre-trained backbone" in start


def test_the_verdict_also_tells_the_accuracy_on_classes_never_searched(make_stream) -> None:
    view = make_stream()
    (mask,) = SCENARIO.parts_of_test(view, view.validation).values()
    unseen = set(range(8)) - set(chain(*view.development))
    assert len(unseen) == 2
    assert set(view.validation.labels[mask]) == unseen
    assert not set(view.validation.labels[~mask]) & unseen
    assert SCENARIO.parts_of_test(make_stream(hpo_protocol="oracle_stream"), None) == {}


def test_validation_tells_it_too(make_stream_learner) -> None:
    learner = make_stream_learner("experience_replay", horizon=8.0)
    learner.advance(8.0)
    items, searched = learner.data.validation, list(chain(*learner.data.seen))
    unseen = ~torch.isin(items.labels, torch.tensor(searched))
    expected = learner.item_scores(items)[unseen].mean().item()
    assert learner.evaluate()["accuracy_on_unseen_classes"] == pytest.approx(expected)


def _search(protocol: str, **space: object) -> dict[str, dict[str, object]]:
    spec = SearchSpec(
        "continual", "digits", settings={"hpo_protocol": protocol}, space=space, max_epochs=7.0
    )
    space_of = prepare(spec).space
    arms = {name: space_of.only("algorithm", name) for name in space_of.options("algorithm")}
    return {
        name: {"free": coordinates(arm), "config": arm.default()} for name, arm in arms.items()
    }


def test_under_fixed_nothing_is_left_to_choose_but_the_algorithm() -> None:
    arms = _search("fixed", **{"optimizer": "sgd", "optimizer.sgd.lr": 0.03})
    assert set(arms) == set(options(Continual))
    for name, arm in arms.items():
        assert arm["free"] == {}
        assert arm["config"]["algorithm"]["name"] == name
        assert arm["config"]["optimizer"]["lr"] == 0.03, "what the user says is a default too"
        assert arm["config"]["training"]["epochs"] == 7.0


def test_under_first_task_what_has_no_effect_there_is_not_searched() -> None:
    arms = _search("first_task")
    own = {
        name: {each for each in arm["free"] if each.startswith("algorithm")}
        for name, arm in arms.items()
    }
    assert own.pop("slca") == {"algorithm.slow"}
    assert set(chain(*own.values())) == set()
    assert all("optimizer.lr" in arm["free"] for arm in arms.values())


@pytest.mark.parametrize("name", sorted(options(Continual)))
def test_stability_is_what_changes_nothing_in_a_first_task(make_stream_learner, name: str) -> None:
    def trained(**changed: object) -> list[torch.Tensor]:
        learner = make_stream_learner(options(Continual)[name](**changed), horizon=100.0)
        learner.open_epoch()
        torch.manual_seed(0)
        for step in range(5):
            learner.step_in_epoch = step
            learner._train()
        return list(learner.network.state_dict().values())

    _assert_stability(options(Continual)[name], trained)


def _assert_stability(kind: type[Continual], trained) -> None:
    plain, own = trained(), SCENARIO.space(_Vectors()).only("algorithm", kind.part_name())
    for path, leaf in coordinates(own).items():
        section, _, field = path.partition("{")[0].partition(".")
        if section != "algorithm" or field == "name":
            continue
        other = leaf.choices[-1] if hasattr(leaf, "choices") else leaf.high
        same = all(map(torch.equal, plain, trained(**{field: other})))
        assert same == (field in kind.stability), field


class _Vectors:
    input_shape = (6,)
    train = SimpleNamespace(columns={})


def _grouped(make_npz_view, **settings: object):
    return make_npz_view({"a": 1, "b": 4, "c": 2, "d": 3}, task_by="group", **settings)


def test_tasks_may_be_groups_of_unequal_size(make_npz_view) -> None:
    view = _grouped(make_npz_view, tasks=4)
    data = StreamData.of(view, CPU)
    drawn = data.tasks_of(0)
    assert sorted(map(len, drawn)) == [1, 2, 3, 4]
    for task in drawn:
        assert len({view.classes[number].partition("/")[0] for number in task}) == 1
    assert len({data.tasks_of(seed) for seed in range(100)}) > 15
    assert data.tasks_of(3) == data.tasks_of(3)
    assert "groups of classes, of 1 to 4 classes, 4 of 4 groups" in SCENARIO.notes(view, MLP())[1]


def test_as_many_groups_are_drawn_as_there_are_tasks_by_the_datas_seed(make_npz_view) -> None:
    views = [_grouped(make_npz_view, tasks=2, hpo_protocol="first_task", seed=s) for s in range(9)]
    kept = {tuple(sorted({name[0] for name in view.classes})) for view in views}
    assert all(len(each) == 2 for each in kept) and len(kept) > 2
    for view in views:
        for part in (view.train, view.validation):
            assert set(part.labels) == set(range(view.num_classes))
            # The first feature of every example is its class's number in the whole data.
            number = {c: float(n) for n, c in enumerate(sorted(make_npz_view.names))}
            expected = [number[view.classes[label]] for label in part.labels]
            assert part.inputs[:, 0].tolist() == expected


def test_the_sealed_test_has_the_same_groups(make_npz_view) -> None:
    view = _grouped(make_npz_view, tasks=2, hpo_protocol="first_task")
    items = make_npz_view.open_test(view)
    assert set(items.labels) == set(range(view.num_classes))
    number = {c: float(n) for n, c in enumerate(sorted(make_npz_view.names))}
    assert items.inputs[:, 0].tolist() == [number[view.classes[label]] for label in items.labels]


def test_a_stream_of_unequal_tasks_is_learnt_and_resumed(make_npz_view, assert_equal) -> None:
    view = _grouped(make_npz_view, tasks=4, dev_tasks=2)
    config = SCENARIO.space(view).only("algorithm", "slca").default()
    config["algorithm"] |= {"samples": 8, "alignment_epochs": 1}
    config["model"] |= {"width": 8, "depth": 1}
    config["training"]["batch_size"] = 8

    def new() -> ContinualLearner:
        return SCENARIO.learner(config, StreamData.of(view, CPU), 2, CPU)

    whole, half, resumed = new(), new(), new()
    whole.begin(12.0)
    spent = {0: 0}
    for compute in np.arange(0.1, 12.1, 0.1):
        whole.advance(compute)
        spent[whole.task] = whole.spent
    assert whole.finished
    assert [head.out_features for head in whole.network.heads] == whole.stream.sizes
    # Each task had its examples' share of the horizon.
    shares = np.array(whole.stream.counts(whole.data.train)) / len(whole.data.train)
    ends = [spent[task] / whole.horizon for task in range(3)]
    assert ends == pytest.approx(np.cumsum(shares)[:3], abs=0.04)
    half.begin(12.0)
    half.advance(5.3)
    resumed.load_state_dict(half.state_dict())
    resumed.advance(12.0)
    assert_equal(resumed.state_dict(), whole.state_dict())


def test_groups_that_are_not_there_are_refused_in_a_line(make_npz_view) -> None:
    with pytest.raises(InputError, match=r"tasks: got 9, .* has 4 groups .*; allowed: 2 to 4\.$"):
        _grouped(make_npz_view, tasks=9)
    with pytest.raises(InputError, match=r"task_by: got 'group', .* not called GROUP/CLASS"):
        make_npz_view({"": 4}, task_by="group", tasks=2, hpo_protocol="first_task")
    with pytest.raises(InputError, match="task_by"):
        SCENARIO.with_settings({"task_by": "groups"})


def test_transfer_searches_on_other_data_alone(make_npz_view) -> None:
    other = make_npz_view.write("other.npz", {"x": 2, "y": 2}, seed=1)
    settings = {"tasks": 2, "hpo_protocol": "transfer", "transfer_data": other}
    view = make_npz_view({"a": 1, "b": 3}, **settings)
    data = StreamData.of(view, CPU)
    seen = SCENARIO.in_search(data)
    assert seen.num_classes == 4 and seen.tasks == 2
    shown = {tuple(row) for row in seen.train.inputs.tolist()}
    assert not shown & {tuple(row) for row in data.train.inputs.tolist()}
    assert "streams of other.npz and nothing of data.npz" in SCENARIO.notes(view, MLP())[0]
    with pytest.raises(InputError, match=r"examples of 'copy.npz' are also in 'data.npz'"):
        copy = make_npz_view.write("copy.npz", {"b": 3, "a": 1})
        make_npz_view({"a": 1, "b": 3}, **settings | {"transfer_data": copy})
    with pytest.raises(InputError, match="transfer_data is missing"):
        make_npz_view({"a": 1, "b": 3}, tasks=2, hpo_protocol="transfer")
    with pytest.raises(InputError, match="hpo_protocol is dev_tasks"):
        make_npz_view({"a": 4}, tasks=4, transfer_data=other)
