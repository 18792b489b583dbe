"""What pages and pictures ask of a store, on both stores: held against plain pandas."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from domain.errors import UsageError
from domain.settlement import day_window, parse_range
from domain.tables import Column, Table, conform
from domain.windows import Window
from stores.filtering import OPERATORS, Condition
from stores.sql import SqlStore
from tests.integration.test_store_contract import PostgresPlace, SqlitePlace, write

# One column of every kind; the time is not the first of the key, as with zones.
METERS = Table(
    "meters",
    (
        Column("zone", "text", "", "Which zone"),
        Column("period_start", "time", "UTC", "Start"),
        Column("fuel", "text", "", "Which fuel"),
        Column("output_mw", "float", "MW", "Mean power", optional=True),
        Column("units", "int", "", "How many", optional=True),
        Column("remark", "text", "", "What was said", optional=True),
        Column("due_eur", "decimal", "EUR", "What is owed", optional=True),
        Column("doubtful", "flag", "", "Whether it is doubted", optional=True),
        Column("day", "date", "", "The day", optional=True),
        Column("publish_time", "time", "UTC", "When it was published"),
    ),
    key=("zone", "period_start", "fuel"),
    time="period_start",
    version="publish_time",
)
LISTED = Table("listed", (Column("unit", "text", "", "Unit"),), key=("unit",), time="")
WINDOW = parse_range("2024-10-27")
REMARKS = ("50% of it", "a_b", "Größe", 'O\'Brien "x"', "'; DROP TABLE meters; --", "", None)


def made() -> pd.DataFrame:
    """Half hours of two zones and two fuels over the long day, with a gap of two hours."""
    r = np.random.default_rng(5)
    starts = pd.date_range(WINDOW.start, WINDOW.end, freq="30min", inclusive="left", unit="us")
    starts = starts[(starts < "2024-10-27T10:00Z") | (starts >= "2024-10-27T12:00Z")]
    rows: list[dict[str, Any]] = []
    for n, start in enumerate(starts):
        for zone in ("DE_LU", "FR"):
            for m, fuel in enumerate(("B16", "B19")):
                k = 4 * n + 2 * (zone == "FR") + m
                rows.append(
                    {
                        "zone": zone,
                        "period_start": start,
                        "fuel": fuel,
                        "output_mw": None if k % 11 == 0 else round(float(r.normal(100, 40)), 3),
                        "units": None if k % 7 == 0 else int(r.integers(-3, 12)),
                        "remark": REMARKS[k % len(REMARKS)],
                        "due_eur": None if k % 5 == 0 else f"{r.integers(-900, 90000) / 100:.2f}",
                        "doubtful": (True, False, None)[k % 3],
                        "day": f"2024-10-{20 + k % 9}",
                        "publish_time": "2024-10-28T06:00:00Z",
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlStore]:
    if request.param == "sqlite":
        place: Any = SqlitePlace(tmp_path_factory.mktemp("looking") / "grid.db")
    else:
        place = PostgresPlace(request.getfixturevalue("postgres"))
    with place.open({"meters": METERS, "listed": LISTED}) as opened:
        write(opened, METERS, conform(METERS, made().sample(frac=1, random_state=1), "made").frame)
        yield opened


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    frame = made().sort_values(["zone", "period_start", "fuel"], ignore_index=True)
    frame["due"] = frame["due_eur"].astype("float64")
    return frame.astype({"output_mw": "float64", "units": "Int64"})


def keys(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame[["zone", "period_start", "fuel"]].itertuples(index=False, name=None))


# --- buckets -----------------------------------------------------------------------------------


def by_pandas(rows: pd.DataFrame, edges: list[Any], by: list[str]) -> pd.DataFrame:
    number = np.searchsorted(
        pd.DatetimeIndex(edges), pd.DatetimeIndex(rows["period_start"]), "right"
    )
    inside = (number >= 1) & (number < len(edges))
    grouped = rows[inside].groupby(
        [pd.Series(number[inside] - 1, rows.index[inside], name="n"), *by]
    )
    found = grouped.agg(
        rows=("zone", "size"),
        output_mw_count=("output_mw", "count"),
        output_mw_mean=("output_mw", "mean"),
        output_mw_min=("output_mw", "min"),
        output_mw_max=("output_mw", "max"),
        units_mean=("units", "mean"),
        due_eur_max=("due", "max"),
    ).reset_index()
    found["bucket_start"] = [edges[n] for n in found["n"]]
    found["bucket_end"] = [edges[n + 1] for n in found["n"]]
    return found


@pytest.mark.parametrize("by", [[], ["fuel"], ["zone", "fuel"]])
@pytest.mark.parametrize("minutes", [7, 30, 60, 24 * 60])
def test_buckets_are_those_of_pandas(
    store: SqlStore, rows: pd.DataFrame, by: list[str], minutes: int
) -> None:
    step = timedelta(minutes=minutes)
    got = store.aggregate(METERS, ["output_mw", "units", "due_eur"], WINDOW, buckets=step, by=by)
    edges = list(pd.date_range(WINDOW.start, WINDOW.end, freq=step, inclusive="left"))
    wanted = by_pandas(rows, [*edges, pd.Timestamp(WINDOW.end)], by)
    assert len(got) == len(wanted) > 0
    for name in ("bucket_start", "bucket_end", *by, "rows", "output_mw_count"):
        assert got[name].tolist() == wanted[name].tolist(), name
    for name in ("output_mw_mean", "output_mw_min", "output_mw_max", "units_mean", "due_eur_max"):
        np.testing.assert_allclose(
            got[name].astype("float64"), wanted[name].astype("float64"), rtol=1e-12, err_msg=name
        )


def test_gap_stays_a_gap_and_the_window_is_half_open(store: SqlStore) -> None:
    got = store.aggregate(METERS, ["output_mw"], WINDOW, buckets=timedelta(hours=1))
    hours = got["bucket_start"].dt.strftime("%H").tolist()
    assert len(hours) == 25 - 2 and "10" not in hours and "11" not in hours
    assert got["rows"].eq(8).all()
    first = store.aggregate(
        METERS, ["output_mw"], Window(WINDOW.start, WINDOW.start + timedelta(minutes=30)), buckets=1
    )
    assert first["rows"].tolist() == [4]


def test_edges_may_be_local_days_and_a_number_of_buckets(store: SqlStore) -> None:
    edges = [day_window(pd.Timestamp(f"2024-10-{n}").date()).start for n in (26, 27, 28)]
    got = store.aggregate(METERS, ["output_mw"], buckets=edges)
    assert got["bucket_start"].tolist() == [edges[1]]
    assert got["rows"].tolist() == [(50 - 4) * 4]
    ten = store.aggregate(METERS, ["output_mw"], WINDOW, buckets=10)
    assert ten["bucket_start"].iloc[0] == WINDOW.start
    assert ten["bucket_end"].iloc[-1] == WINDOW.end and ten["rows"].sum() == (50 - 4) * 4
    assert store.aggregate(METERS, ["output_mw"], buckets=3)["rows"].sum() == (50 - 4) * 4


def test_buckets_of_some_rows(store: SqlStore, rows: pd.DataFrame) -> None:
    got = store.aggregate(
        METERS,
        ["output_mw"],
        WINDOW,
        where={"zone": "FR", "fuel": ["B16"]},
        buckets=1,
        filters=[Condition("units", ">=", 3)],
    )
    some = rows[(rows["zone"] == "FR") & (rows["fuel"] == "B16") & (rows["units"] >= 3)]
    assert got["rows"].tolist() == [len(some)]
    assert got["output_mw_min"].tolist() == [some["output_mw"].min()]
    assert store.aggregate(METERS, ["output_mw"], WINDOW, where={"zone": "ES"}).empty


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"columns": ["nothing"]}, "has no column 'nothing'"),
        ({"columns": ["remark"]}, "holds no numbers"),
        ({"by": ["output_mw"]}, "holds no names of series"),
        ({"by": ['fuel" FROM x; --']}, "has no column"),
        ({"buckets": 0}, "0 buckets"),
        ({"buckets": timedelta(milliseconds=1)}, "too many"),
        ({"buckets": [WINDOW.end, WINDOW.start]}, "each after the last"),
        ({"where": {"nothing": 1}}, "has no column 'nothing'"),
    ],
)
def test_buckets_refuse_what_makes_no_sense(
    store: SqlStore, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        store.aggregate(METERS, **({"columns": ["output_mw"], "window": WINDOW} | asked))


def test_nothing_stored_is_an_empty_frame(store: SqlStore) -> None:
    absent = Table("absent", METERS.columns, METERS.key, METERS.time)
    got = store.aggregate(absent, ["output_mw"], WINDOW, by=["fuel"])
    assert got.empty and "output_mw_mean" in got.columns
    assert str(got["bucket_start"].dtype) == "datetime64[us, UTC]"
    assert store.aggregate(absent, ["output_mw"]).empty
    assert store.page(absent, WINDOW).empty and store.count(absent) == 0
    assert store.distinct(absent, "fuel") == [] and store.extent(absent) is None
    with pytest.raises(UsageError, match="no times"):
        store.aggregate(LISTED, [])


# --- pages -------------------------------------------------------------------------------------

CONDITIONS = [
    (Condition("output_mw", ">", 100.0), lambda f: f["output_mw"] > 100),
    (Condition("output_mw", "<=", "99.5"), lambda f: f["output_mw"] <= 99.5),
    (Condition("units", "=", 4), lambda f: f["units"] == 4),
    (Condition("units", "!=", "4"), lambda f: f["units"].notna() & (f["units"] != 4)),
    (Condition("units", "is empty"), lambda f: f["units"].isna()),
    (Condition("remark", "is empty"), lambda f: f["remark"].isna()),
    (Condition("remark", "=", ""), lambda f: f["remark"] == ""),
    (Condition("remark", "contains", "0%"), lambda f: f["remark"].str.contains("0%", regex=False)),
    (Condition("remark", "contains", "A_B"), lambda f: f["remark"] == "a_b"),
    (Condition("remark", "contains", "_"), lambda f: f["remark"] == "a_b"),
    (Condition("remark", "contains", "!"), lambda f: f["remark"] == "!"),
    (Condition("remark", "contains", "GRöß"), lambda f: f["remark"] == "Größe"),
    (Condition("remark", "contains", "GRÖSS"), lambda f: f["remark"] == "never"),
    (Condition("remark", "=", "'; DROP TABLE meters; --"), lambda f: f["remark"].str[:2] == "';"),
    (Condition("remark", "<", "a"), lambda f: f["remark"] < "a"),
    (Condition("due_eur", ">=", "100"), lambda f: f["due"] >= 100),
    (Condition("due_eur", "<", 9), lambda f: f["due"] < 9),
    (Condition("doubtful", "=", "true"), lambda f: f["doubtful"] == True),  # noqa: E712
    (Condition("doubtful", "!=", True), lambda f: f["doubtful"] == False),  # noqa: E712
    (Condition("day", ">", "2024-10-25"), lambda f: f["day"] > "2024-10-25"),
    (
        Condition("period_start", ">=", "2024-10-27T15:00Z"),
        lambda f: f["period_start"] >= pd.Timestamp("2024-10-27T15:00Z"),
    ),
    (
        Condition("period_start", "<", datetime(2024, 10, 27, 1, tzinfo=UTC)),
        lambda f: f["period_start"] < pd.Timestamp("2024-10-27T01:00Z"),
    ),
    (Condition("fuel", "=", "b16"), lambda f: f["fuel"] == "b16"),
]


@pytest.mark.parametrize(("condition", "fulfils"), CONDITIONS, ids=map(str, range(len(CONDITIONS))))
def test_conditions_select_what_pandas_selects(
    store: SqlStore, rows: pd.DataFrame, condition: Condition, fulfils: Any
) -> None:
    chosen = rows[fulfils(rows).fillna(False).astype(bool)]
    got = store.page(METERS, WINDOW, filters=[condition], limit=10_000)
    assert keys(got) == keys(chosen)
    assert store.count(METERS, WINDOW, filters=[condition]) == len(chosen)


def test_every_operator_was_tried() -> None:
    assert {condition.operator for condition, _ in CONDITIONS} == set(OPERATORS)


def test_conditions_add_up(store: SqlStore, rows: pd.DataFrame) -> None:
    filters = [Condition("output_mw", ">", 80), Condition("output_mw", "<", 120)]
    chosen = rows[rows["output_mw"].between(80, 120, "neither") & (rows["zone"] == "FR")]
    assert keys(store.page(METERS, None, {"zone": "FR"}, filters, limit=999)) == keys(chosen)
    assert store.distinct(METERS, "fuel", filters=filters) == ["B16", "B19"]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Condition("output_mw", "LIKE", 1), "'LIKE' is no condition"),
        (Condition("output_mw", "= 1 OR 1 =", 1), "is no condition"),
        (Condition('zone" = zone --', "=", "x"), "has no column"),
        (Condition("output_mw", "=", "1; DROP"), "does not fit output_mw, which holds float"),
        (Condition("output_mw", ">", "nan"), "does not fit"),
        (Condition("output_mw", "=", None), "does not fit"),
        (Condition("units", "=", 10**20), "does not fit"),
        (Condition("units", "=", 1.5), "does not fit"),
        (Condition("doubtful", "=", "perhaps"), "does not fit"),
        (Condition("period_start", "<", "yesterday"), "does not fit"),
        (Condition("day", "<", "27.10.2024"), "does not fit"),
        (Condition("remark", "=", "a\0b"), "does not fit"),
        (Condition("remark", "contains", "x" * 1001), "does not fit"),
        (Condition("units", "contains", "1"), "holds no text"),
    ],
)
def test_conditions_that_do_not_fit_are_refused(
    store: SqlStore, condition: Condition, said: str
) -> None:
    for ask in (store.page, store.count):
        with pytest.raises(UsageError, match=said):
            ask(METERS, WINDOW, filters=[condition])
    assert store.count(METERS) == (50 - 4) * 4


@pytest.mark.parametrize(
    "order", ["output_mw", "-output_mw", "due_eur", "-units", "remark", "-day"]
)
def test_pages_follow_one_another_without_gap_or_overlap(
    store: SqlStore, rows: pd.DataFrame, order: str
) -> None:
    pages = [
        store.page(METERS, WINDOW, order=[order], limit=50, offset=at) for at in range(0, 250, 50)
    ]
    assert [len(page) for page in pages] == [50, 50, 50, 34, 0]
    name = order.removeprefix("-").replace("due_eur", "due")
    text = rows.assign(remark=rows["remark"].map(lambda t: t.encode() if isinstance(t, str) else t))
    wanted = text.sort_values(
        [name, "zone", "period_start", "fuel"], ascending=[order[0] != "-", True, True, True]
    )
    assert keys(pd.concat(pages)) == keys(wanted)


def test_pages_have_the_columns_and_types_of_a_read(store: SqlStore) -> None:
    page = store.page(METERS, WINDOW, limit=999)
    pd.testing.assert_frame_equal(page, store.read_table(METERS, WINDOW))
    some = store.page(METERS, WINDOW, columns=["fuel", "output_mw"], limit=2, order=["fuel"])
    assert list(some.columns) == ["fuel", "output_mw"]


@pytest.mark.parametrize(
    "asked",
    [{"limit": -1}, {"offset": -1}, {"limit": 10**9}, {"limit": "1; DROP"}, {"order": ["x"]}],
)
def test_pages_refuse_what_makes_no_sense(store: SqlStore, asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        store.page(METERS, WINDOW, **asked)


def test_distinct_values_and_extent(store: SqlStore, rows: pd.DataFrame) -> None:
    assert store.distinct(METERS, "zone") == ["DE_LU", "FR"]
    assert store.distinct(METERS, "units") == sorted(rows["units"].dropna().unique())
    assert store.distinct(METERS, "units", limit=2) == sorted(rows["units"].dropna().unique())[:2]
    assert store.distinct(METERS, "doubtful") == [False, True]
    with pytest.raises(UsageError):
        store.distinct(METERS, "nothing")
    late = [Condition("period_start", ">", "2024-10-27T12:00Z")]
    for names, filters in ((["zone", "units"], []), (["units"], late)):
        chosen = rows[rows["period_start"] > "2024-10-27T12:00Z"] if filters else rows
        wanted = chosen[names].drop_duplicates().sort_values(names, ignore_index=True)
        found = store.combinations(METERS, names, filters=filters)
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    with pytest.raises(UsageError, match="no names of series"):
        store.combinations(METERS, ["doubtful"])
    second = timedelta(seconds=1)
    first, last = rows["period_start"].min(), rows["period_start"].max()
    assert store.extent(METERS) == Window(first, last + second)
    late = [Condition("period_start", ">", "2024-10-27T12:00Z")]
    found = store.extent(METERS, {"zone": "FR"}, late)
    assert found and found.start == pd.Timestamp("2024-10-27T12:30Z")
    assert store.extent(METERS, {"zone": "ES"}) is None


def test_pages_as_of_an_instant_filter_what_was_known_then(
    request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    """A version of before must not come back because the newer one does not fulfil the condition."""
    places = [SqlitePlace(tmp_path / "grid.db"), PostgresPlace(request.getfixturevalue("postgres"))]
    for place in places:
        with place.open({"meters": METERS}) as store:
            for hour, output in ((6, 500.0), (8, 1.0), (10, 900.0)):
                row = (
                    made()
                    .iloc[:1]
                    .assign(output_mw=output, publish_time=f"2024-10-28T{hour:02}:00:00Z")
                )
                write(store, METERS, conform(METERS, row, "by hand").frame)
            large = [Condition("output_mw", ">", 100)]
            for then, known in ((5, []), (7, [500.0]), (9, []), (11, [900.0])):
                at = datetime(2024, 10, 28, then, tzinfo=UTC)
                page = store.page(METERS, WINDOW, filters=large, as_of=at)
                assert page["output_mw"].tolist() == known, (place.url, then)
                assert store.count(METERS, WINDOW, filters=large, as_of=at) == len(known)
