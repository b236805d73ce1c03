"""Contact sheets of a normalized set: its crops with the labelled keypoints over them, right red and left blue.

Swapped sides, shifted labels and wrong sizes are found by looking; these sheets are there to be looked at.
"""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hmr.body.joints import COCOPLUS_19, LSP_BONES
from hmr.data import augment
from hmr.data.store import Store
from hmr.render import draw_keypoints, tile

SAMPLES = 24
COLUMNS = 8
VIEW_PX = 160
_RIGHT, _LEFT = (
    [i for i, joint in enumerate(COCOPLUS_19.joints) if joint.startswith(side)] for side in ("right_", "left_")
)


def contact_sheet(store: Store) -> UInt8[ndarray, "height width 3"]:
    """Samples evenly spread over the set, in its order and not chosen by eye, each under the last part of its name."""
    rows = np.unique(np.linspace(0, len(store) - 1, min(SAMPLES, len(store))).round().astype(int)).tolist()
    to_view, _ = shown_view(store, VIEW_PX)
    keypoints_px, visible, names = store["keypoints_2d_px"], store["visible"], store["sample_id"]
    pictures = [
        labelled(augment.warp(store.images(row), to_view, VIEW_PX), keypoints_px[row], visible[row], to_view)
        for row in rows
    ]
    return tile(pictures, COLUMNS, [str(names[row]).partition("/")[2] for row in rows])


def shown_view(store: Store, image_px: int) -> tuple[Float[ndarray, "2 3"], float]:
    """The map from crops to pictures of them, and the reference pixels in these: the paper's view's, or the crop's."""
    view_px = min(augment.VIEW_REFERENCE_PX, store.crop_size.reference_px)
    views = augment.plain_views(1)
    return augment.view_matrices(views, crop=store.crop_size, image_px=image_px, view_px=view_px)[0], view_px


def labelled(view: ndarray, keypoints_px: ndarray, visible: ndarray, to_view: ndarray) -> ndarray:
    """Keypoints (19, 2) of the crop over a view of it (H, W, 3), to which `to_view` (2, 3) takes the crop's pixels."""
    # The renderer counts from a pixel's corner, the data from its centre.
    moved_px = keypoints_px @ to_view[:, :2].T + to_view[:, 2] + 0.5
    return draw_keypoints(view, moved_px, visible, bones=LSP_BONES, right=_RIGHT, left=_LEFT)
