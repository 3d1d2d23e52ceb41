import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import ClusterError, TrialResources, slots
from cluster.resources import DRIVER_CPUS, require_slots, share

Node = dict[str, float]


def cpu_nodes(*cpus: float) -> list[Node]:
    return [{"CPU": count, "memory": 1e9} for count in cpus]


@pytest.mark.parametrize(
    ("nodes", "trial", "expected"),
    [
        ([], TrialResources(1, 0, 1), 0),
        (cpu_nodes(2), TrialResources(1, 0, 1), 2),
        (cpu_nodes(2), TrialResources(2, 0, 1), 1),
        (cpu_nodes(2), TrialResources(0.1, 0, 1), 20),
        (cpu_nodes(0.3), TrialResources(0.1, 0, 1), 3),
        # One worker does not spread: three CPUs are left over.
        (cpu_nodes(3, 3, 3), TrialResources(2, 0, 1), 3),
        (cpu_nodes(1, 1), TrialResources(2, 0, 1), 0),
        # Several do, and their trial's driver finds room beside them.
        (cpu_nodes(1, 1), TrialResources(2, 0, 2), 1),
        (cpu_nodes(2), TrialResources(2, 0, 2), 1),
        (cpu_nodes(3, 3, 3), TrialResources(2, 0, 2), 4),
        (cpu_nodes(8), TrialResources(4, 0, 2), 2),
        (cpu_nodes(4), TrialResources(8, 0, 2), 0),
        # Two drivers on one of four single CPUs leave three workers where four are needed.
        (cpu_nodes(1, 1, 1, 1), TrialResources(2, 0, 2), 1),
        (cpu_nodes(2, 2), TrialResources(2, 0, 2), 2),
        # GPUs.
        ([{"CPU": 16, "GPU": 4}], TrialResources(1, 1, 1), 4),
        ([{"CPU": 2, "GPU": 4}], TrialResources(1, 1, 1), 2),
        ([{"CPU": 16, "GPU": 4}], TrialResources(1, 0.5, 1), 8),
        ([{"CPU": 16, "GPU": 2}], TrialResources(1, 0.4, 1), 4),
        ([{"CPU": 16, "GPU": 1}], TrialResources(1, 1 / 3, 1), 3),
        ([{"CPU": 16, "GPU": 3}], TrialResources(1, 2, 1), 1),
        ([{"CPU": 16}, {"CPU": 1, "GPU": 1}], TrialResources(2, 1, 1), 0),
        ([{"CPU": 8, "GPU": 1}, {"CPU": 8, "GPU": 1}], TrialResources(2, 2, 2), 1),
        ([{"CPU": 8, "GPU": 4}, {"CPU": 8, "GPU": 4}], TrialResources(4, 4, 2), 2),
        # A range of workers counts with what it needs, and is driven even where that is one.
        (cpu_nodes(8), TrialResources(2, 0, 2, 4), 4),
        (cpu_nodes(4), TrialResources(1, 0, 1, 4), 4),
        (cpu_nodes(2), TrialResources(4, 0, 4, 8), 0),
    ],
)
def test_slots_by_hand(nodes: list[Node], trial: TrialResources, expected: int) -> None:
    assert slots(nodes, trial) == expected


def test_what_the_workers_and_the_driver_of_a_trial_ask_for() -> None:
    alone = TrialResources(2, 1, 1)
    assert (alone.driver_cpus, alone.worker_cpus, alone.worker_gpus) == (2, 2, 1)
    pair = TrialResources(2, 2, 2)
    assert (pair.driver_cpus, pair.worker_cpus, pair.worker_gpus) == (DRIVER_CPUS, 0.99, 1)


@pytest.mark.parametrize(
    ("nodes", "trial", "trials", "expected"),
    [
        (cpu_nodes(8), TrialResources(2, 0, 2, 4), 4, 2),
        (cpu_nodes(8), TrialResources(2, 0, 2, 4), 3, 2),
        (cpu_nodes(9), TrialResources(2, 0, 2, 4), 3, 3),
        (cpu_nodes(8), TrialResources(2, 0, 2, 4), 2, 4),
        # Alone it may take what comes later.
        (cpu_nodes(2), TrialResources(2, 0, 2, 4), 1, 4),
        (cpu_nodes(8), TrialResources(2, 0, 2), 2, 2),
        ([{"CPU": 16, "GPU": 4}], TrialResources(1, 1, 1, 3), 2, 2),
    ],
)
def test_shares_by_hand(
    nodes: list[Node], trial: TrialResources, trials: int, expected: int
) -> None:
    assert share(nodes, trial, trials) == expected


some_nodes = st.lists(
    st.fixed_dictionaries(
        {"CPU": st.integers(0, 12).map(float)}, optional={"GPU": st.integers(0, 4).map(float)}
    ),
    max_size=5,
)


@st.composite
def some_trials(draw: st.DrawFn) -> TrialResources:
    workers = draw(st.integers(1, 4))
    share = draw(st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0, 3.0]))
    gpus = draw(st.sampled_from([0.0, 0.0, 1.0, 2.0] + [0.25, 0.4] * (workers == 1)))
    return TrialResources(share * workers, gpus * workers, workers)


def place(nodes: list[Node], trial: TrialResources, count: int, seed: int) -> bool:
    """Whether Ray could start the trials: drivers anywhere, GPUs one by one, then the workers."""
    choose = random.Random(seed)
    cpus = [round(node["CPU"] * 10_000) for node in nodes]
    gpus = [[10_000] * int(node.get("GPU", 0)) for node in nodes]
    driver, worker = round(trial.driver_cpus * 10_000), round(trial.worker_cpus * 10_000)
    if trial.workers > 1:
        crowded = choose.random() < 0.5
        for _ in range(count):
            open_nodes = [i for i, free in enumerate(cpus) if free >= driver]
            if not open_nodes:
                return False
            cpus[open_nodes[0] if crowded else choose.choice(open_nodes)] -= driver
    for _ in range(count * trial.workers):
        if not any(take(cpus, gpus[i], i, worker, trial.worker_gpus) for i in range(len(nodes))):
            return False
    return True


def take(cpus: list[int], devices: list[int], node: int, cpu: int, gpu: float) -> bool:
    share = round(gpu * 10_000)
    wanted = [min(share, 10_000)] * math.ceil(share / 10_000)
    chosen = [i for i, free in enumerate(devices) if wanted and free >= wanted[0]][: len(wanted)]
    if cpus[node] < cpu or len(chosen) < len(wanted):
        return False
    cpus[node] -= cpu
    for i in chosen:
        devices[i] -= wanted[0]
    return True


@given(some_nodes, some_trials(), st.integers(0, 1000))
def test_as_many_trials_as_slots_really_fit(
    nodes: list[Node], trial: TrialResources, seed: int
) -> None:
    assert place(nodes, trial, slots(nodes, trial), seed)


@given(some_nodes, some_trials(), st.integers(0, 1000))
def test_one_more_one_worker_trial_than_slots_does_not_fit(
    nodes: list[Node], trial: TrialResources, seed: int
) -> None:
    alone = TrialResources(trial.worker_cpus, trial.worker_gpus, 1)
    assert not place(nodes, alone, slots(nodes, alone) + 1, seed)


@given(some_nodes, some_nodes, some_trials())
def test_more_nodes_never_mean_fewer_slots(
    nodes: list[Node], more: list[Node], trial: TrialResources
) -> None:
    assert slots(nodes + more, trial) >= slots(nodes, trial)


@given(some_nodes, some_trials(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_does_not_matter(
    nodes: list[Node], trial: TrialResources, shuffler: random.Random
) -> None:
    shuffled = list(nodes)
    shuffler.shuffle(shuffled)
    assert slots(shuffled, trial) == slots(nodes, trial)


@pytest.mark.parametrize(
    ("nodes", "trial", "words"),
    [
        (
            cpu_nodes(2, 1),
            TrialResources(4, 0, 1),
            "a trial asks for 4 CPUs but the largest node has 2: use --cpus-per-trial 2 or fewer",
        ),
        (cpu_nodes(2), TrialResources(1, 1, 1), "a trial asks for 1 GPU but no node has any"),
        (
            [{"CPU": 8, "GPU": 2}],
            TrialResources(1, 4, 1),
            "a trial asks for 4 GPUs but the largest node has 2: use --gpus-per-trial 2 or fewer",
        ),
        (
            [{"CPU": 16}, {"CPU": 1, "GPU": 1}],
            TrialResources(2, 1, 1),
            "a trial asks for 2 CPUs and 1 GPU but no single node has both",
        ),
        (
            cpu_nodes(2),
            TrialResources(4, 0, 4),
            "a trial asks for 4 workers of 0.99 CPUs, and its driver for 0.01 CPU, but the "
            "cluster has room for 2 such workers: use fewer --workers-per-trial or a smaller "
            "--cpus-per-trial",
        ),
        (
            cpu_nodes(2),
            TrialResources(4, 0, 4, 8),
            "a trial asks for at least 4 workers of 0.99 CPUs, and its driver for 0.01 CPU",
        ),
        ([], TrialResources(1, 0, 1), "a trial asks for 1 CPU but no node has any"),
    ],
)
def test_refusals_name_what_was_asked_and_what_there_is(
    nodes: list[Node], trial: TrialResources, words: str
) -> None:
    with pytest.raises(ClusterError) as refused:
        require_slots(nodes, trial)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("cpus", "gpus", "workers", "words"),
    [
        (0, 0, 1, "more than 0 CPUs, not 0"),
        (-1, 0, 1, "more than 0 CPUs"),
        (math.nan, 0, 1, "more than 0 CPUs, not nan"),
        (math.inf, 0, 1, "more than 0 CPUs, not inf"),
        (1, -1, 1, "0 or more GPUs, not -1"),
        (1, math.nan, 1, "0 or more GPUs, not nan"),
        (1, 0, 0, "whole number of workers, not 0"),
        (1, 0, 1.5, "whole number of workers, not 1.5"),
        (1, 1.5, 1, "whole ones"),
        (4, 3, 2, "whole ones"),
        (2, 1, 2, "1 GPU for 2 workers: workers of one trial need a GPU each"),
        (0.02, 0, 2, "--cpus-per-trial 0.0202 or more"),
        (0.00001, 0, 1, "--cpus-per-trial 0.0001 or more"),
        (1, 0.00001, 1, "too few"),
    ],
)
def test_silly_values_are_refused(cpus: float, gpus: float, workers: int, words: str) -> None:
    with pytest.raises(ClusterError) as refused:
        TrialResources(cpus, gpus, workers)
    assert words in str(refused.value)


def test_the_least_that_a_refusal_names_is_accepted() -> None:
    assert TrialResources(0.0202, 0, 2).worker_cpus == pytest.approx(0.0001)
