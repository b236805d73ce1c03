"""From MakeHuman's rest pose, arms half down, to the T pose in which SMPL's format keeps its template."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from hmr.body.open_body.makehuman import Rig
from hmr.body.open_body.rotation import about, between_frames, shortest, twist, unit
from hmr.body.open_body.skinning import RigidMotion, blend_linear

PELVIS_HEIGHT, PELVIS_DEPTH = -0.225, 0.028  # metres; SMPL's pelvis is near there too
STATURE_GAIN = 0.022  # metres by which a body grows from MakeHuman's rest pose into the T pose
_CLAVICLE_LIFT = np.deg2rad(10)
# Directions of the T pose on the body's left; x changes sign on its right.
_UPPER_ARM = np.array([0.995, -0.03, -0.09])
_FOREARM = np.array([1.0, 0.02, 0.0])
_HAND = np.array([1.0, -0.03, 0.0])
_LEG = np.array([0.012, -1.0, -0.02])


@dataclass(frozen=True)
class TPose:
    """N people in the T pose."""

    motion: RigidMotion  # (N, bones): from MakeHuman's rest pose into the T pose
    vertices: np.ndarray  # (N, V, 3) float32, metres
    joints: np.ndarray  # (N, 24, 3)


def to_t_pose(
    *, bodies: np.ndarray, heads: np.ndarray, joints: np.ndarray, carrier: list[int], rig: Rig, weights: sp.csr_matrix
) -> TPose:
    """Bring (N, V, 3) bodies with bone heads (N, B, 3) and joints (N, 24, 3) into the T pose, the pelvis to its place.

    `carrier` names the bone that each joint hangs on; `weights` (V, B) are the vertices' rows of the rig's weights.
    """
    motion = t_pose_motion(heads, rig)
    joints = motion[:, carrier].apply(joints)
    shift = (np.array([0, PELVIS_HEIGHT, PELVIS_DEPTH]) - joints[:, 0]) * [0, 1, 1]
    motion = RigidMotion(motion.rotmat, motion.offset + shift[:, None])
    vertices = np.empty(bodies.shape, np.float32)
    for person in tqdm(range(len(bodies)), desc="T pose", unit="person", leave=False, disable=None):
        vertices[person] = blend_linear(weights, motion[person]).apply(bodies[person])
    return TPose(motion, vertices, joints + shift[:, None])


def t_pose_motion(heads: np.ndarray, rig: Rig) -> RigidMotion:
    """How every bone moves into the T pose, given the bones' heads (N, B, 3)."""
    turned = {}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        turned |= _side_rotations(lambda bone, side=side: heads[:, rig.bones.index(f"{bone}.{side}")], side, sign)
    still = np.broadcast_to(np.eye(3), (len(heads), 3, 3))
    motions: list[RigidMotion] = []
    for bone, (name, parent) in enumerate(zip(rig.bones, rig.parents, strict=True)):
        above = motions[parent] if parent >= 0 else RigidMotion(still, np.zeros((len(heads), 3)))
        head = heads[:, bone]
        motions.append(RigidMotion.turning(turned.get(name, above.rotmat), head, above.apply(head)))
    return RigidMotion(np.stack([m.rotmat for m in motions], 1), np.stack([m.offset for m in motions], 1))


def _side_rotations(head: Callable[[str], np.ndarray], side: str, sign: float) -> dict[str, np.ndarray]:
    """World rotations (N, 3, 3) of the bones of one side that turn by themselves; the others follow their parents."""
    flip = np.array([sign, 1, 1])
    leg = head("foot") - head("upperleg01")
    clavicle = about(np.broadcast_to([0, 0, sign], leg.shape), _CLAVICLE_LIFT)
    rotations = {
        "clavicle": clavicle,
        **_arm_rotations(head, clavicle, flip),
        "upperleg01": shortest(leg, _LEG * flip),
        "foot": np.broadcast_to(np.eye(3), clavicle.shape),
    }
    return {f"{bone}.{side}": rotation for bone, rotation in rotations.items()}


def _arm_rotations(head: Callable[[str], np.ndarray], clavicle: np.ndarray, flip: np.ndarray) -> dict[str, np.ndarray]:
    """Arm bones along x, elbows bending forwards, palms down; the twist is spread along each limb.

    The elbow's own axis and the line from forefinger to little finger say how far each bone has to roll.
    """
    upper = head("lowerarm01") - head("upperarm01")
    fore = head("wrist") - head("lowerarm01")
    elbow_axis = np.cross(upper, fore)
    knuckles = head("finger5-1") - head("finger2-1")
    up_or_down = np.array([0, -1.0, 0]) * flip[0]
    upper_arm = between_frames((upper, elbow_axis), (_UPPER_ARM * flip, up_or_down))
    forearm = between_frames((fore, elbow_axis), (_FOREARM * flip, up_or_down))
    hand = between_frames((head("finger3-1") - head("wrist"), knuckles), (_HAND * flip, np.array([0, 0, -1.0])))
    untwisted = shortest(np.einsum("nij,nj->ni", clavicle, upper), _UPPER_ARM * flip) @ clavicle
    return {
        "upperarm01": _twisted(untwisted, upper_arm, _UPPER_ARM * flip, 0.5),
        "upperarm02": upper_arm,
        "lowerarm01": _twisted(forearm, hand, _FOREARM * flip, 0.25),
        "lowerarm02": _twisted(forearm, hand, _FOREARM * flip, 0.75),
        "wrist": hand,
    }


def _twisted(start: np.ndarray, end: np.ndarray, axis: np.ndarray, share: float) -> np.ndarray:
    """`start` turned about `axis` by a share of the twist that leads to `end`; all (N, 3, 3)."""
    angle = twist(end @ np.swapaxes(start, -1, -2), unit(axis))
    return about(np.broadcast_to(axis, (len(start), 3)), share * angle) @ start
