"""The launcher as users meet it: real processes, real environments, no network.

Each test works in a small project of its own: run.py, a main.py that reports how it was started,
and a requirements file with one wheel that is built here and found in a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
WINDOWS = os.name == "nt"
posix_only = pytest.mark.skipif(WINDOWS, reason="links, signals and FIFOs of POSIX")

MAIN = """
import json, os, sys
from importlib import metadata
versions = {}
for name in ("gl-one", "gl-two"):
    try: versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError: pass
print(json.dumps({"args": sys.argv[1:], "cwd": os.getcwd(), "prefix": sys.prefix,
                  "pid": os.getpid(), "versions": versions}))
sys.exit(7 if "seven" in sys.argv else 0)
"""


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.wheels = root / "wheels"
        self.tools = root / "tools"  # all that is on PATH: no uv unless a test puts one here
        self.stamp = root / ".venv" / "gridledger-stamp.txt"

    def make(self) -> None:
        for folder in (self.wheels, self.tools, self.root / "requirements"):
            folder.mkdir(parents=True)
        shutil.copy(PROJECT / "run.py", self.root)
        (self.root / "main.py").write_text(MAIN, encoding="utf-8")
        self.require("requirements.txt", "gl-one", "1.0")
        for file in PROJECT.glob("requirements/*.txt"):  # all but one of the extras are empty here
            (self.root / "requirements" / file.name).touch()
        self.require("requirements/dev.txt", "gl-two", "2.0")

    def copy(self, root: Path) -> Project:
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    def require(self, file: str, name: str, version: str, sha256: str | None = None) -> None:
        wheel = build_wheel(self.wheels, name, version)
        sha256 = sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
        text = f"{name}=={version} \\\n    --hash=sha256:{sha256}\n"
        (self.root / file).write_text(text, encoding="utf-8")

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "PYTHON"))}
        return kept | {
            "PATH": str(self.tools),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONUTF8": "1",
        }

    def start(self, *args: str, cwd: Path | None = None, **options) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(self.root / "run.py"), *args],
            cwd=cwd or self.root,
            env=self.environment() | options.pop("env", {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            **options,
        )

    def run(self, *args: str, **options) -> subprocess.CompletedProcess[str]:
        with self.start(*args, **options) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def versions(self, *args: str) -> dict[str, str]:
        done = self.run(*args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["versions"]


def build_wheel(folder: Path, name: str, version: str) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    info = f"{stem}.dist-info"
    texts = {
        f"{name.replace('-', '_')}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*texts, f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**texts, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(path), text)  # a fixed date: equal bytes each time
    return wheel


def one_sentence(stderr: str) -> str:
    """The launcher's error; what the installer said is indented below it."""
    (line,) = (line for line in stderr.splitlines() if line.startswith("run.py: "))
    return line


@pytest.fixture(scope="module")
def first_start(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("template") / "pro ject")
    project.make()
    return project, project.run("run", "--day", "2024-10-27")


@pytest.fixture
def project(first_start, tmp_path):
    """A project whose requirements are installed."""
    return first_start[0].copy(tmp_path / "pro ject")


@pytest.fixture
def fresh(tmp_path):
    """A project that was never started."""
    project = Project(tmp_path / "fresh one")
    project.make()
    return project


def test_the_first_start_installs_and_runs_main(first_start):
    project, done = first_start
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["args"] == ["run", "--day", "2024-10-27"]
    assert Path(told["prefix"]) == project.root / ".venv"
    assert told["versions"] == {"gl-one": "1.0"}
    assert "Installing 1 package (first run only)" in done.stderr
    assert "requirements/dev.txt" not in project.stamp.read_text(encoding="utf-8")


def test_arguments_exit_code_and_folder_pass_through(project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pip.py").write_text("raise SystemExit('not pip')", encoding="utf-8")
    done = project.run("seven", "a b", "--x=ü", "", cwd=elsewhere)
    assert done.returncode == 7
    told = json.loads(done.stdout)
    assert told["args"] == ["seven", "a b", "--x=ü", ""]
    assert Path(told["cwd"]).samefile(elsewhere)


def test_a_warm_start_says_nothing_and_starts_no_installer(project):
    for main in (project.root / ".venv").rglob("site-packages/pip/__main__.py"):
        main.write_text("raise SystemExit('pip was started')", encoding="utf-8")
    before = project.stamp.stat()
    done = project.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert project.stamp.stat().st_mtime_ns == before.st_mtime_ns


@posix_only
def test_main_takes_the_place_of_the_launcher_so_that_signals_reach_it(project):
    with project.start() as process:
        out, _ = process.communicate(timeout=60)
    assert json.loads(out)["pid"] == process.pid


def test_changed_requirements_are_installed(project):
    project.require("requirements.txt", "gl-one", "1.1")
    assert project.versions() == {"gl-one": "1.1"}


def test_all_tests_get_what_they_need(project):
    assert project.versions("test") == {"gl-one": "1.0"}
    assert project.versions("test", "--all") == {"gl-one": "1.0", "gl-two": "2.0"}


def test_a_wrong_hash_stops_the_start_with_one_sentence(project):
    project.require("requirements.txt", "gl-one", "1.1", sha256="0" * 64)
    done = project.run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "differs from its pinned hash" in one_sentence(done.stderr)
    project.require("requirements.txt", "gl-one", "1.1")
    assert project.versions() == {"gl-one": "1.1"}


def test_help_without_an_installation_is_the_launchers_own(project):
    project.require("requirements.txt", "gl-one", "9.9")
    next(project.wheels.glob("gl_one-9.9*")).unlink()
    done = project.run("--help")
    assert done.returncode == 2
    assert "--install-deps" in done.stdout
    assert "lacks a pinned version" in one_sentence(done.stderr)


@posix_only
def test_an_uv_that_fails_is_followed_by_pip(project):
    uv = project.tools / "uv"
    uv.write_text("#!/bin/sh\necho 'error: Failed to fetch'\nexit 1\n", encoding="utf-8")
    uv.chmod(0o755)
    project.require("requirements.txt", "gl-one", "1.1")
    done = project.run()
    assert json.loads(done.stdout)["versions"] == {"gl-one": "1.1"}
    assert "uv did not succeed" in done.stderr


@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not on this machine")
def test_uv_makes_and_fills_the_environment(fresh):
    folder = Path(shutil.which("uv") or "").parent
    uv = {"PATH": str(folder), "UV_NO_INDEX": "1", "UV_FIND_LINKS": fresh.wheels.as_uri()}
    done = fresh.run("test", "--all", env=uv)
    assert json.loads(done.stdout)["versions"] == {"gl-one": "1.0", "gl-two": "2.0"}
    assert "uv did not succeed" not in done.stderr


def test_two_launchers_at_once_install_once(fresh):
    with fresh.start("a") as one, fresh.start("b") as two:
        ends = [process.communicate(timeout=120) for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], ends
    assert [json.loads(out)["args"] for out, _ in ends] == [["a"], ["b"]]
    assert sum(err.count("Installing 1 package") for _, err in ends) == 1


@posix_only
def test_a_killed_installation_is_done_again(project):
    project.require("requirements.txt", "gl-one", "1.1")
    with project.start(start_new_session=True) as process:
        assert "Installing 1 package" in process.stderr.readline()
        os.killpg(process.pid, signal.SIGKILL)
    assert "requirements.txt" not in project.stamp.read_text(encoding="utf-8")
    assert project.versions() == {"gl-one": "1.1"}


@posix_only
def test_an_installer_that_outlives_its_killed_launcher_is_waited_for(project):
    gate = project.root / "gate"
    os.mkfifo(gate)
    uv = project.tools / "uv"
    uv.write_text(f"#!/bin/sh\nread line <'{gate}'\nexit 1\n", encoding="utf-8")
    uv.chmod(0o755)
    project.require("requirements.txt", "gl-one", "1.1")
    # Opening the gate waits until the installer reads from it.
    with project.start() as killed, gate.open("w", encoding="utf-8") as opened:
        uv.unlink()
        killed.kill()
        with project.start() as second:
            assert "waiting" in second.stderr.readline()
            opened.write("go on\n")
            opened.flush()
            out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert json.loads(out)["versions"] == {"gl-one": "1.1"}


@posix_only
@pytest.mark.parametrize(
    "damage", ["python gone", pytest.param("half made", marks=pytest.mark.nightly)]
)
def test_a_broken_environment_is_made_anew(project, damage):
    if damage == "python gone":
        python = project.root / ".venv" / "bin" / "python"
        python.unlink()
        python.symlink_to("/nowhere/python3.11")
    else:
        project.stamp.write_text("unfinished python\n", encoding="utf-8")
        shutil.rmtree(next((project.root / ".venv").rglob("site-packages/pip/_internal")))
    assert project.versions() == {"gl-one": "1.0"}
    assert not (project.root / ".venv.old").exists()


def test_a_working_environment_made_by_hand_is_kept(project):
    project.stamp.unlink()
    mine = project.root / ".venv" / "mine.txt"
    mine.touch()
    assert project.versions() == {"gl-one": "1.0"}
    assert mine.exists()


def test_check_deps_tells_and_changes_nothing(project, fresh):
    done = fresh.run("--check-deps")
    assert done.returncode == 2
    assert "no working environment" in done.stdout
    assert not (fresh.root / ".venv").exists()

    assert project.run("--check-deps").returncode == 0
    done = project.run("--check-deps", "dev")
    assert (done.returncode, done.stdout) == (2, "gl-two 2.0 is not installed\n")
    project.require("requirements.txt", "gl-one", "1.1")
    done = project.run("--check-deps")
    assert (done.returncode, done.stdout) == (2, "gl-one is 1.0, pinned is 1.1\n")
    assert "run.py --install-deps" in one_sentence(done.stderr)


def test_install_deps_installs_repairs_and_stops(project):
    assert project.run("--install-deps", "dev").stdout == ""
    assert project.run("--check-deps", "dev").returncode == 0
    site = next((project.root / ".venv").rglob("site-packages"))
    shutil.rmtree(site / "gl_one-1.0.dist-info")
    assert project.run("--check-deps").returncode == 2
    assert project.run("--install-deps").returncode == 0
    assert project.run("--check-deps").returncode == 0


def test_an_unknown_extra_is_refused(project):
    done = project.run("--install-deps", "plto")
    assert done.returncode == 2
    assert "there are: bigquery, dashboard, dask, dev" in one_sentence(done.stderr)
