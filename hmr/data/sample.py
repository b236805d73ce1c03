"""One person in one image, as a data set's reader hands it over, and one that was left out."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hmr.body.joints import COCOPLUS_19, JointSet


def _unknown_point() -> np.ndarray:
    return np.full(2, np.nan)


@dataclass(frozen=True)
class Sample:
    """A person in an image with all that the data set says about it. Missing numbers are NaN, missing arrays None."""

    sample_id: str  # stable, says where the sample came from: SET/PICTURE or SET/PICTURE/PERSON unless it has a subject
    load_image: Callable[[], np.ndarray]  # BGR uint8 (H, W, 3), as OpenCV decodes and encodes; raises UserError if none
    keypoints_2d_px: np.ndarray  # (19, 2) in the source image
    visible: np.ndarray  # (19,) bool: labelled and to be counted
    center_px: np.ndarray  # (2,) the middle of the crop
    person_px: float  # the length that becomes 150 reference pixels
    mask_box_px: np.ndarray | None = None  # (4,) left, top, right, bottom of the person's mask, if boxes are made of it
    joints_3d_m: np.ndarray | None = None  # (14, 3) LSP's 14, camera frame
    joints_3d_native_m: np.ndarray | None = None  # (J, 3) the data set's own
    pose_axis_angle: np.ndarray | None = None  # (24, 3) root first, camera frame
    betas: np.ndarray | None = None  # (10,)
    focal_px: float = float("nan")  # of the source camera
    principal_px: np.ndarray = field(default_factory=_unknown_point)  # (2,)
    subject: str = ""
    action: str = ""
    trial: int = -1
    camera: str = ""
    frame: int = -1
    load_part_labels: Callable[[], np.ndarray] | None = None  # uint8 (H, W), 0 to 6 and 255, at source-image size


@dataclass(frozen=True)
class Rejected:
    """A sample that is left out.

    `reason` reads "what" or "what: details"; samples are counted by what. `bad` tells broken data, too much of which
    stops the run, from what the method's own rules leave out.
    """

    sample_id: str
    reason: str
    bad: bool = True

    @property
    def kind(self) -> str:
        """The reason without its details."""
        return self.reason.partition(": ")[0]


def keypoints_19(points: np.ndarray, labelled: np.ndarray, joints: JointSet) -> tuple[np.ndarray, np.ndarray]:
    """A data set's own 2D joints (J, 2) with flags (J,) as the 19 keypoints: (19, 2) NaN where missing, and (19,)."""
    keypoints, visible = np.full((19, 2), np.nan), np.zeros(19, bool)
    for row, joint in enumerate(COCOPLUS_19.joints):
        if joint in joints.joints and labelled[joints.index(joint)]:
            keypoints[row], visible[row] = points[joints.index(joint)], True
    return keypoints, visible


def fault(sample: Sample) -> str | None:
    """What is wrong with a sample's labels, or None."""
    if not sample.visible.any():
        return "no labelled joint"
    if not np.isfinite(sample.keypoints_2d_px[sample.visible]).all():
        return "labels broken: a labelled joint has no position"
    if not np.isfinite(sample.center_px).all() or not np.isfinite(sample.person_px) or sample.person_px <= 0:
        return "labels broken: the person has no size"
    labels = (sample.joints_3d_m, sample.joints_3d_native_m, sample.pose_axis_angle, sample.betas)
    if not all(label is None or np.isfinite(label).all() for label in labels):
        return "labels broken: 3D labels are not finite"
    return None
