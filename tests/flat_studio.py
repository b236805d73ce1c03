"""A studio that poses the toy body and takes pictures of one colour, with labels worked out here once more."""

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hmr.body.model import BodyModel


@dataclass
class FlatShot:
    """A picture of one colour with known labels."""

    image: np.ndarray
    keypoints_2d_px: np.ndarray
    keypoints_3d_m: np.ndarray
    joints_3d_m: np.ndarray
    full_pose_axis_angle: np.ndarray
    betas: np.ndarray
    placed_camera: object
    scene: object

    def points_px(self, joints_m):
        return project(joints_m, self.placed_camera)


@dataclass
class FlatMoment:
    keypoints_m: np.ndarray  # (19, 3) world
    joints_m: np.ndarray  # (24, 3) world
    full_pose_axis_angle: np.ndarray


class FlatStudio:
    """Remembers what it was asked for, in order."""

    def __init__(self, body_path):
        self.body = BodyModel.load(body_path)
        self.shots, self.people = [], []

    def pose(self, person, motion):
        self.people.append(person)
        pose = np.asarray(motion.full_pose_axis_angle)
        rotmat = torch.from_numpy(Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3))
        betas = torch.from_numpy(np.broadcast_to(person.betas, (len(motion), 10)).astype(np.float32))
        posed = self.body(betas=betas, full_pose_rotmat=rotmat.float())
        keypoints = self.body.keypoints(posed.vertices).double().numpy()
        joints, lowest = posed.joints.double().numpy(), posed.vertices[..., 1].amin(1).double().numpy()
        move = np.asarray(motion.transl) - np.stack([joints[:, 0, 0], lowest, joints[:, 0, 2]], 1)
        return [FlatMoment(k + m, j + m, p) for k, j, m, p in zip(keypoints, joints, move, pose, strict=True)]

    def shoot(self, moment, person, scene, placed_camera):
        rotation, transl = placed_camera.rotation, placed_camera.transl
        keypoints, joints = (points @ rotation.T + transl for points in (moment.keypoints_m, moment.joints_m))
        pose = moment.full_pose_axis_angle.copy()
        pose[0] = (Rotation.from_matrix(rotation) * Rotation.from_rotvec(pose[0])).as_rotvec()
        colour = np.random.default_rng(zlib.crc32(joints.round(6).tobytes())).integers(40, 216, 3)
        image = np.full((placed_camera.height_px, placed_camera.width_px, 3), colour, np.uint8)
        labels = project(keypoints, placed_camera), keypoints, joints, pose, np.asarray(person.betas)
        self.shots.append(FlatShot(image, *labels, placed_camera, scene))
        return self.shots[-1]


def project(points_m, placed):
    """Camera-frame points (J, 3) to pixels whose centres are at whole numbers (J, 2)."""
    fx, fy, cx, cy = placed.camera.intrinsics
    return points_m[:, :2] / points_m[:, 2:] * (fx, fy) + (cx - 0.5, cy - 0.5)
