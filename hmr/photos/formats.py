"""Files for other programs: glTF meshes (.glb), AMASS's arrays (.npz), and motion for animators (.bvh).

The camera's frame is x right, y down, z forward. glTF and BVH have y up and look along -z; AMASS has z up.
"""

import json
import struct

import numpy as np
from jaxtyping import Float, Integer, UInt8
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hmr.body.joints import SMPL_24, SMPL_PARENTS

Y_UP = np.diag([1.0, -1.0, -1.0])
Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
_AMASS_POSE = 156  # SMPL+H: 22 joints, then the fingers of two hands
_AMASS_BODY = 66
_CM = 100.0  # what animators' programs expect of a BVH file
_END_SHARE = 0.5  # of the last bone, drawn beyond joints without children


def glb(vertices: Float[ndarray, "v 3"], faces: Integer[ndarray, "f 3"], colours: UInt8[ndarray, "v 3"]) -> bytes:
    """A binary glTF 2.0 file of one mesh. vertices: camera frame, metres. colours: sRGB, stored linear as glTF asks."""
    points = (vertices @ Y_UP.T).astype("<f4")
    linear = np.rint(255 * (colours / 255.0) ** 2.2).astype(np.uint8)
    rgba = np.concatenate((linear, np.full((len(linear), 1), 255, np.uint8)), 1)
    parts = [faces.astype("<u4").tobytes(), points.tobytes(), rgba.tobytes()]  # all of a length that 4 divides
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    document = {
        "asset": {"version": "2.0", "generator": "hmr"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "body"}],
        "meshes": [{"primitives": [{"indices": 0, "attributes": {"POSITION": 1, "COLOR_0": 2}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0, "roughnessFactor": 0.8}, "doubleSided": True}],
        "buffers": [{"byteLength": starts[-1]}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": len(part), "target": target}
            for start, part, target in zip(starts, parts, (34963, 34962, 34962), strict=False)
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5125, "count": faces.size, "type": "SCALAR"},
            {
                **{"bufferView": 1, "componentType": 5126, "count": len(points), "type": "VEC3"},
                **{"min": points.min(0).tolist(), "max": points.max(0).tolist()},
            },
            {"bufferView": 2, "componentType": 5121, "normalized": True, "count": len(points), "type": "VEC4"},
        ],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(parts)
    head = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary))
    return head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


def amass(
    full_pose_rotmat: Float[ndarray, "t 24 3 3"],
    betas: Float[ndarray, "10"],
    transl_m: Float[ndarray, "t 3"],
    pelvis_rest_m: Float[ndarray, "3"],
    rate_hz: float,
) -> dict[str, np.ndarray]:
    """A motion under AMASS's names and in its frame, z up: trans, gender, mocap_framerate, betas, poses (t, 156).

    transl_m: what moves the body's vertices into the camera's frame. `poses` has SMPL's root and body, and fingers at
    rest, since SMPL+H turns fingers where SMPL turns the hand; `poses_smpl` (t, 72) has all that was recovered.
    """
    turned = full_pose_rotmat.copy()
    turned[:, 0] = Z_UP @ full_pose_rotmat[:, 0]
    smpl = Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 72)
    poses = np.zeros((len(smpl), _AMASS_POSE))
    poses[:, :_AMASS_BODY] = smpl[:, :_AMASS_BODY]
    # The root turns about the pelvis, which the frame's own turn has to carry along.
    trans = (pelvis_rest_m + transl_m) @ Z_UP.T - pelvis_rest_m
    return {
        "trans": trans,
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(float(rate_hz)),
        "betas": np.asarray(betas, np.float64),
        "poses": poses,
        "poses_smpl": smpl,
    }


def bvh(
    full_pose_rotmat: Float[ndarray, "t 24 3 3"],
    rest_joints_m: Float[ndarray, "24 3"],
    transl_m: Float[ndarray, "t 3"],
    rate_hz: float,
) -> str:
    """Biovision's motion file: SMPL's skeleton, y up, centimetres, degrees, rotations in the order Z, X, Y."""
    turned = full_pose_rotmat.copy()
    turned[:, 0] = Y_UP @ full_pose_rotmat[:, 0]
    order = _depth_first(0)
    with np.errstate(all="ignore"):
        angles = Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_euler("ZXY", degrees=True).reshape(-1, 24, 3)
    root = (rest_joints_m[0] + transl_m) @ Y_UP.T * _CM
    rows = np.concatenate((root, angles[:, order].reshape(len(angles), -1)), 1)
    motion = [" ".join(f"{value:.6f}" for value in row) for row in rows]
    lines = ["HIERARCHY", *_joint(0, rest_joints_m, "")]
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / rate_hz:.8f}", *motion]
    return "\n".join(lines) + "\n"


def _children(joint: int) -> list[int]:
    return [child for child, parent in enumerate(SMPL_PARENTS) if parent == joint]


def _depth_first(joint: int) -> list[int]:
    return [joint, *(below for child in _children(joint) for below in _depth_first(child))]


def _joint(joint: int, rest_m: np.ndarray, indent: str) -> list[str]:
    """One joint's lines. At rest the body stands in SMPL's own frame, which has y up already."""
    parent, inner = SMPL_PARENTS[joint], indent + "  "
    bone = (rest_m[joint] - rest_m[parent]) * _CM if parent >= 0 else np.zeros(3)
    turns = "Zrotation Xrotation Yrotation"
    channels = f"CHANNELS 3 {turns}" if parent >= 0 else f"CHANNELS 6 Xposition Yposition Zposition {turns}"
    lines = [f"{indent}{'JOINT' if parent >= 0 else 'ROOT'} {SMPL_24.joints[joint]}", indent + "{"]
    lines += [f"{inner}OFFSET {_numbers(bone)}", inner + channels]
    for child in _children(joint):
        lines += _joint(child, rest_m, inner)
    if not _children(joint):
        lines += [f"{inner}End Site", inner + "{", f"{inner}  OFFSET {_numbers(_END_SHARE * bone)}", inner + "}"]
    return [*lines, indent + "}"]


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values)
