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
from hmr.params import NormalizeParams

DATASET = "lsp_extended"


def read(raw: Path, split: str, params: NormalizeParams) -> Iterator[Sample | Rejected]:
    """All of it is for training. The method keeps people with few visible joints here (its code, not its paper)."""
    high = (raw / "im00001.png").is_file()
    folder, suffix = (raw, "png") if high else (need(raw / "images", DATASET), "jpg")
    joints = load_joints(need(raw / "joints.mat", DATASET), DATASET, visible_flag=1)
    for number, (labels, size_px) in enumerate(zip(joints, sizes(joints), strict=True), start=1):
        keypoints, visible = keypoints_19(*labels, LSP_14)
        yield Sample(
            sample_id=f"lsp_extended/im{number:05d}",
            load_image=lazily(folder / f"im{number:05d}.{suffix}"),
            keypoints_2d_px=keypoints,
            visible=visible,
            center_px=box_center(keypoints, visible),
            person_px=size_px,
        )
