"""Sampled adults: MakeHuman's sliders drawn from plausible distributions, and the bodies that they give."""

from dataclasses import dataclass

import numpy as np

from hmr.body.open_body.makehuman import RACES, SLIDERS, Target

# ASSUME: adult statures in metres, mean and standard deviation, near those of surveys of mixed populations.
STATURE_MALE = (1.755, 0.071)
STATURE_FEMALE = (1.625, 0.066)
# Smaller shapes that give ten components something to say: standard deviation of each slider, which goes -1 to 1.
LOCAL_SLIDERS = {
    "torso/torso-scale-vert": 0.35,
    "torso/torso-scale-horiz": 0.3,
    "torso/torso-vshape": 0.3,
    "torso/torso-scale-depth": 0.3,
    "hip/hip-scale-horiz": 0.35,
    "hip/hip-scale-depth": 0.3,
    "stomach/stomach-tone": 0.4,
    "stomach/stomach-pregnant": 0.25,
    "buttocks/buttocks-volume": 0.4,
    "legs/upperlegs-height": 0.35,
    "legs/lowerlegs-height": 0.35,
    "arms/measure-upperarm-length": 0.3,
    "arms/measure-lowerarm-length": 0.3,
    "torso/measure-shoulder-dist": 0.35,
    "legs/measure-thigh-circ": 0.35,
    "legs/measure-calf-circ": 0.35,
    "arms/measure-upperarm-circ": 0.35,
    "neck/measure-neck-circ": 0.35,
    "neck/neck-scale-vert": 0.3,
    "torso/measure-bust-circ": 0.3,
    "torso/measure-waist-circ": 0.3,
}


@dataclass(frozen=True)
class People:
    """N adults as slider values."""

    sliders: dict[str, np.ndarray]  # each (N,) in 0..1, a key for each of SLIDERS
    race: np.ndarray  # (N, 3) shares that sum to 1
    local: np.ndarray  # (N, len(LOCAL_SLIDERS)) in -1..1
    stature: np.ndarray  # (N,) metres, wanted; see `with_stature`


@dataclass(frozen=True)
class BlendShapes:
    """The base mesh and the shapes that deform it, restricted to the V vertices in use."""

    base: np.ndarray  # (V, 3) float32
    macros: list[Target]  # only their names matter here
    macro_offsets: np.ndarray  # (macros, V, 3) float32
    local_offsets: np.ndarray  # (2 * local sliders, V, 3) float32, decrease and increase in turn
    mirror: np.ndarray  # (V,) within the vertices in use


def sample_people(count: int, rng: np.random.Generator) -> People:
    """Draw men and women alike, all ages of adults, bell-shaped builds; the height slider is still half way."""
    male = rng.random(count) < 0.5
    spreads = np.array(list(LOCAL_SLIDERS.values()))
    return People(
        sliders={
            "gender": np.where(male, rng.uniform(0, 0.12, count), rng.uniform(0.88, 1, count)),
            "age": rng.beta(1, 2, count),
            "muscle": rng.beta(4, 4, count),
            "weight": rng.beta(3, 3, count),
            "proportions": rng.beta(3, 2, count),
            "cupsize": rng.beta(3, 3, count),
            "firmness": rng.beta(3, 3, count),
            "height": np.full(count, 0.5),
        },
        race=rng.dirichlet([1, 1, 1], count),
        local=np.clip(rng.normal(0, 1, (count, len(spreads))) * spreads, -1, 1),
        stature=np.where(male, rng.normal(*STATURE_MALE, count), rng.normal(*STATURE_FEMALE, count)),
    )


def average_people() -> People:
    """A man, a woman and a heavy person between them: three bodies that together show where a mesh needs detail."""
    half, third = np.full(3, 0.5), np.full((3, 3), 1 / 3)
    sliders = {
        **dict.fromkeys(("height", "cupsize", "firmness"), half),
        "gender": np.array([0.05, 0.95, 0.5]),
        "age": np.zeros(3),
        "muscle": np.array([0.6, 0.4, 0.4]),
        "weight": np.array([0.5, 0.5, 0.85]),
        "proportions": np.full(3, 0.6),
    }
    return People(sliders=sliders, race=third, local=np.zeros((3, len(LOCAL_SLIDERS))), stature=np.full(3, 1.7))


def rest_shapes(people: People, shapes: BlendShapes) -> np.ndarray:
    """The people's bodies in MakeHuman's own rest pose, arms half down: (N, V, 3) float32, exactly symmetric."""
    macro = macro_shares(people, shapes.macros).astype(np.float32)
    local = np.stack([np.maximum(-people.local, 0), np.maximum(people.local, 0)], -1)
    local = local.reshape(len(macro), -1).astype(np.float32)
    moved = macro @ _flat(shapes.macro_offsets) + local @ _flat(shapes.local_offsets)
    vertices = shapes.base + moved.reshape(len(macro), -1, 3)
    return symmetric(vertices, shapes.mirror)


def with_stature(people: People, shapes: BlendShapes, body: np.ndarray, correction: float) -> People:
    """Set the height slider so that each person has the wanted stature less `correction`, metres.

    `body` (n,) picks the vertices that count. Height is linear in the slider, so its two ends are enough.
    """
    shortest, tallest = (
        _height(People({**people.sliders, "height": np.full_like(people.stature, end)}, *_rest(people)), shapes, body)
        for end in (0.0, 1.0)
    )
    slider = (people.stature - correction - shortest) / (tallest - shortest)
    return People({**people.sliders, "height": np.clip(slider, 0, 1)}, *_rest(people))


def macro_shares(people: People, macros: list[Target]) -> np.ndarray:
    """How much of each macro shape each person has: (N, macros), the product of the shares of the shape's names."""
    share = {name: people.race[:, i] for i, name in enumerate(RACES)}
    for slider, names in SLIDERS.items():
        share |= dict(zip(names, _hat_functions(people.sliders[slider], len(names)), strict=True))
    return np.stack([np.prod([share[name] for name in macro.names], axis=0) for macro in macros], 1)


def symmetric(vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The mean of (..., V, 3) vertices and their mirror image: MakeHuman is nearly but not exactly symmetric."""
    flip = np.array([-1, 1, 1], vertices.dtype)
    return (vertices + vertices[..., mirror, :] * flip) / 2


def _height(people: People, shapes: BlendShapes, body: np.ndarray) -> np.ndarray:
    moved = macro_shares(people, shapes.macros).astype(np.float32) @ shapes.macro_offsets[:, body, 1]
    return np.ptp(shapes.base[body, 1] + moved, axis=1)


def _rest(people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return people.race, people.local, people.stature


def _flat(offsets: np.ndarray) -> np.ndarray:
    return offsets.reshape(len(offsets), -1)


def _hat_functions(values: np.ndarray, anchors: int) -> np.ndarray:
    """Linear interpolation between anchors evenly spaced on 0..1: (anchors, N) shares that sum to 1."""
    distance = np.abs(np.clip(values, 0, 1) * (anchors - 1) - np.arange(anchors)[:, None])
    return np.maximum(1 - distance, 0)
