"""The functions as they are deployed: one static file each, here for the processor of this machine."""
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]


def build():
    """Builds all of them; what is compiled already is taken from the last release."""
    subprocess.run(["deploy/release.sh", ARCHITECTURE], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def bootstrap(name):
    """The file of a function."""
    return TARGET / f"lambda-{ARCHITECTURE}" / name / "bootstrap"
