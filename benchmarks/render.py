"""Time of one picture: python benchmarks/render.py [body.npz]; without a body file, an ellipsoid of 13,612 faces."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr.render import Camera, Lights, Mesh, Shadows, rasterise, render

SIZE_PX = 320
PERSON_PX = 180


def sphere(rings: int = 83, segments: int = 84) -> tuple[NDArray, NDArray]:
    """Vertices and faces of an ellipsoid about as tall and wide as a person."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, segments), indexing="ij")
    points = np.stack([0.3 * np.sin(theta) * np.cos(phi), 0.85 * np.cos(theta), 0.2 * np.sin(theta) * np.sin(phi)], -1)
    i = (np.arange(rings - 1)[:, None] * segments + np.arange(segments - 1)).ravel()
    upper = np.stack([i, i + 1, i + segments], 1)
    lower = np.stack([i + 1, i + segments + 1, i + segments], 1)
    return points.reshape(-1, 3), np.concatenate([upper, lower])


def load(path: Path) -> tuple[NDArray, NDArray]:
    """Template vertices and faces of a body file, y up."""
    with np.load(path, allow_pickle=False) as body:
        return body["v_template"].astype(np.float64), body["f"].astype(np.int32)


def median_ms(draw: Callable[[], object], seconds: float = 2.0) -> float:
    """Median time of a call, after one call to compile."""
    draw()
    times, stop = [], time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.process_time()
        draw()
        times.append(time.process_time() - start)
    return float(np.median(times) * 1e3)


def main() -> None:
    vertices, faces = load(Path(sys.argv[1])) if len(sys.argv) > 1 else sphere()
    distance = 4.0
    focal = PERSON_PX * distance / np.ptp(vertices[:, 1])
    standing = vertices * (1, -1, -1) + (0, 0, distance)
    camera = Camera(focal_px=focal, principal_px=(SIZE_PX / 2, SIZE_PX / 2))
    background = np.random.default_rng(0).integers(0, 255, (SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    ground = Shadows(ground=(0.0, 1.0, 0.0, float(standing[:, 1].max())))
    mesh = Mesh(standing, faces, (200, 170, 150))
    cases = {
        "rasterise, 1 sample": lambda: rasterise(standing, faces, camera, (SIZE_PX, SIZE_PX)),
        "render, 1 sample": lambda: render(mesh, camera, Lights(), background, supersample=1),
        "render, 2x2": lambda: render(mesh, camera, Lights(), background),
        "render, 2x2, shadows": lambda: render(mesh, camera, Lights(), background, shadows=Shadows()),
        "render, 2x2, shadows and ground": lambda: render(mesh, camera, Lights(), background, shadows=ground),
        "mesh checks": lambda: Mesh(standing, faces, (200, 170, 150)),
    }
    print(f"{len(faces)} faces, person {PERSON_PX} px, picture {SIZE_PX} px; CPU ms an image, median")
    for name, draw in cases.items():
        print(f"{median_ms(draw):8.2f}  {name}")


if __name__ == "__main__":
    main()
