"""The launcher's decisions, without network and without a real environment."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

PROJECT = Path(__file__).resolve().parents[2]


def load_launcher():
    spec = importlib.util.spec_from_file_location("gridledger_run", PROJECT / "run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = load_launcher()


class Folder(unittest.TestCase):
    """A project folder of its own for each test, with a venv that is a few files."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        venv = self.root / ".venv"
        python = venv / ("Scripts/python.exe" if run.WINDOWS else "bin/python")
        changed = {"ROOT": self.root, "VENV": venv, "PYTHON": python, "STAMP": venv / "stamp.txt"}
        for name, value in changed.items():
            patch = mock.patch.object(run, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        (self.root / "requirements").mkdir()
        self.write("requirements.txt", "one==1.0 \\\n    --hash=sha256:00\n")
        self.write("requirements/dev.txt", "two==2.0 ; python_version < '4' \\\n")

    def write(self, name, text):
        (self.root / name).write_text(text, encoding="utf-8")

    def make_venv(self):
        base = self.root / "base"
        base.mkdir()
        run.PYTHON.parent.mkdir(parents=True)
        if run.WINDOWS:
            (base / "python.exe").touch()
            run.PYTHON.touch()
            self.write(".venv/pyvenv.cfg", f"home = {base}\n")
            return base / "python.exe"
        (base / "python").touch()
        run.PYTHON.symlink_to(base / "python")
        return base / "python"


class Extras(unittest.TestCase):
    def test_the_plain_test_command_needs_no_extra(self):
        for args in ([], ["run"], ["test"], ["test", "-k", "units"], ["fetch", "--all"]):
            with self.subTest(args=args):
                self.assertEqual(run.extras_for(args), [])

    def test_all_and_nightly_tests_need_what_they_run_on_once(self):
        for args in (
            ["test", "--all"],
            ["test", "--nightly"],
            ["test", "--nightly", "--all"],
            ["--config", "my.env", "test", "-x", "--all"],
        ):
            with self.subTest(args=args):
                self.assertEqual(run.extras_for(args), list(run.ALL))

    def test_a_store_in_postgresql_needs_its_driver(self):
        url = "postgresql://me@host/db"
        with mock.patch.dict(os.environ, {"STORE_URL": url}):
            self.assertEqual(run.extras_for(["run"]), ["postgres"])
        with (
            mock.patch.dict(os.environ),
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(run, "ROOT", Path(folder)),
        ):
            os.environ.pop("STORE_URL", None)
            local = Path(folder, "config.local.env")
            for line, extras in (
                (f"STORE_URL={url}", ["postgres"]),
                (f'export STORE_URL = "{url}"', ["postgres"]),
                (f"STORE_URL={url}\nSTORE_URL=sqlite:///a.db", []),
                (f"# STORE_URL={url}", []),
                (f"OTHER_STORE_URL={url}", []),
                ("", []),
            ):
                with self.subTest(line=line):
                    local.write_text(f"A=1\n\n{line}\n", encoding="utf-8")
                    self.assertEqual(run.extras_for(["run"]), extras)
            self.assertEqual(run.extras_for(["copy", f"--to={url}"]), ["postgres"])

    def test_addresses_and_executors_need_their_drivers(self):
        for args, extras in (
            (["publish", "--to", "s3://bucket/grid"], ["s3"]),
            (["publish", "--to=gs://bucket/grid"], ["gcs"]),
            (["publish", "--to", "bigquery://p/d", "--staging", "gs://b"], ["gcs", "bigquery"]),
            (["publish", "--to", "parquet://folder"], []),
            (["run", "--executor", "dask"], ["dask"]),
            (["backfill", "--executor=dask"], ["dask"]),
            (["backfill", "--executor=threads"], []),
        ):
            with self.subTest(args=args):
                self.assertEqual(run.extras_for(args), extras)
        for name, value, extras in (
            ("RAW_ARCHIVE", "s3://bucket/raw", ["s3"]),
            ("RAW_ARCHIVE", "output/raw", []),
            ("EXECUTOR", "dask", ["dask"]),
            ("EXECUTOR", "threads", []),
            ("DASK_SCHEDULER", "tcp://127.0.0.1:8786", ["dask"]),
        ):
            with self.subTest(name=name), mock.patch.dict(os.environ, {name: value}):
                self.assertEqual(run.extras_for(["run"]), extras)

    def test_a_need_without_options_holds_for_every_use_of_its_command(self):
        needs = (run.Need("plot", frozenset(), "plot"),)
        with mock.patch.object(run, "NEEDS", needs):
            self.assertEqual(run.extras_for(["plot"]), ["plot"])
            self.assertEqual(run.extras_for(["run"]), [])

    def test_a_picture_to_point_at_needs_another_extra_than_a_still_one(self):
        self.assertEqual(run.extras_for(["plot", "frequency"]), ["plot"])
        to_html = ["plot", "frequency", "--to", "f.html"]
        self.assertEqual(run.extras_for(to_html), ["plot", "dashboard"])
        self.assertEqual(run.extras_for(["export", "frequency", "--to", "f.html"]), [])

    def test_only_learned_models_of_a_forecast_need_an_extra(self):
        for model in (["--model", "ridge"], ["--model=boosting"]):
            self.assertEqual(run.extras_for(["forecast", "predict", *model]), ["forecast"])
        self.assertEqual(run.extras_for(["forecast", "predict", "--model", "diurnal"]), [])

    def test_every_declared_extra_has_its_file(self):
        for need in run.NEEDS:
            self.assertTrue((PROJECT / "requirements" / f"{need.extra}.txt").is_file(), need)


class VersionMessage(unittest.TestCase):
    def test_it_says_what_is_needed_what_is_here_and_what_to_do(self):
        text = run.version_message((3, 9, 18), None)
        self.assertIn("Python 3.11 or newer is needed, this is 3.9; install", text)

    def test_it_names_a_newer_python_of_this_machine(self):
        self.assertIn("python3.12 run.py", run.version_message((3, 8), "python3.12"))

    def test_an_old_python_gets_the_message_and_exit_code_2(self):
        with (
            mock.patch.object(sys, "version_info", (3, 9, 1)),
            mock.patch.object(run, "say") as say,
        ):
            self.assertEqual(run.main(["run"]), 2)
        self.assertIn("this is 3.9", say.call_args.args[0])

    def test_the_file_keeps_to_the_syntax_of_python_3_8(self):
        compile_old = "import ast, pathlib, sys; ast.parse(pathlib.Path(sys.argv[1])"
        compile_old += ".read_text(encoding='utf-8'), feature_version=(3, 8))"
        command = [sys.executable, "-c", compile_old, str(PROJECT / "run.py")]
        subprocess.run(command, check=True)


class Stamp(Folder):
    def test_a_stamp_reads_back_as_written_also_with_spaces_in_a_path(self):
        self.make_venv()
        stamp = {"python": "/some folder/python3.11", "requirements/dev.txt": "ab12"}
        run.write_stamp(stamp)
        self.assertEqual(run.read_stamp(), stamp)

    def test_no_stamp_is_an_empty_one(self):
        self.assertEqual(run.read_stamp(), {})

    def test_ready_only_when_every_wanted_file_is_installed_unchanged(self):
        stamp = {"python": str(self.make_venv()), **run.wanted([])}
        self.assertTrue(run.is_ready(run.wanted([]), stamp))
        self.assertFalse(run.is_ready(run.wanted(["dev"]), stamp))
        stamp |= run.wanted(["dev"])
        self.assertTrue(run.is_ready(run.wanted(["dev"]), stamp))
        self.assertTrue(run.is_ready(run.wanted([]), stamp))
        self.write("requirements.txt", "one==1.1\n")
        self.assertFalse(run.is_ready(run.wanted([]), stamp))

    def test_an_installation_takes_its_line_out_before_and_puts_it_in_after(self):
        base = str(self.make_venv())
        run.write_stamp({"python": base, "requirements.txt": "old"})
        seen = []
        with (
            mock.patch.object(run, "say"),
            mock.patch.object(run, "install_commands", return_value=[["pip"]]),
            mock.patch.object(
                run, "run_one_of", side_effect=lambda *_: seen.append(run.read_stamp())
            ),
        ):
            run.install(run.wanted([]), run.read_stamp(), mock.Mock())
        self.assertEqual(seen, [{"python": base}])
        self.assertEqual(run.read_stamp(), {"python": base, **run.wanted([])})

    def test_a_failed_installation_leaves_no_line(self):
        base = str(self.make_venv())
        run.write_stamp({"python": base, **run.wanted([])})
        failing = mock.patch.object(run, "run_one_of", side_effect=run.LauncherError("no"))
        with (
            mock.patch.object(run, "say"),
            mock.patch.object(run, "install_commands", return_value=[["pip"]]),
            failing,
            self.assertRaises(run.LauncherError),
        ):
            run.install(run.wanted([]), run.read_stamp(), mock.Mock())
        self.assertEqual(run.read_stamp(), {"python": base})


class Wanted(Folder):
    def test_an_unknown_extra_is_refused_with_the_known_ones(self):
        with self.assertRaisesRegex(run.LauncherError, r"no extra 'plto'; there are: dev\."):
            run.wanted(["plto"])

    def test_a_copy_without_requirements_says_so(self):
        (self.root / "requirements.txt").unlink()
        with self.assertRaisesRegex(run.LauncherError, "complete copy"):
            run.wanted([])

    def test_pins_leave_out_hashes_and_comments_and_keep_markers(self):
        found = run.pins(["requirements.txt", "requirements/dev.txt"])
        self.assertEqual(found, ["one==1.0", "two==2.0 ; python_version < '4'"])


class BrokenVenv(Folder):
    def test_no_venv_has_no_base(self):
        self.assertIsNone(run.base_python())
        self.assertFalse(run.venv_runs())

    def test_a_venv_whose_python_is_gone_is_not_ready(self):
        base = self.make_venv()
        stamp = {"python": str(base)}
        self.assertTrue(run.is_ready({}, stamp))
        base.unlink()
        self.assertIsNone(run.base_python())
        self.assertFalse(run.is_ready({}, stamp))

    def test_a_venv_that_now_stands_on_another_python_is_not_ready(self):
        self.make_venv()
        self.assertFalse(run.is_ready({}, {"python": "/usr/bin/python3.10"}))

    def test_a_half_made_venv_is_not_ready(self):
        self.make_venv()
        self.assertFalse(run.is_ready({}, {"python": run.UNFINISHED}))

    def test_a_python_that_does_not_start_does_not_run(self):
        self.make_venv()  # its python is an empty file
        self.assertFalse(run.venv_runs())

    def test_a_python_that_is_no_venv_does_not_run_as_one(self):
        with mock.patch.object(run, "PYTHON", Path(sys.executable).resolve()):
            self.assertFalse(run.venv_runs())


class Installers(Folder):
    """Which program makes the venv and which installs, by what the machine has."""

    def commands(self, have, uv, make):
        find = mock.patch("importlib.util.find_spec", side_effect=lambda m: m in have or None)
        with find, mock.patch("shutil.which", return_value="/bin/uv" if uv else None):
            return [" ".join(command) for command in make()]

    def test_uv_comes_first_and_the_standard_library_second(self):
        first, second = self.commands({"venv", "ensurepip"}, True, run.venv_commands)
        self.assertIn("/bin/uv venv", first)
        self.assertIn("-m venv", second)
        self.assertNotIn("--without-pip", second)

    def test_without_ensurepip_the_pip_of_the_host_serves(self):
        (only,) = self.commands({"venv", "pip"}, False, run.venv_commands)
        self.assertIn("venv --without-pip", only)
        (only,) = self.commands({"pip"}, False, lambda: run.install_commands(["requirements.txt"]))
        self.assertIn(f"pip --python {run.PYTHON} install", only)
        self.assertIn("--require-hashes", only)

    def test_then_virtualenv(self):
        (only,) = self.commands({"venv", "virtualenv"}, False, run.venv_commands)
        self.assertIn("-m virtualenv", only)

    def test_else_one_sentence_names_the_package(self):
        with self.assertRaisesRegex(run.LauncherError, "python3-venv"):
            self.commands({"venv"}, False, run.venv_commands)


class Reasons(unittest.TestCase):
    def test_known_failures_are_named(self):
        for output, part in (
            ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM ...", "pinned hash"),
            ("error: Hash mismatch for `one==1.0`", "pinned hash"),
            ("OSError: [Errno 28] No space left on device", "disk is full"),
            ("after connection broken by 'NewConnectionError(...)'", "no network"),
            ("error: Failed to fetch: `https://…`", "no network"),
            ("ERROR: No matching distribution found for one==1.0", "lacks a pinned version"),
            ("[Errno 13] Permission denied: '/x'", "cannot be written"),
            ("something new", "last lines"),
        ):
            with self.subTest(output=output):
                self.assertIn(part, run.reason(output))


class PinnedFiles(unittest.TestCase):
    """The requirements files of this project."""

    def setUp(self):
        extras = sorted((PROJECT / "requirements").glob("*.txt"))
        self.files = [PROJECT / "requirements.txt", *extras]

    def test_all_files_pin_the_same_versions_so_that_they_fit_into_one_venv(self):
        versions: dict[tuple[str, str], str] = {}
        for file in self.files:
            for pin in run.pins([file.relative_to(PROJECT).as_posix()]):
                name, _, rest = pin.partition("==")
                version, _, marker = (part.strip() for part in rest.partition(";"))
                known = versions.setdefault((name, marker), version)
                self.assertEqual(known, version, f"{name} in {file.name}")

    def test_every_pin_has_hashes_and_no_file_names_an_index_or_a_local_version(self):
        for file in self.files:
            text = file.read_text(encoding="utf-8")
            blocks = re.split(r"(?m)^(?=[a-zA-Z0-9])", text)[1:]
            self.assertEqual(len(blocks), len(run.pins([file.relative_to(PROJECT).as_posix()])))
            for block in blocks:
                self.assertIn("--hash=sha256:", block)
                self.assertNotIn("+", block.splitlines()[0])
            self.assertNotIn("://", text)
            self.assertNotIn("--index", text)
            self.assertNotIn("--find-links", text)

    def test_what_the_in_files_ask_for_is_pinned(self):
        for source in sorted((PROJECT / "requirements").glob("*.in")):
            target = f"requirements/{source.stem}.txt".replace("requirements/base", "requirements")
            lines = source.read_text(encoding="utf-8").splitlines()
            asked = {re.split(r"[#<\[]", line)[0].strip() for line in lines if line[:1].isalpha()}
            pinned = {pin.split("==")[0] for pin in run.pins([target])}
            self.assertEqual(asked - pinned, set())


if __name__ == "__main__":
    unittest.main()
