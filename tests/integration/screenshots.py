"""The pictures of the dashboard in the README, taken anew: python -m tests.integration.screenshots"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from job import all_settings
from tests.integration import dashboards
from tests.integration.conftest import PROJECT

# File, page, what its address says, and how much of it is seen [px].
SHOTS = (
    ("today", "", {}, 1250),
    ("wind-solar", "wind-solar", {}, 1250),
)
WIDTH = 1280


def take(folder: Path) -> None:
    """Write the pictures into a folder, from a demo of the last two weeks."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        database = Path(place) / "demo" / "gridledger.db"
        dashboards.start_demo(database, days=14).wait()
        settings = {setting.key: setting.default for setting in all_settings()}
        settings |= {"OUTPUT_DIR": str(database.parent), "STORE_URL": f"sqlite:///{database}"}
        with (
            dashboards.serving(Path(place) / "said", {**os.environ, **settings}) as dashboard,
            sync_playwright() as playwright,
        ):
            browser = dashboards.browser_of(playwright)
            for name, path, query, height in SHOTS:
                page = browser.new_page(viewport={"width": WIDTH, "height": height})
                page.goto(dashboard.address(path, urlencode(query)))
                dashboards.settled(page)
                page.screenshot(path=folder / f"{name}.png", animations="disabled")
                page.close()
            browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs" / "images")
