"""A small CPU renderer: meshes and pinhole cameras in, pictures with exact labels and depth out. Knows no body model.

Image coordinates are continuous: the picture spans [0, width] x [0, height] and the pixel in row r and column c has
its centre at (c + 0.5, r + 0.5). Frames are the camera's: x right, y down, z forward, metres.
"""

from hmr.render.camera import Camera, weak_perspective_camera
from hmr.render.mesh import Mesh, box, flat_shaded, join
from hmr.render.overlay import draw_keypoints, overlay, side_view, tile
from hmr.render.raster import Fragments, rasterise
from hmr.render.shade import Lights, Picture, draw, labels_of, render
from hmr.render.shadow import Shadows

__all__ = [
    "Camera",
    "Fragments",
    "Lights",
    "Mesh",
    "Picture",
    "Shadows",
    "box",
    "draw",
    "draw_keypoints",
    "flat_shaded",
    "join",
    "labels_of",
    "overlay",
    "rasterise",
    "render",
    "side_view",
    "tile",
    "weak_perspective_camera",
]
