"""People: a shape, and what they wear, painted on the body by region.

A region is told by coordinates that every vertex of the body in its rest pose has (`Regions`): how far along an arm
or a leg, how high on the trunk, where on the head. Clothes are lengths along these; patterns run over them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hmr.body.joints import COCOPLUS_19, PARTS, SMPL_24

MAX_BETA = 2.5


@dataclass(frozen=True)
class Garment:
    """A colour, a second one that its pattern mixes in, and the pattern: "plain", "stripes", "rings", "checks"."""

    colour: tuple[float, ...]  # RGB 0..255
    second: tuple[float, ...]
    pattern: str
    repeat_m: float


@dataclass(frozen=True)
class Person:
    """A body's shape and its looks. Lengths are along the limb: 0 at shoulder or hip, 1 at wrist or ankle."""

    betas: Float[ndarray, "10"]
    skin: tuple[float, ...]
    hair: tuple[float, ...]
    hair_length: float  # 0 bald, 1 to the shoulders
    top: Garment
    trousers: Garment
    shoes: tuple[float, ...]
    sleeve: float
    trouser_length: float
    looseness_m: float  # how far clothes stand off
    gloves: bool
    hat: bool


@dataclass(frozen=True)
class Regions:
    """Where each vertex of the rest pose lies. Made once a body."""

    position_m: Float[ndarray, "verts 3"]
    part: ndarray  # (V,) index into PARTS
    along: Float[ndarray, "verts"]  # along its limb
    head_height: Float[ndarray, "verts"]  # 0 at the chin, 1 on the top of the head
    head_depth_m: Float[ndarray, "verts"]  # forwards of the ears
    eyes: Bool[ndarray, "verts"]
    mouth: Bool[ndarray, "verts"]

    @classmethod
    def of(cls, body: dict[str, ndarray]) -> "Regions":
        """From a body file's arrays."""
        position = np.asarray(body["v_template"], np.float64)
        joints = body["J_regressor"] @ position
        points = dict(zip(COCOPLUS_19.joints, body["cocoplus_regressor"] @ position, strict=True))
        chin = joints[SMPL_24.index("head")][1] - 0.02
        ears = (points["left_ear"] + points["right_ear"]) / 2
        eyes = np.minimum(*(np.linalg.norm(position - points[f"{s}_eye"], axis=1) for s in ("left", "right")))
        mouth = np.linalg.norm((position - points["nose"] - [0, -0.045, -0.01]) / [1.6, 0.6, 1], axis=1)
        return cls(
            position_m=position,
            part=np.asarray(body["part6"], int),
            along=_along_limbs(position, joints, np.asarray(body["part6"], int)),
            head_height=(position[:, 1] - chin) / (points["head_top"][1] - chin),
            head_depth_m=position[:, 2] - ears[2],
            eyes=eyes < 0.016,
            mouth=mouth < 0.02,
        )


def _along_limbs(position: ndarray, joints: ndarray, part: ndarray) -> Float[ndarray, "verts"]:
    along = np.zeros(len(position))
    for side in ("left", "right"):
        for name, start, end in ((f"{side}_arm", "shoulder", "wrist"), (f"{side}_leg", "hip", "ankle")):
            a, b = (joints[SMPL_24.index(f"{side}_{joint}")] for joint in (start, end))
            mine = part == PARTS.index(name)
            along[mine] = (position[mine] - a) @ (b - a) / ((b - a) @ (b - a))
    return along


def sample_person(rng: np.random.Generator, wardrobe: str = "any") -> Person:
    """A person. The "lab" wardrobe is plain sportswear; "street" has patterns, hats and loose clothes."""
    lab = wardrobe == "lab"
    tone = np.clip(np.array([222, 184, 158]) * rng.uniform(0.28, 1.08) + rng.normal(0, 6, 3), 25, 250)
    greys = np.array([[25, 20, 18], [60, 42, 30], [120, 85, 50], [190, 160, 100], [150, 150, 150], [130, 60, 35]])
    hair = np.clip(greys[rng.integers(len(greys))] * rng.uniform(0.7, 1.25), 8, 240)
    return Person(
        betas=np.clip(rng.normal(0, 1, 10), -MAX_BETA, MAX_BETA),
        skin=tuple(tone),
        hair=tuple(hair),
        hair_length=float(rng.beta(1.2, 1.6)) if rng.random() > 0.08 else 0.0,
        top=_garment(rng, lab),
        trousers=_garment(rng, lab or rng.random() < 0.6),
        shoes=tuple(rng.uniform(15, 240, 3) if rng.random() < 0.5 else [rng.uniform(15, 245)] * 3),
        sleeve=float(rng.choice([0.08, 0.45, 0.55]) if lab else rng.choice([0.02, 0.4, 0.5, 0.7, 1.0, 1.0])),
        trouser_length=float(rng.choice([0.4, 0.5, 1.0]) if lab else rng.choice([0.15, 0.35, 0.5, 0.75, 1.0, 1.0])),
        looseness_m=float(rng.uniform(0.001, 0.006) if lab else rng.uniform(0.002, 0.018)),
        gloves=bool(not lab and rng.random() < 0.06),
        hat=bool(not lab and rng.random() < 0.18),
    )


def _garment(rng: np.random.Generator, plain: bool) -> Garment:
    def colour() -> tuple[float, ...]:
        if rng.random() < 0.4:
            return tuple(np.clip(rng.uniform(20, 235) + rng.normal(0, 7, 3), 8, 245))
        return tuple(rng.uniform(12, 242, 3))

    pattern = "plain" if plain else str(rng.choice(["plain", "plain", "stripes", "rings", "checks"]))
    return Garment(colour(), colour(), pattern, float(rng.uniform(0.04, 0.16)))


def paint(person: Person, regions: Regions) -> tuple[Float[ndarray, "verts 3"], Float[ndarray, "verts"]]:
    """RGB 0..255 of every vertex, and how far its clothes stand off, metres."""
    colours = np.tile(np.array(person.skin), (len(regions.part), 1))
    colours[regions.eyes] = (18, 14, 12)
    colours[regions.mouth] = np.array(person.skin) * (0.78, 0.5, 0.5)
    is_arm, is_leg = (np.isin(regions.part, [PARTS.index(f"{s}_{limb}") for s in ("left", "right")])
                      for limb in ("arm", "leg"))  # fmt: skip
    torso = regions.part == PARTS.index("torso")
    waist = torso & (regions.position_m[:, 1] < np.quantile(regions.position_m[torso, 1], 0.22))
    trousers = (is_leg & (regions.along < person.trouser_length)) | waist
    top = (is_arm & (regions.along < person.sleeve)) | (torso & ~waist)
    colours[top], colours[trousers] = _cloth(person.top, regions)[top], _cloth(person.trousers, regions)[trousers]
    colours[is_leg & (regions.along > 0.97)] = person.shoes
    if person.gloves:
        colours[is_arm & (regions.along > 0.97)] = person.shoes
    hair = _hair(person, regions)
    colours[hair] = person.top.second if person.hat else person.hair
    off_m = np.where(top | trousers, person.looseness_m, 0.0) + np.where(hair, 0.008 + 0.012 * person.hat, 0.0)
    return colours, off_m


def _hair(person: Person, regions: Regions) -> Bool[ndarray, "verts"]:
    """The scalp: above the forehead in front, further down behind the ears."""
    if not person.hair_length and not person.hat:
        return np.zeros(len(regions.part), bool)
    lowest = np.where(regions.head_depth_m < -0.005, 0.55 - 0.75 * person.hair_length, 0.78)
    reach = 0.0 if person.hat else np.where(regions.head_depth_m < 0.035, 0.12 * person.hair_length, 0.0)
    return (regions.part == PARTS.index("head")) & (regions.head_height > lowest - reach)


def _cloth(garment: Garment, regions: Regions) -> Float[ndarray, "verts 3"]:
    wave = np.sin(2 * np.pi * regions.position_m / garment.repeat_m) > 0
    mixed = {
        "plain": np.zeros(len(wave), bool),
        "stripes": wave[:, 0],
        "rings": wave[:, 1],
        "checks": wave[:, 0] ^ wave[:, 1],
    }[garment.pattern]
    return np.where(mixed[:, None], garment.second, garment.colour)
