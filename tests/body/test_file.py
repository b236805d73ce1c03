"""Body files: what is written is read back, what is wrong is refused in one line, and nothing is ever executed."""

import os
import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from hmr.__main__ import main
from hmr.body.file import (
    SMPL_KEYPOINT_VERTICES,
    SMPL_VERTICES,
    mirror_of,
    parse_body,
    part_labels,
    read_body_file,
    write_body_file,
)
from hmr.body.joints import COCOPLUS_19, PARTS, SMPL_24
from hmr.errors import UserError

DERIVED = ("cocoplus_regressor", "part6", "face_part6", "mirror", "source")


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def write_raw(path: Path, body: dict[str, Any], protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(body, protocol=protocol))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_body_file(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "hmr body" in message or "owners" in message or "resave" in message
    return message


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_a_written_body_is_read_back_whole(toy, tmp_path, suffix):
    body = parse_body(toy, origin=Path("toy"))
    write_body_file(tmp_path / f"body{suffix}", body)
    assert same(read_body_file(tmp_path / f"body{suffix}"), body)


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_equal_bodies_give_equal_bytes(toy, tmp_path, suffix):
    for name in ("one", "two"):
        write_body_file(tmp_path / f"{name}{suffix}", parse_body(toy, origin=Path("toy")))
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_no_other_format_is_written(toy, tmp_path):
    with pytest.raises(UserError, match=r"\.obj"):
        write_body_file(tmp_path / "body.obj", toy)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("protocol", [1, 2, 4, 5])
@pytest.mark.parametrize("layout", [np.asarray, sp.csc_matrix, sp.csr_matrix, sp.coo_matrix])
def test_plain_pickles_of_any_protocol_and_sparse_layout(toy, tmp_path, protocol, layout):
    raw = {**toy, "J_regressor": layout(toy["J_regressor"]), "source": "toy"}
    body = read_body_file(write_raw(tmp_path / "body.pkl", raw, protocol))
    assert np.array_equal(body["J_regressor"], toy["J_regressor"])
    assert np.array_equal(body["posedirs"], toy["posedirs"])


@pytest.fixture
def chumpy(monkeypatch):
    """Classes that pickle under the names of chumpy's, which is not installed."""
    classes = {}
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select"), ("chumpy.logic", "All")):
        fake = types.ModuleType(module)
        classes[name] = type(name, (), {"__module__": module, "__init__": lambda self, **kw: self.__dict__.update(kw)})
        setattr(fake, name, classes[name])
        monkeypatch.setitem(sys.modules, module, fake)
    return types.SimpleNamespace(**classes)


def as_smpl_file(toy: dict[str, np.ndarray], chumpy: Any) -> dict[str, Any]:
    """The toy as SMPL's own files are: chumpy objects, sparse regressor, 300 shapes, nothing of ours."""
    wide = np.concatenate([toy["shapedirs"], np.ones((*toy["v_template"].shape, 3))], -1).astype(np.float64)
    order = np.argsort(np.arange(wide.size) % 7, kind="stable")
    shuffled = chumpy.Ch(x=wide.ravel()[order], _dirty_vars=set())
    return {
        **{key: value for key, value in toy.items() if key not in DERIVED or key == "cocoplus_regressor"},
        "v_template": chumpy.Ch(x=toy["v_template"].astype(np.float64), _dirty_vars={"x"}),
        "shapedirs": chumpy.Select(a=shuffled, idxs=np.argsort(order), preferred_shape=wide.shape),
        "J_regressor": sp.csc_matrix(toy["J_regressor"]),
        "weights": chumpy.Ch(x=toy["weights"]),
        "bs_style": "lbs",
    }


@pytest.mark.parametrize("protocol", [1, 2])
def test_a_file_with_chumpy_objects_is_read_without_chumpy(toy, tmp_path, chumpy, monkeypatch, protocol):
    content = pickle.dumps(as_smpl_file(toy, chumpy), protocol=protocol)
    # The names that old versions of SciPy and NumPy wrote.
    content = content.replace(b"scipy.sparse._csc", b"scipy.sparse.csc").replace(b"numpy._core", b"numpy.core")
    (tmp_path / "smpl.pkl").write_bytes(content)
    for module in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.delitem(sys.modules, module)
    body = read_body_file(tmp_path / "smpl.pkl")
    for key in ("v_template", "shapedirs", "J_regressor", "weights"):
        np.testing.assert_array_equal(body[key], toy[key])
    assert tuple(body["kintree_table"][0, :4]) == (-1, 0, 0, 0)


def test_an_unknown_chumpy_class_is_named(toy, tmp_path, chumpy):
    message = refusal(write_raw(tmp_path / "body.pkl", {**toy, "weights": chumpy.All(b=1)}))
    assert "chumpy.logic.All" in message


class Evil:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, "system"), (eval, "eval"), (subprocess.Popen, "Popen"), (np.fromfile, "fromfile")],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_in_a_pickle_is_executed(toy, tmp_path, function, named, protocol):
    marker = tmp_path / "executed"
    argument = f"open({str(marker)!r}, 'w')" if function is eval else f"touch {marker}"
    message = refusal(write_raw(tmp_path / "evil.pkl", {**toy, "zz": Evil(function, argument)}, protocol))
    assert named in message
    assert not marker.exists()


def test_sparse_indices_outside_the_matrix_are_refused(toy, tmp_path):
    regressor = sp.csc_matrix(toy["J_regressor"])
    regressor.indices = regressor.indices + 10**6
    refusal(write_raw(tmp_path / "body.pkl", {**toy, "J_regressor": regressor}))


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.999])
def test_truncated_files_are_refused(toy, tmp_path, suffix, kept):
    path = tmp_path / f"body{suffix}"
    write_body_file(path, parse_body(toy, origin=path))
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    refusal(path)


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_other_content_is_refused(tmp_path, suffix):
    path = tmp_path / f"body{suffix}"
    path.write_bytes(b"<html>please log in</html>" * 100)
    refusal(path)


def test_missing_files_and_folders_and_suffixes_are_refused(tmp_path):
    refusal(tmp_path / "nothing.npz")
    refusal(tmp_path / "nothing.pkl")
    (tmp_path / "folder.npz").mkdir()
    refusal(tmp_path / "folder.npz")
    (tmp_path / "body.obj").touch()
    assert ".obj" in refusal(tmp_path / "body.obj")


def test_files_that_are_not_bodies_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", image=np.zeros(3))
    message = refusal(tmp_path / "other.npz")
    assert "v_template" in message
    assert "image" in message
    assert "list" in refusal(write_raw(tmp_path / "list.pkl", [1, 2]))
    np.savez(tmp_path / "objects.npz", v_template=np.array([{}]))
    refusal(tmp_path / "objects.npz")


@pytest.mark.parametrize(
    ("key", "spoil", "words"),
    [
        ("posedirs", lambda a: a[..., :-1], ("207", "206")),
        ("weights", lambda a: np.pad(a, ((0, 0), (0, 28))), ("24", "52")),
        ("J_regressor", lambda a: a[:, :-1], ("(24, ",)),
        ("shapedirs", lambda a: a[..., :4], ("10", "4")),
        ("v_template", lambda a: a * np.nan, ("finite",)),
        ("f", lambda a: a + 10**6, ("from 0 to",)),
        ("kintree_table", lambda a: a[:, ::-1], ("parents",)),
        ("part6", lambda a: a + 6, ("from 0 to 5",)),
    ],
)
def test_wrong_arrays_are_refused_by_name(toy, tmp_path, key, spoil, words):
    path = tmp_path / "body.npz"
    np.savez(path, **{**toy, key: spoil(toy[key])})
    message = refusal(path)
    assert key in message
    assert all(word in message for word in words)


def test_only_ten_shape_components_are_kept(toy):
    wide = np.concatenate([toy["shapedirs"]] * 3, -1)
    body = parse_body({**toy, "shapedirs": wide}, origin=Path("wide"))
    assert np.array_equal(body["shapedirs"], toy["shapedirs"])


def test_parts_are_those_of_the_joints_that_move_a_vertex(toy):
    part, face_part = part_labels(toy["weights"], toy["f"])
    assert np.array_equal(part, toy["part6"])
    assert np.array_equal(face_part, toy["face_part6"])
    right_wrist = int(toy["J_regressor"][SMPL_24.index("right_wrist")].argmax())
    assert PARTS[part[right_wrist]] == "right_arm"


def test_a_face_takes_the_part_of_most_of_its_corners():
    weights = np.zeros((4, 24))
    for vertex, joint in enumerate(("head", "left_knee", "left_knee", "left_wrist")):
        weights[vertex, SMPL_24.index(joint)] = 1
    _, face_part = part_labels(weights, np.array([[0, 1, 2], [2, 1, 3], [3, 3, 0]]))
    assert [PARTS[p] for p in face_part] == ["left_leg", "left_leg", "left_arm"]


def test_what_a_file_lacks_is_completed(toy):
    bare = {key: value for key, value in toy.items() if key not in DERIVED or key == "cocoplus_regressor"}
    body = parse_body(bare, origin=Path("folder/mine.pkl"))
    assert np.array_equal(body["part6"], toy["part6"])
    assert np.array_equal(body["mirror"], mirror_of(toy["v_template"]))
    assert "mine.pkl" in str(body["source"])
    assert "folder" not in str(body["source"])
    np.testing.assert_allclose(toy["v_template"][body["mirror"]] * [-1, 1, 1], toy["v_template"], atol=1e-7)


def padded(toy: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The toy with as many vertices as SMPL has, and without keypoints."""
    extra = SMPL_VERTICES - len(toy["v_template"])
    grown = {key: np.pad(toy[key], ((0, extra), *[(0, 0)] * (toy[key].ndim - 1))) for key in _PER_VERTEX}
    return {
        **{key: toy[key] for key in ("f", "kintree_table")},
        **grown,
        "J_regressor": np.pad(toy["J_regressor"], ((0, 0), (0, extra))),
    }


_PER_VERTEX = ("v_template", "shapedirs", "posedirs", "weights")


def test_keypoints_of_a_plain_smpl_file(toy):
    body = parse_body(padded(toy), origin=Path("smpl.pkl"))
    regressor = body["cocoplus_regressor"]
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-6)
    joints, keypoints = body["J_regressor"] @ body["v_template"], regressor @ body["v_template"]
    for name in COCOPLUS_19.joints[:12]:
        np.testing.assert_allclose(keypoints[COCOPLUS_19.index(name)], joints[SMPL_24.index(name)], atol=1e-6)
    for name, vertex in SMPL_KEYPOINT_VERTICES.items():
        assert regressor[COCOPLUS_19.index(name)].nonzero()[0].tolist() == [vertex]
    neck, shoulder = keypoints[COCOPLUS_19.index("neck")], joints[SMPL_24.index("left_shoulder")]
    assert shoulder[1] < neck[1] < joints[SMPL_24.index("neck")][1]


def test_keypoints_need_smpl_s_own_vertices(toy, tmp_path):
    np.savez(tmp_path / "body.npz", **{key: value for key, value in toy.items() if key != "cocoplus_regressor"})
    message = refusal(tmp_path / "body.npz")
    assert "cocoplus_regressor" in message
    assert "6890" in message


def test_the_command_adopts_a_file(toy_file, tmp_path, capsys):
    out = tmp_path / "results" / "body.pkl"
    assert main(["body", "--source", str(toy_file), "--out", str(out)]) == 0
    assert same(read_body_file(out), read_body_file(toy_file))
    assert main(["body", "--source", str(tmp_path / "no.pkl"), "--out", str(tmp_path / "new.npz")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "new.npz").exists()
