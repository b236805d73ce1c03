"""Contact sheets: test samples with the recovered body over them and from the side."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hmr.data import augment
from hmr.data.sheet import labelled
from hmr.data.store import Store
from hmr.prediction.placement import camera_in_image
from hmr.render import overlay, side_view, tile

VIEW_PX = 224
SETS = ("lsp", "human36m", "mpi_inf_3dhp")  # at most the first two that are there are shown
PANELS = ("input", "labels", "recovered body", "from the side")
_IN_PLACE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` rows, evenly spread and away from the ends."""
    wanted = min(count, wanted)
    return [int((k + 0.5) * count / wanted) for k in range(wanted)]


def choose(counts: dict[str, int], wanted: int) -> dict[str, list[int]]:
    """Rows to show from each data set, given how many samples it has: shared between two sets, the same for all."""
    shown = [dataset for dataset in SETS if counts.get(dataset)][:2]
    share = [wanted // len(shown) + (k < wanted % len(shown)) for k in range(len(shown))] if shown else []
    return {dataset: spread(counts[dataset], n) for dataset, n in zip(shown, share, strict=True) if n}


def panels(
    store: Store, row: int, vertices: Float[ndarray, "verts 3"], faces: ndarray, camera: Float[ndarray, "3"]
) -> list[UInt8[ndarray, "224 224 3"]]:
    """What the network saw, the labels, the recovered body over the picture and from its side.

    vertices: metres, root-relative, in the crop's camera frame. camera: scale and shift, as predicted.
    """
    to_view = augment.view_matrices(augment.plain_views(1), crop_px=int(store.attributes["crop_px"]), image_px=VIEW_PX)[
        0
    ]
    view = augment.warp(store.images(row), to_view, VIEW_PX)
    transl, pinhole = camera_in_image(camera, _IN_PLACE, VIEW_PX)
    placed = vertices + transl
    return [
        view,
        labelled(view, store["keypoints_2d_px"][row], store["visible"][row], to_view),
        overlay(view, placed, faces, pinhole),
        side_view(placed, faces, pinhole, view.shape[:2]),
    ]


def sheet(rows: list[list[ndarray]], captions: list[str]) -> UInt8[ndarray, "height width 3"]:
    """Two samples a line, each panel named, the first one by its sample."""
    pictures = [picture for row in rows for picture in row]
    names = [name for caption in captions for name in (caption, *PANELS[1:])]
    return tile(pictures, 2 * len(PANELS), names)


def caption(title: str, store: Store, row: int) -> str:
    """A sample's short name: its data set, then who does what, or the last part of its id."""
    names = [str(store[name][row]) for name in ("subject", "action")]
    return " ".join([title, *([name for name in names if name] or [str(store["sample_id"][row]).rsplit("/", 1)[-1]])])
