"""Markers to poses, on a small body with made-up motion: laws, then what is lost, swapped or wrong."""

from dataclasses import replace
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.body.file import parse_body
from hmr.body.joints import SMPL_24
from hmr.errors import UserError
from hmr.mocap import marker_fit as mf
from hmr.mocap import retarget as rt
from hmr.mocap.c3d import Capture, read_c3d, write_c3d
from hmr.mocap.marker_body import STANDOFF_M, MarkerBody, put_markers
from hmr.mocap.sources import ClipReader, find_sources

RATE_HZ = 60.0
MOVING = [SMPL_24.index(f"{s}_{j}") for s in ("left", "right") for j in ("hip", "knee", "shoulder", "elbow")]


@pytest.fixture(scope="module")
def arrays(toy: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return parse_body(toy, origin=Path("toy"))


@pytest.fixture(scope="module")
def body(arrays: dict[str, np.ndarray]) -> MarkerBody:
    return put_markers(arrays)


def motion(seed: int, frames: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Slow swinging of the limbs as limbs bend, and of the trunk a little; the pelvis wanders."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(frames) / RATE_HZ
    wave = np.sin(time_s[:, None, None] * rng.uniform(1, 4, (24, 3)) + rng.uniform(0, 6, (24, 3)))
    spread = np.full((24, 3), 0.1)
    spread[[SMPL_24.index(f"{s}_{j}") for s in ("left", "right") for j in ("hip", "shoulder")]] = 0.5
    pose = spread * wave
    for side, sign in (("left", -1), ("right", 1)):
        knee, elbow = SMPL_24.index(f"{side}_knee"), SMPL_24.index(f"{side}_elbow")
        pose[:, knee], pose[:, elbow] = 0, 0
        pose[:, knee, 0] = 0.5 + 0.4 * wave[:, knee, 0]
        pose[:, elbow, 1] = sign * (0.6 + 0.5 * wave[:, elbow, 1])
        for still in ("foot", "hand", "wrist"):
            pose[:, SMPL_24.index(f"{side}_{still}")] = 0
    return pose, np.stack((0.3 * time_s, 1 + 0.05 * wave[:, 0, 0], 0.1 * time_s), 1)


@pytest.fixture(scope="module")
def seen(body: MarkerBody) -> np.ndarray:
    return mf.marker_points(body, np.zeros(10), *motion(0))


@pytest.fixture(scope="module")
def actor(body: MarkerBody, seen: np.ndarray) -> mf.MarkerActor:
    return mf.fit_actor(body, seen, RATE_HZ)


def turns_deg(first: np.ndarray, second: np.ndarray, joints: list[int] = MOVING) -> np.ndarray:
    """Between the world rotations of two clips' bones, (frames, joints)."""
    a, b = (rt.world_of(np.asarray(pose, float))[:, joints] for pose in (first, second))
    between = Rotation.from_matrix((np.swapaxes(a, -1, -2) @ b).reshape(-1, 3, 3)).magnitude()
    return np.degrees(between).reshape(len(first), -1)


def test_markers_lie_above_the_skin(arrays: dict[str, np.ndarray], body: MarkerBody) -> None:
    assert len(body.labels) == 41
    posed = mf.marker_points(body, np.zeros(10), np.zeros((1, 24, 3)), body.joints_m[None, 0])[0]
    np.testing.assert_allclose(posed, body.sites_m, atol=1e-12)  # the rest pose is where they were put
    left = [label for label in body.labels if label.startswith("L") and label not in ("LUPA", "LFRM", "LTHI", "LSHN")]
    for label in left:
        here, there = (body.sites_m[body.labels.index(name)] for name in (label, "R" + label[1:]))
        np.testing.assert_allclose(here, there * [-1, 1, 1], atol=2e-3)
    inward = body.sites_m - STANDOFF_M * body.normals
    skin = arrays["v_template"][arrays["f"]].reshape(-1, 3, 3)
    normal = np.cross(skin[:, 1] - skin[:, 0], skin[:, 2] - skin[:, 0])
    height = np.abs(((inward[:, None] - skin[:, 0]) * normal).sum(-1) / np.linalg.norm(normal, axis=1))
    assert height.min(1).max() < 1e-6


def test_what_the_body_shows_is_found_again(body: MarkerBody, seen: np.ndarray, actor: mf.MarkerActor) -> None:
    found = mf.fit_frames(actor, seen, RATE_HZ)
    assert np.abs(actor.betas).max() < 0.3
    assert np.median(turns_deg(motion(0)[0], found.pose_axis_angle)) < 1.5
    assert found.fit_error_mm.mean() < 1.5
    again = mf.marker_points(actor.body, actor.betas, found.pose_axis_angle, found.pelvis_m)
    assert 1000 * np.linalg.norm(again - seen, axis=-1).mean() < 1.0


def test_who_sits_all_the_time_wears_markers_where_they_are(body: MarkerBody) -> None:
    """Hips bent in every frame do not together turn the pelvis away from its markers."""
    pose, pelvis_m = motion(0)
    for side in ("left", "right"):
        hip, knee = SMPL_24.index(f"{side}_hip"), SMPL_24.index(f"{side}_knee")
        pose[:, hip] = 0.2 * pose[:, hip] - [1.5, 0, 0]
        pose[:, knee, 0] += 1.0
    points = mf.marker_points(body, np.zeros(10), pose, pelvis_m)
    found = mf.fit_actor(body, points, RATE_HZ)
    waist = [body.labels.index(label) for label in ("LFWT", "RFWT", "LBWT", "RBWT")]
    assert 1000 * np.linalg.norm(found.body.sites_m - body.sites_m, axis=-1)[waist].max() < 4
    assert np.median(turns_deg(pose, mf.fit_frames(found, points, RATE_HZ).pose_axis_angle, [0])) < 3


def test_a_fit_of_a_fit_changes_nothing(seen: np.ndarray, actor: mf.MarkerActor) -> None:
    once = mf.fit_frames(actor, seen, RATE_HZ)
    shown = mf.marker_points(actor.body, actor.betas, once.pose_axis_angle, once.pelvis_m)
    twice = mf.fit_frames(actor, shown, RATE_HZ)
    assert turns_deg(once.pose_axis_angle, twice.pose_axis_angle).max() < 2.0
    assert 1000 * np.linalg.norm(once.pelvis_m - twice.pelvis_m, axis=-1).max() < 1.5


def test_backwards_is_the_same_backwards(seen: np.ndarray, actor: mf.MarkerActor) -> None:
    forwards, backwards = (mf.fit_frames(actor, points, RATE_HZ) for points in (seen, seen[::-1].copy()))
    assert turns_deg(forwards.pose_axis_angle, backwards.pose_axis_angle[::-1]).max() < 0.2


def test_the_mirror_image_of_a_capture_has_the_mirror_image_of_its_pose(body: MarkerBody) -> None:
    """Of markers that are each other's mirror images, on limbs that are."""
    pairs = [(k, body.labels.index("R" + n[1:])) for k, n in enumerate(body.labels) if n[0] == "L"]
    left, right = (np.array(side) for side in zip(*pairs, strict=True))
    sites, weights = body.sites_m.copy(), body.weights.copy()
    sites[right], weights[right] = sites[left] * [-1, 1, 1], weights[left][:, SMPL_24.flip]
    even = replace(body, sites_m=sites, weights=weights, posedirs_m=np.zeros_like(body.posedirs_m))
    seen = mf.marker_points(even, np.zeros(10), *motion(0))
    seen[:, [k for k in range(41) if k not in left and k not in right]] = np.nan
    other = np.arange(41)
    other[left], other[right] = right, left
    mirrored = (seen * [-1, 1, 1])[:, other]
    actor = mf.MarkerActor(np.zeros(10), even)
    plain, flipped = (mf.fit_frames(actor, points, RATE_HZ) for points in (seen, mirrored))
    turns = turns_deg(rt.mirror_pose(plain.pose_axis_angle), flipped.pose_axis_angle)
    assert np.median(turns) < 0.05 and turns.max() < 2  # a few steps of rough starts that differ in the last bit


def test_lost_and_swapped_markers_flip_no_limb(seen: np.ndarray, actor: mf.MarkerActor) -> None:
    rng = np.random.default_rng(4)
    points = seen + rng.normal(0, 0.003, seen.shape)
    for a, b, start in (("LKNE", "RKNE", 10), ("LWRA", "LWRB", 30), ("LFHD", "RTOE", 50), ("LELB", "LTHI", 70)):
        columns = [actor.body.labels.index(name) for name in (a, b)]
        points[start : start + 8, columns] = points[start : start + 8, columns[::-1]]
    for _ in range(30):
        start = rng.integers(80)
        points[start : start + 10, rng.integers(41)] = np.nan
    found = mf.fit_frames(actor, points, RATE_HZ)
    turns = turns_deg(motion(0)[0], found.pose_axis_angle)
    assert np.median(turns) < 3 and turns.max() < 45


@pytest.mark.parametrize("pair", [("LHEE", "LTOE"), ("RTOE", "RMT5"), ("LANK", "LTOE"), ("LWRA", "LFIN")])
def test_markers_swapped_for_long_turn_no_foot_or_hand_over(seen: np.ndarray, actor: mf.MarkerActor, pair) -> None:
    points = seen.copy()
    columns = [actor.body.labels.index(name) for name in pair]
    points[20:60, columns] = points[20:60, columns[::-1]]
    ends = [SMPL_24.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("ankle", "wrist")]
    turns = turns_deg(motion(0)[0], mf.fit_frames(actor, points, RATE_HZ).pose_axis_angle, ends)
    assert turns.max() < 90


@pytest.mark.parametrize("pair", [("LSHO", "LFRM"), ("LSHO", "LUPA"), ("LKNE", "LMT5"), ("LBWT", "LTHI")])
def test_markers_swapped_until_a_clip_s_end_flip_no_limb(seen: np.ndarray, actor: mf.MarkerActor, pair) -> None:
    points, columns = seen[-50:].copy(), [actor.body.labels.index(name) for name in pair]
    points[-11:, columns] = points[-11:, columns[::-1]]
    turns = turns_deg(motion(0)[0][-50:], mf.fit_frames(actor, points, RATE_HZ).pose_axis_angle)
    assert turns.max() < 45


def test_frames_with_too_few_markers_are_left_out(seen: np.ndarray, actor: mf.MarkerActor) -> None:
    points = seen.copy()
    points[7, 5:] = np.nan
    points[20] = np.nan
    found = mf.fit_frames(actor, points, RATE_HZ)
    assert set(range(len(seen))) - set(found.frame.tolist()) == {7, 20}
    assert np.isfinite(found.pose_axis_angle).all()
    assert not len(mf.fit_frames(actor, np.full_like(points, np.nan), RATE_HZ).frame)


def test_a_capture_comes_back_from_its_file(tmp_path: Path, body: MarkerBody, seen: np.ndarray) -> None:
    points = seen.copy()
    points[3, 4] = np.nan
    write_c3d(tmp_path / "a.c3d", Capture(body.labels, points, RATE_HZ))
    read = read_c3d(tmp_path / "a.c3d")
    assert read.labels == body.labels and read.rate_hz == RATE_HZ
    np.testing.assert_allclose(read.points_m, points, atol=1e-6)  # lost ones are lost
    write_c3d(tmp_path / "b.c3d", Capture(body.labels, points, RATE_HZ))
    assert (tmp_path / "a.c3d").read_bytes() == (tmp_path / "b.c3d").read_bytes()


def rewrite(path: Path, **parameters: list) -> None:
    content = ezc3d.c3d(str(path))
    for name, value in parameters.items():
        content["parameters"]["POINT"][name]["value"] = value
    content.write(str(path))


def clip_of(folder: Path, arrays: dict[str, np.ndarray], name: str = "01_01.c3d"):
    return ClipReader(arrays, 10.0).read(find_sources([folder / name])[0])


def test_units_columns_and_other_points_change_no_pose(
    tmp_path: Path, arrays: dict[str, np.ndarray], body: MarkerBody, seen: np.ndarray
) -> None:
    order = np.random.default_rng(5).permutation(41)
    extra = np.concatenate((seen[:, order], np.ones((len(seen), 1, 3))), 1)
    names = (*(f"actor:{body.labels[k]}" for k in order), "*0")
    captures = {
        "plain": Capture(body.labels, seen, RATE_HZ),
        "tenfold": Capture(body.labels, 10 * seen, RATE_HZ),  # as tenths of millimetres
        "shuffled": Capture(names, extra, RATE_HZ),
    }
    clips = {}
    for name, capture in captures.items():
        path = tmp_path / name / "01_01.c3d"
        write_c3d(path, capture)
        if name == "tenfold":
            content = ezc3d.c3d(str(path))
            content["parameters"]["POINT"]["UNITS"]["value"] = ["cm"]
            content["data"]["points"][:3] /= 100  # ten times too much of a tenth of the unit
            content.write(str(path))
        clips[name] = clip_of(path.parent, arrays)
    assert len(clips["plain"]) == 15
    np.testing.assert_array_equal(clips["plain"].frame, np.arange(0, 90, 6))
    for name in ("tenfold", "shuffled"):
        turns = turns_deg(clips["plain"].pose_axis_angle, clips[name].pose_axis_angle)
        assert np.median(turns) < 0.2 and turns.max() < 4


def test_bad_captures_are_named_in_one_line(
    tmp_path: Path, arrays: dict[str, np.ndarray], body: MarkerBody, seen: np.ndarray
) -> None:
    path = tmp_path / "01_01.c3d"

    def said(capture: Capture | None = None) -> str:
        if capture:
            write_c3d(path, capture)
        with pytest.raises(UserError) as error:
            clip_of(tmp_path, arrays)
        assert str(path) in str(error.value) and "\n" not in str(error.value)
        return str(error.value)

    line = said(Capture(tuple(f"M{k}" for k in range(41)), seen, RATE_HZ))
    assert "LFHD" in line and "unknown: M0, M1, " in line and "M40" in line
    assert "found LFHD twice" in said(Capture(("a:LFHD", "b:LFHD", *body.labels[2:]), seen, RATE_HZ))
    assert "without points" in said(Capture((), seen[:, :0], RATE_HZ))
    assert "enough markers" in said(Capture(body.labels, np.full_like(seen, np.nan), RATE_HZ))
    write_c3d(path, Capture(body.labels, seen, RATE_HZ))
    rewrite(path, UNITS=["furlong"])
    assert "found 'furlong'" in said()
    write_c3d(path, Capture(body.labels, seen, RATE_HZ))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "the file is cut" in said()
    path.write_bytes(whole[:100])
    assert "found something else" in said()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,from\nA,neck\n", "expected columns"),
        ("label,from,to,along,x,y,z\nA,neck,nowhere,0,1,0,0\n", "found 'nowhere'"),
        ("label,from,to,along,x,y,z\nA,neck,head,zero,1,0,0\n", "expected numbers"),
        ("label,from,to,along,x,y,z\nA,neck,head,0,0,0,0\n", "not zero"),
        ("label,from,to,along,x,y,z\nA,head,neck,-9,0,1,0\n", "leaves the skin"),
    ],
)
def test_a_wrong_table_of_markers_is_named(
    tmp_path: Path, arrays: dict[str, np.ndarray], text: str, message: str
) -> None:
    (tmp_path / "set.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        put_markers(arrays, str(tmp_path / "set.csv"))
    with pytest.raises(UserError, match="no readable file"):
        put_markers(arrays, str(tmp_path / "none.csv"))
