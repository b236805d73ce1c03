"""Cameras in the world, and the rigs that the data sets were shot with. World: y up, metres, the ground at y = 0."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hmr.render import Camera

MPI_INF_3DHP_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)  # those at chest height; the owners' other six look down
TEST_FOCAL_WIDTHS = {**dict.fromkeys(("TS1", "TS2", "TS3", "TS4"), 1499.2 / 2048),
                     **dict.fromkeys(("TS5", "TS6"), 1684.0 / 1920)}  # fmt: skip


@dataclass(frozen=True, eq=False)
class PlacedCamera:
    """A pinhole in the world: x_camera = rotation @ x_world + transl. Camera frame: x right, y down, z forward."""

    camera: Camera
    rotation: Float[ndarray, "3 3"]
    transl: Float[ndarray, "3"]
    width_px: int
    height_px: int

    @property
    def principal_data_px(self) -> Float[ndarray, "2"]:
        """The principal point where pixel centres are whole numbers, as data sets count."""
        return np.array(self.camera.principal_px) - 0.5

    @property
    def position(self) -> Float[ndarray, "3"]:
        """Where in the world the camera stands."""
        return -self.rotation.T @ self.transl

    def to_camera(self, points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3"]:
        """World points in the camera's frame."""
        return points @ self.rotation.T + self.transl

    def project_px(self, points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 2"]:
        """Camera-frame points in the picture, pixel centres at whole numbers."""
        return self.camera.project(points) - 0.5


def look_at(
    position: Float[ndarray, "3"], target: Float[ndarray, "3"], roll_deg: float = 0.0
) -> tuple[Float[ndarray, "3 3"], Float[ndarray, "3"]]:
    """Rotation and translation of a camera that stands at one point, looks at another and leans by `roll_deg`."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(np.deg2rad(roll_deg)), np.sin(np.deg2rad(roll_deg))
    rotation = np.stack((c * right + s * down, c * down - s * right, forward))
    return rotation, -rotation @ position


def placed(
    position: ndarray, target: ndarray, focal_px: float, width_px: int, height_px: int, *, roll_deg: float = 0.0,
    principal_px: tuple[float, float] | None = None,
) -> PlacedCamera:  # fmt: skip
    """A camera that looks from one point of the world at another; its principal point is the middle unless told."""
    rotation, transl = look_at(np.asarray(position, float), np.asarray(target, float), roll_deg)
    return PlacedCamera(
        Camera(float(focal_px), principal_px or (width_px / 2, height_px / 2)), rotation, transl, width_px, height_px
    )


def human36m_rig(image_px: int) -> list[PlacedCamera]:
    """Four cameras in the corners of the room, the last of them in front, as in Human3.6M's laboratory."""
    corners = np.array([[-2.3, 1.6, -4.6], [2.5, 1.55, -4.4], [-2.4, 1.5, 4.7], [2.2, 1.6, 4.6]])
    offsets = np.array([[3, -2], [-4, 1], [2, 4], [-3, -3]]) * image_px / 320
    focal_px = np.array([1.145, 1.149, 1.146, 1.145]) * image_px
    middle = np.array([0.0, 0.85, 0.0])
    return [
        placed(corner, middle, focal, image_px, image_px, principal_px=tuple(image_px / 2 + offset))
        for corner, focal, offset in zip(corners, focal_px, offsets, strict=True)
    ]


def mpi_inf_3dhp_rig(image_px: int) -> dict[int, PlacedCamera]:
    """Eight cameras in a ring round the green screen, by the owners' numbers."""
    cameras = {}
    for k, number in enumerate(MPI_INF_3DHP_CAMERAS):
        azimuth = np.deg2rad(45 * k + 10)
        position = np.array([3.9 * np.sin(azimuth), 1.0 + 0.45 * (k % 3), 3.9 * np.cos(azimuth)])
        cameras[number] = placed(position, [0.0, 0.9, 0.0], 0.73 * image_px, image_px, image_px)
    return cameras


def test_camera(rng: np.random.Generator, sequence: str, image_px: int) -> PlacedCamera:
    """The camera of a test sequence; TS5 and TS6 are wide pictures, taken outdoors."""
    outdoors = sequence in ("TS5", "TS6")
    height_px = round(image_px * 1080 / 1920 / 2) * 2 if outdoors else image_px
    azimuth, distance = rng.uniform(-np.pi, np.pi), 5.2 if outdoors else 4.2
    position = [distance * np.sin(azimuth), rng.uniform(0.9, 1.6), distance * np.cos(azimuth)]
    return placed(position, [0, 0.9, 0], TEST_FOCAL_WIDTHS[sequence] * image_px, image_px, height_px)


test_camera.__test__ = False  # not a test, whatever its name makes a collector think
