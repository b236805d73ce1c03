"""The fixed names: data sets, their splits, benchmarks. What each licence asks is in `DATASETS`."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hmr.errors import UserError
from hmr.params import Params, training_inputs


@dataclass(frozen=True)
class Dataset:
    """One public data set: what it gives, who may have it and whom to thank."""

    title: str
    splits: tuple[str, ...]
    has_3d: bool
    licence: str
    homepage: str
    citation: str
    files: tuple[str, ...]  # what belongs in its raw folder, as the owners name it
    paper_samples: Mapping[str, int]  # by split, what the paper's code or protocol counts; a split may be missing
    # By split, whose videos are read side by side, a job for each; a split that is not here is read in one go.
    subjects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spin_subjects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the same by SPIN's filters, if others

    def subjects_by(self, filters: str, split: str) -> tuple[str, ...]:
        """Whose videos a split is read from under `normalize.filters`; none where it is read in one go."""
        chosen = {**self.subjects, **self.spin_subjects} if filters == "spin" else self.subjects
        return chosen.get(split, ())


DATASETS = {
    "lsp": Dataset(
        title="Leeds Sports Pose",
        splits=("train", "test"),
        has_3d=False,
        licence="no licence stated; for research, cite the paper",
        homepage="http://sam.johnson.io/research/lsp.html",
        citation="Johnson and Everingham, BMVC 2010; part labels: Lassner et al., CVPR 2017 (Unite the People)",
        files=("images/im0001.jpg ...", "joints.mat", "upi-s1h/data/lsp/im1001_part_segmentation.png ..."),
        paper_samples={"train": 1_000, "test": 1_000},
    ),
    "lsp_extended": Dataset(
        title="Leeds Sports Pose Extended",
        splits=("train",),
        has_3d=False,
        licence="no licence stated; for research, cite the paper",
        homepage="http://sam.johnson.io/research/lspet.html",
        citation="Johnson and Everingham, CVPR 2011",
        files=("images/im00001.jpg ...", "joints.mat"),
        paper_samples={"train": 10_000},
    ),
    "mpii": Dataset(
        title="MPII Human Pose",
        splits=("train",),
        has_3d=False,
        licence="Simplified BSD for the annotations; images for research",
        homepage="http://human-pose.mpi-inf.mpg.de",
        citation="Andriluka et al., CVPR 2014",
        files=("images/*.jpg", "annotations/mpii_human_pose_v1_u12_1.mat"),
        paper_samples={"train": 20_000},
    ),
    "coco": Dataset(
        title="COCO keypoints",
        splits=("train",),
        has_3d=False,
        licence="CC BY 4.0 for the annotations; images under their Flickr licences",
        homepage="https://cocodataset.org",
        citation="Lin et al., ECCV 2014",
        files=("images/train2014/*.jpg", "annotations/person_keypoints_train2014.json"),
        paper_samples={"train": 79_344},
    ),
    "human36m": Dataset(
        title="Human3.6M",
        splits=("train", "test"),
        has_3d=True,
        licence="gated: account and licence agreement, research only, no redistribution",
        homepage="http://vision.imar.ro/human3.6m",
        citation="Ionescu et al., TPAMI 2014",
        files=(
            "metadata.xml (of the owners' code)",
            "S*/Videos/*.mp4",
            "S*/MyPoseFeatures/D3_Positions_mono/*.cdf",
            "S*/MyPoseFeatures/D2_Positions/*.cdf",
            "S*/MySegmentsMat/ground_truth_bb/*.mat (only for normalize.boxes: spin)",
            "mosh/S*/*_cam*_aligned.pkl (optional: SMPL truth, withdrawn by its owners)",
        ),
        paper_samples={"train": 312_188},
        subjects={"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")},
    ),
    "mpi_inf_3dhp": Dataset(
        title="MPI-INF-3DHP",
        splits=("train", "test"),
        has_3d=True,
        licence="gated: registration, research only, no redistribution",
        homepage="https://vcai.mpi-inf.mpg.de/3dhp-dataset",
        citation="Mehta et al., 3DV 2017",
        files=(
            "S[1-8]/Seq[12]/imageSequence/video_*.avi",
            "S[1-8]/Seq[12]/annot.mat",
            "S[1-8]/Seq[12]/camera.calibration",
            "mpi_inf_3dhp_test_set/TS[1-6]/imageSequence/img_*.jpg",
            "mpi_inf_3dhp_test_set/TS[1-6]/annot_data.mat",
        ),
        paper_samples={"train": 147_221, "test": 2_929},
        # ASSUME: the paper trains its final models on all eight subjects; its code, as we do, keeps S8 for tuning.
        subjects={"train": ("S1", "S2", "S3", "S4", "S5", "S6", "S7")},
        spin_subjects={"train": ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8")},
    ),
}

# benchmark -> the data set whose test split it reads
BENCHMARKS = {
    "human36m-p1": "human36m",
    "human36m-p2": "human36m",
    "mpi_inf_3dhp": "mpi_inf_3dhp",
    "lsp-segmentation": "lsp",
    "lsp-keypoints": "lsp",
}
# What is predicted without a trained network of ours: nothing looked at; SMPLify on the labelled keypoints, and on
# those that a network predicts.
MEAN_BODY, SMPLIFY_ORACLE, SMPLIFY = "mean-body", "smplify-oracle", "smplify"
BASELINES = (SMPLIFY_ORACLE, SMPLIFY, MEAN_BODY)


def check_names(params: Params, origin: str = "params.yaml") -> None:
    """Refuse data sets and benchmarks that are unknown, and data sets that are used but not downloaded."""
    for name in params.download.datasets:
        _known(name, DATASETS, f"{origin}: download.datasets")
    for name in params.evaluate.benchmarks:
        _known(name, BENCHMARKS, f"{origin}: evaluate.benchmarks")
    _known(params.predict.smplify.keypoints_from, params.variants, f"{origin}: predict.smplify.keypoints_from")
    uses = {f"train.variants.{name}": training_inputs(train) for name, train in params.variants.items()}
    uses["evaluate.benchmarks"] = tuple(BENCHMARKS[name] for name in params.evaluate.benchmarks)
    for where, names in uses.items():
        for name in names:
            _known(name, DATASETS, f"{origin}: {where}")
            if name not in params.download.datasets:
                raise UserError(f"{origin}: {where} uses {name}, which download.datasets lacks; add it there")


def _known(name: str, known: Mapping[str, Any], where: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise UserError(
            f"{where}: unknown name {name!r}; known: {', '.join(known)}" + "".join(f"; did you mean {n}?" for n in near)
        )
