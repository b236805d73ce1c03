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
    load = lru_cache(maxsize=1)(load_bgr)
    for name, people, apart in _training_images(need(raw / "annotations" / "mpii_human_pose_v1_u12_1.mat", DATASET)):
        for number, person in enumerate(people, start=1):
            sample_id = f"mpii/{Path(name).stem}/{number}"
            if number in apart:
                yield _person(person, sample_id, partial(load, folder / name), params.filters)
            else:
                yield Rejected(sample_id, "not apart from other people", bad=False)


def _training_images(path: Path) -> list[tuple[str, list[Any], set[float]]]:
    """Of each picture for training its name, its people and the numbers, from 1, of those who stand apart."""
    try:
        release = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)["RELEASE"]
        images, single = _items(release.annolist), np.atleast_1d(release.single_person)
        lists = (images, np.atleast_1d(release.img_train), [single] if len(images) == 1 else single)
        if len({len(each) for each in lists}) > 1:
            raise ValueError(f"annolist, img_train and single_person of {', '.join(str(len(each)) for each in lists)}")
        return [_training_image(image, apart) for image, is_train, apart in zip(*lists, strict=True) if is_train == 1]
    except Exception as error:  # SciPy raises many kinds for a broken file
        raise UserError(f"{path}: expected MPII's RELEASE structure, found something else ({error})") from None


def _training_image(image: Any, apart: Any) -> tuple[str, list[Any], set[float]]:
    if not isinstance(image.image.name, str):
        raise TypeError(f"{image.image.name!r} as a picture's name")
    people = _items(getattr(image, "annorect", None))
    return image.image.name, people, set(np.asarray(apart, np.float64).ravel().tolist())


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
            if point.id not in range(len(MPII_16)):
                raise ValueError(f"no joint has the number {point.id}")
            labelled[int(point.id)], positions[int(point.id)] = True, (point.x, point.y)
    except (ValueError, TypeError, AttributeError) as error:
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
