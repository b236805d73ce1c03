"""The order of an epoch: shuffled, half 2D and half 3D, a function of the seed alone, at a size that matters."""

import hashlib
import tracemalloc

import numpy as np
import pytest

from hmr.data.loader import Batches

SIZES = (100_000, 70_000)
BATCH = 64


class Sized:
    """As many samples, and nothing else: orders need no pictures."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size


def batches(seed=0):
    return Batches([Sized(n) for n in SIZES], steps=9999, batch_size=BATCH, image_px=8, augmentation=None, seed=seed)


@pytest.mark.parametrize("pool", [0, 1])
def test_every_sample_comes_once_before_any_comes_again(pool):
    order, size = batches(), SIZES[pool]
    steps = -(-size * 2 // BATCH)
    seen = np.concatenate([order.indices(step, pool) for step in range(steps)])
    assert np.bincount(seen[:size], minlength=size).tolist() == [1] * size
    assert not (seen[:size] == np.arange(size)).mean() > 0.01  # shuffled
    again = np.concatenate([order.indices(step, pool) for step in range(steps, 2 * steps + 1)])
    assert (again[: size // 2] != seen[: size // 2]).mean() > 0.99  # afresh in the next epoch


def test_half_of_each_batch_has_3d_labels():
    order = batches()
    for step in (0, 1, 1562, 1563, 5000):
        assert [len(order.indices(step, pool)) for pool in (0, 1)] == [BATCH // 2, BATCH // 2]


def test_the_order_is_the_same_on_every_machine():
    """Pinned: PCG64 and the permutation are the same on all platforms, and a change of either should be seen."""

    def digest(seed):
        order = batches(seed)
        steps = [*range(0, 4000, 7)]
        chosen = np.concatenate([order.indices(step, pool) for step in steps for pool in (0, 1)])
        return hashlib.sha256(chosen.astype("<i8").tobytes()).hexdigest()[:16]

    assert digest(0) == "ace75d3ac6f81e8e"
    assert digest(1) != digest(0)


def test_a_long_way_through_takes_no_more_memory_than_a_short_one():
    def peak_bytes(first, last):
        order = batches()
        tracemalloc.start()
        for step in range(first, last, 97):
            for pool in (0, 1):
                order.indices(step, pool)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    short, long = peak_bytes(0, 3_000), peak_bytes(0, 40_000)  # one epoch, and a dozen
    held = 4 * 8 * max(SIZES)  # four orders of eight-byte numbers at the most
    assert short < held * 1.5 and long < held * 1.5
