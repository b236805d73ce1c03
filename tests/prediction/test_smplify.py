import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from hmr.body.model import BodyModel
from hmr.geometry.cameras import weak_perspective
from hmr.models.hmr import read_theta, start_theta
from hmr.prediction.pose_prior import PosePrior
from hmr.prediction.smplify import Smplify


class Pool:
    """As much of a motion-capture pool as a prior looks at, in memory."""

    def __init__(self, pose_axis_angle):
        self.pose_axis_angle = pose_axis_angle.astype(np.float32)

    def __len__(self):
        return len(self.pose_axis_angle)

    def at(self, rows):
        return self.pose_axis_angle[rows], np.zeros((len(rows), 10), np.float32)


def pool(frames=400, seed=0):
    rng = np.random.default_rng(seed)
    swing = rng.normal(0, 0.25, (frames, 24, 3))
    swing[:, 18, 1] -= 0.6  # elbows and knees bend their own way only
    swing[:, 19, 1] += 0.6
    swing[:, [4, 5], 0] += 0.6
    return Pool(swing)


@pytest.fixture(scope="module")
def body(toy):
    return BodyModel(toy)


@pytest.fixture(scope="module")
def fitter(body):
    prior = PosePrior.learn(pool(), components=2, frames=400, seed=0)
    start = start_theta(torch.from_numpy(pool().pose_axis_angle).mean(0), torch.zeros(10))
    return Smplify(body, prior, start, iterations=40)


def people(count, seed=5):
    """Thetas of people who stand upright, turned any way."""
    rng = np.random.default_rng(seed)
    thetas = torch.zeros(count, 85)
    thetas[:, :3] = torch.tensor(np.column_stack([rng.uniform(0.6, 1.0, count), rng.normal(0, 0.1, (count, 2))]))
    pose = torch.from_numpy(pool(count, seed).pose_axis_angle)
    yaw = torch.tensor(rng.uniform(-np.pi, np.pi, count), dtype=torch.float32)
    zero = torch.zeros(count)
    pose[:, 0] = torch.pi * torch.stack((torch.cos(yaw / 2), zero, -torch.sin(yaw / 2)), 1)
    thetas[:, 3:75] = pose.flatten(1)
    return thetas


def keypoints(body, thetas):
    estimate = read_theta(thetas)
    points = body.keypoints(body(betas=estimate.betas, full_pose_rotmat=estimate.full_pose_rotmat).vertices)
    return points, weak_perspective(points, cam_scale=estimate.cam_scale, cam_shift=estimate.cam_shift)


def test_people_who_face_any_way_are_found(body, fitter):
    truth = people(12)
    points, target = keypoints(body, truth)
    found_points, found = keypoints(body, fitter.fit(target, torch.ones(12, 19)))
    away_px = 112 * (found - target).norm(dim=-1).mean(1)
    assert away_px.median() < 3
    turned = [p - p[:, [2, 3]].mean(1, keepdim=True) for p in (points, found_points)]
    error_mm = 1000 * (turned[0] - turned[1]).norm(dim=-1).mean(1)
    mean_body, _ = keypoints(body, fitter.start.expand(12, -1))
    guess_mm = 1000 * (turned[0] - (mean_body - mean_body[:, [2, 3]].mean(1, keepdim=True))).norm(dim=-1).mean(1)
    assert error_mm.median() < 0.4 * guess_mm.median()


def test_a_batch_gives_what_single_fits_give(body, fitter):
    target = keypoints(body, people(3))[1]
    together = fitter.fit(target, torch.ones(3, 19))
    alone = torch.cat([fitter.fit(target[k : k + 1], torch.ones(1, 19)) for k in range(3)])
    # Sums in another order lead Adam along slightly other ways; where they end is the same.
    torch.testing.assert_close(keypoints(body, together)[1], keypoints(body, alone)[1], atol=0.02, rtol=0)


def test_what_is_not_labelled_does_not_count(body, fitter):
    target = keypoints(body, people(2))[1]
    confidence = torch.ones(2, 19)
    confidence[:, [0, 6, 14]] = 0
    elsewhere = target.clone()
    elsewhere[:, [0, 6]] = 100.0
    elsewhere[:, 14] = torch.nan
    assert torch.equal(fitter.fit(target, confidence), fitter.fit(elsewhere, confidence))


def test_one_wrong_keypoint_hardly_moves_the_others(body, fitter):
    target = keypoints(body, people(4))[1]
    wrong = target.clone()
    wrong[:, 6] += 4.0  # a wrist, two views away
    found = keypoints(body, fitter.fit(wrong, torch.ones(4, 19)))[1]
    rest = [k for k in range(19) if k not in (6, 7)]
    assert 112 * (found - target).norm(dim=-1)[:, rest].mean() < 5


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_few_or_no_keypoints_give_a_finite_body(body, fitter, seen):
    confidence = torch.zeros(1, 19)
    confidence[:, :seen] = 1
    theta = fitter.fit(torch.zeros(1, 19, 2), confidence)
    assert theta.isfinite().all() and theta[:, 0] > 0
    if not seen:
        assert theta[:, 75:].abs().max() < 0.1


def test_nobody_is_nobody(fitter):
    assert fitter.fit(torch.zeros(0, 19, 2), torch.zeros(0, 19)).shape == (0, 85)


def test_the_prior_is_the_likeliest_gaussian_of_scikit_learns_mixture():
    frames = pool(300)
    prior = PosePrior.learn(frames, components=2, frames=300, seed=0)
    rows = np.random.default_rng(0).choice(300, 300, replace=False)
    poses = frames.pose_axis_angle[rows, 1:].reshape(300, 69).astype(float)
    settings = {"max_iter": 200, "tol": 0.01, "random_state": 0, "init_params": "k-means++"}
    mixture = GaussianMixture(2, reg_covar=0.02**2, **settings).fit(poses)
    parts = zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
    logs = np.stack([np.log(w) + multivariate_normal(m, c).logpdf(poses[:20]) for w, m, c in parts], 1)
    ours = prior(torch.from_numpy(poses[:20]).float()).numpy()
    gaps = ours - -logs.max(1)
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-2)
    assert (ours >= 0).all()


def test_poses_of_the_pool_are_likelier_than_any_others():
    prior = PosePrior.learn(pool(), components=2, frames=400, seed=0)
    likely = prior(torch.from_numpy(pool(50, 9).pose_axis_angle[:, 1:]).flatten(1))
    unlikely = prior(torch.from_numpy(np.random.default_rng(1).normal(0, 1.0, (50, 69))).float())
    assert likely.max() < unlikely.min()
