"""Tables as they are declared, and ``conform``, the one gate through which rows enter them.

A frame is a pandas DataFrame. Its dtypes follow the declaration: ``time`` is
``datetime64[us, UTC]``, ``date`` is ``datetime64[s]`` at midnight, ``float`` is float64, ``int`` is
int64 (Int64 where optional), ``flag`` is bool (boolean where optional), ``text`` is str. ``decimal``, for
money that is owed, is str too: an exact number such as ``-12.30``. No zone but UTC ever enters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from domain.drift import strange_values
from domain.errors import SchemaError, cited

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LENGTH = "resolution_s"
Dtype = Literal["time", "date", "float", "int", "flag", "text", "decimal"]

_WHAT_FITS = {
    "time": "a time such as 2024-10-27T00:30:00Z (to the second)",
    "date": "a day such as 2024-10-27",
    "float": "a number",
    "int": "a whole number",
    "flag": "true or false",
    "text": "text",
    "decimal": "a plain decimal number such as -12.30, as text",
}
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Column:
    """One column: its unit in brackets in the description of outputs, and how the provider spells it.

    ``bounds`` are what is physically possible: an answer that lies outside for the most part has
    another unit or another sign. ``known`` are the words met so far; another one is worth a look.
    ``steady`` is the factor by which a day's mean never differs from the day before, ``smooth`` the one
    by which the mean of a day's first hour never differs from that of the hour before. ``tick`` is what
    every value is a multiple of. An ``optional`` column may be empty; where it is always ``sent``, an
    answer without it is another form of answer.
    """

    name: str
    dtype: Dtype
    unit: str
    description: str
    source: str = ""
    optional: bool = False
    bounds: tuple[float, float] | None = None
    known: tuple[str, ...] = ()
    steady: float | None = None
    smooth: float | None = None
    tick: float | None = None
    sent: bool = False

    @property
    def spelling(self) -> str:
        """The name under which the provider sends it."""
        return self.source or self.name


@dataclass(frozen=True)
class Table:
    """A table: columns in order, primary key, the column that windows select by.

    An empty ``time`` means a list as it stands, of which the newest answer is the whole.

    ``version`` names the column that says which of two versions of a row is newer (the provider's
    publish time); where it is empty the later arrival is. ``revision`` is one that counts versions and
    tells no time: the greater is newer, and what was known when goes by arrival. ``scope`` names the
    column that holds what a dataset is asked for one at a time, such as a zone; empty where there is no
    such thing. ``whole`` are the columns of the key that name what is sent as a whole, such as a
    message: rows that a newer one lacks are no more.

    Where there is a column ``resolution_s``, rows say how long they last, and newer rows end those
    of their ``lane`` that begin inside them: columns of the key, left out all but the time.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str
    version: str = ""
    scope: str = ""
    revision: str = ""
    whole: tuple[str, ...] = ()
    lane: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def newer_by(self) -> str:
        """The column by which one version of a row is newer than another; empty: by arrival."""
        return self.version or self.revision

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The columns outside the key."""
        return tuple(name for name in self.names if name not in self.key)

    @property
    def length(self) -> str:
        """The column that says how long a row holds; empty where nothing does."""
        return LENGTH if LENGTH in self.names else ""

    @property
    def lasts(self) -> bool:
        """Whether newer rows end those of their lane that begin inside them."""
        return bool(self.length) and not self.whole

    @cached_property
    def lanes(self) -> tuple[str, ...]:
        """The columns of which rows with the same values take turns."""
        return self.lane or tuple(n for n in self.key if n not in (self.time, self.length))

    @cached_property
    def spans(self) -> Table:
        """Its rows without what they say: whose they are, when they begin and how long they last."""
        names = (*self.lanes, self.time, self.length)
        kept = tuple(column for column in self.columns if column.name in names)
        return replace(self, columns=kept, key=names, lane=(), version="", revision="")

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Conformed:
    """What ``conform`` made of an answer.

    ``frame`` fits the table, sorted by key, one row a key. ``older`` holds the versions of keys
    that came more than once, which belong to history; ``conflicts`` counts those among them that
    nothing but their value tells apart. ``unknown`` names the columns nobody declared, ``strange``
    says which values are possible but were never met.
    """

    frame: pd.DataFrame
    older: pd.DataFrame
    conflicts: int
    unknown: tuple[str, ...]
    strange: tuple[str, ...] = ()


def conform(
    table: Table,
    data: Mapping[str, Any] | pa.Table | pd.DataFrame,
    where: str,
    ignored: Iterable[str] = (),
    *,
    later_wins: bool = False,
) -> Conformed:
    """Rename, cast, check, order and de-duplicate rows so that they fit ``table``.

    ``data`` holds columns under the provider's spelling; ``ignored`` are spellings known to carry
    nothing. Equal rows collapse. Of several versions of one key the newest by ``table.version``
    stays; a tie goes to the greater row, so that the outcome does not depend on the order of rows,
    unless the provider's order means something (``later_wins``).

    Raises SchemaError, naming table, column and a sample, for a missing column, a value that does
    not fit, an empty key, or values of which most are physically impossible.
    """
    import pyarrow as pa

    arrow = as_arrow(table, data, where)
    spellings = {column.spelling: column for column in table.columns}
    unknown = tuple(sorted(set(arrow.column_names) - set(spellings) - set(ignored)))
    arrays = []
    for column in table.columns:
        if column.spelling in arrow.column_names:
            arrays.append(_cast(table, column, arrow.column(column.spelling), where))
        elif column.optional and not (column.sent and arrow.num_rows):
            arrays.append(pa.nulls(arrow.num_rows, arrow_type(column.dtype)))
        else:
            near = f"; it has {', '.join(unknown)}, which nobody declared" if unknown else ""
            raise SchemaError(
                f"{table.name}: the answer for {where} lacks the column '{column.spelling}'{near}. "
                "The provider may have renamed it; nothing of this window was stored."
            )
    cast = pa.table(arrays, names=list(table.names))
    frame = to_frame(table, cast)
    strange = tuple(strange_values(table, cast, frame, where))
    current, older, conflicts = _newest_first(table, frame, later_wins=later_wins)
    return Conformed(current, older, conflicts, unknown, strange)


def to_frame(table: Table, arrow: pa.Table) -> pd.DataFrame:
    """An Arrow table whose types fit ``table`` as a frame with the dtypes named above."""
    import pandas as pd

    frame = {}
    for name in arrow.column_names:
        column = table.column(name)
        values = arrow.column(name)
        if column.dtype == "int":
            series = (
                pd.Series(values.to_pandas(integer_object_nulls=True), dtype="Int64")
                if column.optional
                else values.to_pandas()
            )
        elif column.dtype == "flag":
            series = pd.Series(values.to_pandas(), dtype="boolean" if column.optional else "bool")
        elif column.dtype in ("text", "decimal"):
            series = pd.Series(values.to_pandas(), dtype="str")
        elif column.dtype == "date":
            series = values.cast("timestamp[s]").to_pandas()
        else:
            series = values.to_pandas()
        frame[name] = series
    return pd.DataFrame(frame, columns=list(arrow.column_names))


def to_arrow(table: Table, frame: pd.DataFrame) -> pa.Table:
    """A frame with the dtypes named above as an Arrow table (times timestamp[us, UTC], dates date32)."""
    import pyarrow as pa

    columns = [table.column(name) for name in frame.columns]
    schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
    # One thread: to start others takes longer than the columns do.
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False, nthreads=1)


def as_arrow(table: Table, data: Any, where: str) -> pa.Table:
    """Columns under the provider's spelling as an Arrow table; raises SchemaError as ``conform`` does."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pd.DataFrame):
        data = {str(name): data[name] for name in data.columns}
    declared = {column.spelling: column for column in table.columns}
    arrays = {}
    for name, values in data.items():
        if name not in declared:  # it may hold anything; only its name matters
            arrays[name] = pa.nulls(len(values))
            continue
        try:
            if declared[name].dtype == "float" and isinstance(values, list):
                arrays[name] = pa.array(values, pa.float64())  # whole numbers may stand among them
            else:
                arrays[name] = pa.array(values, from_pandas=isinstance(values, pd.Series))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            raise misfit(table, declared[name], values, where) from None
        flag = declared[name].dtype == "flag"
        if isinstance(values, list) and not flag and bool in set(map(type, values)):
            raise misfit(table, declared[name], values, where)  # Arrow would take true for 1
    return pa.table(arrays)


def arrow_type(dtype: Dtype) -> pa.DataType:
    """The Arrow type that a column of the dtype has in a frame of ours."""
    import pyarrow as pa

    types = {
        "time": pa.timestamp("us", "UTC"),
        "date": pa.date32(),
        "float": pa.float64(),
        "int": pa.int64(),
        "flag": pa.bool_(),
        "text": pa.string(),
        "decimal": pa.string(),
    }
    return types[dtype]


def _cast(table: Table, column: Column, values: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    import pyarrow as pa

    kind = values.type
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    clock = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    fits = {
        "time": text or clock,
        "date": text or clock,
        "float": number,
        "int": number,
        "flag": pa.types.is_boolean(kind),
        "text": text,
        "decimal": text,
    }[column.dtype]
    if not fits and not pa.types.is_null(kind):
        raise misfit(table, column, values.to_pylist(), where)
    try:
        if column.dtype == "time":
            cast = _to_the_second(_as_utc(values), exact=column.name in table.key)
        else:
            cast = values.cast(arrow_type(column.dtype))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise misfit(table, column, values.to_pylist(), where) from None
    if column.dtype == "decimal" and not all(_fits("decimal", v, True) for v in cast.to_pylist()):
        raise misfit(table, column, values.to_pylist(), where)
    if cast.null_count and not column.optional:
        raise SchemaError(
            f"{table.name}.{column.name}: empty in {cast.null_count} of {len(cast)} rows of {where}, "
            "where a value is required; nothing of this window was stored."
        )
    return cast


def _as_utc(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as timestamps in UTC; providers leave the zone out where they mean UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc

    utc = pa.timestamp("us", "UTC")
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        zoned = pa.types.is_timestamp(values.type) and values.type.tz
        return (
            values.cast(utc)
            if zoned
            else pc.assume_timezone(values.cast(pa.timestamp("us")), "UTC")
        )
    try:
        return values.cast(utc)  # all have a zone, as nearly always
    except pa.ArrowInvalid:
        has_zone = pc.match_substring_regex(values, r"(Z|[+-]\d\d:?\d\d)$")
        naive = pc.binary_join_element_wise(values, "Z", "")
        return pc.if_else(has_zone, values, naive).cast(utc)


def _to_the_second(values: pa.ChunkedArray, *, exact: bool) -> pa.ChunkedArray:
    """Times without fractions: stores sort and select by their text, in which a fraction would jump.

    ``exact`` refuses a fraction instead of dropping it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values.cast(pa.timestamp("s", "UTC"))
    except pa.ArrowInvalid:
        if exact:
            raise
        return pc.floor_temporal(values, unit="second")
    return values


def misfit(table: Table, column: Column, values: Iterable[Any], where: str) -> SchemaError:
    """What is said of the first of some values that does not fit its column."""
    exact = column.name in table.key
    sample = next((value for value in values if not _fits(column.dtype, value, exact)), None)
    return SchemaError(
        f"{table.name}.{column.name}: {cited(sample)} in {where} is not {_WHAT_FITS[column.dtype]}; "
        f"nothing of this window was stored."
    )


def _fits(dtype: Dtype, value: Any, exact: bool) -> bool:
    import pyarrow as pa

    if value is None:
        return True
    if dtype == "flag" or isinstance(value, bool):
        return dtype == "flag" and isinstance(value, bool)
    if dtype == "float":
        return isinstance(value, float) or (isinstance(value, int) and float(value) == value)
    if dtype == "int":
        return isinstance(value, float | int) and value % 1 == 0 and abs(value) < 2**63
    if dtype == "text":
        return isinstance(value, str)
    if not isinstance(value, str):
        return False
    if dtype == "decimal":
        return _DECIMAL.fullmatch(value) is not None
    one = pa.chunked_array([[value]])
    try:
        _to_the_second(_as_utc(one), exact=exact) if dtype == "time" else one.cast(pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


def _newest_first(
    table: Table, frame: pd.DataFrame, *, later_wins: bool
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Split into the current version of each key, sorted by key, and the older ones."""
    import pandas as pd

    key = list(table.key)
    version = [table.newer_by] if table.newer_by else []
    if table.whole and version:
        newest = frame.groupby(list(table.whole))[table.newer_by].transform("max")
        outdated = frame[table.newer_by] < newest
        if outdated.any():
            current, older, conflicts = _newest_first(
                table, frame[~outdated], later_wins=later_wins
            )
            older = pd.concat([frame[outdated].drop_duplicates(), older])
            return current, older.reset_index(drop=True), conflicts
    if len(key) == 1:  # the commonest answers are sorted, one way or the other, without repeats
        if _ascends(frame[key[0]]):
            return frame, frame.iloc[:0], 0
        if _ascends(frame[key[0]][::-1]):
            return frame[::-1].reset_index(drop=True), frame.iloc[:0], 0
    if not frame.duplicated(key).any():
        return frame.sort_values(key, ignore_index=True), frame.iloc[:0], 0
    rest = [name for name in table.names if name not in key and name not in version]
    several = frame.duplicated(key, keep=False)  # mostly a few: only they need comparing
    versions = (
        frame[several]
        .drop_duplicates(keep="last")
        .sort_values(
            key + version + ([] if later_wins else rest),
            ignore_index=True,
            na_position="first",
            kind="stable",
        )
    )
    superseded = versions.duplicated(key, keep="last")
    conflicts = int(versions.duplicated(key + version, keep="last").sum())
    current = pd.concat([frame[~several], versions[~superseded]]).sort_values(key)
    return current.reset_index(drop=True), versions[superseded].reset_index(drop=True), conflicts


def _ascends(values: pd.Series) -> bool:
    """Whether each value is greater than the one before."""
    comparable = (values.astype("int64") if values.dtype.kind == "M" else values).to_numpy()
    return bool((comparable[1:] > comparable[:-1]).all())


def format_times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """UTC timestamps, which ``conform`` left without fractions, as ``2024-10-27T00:30:00Z``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # The Z is put on by hand: Arrow formats times with a zone twenty times slower.
    text = values.cast(pa.timestamp("s")).cast(pa.string())
    return pc.binary_join_element_wise(pc.binary_replace_slice(text, 10, 11, "T"), "Z", "")
