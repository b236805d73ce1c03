"""How fast a data set is normalized and how fast its crops are read back at random.

python benchmarks/normalize.py lsp_extended --raw data/raw/lsp_extended
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from hmr.catalogue import DATASETS
from hmr.data.readers import reader_of
from hmr.data.store import open_store
from hmr.data.writing import write_store
from hmr.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=sorted(DATASETS))
    parser.add_argument("--split", default="train")
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    args = parser.parse_args()
    params = load_params(args.params).normalize
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.h5"
        start = time.perf_counter()
        samples = reader_of(args.dataset)(args.raw, args.split, params)
        counts = write_store(path, samples, attributes={"dataset": args.dataset}, params=params)
        seconds = time.perf_counter() - start
        size = path.stat().st_size
        print(f"{counts.summary()} in {seconds:.1f} s: {1e3 * seconds / counts.kept:.2f} ms a sample")
        print(f"{size / 1e6:.1f} MB: {size / 1e3 / counts.kept:.1f} kB a sample")
        print(f"{read_ms(path):.2f} ms to read and decode a crop at random")


def read_ms(path: Path) -> float:
    """Mean time to read and decode one crop, in a random order."""
    with open_store(path) as store:
        order = np.random.default_rng(0).permutation(len(store)).tolist()
        start = time.perf_counter()
        for index in order:
            store.images(index)
        return 1e3 * (time.perf_counter() - start) / len(order)


if __name__ == "__main__":
    main()
