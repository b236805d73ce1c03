"""Taking pictures: a person in a pose, a scene and a camera in; a picture and all that is true of it out."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hmr.body.file import read_body_file
from hmr.body.joints import LSP_14
from hmr.body.model import BodyModel
from hmr.geometry.rotations import axis_angle_to_rotmat, rotmat_to_axis_angle
from hmr.render import Mesh, join, labels_of, render
from hmr.render.mesh import vertex_normals
from hmr.studio.motion import Motion, sample_motion
from hmr.studio.people import Person, Regions, paint, sample_person
from hmr.studio.rig import PlacedCamera, placed
from hmr.studio.scene import Prop, Scene, outdoor, wild

HIDDEN_M = 0.16  # a joint inside the body is hidden if what the camera sees there is this much nearer
KEPT_BACKGROUNDS = 16
LSP_PERSON_PX = 150.0


@dataclass(frozen=True)
class Moment:
    """A posed person in the world, metres."""

    vertices: Float[ndarray, "verts 3"]
    keypoints_m: Float[ndarray, "19 3"]
    joints_m: Float[ndarray, "24 3"]
    full_pose_axis_angle: Float[ndarray, "24 3"]  # the root in the world


@dataclass(frozen=True)
class Shot:
    """A picture and its truth. 3D in the camera's frame, metres; 2D with pixel centres at whole numbers."""

    image: UInt8[ndarray, "height width 3"]
    part_labels: UInt8[ndarray, "height width"]  # 0 background, then 1 + the part's place in PARTS
    keypoints_2d_px: Float[ndarray, "19 2"]
    occluded: Bool[ndarray, "19"]
    keypoints_3d_m: Float[ndarray, "19 3"]
    joints_3d_m: Float[ndarray, "24 3"]
    full_pose_axis_angle: Float[ndarray, "24 3"]
    betas: Float[ndarray, "10"]
    placed_camera: PlacedCamera

    def points_px(self, joints_m: Float[ndarray, "joints 3"]) -> Float[ndarray, "joints 2"]:
        """More camera-frame points in the picture."""
        return self.placed_camera.project_px(joints_m)


class Studio:
    """The body that is photographed, and what is worth keeping between pictures."""

    def __init__(self, body_path: Path) -> None:
        self.arrays = read_body_file(body_path)
        self.body = BodyModel(self.arrays)
        self.regions = Regions.of(self.arrays)
        self.face_labels = (self.arrays["face_part6"] + 1).astype(np.uint8)
        self._backgrounds: OrderedDict[tuple[Scene, PlacedCamera], ndarray] = OrderedDict()

    def pose(self, person: Person, motion: Motion) -> list[Moment]:
        """The person at every frame, standing on the ground as `motion` says."""
        betas = torch.from_numpy(np.tile(person.betas, (len(motion), 1)).astype(np.float32))
        rotmat = axis_angle_to_rotmat(torch.from_numpy(motion.full_pose_axis_angle.astype(np.float32)))
        with torch.no_grad():
            posed = self.body(betas=betas, full_pose_rotmat=rotmat)
            points = (posed.vertices, self.body.keypoints(posed.vertices), posed.joints)
        vertices, keypoints, joints = (array.numpy().astype(np.float64) for array in points)
        shift = motion.transl - np.stack((joints[:, 0, 0], vertices[..., 1].min(1), joints[:, 0, 2]), 1)
        return [
            Moment(*(array[i] + shift[i] for array in (vertices, keypoints, joints)), motion.full_pose_axis_angle[i])
            for i in range(len(motion))
        ]

    def background(self, scene: Scene, camera: PlacedCamera) -> UInt8[ndarray, "height width 3"]:
        """The empty scene; the last few are kept, for fixed cameras see theirs again and again."""
        key = (scene, camera)
        if key not in self._backgrounds:
            self._backgrounds[key] = scene.background(camera)
            while len(self._backgrounds) > KEPT_BACKGROUNDS:
                self._backgrounds.popitem(last=False)
        return self._backgrounds[key]

    def shoot(
        self, moment: Moment, person: Person, scene: Scene, camera: PlacedCamera, occluders: tuple[Prop, ...] = ()
    ) -> Shot:
        """Take the picture. Occluders stand before the person and are part of the background in the labels."""
        colours, off_m = paint(person, self.regions)
        vertices = camera.to_camera(moment.vertices)
        vertices = vertices + vertex_normals(np.ascontiguousarray(vertices), self._faces) * off_m[:, None]
        mesh = join([Mesh(vertices, self._faces, colours), *(prop.mesh(camera) for prop in occluders)])
        picture = render(
            mesh, camera.camera, scene.lights(camera), self.background(scene, camera), shadows=scene.shadows(camera)
        )
        props = np.zeros(len(mesh.faces) - len(self.face_labels), np.uint8)
        keypoints, joints = camera.to_camera(moment.keypoints_m), camera.to_camera(moment.joints_m)
        keypoints_px = camera.project_px(keypoints)
        return Shot(
            image=develop(picture.image, scene, _grain(keypoints_px)),
            part_labels=labels_of(picture, np.concatenate((self.face_labels, props))),
            keypoints_2d_px=keypoints_px,
            occluded=hidden(keypoints_px, keypoints[:, 2], picture.depth_m),
            keypoints_3d_m=keypoints,
            joints_3d_m=joints,
            full_pose_axis_angle=_in_camera(moment.full_pose_axis_angle, camera),
            betas=person.betas,
            placed_camera=camera,
        )

    @property
    def _faces(self) -> ndarray:
        return np.ascontiguousarray(self.arrays["f"], np.int32)


def _in_camera(full_pose: Float[ndarray, "24 3"], camera: PlacedCamera) -> Float[ndarray, "24 3"]:
    """The same pose with its root seen from the camera."""
    root = axis_angle_to_rotmat(torch.from_numpy(full_pose[0]))
    turned = rotmat_to_axis_angle(torch.from_numpy(camera.rotation) @ root).numpy()
    return np.concatenate((turned[None], full_pose[1:]))


def hidden(points_px: Float[ndarray, "n 2"], depth_m: Float[ndarray, "n"], seen_m: ndarray) -> Bool[ndarray, "n"]:
    """Which points lie behind what the camera sees there; a point outside of the picture is not hidden by anything."""
    height, width = seen_m.shape
    column, row = np.rint(points_px).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = seen_m[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return inside & (seen > 0) & (seen < depth_m - HIDDEN_M)


def _grain(keypoints_px: ndarray) -> np.random.Generator:
    """A generator for a picture's noise that depends on nothing but the picture."""
    return np.random.default_rng(np.frombuffer(np.ascontiguousarray(keypoints_px).tobytes(), np.uint32))


def develop(image: UInt8[ndarray, "h w 3"], scene: Scene, rng: np.random.Generator) -> UInt8[ndarray, "h w 3"]:
    """What lens and sensor make of the picture: blur, colour, gamma, noise."""
    if scene.blur_px:
        image = cv2.GaussianBlur(image, (0, 0), float(scene.blur_px))
    level = np.linspace(0, 1, 256)[:, None] ** scene.gamma * np.array(scene.gain) * 255
    picture = np.stack([level[:, c].astype(np.float32)[image[..., c]] for c in range(3)], -1)
    picture += scene.noise * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def wild_shot(studio: Studio, rng: np.random.Generator, image_px: int, sport: bool = False) -> Shot:
    """One in-the-wild picture, at most `image_px` on its long side: anybody, anywhere, seen from anywhere.

    With `sport` the person is about 150 px large, as LSP's owners scaled theirs; else a third to most of the picture.
    """
    person = sample_person(rng, "street")
    action = "Sport" if rng.random() < (0.5 if sport else 0.15) else "Everyday"
    [moment] = studio.pose(person, sample_motion(rng, action, 1, 10.0))
    scene = outdoor(rng) if rng.random() < 0.4 else wild(rng)
    size_px = LSP_PERSON_PX * rng.normal(1, 0.06) if sport else image_px * rng.uniform(0.38, 0.85)
    camera = frame(rng, moment, size_px, image_px)
    return studio.shoot(moment, person, scene, camera, _occluders(rng, moment, camera))


def frame(rng: np.random.Generator, moment: Moment, size_px: float, image_px: int) -> PlacedCamera:
    """A camera somewhere round the person, zoomed until the keypoints' box has a diagonal of `size_px`."""
    middle = (moment.keypoints_m.min(0) + moment.keypoints_m.max(0)) / 2
    azimuth, distance = _facing(rng, moment), rng.uniform(2.6, 9.0)
    elevation = np.deg2rad(np.clip(rng.normal(6, 12), -8, 55))
    away = [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    position = middle + distance * np.array(away)
    position[1] = max(position[1], 0.15)
    roll_deg = rng.normal(0, 5)
    trial = placed(position, middle, 1000.0, 1, 1, roll_deg=roll_deg)
    points = trial.project_px(trial.to_camera(moment.keypoints_m))
    focal_px = 1000.0 * size_px / np.linalg.norm(np.ptp(points, 0))
    points = (points - trial.principal_data_px) * focal_px / 1000.0
    low, high = points.min(0), points.max(0)
    margin = rng.uniform(0.06, 0.4, 4) * size_px
    if rng.random() < 0.08:  # cut by the picture's edge
        margin[rng.integers(4)] = -rng.uniform(0.05, 0.25) * size_px
    spare = np.clip(image_px - (high - low), 20, None)
    margin *= np.minimum(1, np.tile(spare, 2) / np.maximum(np.tile(margin[:2] + margin[2:], 2), 1e-6))
    width_px, height_px = np.clip(np.ceil(high - low + margin[:2] + margin[2:]), 48, image_px).astype(int).tolist()
    return placed(position, middle, focal_px, width_px, height_px, roll_deg=roll_deg,
                  principal_px=tuple(margin[:2] - low))  # fmt: skip


def _facing(rng: np.random.Generator, moment: Moment) -> float:
    """Where a photographer stands, as an azimuth in the world: most often before the person, now and then anywhere."""
    if rng.random() < 0.3:
        return rng.uniform(-np.pi, np.pi)
    forward = axis_angle_to_rotmat(torch.from_numpy(moment.full_pose_axis_angle[0])).numpy()[:, 2]
    return np.arctan2(forward[0], forward[2]) + rng.normal(0, np.deg2rad(50))


def _occluders(rng: np.random.Generator, moment: Moment, camera: PlacedCamera) -> tuple[Prop, ...]:
    """Now and then something stands between the camera and part of the person."""
    if rng.random() > 0.12:
        return ()
    target = moment.keypoints_m[rng.integers(len(LSP_14))]
    towards = camera.position - target
    centre = target + towards * rng.uniform(0.15, 0.35)
    size = rng.uniform((0.08, 0.15, 0.08), (0.3, 0.6, 0.3))
    return (Prop(centre, size, rng.uniform(0, np.pi), rng.uniform(20, 235, 3)),)
