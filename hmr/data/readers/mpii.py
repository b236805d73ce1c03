"""MPII Human Pose: images/*.jpg and annotations/mpii_human_pose_v1_u12_1.mat, a nested MATLAB structure."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from hmr.body.joints import MPII_16
from hmr.data.readers.extent import ANKLES, HEAD_TO_HIP, TORSO, box_center, box_diagonal, mean_length
from hmr.data.readers.raw import load_bgr, need
from hmr.data.sample import Rejected, Sample, keypoints_19
from hmr.errors import UserError
from hmr.params import NormalizeParams

DATASET = "mpii"


def read(raw: Path, split: str, params: NormalizeParams) -> Iterator[Sample | Rejected]:
    """People of the training images who stand apart from others (`single_person`).

    # ASSUME: SPIN reads another list of people in these images, which the owners did not make and we do not know to
    # be of those apart; here `single_person` holds under its filters as well.
    """
    folder = need(raw / "images", DATASET)
    release = _release(need(raw / "annotations" / "mpii_human_pose_v1_u12_1.mat", DATASET))
    load = lru_cache(maxsize=1)(load_bgr)
    is_train = np.atleast_1d(release.img_train).astype(bool)
    images, single = _items(release.annolist), np.atleast_1d(release.single_person)
    single = [single] if len(images) == 1 else list(single)
    for index in np.flatnonzero(is_train):
        image = images[index]
        apart = set(np.atleast_1d(single[index]).ravel().astype(int).tolist())  # from 1
        for number, person in enumerate(_items(getattr(image, "annorect", None)), start=1):
            sample_id = f"mpii/{Path(image.image.name).stem}/{number}"
            if number in apart:
                yield _person(person, sample_id, partial(load, folder / image.image.name), params.filters)
            else:
                yield Rejected(sample_id, "not apart from other people", bad=False)


def _release(path: Path) -> Any:
    try:
        release = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)["RELEASE"]
        _ = release.annolist, release.img_train, release.single_person
    except Exception as error:  # SciPy raises many kinds for a broken file
        raise UserError(f"{path}: expected MPII's RELEASE structure, found something else ({error})") from None
    return release


def _items(value: Any) -> list[Any]:
    """MATLAB's structure arrays, which SciPy squeezes to one structure or to an empty array."""
    return [] if value is None else [item for item in np.atleast_1d(value).ravel() if hasattr(item, "_fieldnames")]


def _person(person: Any, sample_id: str, load: Callable[[], np.ndarray], filters: str) -> Sample | Rejected:
    points = _items(getattr(getattr(person, "annopoints", None), "point", None))
    if len(points) < 2:
        return Rejected(sample_id, "fewer than two joints labelled", bad=False)
    labelled, positions = np.zeros(len(MPII_16), bool), np.full((len(MPII_16), 2), np.nan)
    try:
        for point in points:  # a joint that is labelled counts, visible or not
            labelled[int(point.id)], positions[int(point.id)] = True, (point.x, point.y)
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        return Rejected(sample_id, f"labels broken: {error}")
    if filters == "spin" and not labelled.all():
        return Rejected(sample_id, f"not all {len(MPII_16)} joints labelled", bad=False)
    keypoints, visible = keypoints_19(positions, labelled, MPII_16)
    if (extent := person_px(keypoints, visible)) is None:
        return Rejected(sample_id, "too close: neither ankles nor a torso labelled", bad=False)
    return Sample(
        sample_id=sample_id,
        load_image=load,
        keypoints_2d_px=keypoints,
        visible=visible,
        center_px=box_center(keypoints, visible),
        person_px=extent,
    )


def person_px(keypoints_px: np.ndarray, visible: np.ndarray) -> float | None:
    """The length that becomes 150 reference pixels, None if the method would leave the person out.

    With an ankle the whole diagonal; else head top to hip counts for 75 pixels, else shoulder to hip for 56.
    """
    if visible[ANKLES].any():
        return box_diagonal(keypoints_px, visible)
    if (head_to_hip := mean_length(keypoints_px, visible, HEAD_TO_HIP)) is not None:
        return 150 / 75 * head_to_hip
    torso = mean_length(keypoints_px, visible, TORSO)
    return None if torso is None else 150 / 56 * torso
