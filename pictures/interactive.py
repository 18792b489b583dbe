"""Pictures to point at and zoom into, by Plotly; page and text take the colours of whoever shows them."""

from __future__ import annotations

import html as markup
from typing import TYPE_CHECKING, Any

from domain.errors import UsageError
from pictures import inks
from pictures.picture import (
    Band,
    Bars,
    Cells,
    Line,
    Panel,
    Picture,
    Points,
    Rule,
    Shade,
    runs,
    ticks,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

INSTALL = "python3 run.py --install-deps dashboard"
PANEL_PX, AROUND_PX = 260, 150
_HOVER_TIME = "%{x|%Y-%m-%d %H:%M:%S} UTC"


def figure(picture: Picture) -> go.Figure:
    """The picture as a Plotly figure without colours of page and text; UsageError without Plotly.

    Title, subtitle and footer are not in it: ``html`` and pages set them as text, which wraps on a phone.
    """
    try:
        from plotly.subplots import make_subplots
    except ModuleNotFoundError:
        raise UsageError(
            f"a picture to point at needs Plotly, which is not installed: type '{INSTALL}'."
        ) from None
    heights = [panel.height for panel in picture.panels]
    tall = PANEL_PX * sum(heights)
    shown = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=min(0.05, 0.4 / len(heights)),
    )
    told: set[str] = set()
    for row, panel in enumerate(picture.panels, start=1):
        _show_panel(shown, row, panel, picture, told)
    shown.update_layout(
        height=round(tall + AROUND_PX),
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yanchor": "top", "y": -70 / tall, "x": 0, "title": None},
        hovermode="closest",
        bargap=0,
        barmode="overlay",
        dragmode="zoom",
    )
    grid = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.5)"}
    shown.update_xaxes(**grid, showticklabels=False)
    shown.update_yaxes(**grid, automargin=True, title_standoff=4)
    shown.update_xaxes(
        showticklabels=True, title_text=picture.x_label, title_standoff=6, row=len(heights), col=1
    )
    if picture.x_is_time:
        shown.update_xaxes(type="date")  # also where no mark says so
    if picture.x_limits is not None:
        shown.update_xaxes(range=[_plain(end) for end in picture.x_limits])
    return shown


def html(picture: Picture, *, libraries: bool | str = True) -> bytes:
    """The picture as a page that needs nothing else; light or dark as its reader's system is.

    ``libraries`` False leaves Plotly's own script out, for a page that holds it already.
    """
    shown = figure(picture)
    chart = shown.to_html(
        full_html=False,
        include_plotlyjs=bool(libraries),
        div_id="picture",
        config={"responsive": True, "displaylogo": False},
    )
    words = {
        "title": markup.escape(picture.title),
        "subtitle": markup.escape(picture.subtitle),
        "footer": "<br>".join(markup.escape(line) for line in picture.footer),
        "chart": chart,
    }
    page = _PAGE
    for name, text in words.items():
        page = page.replace(f"@{name}@", text)
    return page.encode()


# A chart does not know of light and dark by itself: its text takes the colour of the page's.
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>@title@</title>
<style>
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; margin: 1rem auto; max-width: 75rem; padding: 0 0.75rem;
  background: Canvas; color: CanvasText; }
h1 { font-size: 1.25rem; margin: 0; } p { margin: 0.25rem 0 0.5rem; } footer { font-size: 0.8rem; }
@media (prefers-color-scheme: dark) { body { background: #0e1117; color: #fafafa; } }
</style></head><body>
<main><h1>@title@</h1><p>@subtitle@</p>@chart@</main><footer>@footer@</footer>
<script>
(function () {
  var dark = matchMedia("(prefers-color-scheme: dark)");
  function ink() {
    Plotly.relayout("picture", {"font.color": getComputedStyle(document.body).color});
  }
  dark.addEventListener("change", ink); ink();
})();
</script></body></html>
"""


def _show_panel(shown: Any, row: int, panel: Panel, picture: Picture, told: set[str]) -> None:
    import plotly.graph_objects as go

    at = {"row": row, "col": 1}
    moment = _HOVER_TIME if picture.x_is_time else "%{x:.4~g}"
    for mark in panel.marks:
        match mark:
            case Line():
                _show_line(shown, at, mark, moment, told)
            case Band():
                _show_band(shown, at, mark, moment, told)
            case Bars():
                shown.add_trace(
                    go.Bar(
                        x=_compact(mark.left + (mark.right - mark.left) / 2),
                        y=mark.y,
                        width=_widths(mark),
                        marker={"color": inks.colour(mark.ink), "line": {"width": 0}},
                        hovertemplate=f"{moment}: %{{y:.5~g}}",
                        **_named(mark.label, told),
                    ),
                    **at,
                )
            case Points():
                shown.add_trace(
                    go.Scattergl(
                        x=_compact(mark.x),
                        y=mark.y,
                        mode="markers",
                        marker={"color": inks.colour(mark.ink), "size": 4, "opacity": 0.6},
                        hovertemplate=f"{moment}: %{{y:.5~g}}",
                        **_named(mark.label, told),
                    ),
                    **at,
                )
            case Cells():
                _show_cells(shown, at, mark, x_is_time=picture.x_is_time)
            case Rule():
                shown.add_hline(
                    y=mark.at,
                    line={"color": inks.colour(mark.ink), "width": 1, "dash": mark.dash},
                    exclude_empty_subplots=False,
                    **_named(mark.label, told),
                    **at,
                )
            case Shade():
                shown.add_vrect(
                    x0=_plain(mark.left),
                    x1=_plain(mark.right),
                    fillcolor=inks.colour(mark.ink),
                    opacity=0.25,
                    line_width=0,
                    **_beside(mark.label, "top left"),
                    exclude_empty_subplots=False,  # it comes first, below the data
                    **at,
                )
    shown.update_yaxes(title_text=panel.y_label.replace("\n", "<br>"), **at)
    if panel.log_y:
        shown.update_yaxes(type="log", **at)
    if panel.y_limits:
        shown.update_yaxes(range=list(panel.y_limits), autorange=False, **at)


def _beside(label: str, position: str) -> dict[str, Any]:
    """Words beside a limit or in a stretch; without words Plotly would write its own."""
    if not label:
        return {}
    return {
        "annotation_text": label,
        "annotation_position": position,
        "annotation_font_size": 10,
    }


def _named(label: str, told: set[str]) -> dict[str, Any]:
    """A name in the legend, once for the panels together, which hide and show it together."""
    first = bool(label) and label not in told
    told.add(label)
    return {"name": label, "legendgroup": label or None, "showlegend": first}


def _show_line(shown: Any, at: dict[str, int], line: Line, moment: str, told: set[str]) -> None:
    import plotly.graph_objects as go

    shown.add_trace(
        go.Scatter(
            x=_compact(line.x),
            y=line.y,
            mode="lines+markers" if line.markers else "lines",
            connectgaps=False,
            line={"color": inks.colour(line.ink), "width": 1.5, "dash": line.dash},
            marker={"size": 4},
            hovertemplate=f"{moment}: %{{y:.5~g}}",
            **_named(line.label, told),
        ),
        **at,
    )


def _show_band(shown: Any, at: dict[str, int], band: Band, moment: str, told: set[str]) -> None:
    """Polygons, one a stretch without a gap, and an unseen line that tells values."""
    import numpy as np
    import plotly.graph_objects as go

    x, low, high = (np.asarray(part) for part in (_compact(band.x), band.low, band.high))
    around: list[Any] = []
    heights: list[Any] = []
    for first, last in runs(np.isfinite(low) & np.isfinite(high)):
        around += [x[first:last], x[first:last][::-1], x[last - 1 : last]]
        heights += [high[first:last], low[first:last][::-1], [np.nan]]
    red, green, blue = (int(inks.colour(band.ink)[n : n + 2], 16) for n in (1, 3, 5))
    shown.add_trace(
        go.Scatter(
            x=np.concatenate(around) if around else [],
            y=np.concatenate(heights) if heights else [],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=f"rgba({red},{green},{blue},{band.opacity:g})",
            hoverinfo="skip",
            **_named(band.label, told),
        ),
        **at,
    )
    if band.value is not None:
        shown.add_trace(
            go.Scatter(
                x=x,
                y=high,
                mode="lines",
                line={"width": 0},
                customdata=np.asarray(band.value),
                hovertemplate=f"{moment}: %{{customdata:.5~g}}",
                name=band.label,
                legendgroup=band.label or None,
                showlegend=False,
            ),
            **at,
        )


def _show_cells(shown: Any, at: dict[str, int], cells: Cells, *, x_is_time: bool) -> None:
    import numpy as np
    import plotly.graph_objects as go

    known = np.asarray(cells.z, dtype=np.float64)
    ramp = inks.SIGNED if cells.signed else inks.SEQUENTIAL
    shown.add_trace(
        go.Heatmap(
            x=cells.x,
            y=cells.y,
            z=known,
            colorscale=[[place, colour] for place, colour in ramp],
            zmid=0 if cells.signed else None,
            colorbar={"title": {"text": cells.label, "side": "right"}, "thickness": 12},
            hoverongaps=False,
            hovertemplate=f"{'%{x|%Y-%m-%d}' if x_is_time else '%{x}'}, %{{y}}: %{{z:.5~g}}<extra></extra>",
        ),
        **at,
    )
    if cells.hatched is not None and np.any(cells.hatched):
        rows, columns = np.nonzero(np.asarray(cells.hatched))
        shown.add_trace(
            go.Scatter(
                x=np.asarray(cells.x)[columns],
                y=np.asarray(cells.y)[rows],
                mode="markers",
                marker={"symbol": "x-thin", "size": 6, "line": {"width": 1, "color": "#858585"}},
                name="low coverage",
                hoverinfo="skip",
            ),
            **at,
        )
    for place, words in cells.marks:
        shown.add_annotation(
            x=_plain(place),
            y=1,
            yref="y domain",
            yanchor="bottom",
            text=words,
            showarrow=False,
            **at,
        )
    shown.update_yaxes(autorange="reversed", **at)
    if np.asarray(cells.x).dtype.kind == "M":
        days = [str(day)[:10] for day in ticks(cells.x, 5)]
        shown.update_xaxes(tickvals=days, ticktext=days, **at)


def _widths(bars: Bars) -> Any:
    """Widths as Plotly wants them: milliseconds where x is time."""
    import numpy as np

    width = np.asarray(bars.right) - np.asarray(bars.left)
    return width / np.timedelta64(1, "ms") if width.dtype.kind == "m" else width


def _compact(x: Any) -> Any:
    """Times as milliseconds since 1970 (UTC), which an axis of dates takes, too: a third of the texts' size."""
    import numpy as np

    x = np.asarray(x)
    return x.astype("datetime64[ms]").astype(np.float64) if x.dtype.kind == "M" else x


def _plain(value: Any) -> Any:
    """A time as Plotly's text."""
    import numpy as np

    return str(value) if isinstance(value, np.datetime64) else value
