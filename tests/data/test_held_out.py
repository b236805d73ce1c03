"""What is set aside of a training set: whole sequences or pictures, few of them, the same ones always."""

import numpy as np
import pytest

from hmr.data import held_out


class Table(dict):
    """Columns that say where each row is from, as a store has them."""

    def __len__(self) -> int:
        return len(self["sample_id"])


def table(rows: list[tuple[str, str, str, int]]) -> Table:
    names = ("sample_id", "subject", "action", "trial")
    return Table({name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


VIDEOS = [
    (f"human36m/S{s}/A{a} {t}.{camera}/{frame:06d}", f"S{s}", f"A{a}", t)
    for s in range(3)
    for a in range(8)
    for t in range(2)
    for camera in range(4)
    for frame in range(5)
]
# Pictures with one to three people.
PICTURES = [(f"coco/{picture}/{person}", "", "", -1) for picture in range(150) for person in range(1 + picture % 3)]


@pytest.mark.parametrize(("rows", "whole"), [(VIDEOS, slice(1, 4)), (PICTURES, 0)])
def test_sequences_and_pictures_are_left_out_whole_and_watched_evenly(rows, whole):
    store = table(rows)
    kept, seen = held_out.trained_on(store, 24), held_out.watched(store, 24)
    out = np.setdiff1d(np.arange(len(rows)), kept)
    parts = [row[whole] if isinstance(whole, slice) else row[whole].rpartition("/")[0] for row in rows]
    assert {parts[k] for k in kept}.isdisjoint(parts[k] for k in out)
    assert set(seen) <= set(out) and len(set(seen)) == len(seen) == 24
    assert 24 <= len(out) <= len(rows) / 10 and len({parts[k] for k in out}) > 1


def test_the_choice_is_the_set_s_own():
    """Rows in another order, as another reader might give them, leave the same samples out."""
    order = np.random.default_rng(0).permutation(len(VIDEOS))
    kept = {VIDEOS[k] for k in held_out.trained_on(table(VIDEOS), 24)}
    assert kept == {VIDEOS[order[k]] for k in held_out.trained_on(table([VIDEOS[k] for k in order]), 24)}


def test_nothing_is_left_out_unasked_nor_of_what_has_too_few_sequences():
    few = [row for row in VIDEOS if row[1] == "S0" and row[2] in ("A0", "A1")]
    for rows, wanted in ((VIDEOS, 0), (few, 24)):
        assert held_out.trained_on(table(rows), wanted).tolist() == list(range(len(rows)))
        assert not len(held_out.watched(table(rows), wanted))
