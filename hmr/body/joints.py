"""Joints by name: every order that the data sets and the body model use, and the ways between them.

Subsets are lists of names, resolved once; no other module writes a joint's number. Sources: the method's own
code for `COCOPLUS_19` and `LSP_14`, the data sets' documentation for the rest.
"""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class JointSet:
    """A named order of joints. Names are shared between sets, so that sets can be matched by name."""

    name: str
    joints: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of one joint."""
        return self.joints.index(joint)

    def indices_in(self, other: "JointSet") -> list[int]:
        """For each joint of this set its position in `other` (its first, where a set repeats a joint)."""
        return [other.index(joint) for joint in self.joints]

    @cached_property
    def flip(self) -> list[int]:
        """The permutation that exchanges left and right, as after a mirror."""
        return [self.index(_other_side(joint)) for joint in self.joints]


def _other_side(joint: str) -> str:
    side, _, rest = joint.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, joint)


SMPL_24 = JointSet(
    "smpl",
    (
        *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle"),
        *("right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_hand", "right_hand"),
    ),
)
SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

LSP_14 = JointSet(
    "lsp",
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
        *("neck", "head_top"),
    ),
)
COCOPLUS_19 = JointSet("cocoplus", (*LSP_14.joints, "nose", "left_eye", "right_eye", "left_ear", "right_ear"))

COCO_17 = JointSet(
    "coco",
    (
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
)
MPII_16 = JointSet(
    "mpii",
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "spine3"),
        *("neck", "head_top", "right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    ),
)
# Human3.6M's own 32 joints, right leg first. Where it has a joint that no other set has, the nearest name stands in;
# names repeat because the motion-capture skeleton holds several joints at one place.
HUMAN36M_32 = JointSet(
    "human36m",
    (
        *("pelvis", "right_hip", "right_knee", "right_ankle", "right_foot", "right_foot"),
        *("left_hip", "left_knee", "left_ankle", "left_foot", "left_foot"),
        *("pelvis", "spine2", "neck", "head", "head_top"),
        *("neck", "left_shoulder", "left_elbow", "left_wrist", "left_wrist", "left_hand", "left_hand", "left_hand"),
        *("neck", "right_shoulder", "right_elbow", "right_wrist", "right_wrist", "right_hand", "right_hand"),
        "right_hand",
    ),
)
MPI_INF_3DHP_28 = JointSet(
    "mpi_inf_3dhp_train",
    (
        *("spine3", "spine3", "spine3", "spine2", "pelvis", "neck", "head", "head_top"),
        *("left_collar", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
        *("right_collar", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
        *("left_hip", "left_knee", "left_ankle", "left_foot", "left_foot"),
        *("right_hip", "right_knee", "right_ankle", "right_foot", "right_foot"),
    ),
)
# Those of the 28 that the owners' code calls compatible with Human3.6M.
# ASSUME: their "spine", next above the pelvis, lies where SMPL's spine2 does, as Human3.6M's; "head" where SMPL's does.
MPI_INF_3DHP_17 = JointSet(
    "mpi_inf_3dhp",
    (
        *("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
        *("left_hip", "left_knee", "left_ankle", "pelvis", "spine2", "head"),
    ),
)
# What a posed body offers to every data set: the 19 keypoints, then those SMPL joints that the 19 do not name.
BODY_JOINTS = JointSet(
    "body", (*COCOPLUS_19.joints, *(joint for joint in SMPL_24.joints if joint not in COCOPLUS_19.joints))
)

LSP_BONES = tuple(
    (LSP_14.index(a), LSP_14.index(b))
    for a, b in (
        *(("right_ankle", "right_knee"), ("right_knee", "right_hip"), ("left_hip", "left_knee")),
        *(("left_knee", "left_ankle"), ("right_hip", "left_hip"), ("right_wrist", "right_elbow")),
        *(("right_elbow", "right_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist")),
        *(("right_shoulder", "neck"), ("left_shoulder", "neck"), ("neck", "head_top")),
        *(("right_shoulder", "right_hip"), ("left_shoulder", "left_hip")),
    )
)

PARTS = ("head", "torso", "right_arm", "left_arm", "right_leg", "left_leg")
PART_JOINTS = {
    "head": ("neck", "head"),
    "torso": ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"),
    **{
        f"{side}_arm": tuple(f"{side}_{j}" for j in ("shoulder", "elbow", "wrist", "hand"))
        for side in ("right", "left")
    },
    **{f"{side}_leg": tuple(f"{side}_{j}" for j in ("hip", "knee", "ankle", "foot")) for side in ("right", "left")},
}
