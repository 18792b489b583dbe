"""Declarations held against documents and stores, and the generated datasets fetched from a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fetch_data
import storage
import validate_schema
from doctor import FINE, MIND, WRONG
from domain.errors import UsageError
from domain.ledger import Events
from domain.tables import Column, Table
from sandbox import Sandbox
from sandbox.elexon_codes import build_codes
from sources import DATASETS
from sources.dataset import Dataset
from sources.elexon_codes import CODES, GROUP
from sources.elexon_rows import ELEXON, JsonRows, fingerprint
from sources.openapi import Endpoint, read_document
from stores.sql import SqlStore
from tests.integration.conftest import Cli
from tests.unit.test_elexon_codes import (
    DAY,
    NUMBER,
    PUBLISHED,
    REFERENCE,
    TEXT,
    TIME,
    WHOLE,
    document,
    get,
    maybe,
)

LEVELS = Table(
    name="levels",
    columns=(
        Column("publish_time", "time", "UTC", "When it was published", "publishTime"),
        Column("level_mw", "float", "MW", "Level", "level"),
        Column("remark", "text", "", "Remark", "remark", optional=True),
        Column("run", "text", "", "Run, where the answer names it", "runType"),
        Column("row", "text", "", "Fingerprint"),
    ),
    key=("publish_time", "row"),
    time="publish_time",
)
READ = JsonRows(
    "/datasets/LEVELS/stream",
    *PUBLISHED,
    absent=(("runType", ""),),
    made=(("row", fingerprint("level")),),
)
ROW = {
    "dataset": maybe(TEXT),
    "publishTime": TIME,
    "level": NUMBER,
    "remark": maybe(TEXT),
    "runType": maybe(TEXT),
}


def levels(table: Table = LEVELS, **changed: Any) -> Dataset:
    return Dataset(
        key="levels",
        title="Invented levels",
        provider=ELEXON,
        table=table,
        read=replace(READ, **changed),
        widest=timedelta(days=7),
        completeness=Events(),
        lag=timedelta(hours=1),
        available_from=datetime(2016, 1, 1, tzinfo=UTC).date(),
    )


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "openapi.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def endpoints(folder: Path, path: dict[str, Any]) -> dict[str, Endpoint]:
    return read_document(written(folder, {"paths": {"/datasets/LEVELS/stream": path}}))


def verdicts(folder: Path, offered: dict[str, Any], **changed: Any) -> list[tuple[str, str]]:
    found = validate_schema.against_document(levels(**changed), endpoints(folder, offered))
    return [(finding.verdict, finding.detail) for finding in found]


def without(name: str) -> dict[str, Any]:
    return {field: schema for field, schema in ROW.items() if field != name}


# --- against a document -------------------------------------------------------------------------


def test_what_fits_is_fine(tmp_path: Path) -> None:
    for path in (get((), PUBLISHED, ROW, bare=True), get(PUBLISHED, ("format",), ROW)):
        assert [verdict for verdict, _ in verdicts(tmp_path, path)] == [FINE]
    whole = get((), PUBLISHED, ROW | {"level": WHOLE})
    assert [verdict for verdict, _ in verdicts(tmp_path, whole)] == [FINE]


@pytest.mark.parametrize(
    ("path", "changed", "verdict", "said"),
    [
        (get((), ("from", "to"), ROW), {}, WRONG, "takes no publishDateTimeFrom"),
        (get((*PUBLISHED, "bmUnit"), (), ROW), {}, WRONG, "requires bmUnit"),
        (get((), PUBLISHED, ROW), {"fixed": (("page", "1"),)}, WRONG, "takes no page"),
        (
            get((), PUBLISHED, ROW, kinds=dict.fromkeys(PUBLISHED, DAY)),
            {},
            WRONG,
            "we send a time, the document says date",
        ),
        (get((), PUBLISHED, ROW), {"by_day": True}, MIND, "we send a date"),
        (get((), PUBLISHED, without("level")), {}, WRONG, "unknown to the document: level"),
        (get((), PUBLISHED, without("remark")), {}, MIND, "unknown to the document: remark"),
        (get((), PUBLISHED, without("runType")), {}, MIND, "unknown to the document: runType"),
        (
            get((), PUBLISHED, ROW | {"level": TEXT}),
            {},
            WRONG,
            "level is float here, text in the document",
        ),
        (get((), PUBLISHED, ROW | {"level": maybe(NUMBER)}), {}, MIND, "may be empty there: level"),
        (get((), PUBLISHED, ROW | {"novelty": TEXT}), {}, MIND, "not declared here: novelty"),
        (get((), PUBLISHED, {}), {}, MIND, "says nothing of the rows"),
        (get((), PUBLISHED, ROW), {"path": "/datasets/OTHER"}, WRONG, "no path /datasets/OTHER"),
    ],
)
def test_each_deviation_is_named(
    tmp_path: Path, path: dict[str, Any], changed: dict[str, Any], verdict: str, said: str
) -> None:
    ((found, detail),) = verdicts(tmp_path, path, **changed)
    assert found == verdict
    assert said in detail


def test_numbers_in_words_and_lists_are_readable_where_we_say_so(tmp_path: Path) -> None:
    spelled = get((), PUBLISHED, ROW | {"level": TEXT})
    assert verdicts(tmp_path, spelled, spelled=("level",))[0][0] == FINE
    assert verdicts(tmp_path, get((), PUBLISHED, ROW), spelled=("level",))[0][0] == WRONG
    nested = get((), PUBLISHED, ROW | {"remark": {"type": "array", "items": TEXT}})
    assert verdicts(tmp_path, nested, nested=("remark",))[0][0] == FINE
    assert verdicts(tmp_path, nested)[0][0] == WRONG


def test_names_of_parameters_in_a_path_do_not_matter(tmp_path: Path) -> None:
    content = {"paths": {"/prices/{settlementDate}": get((), (), ROW)}}
    read = read_document(written(tmp_path, content))
    found = validate_schema.against_document(levels(path="/prices/{day}", start="", end=""), read)
    assert [finding.verdict for finding in found] == [FINE]


def test_an_outdated_data_file_is_named(tmp_path: Path, store: SqlStore) -> None:
    found = validate_schema.validate(["frequency"], store, written(tmp_path, document()))
    first = next(iter(found))
    assert (first.what, first.verdict) == ("elexon_codes.toml", MIND)
    assert "new ALPHA, BETA" in first.detail
    assert "MELNGC" in first.detail


@pytest.mark.skipif(not REFERENCE.exists(), reason="the OpenAPI copy is not here")
def test_every_declaration_fits_the_document(store: SqlStore) -> None:
    found = list(validate_schema.validate([], store, REFERENCE))
    assert [finding for finding in found if finding.verdict == WRONG] == []
    elexon = {d.key for d in DATASETS if d.provider is ELEXON and GROUP not in d.groups}
    assert elexon <= {finding.what for finding in found}
    assert "elexon_codes" in {finding.what for finding in found}


# --- against a store ----------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with storage.open_store(f"sqlite:///{tmp_path / 'grid.db'}") as opened:
        yield opened


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """A store with one row of levels."""
    moment = pd.Timestamp("2024-10-27T00:00:00Z").as_unit("us")
    values: dict[str, Any] = {
        "publish_time": pd.Series([moment]),
        "level_mw": [1.5],
        "remark": pd.Series([None], dtype="str"),
        "run": pd.Series([""], dtype="str"),
        "row": pd.Series(["a"], dtype="str"),
    }
    store.write(
        LEVELS,
        pd.DataFrame(values),
        known_at=datetime(2024, 10, 28, tzinfo=UTC),
        synthetic=True,
        entries=lambda _: (),
    )
    return store


def changed_column(name: str, **changed: Any) -> Table:
    columns = [replace(c, **changed) if c.name == name else c for c in LEVELS.columns]
    return replace(LEVELS, columns=tuple(columns))


def stored_verdicts(table: Table, store: SqlStore) -> list[tuple[str, str]]:
    return [(f.verdict, f.detail) for f in validate_schema.against_store(table, store)]


def test_a_stored_table_that_fits_is_fine(filled: SqlStore) -> None:
    assert [verdict for verdict, _ in stored_verdicts(LEVELS, filled)] == [FINE]


def test_a_table_that_is_not_stored_is_no_finding(store: SqlStore) -> None:
    assert stored_verdicts(LEVELS, store) == []


@pytest.mark.parametrize(
    ("table", "verdict", "said"),
    [
        (changed_column("level_mw", unit="GW"), WRONG, "in 'GW' here and in 'MW' in the store"),
        (changed_column("level_mw", dtype="int"), WRONG, "int here and float in the store"),
        (
            replace(LEVELS, columns=(*LEVELS.columns, Column("more", "text", "", "More"))),
            WRONG,
            "lacks more, which this version needs",
        ),
        (
            replace(
                LEVELS, columns=(*LEVELS.columns, Column("more", "text", "", "M", optional=True))
            ),
            MIND,
            "the next write adds it",
        ),
        (
            replace(LEVELS, columns=tuple(c for c in LEVELS.columns if c.name != "remark")),
            MIND,
            "no longer declared: remark",
        ),
        (replace(LEVELS, key=("publish_time",)), WRONG, "row belongs to the key in the store"),
    ],
)
def test_each_difference_of_a_stored_table_is_named(
    filled: SqlStore, table: Table, verdict: str, said: str
) -> None:
    ((found, detail),) = stored_verdicts(table, filled)
    assert found == verdict
    assert said in detail


# --- the command --------------------------------------------------------------------------------


def test_the_command_tells_what_is_wrong_and_leaves_with_three(
    offline: Cli, tmp_path: Path
) -> None:
    content = document()
    paths = content["paths"]
    row = {"measurementTime": TIME, "frequency": NUMBER}
    names = ("measurementDateTimeFrom", "measurementDateTimeTo")
    paths["/datasets/FREQ/stream"] = get((), names, row, bare=True)
    path = str(written(tmp_path, content))
    fine = offline("validate-schema", "frequency", "--openapi", path)
    assert fine.returncode == 0, fine.stderr
    assert "/datasets/FREQ/stream fits" in fine.stdout
    paths["/datasets/FREQ/stream"] = get((), names, {"measurementTime": TIME}, bare=True)
    written(tmp_path, content)
    wrong = offline("validate-schema", "frequency", "--openapi", path)
    assert wrong.returncode == 3
    assert "required here, unknown to the document: frequency" in wrong.stdout


def test_the_command_without_anything_to_look_at(offline: Cli) -> None:
    found = offline("validate-schema")
    assert found.returncode == 0
    assert "no table is stored" in found.stdout


@pytest.mark.parametrize("name", ["missing.json", "broken.json"])
def test_a_document_that_cannot_be_read_is_said_in_a_sentence(
    offline: Cli, tmp_path: Path, name: str
) -> None:
    (tmp_path / "broken.json").write_text("<html>")
    found = offline("validate-schema", "--openapi", str(tmp_path / name))
    assert found.returncode == 2
    assert name in found.stderr
    assert "Traceback" not in found.stderr


def test_an_unknown_key_is_refused(store: SqlStore) -> None:
    with pytest.raises(UsageError, match="frequency"):
        list(validate_schema.validate(["frequncy"], store, None))


def test_codes_are_listed_apart(offline: Cli) -> None:
    short, long = offline("datasets").stdout, offline("datasets", "--codes").stdout
    assert f"{len(CODES)} more" in short
    assert "melngc" not in short
    assert all(code.path in long for code in CODES.values())


# --- generated datasets, fetched ----------------------------------------------------------------


@pytest.fixture
def served_codes(clean_environment: None) -> Iterator[Sandbox]:
    """A sandbox of its own that serves every code."""
    with Sandbox(now="2024-11-25T09:00:00Z") as api:
        more, series = build_codes(api.seed)
        catalogue = api.answers.catalogue
        api.answers.catalogue = replace(catalogue, endpoints=(*more, *catalogue.endpoints))
        api.answers.grid = {**api.answers.grid, **series}
        yield api


@pytest.mark.parametrize(("day", "periods"), [("2024-03-31", 46), ("2024-10-27", 50)])
def test_every_code_is_fetched_whole_and_only_once(
    served_codes: Sandbox, store: SqlStore, day: str, periods: int
) -> None:
    settings = served_codes.settings() | {"ELEXON_REQUESTS_PER_S": "1000"}
    asked = [GROUP] if day == "2024-10-27" else ["MELNGC", "mels", "QAS", "Tudm", "rzdf", "INDO"]
    report = fetch_data.fetch(asked, day, store=store, **settings)
    assert {(str(e.state), e.rows, e.note) for e in report.entries} == {("complete", periods, "")}
    assert [part.failures for part in report.fetched if part.failures] == []
    again = fetch_data.fetch(asked, day, store=store, **settings)
    assert again.requests == 0
    repeated = fetch_data.fetch(asked[:1], day, store=store, again=True, **settings)
    assert [part.changed for part in repeated.fetched] == [0] * len(repeated.fetched)
    assert not [f for f in validate_schema.validate(asked, store, None) if f.verdict != FINE]


def test_a_corrected_row_stands_beside_the_old_one(served_codes: Sandbox, store: SqlStore) -> None:
    settings = served_codes.settings() | {"ELEXON_REQUESTS_PER_S": "1000"}
    fetch_data.fetch(["melngc"], "2024-10-27", store=store, **settings)
    _, served_codes.answers.grid = build_codes(seed=8)
    served_codes.answers._cache.clear()
    fetch_data.fetch(["melngc"], "2024-10-27", store=store, again=True, **settings)
    rows = store.read("MELNGC", "2024-10-27")
    assert 50 < len(rows) <= 100
    assert not rows.duplicated(["publish_time", "row_id"]).any()
