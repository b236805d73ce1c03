import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.body.joints import LSP_14
from hmr.evaluation.conditions import QUARTERS, occlusions, quarters, training_distances_mm, viewpoints


def person_facing_the_camera():
    """x right, y down: the person's left is at the picture's right, the neck above the hips."""
    joints = np.zeros((14, 3))
    for side, x in (("left", 0.2), ("right", -0.2)):
        joints[LSP_14.index(f"{side}_hip")] = (x / 2, 0, 4)
        joints[LSP_14.index(f"{side}_shoulder")] = (x, -0.5, 4)
    joints[LSP_14.index("neck")] = (0, -0.55, 4)
    return joints


@pytest.mark.parametrize(
    ("degrees", "side"), [(0, "front"), (40, "front"), (-90, "right side"), (180, "back"), (90, "left side")]
)
def test_sides(degrees, side):
    """Turned about the downward axis by -90 degrees, a person looks to the picture's right and shows its right."""
    turn = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    assert viewpoints((person_facing_the_camera() @ turn.T)[None]).tolist() == [side]


def test_hidden_joints_are_counted():
    visible = np.ones((3, 14), bool)
    visible[1, :3] = False
    visible[2, :4] = False
    assert occlusions(visible).tolist() == ["none hidden", "1 to 3 hidden", "4 or more hidden"]


def random_poses(count, seed):
    return np.array([0, 0, 4]) + np.random.default_rng(seed).normal(0, 0.3, (count, 14, 3))


def test_place_turn_and_size_are_no_distance_and_a_mirror_is():
    poses = random_poses(5, 0)
    turn = Rotation.from_rotvec((0.3, 2, -1)).as_matrix()
    moved = 1.7 * (poses @ turn.T) + (1, -2, 3)
    np.testing.assert_allclose(training_distances_mm(moved, poses), 0, atol=1e-6)
    assert (training_distances_mm(poses * (-1, 1, 1), poses) > 10).all()


def test_the_nearest_of_many_is_the_nearest_found_one_by_one():
    poses, training = random_poses(7, 1), random_poses(40, 2)
    single = np.stack([training_distances_mm(poses, training[k : k + 1]) for k in range(len(training))])
    np.testing.assert_allclose(training_distances_mm(poses, training), single.min(0))


def test_quarters_are_as_large_as_they_can_be():
    names = quarters(np.array([8.0, 1, 7, 2, 6, 3, 5, 4]))
    assert names.tolist() == [QUARTERS[k] for k in (3, 0, 3, 0, 2, 1, 2, 1)]
