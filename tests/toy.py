"""A small body in memory: SMPL's format and skeleton, a few hundred vertices, left and right exact mirror images.

Every joint carries a little octahedron, every bone a longer one, so the body renders as a recognisable figure and
its joints are exact means of vertices.
"""

import numpy as np

from hmr.body.joints import COCOPLUS_19, PART_JOINTS, PARTS, SMPL_24, SMPL_PARENTS

# Rest positions of the middle and left joints, metres, y up, facing +z; the right side is the mirror image.
_REST = {
    "pelvis": (0.0, -0.225, 0.03),
    "left_hip": (0.10, -0.29, 0.03),
    "spine1": (0.0, -0.11, 0.0),
    "left_knee": (0.11, -0.65, 0.03),
    "spine2": (0.0, 0.02, 0.01),
    "left_ankle": (0.12, -1.06, -0.01),
    "spine3": (0.0, 0.08, 0.03),
    "left_foot": (0.13, -1.12, 0.11),
    "neck": (0.0, 0.29, 0.0),
    "left_collar": (0.07, 0.20, 0.0),
    "head": (0.0, 0.38, 0.03),
    "left_shoulder": (0.17, 0.23, 0.0),
    "left_elbow": (0.43, 0.22, 0.0),
    "left_wrist": (0.66, 0.22, 0.0),
    "left_hand": (0.74, 0.21, 0.0),
}
_DIRECTIONS = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float)
_OCTAHEDRON = np.array([(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)])
_FACE = {"nose": (0.0, 0.44, 0.14), "left_eye": (0.03, 0.47, 0.12), "left_ear": (0.08, 0.45, 0.03)}


def toy_body(seed: int = 0) -> dict[str, np.ndarray]:
    """The body's arrays under SMPL's names, float32."""
    joints = np.array([_rest(name) for name in SMPL_24.joints])
    vertices, owners, faces = _mesh(joints)
    mirror = _mirror(vertices)
    rng = np.random.default_rng(seed)
    weights = np.eye(24)[owners]
    parts = np.stack([weights[:, [SMPL_24.index(j) for j in PART_JOINTS[part]]].sum(1) for part in PARTS], 1).argmax(1)
    body = {
        "v_template": vertices,
        "f": faces,
        "shapedirs": _shapedirs(vertices),
        "posedirs": _posedirs(mirror, rng),
        "J_regressor": _blob_means(len(vertices)),
        "weights": weights,
        "cocoplus_regressor": _keypoint_regressor(vertices),
    }
    body = {name: array.astype(np.float32) for name, array in body.items()}
    return body | {
        "f": faces.astype(np.uint32),
        "kintree_table": np.array([np.asarray(SMPL_PARENTS) % 2**32, np.arange(24)], np.uint32),
        "part6": parts.astype(np.uint8),
        "face_part6": parts[faces[:, 0]].astype(np.uint8),
        "mirror": mirror.astype(np.int32),
        "source": np.array("toy body for tests"),
    }


def _rest(name: str) -> tuple[float, float, float]:
    x, y, z = _REST[name.replace("right_", "left_")]
    return (-x, y, z) if name.startswith("right_") else (x, y, z)


def _mesh(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """24 joint octahedra (six vertices each, in joint order), then one per bone, then the head's landmarks."""
    radius = np.where(np.isin(np.arange(24), [SMPL_24.index("head")]), 0.11, 0.05)
    blobs = [joint + r * _DIRECTIONS for joint, r in zip(joints, radius, strict=True)]
    owners = [np.full(6, j) for j in range(24)]
    for child in range(1, 24):
        parent = SMPL_PARENTS[child]
        middle, half = (joints[child] + joints[parent]) / 2, np.abs(joints[child] - joints[parent]) / 2
        blobs.append(middle + np.maximum(half, 0.06) * _DIRECTIONS)
        owners.append(np.full(6, parent))
    faces = np.concatenate([_OCTAHEDRON + 6 * k for k in range(len(blobs))])
    landmarks = [
        _FACE["nose"],
        *(p for n in ("left_eye", "left_ear") for p in (_FACE[n], np.multiply(_FACE[n], (-1, 1, 1)))),
    ]
    blobs.append(np.array(landmarks))
    owners.append(np.full(5, SMPL_24.index("head")))
    return np.concatenate(blobs), np.concatenate(owners), faces


def _mirror(vertices: np.ndarray) -> np.ndarray:
    other = vertices * (-1, 1, 1)
    return np.array([np.linalg.norm(vertices - v, axis=1).argmin() for v in other])


def _shapedirs(vertices: np.ndarray) -> np.ndarray:
    """Ten mirror-symmetric displacements: heights, widths, depths and waves along the body."""
    x, y, z = vertices.T
    zero = np.zeros_like(x)
    waves = [np.stack([0.01 * x * np.sin(k * y + k), zero, 0.01 * np.cos(k * y)], -1) for k in range(1, 8)]
    scales = [np.stack(d, -1) for d in ((zero, 0.04 * y, zero), (0.06 * x, zero, 0.06 * z), (0.04 * x, 0.01 * y, zero))]
    return np.stack([*scales, *waves], -1)


def _posedirs(mirror: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    raw = 0.002 * rng.normal(size=(len(mirror), 3, 23, 3, 3))
    sign = np.array([-1.0, 1.0, 1.0])
    swap = [j - 1 for j in SMPL_24.flip[1:]]
    other = raw[mirror][:, :, swap] * sign[:, None, None, None] * np.outer(sign, sign)
    return ((raw + other) / 2).reshape(len(mirror), 3, 207)


def _blob_means(num_vertices: int) -> np.ndarray:
    regressor = np.zeros((24, num_vertices))
    for joint in range(24):
        regressor[joint, 6 * joint : 6 * joint + 6] = 1 / 6
    return regressor


def _keypoint_regressor(vertices: np.ndarray) -> np.ndarray:
    means, regressor = _blob_means(len(vertices)), np.zeros((19, len(vertices)))
    head, landmarks = 6 * SMPL_24.index("head"), len(vertices) - 5
    single = {"head_top": head + 2, "nose": landmarks, "left_eye": landmarks + 1, "right_eye": landmarks + 2}
    single |= {"left_ear": landmarks + 3, "right_ear": landmarks + 4}
    for row, name in enumerate(COCOPLUS_19.joints):
        if name in single:
            regressor[row, single[name]] = 1
        else:
            regressor[row] = means[SMPL_24.index(name)]
    return regressor


class ToyPool:
    """Poses round the rest pose, all of one shape, read as a motion pool is."""

    def __len__(self) -> int:
        return 200

    def at(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        poses = np.random.default_rng(0).normal(0, 0.2, (200, 24, 3)).astype(np.float32)[rows]
        return poses, np.zeros((len(rows), 10), np.float32)
