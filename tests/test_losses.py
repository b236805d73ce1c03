import pytest
import torch

from hmr import losses

ALL = torch.ones(2, dtype=torch.bool)


def test_joints_2d_divides_by_visible_coordinates():
    pred, visible = torch.zeros(2, 19, 2), torch.zeros(2, 19, dtype=torch.bool)
    pred[0, 3], visible[0, 3], visible[1, 5] = torch.tensor([0.2, -0.4]), True, True
    loss = losses.joints_2d_loss(pred_keypoints_norm=pred, gt_keypoints_norm=torch.zeros(2, 19, 2), visible=visible)
    assert loss.item() == pytest.approx(0.6 / 4)


def test_what_is_not_labelled_costs_nothing_even_where_it_is_not_a_number():
    pred = torch.randn(2, 19, 2, requires_grad=True)
    gt, visible = torch.full((2, 19, 2), torch.nan), torch.zeros(2, 19, dtype=torch.bool)
    loss = losses.joints_2d_loss(pred_keypoints_norm=pred, gt_keypoints_norm=gt, visible=visible)
    loss.backward()
    assert loss.item() == 0 and pred.grad.abs().max() == 0


def test_joints_3d_is_half_the_mean_square_of_42_numbers():
    pred = torch.zeros(2, 14, 3)
    pred[0, 0, 0] = 0.3
    loss = losses.joints_3d_loss(
        pred_joints=pred, gt_joints=torch.zeros(2, 14, 3), has_joints_3d=torch.tensor([True, False])
    )
    assert loss.item() == pytest.approx(0.5 * 0.3**2 / 42)


def test_joints_3d_does_not_see_translation():
    gt = torch.randn(2, 14, 3)
    loss = losses.joints_3d_loss(pred_joints=gt + torch.tensor([1.0, -2.0, 5.0]), gt_joints=gt, has_joints_3d=ALL)
    assert loss.item() == pytest.approx(0, abs=1e-10)


def test_smpl_counts_rotations_with_the_root_and_betas():
    rotmat, betas = torch.zeros(2, 24, 3, 3), torch.zeros(2, 10)
    wrong = rotmat.clone()
    wrong[0, 0, 0, 0], other = 0.5, betas.clone()
    other[1, 2] = 1.0
    loss = losses.smpl_loss(pred_rotmat=wrong, gt_rotmat=rotmat, pred_betas=other, gt_betas=betas, has_smpl=ALL)
    assert loss.item() == pytest.approx(0.5 * (0.25 + 1.0) / 226 / 2)


def test_empty_masks_give_zero_and_zero_gradient():
    pred = torch.randn(2, 14, 3, requires_grad=True)
    loss = losses.joints_3d_loss(pred_joints=pred, gt_joints=torch.full((2, 14, 3), torch.nan), has_joints_3d=~ALL)
    loss.backward()
    assert loss.item() == 0 and pred.grad.abs().max() == 0


def test_adversarial_losses_sum_over_critics_and_average_over_bodies():
    scores = torch.tensor([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    assert losses.adversarial_loss(scores).item() == pytest.approx(1.0)
    assert losses.critic_loss(real_scores=scores, fake_scores=torch.zeros(4, 3)).item() == pytest.approx(1.0)
    assert losses.critic_loss(real_scores=torch.ones(1, 3), fake_scores=scores).item() == pytest.approx((5 + 3) / 2)


def test_the_gradient_penalty_of_straight_critics_is_half_their_squared_slope():
    pose, betas = torch.randn(5, 23, 3, 3, requires_grad=True), torch.randn(5, 10, requires_grad=True)
    slope = torch.randn(23, 3, 3)
    scores = torch.stack(((pose * slope).sum((1, 2, 3)), 3 * betas[:, 2], torch.full((5,), 0.7)), 1)
    expected = 0.5 * (slope.square().sum() + 9)
    torch.testing.assert_close(losses.gradient_penalty(scores, (pose, betas)), expected)
    assert losses.gradient_penalty(scores[:, 2:] + 0 * scores[:, :1], (pose, betas)).item() == 0


def test_terms_and_weights_must_match():
    with pytest.raises(ValueError, match="differ"):
        losses.weighted_sum({"a": torch.tensor(1.0)}, {"a": 1.0, "b": 2.0})
