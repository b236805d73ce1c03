"""Small normalized test sets, and predictions that agree with them."""

import numpy as np
from raw_files import PARAMS

from hmr.body.joints import LSP_14, MPI_INF_3DHP_17
from hmr.data.sample import Sample
from hmr.data.store import Store
from hmr.data.writing import write_store

AHEAD_M = np.array([0.0, 0.0, 4.0])
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
HEIGHT, WIDTH = 48, 80


def _sample(sample_id: str, seed: int, **fields) -> Sample:
    rng = np.random.default_rng(seed)
    return Sample(
        sample_id=sample_id,
        load_image=lambda: np.full((HEIGHT, WIDTH, 3), 90, np.uint8),
        keypoints_2d_px=rng.uniform(5, 40, (19, 2)),
        visible=np.ones(19, bool),
        center_px=np.array([30.0, 24.0]),
        person_px=40.0,
        **fields,
    )


def _write(path, dataset, samples, split="test", **attributes):
    fixed = {"dataset": dataset, "split": split, "source": "studio", "licence": "CC0-1.0", "raw_sha256": "0" * 64}
    write_store(path, iter(samples), attributes={**fixed, **attributes}, params=PARAMS)
    return path


def human36m(path, actions=("Eating", "Walking"), frames=2):
    """S9, both takes, four cameras of each action."""
    samples = []
    for action in actions:
        for trial in (0, 1):
            for camera in CAMERAS:
                for frame in range(frames):
                    seed = len(samples)
                    fields = {"subject": "S9", "action": action, "trial": trial, "camera": camera, "frame": frame}
                    joints = np.random.default_rng(seed).normal(0, 0.3, (14, 3)) + AHEAD_M
                    name = f"human36m/S9/{action} {trial}.{camera}/{frame:06d}"
                    samples.append(_sample(name, seed, joints_3d_m=joints, **fields))
    return _write(path, "human36m", samples)


def mpi_inf_3dhp(path, sequences=("TS1", "TS1", "TS3", "TS5"), focal_px=100.0):
    samples = []
    for k, sequence in enumerate(sequences):
        joints = np.random.default_rng(k).normal(0, 0.3, (17, 3)) + AHEAD_M
        fields = {"joints_3d_m": joints[LSP_14.indices_in(MPI_INF_3DHP_17)], "joints_3d_native_m": joints}
        fields |= {"focal_px": focal_px, "principal_px": np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])}
        samples.append(_sample(f"mpi_inf_3dhp/{sequence}/{k}", k, subject=sequence, action="Sports", frame=k, **fields))
    return _write(path, "mpi_inf_3dhp", samples, joint_names=MPI_INF_3DHP_17.joints)


def lsp(path, part_labels=None, visible=None, count=3):
    def sample(k):
        labels = part_labels[k] if part_labels else np.random.default_rng(k).integers(0, 7, (HEIGHT, WIDTH), np.uint8)
        entry = _sample(f"lsp/im{1001 + k}", k, load_part_labels=lambda: labels)
        if visible is not None:
            entry.visible[:] = visible[k]
        return entry

    return _write(path, "lsp", [sample(k) for k in range(count)])


def lsp_extended(path, count=3):
    return _write(path, "lsp_extended", [_sample(f"lsp_extended/im{1 + k}", k) for k in range(count)], split="train")


def posed(path, joints_m):
    """A training set of these 3D joints (N, 14, 3)."""
    samples = [_sample(f"human36m/S1/{k}", k, joints_3d_m=joints) for k, joints in enumerate(joints_m)]
    return _write(path, "human36m", samples, split="train")


def perfect(store: Store) -> dict:
    """Predictions that are the labels."""
    matrix = store["crop_to_image"].astype(float)
    keypoints = store["keypoints_2d_px"] @ np.swapaxes(matrix[..., :2], 1, 2) + matrix[:, None, :, 2]
    columns = {"sample_id": store["sample_id"], "keypoints_2d_px": np.nan_to_num(keypoints)}
    for name in ("joints_3d_m", "joints_3d_native_m"):
        if name in store and np.isfinite(store[name]).all():
            columns[name] = store[name].astype(float)
    if "part_labels_png" in store:
        columns["part_labels_png"] = [store.part_labels(row) for row in range(len(store))]
    return columns
