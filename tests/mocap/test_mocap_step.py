"""Sources of every kind through `hmr mocap`, on files made here."""

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from hmr.__main__ import main
from hmr.body.file import read_body_file
from hmr.body.joints import SMPL_24
from hmr.body.model import BodyModel
from hmr.errors import UserError
from hmr.files import write_manifest
from hmr.geometry.rotations import axis_angle_to_rotmat
from hmr.mocap.pool import open_pool
from hmr.mocap.retarget import SHARED_JOINTS
from hmr.mocap.sources import ClipReader, Source, find_sources, skeleton_of
from hmr.params import StudioMocap
from hmr.studio.layouts import mocap as layout
from hmr.studio.motion import Motion


class MadeUpStudio:
    """All of the studio that the writer looks at."""

    def __init__(self, body: Path) -> None:
        self.arrays = read_body_file(body)
        self.body = BodyModel(self.arrays)


def made_up_motion(rng: np.random.Generator, action: str, frames: int, frame_rate_hz: float) -> Motion:
    ends = rng.normal(0, 0.3, (2, 24, 3))
    share = np.linspace(0, 1, frames)[:, None, None]
    return Motion((1 - share) * ends[0] + share * ends[1], np.zeros((frames, 3)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, toy_file: Path) -> Path:
    """Nine clips of five subjects, a second each; every other subject's are of markers."""
    raw = tmp_path_factory.mktemp("mocap")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "sample_motion", made_up_motion)
        layout.write_mocap(raw, MadeUpStudio(toy_file), StudioMocap(clips=9, seconds=1.0, real_takes=0), seed=0)
    write_manifest(raw, source="studio", licence="CC0")
    return raw


@pytest.fixture
def raw(made: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(made, tmp_path / "raw"))


@pytest.fixture(scope="module")
def reader(toy_file: Path) -> ClipReader:
    return ClipReader(read_body_file(toy_file), 10.0)


def mocap(paths: list[Path], body: Path, out: Path) -> int:
    return main(["mocap", *map(str, paths), "--body", str(body), "--out", str(out)])


def smpl_poses(frames: int, width: int = 156) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.3, (frames, width))


def amass(path: Path, **changes: object) -> Path:
    content = {"poses": smpl_poses(60), "betas": np.arange(16) / 10, "mocap_framerate": np.array(60.0)} | changes
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return path


def smplx_neutral(path: Path) -> Path:
    """AMASS in SMPL-X's form, with lists of words and numbers that NumPy pickles; `allow_pickle` is not asked for."""
    poses = smpl_poses(60, 165)
    parts = {"root_orient": poses[:, :3], "pose_body": poses[:, 3:66], "pose_jaw": poses[:, 66:69]}
    parts |= {"pose_eye": poses[:, 69:75], "pose_hand": poses[:, 75:], "trans": np.zeros((60, 3)), "num_betas": 16}
    words = {"gender": b"neutral", "surface_model_type": "smplx", "latent_labels": np.array(["C7", "CLAV"])}
    pickled = {"markers_latent_vids": np.array({"C7": 3832}, object), "marker_meta": np.array({"a": None}, object)}
    rate = {"mocap_framerate": None, "mocap_frame_rate": np.array(60.0), "mocap_time_length": 1.0}
    return amass(path, poses=poses, **parts, **words, **pickled, **rate)


def mosh(path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"poses": smpl_poses(4, 72), "betas": np.arange(10) / 10} | changes
    path.write_bytes(pickle.dumps({key: value for key, value in content.items() if value is not None}, 2))
    return path


def test_the_studios_motion_becomes_a_pool(
    made: Path, toy_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert [p.name for p in sorted((made / "subjects/01").iterdir())][:2] == ["01.asf", "01_01.amc"]
    assert mocap([made], toy_file, tmp_path / "pool.h5") == 0
    assert "9 clips, 90 frames, fit error" in capsys.readouterr().out
    pool = open_pool(tmp_path / "pool.h5")
    assert len(pool) == 180  # with mirror images
    with h5py.File(tmp_path / "pool.h5") as file:
        assert file.attrs["source"] == "studio" and file.attrs["dataset"] == "mocap"
        assert file["sequence"].asstr()[0] == "subjects/01/01_01"
        np.testing.assert_array_equal(file["frame"][:10], 12 * np.arange(10))
        np.testing.assert_array_equal(file["frame_rate_hz"][:], 10)
        assert file["mirrored"][:].sum() == 90 and file["fit_error_mm"][:].max() < 40
        assert len(np.unique(file["betas"][:], axis=0)) == 5
        assert not file["mirrored"][:][file["captured/row"][:]].any() and len(file["captured/row"]) == 90
        assert {*file["captured/kind"].asstr()[:]} == {"joints", "markers"}


@pytest.mark.parametrize(("subject", "kind"), [("01", "joints"), ("02", "markers")])
def test_what_was_captured_lies_on_the_fitted_body(
    made: Path, toy_file: Path, reader: ClipReader, subject: str, kind: str
) -> None:
    clip = reader.read(next(s for s in find_sources([made]) if s.sequence.endswith(f"{subject}_01")))
    rotmat = axis_angle_to_rotmat(torch.from_numpy(clip.pose_axis_angle.astype(np.float32)))
    betas = torch.from_numpy(np.tile(clip.betas, (len(clip), 1)).astype(np.float32))
    posed = BodyModel(read_body_file(toy_file))(betas=betas, full_pose_rotmat=rotmat)
    assert clip.captured.kind == kind
    if kind == "joints":
        own = posed.joints[:, [SMPL_24.index(name) for name in SHARED_JOINTS]].numpy()
        away = np.linalg.norm(own - clip.captured.points_m, axis=-1)
        np.testing.assert_allclose(1000 * away.mean(1), clip.fit_error_mm, atol=0.01)  # which is measured so
    else:
        points, skin = clip.captured.points_m[:, :, None], posed.vertices[:, None].numpy()
        away = np.linalg.norm(points - skin, axis=-1).min(-1)
    assert np.nanmedian(away) < 0.03


def test_a_pool_of_poses_alone_has_nothing_captured(toy_file: Path, tmp_path: Path) -> None:
    assert mocap([amass(tmp_path / "a.npz"), mosh(tmp_path / "b/c.pkl")], toy_file, tmp_path / "pool.h5") == 0
    with h5py.File(tmp_path / "pool.h5") as file:
        assert "captured" not in file


def test_the_motion_that_was_written_is_what_is_read(made: Path, reader: ClipReader) -> None:
    source = next(s for s in find_sources([made]) if s.sequence.endswith("01_02"))
    clip = reader.read(source)
    wanted = made_up_motion(layout.rng_of(0, "mocap", "01_02"), "", 120, 120.0).full_pose_axis_angle[::12]
    hands = [SMPL_24.index("left_hand"), SMPL_24.index("right_hand")]
    body = [joint for joint in range(24) if joint not in hands]
    assert np.degrees(np.abs(clip.pose_axis_angle - wanted)[:, body]).mean() < 1
    np.testing.assert_array_equal(clip.pose_axis_angle[:, hands], 0)


def test_amass_in_smplxs_form_is_read_without_what_is_pickled_in_it(tmp_path: Path, reader: ClipReader) -> None:
    clip = reader.read(Source(smplx_neutral(tmp_path / "walk_stageii.npz"), "walk"))
    plain = reader.read(Source(amass(tmp_path / "walk_poses.npz", poses=smpl_poses(60, 165)[:, :156]), "walk"))
    np.testing.assert_array_equal(clip.pose_axis_angle, plain.pose_axis_angle)
    np.testing.assert_array_equal(clip.betas, np.arange(10) / 10)


def test_equal_inputs_give_equal_bytes(made: Path, toy_file: Path, tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        assert mocap([made], toy_file, tmp_path / name) == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_the_studio_writes_equal_bytes_whatever_the_number_of_clips(
    made: Path, toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "sample_motion", made_up_motion)
    layout.write_mocap(tmp_path, MadeUpStudio(toy_file), StudioMocap(clips=2, seconds=1.0, real_takes=0), seed=0)
    for path in tmp_path.rglob("*.[ac]*"):
        assert path.read_bytes() == (made / path.relative_to(tmp_path)).read_bytes()


def test_one_broken_clip_is_left_out_and_counted(
    raw: Path, toy_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = raw / "subjects/01/01_02.amc"
    path.write_text(path.read_text()[:-30])
    assert mocap([raw], toy_file, tmp_path / "pool.h5") == 0
    said = capsys.readouterr().out
    assert "8 clips" in said and "1 left out: broken" in said and "01_02.amc: line" in said
    with h5py.File(tmp_path / "pool.h5") as file:
        assert file["quarantine/sequence"].asstr()[:].tolist() == ["subjects/01/01_02"]


def test_too_many_broken_clips_stop_and_leave_nothing(
    raw: Path, toy_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (raw / "subjects/01/01.asf").unlink()
    assert mocap([raw], toy_file, tmp_path / "pool.h5") == 2
    said = capsys.readouterr().err
    assert "2 of 9" in said and "expected its skeleton 01.asf" in said and said.count("\n") == 1
    assert not (tmp_path / "pool.h5").exists()


def test_frames_that_are_not_finite_are_left_out(raw: Path, reader: ClipReader) -> None:
    path = raw / "subjects/01/01_01.amc"
    lines = path.read_text().split("\n")
    at = lines.index("13")
    lines[at + 1] = "root nan 0 0 0 0 0"
    path.write_text("\n".join(lines))
    clip = reader.read(find_sources([path])[0])
    np.testing.assert_array_equal(clip.frame, [0, *range(24, 120, 12)])


def test_amass_poses_lose_their_hands_and_stand_up(tmp_path: Path, reader: ClipReader) -> None:
    for key, width in (("mocap_framerate", 156), ("mocap_frame_rate", 165)):
        poses = smpl_poses(60, width)
        rates = {"mocap_framerate": None, key: np.array(60.0)}
        clip = reader.read(find_sources([amass(tmp_path / "a_poses.npz", poses=poses, **rates)])[0])
        np.testing.assert_array_equal(clip.frame, np.arange(0, 60, 6))
        np.testing.assert_array_equal(clip.pose_axis_angle[:, 1:22].reshape(10, -1), poses[::6, 3:66])
        np.testing.assert_array_equal(clip.pose_axis_angle[:, 22:], 0)
        np.testing.assert_array_equal(clip.betas, np.arange(10) / 10)
        assert clip.fit_error_mm is None
    upright = amass(tmp_path / "b_poses.npz", poses=np.tile([np.pi / 2, *[0.0] * 155], (6, 1)))  # in a z-up world
    np.testing.assert_allclose(reader.read(find_sources([upright])[0]).pose_axis_angle, 0, atol=1e-12)


@pytest.mark.parametrize("key", ["poses", "new_poses"])
def test_mosh_poses_are_taken_as_they_are(tmp_path: Path, reader: ClipReader, key: str) -> None:
    path = mosh(tmp_path / "a.pkl", **{"poses": None, key: smpl_poses(4, 72)})
    clip = reader.read(find_sources([path])[0])
    np.testing.assert_array_equal(clip.pose_axis_angle.reshape(4, 72), smpl_poses(4, 72))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": smpl_poses(3, 70)}, "156 or 165"),
        ({"betas": None}, "AMASS's betas, found none"),
        ({"mocap_framerate": None}, "mocap_framerate, found none"),
        ({"mocap_framerate": np.array(0.0)}, "positive rate"),
        ({"betas": np.full(16, np.nan)}, "10 finite numbers"),
        ({"poses": np.full((3, 156), np.nan)}, "finite numbers, found none"),
    ],
)
def test_wrong_amass_files_are_named(tmp_path: Path, reader: ClipReader, changes: dict, message: str) -> None:
    path = amass(tmp_path / "a.npz", **changes)
    with pytest.raises(UserError, match=message) as error:
        reader.read(Source(path, "a"))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_foreign_pickles_and_archives_are_named(tmp_path: Path, reader: ClipReader) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "b.pkl").write_bytes(b"no pickle")
    for path in (tmp_path / "a.npz", tmp_path / "b.pkl", mosh(tmp_path / "c.pkl", betas=None)):
        with pytest.raises(UserError, match=path.name):
            reader.read(Source(path, "a"))


def test_human36ms_test_subjects_are_dropped(toy_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "neutrSMPL_H3.6"
    for name in ("S1/a", "S9/a", "S11/b", "S5/S9_c", "S1/pass19", "S90/d"):
        mosh(folder / f"{name}.pkl")
    assert mocap([folder], toy_file, tmp_path / "pool.h5") == 0
    said = capsys.readouterr().out
    assert all(source.is_test_subject for source in find_sources([folder / "S9", folder / "S11/b.pkl"]))
    assert "3 clips, 12 frames" in said and "3 left out: of Human3.6M's test subjects" in said


def test_sources_are_found_once_and_in_order(made: Path, tmp_path: Path) -> None:
    amass(tmp_path / "b_poses.npz"), amass(tmp_path / "shape.npz"), amass(tmp_path / "x_stagei.npz")
    assert [source.sequence for source in find_sources([tmp_path])] == ["b_poses"]
    twice = find_sources([made / "subjects/05", made])
    assert len(twice) == 9 and [source.sequence for source in twice][:2] == ["05_01", "subjects/01/01_01"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.fbx", "found suffix '.fbx'"), ("none.amc", "nothing there")],
)
def test_what_cannot_be_read_is_said_at_once(tmp_path: Path, name: str, message: str) -> None:
    if not name.startswith("none"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=message):
        find_sources([tmp_path / name])


def test_folders_without_motion_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found none"):
        find_sources([tmp_path])


def test_a_motions_skeleton_is_its_subjects_or_the_only_one(tmp_path: Path) -> None:
    for name in ("01.asf", "02.asf"):
        (tmp_path / name).touch()
    assert skeleton_of(tmp_path / "02_13.amc").name == "02.asf"
    with pytest.raises(UserError, match=r"expected its skeleton 03\.asf in the same folder, found 2"):
        skeleton_of(tmp_path / "03_01.amc")
    (tmp_path / "02.asf").unlink()
    assert skeleton_of(tmp_path / "walk.amc").name == "01.asf"
