"""Whose boxes: the method's own, or SPIN's, on which its published numbers depend. A box is a crop's middle and scale.

SPIN's box is 1.2 times the long side of the box round the labelled joints, for Human3.6M 0.9 times that of the
person's mask, and fills the network's picture.
# ASSUME: for MPII and COCO SPIN takes boxes that the owners or others give; here they are made from joints as well.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from hmr.data.augment import VIEW_REFERENCE_PX
from hmr.data.crop import PERSON_REFERENCE_PX
from hmr.data.readers.extent import box_center
from hmr.data.sample import Rejected, Sample
from hmr.errors import UserError

BOXES = ("hmr", "spin")
JOINTS_MARGIN, MASK_MARGIN = 1.2, 0.9


def boxed(entries: Iterable[Sample | Rejected], boxes: str) -> Iterator[Sample | Rejected]:
    """The same samples with boxes made as `boxes` says."""
    if boxes not in BOXES:
        raise UserError(f"normalize.boxes: expected {' or '.join(BOXES)}, found {boxes!r}")
    for entry in entries:
        yield spin_box(entry) if boxes == "spin" and isinstance(entry, Sample) else entry


def spin_box(sample: Sample) -> Sample:
    """The sample with SPIN's box."""
    if sample.mask_box_px is not None:
        corners, margin = np.reshape(sample.mask_box_px, (2, 2)), MASK_MARGIN
    else:
        corners, margin = sample.keypoints_2d_px[sample.visible], JOINTS_MARGIN
    if not len(corners):
        return sample
    side_px = margin * float(np.ptp(corners, 0).max())
    center = box_center(corners, np.ones(len(corners), bool))
    return replace(sample, center_px=center, person_px=side_px * PERSON_REFERENCE_PX / VIEW_REFERENCE_PX)
