import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from hmr.errors import UserError
from hmr.mocap.pool import Captured, Clip, LeftOut, open_pool, spread_frames, write_pool

ATTRIBUTES = {"dataset": "mocap", "source": "studio", "licence": "CC0", "raw_sha256": "0" * 64}


def clip(name: str, frames: int, seed: int = 0) -> Clip:
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 0.5, (frames, 24, 3))
    return Clip(name, pose, rng.normal(size=10), 12 * np.arange(frames), 10.0, np.full(frames, 3.0))


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_pool_gives_back_its_frames(tmp_path: Path) -> None:
    first, second = clip("a", 5), clip("b", 3, seed=1)
    write_pool(tmp_path / "pool.h5", [first, second], attributes=ATTRIBUTES, left_out=[LeftOut("c", "broken")])
    assert [path.name for path in tmp_path.iterdir()] == ["pool.h5"]
    pool = open_pool(tmp_path / "pool.h5")
    assert len(pool) == 8
    pose, betas = pool.at(np.array([7, 0, 5, 6]))
    np.testing.assert_array_equal(pose[[2, 3, 0]], second.pose_axis_angle.astype(np.float32))
    np.testing.assert_array_equal(betas[1], first.betas.astype(np.float32))
    with h5py.File(tmp_path / "pool.h5") as file:
        assert dict(file.attrs) == {**ATTRIBUTES, "schema": 2}
        assert file["quarantine/reason"].asstr()[:].tolist() == ["broken"]


def test_samples_are_uniform_rows_and_depend_on_the_generator_alone(tmp_path: Path) -> None:
    write_pool(tmp_path / "pool.h5", [clip("a", 4)], attributes=ATTRIBUTES)
    pool = open_pool(tmp_path / "pool.h5")
    pose, betas = pool.sample(np.random.default_rng(3), 4000)
    assert pose.shape == (4000, 24, 3) and betas.shape == (4000, 10) and pose.dtype == betas.dtype == np.float32
    counts = [(pose[:, 1, 0] == row[1, 0]).sum() for row in pool.at(np.arange(4))[0]]
    assert sum(counts) == 4000 and min(counts) > 850
    np.testing.assert_array_equal(pose, pool.sample(np.random.default_rng(3), 4000)[0])


def test_sources_come_by_their_weights(tmp_path: Path) -> None:
    clips = [clip("cmu/1", 90), clip("cmu/2", 10), clip("made/1", 20, seed=1)]
    path = tmp_path / "pool.h5"
    for weights, share in ((None, 20 / 120), ({"cmu": 1.0, "made": 3.0}, 0.75), ({"made": 0.0, "cmu": 1.0}, 0.0)):
        write_pool(path, clips, attributes=ATTRIBUTES, weights=weights)
        pool = open_pool(path)
        betas = pool.sample(np.random.default_rng(0), 20_000)[1]
        from_made = (betas[:, 0] == np.float32(clips[2].betas[0])).mean()
        assert abs(from_made - share) < 0.01
    for weights in ({"cmu": 1.0}, {"cmu": 1.0, "made": 1.0, "more": 1.0}, {"cmu": -1.0, "made": 2.0}):
        with pytest.raises(UserError, match=r"mocap\.sources: expected a weight for each of cmu, made"):
            write_pool(path, clips, attributes=ATTRIBUTES, weights=weights)


def test_equal_clips_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_pool(tmp_path / name, [clip("a", 1500), clip("b", 2)], attributes=ATTRIBUTES)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def with_points(of: Clip, kind: str, points: int) -> Clip:
    points_m = np.random.default_rng(points).normal(size=(len(of), points, 3))
    points_m[:, 0] = np.nan  # lost
    return replace(of, captured=Captured(kind, points_m))


def test_of_what_was_captured_ten_frames_a_clip_are_kept_whatever_its_length(tmp_path: Path) -> None:
    clips = [with_points(clip("a", 2500), "joints", 14), clip("b", 30), with_points(clip("c", 4), "markers", 41)]
    for name in ("a.h5", "b.h5"):
        write_pool(tmp_path / name, clips, attributes=ATTRIBUTES)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert len(open_pool(tmp_path / "a.h5")) == 2534
    with h5py.File(tmp_path / "a.h5") as file:
        group = file["captured"]
        assert group["kind"].asstr()[:].tolist() == ["joints"] * 10 + ["markers"] * 4
        assert file["sequence"].asstr()[:][group["row"][:]].tolist() == ["a"] * 10 + ["c"] * 4
        first, *_, last = file["frame"][:][group["row"][:10]]
        assert (first, last) == (clips[0].frame[0], clips[0].frame[-1])
        points = group["points_m"][:]
    assert points.shape == (14, 41, 3) and np.isnan(points[:10, 14:]).all()
    few = spread_frames(2500)
    np.testing.assert_array_equal(points[:10, :14], clips[0].captured.points_m[few].astype(np.float32))
    np.testing.assert_array_equal(points[10:], clips[2].captured.points_m.astype(np.float32))


def test_captured_points_of_poses_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pool.h5"
    write_pool(path, [with_points(clip("a", 5), "joints", 14)], attributes=ATTRIBUTES)
    with h5py.File(path, "r+") as file:
        file["captured/row"][2] = 5
    with pytest.raises(UserError, match="expected captured points of the pool's poses") as error:
        open_pool(path)
    assert str(path) in one_line(error)


def test_missing_cut_and_foreign_files_are_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pool.h5"
    with pytest.raises(UserError, match="found nothing") as error:
        open_pool(path)
    one_line(error)
    write_pool(path, [clip("a", 2000)], attributes=ATTRIBUTES)
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="broken") as error:
            open_pool(path)
        assert str(path) in one_line(error)
    path.write_bytes(whole)
    pool = open_pool(path)
    os.truncate(path, 5000)
    with pytest.raises(UserError, match="found the file cut") as error:
        pool.at(np.array([1999]))
    assert str(path) in one_line(error)
    with h5py.File(path, "w") as file:
        file["pose_axis_angle"] = np.zeros((2, 72))
    with pytest.raises(UserError, match="another HDF5 file"):
        open_pool(path)


def test_a_pool_of_another_schema_or_with_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pool.h5"
    write_pool(path, [clip("a", 3)], attributes=ATTRIBUTES)
    with h5py.File(path, "r+") as file:
        file["betas"][1] = np.nan
    with pytest.raises(UserError, match="NaN"):
        open_pool(path)
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 1
    with pytest.raises(UserError, match="schema 2, found 1"):
        open_pool(path)


def test_without_frames_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found none to keep"):
        write_pool(tmp_path / "pool.h5", [clip("a", 0)], attributes=ATTRIBUTES)
    assert not list(tmp_path.iterdir())
