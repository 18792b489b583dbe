"""A loopback stand-in for the providers' APIs over a synthetic, deterministic grid.

    with Sandbox(now="2024-11-15T00:00:00Z", seed=7) as sandbox:
        settings = sandbox.settings()

It imports nothing of the project, so that an error in the project is not hidden by its twin.
Every answer carries `X-Synthetic-Data: gridledger-sandbox`.
"""

from sandbox.endpoints import Limit
from sandbox.faults import Fault
from sandbox.sandbox import Sandbox
from sandbox.server import Request

__all__ = ["Fault", "Limit", "Request", "Sandbox"]
