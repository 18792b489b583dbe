"""A section: a frame of figures with their units, and the forms in which sections leave the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.tables import Column, Table

if TYPE_CHECKING:
    import pandas as pd


# The unit of a figure that differs from row to row: a label ``unit`` says it.
AS_UNIT = "as `unit`"


@dataclass(frozen=True)
class Section:
    """Figures of one family.

    ``units`` has an entry for every column of ``frame`` that is a figure (empty where it has no unit);
    the other columns are labels, which say what a row is about. NaN and NaT are unknown. ``note`` says
    what the figures mean and what was assumed.
    """

    key: str
    title: str
    frame: pd.DataFrame
    units: Mapping[str, str]
    note: str = ""

    @property
    def labels(self) -> list[str]:
        """The columns that say what a row is about."""
        return [str(name) for name in self.frame.columns if name not in self.units]


def section_of(
    key: str,
    title: str,
    labels: Sequence[str],
    rows: Iterator[dict[str, Any]],
    units: Mapping[str, str],
    note: str,
) -> Section:
    """A section of rows, with the right columns where there are none; ``UTC`` is the unit of a time."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=[*labels, *units])
    for name, unit in units.items():
        if unit == "UTC":
            frame[name] = pd.to_datetime(frame[name], utc=True)
    return Section(key, title, frame, units, note)


_FIGURES = (
    Column("figure", "text", "", "What the value is"),
    Column("value", "float", "", "The value, where it is a number", optional=True),
    Column("text", "text", "", "The value, where it is a time or words", optional=True),
    Column("unit", "text", "", "Unit of the value"),
)


def as_csv(sections: Sequence[Section]) -> str:
    """One line a figure: section, the labels of all sections, figure, value or text, unit."""
    import pandas as pd

    from stores.files import csv_bytes

    labels = list(dict.fromkeys(label for section in sections for label in section.labels))
    labels = [label for label in labels if label != "unit"]
    parts = []
    for section in sections:
        of = [label for label in section.labels if label != "unit"]
        told = section.frame[of].map(_as_text)
        told.insert(0, "section", section.key)
        for name, unit in section.units.items():
            values = section.frame[name]
            numeric = pd.api.types.is_numeric_dtype(values)
            unit_of = section.frame["unit"] if unit == AS_UNIT else unit
            part = told.assign(figure=name, value=float("nan"), text=None, unit=unit_of)
            part["value" if numeric else "text"] = values if numeric else values.map(_as_text)
            parts.append(part)
    names = ("section", *labels, *(column.name for column in _FIGURES))
    texts = (Column(name, "text", "", name, optional=True) for name in ("section", *labels))
    table = Table("analysis", (*texts, *_FIGURES), ("section",), "")
    frame = pd.concat(parts, ignore_index=True).reindex(columns=list(names))
    frame = frame.astype(dict.fromkeys(names, "str") | {"value": "float64"})
    return csv_bytes(table, frame).decode()


def as_json(facts: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """``facts`` and the sections with their units and rows; null for what is unknown."""
    import json

    told = [
        {
            "key": section.key,
            "title": section.title,
            "note": section.note,
            "units": dict(section.units),
            "rows": [
                {name: _plain(value) for name, value in row.items()}
                for row in section.frame.to_dict("records")
            ],
        }
        for section in sections
    ]
    return json.dumps({**facts, "sections": told}, indent=1, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """A cell as JSON has it."""
    import numpy as np
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return _as_text(value)
    if isinstance(value, np.generic):
        return value.item()
    return value


def _as_text(value: Any) -> str | None:
    """A label, time or word as text; None for what is unknown."""
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        day = value.tzinfo is None
        return f"{value:%Y-%m-%d}" if day else f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def shown(section: Section, most: int = 60) -> tuple[list[str], list[list[object]]] | None:
    """Header and rows for a screen; None for a section that is too long for one.

    What is wide and short is turned. What is long and has two labels shows its first figure with one
    column a value of the first label.
    """
    frame, labels = section.frame, section.labels
    if len(frame) > most:
        if len(labels) != 2 or frame[labels[1]].nunique() > most:
            return None
        figure = next(iter(section.units))
        frame = frame.pivot(index=labels[1], columns=labels[0], values=figure).reset_index()
        header = [f"{labels[1]} \\ {figure}", *map(str, frame.columns[1:])]
        return header, _cells(frame)
    if len(frame) <= 8 < len(frame.columns):
        header = [
            labels[0] if labels else "",
            *(_row_name(row) for row in frame[labels].itertuples(index=False)),
        ]
        figures = list(section.units)
        cells = list(zip(*_cells(frame[figures]), strict=True)) or [()] * len(figures)
        return header, [[name, *values] for name, values in zip(figures, cells, strict=True)]
    return [str(name) for name in frame.columns], _cells(frame)


def _row_name(row: Sequence[object]) -> str:
    return ", ".join(filter(None, map(_as_text, row)))


def _cells(frame: pd.DataFrame) -> list[list[object]]:
    return [[_shown(cell) for cell in row] for row in frame.itertuples(index=False, name=None)]


def _shown(cell: Any) -> object:
    """A cell for a screen: five figures of a float, as frequency needs, and all before its point."""
    plain = _plain(cell)
    if not isinstance(plain, float):
        return plain
    return f"{plain:.0f}" if 1000 <= abs(plain) < 1e12 else f"{plain:.5g}"
