"""Pictures of test samples and the bodies recovered from them, and which samples are shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hmr.data import augment
from hmr.data.sheet import contact_sheet, labelled, shown_view
from hmr.data.store import Store
from hmr.evaluation.predictions import Predictions
from hmr.prediction.placement import camera_in_image
from hmr.render import overlay, side_view
from hmr.report.embed import Fold, Picture, Section, Strip, webp
from hmr.report.meshes import Solid, solid
from hmr.report.samples import SCORES, Scores, extremes, least_human, reprojection_percent
from hmr.report.tables import ordered, set_title, variant_title

VIEW_PX = 224
SETS = ("lsp", "human36m", "mpi_inf_3dhp")  # at most the first two that are there are shown
SHOWN = ("camera", "pose_axis_angle", "betas")  # what predictions must say, for their bodies to be drawn
MONSTERS = 4
_CRITICS = ("unpaired", "unpaired-no-critics")
_IN_PLACE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
# (K, 85) camera, pose and shape to vertices (K, V, 3): metres, root-relative, in the crop's camera frame.
Pose = Callable[[Float[ndarray, "k 85"]], Float[ndarray, "k verts 3"]]


@dataclass(frozen=True)
class Exhibits:
    """Test sets, what each variant said about them, and the body to show it with."""

    stores: Mapping[str, Store]
    predictions: Mapping[str, Mapping[str, Predictions]]  # data set -> variant -> columns
    scores: Scores
    pose: Pose
    faces: ndarray

    def variants(self, dataset: str) -> list[str]:
        """Variants whose bodies can be drawn, in the tables' order."""
        found = self.predictions.get(dataset, {})
        return [v for v in ordered(found) if all(name in found[v] for name in SHOWN)]

    def title(self, dataset: str) -> str:
        """The data set's name in tables."""
        return set_title(dataset, {dataset: str(self.stores[dataset].attributes["source"])})

    def vertices(self, dataset: str, variant: str, rows: Sequence[int]) -> Float[ndarray, "k verts 3"]:
        """Recovered bodies of some samples."""
        columns = self.predictions[dataset][variant]
        parts = [columns[name][list(rows)].reshape(len(rows), -1) for name in SHOWN]
        return self.pose(np.concatenate(parts, 1).astype(np.float32))

    def pictures(
        self, dataset: str, variant: str, rows: Sequence[int], benchmark: str, *, more: Sequence[str] = ()
    ) -> list[Picture]:
        """The bodies over their pictures and from the side, with the sample's score in `benchmark`.

        `more` goes before the caption of each.
        """
        store, cameras = self.stores[dataset], self.predictions[dataset][variant]["camera"]
        made = []
        for k, (row, vertices) in enumerate(zip(rows, self.vertices(dataset, variant, rows), strict=True)):
            score = self.scores.told(variant, benchmark, str(store["sample_id"][row]))
            words = [*more[k : k + 1], variant_title(variant), *([score] if score else [])]
            seen = recovered(store, row, vertices, self.faces, cameras[row].astype(float))
            about = f"{variant_title(variant)} on {name(store, row, self.title(dataset))}"
            alt = f"{about}: the body over the picture and from the side{'; ' + score if score else ''}"
            made.append(Picture(webp(seen), alt, ", ".join(words)))
        return made

    def source(self, dataset: str, row: int) -> Picture:
        """What the network saw, and the labels."""
        store = self.stores[dataset]
        about = name(store, row, self.title(dataset))
        return Picture(webp(as_seen(store, row)), f"{about}: the picture, and its labelled keypoints", "Input, labels")


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` rows, evenly spread and away from the ends."""
    wanted = min(count, wanted)
    return [int((k + 0.5) * count / wanted) for k in range(wanted)]


def choose(counts: Mapping[str, int], wanted: int) -> dict[str, list[int]]:
    """Rows to show from each data set, given how many samples it has: shared between two sets, the same for all."""
    shown = [dataset for dataset in SETS if counts.get(dataset)][:2]
    share = [wanted // len(shown) + (k < wanted % len(shown)) for k in range(len(shown))] if shown else []
    return {dataset: spread(counts[dataset], n) for dataset, n in zip(shown, share, strict=True) if n}


def as_seen(store: Store, row: int) -> UInt8[ndarray, "224 448 3"]:
    """What the network saw, without and with the labels."""
    view, to_view, _ = _view(store, row)
    return np.hstack([view, labelled(view, store["keypoints_2d_px"][row], store["visible"][row], to_view)])


def recovered(
    store: Store, row: int, vertices: Float[ndarray, "verts 3"], faces: ndarray, camera: Float[ndarray, "3"]
) -> UInt8[ndarray, "224 448 3"]:
    """The recovered body over the picture and from its side.

    vertices: metres, root-relative, in the crop's camera frame. camera: scale and shift, as predicted.
    """
    view, _, view_px = _view(store, row)
    zoom = np.array([augment.VIEW_REFERENCE_PX / view_px, 1, 1])  # the camera speaks of the paper's view
    transl, pinhole = camera_in_image(camera * zoom, _IN_PLACE, VIEW_PX)
    placed = vertices + transl
    return np.hstack([overlay(view, placed, faces, pinhole), side_view(placed, faces, pinhole, view.shape[:2])])


def name(store: Store, row: int, title: str) -> str:
    """A sample's short name: its data set, then who does what, or the last part of its id."""
    facts = [str(store[column][row]) for column in ("subject", "action")]
    return " ".join([title, *([fact for fact in facts if fact] or [str(store["sample_id"][row]).rsplit("/", 1)[-1]])])


def qualitative(shown: Exhibits, wanted: int) -> tuple[Section | None, list[Solid]]:
    """The paper's grid: the same samples for every variant. And their bodies as meshes, in the pictures' order."""
    strips, solids = [], []
    for dataset, rows in choose({d: len(s) for d, s in shown.stores.items() if shown.variants(d)}, wanted).items():
        benchmark = next(b for b, score in SCORES.items() if score.dataset == dataset)
        drawn = {v: shown.pictures(dataset, v, rows, benchmark) for v in shown.variants(dataset)}
        bodies = {v: shown.vertices(dataset, v, rows) for v in drawn}
        for k, row in enumerate(rows):
            title = f"{len(strips) + 1}. {name(shown.stores[dataset], row, shown.title(dataset))}"
            strips.append(Strip(title, (shown.source(dataset, row), *(drawn[v][k] for v in drawn)), turning=True))
            solids += [solid(title, variant_title(v), bodies[v][k]) for v in drawn]
    text = (
        "The same samples for every variant, evenly spread over the test sets and not chosen by eye: what the network "
        "saw and the labels, then each variant's body over the picture and from the side."
    )
    return (Section("bodies", "Recovered bodies", text, tuple(strips)) if strips else None), solids


def best_and_worst(shown: Exhibits) -> Section | None:
    """Of every benchmark and variant the best sample, the median and the worst; all benchmarks but one folded away."""
    found = []
    for benchmark, score in SCORES.items():
        picked = {v: rows for v in shown.variants(score.dataset) if (rows := _picked(shown, v, benchmark))}
        if picked:
            heading = f"{shown.title(score.dataset)}, {score.title}"
            words = ("Best", "Median", "Worst")
            drawn = {v: shown.pictures(score.dataset, v, rows, benchmark, more=words) for v, rows in picked.items()}
            strips = (Strip(f"{heading}: {variant_title(v)}", tuple(drawn[v])) for v in drawn)
            found.append(Fold(heading, tuple(strips)))
    text = "By the measure that each caption names: where each variant does best, as usual, and worst."
    return Section("extremes", "Best, median and worst", text, found[0].strips, tuple(found[1:])) if found else None


def monsters(shown: Exhibits) -> Section | None:
    """The paper's Figure 5: without critics and 3D labels, keypoints lie right and the body is not human."""
    dataset, (kept, without) = "human36m", _CRITICS
    if not {kept, without} <= set(shown.variants(dataset)):
        return None
    store = shown.stores[dataset]
    flat = {v: reprojection_percent(store, shown.predictions[dataset][v]) for v in _CRITICS}
    deep = {v: shown.scores.column(v, "human36m-p1", store["sample_id"]) for v in _CRITICS}
    takes = list(zip(store["subject"], store["action"], strict=True))
    strips = []
    for row in least_human(flat[without], deep[without], takes, MONSTERS):
        pictures = [shown.source(dataset, row)]
        for variant in (without, kept):
            told = f"2D error {flat[variant][row]:.1f} % of the person"
            pictures += shown.pictures(dataset, variant, [row], "human36m-p1", more=(told,))
        strips.append(Strip(name(store, row, shown.title(dataset)), tuple(pictures)))
    means = "; ".join(
        f"{variant_title(v)}: {np.nanmean(flat[v]):.1f} % in the picture, {np.nanmean(deep[v]):.0f} mm in space"
        for v in (without, kept)
    )
    text = (
        "The paper's Figure 5, with numbers. Trained on 2D labels alone and without critics, a network may lay the "
        "keypoints where they belong with a body that no one has. Of the quarter of samples whose keypoints it places "
        "best, these are the ones that are most wrong in space, one an action; beside them the same network trained "
        "with critics. 2D error: mean distance of visible keypoints, as a share of the diagonal of the box around "
        f"them. Means over all samples: {means}."
    )
    return Section("monsters", "Right in the picture, wrong in space", text, tuple(strips)) if strips else None


def label_sheets(stores: Iterable[Store]) -> Section | None:
    """Every normalized set with its labels, to be looked at; where test sets are shown, the others are folded away."""
    strips: dict[bool, list[Strip]] = {True: [], False: []}
    for store in stores:
        dataset, split = str(store.attributes["dataset"]), str(store.attributes["split"])
        title = f"{set_title(dataset, {dataset: str(store.attributes['source'])})}, {split}"
        alt = f"{title}: crops with their labelled keypoints"
        sheet = Picture(webp(contact_sheet(store)), alt, f"{len(store):,} samples")
        strips[split == "test"].append(Strip(title, (sheet,), wide=True))
    text = "Samples evenly spread over each normalized set, with its labelled keypoints: right red, left blue."
    first, *others = [tuple(some) for some in strips.values() if some] or [()]
    folds = tuple(Fold(f"The sets that are trained on: {len(some)}", some) for some in others)
    return Section("labels", "Labels", text, first, folds) if first else None


def _picked(shown: Exhibits, variant: str, benchmark: str) -> list[int]:
    score = SCORES[benchmark]
    values = shown.scores.column(variant, benchmark, shown.stores[score.dataset]["sample_id"])
    return extremes(values if score.lower_is_better else -values)


def _view(store: Store, row: int) -> tuple[UInt8[ndarray, "224 224 3"], Float[ndarray, "2 3"], float]:
    to_view, view_px = shown_view(store, VIEW_PX)
    return augment.warp(store.images(row), to_view, VIEW_PX), to_view, view_px
