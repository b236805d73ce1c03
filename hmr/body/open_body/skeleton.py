"""From MakeHuman's 163 bones to the 24 joints: which bone follows which joint, and where each joint lies."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.body.open_body.makehuman import BaseMesh, Rig

MAX_INFLUENCES = 4
MIN_INFLUENCE = 1e-3

# The bones of the default rig that each joint moves, less their side.
_MOVED = {
    "pelvis": ("root", "pelvis", "spine05"),
    "spine1": ("spine04", "spine03"),
    "spine2": ("spine02",),
    "spine3": ("spine01", "breast"),
    "neck": ("neck01", "neck02"),
    "hip": ("upperleg01", "upperleg02"),
    "knee": ("lowerleg01", "lowerleg02"),
    "ankle": ("foot",),
    "collar": ("clavicle", "shoulder01"),
    "shoulder": ("upperarm01", "upperarm02"),
    "elbow": ("lowerarm01", "lowerarm02"),
    "wrist": ("wrist", "metacarpal1", "metacarpal2", "metacarpal3", "metacarpal4", "finger1-1"),
}
# Where a joint lies: at the near end of this bone of this rig ...
_PLACE = {
    "pelvis": ("mixamo", "mixamorig:Hips"),
    "spine1": ("default", "spine04"),
    "spine2": ("default", "spine02"),
    "spine3": ("default", "spine01"),
    "neck": ("default", "neck01"),
    "head": ("default", "neck03"),
    "hip": ("default", "upperleg01"),
    "knee": ("default", "lowerleg01"),
    "ankle": ("default", "foot"),
    "foot": ("mixamo", "ToeBase"),
    "collar": ("mixamo", "Shoulder"),
    "shoulder": ("default", "upperarm01"),
    "elbow": ("default", "lowerarm01"),
    "wrist": ("default", "wrist"),
    "hand": ("default", "finger3-1"),
}
# ... and the bone of the default rig that it hangs on, which carries it into another pose.
_CARRIER = {
    **dict.fromkeys(("pelvis", "spine1", "spine2", "spine3"), "root"),
    **dict.fromkeys(("neck", "collar"), "spine01"),
    "head": "neck02",
    "hip": "pelvis",
    "knee": "upperleg02",
    "ankle": "lowerleg02",
    "foot": "foot",
    "shoulder": "shoulder01",
    "elbow": "upperarm02",
    "wrist": "lowerarm02",
    "hand": "wrist",
}
_SIDES = {"left": "L", "right": "R"}


@dataclass(frozen=True)
class Place:
    """A point of the body as a mean of vertices."""

    vertices: np.ndarray  # (n,)
    weights: np.ndarray  # (n,), sum 1

    @classmethod
    def mean(cls, vertices: np.ndarray) -> "Place":
        """The plain mean of some vertices."""
        return cls(vertices, np.full(len(vertices), 1 / len(vertices)))

    def among(self, used: np.ndarray) -> "Place":
        """The same place, its vertices counted in the sorted selection `used`."""
        return Place(np.searchsorted(used, self.vertices), self.weights)

    def of(self, bodies: np.ndarray) -> np.ndarray:
        """The point on each of (N, V, 3) bodies: (N, 3)."""
        return np.einsum("k,nkc->nc", self.weights, bodies[:, self.vertices])


def joint_of_bone(bone: str) -> int:
    """The joint that moves a bone of the default rig. Face, eyes and tongue follow the head."""
    stem, _, side = bone.partition(".")
    side = {"L": "left_", "R": "right_"}.get(side, "")
    for joint, stems in _MOVED.items():
        if stem in stems:
            return SMPL_24.index(joint if joint in SMPL_24.joints else side + joint)
    if stem.startswith("finger"):
        return SMPL_24.index(side + "hand")
    if stem.startswith("toe"):
        return SMPL_24.index(side + "foot")
    return SMPL_24.index("head")


def joint_places(rigs: Mapping[str, Rig], mesh: BaseMesh) -> list[Place]:
    """Where the 24 joints lie in MakeHuman's rest pose, exactly symmetric."""
    return [_joint_place(joint, rigs, mesh) for joint in SMPL_24.joints]


def carriers(rig: Rig) -> list[int]:
    """For each of the 24 joints the bone of the default rig that it hangs on."""
    return [rig.bones.index(_on_side(rig, _CARRIER[base], side)) for side, base in map(_split, SMPL_24.joints)]


def merged_weights(weights: np.ndarray, bones: tuple[str, ...], mirror: np.ndarray) -> np.ndarray:
    """Skinning weights of (V, bones) for the 24 joints: (V, 24), few to a vertex, rows sum to 1, symmetric."""
    merged = np.zeros((len(weights), 24))
    for column, bone in zip(weights.T, bones, strict=True):
        merged[:, joint_of_bone(bone)] += column
    merged = _mirror_mean(merged, mirror)
    smallest = np.sort(merged, 1)[:, -MAX_INFLUENCES][:, None]
    merged = np.where((merged >= smallest) & (merged > MIN_INFLUENCE), merged, 0)
    return _mirror_mean(merged, mirror)


def near_joints(joint: int) -> list[int]:
    """A joint, its parent and its children."""
    return [j for j, parent in enumerate(SMPL_PARENTS) if joint in (j, parent) or SMPL_PARENTS[joint] == j]


def _mirror_mean(weights: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    total = weights + weights[mirror][:, SMPL_24.flip]
    return total / total.sum(1, keepdims=True)


def _joint_place(joint: str, rigs: Mapping[str, Rig], mesh: BaseMesh) -> Place:
    side, base = _split(joint)
    rig, bone = rigs[_PLACE[base][0]], _PLACE[base][1]
    here = rig.heads[rig.bones.index(_on_side(rig, bone, side))]
    there = rig.heads[rig.bones.index(_on_side(rig, bone, {"left": "right", "right": "left"}.get(side, "")))]
    halves = [np.full(len(ids), 0.5 / len(ids)) for ids in (here, there)]
    return Place(np.concatenate([here, mesh.mirror[there]]), np.concatenate(halves))


def _split(joint: str) -> tuple[str, str]:
    side, _, base = joint.rpartition("_")
    return side, base


def _on_side(rig: Rig, bone: str, side: str) -> str:
    """A bone's full name. The default rig marks sides at the end, Mixamo's in the middle."""
    candidates = (f"{bone}.{_SIDES.get(side)}", f"mixamorig:{side.capitalize()}{bone}", bone)
    return next(name for name in candidates if name in rig.bones)
