#!/usr/bin/env python3
"""Make `.venv` ready: `python3 packaging/bootstrap.py demo` or `test`. Standard library only, Python 3.11 or newer.

It makes the virtual environment, installs uv into it by pip and the pinned packages (constraints.txt, with hashes) by
uv, and on Debian and Ubuntu the missing system packages. A stamp, written last, makes the next run a matter of
milliseconds; an interrupted run is simply run again.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
UV_PIN = ROOT / "packaging" / "uv.txt"
OLDEST, NEWEST = (3, 11), (3, 14)
NOT_FOR_CPU = ("torch==", "torchvision==", "triton==", "nvidia-", "cuda-")

# What Qt's wheel expects of the system, as it is found at run time, and the Debian package that holds it.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


class SetUpError(Exception):
    """Why the set-up cannot go on: one sentence for the user."""


def main() -> int:
    """Run it; 0, or 1 with one sentence on standard error."""
    parser = argparse.ArgumentParser(description="Make .venv ready for the demo or the tests.")
    parser.add_argument("goal", choices=("demo", "test"))
    parser.add_argument("--torch", choices=("cpu", "cuda"), help="cpu leaves out CUDA (5 GB); default: what is there")
    arguments = parser.parse_args()
    try:
        set_up(arguments.goal, arguments.torch)
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run it again to go on.", file=sys.stderr)
        return 130
    return 0


def set_up(goal: str, torch: str | None) -> None:
    """Bring `.venv` and the system to what `goal` needs, unless the stamp says that they are there.

    Raises:
        SetUpError: something is missing that only the user can add.
    """
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SetUpError(
            f"Python {version_text(OLDEST)} to {version_text(NEWEST)} is needed; this is {sys.version.split()[0]}."
        )
    torch = torch or read(VENV / ".torch") or "cuda"
    stamp = VENV / f".ready-{goal}"
    if PYTHON.exists() and read(stamp) == state(torch):
        return
    with one_at_a_time():
        if sys.platform == "linux":
            system_packages(missing_packages(goal))
        make_venv()
        install(torch)
        (VENV / ".torch").write_text(torch, encoding="utf-8")
        stamp.write_text(state(torch), encoding="utf-8")


def read(path: Path) -> str:
    """A small file's text; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def version_text(version: tuple[int, int]) -> str:
    """3.11"""
    return ".".join(map(str, version))


def state(torch: str) -> str:
    """A hash of all that decides what is installed."""
    digest = hashlib.sha256(f"{torch} {ROOT}".encode())
    for path in (CONSTRAINTS, UV_PIN, ROOT / "pyproject.toml", Path(__file__), VENV / "pyvenv.cfg"):
        digest.update(path.read_bytes() if path.is_file() else b"absent")
    return digest.hexdigest()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let a second set-up of the same checkout wait for the first."""
    if os.name == "nt":
        yield
        return
    import fcntl

    folder = os.open(ROOT / "packaging", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def missing_packages(goal: str) -> list[str]:
    """Debian packages that are not there, found by trying what they hold."""
    missing = [package for library, package in LIBRARIES.items() if not loads(library)]
    if importlib.util.find_spec("ensurepip") is None and not works(PYTHON):
        missing.append(f"python{version_text(sys.version_info[:2])}-venv")
    if goal == "test" and shutil.which("xvfb-run") is None:
        missing.append("xvfb")
    return sorted(missing)


def loads(library: str) -> bool:
    """Whether the system's loader finds a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def system_packages(packages: list[str]) -> None:
    """Install Debian packages as root or by sudo without a password; else say how.

    Raises:
        SetUpError: it cannot be done from here.
    """
    if not packages:
        return
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        libraries = ", ".join(library for library, package in LIBRARIES.items() if package in packages)
        raise SetUpError(f"Please install what your system calls these Debian packages: {names} ({libraries}).")
    root = os.geteuid() == 0
    if not root and not succeeds(["sudo", "-n", "true"]):
        raise SetUpError(
            f"System packages are missing; please run:  sudo apt-get install -y --no-install-recommends {names}"
        )
    print(f"Installing system packages: {names}", flush=True)
    prefix = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    prefix = prefix if root else ["sudo", "-n", *prefix]
    succeeds([*prefix, "update"])  # where it fails the lists that are there may do
    run([*prefix, "install", "-y", "--no-install-recommends", *packages])


def make_venv() -> None:
    """Make `.venv` with pip and the pinned uv, anew where an older one does not work."""
    if not works(PYTHON):
        print(f"Making {VENV} with Python {sys.version.split()[0]}", flush=True)
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--require-hashes", "-r", str(UV_PIN)])


def works(python: Path) -> bool:
    """Whether a virtual environment was made at this place, with pip and a version of Python that fits."""
    if str(VENV) not in read(VENV / "pyvenv.cfg"):
        return False  # copied or moved: its scripts point elsewhere
    code = f"import sys, pip; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    return python.exists() and succeeds([str(python), "-c", code])


def install(torch: str) -> None:
    """Install the pinned packages, then this checkout itself as an editable package."""
    # compiled once: where Python may not keep what it compiles, torch costs every process four seconds more
    uv = [str(PYTHON), "-m", "uv", "pip", "install", "--python", str(PYTHON), "--compile-bytecode"]
    if torch == "cpu":
        lines = requirements()
        rest = VENV / "cpu-requirements.txt"
        rest.write_text("\n".join(line for line in lines if not line.startswith(NOT_FOR_CPU)), encoding="utf-8")
        pins = [line.split()[0] for line in lines if line.startswith(("torch==", "torchvision=="))]
        run([*uv, "--require-hashes", "--no-deps", "-r", str(rest)])  # what needs torch would bring the CUDA build
        run([*uv, "--torch-backend", "cpu", *pins])
    else:
        print("Installing packages (about 5 GB with CUDA; `make demo TORCH=cpu` leaves CUDA out)", flush=True)
        run([*uv, "--require-hashes", "-r", str(CONSTRAINTS)])
    run([*uv, "--quiet", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def requirements() -> list[str]:
    """constraints.txt, one requirement with its hashes a line."""
    return CONSTRAINTS.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def run(command: list[str]) -> None:
    """Run a command with its output shown.

    Raises:
        SetUpError: it failed.
    """
    if subprocess.run(command, check=False, env=environment()).returncode != 0:
        raise SetUpError(f"This failed (its own words are above): {shlex.join(command)}")


def succeeds(command: list[str]) -> bool:
    """Whether a command runs and returns 0; its output is dropped."""
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def environment() -> dict[str, str]:
    """For uv: the index that pip was told of, and the system's certificates (hospital proxies add their own)."""
    variables = {"UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "0" if sys.stderr.isatty() else "1", **os.environ}
    index = os.environ.get("PIP_INDEX_URL")
    if index and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(variables):
        variables["UV_DEFAULT_INDEX"] = index
    return variables


if __name__ == "__main__":
    sys.exit(main())
