"""Building the open body: a model in SMPL's format from MakeHuman's CC0 data. Deterministic for given arguments."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from hmr.body.file import Body, part_labels, smpl_keypoint_regressor
from hmr.body.joints import SMPL_24, SMPL_PARENTS
from hmr.body.open_body.decimate import Surface, decimate
from hmr.body.open_body.landmarks import find_landmarks, vertex_order
from hmr.body.open_body.makehuman import MakeHuman, data_folder, read_makehuman, stack_offsets
from hmr.body.open_body.mesh import grow
from hmr.body.open_body.people import (
    LOCAL_SLIDERS,
    BlendShapes,
    People,
    average_people,
    rest_shapes,
    sample_people,
    with_stature,
)
from hmr.body.open_body.pose_correctives import Subject, fit_posedirs
from hmr.body.open_body.poses import sample_poses
from hmr.body.open_body.regressors import Examples, fit_joint_regressor
from hmr.body.open_body.rest_pose import STATURE_GAIN, TPose, to_t_pose
from hmr.body.open_body.shape_space import ShapeSpace, fit_shape_space
from hmr.body.open_body.skeleton import Place, carriers, joint_of_bone, joint_places, merged_weights
from hmr.body.open_body.skinning import blend_linear, pose_skeleton
from hmr.body.open_body.texture import corner_uvs, seam_vertices, uv_islands
from hmr.errors import UserError

VERTICES = 6890  # as many as SMPL has; with them closed meshes have its 13,776 faces too
MIN_SHAPES, MIN_POSES = 20, 20
MAX_EXAMPLES = 500  # bodies behind the joint regressor
BETA_LIMIT = 2.5
HIDDEN_ISLANDS = 3  # the three smallest pieces of the texture: the mouth's inside and two eye sockets
HIDDEN_RINGS = 2  # and this much around them
SOURCE = "built from MakeHuman/MPFB2 data (CC0); in SMPL's format, but not SMPL"


def build_open_body(*, shapes: int, poses: int, seed: int) -> Body:
    """Build the open body from `shapes` sampled people and `poses` sampled poses.

    Returns the arrays of a body file (see `hmr.body.file.read_body_file`), 6,890 vertices and 13,776 faces, with
    texture coordinates. Equal arguments give equal bytes on one machine. Raises UserError where the data is not
    installed or a count is too small.
    """
    if shapes < MIN_SHAPES or poses < MIN_POSES:
        raise UserError(
            f"body: expected at least {MIN_SHAPES} shapes and {MIN_POSES} poses, found {shapes} and {poses}; "
            "raise body.shapes and body.poses in params.yaml"
        )
    # How BLAS splits a sum between threads shows in its last bits, so that the number of cores would change the file.
    with threadpool_limits(limits=1, user_api="blas"):
        return _build(shapes, poses, seed)


def _build(shapes: int, poses: int, seed: int) -> Body:
    makehuman = read_makehuman(data_folder(), LOCAL_SLIDERS)
    skin = _decimated(makehuman)
    sampled = _sample(makehuman, skin, shapes, np.random.default_rng((seed, 0)))
    weights = merged_weights(makehuman.rigs["default"].weights[skin.kept], makehuman.rigs["default"].bones, skin.mirror)
    space = fit_shape_space(
        sampled.t_pose.vertices,
        sampled.t_pose.joints[:, :24],
        faces=skin.faces,
        mirror=skin.mirror,
        joint_mirror=np.array(SMPL_24.flip),
    )
    subject = _typical_subject(makehuman, skin, sampled, space, weights)
    posedirs = fit_posedirs(subject, sample_poses(poses, np.random.default_rng((seed, 1))), skin.faces, skin.mirror)
    examples = _examples(space, weights, posedirs, min(poses, MAX_EXAMPLES), np.random.default_rng((seed, 2)))
    regressor = fit_joint_regressor(
        examples, template=space.template, joints=space.joint_template, weights=weights, mirror=skin.mirror
    )
    order = _final_order(makehuman, skin, sampled, space, weights)
    return _in_order(makehuman, skin, space, weights, posedirs, regressor, order)


@dataclass(frozen=True)
class _Skin:
    """The decimated body."""

    kept: np.ndarray  # (V,) its vertices in the base mesh
    faces: np.ndarray  # (F, 3)
    mirror: np.ndarray  # (V,)


@dataclass(frozen=True)
class _Sample:
    """People in MakeHuman's rest pose and in the T pose."""

    bodies: np.ndarray  # (N, V, 3) float32 in MakeHuman's rest pose
    t_pose: TPose  # its joints are the 24, then the left eye and the left ear


def _decimated(makehuman: MakeHuman) -> _Skin:
    quads = makehuman.mesh.groups["body"]
    body = makehuman.mesh.group_vertices("body")  # 0 to 13,379, so numbers within it are the mesh's own
    mirror = makehuman.mesh.mirror[body]
    hidden = np.zeros((len(body), 1), bool)
    hidden[np.concatenate(uv_islands(quads)[-HIDDEN_ISLANDS:])] = True
    hidden = grow(hidden, quads[..., 0], HIDDEN_RINGS)[:, 0]
    hidden[makehuman.nipples] = True  # too fine for this mesh
    positions = rest_shapes(average_people(), _blend_shapes(makehuman, body)).astype(np.float64)
    seam = seam_vertices(quads, len(body))
    kept, faces = decimate(Surface(positions, quads[..., 0], mirror, hidden, seam), VERTICES)
    return _Skin(kept, faces, np.searchsorted(kept, mirror[kept]))


def _blend_shapes(makehuman: MakeHuman, vertices: np.ndarray) -> BlendShapes:
    """Blend shapes of some of the base mesh's vertices, which must be sorted and hold their own mirror images."""
    mesh = makehuman.mesh
    return BlendShapes(
        base=mesh.vertices[vertices].astype(np.float32),
        macros=makehuman.macros,
        macro_offsets=stack_offsets(makehuman.macros, vertices, len(mesh.vertices)),
        local_offsets=stack_offsets(makehuman.locals, vertices, len(mesh.vertices)),
        mirror=np.searchsorted(vertices, mesh.mirror[vertices]),
    )


def _sample(makehuman: MakeHuman, skin: _Skin, count: int, rng: np.random.Generator) -> _Sample:
    mesh, rig = makehuman.mesh, makehuman.rigs["default"]
    points = [*joint_places(makehuman.rigs, mesh), _eye_place(makehuman), Place.mean(makehuman.ear)]
    heads = [Place.mean(head) for head in rig.heads]
    used = np.unique(np.concatenate([skin.kept, *(place.vertices for place in points + heads)]))
    used = np.union1d(used, mesh.mirror[used])
    shapes, body = _blend_shapes(makehuman, used), np.searchsorted(used, skin.kept)
    people: People = with_stature(sample_people(count, rng), shapes, body, STATURE_GAIN)
    bodies = rest_shapes(people, shapes)

    def places(of: list[Place]) -> np.ndarray:
        return np.stack([place.among(used).of(bodies) for place in of], 1)

    bodies_skin = bodies[:, body]
    t_pose = to_t_pose(
        bodies=bodies_skin,
        heads=places(heads),
        joints=places(points),
        carrier=[*carriers(rig), *[rig.bones.index("head")] * 2],
        rig=rig,
        weights=sp.csr_matrix(rig.weights[skin.kept]),
    )
    return _Sample(bodies_skin, t_pose)


def _eye_place(makehuman: MakeHuman) -> Place:
    """The front of the left eyeball."""
    eyeball = makehuman.mesh.group_vertices("helper-l-eye")
    return Place.mean(eyeball[[np.argmax(makehuman.mesh.vertices[eyeball, 2])]])


def _typical_subject(
    makehuman: MakeHuman, skin: _Skin, sampled: _Sample, space: ShapeSpace, weights: np.ndarray
) -> Subject:
    """The sampled person nearest to the mean, on whom the pose correctives are fitted."""
    rig, vertices = makehuman.rigs["default"], sampled.t_pose.vertices
    typical = int(np.argmin([((body - space.template) ** 2).sum() for body in vertices]))
    return Subject(
        rig=rig,
        joint_of_bone=tuple(map(joint_of_bone, rig.bones)),
        rig_weights=sp.csr_matrix(rig.weights[skin.kept]),
        rest_vertices=sampled.bodies[typical].astype(np.float64),
        to_t_pose=sampled.t_pose.motion[typical],
        vertices=vertices[typical].astype(np.float64),
        joints=sampled.t_pose.joints[typical, :24],
        weights=sp.csr_matrix(weights),
    )


def _examples(
    space: ShapeSpace, weights: np.ndarray, posedirs: np.ndarray, count: int, rng: np.random.Generator
) -> Examples:
    """Random shapes; the first half in the T pose, the others in random poses."""
    betas = rng.normal(size=(count, 10)).clip(-BETA_LIMIT, BETA_LIMIT)
    rotmat = sample_poses(count, rng)
    rotmat[: count // 2] = np.eye(3)
    motion, joints = pose_skeleton(rotmat, space.joints(betas))
    bends = (rotmat[:, 1:] - np.eye(3)).reshape(count, -1)
    skin_weights = sp.csr_matrix(weights)
    vertices = np.stack(
        [
            blend_linear(skin_weights, motion[i]).apply(space.vertices(betas[i]) + posedirs @ bends[i])
            for i in range(count)
        ]
    )
    return Examples(vertices, joints)


def _final_order(
    makehuman: MakeHuman, skin: _Skin, sampled: _Sample, space: ShapeSpace, weights: np.ndarray
) -> np.ndarray:
    rig = makehuman.rigs["default"]
    eye, ear = sampled.t_pose.joints[:, 24:].mean(0)
    landmarks = find_landmarks(
        space.template,
        weights=weights,
        bone_weights=dict(zip(rig.bones, rig.weights[skin.kept].T, strict=True)),
        left_eye=eye,
        left_ear=ear,
        mirror=skin.mirror,
    )
    return vertex_order(space.template, skin.mirror, landmarks)


def _in_order(
    makehuman: MakeHuman,
    skin: _Skin,
    space: ShapeSpace,
    weights: np.ndarray,
    posedirs: np.ndarray,
    regressor: np.ndarray,
    order: np.ndarray,
) -> Body:
    """The body file's arrays, vertices renumbered so that new vertex i is old vertex `order[i]`."""
    place = np.argsort(order)
    faces, weights = place[skin.faces], weights[order].astype(np.float32)
    vt, ft = corner_uvs(skin.kept[skin.faces], makehuman.mesh.groups["body"], makehuman.mesh.uvs)
    part, face_part = part_labels(weights, faces)
    joint_regressor = regressor[:, order].astype(np.float32)
    return {
        "v_template": space.template[order].astype(np.float32),
        "f": faces,
        "shapedirs": space.shapedirs[order].astype(np.float32),
        "posedirs": posedirs[order].astype(np.float32),
        "J_regressor": joint_regressor,
        "weights": weights,
        "kintree_table": np.array([SMPL_PARENTS, range(24)]),
        "cocoplus_regressor": smpl_keypoint_regressor(joint_regressor, origin="the open body"),
        "part6": part,
        "face_part6": face_part,
        "mirror": place[skin.mirror[order]],
        "vt": vt.astype(np.float32),
        "ft": ft,
        "source": np.array(SOURCE),
    }
