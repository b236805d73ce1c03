"""BlazePose's two networks (Bazarevsky et al. 2020, Apache 2.0), which older wheels of `mediapipe` carry as data."""

from pathlib import Path

from hmr.download.wheels import Wheel
from hmr.errors import UserError
from hmr.files import atomic_folder, sha256_file, write_manifest

WHEEL = Wheel(
    "mediapipe==0.10.21", "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3", "manylinux_2_28_x86_64"
)
LICENCE = "Apache 2.0 (MediaPipe, BlazePose)"
FOLDER = Path("data/blazepose")  # where `hmr predict` looks, below the project's folder
HEADS, JOINTS = "pose_detection.tflite", "pose_landmark_full.tflite"
SHA256 = {
    HEADS: "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    JOINTS: "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
_MEMBERS = {
    HEADS: f"mediapipe/modules/pose_detection/{HEADS}",
    JOINTS: f"mediapipe/modules/pose_landmark/{JOINTS}",
    "LICENSE": "mediapipe-0.10.21.dist-info/LICENSE",
}


def unpack_networks(wheel: Path, out: Path) -> None:
    """The two networks and their licence as the folder `out`. UserError for another wheel."""
    with WHEEL.open(wheel) as file, atomic_folder(out) as folder:
        for name, member in _MEMBERS.items():
            (folder / name).write_bytes(file.read(member))
        check_networks(folder)
        write_manifest(folder, dataset="blazepose", source=WHEEL.pin, licence=LICENCE)


def check_networks(folder: Path) -> None:
    """UserError where a network is missing or not the one that was fetched."""
    for name, sha256 in SHA256.items():
        found = sha256_file(folder / name) if (folder / name).is_file() else "nothing there"
        if found != sha256:
            raise UserError(
                f"{folder / name}: expected SHA-256 {sha256}, found {found}; delete {folder} and run 'hmr detector'"
            )
