"""Sets that only their owners may hand out: where to register, what to put where, and what is still missing."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hmr.catalogue import DATASETS
from hmr.data.readers import human36m, mpi_inf_3dhp
from hmr.errors import UserError

MOCAP = "mocap"
MOCAP_TITLE = "AMASS motion capture"
MOCAP_HOMEPAGE = "https://amass.is.tue.mpg.de"
MOCAP_LICENCE = "gated: registration, research only, no redistribution"
MOCAP_FILES = "any .npz of AMASS, .pkl of MoSh, .c3d, or .asf with .amc, in folders as you like"
_MOCAP_SUFFIXES = (".npz", ".pkl", ".c3d", ".amc")
_MOST_NAMED = 100
_ARCHIVES = (".tgz", ".gz", ".bz2", ".xz", ".tar", ".zip")


def check(raw: Path, dataset: str) -> None:
    """Raise UserError that names each missing file of a gated set and the way to it."""
    if missing := still_missing(raw, dataset):
        title, homepage, licence, files = _about(dataset)
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise UserError(
            f"{raw}: expected {title}, still missing {', '.join(missing[:_MOST_NAMED])}{more}; "
            f"register at {homepage} ({licence}), put its files below {raw} as {files}{_packed(raw)}, "
            "and run this again"
        )


def _packed(raw: Path) -> str:
    """A hint for who has put the owners' archives there as they came."""
    archives = sorted(path.name for path in raw.rglob("*") if path.suffix in _ARCHIVES) if raw.is_dir() else []
    return f" (unpack {', '.join(archives[:3])}{' and the others' * (len(archives) > 3)} there)" if archives else ""


def licence_of(dataset: str) -> str:
    """What the owners ask."""
    return _about(dataset)[2]


def still_missing(raw: Path, dataset: str) -> list[str]:
    """Files that the set needs and `raw` lacks; a whole folder that is not there is named in their place."""
    if dataset == MOCAP:
        found = raw.is_dir() and any(path.suffix in _MOCAP_SUFFIXES for path in raw.rglob("*"))
        return [] if found else ["*.npz, *.pkl, *.c3d or *.amc"]
    needed = _human36m(raw) if dataset == "human36m" else _mpi_inf_3dhp(raw)
    return list(dict.fromkeys(_shortest(raw, pattern) for pattern in needed if not any(raw.glob(pattern))))


def _shortest(raw: Path, pattern: str) -> str:
    parts = pattern.split("/")
    for depth in range(1, len(parts)):
        if not (raw / "/".join(parts[:depth])).is_dir():
            return "/".join(parts[:depth]) + "/"
    return pattern


def _human36m(raw: Path) -> Iterator[str]:
    """Each take's files by name if metadata.xml is there to tell them."""
    everyone = (*human36m.SUBJECTS["train"], *human36m.SUBJECTS["test"])
    yield "metadata.xml"
    if (raw / "metadata.xml").is_file():
        with suppress(UserError):  # the reader says what is wrong with it
            metadata = human36m.read_metadata(raw / "metadata.xml")
            yield from [path.relative_to(raw).as_posix() for path in human36m.files_of(raw, metadata, everyone)]
    for subject in everyone:
        yield f"{subject}/Videos/*.mp4"
        yield f"{subject}/MyPoseFeatures/D3_Positions_mono/*.cdf"
        yield f"{subject}/MyPoseFeatures/D2_Positions/*.cdf"


def _mpi_inf_3dhp(raw: Path) -> Iterator[str]:
    yield from (path.relative_to(raw).as_posix() for path in mpi_inf_3dhp.train_files(raw))
    tests = mpi_inf_3dhp.test_folder(raw).relative_to(raw).as_posix()
    for sequence in mpi_inf_3dhp.TEST_SEQUENCES:
        folder = f"{tests}/{sequence}"
        yield from (f"{folder}/annot_data.mat", f"{folder}/imageSequence/img_*.jpg")


def _about(dataset: str) -> tuple[str, str, str, str]:
    if dataset == MOCAP:
        return MOCAP_TITLE, MOCAP_HOMEPAGE, MOCAP_LICENCE, MOCAP_FILES
    about = DATASETS[dataset]
    return about.title, about.homepage, about.licence, ", ".join(about.files)
