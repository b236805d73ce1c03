"""Human3.6M's files where they are broken or do not go together: listed or refused with the reason, nothing unsaid."""

import pickle
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
from data.test_readers_3d import write_cdf, write_human36m
from raw_files import PARAMS, read, write_video

from hmr.data.readers.human36m import MASKS
from hmr.errors import UserError

NAME = "Directions 1.54138969"
ID = f"human36m/S9/{NAME}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The test's subjects, 11 frames in each video, of which 3 are taken."""
    raw = tmp_path_factory.mktemp("human36m")
    write_human36m(raw, ("S9", "S11"), frames=11)
    return raw, len(read("human36m", raw, "test")[0])


@pytest.fixture
def raw(whole, tmp_path):
    return shutil.copytree(whole[0], tmp_path / "raw")


def cdf(raw, kind):
    return raw / f"S9/MyPoseFeatures/{kind}/{NAME}.cdf"


@pytest.mark.parametrize("kind, width", [("D2_Positions", 64), ("D3_Positions_mono", 96)])
def test_frames_that_one_file_of_joints_lacks_are_listed(whole, raw, kind, width):
    write_cdf(cdf(raw, kind), np.random.default_rng(0).uniform(1, 48, (6, width)))
    samples, left_out = read("human36m", raw, "test")
    broken = [r for r in left_out if r.bad]
    assert [(r.sample_id, r.kind) for r in broken] == [(f"{ID}/000010", "labels broken")]
    assert len(samples) + len(broken) == whole[1]


@pytest.mark.parametrize("shape", [(12, 64), (96, 11), (1, 11 * 96), (0, 96)])
def test_joints_of_another_shape_are_refused(raw, shape):
    """Twelve frames of 2D joints hold as many numbers as eight of 3D ones."""
    write_cdf(cdf(raw, "D3_Positions_mono"), np.zeros(shape))
    with pytest.raises(UserError, match=rf"{NAME}\.cdf: expected a CDF file of 32 joints, found something else"):
        read("human36m", raw, "test")


@pytest.mark.parametrize("content", [b"", b"hello", "short", "cut"])
def test_frames_that_a_video_lacks_are_listed_by_the_store_one_by_one(whole, raw, content):
    path = raw / f"S9/Videos/{NAME}.mp4"
    if content == "short":
        write_video(path, 4, "mp4v")
    else:
        path.write_bytes(path.read_bytes()[:-300] if content == "cut" else content)
    samples, _ = read("human36m", raw, "test")
    assert len(samples) == whole[1]
    for sample in (s for s in samples if s.sample_id.startswith(f"{ID}/") and (s.frame or content != "short")):
        with pytest.raises(UserError, match=rf"{NAME}\.mp4: expected frame {sample.frame}, found the end"):
            sample.load_image()


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ("<td>S9</td>", "<td>S19</td>", "takes of S9, found none"),
        ("<mapping>", "<mapping/><mappings>", "not well-formed|mismatched"),
        ("<w0>[0", "<w0>[x", "could not convert"),
        ("<td>60457274</td>", "", "zip"),
    ],
)
def test_a_table_without_what_is_read_is_refused(raw, old, new, reason):
    path = raw / "metadata.xml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=rf"metadata\.xml: expected .*({reason})"):
        read("human36m", raw, "test")


@pytest.mark.parametrize(
    "poses, betas",
    [
        (np.zeros((6, 156)), np.zeros(10)),  # SMPL+H, whose numbers would make 13 frames of SMPL
        (np.zeros((3, 72)), np.zeros(4)),
        (np.full((3, 72), np.nan), np.zeros(10)),
        (np.zeros(72), np.zeros(10)),
    ],
)
def test_smpl_truth_of_another_shape_is_refused(raw, poses, betas):
    path = raw / "mosh/S9/Directions 1_cam0_aligned.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({"new_poses": poses, "betas": betas}, protocol=2))
    with pytest.raises(UserError, match=r"aligned\.pkl: expected MoSh.s new_poses.*remove it to go without"):
        read("human36m", raw, "test")


def test_frames_that_masks_lack_are_listed(whole, raw):
    for path in raw.glob("S*/Videos/*.mp4"):
        masks = raw / path.parts[-3] / MASKS / f"{path.stem}.mat"
        masks.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(masks, "w") as file:
            one = file.create_dataset("mask", data=np.ones((8, 6), np.uint8))
            frames = 6 if path.stem == NAME and "S9" in path.parts else 11
            file["Masks"] = np.full((frames, 1), one.ref, h5py.ref_dtype)
    samples, left_out = read("human36m", raw, "test", params=replace(PARAMS, boxes="spin"))
    broken = [r for r in left_out if r.bad]
    assert [(r.sample_id, r.kind) for r in broken] == [(f"{ID}/000010", "unreadable file")]
    assert len(samples) + len(broken) == whole[1]
