"""Pictures of a store that a real run filled: every kind as PNG, SVG and HTML, and the command ``plot``."""

from __future__ import annotations

import json
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from domain.errors import UsageError
from domain.settlement import parse_range
from pictures.choosing import KINDS, picture_of
from pictures.picture import Picture
from sandbox import Sandbox
from stores.sql import SqlStore
from tests.integration.conftest import NOW, Cli, World

static = pytest.importorskip("matplotlib") and pytest.importorskip("pictures.static")

SHORT, LONG = "2024-03-31", "2024-10-27"
SVG = "{http://www.w3.org/2000/svg}"
# (kind, dataset, conditions): what each kind is shown with.
SHOWN = [
    ("line", "wind_solar", {}),
    ("line", "frequency", {}),
    ("area", "wind_solar", {}),
    ("heatmap", "wind_solar", {"psr_type": "Wind Onshore"}),
    ("heatmap", "frequency", {}),
    ("histogram", "frequency", {}),
    ("duration", "wind_solar", {}),
    ("profile", "wind_solar", {}),
    ("scatter", "average_power", {}),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, served: Sandbox) -> World:
    """The two days of 2024 on which clocks change, with their products."""
    served.now, served.faults, served.limits = NOW, (), None
    world = World(tmp_path_factory.mktemp("plots"), served)
    for day in (SHORT, LONG):
        world.run(day)
    return world


@pytest.fixture
def store(filled: World) -> Any:
    with filled.store() as opened:
        yield opened


def drawn(store: SqlStore, kind: str, key: str, where: dict[str, Any], day: str = LONG) -> Picture:
    found = picture_of(store, key, parse_range(day), where, kind, power_mw=1.0)
    assert found is not None
    return found


def words(svg: bytes) -> str:
    root = ElementTree.fromstring(svg)
    return " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))


def test_every_kind_is_shown() -> None:
    assert {kind for kind, _, _ in SHOWN} == set(KINDS)


@pytest.mark.parametrize(("kind", "key", "where"), SHOWN)
def test_each_kind_in_each_form(
    store: SqlStore, kind: str, key: str, where: dict[str, Any]
) -> None:
    interactive = pytest.importorskip("plotly") and pytest.importorskip("pictures.interactive")
    picture = drawn(store, kind, key, where)
    svg = static.svg(picture)
    said = words(svg)
    assert "(UTC)" in said or "Europe/London" in said or not picture.x_is_time
    assert "2024-10-26 23:00 to 2024-10-28 00:00 UTC" in said
    assert "coverage 100%" in said and "synthetic data" in said and "SYNTHETIC" in said
    unit = {"wind_solar": "[MW]", "frequency": "[Hz]", "average_power": "[MW]"}[key]
    assert unit in said
    again = drawn(store, kind, key, where)
    assert kind == "line" or static.svg(again) == svg, "the same picture, the same bytes"
    assert b"<dc:date>" not in svg and str(Path.cwd()).encode() not in svg
    png = static.png(picture)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert kind != "heatmap" or static.png(again) == png
    width, height = struct.unpack(">II", png[16:24])
    assert width == 1210 and 300 < height < 1500
    assert len(set(zlib.decompress(pixels(png)))) > 20, "not an empty page"

    page = interactive.html(picture)
    assert page == interactive.html(again)
    text = page.decode()
    assert "src=" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert picture.subtitle in text and "prefers-color-scheme: dark" in text
    told = json.loads(interactive.figure(picture).to_json())
    axes = [
        axis["title"]["text"]
        for name, axis in told["layout"].items()
        if name[:5] in ("xaxis", "yaxis") and "title" in axis and "text" in axis["title"]
    ]
    assert picture.x_label in axes and picture.panels[0].y_label.replace("\n", "<br>") in axes
    assert len(told["data"]) >= 1


def pixels(png: bytes) -> bytes:
    """The packed pixels of a PNG."""
    found, at = b"", 8
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        if kind == b"IDAT":
            found += png[at + 8 : at + 8 + length]
        at += 12 + length
    return found


def path_of(svg: bytes, colour: str) -> str:
    """The corners of the longest line of a colour."""
    paths = [
        path.get("d", "")
        for path in ElementTree.fromstring(svg).iter(f"{SVG}path")
        if f"stroke: {colour}" in (path.get("style") or "")
    ]
    return max(paths, key=len)


def test_a_gap_breaks_the_line_in_every_form(filled: World, tmp_path: Path) -> None:
    """Samples of an hour are taken out of the database behind the store's back."""
    import shutil
    import sqlite3
    from contextlib import closing

    from pictures.inks import BLUE
    from storage import open_store

    copy = tmp_path / "gap.db"
    shutil.copy(filled.database, copy)
    with closing(sqlite3.connect(copy)) as db:
        db.execute(
            "DELETE FROM frequency WHERE measurement_time >= '2024-10-27T09:00:00Z' "
            "AND measurement_time < '2024-10-27T10:00:00Z'"
        )
        db.commit()
    pieces = {}
    for name, database in (("whole", filled.database), ("gap", copy)):
        with open_store(f"sqlite:///{database}") as store:
            picture = drawn(store, "line", "frequency", {})
        pieces[name] = path_of(static.svg(picture), BLUE).count("M")
    assert pieces == {"whole": 1, "gap": 2}
    interactive = pytest.importorskip("plotly") and pytest.importorskip("pictures.interactive")
    line = next(t for t in interactive.figure(picture).data if t.mode == "lines" and t.line.width)
    assert line.connectgaps is False
    assert sum(value != value for value in line.y) == 1


def test_limits_are_named_in_the_legend_and_not_on_the_trace(store: SqlStore) -> None:
    interactive = pytest.importorskip("plotly") and pytest.importorskip("pictures.interactive")
    shown = interactive.figure(drawn(store, "line", "frequency", {}))
    named = [shape.name for shape in shown.layout.shapes if shape.showlegend]
    assert "50 ± 0.2 Hz" in named and len(named) == len(set(named))
    assert not shown.layout.annotations


def test_points_are_bounded_and_extremes_kept(store: SqlStore, filled: World) -> None:
    hertz = [value for moment, value in filled.frequency() if moment >= "2024-10-26T23:00:00Z"]
    assert len(hertz) == 6000
    picture = drawn(store, "line", "frequency", {})
    (band,) = [mark for mark in picture.panels[0].marks if type(mark).__name__ == "Band"]
    assert len(band.x) <= 3100
    assert float(min(band.low)) == min(hertz) and float(max(band.high)) == max(hertz)


def test_short_and_long_days_have_their_periods(store: SqlStore) -> None:
    for day, periods in ((SHORT, 46), (LONG, 50)):
        picture = drawn(store, "heatmap", "wind_solar", {"psr_type": "Solar"}, day)
        assert f"{periods} periods" in words(static.svg(picture))


def test_low_coverage_is_hatched(store: SqlStore) -> None:
    from dataclasses import replace

    picture = drawn(store, "heatmap", "frequency", {})
    panel = picture.panels[0]
    (cells,) = panel.marks
    hatched = cells.hatched.copy()  # type: ignore[union-attr]
    assert b"<pattern" not in static.svg(picture)
    hatched[3, 0] = True
    marked = replace(cells, hatched=hatched)  # type: ignore[type-var]
    assert b"<pattern" in static.svg(replace(picture, panels=[replace(panel, marks=[marked])]))


def test_profile_and_duration_are_those_of_the_rows(store: SqlStore, filled: World) -> None:
    mw = sorted(
        (row[2] for row in filled.wind() if row[1] == "Wind Onshore" and row[0] >= "2024-10-26T23"),
        reverse=True,
    )
    picture = drawn(store, "duration", "wind_solar", {"psr_type": "Wind Onshore"})
    (line,) = picture.panels[0].marks
    assert list(line.y) == mw  # type: ignore[union-attr]
    assert line.x[0] == pytest.approx(1.0) and line.x[-1] == pytest.approx(99.0)  # type: ignore[union-attr]


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def typed(filled: World, offline: Cli) -> Cli:
    offline.environment |= {
        "STORE_URL": f"sqlite:///{filled.database}",
        "OUTPUT_DIR": str(offline.output),
    }
    return offline


def test_plot_without_options(typed: Cli) -> None:
    done = typed("plot", "AGWS")
    assert done.returncode == 0, done.stderr
    assert "2024-10-26 23:00 to 2024-10-28 00:00 UTC" in done.stdout
    assert (typed.output / "plots" / "wind_solar.png").read_bytes()[:4] == b"\x89PNG"


def test_plot_with_options(typed: Cli, tmp_path: Path) -> None:
    target = tmp_path / "a folder" / "wind.svg"
    done = typed(
        "plot", "wind_solar", "--start", SHORT, "--where", "psr_type=Wind Onshore",
        "--kind", "line", "--columns", "generation_mw", "--to", str(target),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = words(target.read_bytes())
    assert "Wind onshore" in said and "generation [MW]" in said and "time (UTC)" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("wimd_solar",), 2, "did you mean"),
        (("wind_solar", "--to", "x.pdf"), 2, "ends in none of .png, .svg, .html"),
        (("wind_solar", "--kind", "scatter"), 2, "needs two columns"),
        (("wind_solar", "--columns", "document_revision"), 2, "document_revision is empty in all"),
        (("wind_solar_summary", "--kind", "heatmap"), 2, "last a day or longer"),
        (("wind_solar", "--start", "2020-01-01"), 3, "nothing of wind_solar is stored"),
    ],
)
def test_plot_says_what_is_wrong(
    typed: Cli, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = typed("plot", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr


def test_a_missing_library_is_one_sentence(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pictures import interactive

    picture = drawn(store, "line", "wind_solar", {})
    for library in ("matplotlib", "plotly.subplots"):
        monkeypatch.setitem(sys.modules, library, None)
    for draw, extra in (
        (static.png, "plot"),
        (static.svg, "plot"),
        (interactive.html, "dashboard"),
    ):
        with pytest.raises(UsageError, match=f"run.py --install-deps {extra}'"):
            draw(picture)
