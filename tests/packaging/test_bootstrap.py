"""The set-up: pins, stamps, and what it says where it cannot go on. Nothing is installed here."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[2]
PACKAGING = PROJECT / "packaging"


@pytest.fixture
def bootstrap(monkeypatch, tmp_path):
    """The script as a module, working on a folder of its own, with every command only written down."""
    spec = importlib.util.spec_from_file_location("bootstrap", PACKAGING / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "packaging").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]")
    for name in ("constraints.txt", "uv.txt"):
        (tmp_path / "packaging" / name).write_text((PACKAGING / name).read_text(encoding="utf-8"))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(module, "CONSTRAINTS", tmp_path / "packaging" / "constraints.txt")
    monkeypatch.setattr(module, "UV_PIN", tmp_path / "packaging" / "uv.txt")
    monkeypatch.setattr(module, "missing_packages", lambda goal: [])
    module.commands = []
    monkeypatch.setattr(module, "run", lambda command: pretend(module, command))
    return module


def pretend(module, command: list[str]) -> None:
    """Write a command down; of `python -m venv` leave what the set-up looks at."""
    module.commands.append(" ".join(map(str, command)))
    if "-m venv" in module.commands[-1]:
        module.PYTHON.parent.mkdir(parents=True)
        module.PYTHON.symlink_to(sys.executable)
        (module.VENV / "pyvenv.cfg").write_text(f"command = python -m venv {module.VENV}\n")


def test_the_second_run_does_nothing(bootstrap):
    bootstrap.set_up("demo", None)
    first = list(bootstrap.commands)
    assert any("--require-hashes" in c and "constraints.txt" in c for c in first)
    assert any("--no-deps" in c and "-e" in c for c in first)
    bootstrap.set_up("demo", None)
    assert bootstrap.commands == first


@pytest.mark.parametrize("name", ["packaging/constraints.txt", "packaging/uv.txt", "pyproject.toml"])
def test_new_pins_set_up_again(bootstrap, name):
    bootstrap.set_up("demo", None)
    count = len(bootstrap.commands)
    with (bootstrap.ROOT / name).open("a") as file:
        file.write("\n# changed\n")
    bootstrap.set_up("demo", None)
    assert len(bootstrap.commands) > count


def test_an_interrupted_run_is_run_again(bootstrap, monkeypatch):
    def broken(command):
        pretend(bootstrap, command)
        if "constraints.txt" in bootstrap.commands[-1]:
            raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "run", broken)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.set_up("demo", None)
    monkeypatch.setattr(bootstrap, "run", lambda command: pretend(bootstrap, command))
    bootstrap.commands.clear()
    bootstrap.set_up("demo", None)
    assert any("constraints.txt" in c for c in bootstrap.commands)


def test_a_moved_environment_is_made_anew(bootstrap):
    bootstrap.set_up("demo", None)
    (bootstrap.VENV / "pyvenv.cfg").write_text("command = python -m venv /elsewhere/.venv\n")
    assert not bootstrap.works(bootstrap.PYTHON)


def test_cpu_leaves_out_cuda_and_is_remembered(bootstrap):
    bootstrap.set_up("demo", "cpu")
    assert any("--torch-backend cpu torch==2.11.0 torchvision==0.26.0" in c for c in bootstrap.commands)
    kept = (bootstrap.VENV / "cpu-requirements.txt").read_text()
    assert "numpy==" in kept
    assert any("--no-deps -r" in c and "cpu-requirements.txt" in c for c in bootstrap.commands), (
        "torchmetrics needs torch"
    )
    for left_out in ("nvidia", "cuda", "triton", "torch==", "torchvision"):
        assert not re.search(f"^{left_out}", kept, re.MULTILINE)
    count = len(bootstrap.commands)
    bootstrap.set_up("demo", None)
    assert len(bootstrap.commands) == count
    bootstrap.set_up("demo", "cuda")
    assert "constraints.txt" in " ".join(bootstrap.commands[count:])


def test_without_root_the_one_line_is_told(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(bootstrap, "succeeds", lambda command: False)
    with pytest.raises(bootstrap.SetUpError) as raised:
        bootstrap.system_packages(["libegl1", "xvfb"])
    assert "sudo apt-get install -y --no-install-recommends libegl1 xvfb" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("root", [True, False])
def test_with_root_or_sudo_it_installs(bootstrap, monkeypatch, root):
    tried = []
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(bootstrap, "succeeds", lambda command: tried.append(command) or True)
    bootstrap.system_packages(["libegl1"])
    (command,) = bootstrap.commands
    assert command.endswith("apt-get -qq install -y --no-install-recommends libegl1")
    assert command.startswith("env " if root else "sudo -n env ")


def test_without_apt_the_libraries_are_named(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(bootstrap.SetUpError, match=r"libegl1 \(libEGL\.so\.1\)"):
        bootstrap.system_packages(["libegl1"])


def test_with_all_there_nothing_is_called(bootstrap):
    bootstrap.system_packages([])
    assert bootstrap.commands == []


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 15, 0), (2, 7, 18)])
def test_a_python_that_does_not_fit_is_told_in_one_line(bootstrap, monkeypatch, capsys, version):
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "demo"])
    assert bootstrap.main() == 1
    assert capsys.readouterr().err.startswith("Python 3.11 to 3.14 is needed; this is ")


def test_a_mirror_told_to_pip_is_told_to_uv(bootstrap, monkeypatch):
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    assert "UV_DEFAULT_INDEX" not in bootstrap.environment()
    monkeypatch.setenv("PIP_INDEX_URL", "mirror")
    assert bootstrap.environment()["UV_DEFAULT_INDEX"] == "mirror"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "own")
    assert bootstrap.environment()["UV_DEFAULT_INDEX"] == "own"


@pytest.mark.parametrize("name", ["constraints.txt", "uv.txt"])
def test_pins_are_names_versions_and_hashes_alone(name):
    text = (PACKAGING / name).read_text(encoding="utf-8")
    for line in text.replace("\\\n", " ").splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.+]+( ; [^:]+?)?\s+(--hash=sha256:[0-9a-f]{64}\s*)+", line), line
    assert "://" not in text


def test_the_pins_satisfy_what_the_project_asks_for():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (PACKAGING / "constraints.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==([\w.+]+)", text, re.MULTILINE))
    wanted = [Requirement(r) for r in [*project["dependencies"], *project["optional-dependencies"]["test"]]]
    for requirement in wanted:
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement
    assert pins["pyside6-essentials"] == "6.11.2"


def test_continuous_integration_runs_the_readmes_command_and_nothing_else():
    script = PROJECT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text().splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert lines == ["exec make test"]
    assert "make test" in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_make_finds_a_python_or_says_so():
    found = subprocess.run(["make", "-n", "demo"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert "packaging/bootstrap.py demo" in " ".join(found.split())
    none = subprocess.run(["make", "-n", "demo", "PYTHON="], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "Python 3.11 to 3.14 is needed" in none.stdout
