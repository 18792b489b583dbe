"""Buckets on loopback: S3 by moto's server, Google Cloud Storage by gcp-storage-emulator."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BUCKET = "grid"
SECRET = "hunter2hunter2"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """A server with one bucket; the environment that leads there."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    try:
        # What an earlier server of this process holds, it would hold as well.
        for method, path in (("POST", "moto-api/reset"), ("PUT", BUCKET)):
            address = f"{settings['AWS_ENDPOINT_URL']}/{path}"
            request = urllib.request.Request(address, method=method)
            urllib.request.urlopen(request, timeout=10).close()
        yield settings
    finally:
        server.stop()


@contextmanager
def gcs_server() -> Iterator[dict[str, str]]:
    """The same for Google Cloud Storage."""
    from gcp_storage_emulator.server import create_server

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket=BUCKET)
    server.start()
    try:
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}
    finally:
        server.stop()


def s3_client(settings: dict[str, str]) -> Any:
    """botocore's own client, by which tests look at what stands there."""
    import botocore.session

    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=settings["AWS_DEFAULT_REGION"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )
