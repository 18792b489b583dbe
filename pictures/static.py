"""Pictures as PNG and SVG by matplotlib; the same picture gives the same bytes."""

from __future__ import annotations

import io
import textwrap
from typing import Any

from domain.errors import UsageError
from pictures import inks
from pictures.picture import Band, Bars, Cells, Line, Panel, Picture, Points, Rule, Shade, ticks

INSTALL = "python3 run.py --install-deps plot"
WIDTH_IN, PANEL_IN, DPI = 11.0, 3.0, 110
LETTERS = 150  # that fit beside one another in a legend
_STYLE: Any = {
    "date.converter": "concise",
    "svg.hashsalt": "gridledger",  # otherwise names of parts differ from run to run
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and checked
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.5,
}
_DASHES = {"solid": "-", "dash": "--", "dot": ":"}
# Dates and versions would make equal pictures differ.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


def png(picture: Picture) -> bytes:
    """The picture as PNG; UsageError where matplotlib is not installed."""
    return _drawn(picture, "png")


def svg(picture: Picture) -> bytes:
    """The picture as SVG, its words as text; UsageError where matplotlib is not installed."""
    return _drawn(picture, "svg")


def _drawn(picture: Picture, form: str) -> bytes:
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise UsageError(
            f"a picture as {form.upper()} needs matplotlib, which is not installed: type '{INSTALL}'."
        ) from None
    out = io.BytesIO()
    heights = [panel.height for panel in picture.panels]
    footer = [part for line in picture.footer for part in textwrap.wrap(line, 170)]
    with rc_context(_STYLE):
        size = (WIDTH_IN, 1.3 + PANEL_IN * sum(heights) + 0.16 * len(footer))
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        ).ravel()
        rooms: list[float] = []
        told: list[tuple[str, str]] = []
        for each, panel in zip(axes, picture.panels, strict=True):
            _draw_marks(figure, each, panel)
            names = _names(panel)
            rooms.append(_name_marks(each, panel, names if names != told else []))
            told = names
        axes[-1].set_xlabel(picture.x_label)
        if picture.x_limits is not None:
            axes[-1].set_xlim(*picture.x_limits)
        subtitle = "\n".join(textwrap.wrap(picture.subtitle, 130))
        figure.suptitle(
            f"{textwrap.fill(picture.title, 100)}", x=0.01, ha="left", fontsize=13, weight="bold"
        )
        axes[0].set_title(subtitle, loc="left", fontsize=9.5, color="#444444", pad=rooms[0])
        if footer:
            figure.supxlabel("\n".join(footer), x=0.01, ha="left", fontsize=7.5, color="#555555")
        figure.savefig(out, format=form, metadata=_METADATA[form])
    return out.getvalue()


def _names(panel: Panel) -> list[tuple[str, str]]:
    """What a legend says; it is not said again under a panel that said the same."""
    return [(m.label, m.ink) for m in panel.marks if not isinstance(m, Cells) and m.label]


def _draw_marks(figure: Any, axes: Any, panel: Panel) -> None:
    for mark in panel.marks:
        match mark:
            case Line():
                _draw_line(axes, mark)
            case Band():
                axes.fill_between(
                    mark.x,
                    mark.low,
                    mark.high,
                    facecolor=inks.colour(mark.ink),
                    alpha=mark.opacity,
                    linewidth=0,
                    label=mark.label or None,
                )
            case Bars():
                axes.bar(
                    mark.left,
                    mark.y,
                    width=mark.right - mark.left,
                    align="edge",
                    color=inks.colour(mark.ink),
                    label=mark.label or None,
                )
            case Points():
                axes.plot(
                    mark.x, mark.y, "o", markersize=3, alpha=0.7, markeredgewidth=0,
                    color=inks.colour(mark.ink), label=mark.label or None,
                )  # fmt: skip
            case Cells():
                _draw_cells(figure, axes, mark)
            case Rule():
                axes.axhline(
                    mark.at,
                    color=inks.colour(mark.ink),
                    linestyle=_DASHES[mark.dash],
                    linewidth=0.9,
                    label=mark.label or None,
                )
            case Shade():
                axes.axvspan(
                    mark.left, mark.right, color=inks.colour(mark.ink), alpha=0.25, linewidth=0,
                    zorder=0, label=mark.label or None,
                )  # fmt: skip
    axes.set_ylabel(panel.y_label)
    if panel.log_y:
        axes.set_yscale("log")
    if panel.y_limits:
        axes.set_ylim(*panel.y_limits)
    if not any(isinstance(mark, Cells) for mark in panel.marks):
        axes.grid(alpha=0.3, linewidth=0.6)


def _name_marks(axes: Any, panel: Panel, names: list[tuple[str, str]]) -> float:
    """Draw the legend; returns the points above the panel that it and other words take."""
    if not names:
        return 20.0 if any(isinstance(m, Cells) and m.marks for m in panel.marks) else 6.0
    longest = max(len(label) for label, _ in names)
    columns = max(1, min(len(names), LETTERS // (longest + 8)))
    # Beside the data, which a legend among them would hide.
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize=8.5, frameon=False,
        borderaxespad=0.2,
    )  # fmt: skip
    return 10.0 + 15.0 * -(-len(names) // columns)


def _draw_line(axes: Any, line: Line) -> None:
    axes.plot(
        line.x,
        line.y,
        color=inks.colour(line.ink),
        linestyle=_DASHES[line.dash],
        linewidth=1.3,
        marker="." if line.markers else None,
        markersize=4,
        label=line.label or None,
    )


def _draw_cells(figure: Any, axes: Any, cells: Cells) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    ramp = inks.SIGNED if cells.signed else inks.SEQUENTIAL
    colours = LinearSegmentedColormap.from_list("ramp", ramp)
    known = np.asarray(cells.z, dtype=np.float64)
    top = float(np.nanmax(np.abs(known))) if cells.signed and np.isfinite(known).any() else None
    limits = {"vmin": -top, "vmax": top} if top else {}
    mesh = axes.pcolormesh(
        _edges(cells.x), _edges(cells.y), np.ma.masked_invalid(known), cmap=colours, **limits
    )
    figure.colorbar(mesh, ax=axes, label=cells.label, pad=0.01)
    if cells.hatched is not None:
        _hatch(axes, _edges(cells.x), _edges(cells.y), np.asarray(cells.hatched))
    for at, words in cells.marks:
        axes.annotate(
            words,
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=8,
        )
    axes.invert_yaxis()
    shown = ticks(cells.x)
    if np.asarray(cells.x).dtype.kind == "M":
        axes.set_xticks(shown, [str(at)[:10] for at in shown])


def _hatch(axes: Any, x: Any, y: Any, hatched: Any) -> None:
    """Strokes over cells, whose colour stays visible."""
    from matplotlib.collections import PolyCollection

    x = axes.convert_xunits(x)
    corners = [
        [(x[c], y[r]), (x[c + 1], y[r]), (x[c + 1], y[r + 1]), (x[c], y[r + 1])]
        for r, c in zip(*hatched.nonzero(), strict=True)
    ]
    axes.add_collection(
        PolyCollection(corners, facecolors="none", edgecolors="white", hatch="/////", linewidths=0)
    )


def _edges(centres: Any) -> Any:
    """The edges of cells around evenly spaced centres."""
    import numpy as np

    centres = np.asarray(centres)
    step = centres[1] - centres[0] if centres.size > 1 else _one(centres)
    return np.append(centres - step / 2, centres[-1:] + step / 2)


def _one(centres: Any) -> Any:
    import numpy as np

    return np.timedelta64(1, "D").astype("timedelta64[us]") if centres.dtype.kind == "M" else 1.0
