"""Sections and rows as tables of a page, with the units of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from analysis.sections import shown
from dashboard.frame import plain
from pictures.words import words

if TYPE_CHECKING:
    import pandas as pd

    from analysis.sections import Section


def show_section(section: Section, key: str) -> None:
    """The figures of a section as ``analyze`` prints them; rows as they are where it is too long."""
    import pandas as pd

    told = shown(section)
    if told is None:
        show_rows(section.frame, section.units, section.title, key)
    else:
        header, rows = told
        cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
        frame = pd.DataFrame(cells, columns=header)
        st.dataframe(frame, hide_index=True, key=key, alt=section.title)
    if section.note:
        st.caption(plain(section.note))


def show_rows(frame: pd.DataFrame, units: Mapping[str, str], title: str, key: str) -> None:
    """Rows under heads with their units, times in UTC."""
    columns: dict[str, Any] = {}
    for name in map(str, frame.columns):
        unit = units.get(name, "")
        label = words(name, unit) + (f" [{unit}]" if unit else "")
        kind = str(frame[name].dtype)
        if kind.endswith("UTC]"):
            columns[name] = st.column_config.DatetimeColumn(
                label, format="YYYY-MM-DD HH:mm:ss", timezone="UTC"
            )
        elif kind.startswith("float"):
            columns[name] = st.column_config.NumberColumn(label, format="%.5g")
        else:
            columns[name] = st.column_config.Column(label)
    st.dataframe(frame, hide_index=True, column_config=columns, key=key, alt=title)
