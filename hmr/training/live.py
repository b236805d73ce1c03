"""What a training shows while it runs, beside its state: figures as dvclive and TensorBoard know them, and pictures.

Nothing of it is a result, and none of it changes one. Figures are files of tab-separated values, one a figure, which
`dvc plots show` and DVC's editor extensions draw while they grow; neither Git nor a network is needed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from hmr.body.joints import COCOPLUS_19, LSP_BONES
from hmr.body.model import BodyModel
from hmr.data.loader import Batch
from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.geometry.cameras import weak_perspective
from hmr.models.hmr import network_input, read_theta

PICTURE_EVERY_S = 180.0
SHOWN = 8  # samples in a picture
VIEW_PX = 160
_RIGHT, _LEFT, _MIDDLE, _SKIN = (214, 69, 65), (65, 105, 225), (240, 200, 60), (150, 150, 150)


@dataclass(frozen=True)
class Guess:
    """What a network sees in a batch, from the camera and, where it knows bodies, from their left side. In [-1, 1]."""

    keypoints_norm: Float[Tensor, "batch 19 2"]
    skin_norm: Float[Tensor, "batch points 2"]
    side_keypoints_norm: Float[Tensor, "batch 19 2"]
    side_skin_norm: Float[Tensor, "batch points 2"]


Look = Callable[[nn.Module, Batch], Guess]


def look_at_bodies(body: BodyModel) -> Look:
    """Guesses of the paper's network, with the vertices that the keypoints need for skin."""

    def look(network: nn.Module, batch: Batch) -> Guess:
        theta = read_theta(network(network_input(batch.image))[-1].float())
        vertices = body(betas=theta.betas, full_pose_rotmat=theta.full_pose_rotmat).vertices
        points = (body.keypoints(vertices), vertices)
        ahead = theta.cam_shift * theta.cam_shift.new_tensor((0.0, 1.0))
        front = [weak_perspective(p, cam_scale=theta.cam_scale, cam_shift=theta.cam_shift) for p in points]
        side = [weak_perspective(p[..., [2, 1, 0]], cam_scale=theta.cam_scale, cam_shift=ahead) for p in points]
        return Guess(*front, *side)

    return look


def look_for_keypoints(network: nn.Module, batch: Batch) -> Guess:
    """Guesses of the network that pre-training trains, which knows no bodies."""
    keypoints = network(network_input(batch.image)).keypoints_norm.float()
    nothing = keypoints[:, :0]
    return Guess(keypoints, nothing, torch.full_like(keypoints, torch.nan), nothing)


class Live:
    """Writes into `folder`, which it empties first: figures at once, a picture every few minutes."""

    def __init__(
        self, folder: Path, look: Look, *, before: Sequence[Mapping[str, float]] = (), tensorboard: bool = False
    ) -> None:
        self.folder, self.look = folder, look
        self._writer = _writer(folder)
        self._board = _tensorboard(folder / "tensorboard") if tensorboard else None
        self._drawn = -PICTURE_EVERY_S
        for row in before:
            self.figures(row)

    def figures(self, row: Mapping[str, float]) -> None:
        """A row of the training curve."""
        self._writer.step = step = int(row["step"])
        for name, value in row.items():
            if name != "step":
                self._writer.log_metric(name, value, timestamp=False)
                if self._board is not None:
                    self._board.add_scalar(name, value, step)
        self._writer.make_summary()

    def picture(self, network: nn.Module, batch: Batch) -> None:
        """What the network makes of a batch's first and last samples, if the last picture is old enough.

        The network is left evaluating; every step says for itself that it trains.
        """
        if time.monotonic() - self._drawn < PICTURE_EVERY_S:
            return
        self._drawn = time.monotonic()
        picture = draw(network, batch, self.look)
        with atomic_path(self.folder / "bodies.jpg") as temporary:
            cv2.imwrite(str(temporary), picture[..., ::-1])


def draw(network: nn.Module, batch: Batch, look: Look) -> UInt8[ndarray, "height width 3"]:
    """Inputs, guesses over them and the same from the side, one row a sample; labels are small white dots."""
    rows = np.unique(np.linspace(0, len(batch.image) - 1, min(SHOWN, len(batch.image))).round().astype(int))
    few = Batch(**{name: value[torch.from_numpy(rows)] for name, value in vars(batch).items()})
    with torch.no_grad():
        guess = look(network.eval(), few)
    labels, seen = few.keypoints_norm.cpu().numpy(), few.visible.cpu().numpy()
    columns = [getattr(guess, name).cpu().numpy() for name in Guess.__dataclass_fields__]
    sheet = []
    for k, image in enumerate(few.image.cpu().numpy()):
        plain = cv2.resize(image, (VIEW_PX, VIEW_PX), interpolation=cv2.INTER_AREA)
        over, side = plain.copy(), np.full_like(plain, 32)
        keypoints, skin, side_keypoints, side_skin = (column[k] for column in columns)
        _body(over, keypoints, skin)
        _dots(over, labels[k][seen[k]], (255, 255, 255))
        _body(side, side_keypoints, side_skin)
        sheet.append(np.concatenate((plain, over, side), 1))
    return np.concatenate(sheet)


def _body(picture: ndarray, keypoints_norm: ndarray, skin_norm: ndarray) -> None:
    _dots(picture, skin_norm, _SKIN, radius=0)
    for start, end in LSP_BONES:
        ends = _pixels(keypoints_norm[[start, end]])
        if len(ends) == 2:
            name = COCOPLUS_19.joints[end]
            colour = _RIGHT if name.startswith("right_") else _LEFT if name.startswith("left_") else _MIDDLE
            cv2.line(picture, tuple(ends[0]), tuple(ends[1]), colour, 2, cv2.LINE_AA)


def _dots(picture: ndarray, points_norm: ndarray, colour: tuple[int, int, int], radius: int = 1) -> None:
    for point in _pixels(points_norm):
        cv2.circle(picture, tuple(point), radius, colour, -1)


def _pixels(points_norm: ndarray) -> list[list[int]]:
    """Those of the points that are numbers, in the view's pixels, near enough for the drawing library."""
    known = points_norm[np.isfinite(points_norm).all(1)]
    return ((known.clip(-9, 9) + 1) / 2 * VIEW_PX).round().astype(int).tolist()


def _writer(folder: Path):
    from dvclive import Live as Writer  # a second to import, which no other command should wait for

    class Figures(Writer):
        def _init_dvc(self) -> None:
            """Runs are no results: DVC and Git need not know of them, and a repository may have no commit yet."""

    # dvclive's own reports and edits of dvc.yaml are left out too.
    return Figures(str(folder), report=None, save_dvc_exp=False, dvcyaml=None, monitor_system=False)


def _tensorboard(folder: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("--tensorboard: TensorBoard is not installed; pip install 'hmr[tensorboard]'") from None
    return SummaryWriter(str(folder))
