"""Where the open sets' archives are, and which of their files belong where in the raw folder."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

GIGABYTE = 10**9


@dataclass(frozen=True)
class Archive:
    """One archive: its addresses, tried in turn, and what to take out of it."""

    urls: tuple[str, ...]
    take: dict[str, str]  # pattern of a whole path in the archive -> path in the raw folder
    limit_bytes: int  # more than this unpacked is not the archive that we know
    # The owners publish none. Those below are what TensorFlow Datasets recorded of the same addresses, in its
    # url_checksums: leeds_sports_pose, mpii_human_pose, coco2014. What is None is recorded at first use and holds.
    sha256: str | None = None  # of the file at each of the addresses

    def place(self, member: str) -> tuple[str, PurePosixPath] | None:
        """The pattern that a member's path fits and where it goes in the raw folder; None if it is not wanted."""
        for pattern, place in self.take.items():
            if found := re.fullmatch(rf"(?:.*/)?{pattern}", member):
                return pattern, PurePosixPath(found.expand(place))
        return None


SOURCES: dict[str, tuple[Archive, ...]] = {
    "lsp": (
        Archive(
            urls=(
                "https://sam.johnson.io/research/lsp_dataset.zip",
                "http://sam.johnson.io/research/lsp_dataset.zip",
            ),
            take={r"(images/im\d{4}\.jpg)": r"\1", r"(joints\.mat)": r"\1"},
            limit_bytes=1 * GIGABYTE,
            sha256="07cba8044f153e48aec3d02cf2ab4c2c86dbf15edae5699e77b684562851676e",
        ),
        Archive(
            urls=("https://files.is.tuebingen.mpg.de/classner/up/datasets/upi-s1h.zip",),
            take={r"(data/lsp/im\d{4}_(?:part_)?segmentation\.png)": r"upi-s1h/\1"},
            limit_bytes=1 * GIGABYTE,
        ),
    ),
    "lsp_extended": (
        Archive(
            urls=(
                "https://sam.johnson.io/research/lspet_dataset.zip",
                "http://sam.johnson.io/research/lspet_dataset.zip",
                "https://github.com/axelcarlier/lsp/archive/HEAD.zip",  # a copy; the owners' page is often down
            ),
            take={r"(images/im\d{5}\.jpg)": r"\1", r"(joints\.mat)": r"\1"},
            limit_bytes=2 * GIGABYTE,
        ),
    ),
    "mpii": (
        Archive(
            urls=("https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr/mpii_human_pose_v1.tar.gz",),
            take={r"(images/\d{9}\.jpg)": r"\1"},
            limit_bytes=30 * GIGABYTE,
            sha256="6d26fbf89f49a7aeff4aa5f98123763f334693806b98eb15630f57a0b50998ce",
        ),
        Archive(
            urls=("https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr/mpii_human_pose_v1_u12_2.zip",),
            take={r"(mpii_human_pose_v1_u12_1\.mat)": r"annotations/\1"},
            limit_bytes=1 * GIGABYTE,
            sha256="3e8bd6b61d39bc2e2bc5cd33a17b0bd08cd2d06c302f24f552042e53a35bcb76",
        ),
    ),
    "coco": (
        Archive(
            urls=("http://images.cocodataset.org/zips/train2014.zip",),
            take={r"(train2014/COCO_train2014_\d{12}\.jpg)": r"images/\1"},
            limit_bytes=30 * GIGABYTE,
            sha256="ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
        ),
        Archive(
            urls=("http://images.cocodataset.org/annotations/annotations_trainval2014.zip",),
            take={r"(person_keypoints_train2014\.json)": r"annotations/\1"},
            limit_bytes=2 * GIGABYTE,
            sha256="031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
        ),
    ),
}
