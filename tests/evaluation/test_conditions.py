import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr.body.joints import LSP_14
from hmr.evaluation.conditions import occlusions, viewpoints


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
