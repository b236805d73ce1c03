"""Where a predicted body stands in a picture.

The network's camera speaks of its square view. An affine map leads from the view's pixels to those of the stored
crop or of the source image; it only scales and shifts, so the body's camera there is a pinhole again.
"""

from jaxtyping import Float
from numpy import ndarray

from hmr.render.camera import Camera, weak_perspective_camera

# Long enough that the pinhole draws what the weak perspective means; the usual choice of later evaluations.
FOCAL_PX = 5000.0


def camera_in_image(
    camera: Float[ndarray, "3"], view_to_image: Float[ndarray, "2 3"], image_px: int
) -> tuple[Float[ndarray, "3"], Camera]:
    """Translation to add to the body's vertices (metres), and the pinhole of the picture that `view_to_image` leads to.

    A scale that is not positive is a prediction from which nothing can be drawn; it is taken as a tiny body.
    """
    transl, view = weak_perspective_camera(max(float(camera[0]), 1e-3), camera[1:], image_px, FOCAL_PX)
    zoom, (left, top) = float(view_to_image[0, 0]), view_to_image[:, 2]
    # The map speaks of pixel centres at whole numbers, the camera of the picture's edge at zero.
    return transl, view.scaled(zoom).cropped(zoom / 2 - 0.5 - left, zoom / 2 - 0.5 - top)
