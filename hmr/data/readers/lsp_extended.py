"""Leeds Sports Pose Extended: images/im00001.jpg ... and joints.mat (14 x 3 x N; third column 1 = visible).

The high-resolution release (hr-lspet) has im00001.png ... beside its joints.mat; its people are larger.
"""

from collections.abc import Iterator
from pathlib import Path

from hmr.body.joints import LSP_14
from hmr.data.readers.extent import box_center
from hmr.data.readers.lsp import load_joints, sizes
from hmr.data.readers.raw import lazily, need
from hmr.data.sample import Rejected, Sample, keypoints_19
from hmr.errors import UserError
from hmr.params import NormalizeParams

DATASET = "lsp_extended"


def read(raw: Path, split: str, params: NormalizeParams) -> Iterator[Sample | Rejected]:
    """All of it is for training. The method keeps people with few visible joints here (its code, not its paper)."""
    high = sorted(raw.glob("im*.png")) or sorted(raw.glob("im*.jpg"))
    folder = raw if high else need(raw / "images", DATASET)
    joints = load_joints(need(raw / "joints.mat", DATASET), DATASET, visible_flag=1)
    pictures = _pictures(folder, high, len(joints))
    for path, labels, size_px in zip(pictures, joints, sizes(joints), strict=True):
        keypoints, visible = keypoints_19(*labels, LSP_14)
        yield Sample(
            sample_id=f"lsp_extended/{path.stem}",
            load_image=lazily(path),
            keypoints_2d_px=keypoints,
            visible=visible,
            center_px=box_center(keypoints, visible),
            person_px=size_px,
        )


def _pictures(folder: Path, high: list[Path], count: int) -> list[Path]:
    """The picture of each label.

    The k-th label is the k-th picture's in the order of names where there are as many of both, for the high-resolution
    release may leave numbers out; elsewhere it is that of picture k.
    """
    if len(high) == count:
        return high
    suffix = high[0].suffix if high else ".jpg"
    pictures = [folder / f"im{number:05d}{suffix}" for number in range(1, count + 1)]
    if high and high[-1] > pictures[-1]:
        raise UserError(
            f"{folder}: expected {count} pictures, as many as joints.mat has labels, found {len(high)} up to "
            f"{high[-1].name}, so that nobody knows whose a label is; unpack the archive again"
        )
    return pictures
