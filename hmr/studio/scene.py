"""Where pictures are taken: a textured room (or a landscape, which is a large one), its light and its furniture."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from scipy.fft import irfft2

from hmr.render import Lights, Mesh, Shadows, box, draw, join
from hmr.studio.rig import PlacedCamera

TILE_PX = 256
Texture = UInt8[ndarray, "tile tile 3"]


@dataclass(frozen=True, eq=False)
class Prop:
    """A box that stands in the world, turned by `turn_rad` about the vertical."""

    centre: Float[ndarray, "3"]
    size: Float[ndarray, "3"]
    turn_rad: float
    colour: Float[ndarray, "3"]

    def mesh(self, at: PlacedCamera) -> Mesh:
        """In a camera's frame."""
        c, s = np.cos(self.turn_rad), np.sin(self.turn_rad)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        return box(at.to_camera(self.centre), self.size, at.rotation @ turn, self.colour)


@dataclass(frozen=True, eq=False)
class Scene:
    """A room seen from inside. Textures repeat every `tile_m`; light directions point towards the light, in the world.

    After the picture is taken, `noise`, `blur_px`, `gain` (RGB) and `gamma` make it a camera's.
    """

    low: Float[ndarray, "3"]
    high: Float[ndarray, "3"]
    floor: Texture
    walls: tuple[Texture, ...]  # at x low, x high, z low, z high
    ceiling: Texture
    floor_tile_m: float
    wall_tile_m: float
    light_directions: Float[ndarray, "lights 3"]
    light_colours: Float[ndarray, "lights 3"]
    ambient: Float[ndarray, "3"]
    shadow: float
    props: tuple[Prop, ...] = ()
    noise: float = 2.0
    blur_px: float = 0.0
    gain: tuple[float, ...] = (1.0, 1.0, 1.0)
    gamma: float = 1.0

    def lights(self, at: PlacedCamera) -> Lights:
        """The scene's light in a camera's frame."""
        return Lights(self.light_directions @ at.rotation.T, self.light_colours, self.ambient)

    def shadows(self, at: PlacedCamera, softness_px: float = 1.5) -> Shadows:
        """Shadows on the ground at y = 0."""
        normal = at.rotation @ [0.0, 1.0, 0.0]
        return Shadows(self.shadow, (*normal, float(normal @ at.transl)), softness_px)

    def background(self, at: PlacedCamera) -> UInt8[ndarray, "height width 3"]:
        """The empty room."""
        picture = draw_room(self, at)
        standing = [prop.mesh(at) for prop in self.props]
        return picture if not standing else _with_props(picture, join(standing), at, self.lights(at))


def _with_props(picture: ndarray, mesh: Mesh, at: PlacedCamera, lights: Lights) -> ndarray:
    return draw(mesh, at.camera, lights, picture, supersample=2)


def draw_room(scene: Scene, at: PlacedCamera) -> UInt8[ndarray, "height width 3"]:
    """Cast a ray through every pixel to where it leaves the room, and take the texture there."""
    fx, fy, cx, cy = at.camera.intrinsics
    columns, rows = np.meshgrid(np.arange(at.width_px) + 0.5, np.arange(at.height_px) + 0.5)
    rays = np.stack(((columns - cx) / fx, (rows - cy) / fy, np.ones_like(rows)), -1).astype(np.float32)
    rays = rays @ at.rotation.astype(np.float32)
    eye = np.clip(at.position, scene.low + 0.01, scene.high - 0.01)
    with np.errstate(divide="ignore", invalid="ignore"):
        exits = np.where(rays > 0, (scene.high - eye) / rays, (scene.low - eye) / rays)
    exits[rays == 0] = np.inf
    axis = exits.argmin(-1)
    hit = (eye + rays * exits.min(-1, keepdims=True)).astype(np.float32)
    picture = np.empty((at.height_px, at.width_px, 3), np.uint8)
    for texture, chosen, across, up, tile_m in _surfaces(scene, rays, axis):
        if chosen.any():
            scale = np.float32(TILE_PX / tile_m)
            sampled = cv2.remap(texture, hit[..., across] * scale % TILE_PX, -hit[..., up] * scale % TILE_PX,
                                cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)  # fmt: skip
            picture[chosen] = sampled[chosen]
    return picture


def _surfaces(scene: Scene, rays: ndarray, axis: ndarray) -> list[tuple]:
    floor, ceiling = (axis == 1) & (rays[..., 1] < 0), (axis == 1) & (rays[..., 1] > 0)
    return [
        (scene.floor, floor, 0, 2, scene.floor_tile_m),
        (scene.ceiling, ceiling, 0, 2, scene.wall_tile_m),
        (scene.walls[0], (axis == 0) & (rays[..., 0] < 0), 2, 1, scene.wall_tile_m),
        (scene.walls[1], (axis == 0) & (rays[..., 0] >= 0), 2, 1, scene.wall_tile_m),
        (scene.walls[2], (axis == 2) & (rays[..., 2] < 0), 0, 1, scene.wall_tile_m),
        (scene.walls[3], (axis == 2) & (rays[..., 2] >= 0), 0, 1, scene.wall_tile_m),
    ]


# --- textures: square, seamless, uint8 RGB ---------------------------------------------------------------------------


def clouds(rng: np.random.Generator, colour: ndarray, contrast: float, roughness: float = 1.1) -> Texture:
    """Soft noise round a colour, seamless. Its spectrum falls as frequency to the power `roughness`."""
    falling = _falling(roughness)
    white = rng.standard_normal((*falling.shape, 2), np.float32).view(np.complex64)[..., 0]
    noise = irfft2(white * falling, (TILE_PX, TILE_PX))
    noise *= contrast / noise.std()
    tint = rng.normal(0, 0.25, 3).astype(np.float32)  # a second, shifted copy colours it a little
    return _bytes(np.float32(colour) + noise[..., None] + np.roll(noise, 97, (0, 1))[..., None] * tint)


@cache
def _falling(roughness: float) -> Float[ndarray, "tile half"]:
    """A tile's spectrum, without its mean. In 32 bits, which are plenty for bytes and halve the time."""
    frequency = np.hypot(np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None])
    frequency[0, 0] = np.inf
    return (frequency**-roughness).astype(np.float32)


def bricks(rng: np.random.Generator, colour: ndarray, contrast: float) -> Texture:
    """Rows of bricks, every other row shifted."""
    tile = clouds(rng, colour, contrast).astype(np.float32)
    rows, columns = int(rng.choice([4, 8, 16])), int(rng.choice([2, 4, 8]))
    height, width = TILE_PX // rows, TILE_PX // columns
    for row in range(rows):
        for column in range(columns):
            left = (column * width + (row % 2) * width // 2) % TILE_PX
            tile[row * height : (row + 1) * height, left : left + width] += rng.normal(0, contrast)
    joint = rng.uniform(-70, 70)
    tile[::height] += joint
    tile[1::height] += joint
    return _bytes(tile)


def clutter(rng: np.random.Generator, colour: ndarray, contrast: float) -> Texture:
    """Overlapping shapes of many colours: shelves, crowds, leaves, posters, whatever stands behind people."""
    tile = clouds(rng, colour, contrast)
    for _ in range(int(rng.integers(8, 45))):
        middle = rng.integers(0, TILE_PX, 2)
        size = np.maximum(2, rng.gamma(1.6, 10, 2)).astype(int)
        shade = tuple(np.clip(np.asarray(colour) + rng.normal(0, 34, 3), 0, 255).tolist())
        kind = rng.integers(3)
        if kind == 0:
            cv2.ellipse(tile, middle.tolist(), size.tolist(), rng.uniform(0, 180), 0, 360, shade, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(tile, (middle - size).tolist(), (middle + size).tolist(), shade, -1)
        else:
            end = middle + rng.normal(0, 50, 2).astype(int)
            cv2.line(tile, middle.tolist(), end.tolist(), shade, int(rng.integers(1, 9)), cv2.LINE_AA)
    return tile


def planks(rng: np.random.Generator, colour: ndarray, contrast: float) -> Texture:
    """Boards, tiles or lanes: stripes of slightly different colours, sometimes crossed."""
    tile = clouds(rng, colour, contrast).astype(np.float32)
    for axis in range(int(rng.integers(1, 3))):
        count = int(rng.choice([2, 4, 8, 16]))
        shades = np.repeat(rng.normal(0, contrast, (count, 1)), TILE_PX // count, 0)
        shades[:: TILE_PX // count] -= 40
        tile += shades[:, :, None] if axis == 0 else shades.T[:, :, None]
    return _bytes(tile)


def _bytes(values: ndarray) -> Texture:
    return np.clip(values, 0, 255).astype(np.uint8)


TEXTURES: tuple[Callable[[np.random.Generator, ndarray, float], Texture], ...] = (clouds, bricks, clutter, planks)


# --- scenes ----------------------------------------------------------------------------------------------------------


def _room(rng: np.random.Generator, width: float, height: float, depth: float, **what: object) -> Scene:
    low, high = np.array([-width / 2, 0.0, -depth / 2]), np.array([width / 2, height, depth / 2])
    return Scene(low=low, high=high, **what)


def lab(rng: np.random.Generator) -> Scene:
    """A laboratory: grey walls with a curtain, a mat on the floor, even light from above."""
    wall = clouds(rng, np.array([148, 146, 142]), 5)
    curtain = planks(rng, np.array([92, 96, 108]), 7)
    floor = clouds(rng, np.array([128, 92, 84]), 7)
    props = (
        Prop(np.array([-2.6, 0.4, 0.6]), np.array([0.5, 0.8, 0.5]), 0.4, np.array([70.0, 60, 50])),
        Prop(np.array([2.9, 0.9, -1.2]), np.array([0.4, 1.8, 0.9]), 0.1, np.array([190.0, 190, 185])),
    )
    return _room(
        rng, 9.0, 3.4, 11.0, floor=floor, walls=(wall, wall, curtain, curtain), ceiling=clouds(rng, np.full(3, 205), 4),
        floor_tile_m=4.0, wall_tile_m=5.0, light_directions=np.array([[0.2, 1.0, 0.3], [-0.6, 0.5, -0.5]]),
        light_colours=np.array([[0.5, 0.5, 0.48], [0.25, 0.25, 0.27]]), ambient=np.array([0.42, 0.42, 0.43]),
        shadow=0.45, props=props, noise=2.0, blur_px=0.5, gain=(1.0, 0.98, 0.95),
    )  # fmt: skip


def green_screen(rng: np.random.Generator) -> Scene:
    """A green box, lit from all around."""
    green = np.array([58, 148, 70]) + rng.normal(0, 3, 3)
    cloth = clouds(rng, green, 4)
    return _room(
        rng, 10.0, 3.6, 10.0, floor=clouds(rng, green * 0.92, 4), walls=(cloth,) * 4,
        ceiling=clouds(rng, np.full(3, 60), 6), floor_tile_m=5.0, wall_tile_m=5.0,
        light_directions=np.array([[0.3, 1.0, 0.5], [-0.5, 0.8, -0.4]]),
        light_colours=np.array([[0.42, 0.42, 0.42], [0.3, 0.3, 0.3]]), ambient=np.array([0.42, 0.46, 0.42]),
        shadow=0.35, noise=2.5, blur_px=0.4,
    )  # fmt: skip


def plain_studio(rng: np.random.Generator) -> Scene:
    """A room without a green screen: bare walls, boards, a little furniture."""
    wall = clouds(rng, rng.uniform(110, 190) + rng.normal(0, 8, 3), 6)
    return _room(
        rng, 10.0, 3.6, 10.0, floor=planks(rng, np.array([132, 108, 84]), 9), walls=(wall,) * 4,
        ceiling=clouds(rng, np.full(3, 190), 5), floor_tile_m=3.0, wall_tile_m=4.0,
        light_directions=np.array([[-0.4, 1.0, 0.6], [0.7, 0.4, -0.3]]),
        light_colours=np.array([[0.55, 0.53, 0.5], [0.2, 0.22, 0.25]]), ambient=np.array([0.36, 0.36, 0.37]),
        shadow=0.5, props=_furniture(rng, 4, 3.0, 4.5), noise=2.5, blur_px=0.4,
    )  # fmt: skip


def outdoor(rng: np.random.Generator) -> Scene:
    """Grass or asphalt under the sky, something at the horizon, one sun."""
    ground = np.array([[92, 118, 58], [120, 118, 114], [168, 150, 116]])[rng.integers(3)] * rng.uniform(0.8, 1.15)
    azimuth, elevation = rng.uniform(-np.pi, np.pi), np.deg2rad(rng.uniform(25, 70))
    sun = [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    sky = clouds(rng, np.array([168, 196, 226]) + rng.normal(0, 12, 3), 12, 1.8)
    far = tuple(clutter(rng, rng.uniform(70, 150) + rng.normal(0, 22, 3), 20) for _ in range(4))
    return _room(
        rng, 60.0, 14.0, 60.0, floor=clouds(rng, ground, 16, 0.7), walls=far, ceiling=sky, floor_tile_m=3.0,
        wall_tile_m=14.0, light_directions=np.array([sun, [0.0, 1.0, 0.0]]),
        light_colours=np.array([[0.75, 0.7, 0.6], [0.18, 0.22, 0.3]]), ambient=np.array([0.3, 0.33, 0.38]),
        shadow=0.62, props=_furniture(rng, 5, 7.0, 16.0), noise=3.0, blur_px=0.3,
    )  # fmt: skip


def wild(rng: np.random.Generator) -> Scene:
    """Anywhere: any textures, any light, any camera. This is what makes in-the-wild pictures unlike a laboratory's."""

    def texture() -> Texture:
        make = TEXTURES[rng.integers(len(TEXTURES))]
        return make(rng, rng.uniform(35, 215) + rng.normal(0, 14, 3), rng.uniform(3, 16))

    walls = tuple(texture() for _ in range(2))
    lamps = int(rng.integers(1, 4))
    directions = rng.normal(0, 1, (lamps, 3)) * [1, 0.5, 1] + [0, 0.7, 0]
    colours = rng.dirichlet(np.ones(lamps))[:, None] * rng.uniform(0.45, 1.0) * rng.uniform(0.75, 1.15, (lamps, 3))
    return _room(
        rng, rng.uniform(5, 40), rng.uniform(3, 12), rng.uniform(5, 40), floor=texture(), walls=(*walls, *walls[::-1]),
        ceiling=texture(), floor_tile_m=rng.uniform(1, 6), wall_tile_m=rng.uniform(2, 12), light_directions=directions,
        light_colours=colours, ambient=rng.uniform(0.2, 0.5) * rng.uniform(0.85, 1.15, 3),
        shadow=rng.uniform(0.2, 0.75), props=_furniture(rng, int(rng.integers(0, 9)), 1.3, 5.0),
        noise=rng.uniform(0.5, 7), blur_px=rng.choice([0, 0, rng.uniform(0.3, 1.1)]),
        gain=tuple(rng.uniform(0.82, 1.14, 3)), gamma=rng.uniform(0.75, 1.35),
    )  # fmt: skip


def _furniture(rng: np.random.Generator, count: int, near_m: float, far_m: float) -> tuple[Prop, ...]:
    """Boxes on the ground, in a ring round the person."""
    props = []
    for _ in range(count):
        azimuth, distance = rng.uniform(-np.pi, np.pi), rng.uniform(near_m, far_m)
        size = rng.uniform((0.2, 0.2, 0.2), (1.2, 2.0, 1.2)) * (0.6 + 0.06 * far_m)
        centre = np.array([distance * np.sin(azimuth), size[1] / 2, distance * np.cos(azimuth)])
        props.append(Prop(centre, size, rng.uniform(0, np.pi), rng.uniform(20, 235, 3)))
    return tuple(props)
