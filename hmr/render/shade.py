"""Pictures: smooth shading by distant lights, supersampled colour over a background, exact face ids and depth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmr.render.camera import Camera
from hmr.render.mesh import Mesh, vertex_normals
from hmr.render.raster import NEAR_M, Fragments, Scratch, extent, rasterise
from hmr.render.shadow import NO_SHADOW, ShadowMap, Shadows, light_reaching, shade_ground, shadow_map

LIFT_TEXELS = 2.0
_samples, _centres = Scratch(), Scratch()
NO_UV = np.full((0, 3, 2), np.nan)
NO_TEXTURE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Lights:
    """Distant lights and ambient light. Colours multiply the surface's: 1 leaves it as it is, the sum is cut at white.

    directions: (L, 3) in the camera frame, pointing towards the light (any length): (0, -1, 0) is above, (0, 0, -1)
    behind the camera. colours: (L, 3). ambient: (3,).
    """

    directions: ArrayLike = field(default_factory=lambda: [[0.4, -0.7, -0.6], [-0.8, -0.2, -0.5], [0.1, 0.6, -0.7]])
    colours: ArrayLike = field(default_factory=lambda: [[0.75, 0.70, 0.65], [0.30, 0.33, 0.40], [0.15, 0.12, 0.10]])
    ambient: ArrayLike = (0.22, 0.22, 0.25)

    def __post_init__(self) -> None:
        directions = np.array(self.directions, np.float64).reshape(-1, 3)
        colours = np.array(self.colours, np.float64).reshape(-1, 3)
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)
        if len(directions) != len(colours) or not (lengths > 0).all():
            raise ValueError(f"lights: expected one colour and one direction each, found {self}")
        object.__setattr__(self, "directions", directions / lengths)
        object.__setattr__(self, "colours", colours)
        object.__setattr__(self, "ambient", np.array(self.ambient, np.float64).reshape(3))


@dataclass(frozen=True)
class Picture:
    """image: (H, W, 3) uint8 RGB. face_id: (H, W) int32 at pixel centres, -1 for background.
    depth_m: (H, W) float32, z of what the pixel's centre sees, 0 for background.
    """

    image: NDArray[np.uint8]
    face_id: NDArray[np.int32]
    depth_m: NDArray[np.float32]


def render(
    mesh: Mesh,
    camera: Camera,
    lights: Lights,
    background: NDArray[np.uint8],
    *,
    supersample: int = 2,
    shadows: Shadows | None = None,
    opacity: float = 1.0,
) -> Picture:
    """Draw the mesh as `draw` does, and say what each pixel's centre sees: face ids and depth are never averaged."""
    image = draw(mesh, camera, lights, background, supersample=supersample, shadows=shadows, opacity=opacity)
    height, width = image.shape[:2]
    rows, columns = window = _window(mesh, camera, height, width)
    size = (rows.stop - rows.start, columns.stop - columns.start)
    near = camera.cropped(columns.start, rows.start)
    centres = rasterise(mesh.vertices, mesh.faces, near, size, scratch=_centres)
    return Picture(
        image=image,
        face_id=_paste(centres.face_id, window, np.full((height, width), -1, np.int32)),
        depth_m=_paste(_depth_m(centres), window, np.zeros((height, width), np.float32)),
    )


def draw(
    mesh: Mesh,
    camera: Camera,
    lights: Lights,
    background: NDArray[np.uint8],
    *,
    supersample: int = 2,
    shadows: Shadows | None = None,
    opacity: float = 1.0,
) -> NDArray[np.uint8]:
    """The mesh over a background (H, W, 3) uint8 RGB, whose size is the picture's.

    Colour is the mean of supersample x supersample samples a pixel. opacity < 1 lets the background through the mesh.
    """
    background = np.ascontiguousarray(background)
    if background.dtype != np.uint8 or background.ndim != 3 or background.shape[2] != 3:
        raise ValueError(f"render: expected a uint8 background (H, W, 3), found {background.dtype} {background.shape}")
    height, width = background.shape[:2]
    casting = shadows is not None and len(lights.directions) > 0
    shadow = shadow_map(mesh, lights.directions[0], shadows.map_px) if casting else NO_SHADOW
    ground = shade_ground(background, camera, shadows, shadow) if casting else background
    rows, columns = window = _window(mesh, camera, height, width)
    size = (rows.stop - rows.start, columns.stop - columns.start)
    fine = camera.cropped(columns.start, rows.start).scaled(supersample)
    fine_size = (size[0] * supersample, size[1] * supersample)
    samples = rasterise(mesh.vertices, mesh.faces, fine, fine_size, scratch=_samples)
    strength = shadows.strength if casting else 0.0
    drawn = _composite(mesh, lights, samples, ground[window], supersample, shadow, strength, opacity)
    return _paste(drawn, window, ground.copy())


def labels_of(picture: Picture, face_labels: NDArray, background: int = 0) -> NDArray:
    """(H, W) label of the face each pixel's centre sees, in the dtype of face_labels (F,); `background` elsewhere."""
    table = np.append(np.asarray(face_labels), np.asarray(background, np.asarray(face_labels).dtype))
    return table[picture.face_id]  # -1 picks the last entry


def _window(mesh: Mesh, camera: Camera, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns outside which the mesh cannot be seen: all of them if part of it is level with the camera."""
    left, right, top, bottom = extent(mesh.vertices, *camera.intrinsics, NEAR_M)
    if left > right:
        return slice(0, 0), slice(0, 0)
    columns = np.clip([np.floor(left), np.ceil(right)], 0, width).astype(int).tolist()
    rows = np.clip([np.floor(top), np.ceil(bottom)], 0, height).astype(int).tolist()
    return slice(*rows), slice(*columns)


def _paste(part: NDArray, window: tuple[slice, slice], whole: NDArray) -> NDArray:
    whole[window] = part
    return whole


def _depth_m(fragments: Fragments) -> NDArray[np.float32]:
    hit = fragments.face_id >= 0
    return np.divide(1.0, fragments.inverse_depth, out=np.zeros(hit.shape), where=hit).astype(np.float32)


def _composite(
    mesh: Mesh,
    lights: Lights,
    samples: Fragments,
    background: NDArray[np.uint8],
    supersample: int,
    shadow: ShadowMap,
    strength: float,
    opacity: float,
) -> NDArray[np.uint8]:
    textured = mesh.texture is not None
    background = np.ascontiguousarray(background)
    image = np.empty_like(background)
    _shade(
        np.hstack([vertex_normals(mesh.vertices, mesh.faces), mesh.vertex_colours, mesh.vertices]),
        mesh.faces,
        np.ascontiguousarray(mesh.face_uv, np.float64) if textured else NO_UV,
        np.ascontiguousarray(mesh.texture, np.uint8) if textured else NO_TEXTURE,
        np.vstack([np.hstack([lights.directions, lights.colours]), [0, 0, 0, *lights.ambient]]),
        np.column_stack([shadow.rotation, shadow.transl]),
        np.array([shadow.focal_px, LIFT_TEXELS * shadow.texel_m, strength]),
        shadow.inverse_depth,
        samples.face_id,
        samples.barycentrics,
        background,
        supersample,
        float(opacity),
        image,
    )
    return image


# The compiled functions take plain arrays: taking arrays out of tuples in the inner loop would triple their time.
# vertices: one row each of normal, colour, position. lights: one row each of direction, colour; the last is ambient.
# shadow: focal_px, lift_m, strength.


@numba.njit(cache=True)
def _shade(
    vertices,
    faces,
    face_uv,
    texture,
    lights,
    to_light,
    shadow,
    shadow_depth,
    face_id,
    barycentrics,
    background,
    supersample,
    opacity,
    image,
):
    scale = opacity / (supersample * supersample)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            red = green = blue = 0.0
            covered = 0
            for fine_y in range(y * supersample, (y + 1) * supersample):
                for fine_x in range(x * supersample, (x + 1) * supersample):
                    k = face_id[fine_y, fine_x]
                    if k < 0:
                        continue
                    a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
                    u, v = float(barycentrics[fine_y, fine_x, 0]), float(barycentrics[fine_y, fine_x, 1])
                    light_r, light_g, light_b = _light(vertices, a, b, c, u, v, lights, to_light, shadow, shadow_depth)
                    r, g, bl = _colour(vertices, a, b, c, u, v, face_uv, texture, k)
                    red += min(255.0, r * light_r)
                    green += min(255.0, g * light_g)
                    blue += min(255.0, bl * light_b)
                    covered += 1
            through = 1.0 - covered * scale
            image[y, x, 0] = np.uint8(red * scale + through * background[y, x, 0] + 0.5)
            image[y, x, 1] = np.uint8(green * scale + through * background[y, x, 1] + 0.5)
            image[y, x, 2] = np.uint8(blue * scale + through * background[y, x, 2] + 0.5)


@numba.njit(cache=True, forceinline=True)
def _light(vertices, a, b, c, u, v, lights, to_light, shadow, shadow_depth):
    nx, ny, nz = _mix(vertices, 0, a, b, c, u, v)
    inverse = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-20)
    nx, ny, nz = nx * inverse, ny * inverse, nz * inverse
    last = len(lights) - 1
    red, green, blue = lights[last, 3], lights[last, 4], lights[last, 5]
    for i in range(last):
        facing = nx * lights[i, 0] + ny * lights[i, 1] + nz * lights[i, 2]
        if facing <= 0.0:
            continue
        if i == 0 and shadow[2] > 0.0:
            x, y, z = _mix(vertices, 6, a, b, c, u, v)
            # Lifted off its own surface, lest that shadow it.
            x, y, z = x + shadow[1] * nx, y + shadow[1] * ny, z + shadow[1] * nz
            facing *= 1.0 - shadow[2] * (1.0 - light_reaching(x, y, z, to_light, shadow[0], shadow_depth))
        red += facing * lights[i, 3]
        green += facing * lights[i, 4]
        blue += facing * lights[i, 5]
    return red, green, blue


@numba.njit(cache=True, forceinline=True)
def _colour(vertices, a, b, c, u, v, face_uv, texture, k):
    red, green, blue = _mix(vertices, 3, a, b, c, u, v)
    if len(face_uv) > 0 and not np.isnan(face_uv[k, 0, 0]):
        tint_r, tint_g, tint_b = _texel(face_uv, texture, k, u, v)
        red, green, blue = red * tint_r, green * tint_g, blue * tint_b
    return red, green, blue


@numba.njit(cache=True, forceinline=True)
def _mix(vertices, first, a, b, c, u, v):
    """Three numbers of the vertices' rows, from column `first`, mixed by barycentric weights."""
    w = 1.0 - u - v
    return (
        w * vertices[a, first] + u * vertices[b, first] + v * vertices[c, first],
        w * vertices[a, first + 1] + u * vertices[b, first + 1] + v * vertices[c, first + 1],
        w * vertices[a, first + 2] + u * vertices[b, first + 2] + v * vertices[c, first + 2],
    )


@numba.njit(cache=True, forceinline=True)
def _texel(face_uv, texture, k, u, v):
    """Bilinear texture colour in 0..1, held at the borders."""
    height, width = texture.shape[:2]
    w = 1.0 - u - v
    across = (w * face_uv[k, 0, 0] + u * face_uv[k, 1, 0] + v * face_uv[k, 2, 0]) * width - 0.5
    down = (1.0 - (w * face_uv[k, 0, 1] + u * face_uv[k, 1, 1] + v * face_uv[k, 2, 1])) * height - 0.5
    across = min(max(across, 0.0), width - 1.0)
    down = min(max(down, 0.0), height - 1.0)
    i, j = int(across), int(down)
    i_next, j_next = min(i + 1, width - 1), min(j + 1, height - 1)
    p, q = across - i, down - j
    return (
        _blend(texture, 0, i, i_next, j, j_next, p, q),
        _blend(texture, 1, i, i_next, j, j_next, p, q),
        _blend(texture, 2, i, i_next, j, j_next, p, q),
    )


@numba.njit(cache=True, forceinline=True)
def _blend(texture, channel, i, i_next, j, j_next, p, q):
    top = (1.0 - p) * texture[j, i, channel] + p * texture[j, i_next, channel]
    bottom = (1.0 - p) * texture[j_next, i, channel] + p * texture[j_next, i_next, channel]
    return ((1.0 - q) * top + q * bottom) / 255.0
