"""The paper's tables 1 to 4, each number as printed and written nowhere else.

Kanazawa, Black, Jacobs, Malik: End-to-end Recovery of Human Shape and Pose, CVPR 2018, section 4. They were measured
on the original data sets; numbers measured on open ones stand beside them but cannot be compared with them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One printed row. None is a dash; `starred` methods output more than joints; `variant` is what reproduces it."""

    method: str
    values: tuple[str | None, ...]
    starred: bool = False
    variant: str | None = None


# Human3.6M, protocol 2: reconstruction error, mm.
TABLE_1 = (
    Published("Rogez et al. 2016", ("87.3",)),
    Published("Pavlakos et al.", ("51.9",)),
    Published("Martinez et al.", ("47.7",)),
    Published("Regression forest, 91 keypoints", ("93.9",), starred=True),
    Published("SMPLify", ("82.3",), starred=True, variant="smplify"),
    Published("SMPLify, 91 keypoints", ("80.7",), starred=True),
    Published("HMR", ("56.8",), starred=True, variant="paired"),
    Published("HMR unpaired", ("66.5",), starred=True, variant="unpaired"),
)
# Human3.6M, protocol 1: MPJPE and reconstruction error, mm.
TABLE_2 = (
    Published("Tome et al.", ("88.39", None)),
    Published("Rogez et al. 2017", ("87.7", "71.6")),
    Published("VNect", ("80.5", None)),
    Published("Pavlakos et al.", ("71.9", "51.23")),
    Published("Mehta et al.", ("68.6", None)),
    Published("Sun et al.", ("59.1", None)),
    Published("Deep Kinematic Pose", ("107.26", None), starred=True),
    Published("HMR", ("87.97", "58.1"), starred=True, variant="paired"),
    Published("HMR unpaired", ("106.84", "67.45"), starred=True, variant="unpaired"),
)
# MPI-INF-3DHP: PCK %, AUC %, MPJPE mm, then the same after rigid alignment.
TABLE_3 = (
    Published("Mehta et al.", ("75.7", "39.3", "117.6", None, None, None)),
    Published("VNect", ("76.6", "40.4", "124.7", "83.9", "47.3", "98.0")),
    Published("HMR", ("72.9", "36.5", "124.2", "86.3", "47.8", "89.8"), starred=True, variant="paired"),
    Published("HMR unpaired", ("59.6", "27.9", "169.5", "77.1", "40.7", "113.2"), starred=True, variant="unpaired"),
)
# LSP: foreground and part accuracy % and F1, time per image.
TABLE_4 = (
    Published("SMPLify oracle", ("92.17", "0.88", "88.82", "0.67", None), variant="smplify-oracle"),
    Published("SMPLify", ("91.89", "0.88", "87.71", "0.64", "~1 min"), variant="smplify"),
    Published("Decision forests", ("86.60", "0.80", "82.32", "0.51", "0.13 s")),
    Published("HMR", ("91.67", "0.87", "87.12", "0.60", "0.04 s"), variant="paired"),
    Published("HMR unpaired", ("91.30", "0.86", "87.00", "0.59", "0.04 s"), variant="unpaired"),
)
# What the authors' released model reaches by their own evaluation of protocol 1, from their repository.
RELEASED_MODEL = "The authors' released model, trained again after the paper, has 86.20 and 58.47 by their own count."
