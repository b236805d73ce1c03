"""The fixed names: data sets, their splits, benchmarks. What each licence asks is in `DATASETS`."""

from dataclasses import dataclass


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


DATASETS = {
    "lsp": Dataset(
        title="Leeds Sports Pose",
        splits=("train", "test"),
        has_3d=False,
        licence="no licence stated; for research, cite the paper",
        homepage="http://sam.johnson.io/research/lsp.html",
        citation="Johnson and Everingham, BMVC 2010; part labels: Lassner et al., CVPR 2017 (Unite the People)",
        files=("images/im0001.jpg ...", "joints.mat", "upi-s1h/data/lsp/im1001_part_segmentation.png ..."),
    ),
    "lsp_extended": Dataset(
        title="Leeds Sports Pose Extended",
        splits=("train",),
        has_3d=False,
        licence="no licence stated; for research, cite the paper",
        homepage="http://sam.johnson.io/research/lspet.html",
        citation="Johnson and Everingham, CVPR 2011",
        files=("images/im00001.jpg ...", "joints.mat"),
    ),
    "mpii": Dataset(
        title="MPII Human Pose",
        splits=("train",),
        has_3d=False,
        licence="Simplified BSD for the annotations; images for research",
        homepage="http://human-pose.mpi-inf.mpg.de",
        citation="Andriluka et al., CVPR 2014",
        files=("images/*.jpg", "annotations/mpii_human_pose_v1_u12_1.mat"),
    ),
    "coco": Dataset(
        title="COCO keypoints 2014",
        splits=("train",),
        has_3d=False,
        licence="CC BY 4.0 for the annotations; images under their Flickr licences",
        homepage="https://cocodataset.org",
        citation="Lin et al., ECCV 2014",
        files=("images/train2014/*.jpg", "annotations/person_keypoints_train2014.json"),
    ),
    "human36m": Dataset(
        title="Human3.6M",
        splits=("train", "test"),
        has_3d=True,
        licence="gated: account and licence agreement, research only, no redistribution",
        homepage="http://vision.imar.ro/human3.6m",
        citation="Ionescu et al., TPAMI 2014",
        files=(
            "metadata.xml",
            "S*/Videos/*.mp4",
            "S*/MyPoseFeatures/D3_Positions_mono/*.cdf",
            "S*/MyPoseFeatures/D2_Positions/*.cdf",
            "mosh/S*/*_cam*_aligned.pkl (optional: SMPL truth, withdrawn by its owners)",
        ),
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
BASELINE = "mean-body"
