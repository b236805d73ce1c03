"""Vertices with a name, put at the numbers that they have in SMPL, so that tools which pick them by number work."""

import numpy as np

from hmr.body.file import SMPL_KEYPOINT_VERTICES
from hmr.body.joints import SMPL_24

# Facts about SMPL's mesh: the numbers of fingertips, toes and heels (smplx's vertex_ids), besides those of the face.
SMPL_LANDMARKS = SMPL_KEYPOINT_VERTICES | {
    **{"right_thumb": 6191, "right_index": 5782, "right_middle": 5905, "right_ring": 6016, "right_pinky": 6133},
    **{"left_thumb": 2746, "left_index": 2319, "left_middle": 2445, "left_ring": 2556, "left_pinky": 2673},
    **{"left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387},
    **{"right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787},
}
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def find_landmarks(
    template: np.ndarray,
    *,
    weights: np.ndarray,
    bone_weights: dict[str, np.ndarray],
    left_eye: np.ndarray,
    left_ear: np.ndarray,
    mirror: np.ndarray,
) -> dict[str, int]:
    """Our vertex for each of SMPL_LANDMARKS, on the template (V, 3) in the T pose.

    `weights` (V, 24); `bone_weights` holds a column (V,) for each bone of the default rig; eye and ear are points.
    """
    head = np.flatnonzero(weights[:, SMPL_24.index("head")] > 0.8)
    middle_of_head = head[mirror[head] == head]

    def nearest(point: np.ndarray) -> int:
        return int(head[np.argmin(np.linalg.norm(template[head] - point, axis=1))])

    def furthest(candidates: np.ndarray, direction: list[float]) -> int:
        return int(candidates[np.argmax(template[candidates] @ np.array(direction))])

    def tip(bone: str, direction: list[float]) -> int:
        return furthest(np.flatnonzero(bone_weights[bone] > 0.3), direction)

    foot = np.flatnonzero((weights[:, SMPL_24.index("left_ankle")] > 0.5) & (template[:, 0] > 0))
    left = {
        "left_eye": nearest(left_eye),
        "left_ear": nearest(left_ear),
        **{
            f"left_{finger}": tip(f"finger{number}-3.L", [1, -0.2, 0.6 if number == 1 else 0])
            for number, finger in enumerate(_FINGERS, 1)
        },
        "left_big_toe": tip("toe1-2.L", [0, 0, 1]),
        "left_small_toe": tip("toe5-3.L", [0.3, 0, 1]),
        "left_heel": furthest(foot, [0, -0.3, -1]),
    }
    right = {name.replace("left_", "right_"): int(mirror[vertex]) for name, vertex in left.items()}
    # ASSUME: the top of the head is its highest sagittal vertex, the nose its foremost.
    middle = {"head_top": furthest(middle_of_head, [0, 1, 0]), "nose": furthest(middle_of_head, [0, 0, 1])}
    return middle | left | right


def vertex_order(template: np.ndarray, mirror: np.ndarray, landmarks: dict[str, int]) -> np.ndarray:
    """Old numbers in the new order (V,): left half, sagittal line, right half, but landmarks where SMPL has them."""
    middle = mirror == np.arange(len(mirror))
    left = (template[:, 0] > 0) & ~middle
    order = np.concatenate([np.flatnonzero(left), np.flatnonzero(middle), np.flatnonzero(~left & ~middle)])
    place = np.argsort(order)
    for name, wanted in SMPL_LANDMARKS.items():
        vertex, other = landmarks[name], order[wanted]
        order[[wanted, place[vertex]]] = vertex, other
        place[[other, vertex]] = place[vertex], wanted
    return order
