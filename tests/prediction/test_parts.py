"""A body's true parameters, drawn as a prediction, give its true part labels up to pixels at their edges."""

import cv2
import numpy as np
import pytest
import torch

from hmr.body.model import BodyModel
from hmr.evaluation.segmentation import accuracy_percent, confusion, mean_f1
from hmr.prediction.parts import part_labels
from hmr.prediction.predictor import Poser
from hmr.render import Camera, rasterise

VIEW_PX, SIZE_PX = 80, (150, 110)
TRUTH_M = 2000.0  # so far away that nothing of perspective is left; the prediction is drawn from about 140 m


def true_labels(vertices, camera, view_to_image, body):
    """The weak perspective in image pixels, as one far pinhole made from its formula alone."""
    scale, shift = camera[0], camera[1:]
    zoom, corner = view_to_image[0, 0], view_to_image[:, 2]
    px_per_m = zoom * scale * VIEW_PX / 2
    # A vertex at X is seen at view pixel ((s (X + t) + 1) P - 1) / 2, whose centres are whole numbers.
    origin = zoom * (((scale * shift + 1) * VIEW_PX - 1) / 2) + corner
    pinhole = Camera(focal_px=px_per_m * TRUTH_M, principal_px=tuple(origin + 0.5))
    face_id = rasterise(vertices + np.array([0, 0, TRUTH_M]), body["f"], pinhole, SIZE_PX).face_id
    return np.where(face_id >= 0, body["face_part6"][face_id] + 1, 0).astype(np.uint8)


def at_edges(labels):
    """Pixels with another label among their eight neighbours."""
    square = np.ones((3, 3), np.uint8)
    return cv2.dilate(labels, square) != cv2.erode(labels, square)


@pytest.mark.parametrize("seed", range(3))
def test_truth_as_prediction_is_right_but_for_edges(toy, toy_file, seed):
    rng = np.random.default_rng(seed)
    theta = torch.from_numpy(rng.normal(0, 0.25, (1, 85))).float()
    theta[0, :4] = torch.tensor([rng.uniform(0.7, 1.1), *rng.uniform(-0.1, 0.1, 2), torch.pi])
    view_to_image = np.array([[1.4, 0, rng.uniform(-10, 5)], [0, 1.4, rng.uniform(0, 30)]])
    bodies = Poser(BodyModel.load(toy_file))(theta)
    vertices, camera = bodies.vertices[0].astype(float), bodies.camera[0].astype(float)
    pred = part_labels(vertices, camera, view_to_image, VIEW_PX, SIZE_PX, toy)
    gt = true_labels(vertices, camera, view_to_image, toy)
    wrong = pred != gt
    assert len(np.unique(gt)) == 7 and not (wrong & ~at_edges(gt)).any()
    counts = confusion(pred=pred, gt=gt)
    assert accuracy_percent(counts) > 99.5 and mean_f1(counts) > 0.97
