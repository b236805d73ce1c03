"""Does Blender stand where a .bvh file says? Joints as its importer poses them, against the file read by this project.

Blender is no dependency. Its module goes into an environment of its own, with Blender's own version of Python (3.11 for
5.0) and of NumPy, since this project's is newer:

    python3.11 -m venv blender && blender/bin/pip install bpy 'numpy<2' scipy jaxtyping
    PYTHONPATH=. blender/bin/python benchmarks/blender.py bodies/walk.bvh
"""

import argparse
from pathlib import Path

import numpy as np

from hmr.mocap.bvh import pose_joints, read_bvh

try:
    import bpy
except ImportError:
    raise SystemExit("blender.py: Blender's module is not installed here; the head of this file says how") from None

_M_PER_CM = 0.01
_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # Blender has z up; BVH files have y up


def joints_in_blender(path: Path, frames: int) -> tuple[dict[str, np.ndarray], float]:
    """Where each joint is in every frame (frames, 3), metres, z up; and the scene's frames a second."""
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=_M_PER_CM, update_scene_fps=True)
    scene, armature = bpy.context.scene, bpy.context.object
    if (last := armature.animation_data.action.frame_range[1]) != frames:
        raise SystemExit(f"{path}: expected {frames} frames in Blender, found {last:g}")
    places: dict[str, list[np.ndarray]] = {bone.name: [] for bone in armature.pose.bones}
    for frame in range(1, frames + 1):
        scene.frame_set(frame)
        for bone in armature.pose.bones:
            places[bone.name].append(np.array(armature.matrix_world @ bone.head))
    return {name: np.array(at) for name, at in places.items()}, scene.render.fps / scene.render.fps_base


def told(path: Path) -> str:
    """One line: how far Blender's joints are from the file's, and at how many frames a second it plays."""
    motion = read_bvh(path)
    expected = _M_PER_CM * pose_joints(motion, motion.values)[1] @ _TO_Z_UP.T
    found, rate_hz = joints_in_blender(path, len(motion.values))
    if set(found) != set(motion.names):
        raise SystemExit(f"{path}: other joints in Blender: {sorted(set(found) ^ set(motion.names))}")
    off_m = [np.abs(found[name] - expected[:, joint]).max() for joint, name in enumerate(motion.names)]
    worst = motion.names[int(np.argmax(off_m))]
    return (
        f"{path}: {len(motion.names)} joints, {len(motion.values)} frames at {rate_hz:.3f} a second (file:"
        f" {motion.rate_hz:.3f}); furthest from the file: {max(off_m):.1e} m, {worst}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bvh", nargs="+", type=Path)
    for path in parser.parse_args().bvh:
        print(told(path))


if __name__ == "__main__":
    main()
