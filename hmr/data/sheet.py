"""Contact sheets of a normalized set: its crops with the labelled keypoints over them, right red and left blue.

Swapped sides, shifted labels and wrong sizes are found by looking; these sheets are there to be looked at.
"""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from hmr.body.joints import COCOPLUS_19, LSP_BONES
from hmr.data import augment
from hmr.data.store import Store
from hmr.render import draw_keypoints, tile

SAMPLES = 24
COLUMNS = 8
VIEW_PX = 160  # shows what the network sees, without the margin for jitter
_RIGHT, _LEFT = (
    [i for i, joint in enumerate(COCOPLUS_19.joints) if joint.startswith(side)] for side in ("right_", "left_")
)


def contact_sheet(store: Store) -> UInt8[ndarray, "height width 3"]:
    """Samples evenly spread over the set, in its order and not chosen by eye, each under the last part of its name."""
    rows = np.unique(np.linspace(0, len(store) - 1, min(SAMPLES, len(store))).round().astype(int)).tolist()
    to_view = augment.view_matrices(augment.plain_views(1), crop_px=int(store.attributes["crop_px"]), image_px=VIEW_PX)[
        0
    ]
    keypoints_px, visible, names = store["keypoints_2d_px"], store["visible"], store["sample_id"]
    pictures = [
        labelled(augment.warp(store.images(row), to_view, VIEW_PX), keypoints_px[row], visible[row], to_view)
        for row in rows
    ]
    return tile(pictures, COLUMNS, [str(names[row]).partition("/")[2] for row in rows])


def labelled(view: ndarray, keypoints_px: ndarray, visible: ndarray, to_view: ndarray) -> ndarray:
    """Keypoints (19, 2) of the crop over a view of it (H, W, 3), to which `to_view` (2, 3) takes the crop's pixels."""
    # The renderer counts from a pixel's corner, the data from its centre.
    moved_px = keypoints_px @ to_view[:, :2].T + to_view[:, 2] + 0.5
    return draw_keypoints(view, moved_px, visible, bones=LSP_BONES, right=_RIGHT, left=_LEFT)
