"""What of a training set is set aside to watch trainings by: whole sequences of videos, whole pictures of the others.

The frame before, or the same one from another camera, would be known already, so what belongs together is set aside
together. The choice depends on the set alone: its pre-training, all variants and all seeds leave out the same.
"""

import hashlib

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from hmr.data.store import Store

MOST = 0.1  # of a set
_A_SEQUENCE = 16  # samples of one sequence are worth no more than so many


def trained_on(store: Store, wanted: int) -> Int[ndarray, "rows"]:
    """The rows that are left to train on."""
    return np.flatnonzero(~_set_aside(store, wanted))


def watched(store: Store, wanted: int) -> Int[ndarray, "rows"]:
    """About `wanted` of the rows that are set aside, evenly spaced; fewer where a tenth of the set is fewer."""
    rows = np.flatnonzero(_set_aside(store, wanted))
    return rows[np.linspace(0, len(rows) - 1, min(wanted, len(rows))).round().astype(int)]


def _set_aside(store: Store, wanted: int) -> ndarray:
    """A flag for each row. Sequences come in the order of a hash of their names, until there are enough."""
    names, members = np.unique(_wholes(store), return_inverse=True)
    sizes, chosen, found = np.bincount(members), np.zeros(len(names), bool), 0
    for place in sorted(range(len(names)), key=lambda k: hashlib.sha256(names[k].encode()).digest()):
        if found < wanted and sizes[chosen].sum() + sizes[place] <= MOST * len(store):
            chosen[place], found = True, found + min(sizes[place], _A_SEQUENCE)
    return chosen[members]


def _wholes(store: Store) -> list[str]:
    """The sequence or picture that each row is of; a picture may show several people (SET/PICTURE/PERSON)."""
    columns = (store[name].tolist() for name in ("sample_id", "subject", "action", "trial"))
    return [
        f"{subject}/{action}/{trial}" if subject else "/".join(sample_id.split("/")[:2])
        for sample_id, subject, action, trial in zip(*columns, strict=True)
    ]
