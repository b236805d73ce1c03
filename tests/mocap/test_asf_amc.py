from pathlib import Path

import numpy as np
import pytest

from hmr.errors import UserError
from hmr.mocap.asf_amc import Skeleton, angles_of, pose_skeleton, read_amc, read_asf, write_amc, write_asf

UNIT = 0.0254 / 0.45
ASF = """# a comment
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name upper
     direction 0 2 0
     length 10
     axis 0 0 90  XYZ
    dof rx
    limits (-160.0 20.0)
  end
  begin
     id 2
     name fixed
     direction 1 0 0
     length 5
     axis 0 0 0  XYZ
  end
:hierarchy
  begin
    root upper
    upper fixed
  end
"""
AMC = """:FULLY-SPECIFIED
:DEGREES
1
root 0 0 0 0 0 0
upper 0
2
root 1 2 3 0 90 0
upper 90
"""


def random_skeleton(rng: np.random.Generator, bones: int = 8) -> Skeleton:
    every = ("rx", "ry", "rz")
    return Skeleton(
        names=("root", *(f"bone{k}" for k in range(1, bones))),
        parents=(-1, *(int(rng.integers(k)) for k in range(1, bones))),
        offsets_m=np.concatenate([np.zeros((1, 3)), rng.normal(0, 0.3, (bones - 1, 3))]),
        axes_deg=np.concatenate([np.zeros((1, 3)), rng.uniform(-180, 180, (bones - 1, 3)).round(1)]),
        axis_orders=("xyz",) * bones,
        dofs=(("tx", "ty", "tz", *every), *(every if k % 4 else () for k in range(1, bones))),
    )


def random_channels(rng: np.random.Generator, skeleton: Skeleton, frames: int = 6) -> np.ndarray:
    return rng.uniform(-1.4, 1.4, (frames, skeleton.starts[-1]))


def files(folder: Path, asf: str = ASF, amc: str = AMC) -> tuple[Path, Path]:
    (folder / "01.asf").write_text(asf)
    (folder / "01_01.amc").write_text(amc)
    return folder / "01.asf", folder / "01_01.amc"


def test_zero_angles_give_the_rest_skeleton() -> None:
    skeleton = random_skeleton(np.random.default_rng(0))
    posed = pose_skeleton(skeleton, np.zeros((2, skeleton.starts[-1])))
    np.testing.assert_allclose(posed.rotations, np.broadcast_to(np.eye(3), posed.rotations.shape), atol=1e-12)
    for bone, parent in enumerate(skeleton.parents[1:], start=1):
        offset = posed.ends_m[:, bone] - posed.ends_m[:, parent]
        np.testing.assert_allclose(offset, np.tile(skeleton.offsets_m[bone], (2, 1)), atol=1e-12)


def test_bones_keep_their_lengths() -> None:
    rng = np.random.default_rng(1)
    skeleton = random_skeleton(rng)
    ends = pose_skeleton(skeleton, random_channels(rng, skeleton)).ends_m
    for bone, parent in enumerate(skeleton.parents[1:], start=1):
        length = np.linalg.norm(ends[:, bone] - ends[:, parent], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(skeleton.offsets_m[bone]))


def test_a_known_file_moves_as_its_axes_say(tmp_path: Path) -> None:
    skeleton, unit = read_asf(files(tmp_path)[0])
    assert unit == pytest.approx(0.056444, abs=1e-6)
    channels = read_amc(files(tmp_path)[1], skeleton, unit)
    ends = pose_skeleton(skeleton, channels).ends_m / unit
    np.testing.assert_allclose(ends[0], [[0, 0, 0], [0, 10, 0], [5, 10, 0]], atol=1e-9)
    # The bone's x axis is the world's y. A quarter turn about it leaves the bone upright and takes its child from +x
    # to -z, and the root's quarter turn about y takes that to -x.
    np.testing.assert_allclose(ends[1], [[1, 2, 3], [1, 12, 3], [-4, 12, 3]], atol=1e-9)


def test_rotations_are_applied_in_the_order_of_the_degrees_of_freedom() -> None:
    skeleton = Skeleton(
        ("root", "bone"),
        (-1, 0),
        np.array([[0, 0, 0], [0, 0, 1.0]]),
        np.zeros((2, 3)),
        ("xyz",) * 2,
        ((), ("rx", "ry")),
    )
    end = pose_skeleton(skeleton, np.full((1, 2), np.pi / 2)).ends_m[0, 1]
    np.testing.assert_allclose(end, [0, -1, 0], atol=1e-12)  # about x first: z to -y, which y then leaves


def test_written_files_are_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    skeleton = random_skeleton(rng)
    channels = random_channels(rng, skeleton)
    write_asf(tmp_path / "a.asf", skeleton, name="a", metres_per_unit=UNIT)
    write_amc(tmp_path / "a.amc", skeleton, channels, metres_per_unit=UNIT)
    read, unit = read_asf(tmp_path / "a.asf")
    assert unit == pytest.approx(UNIT) and set(read.names) == set(skeleton.names)
    again = pose_skeleton(read, read_amc(tmp_path / "a.amc", read, unit))
    order = [read.index(name) for name in skeleton.names]
    np.testing.assert_allclose(again.ends_m[:, order], pose_skeleton(skeleton, channels).ends_m, atol=1e-3)


def test_what_cmus_files_have_besides_changes_nothing(tmp_path: Path) -> None:
    """Windows' ends of lines, blank lines, comments in the middle, small exponents, sections that nobody needs."""
    skeleton, unit = read_asf(files(tmp_path)[0])
    channels = read_amc(files(tmp_path)[1], skeleton, unit)
    asf = ASF.replace(":bonedata", ":documentation\n   made by VICON\n\n:bonedata").replace(
        "axis 0 0 0 ", "axis 0 7e-016 0 "
    )
    asf = asf.replace("    limits (-160.0 20.0)", "    limits (-160.0 20.0)\n           (-70.0 70.0)\n    bodymass 1")
    amc = (
        "#!OML:ASF F:\\VICON\n"
        + AMC.replace("upper 0", "upper -0.0e+000  ").replace("\n2\n", "\n\n# here\n2\n")
        + "\n\n"
    )
    (tmp_path / "01.asf").write_bytes((asf + ":skin <none>\n").replace("\n", "\r\n").encode())
    (tmp_path / "01_01.amc").write_bytes(amc.replace("\n", "\r\n").encode())
    other, other_unit = read_asf(tmp_path / "01.asf")
    assert other_unit == unit and other.names == skeleton.names
    np.testing.assert_array_equal(read_amc(tmp_path / "01_01.amc", other, other_unit), channels)
    np.testing.assert_allclose(other.offsets_m, skeleton.offsets_m)


def test_numbers_that_windows_could_not_write_are_not_finite(tmp_path: Path) -> None:
    asf, amc = files(tmp_path, amc=AMC.replace("upper 90", "upper -1.#IND"))
    channels = read_amc(amc, *read_asf(asf))
    assert np.isfinite(channels).all(1).tolist() == [True, False]


def test_angles_come_back_from_rotations() -> None:
    rng = np.random.default_rng(3)
    skeleton = random_skeleton(rng)
    channels = random_channels(rng, skeleton)
    angles = angles_of(skeleton, pose_skeleton(skeleton, channels).rotations)
    np.testing.assert_allclose(angles["root"], channels[:, 3:6], atol=1e-9)
    for bone, name in enumerate(skeleton.names[1:], start=1):
        if name in angles:
            np.testing.assert_allclose(angles[name], channels[:, slice(*skeleton.starts[bone : bone + 2])], atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length 10", "length ten", "line 14: expected 1 numbers, found ten"),
        ("direction 0 2 0", "direction 0 0 0", "line 14: .*direction"),
        ("dof rx", "dof rx l", "found 'l'"),
        ("0 90  XYZ", "0 90  XXZ", "order of axes"),
        ("name fixed", "name upper", "each bone once"),
        ("upper fixed", "upper loose", "found 'loose'"),
        ("    upper fixed\n", "", "'fixed'|fixed"),
        (ASF[ASF.index(":hierarchy") :], "", "end of the file"),
        ("length 0.45", "length 0", "positive"),
        ("     length 10\n", "", "expected a bone with length"),
    ],
)
def test_a_malformed_skeleton_is_named_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ASF
    path = files(tmp_path, asf=ASF.replace(old, new))[0]
    with pytest.raises(UserError, match=message) as error:
        read_asf(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("amc", "message"),
    [
        (AMC.replace("upper 90", "upper 90 1"), "line 8: expected 1 numbers, found 90 1"),
        (AMC.replace("upper 90\n", ""), "expected 2 bones in the frame that ends here, found 1"),
        (AMC.replace("upper 0\n", ""), "line 5: expected 2 bones"),
        (AMC.replace("upper 90", "lower 90"), "line 8: expected a bone of the skeleton, found 'lower'"),
        (AMC[:-20], "line 7: expected 6 numbers"),
        (":DEGREES\n", "found none"),
        ("root 0 0 0 0 0 0\n", "line 1: expected a frame number"),
    ],
)
def test_a_malformed_motion_is_named_in_one_line(tmp_path: Path, amc: str, message: str) -> None:
    asf, path = files(tmp_path, amc=amc)
    with pytest.raises(UserError, match=message) as error:
        read_amc(path, *read_asf(asf))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.asf").write_bytes(b"\x93NUMPY\xff")
    with pytest.raises(UserError, match="not text"):
        read_asf(tmp_path / "a.asf")
    with pytest.raises(UserError, match="no readable file"):
        read_asf(tmp_path / "b.asf")
