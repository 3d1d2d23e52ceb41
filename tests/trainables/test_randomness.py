from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from trainables.foundation.randomness import RandomState, derive_seed, keyed_uniform, permutation

CPU = torch.device("cpu")
KEYS = [0, 1, 2, derive_seed(0, "augmentation", 0, 0), derive_seed(0, "augmentation", 0, 64)]
# sha256 of "(0,)", "(0, 'order', '3')" and "(17, 'augmentation', '2', '640')", the first 63 bits.
DERIVED = {
    (): 5254295370254170289,
    ("order", 3): 8580984859527158503,
    ("augmentation", 2, 640): 226846373559802102,
}


def test_derived_seeds_never_change() -> None:
    # Journals and exported configs rely on these: other values are another experiment.
    assert derive_seed(0) == DERIVED[()]
    assert derive_seed(0, "order", 3) == DERIVED["order", 3]
    assert derive_seed(17, "augmentation", 2, 640) == DERIVED["augmentation", 2, 640]


def test_derived_seeds_of_other_seeds_and_purposes_differ() -> None:
    purposes = [(), ("a",), ("b",), ("a", 1), ("a", 11), ("a", 1, 1), ("a1",), ("a", "1", "1 ")]
    seeds = {derive_seed(seed, *purpose) for seed in range(100) for purpose in purposes}
    assert len(seeds) == 100 * len(purposes)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_permutations_are_of_their_seed_alone() -> None:
    state = torch.get_rng_state()
    first = permutation(50, 7)
    assert sorted(first.tolist()) == list(range(50))
    assert torch.equal(first, permutation(50, 7))
    assert not torch.equal(first, permutation(50, 8))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("key", KEYS)
def test_keyed_numbers_are_uniform(key: int) -> None:
    drawn = keyed_uniform(torch.arange(50_000), key, 3)
    assert drawn.shape == (50_000, 3)
    assert drawn.dtype == torch.float32
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    for column in drawn.T.double().numpy():
        assert kstest(column, "uniform").pvalue > 1e-3


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return abs(float(np.corrcoef(first.double().numpy(), second.double().numpy())[0, 1]))


@pytest.mark.parametrize("key", KEYS)
def test_neighbouring_indices_draws_and_keys_have_nothing_in_common(key: int) -> None:
    count = 40_000
    drawn = keyed_uniform(torch.arange(count), key, 3)
    bound = 4.5 / count**0.5  # of independent numbers, the standard deviation is 1 / sqrt(n)
    for lag in (1, 2, 3, 64, 1024):
        assert correlation(drawn[:-lag, 0], drawn[lag:, 0]) < bound
    assert correlation(drawn[:, 0], drawn[:, 1]) < bound
    assert correlation(drawn[:, 1], drawn[:, 2]) < bound
    for other in (key + 1, key + 2, key ^ (1 << 40)):
        assert correlation(drawn[:, 0], keyed_uniform(torch.arange(count), other, 3)[:, 0]) < bound


def test_one_index_is_uniform_over_keys() -> None:
    keys = [derive_seed(0, "augmentation", epoch, 0) for epoch in range(3000)]
    drawn = torch.cat([keyed_uniform(torch.tensor([5]), key, 1)[0] for key in keys])
    assert kstest(drawn.double().numpy(), "uniform").pvalue > 1e-3


def test_keyed_numbers_are_of_index_and_key_alone() -> None:
    indices = torch.tensor([3, 9, 2**40, 0])
    whole = keyed_uniform(indices, 11, 2)
    alone = [keyed_uniform(index[None], 11, 2)[0] for index in indices]
    assert torch.equal(whole, torch.stack(alone))
    assert len(whole.unique()) == 8


def test_a_random_state_goes_on_where_it_was_and_leaves_the_global_one() -> None:
    before = torch.get_rng_state()
    state = RandomState(3, CPU)
    with state.active():
        first = torch.rand(4)
    torch.rand(1)
    moved = torch.get_rng_state()
    with state.active():
        second = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), moved)
    torch.set_rng_state(before)
    expected = torch.rand(8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(torch.cat([first, second]), expected)


def test_a_random_state_remembers_where_an_error_left_it() -> None:
    state, other = RandomState(3, CPU), RandomState(3, CPU)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), state.active():
        torch.rand(4)
        _ = 1 / 0
    assert torch.equal(torch.get_rng_state(), before)
    with other.active():
        torch.rand(4)
    for name, value in state.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_a_saved_random_state_is_a_snapshot() -> None:
    state, other = RandomState(3, CPU), RandomState(4, CPU)
    saved = state.state_dict()
    with state.active():
        first = torch.rand(4)
    other.load_state_dict(saved)
    with other.active():
        assert torch.equal(torch.rand(4), first)


def test_seeding_a_cpu_state_leaves_the_gpus_alone(monkeypatch) -> None:
    def refuse(seed: int) -> None:
        raise AssertionError("the GPUs were seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    with pytest.raises(AssertionError):
        torch.manual_seed(0)  # what must not be used
    RandomState(3, CPU)
