"""``stores.objects``: one contract for a disk, S3 and Google Cloud Storage, and what goes wrong with each."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import stores.objects
from domain.errors import StoreError, UsageError
from stores.objects import Folder, open_folder
from tests.integration.buckets import BUCKET, SECRET, gcs_server, s3_client, s3_server

pytest.importorskip("moto", reason="needs the developers' libraries")


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as settings:
        yield settings


@pytest.fixture(scope="module")
def gcs() -> Iterator[dict[str, str]]:
    with gcs_server() as settings:
        yield settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of whoever runs the tests, and none of a machine in a cloud."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def at(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["disk", "s3", "gs"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Folder:
    if request.param == "disk":
        return open_folder(str(tmp_path / "there"))
    at(request.getfixturevalue({"s3": "s3", "gs": "gcs"}[request.param]), monkeypatch)
    return open_folder(f"{request.param}://{BUCKET}/{tmp_path.name}")


def test_what_is_written_is_there(folder: Folder, tmp_path: Path) -> None:
    assert folder.names() == [] == folder.names("a")
    folder.write("a/one.json", b"1")
    folder.write("a/b/two.json", "zwei ü".encode())
    folder.write("ab/three.json", b"")
    (tmp_path / "large").write_bytes(os.urandom(200_000) * 40)
    folder.take("large.bin", tmp_path / "large")
    assert folder.names() == ["a/b/two.json", "a/one.json", "ab/three.json", "large.bin"]
    assert folder.names("a") == ["a/b/two.json", "a/one.json"]
    assert folder.read("a/b/two.json") == "zwei ü".encode()
    assert folder.read("ab/three.json") == b""
    with folder.open("large.bin") as file:
        assert file.read() == (tmp_path / "large").read_bytes()


def test_over_what_was_there(folder: Folder, tmp_path: Path) -> None:
    folder.write("one", b"first")
    folder.write("one", b"second")
    assert folder.read("one") == b"second"
    (tmp_path / "third").write_bytes(b"third")
    folder.take("one", tmp_path / "third")
    assert (folder.names(), folder.read("one")) == (["one"], b"third")


def test_what_is_not_there(folder: Folder) -> None:
    folder.write("one", b"1")
    folder.remove("one")
    folder.remove("one")
    assert folder.names() == []
    assert folder.read("one") is None
    with pytest.raises(FileNotFoundError):
        folder.open("one")


def test_another_folder_is_seen_at_once(folder: Folder) -> None:
    other = open_folder(folder.address)
    assert folder.names() == []
    other.write("new", b"1")
    assert folder.names() == ["new"]


@pytest.mark.nightly
def test_a_large_file_goes_up_in_parts(
    s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at(s3, monkeypatch)
    content = tmp_path / "large"
    with content.open("wb") as file:
        file.truncate(101 * 2**20)
    open_folder(f"s3://{BUCKET}/parts").take("large", content)
    found = s3_client(s3).head_object(Bucket=BUCKET, Key="parts/large")
    assert found["ContentLength"] == 101 * 2**20
    assert found["ETag"].strip('"').endswith("-3")  # parts of 50 MiB


# --- what goes wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["ftp://x/y", "s3://", "s3:///path", f"s3://me:{SECRET}@grid/x", "http://grid"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError, match="is no folder: write a path, s3://") as refused:
        open_folder(address)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_that_is_not_there(
    scheme: str,
    s3: dict[str, str],
    gcs: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    at(s3 | gcs, monkeypatch)
    folder = open_folder(f"{scheme}://nowhere/x")
    sentence = f"^there is no bucket for {scheme}://nowhere/x: make it, or correct the address.$"
    with pytest.raises(UsageError, match=sentence):
        folder.names()
    with pytest.raises(StoreError, match=sentence):
        folder.write("one", b"1")
    (tmp_path / "one").write_bytes(b"1")
    with pytest.raises(StoreError, match=sentence):
        folder.take("one", tmp_path / "one")


def test_no_server_at_the_address(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    at(s3 | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, monkeypatch)
    folder = open_folder("s3://grid/x")
    sentence = "^s3://grid/x cannot be used: no server answered. Check the network"
    with pytest.raises(StoreError, match=sentence):
        folder.names()
    with pytest.raises(StoreError, match=sentence):
        folder.read("one")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_server_that_stays_silent(
    scheme: str, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.objects, "CALL_S", 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        at(s3 | {"AWS_ENDPOINT_URL": address, "STORAGE_EMULATOR_HOST": address}, monkeypatch)
        with pytest.raises(StoreError, match="cannot be used: no server answered"):
            open_folder(f"{scheme}://grid/x").write("one", b"1")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_machine_without_credentials(scheme: str) -> None:
    sentence = f"^{scheme}://grid/x cannot be used: this machine has no valid credentials for it"
    with pytest.raises(StoreError, match=sentence):
        open_folder(f"{scheme}://grid/x").names()


@pytest.mark.parametrize("scheme, package, extra", [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs")])
def test_a_driver_that_is_not_installed(
    scheme: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f"needs {package}.*--install-deps {extra}' first"):
        open_folder(f"{scheme}://grid/x")


def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = open_folder(str(tmp_path / "file"))
    with pytest.raises(StoreError, match="/file/one cannot be used"):
        folder.write("one", b"1")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = open_folder(str(tmp_path / "there"))
    folder.write("one", b"1")
    (tmp_path / "two").write_bytes(b"2")
    with monkeypatch.context() as broken:
        broken.setattr("shutil.copyfileobj", full)
        with pytest.raises(StoreError, match=r"there/one cannot be used \(No space left"):
            folder.take("one", tmp_path / "two")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["one"]
    assert folder.read("one") == b"1"

    def unreadable(path: object, onerror: object) -> list[object]:
        assert callable(onerror)
        onerror(PermissionError(errno.EACCES, "Permission denied", str(path)))
        return []

    monkeypatch.setattr("os.walk", unreadable)
    with pytest.raises(StoreError, match="there cannot be used"):
        folder.names()
