"""Elexon's other datasets: what the data file is made of, and what the declarations claim."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import sources.openapi
from domain.errors import SchemaError, UsageError
from domain.ledger import Events
from domain.settlement import day_window
from domain.tables import Conformed
from sources.dataset import Dataset
from sources.elexon_codes import CODES, DATASETS, FILE, LEFT_OUT, declared, read_codes, snake_case
from sources.elexon_rows import JsonRows
from sources.openapi import codes, declared_by_hand, generate, read_document

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "elexon-openapi.json"
PUBLISHED = ("publishDateTimeFrom", "publishDateTimeTo")
TEXT, WHOLE = {"type": "string"}, {"type": "integer", "format": "int32"}
TIME, DAY = ({"type": "string", "format": form} for form in ("date-time", "date"))
NUMBER = {"type": "number", "format": "double"}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"nullable": True}


def get(
    required: tuple[str, ...],
    optional: tuple[str, ...],
    row: dict[str, Any],
    *,
    bare: bool = False,
    kinds: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One path of a document: its query parameters and the fields of its rows."""
    default = dict.fromkeys((*required, *optional), TIME)
    parameters = [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in (default | (kinds or {})).items()
    ]
    rows = {"type": "array", "items": {"type": "object", "properties": row}}
    schema = rows if bare else {"type": "object", "properties": {"data": rows}}
    content = {"application/json": {"schema": schema}}
    return {"get": {"parameters": parameters, "responses": {"200": {"content": content}}}}


ALPHA = {
    "dataset": maybe(TEXT),
    "publishTime": TIME,
    "startTime": TIME,
    "marginHigh": maybe(WHOLE),
    "price": NUMBER,
    "final": {"type": "boolean"},
}
BETA = {"settlementDate": DAY, "settlementPeriod": WHOLE, "bmUnit": maybe(TEXT), "volume": NUMBER}


def document() -> dict[str, Any]:
    """An invented OpenAPI document with each way of being asked and each kind of type.

    The rows of ODD refer to other schemas and hold lists and parts.
    """
    odd = get(PUBLISHED, (), {})
    rows = {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/A.Row"}}}
    odd["get"]["responses"]["200"]["content"] = {"text/json": rows}
    own = {
        "profile": maybe({"type": "array", "items": WHOLE}),
        "kind": {"$ref": "#/components/schemas/Kind"},
        "part": {"$ref": "#/components/schemas/Base"},
    }
    schemas = {
        "Base": {"type": "object", "properties": {"publishTime": TIME}},
        "Kind": {"type": "string", "enum": ["A", "B"]},
        "A.Row": {"allOf": [{"$ref": "#/components/schemas/Base"}], "properties": own},
    }
    by_period = ("settlementDate", "settlementPeriod")
    span = [f"settlement{what}{end}" for end in ("From", "To") for what in ("Date", "Period")]
    days = {"settlementDateFrom": DAY, "settlementDateTo": DAY}
    return {
        "openapi": "3.0.1",
        "paths": {
            "/datasets/ALPHA/stream": get((), PUBLISHED, ALPHA, bare=True),
            "/datasets/ALPHA": get((), (*PUBLISHED, "format"), ALPHA),
            "/datasets/BETA": get(("from", "to"), ("bmUnit", "format"), BETA),
            "/datasets/GAMMA": get(by_period, ("bmUnit",), BETA),
            "/datasets/DELTA": get(PUBLISHED, (), {"price": NUMBER}),
            "/datasets/SPAN/stream": get(tuple(span), (), BETA | {"startTime": TIME}, kinds=days),
            "/datasets/FREQ": get((), PUBLISHED, {"measurementTime": TIME}),
            "/datasets/metadata/latest": get((), (), {"lastUpdated": TIME}),
            "/datasets/ODD": odd,
            "/temperature": get((), ("from", "to"), {"temperature": NUMBER}),
        },
        "components": {"schemas": schemas},
    }


def read(content: Any) -> dict[str, sources.openapi.Endpoint]:
    """A document by way of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openapi.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_document(path)


def dataset(name: str) -> Dataset:
    return declared(name, codes(read(document()))[0][name])


def rows(one: Dataset, *answer: dict[str, Any]) -> Conformed:
    assert isinstance(one.read, JsonRows)
    return one.read.rows(one.table, json.dumps(answer).encode(), "a window")


def alpha(**changed: Any) -> dict[str, Any]:
    return {
        "dataset": "ALPHA",
        "publishTime": "2024-10-27T01:00:00Z",
        "startTime": "2024-10-27T00:30:00Z",
        "marginHigh": None,
        "price": 5.25,
        "final": True,
        **changed,
    }


class Generating(unittest.TestCase):
    def test_codes_without_a_declaration_are_found_with_types_and_family(self) -> None:
        found, _ = codes(read(document()))
        self.assertEqual(
            {name: (code.path, code.asked) for name, code in found.items()},
            {
                "ALPHA": ("/datasets/ALPHA/stream", "publish"),
                "BETA": ("/datasets/BETA", "times"),
                "ODD": ("/datasets/ODD", "publish"),
                "SPAN": ("/datasets/SPAN/stream", "settlement_periods"),
            },
        )
        self.assertEqual(
            dict(found["ALPHA"].columns),
            {
                "publishTime": ("time", False),
                "startTime": ("time", False),
                "marginHigh": ("int", True),
                "price": ("float", False),
                "final": ("flag", False),
            },
        )

    def test_references_parts_and_lists_are_followed(self) -> None:
        found, _ = codes(read(document()))
        self.assertEqual(
            dict(found["ODD"].columns),
            {
                "publishTime": ("time", False),
                "profile": ("nested", True),
                "kind": ("text", False),
                "part": ("nested", False),
            },
        )

    def test_what_cannot_be_asked_is_left_out_with_the_reason(self) -> None:
        _, left_out = codes(read(document()))
        self.assertIn("settlementDate, settlementPeriod required", left_out["GAMMA"])
        self.assertIn("no time", left_out["DELTA"])

    def test_the_same_document_gives_the_same_bytes_in_any_order(self) -> None:
        text = generate(read(document()))
        turned = document()
        turned["paths"] = dict(reversed(turned["paths"].items()))
        self.assertEqual(generate(read(turned)), text)

    def test_the_file_says_what_was_found(self) -> None:
        endpoints = read(document())
        self.assertEqual(read_codes(generate(endpoints)), codes(endpoints))

    def test_what_is_no_document_is_refused_in_words(self) -> None:
        for content in ("{", "[]", "{}", '{"paths": {"/x": {"get": 5}}}', '{"paths": 1}'):
            with self.subTest(content=content), self.assertRaises(UsageError):
                read(content)
        with self.assertRaisesRegex(UsageError, "cannot be read"):
            read_document(Path("/nowhere/openapi.json"))


class Command(unittest.TestCase):
    def run_it(self, *arguments: str) -> tuple[int, str, str]:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "openapi.json", Path(folder) / "codes.toml"
            source.write_text(json.dumps(document()))
            given = [str(source) if text == "SOURCE" else text for text in arguments]
            err = io.StringIO()
            with (
                mock.patch.object(sources.openapi, "FILE", target),
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(err),
            ):
                code = sources.openapi.main(given)
            return code, err.getvalue(), target.read_text() if target.exists() else ""

    def test_it_writes_the_file(self) -> None:
        code, _, written = self.run_it("SOURCE")
        self.assertEqual((code, written), (0, generate(read(document()))))

    def test_without_a_document_nothing_is_written(self) -> None:
        for arguments in ((), ("/nowhere.json",), ("SOURCE", "SOURCE")):
            with self.subTest(arguments=arguments):
                code, said, written = self.run_it(*arguments)
                self.assertEqual((code, written), (2, ""))
                self.assertTrue(said)


class Declarations(unittest.TestCase):
    def test_they_claim_no_more_than_is_known(self) -> None:
        self.assertEqual(len(DATASETS), len(CODES))
        for one in DATASETS:
            with self.subTest(dataset=one.key):
                self.assertEqual(one.groups, ("elexon_codes",))
                self.assertIsInstance(one.completeness, Events)
                self.assertEqual(one.table.name, one.key)
                self.assertEqual(one.table.key, (one.table.time, "row_id"))
                self.assertEqual(len(one.table.names), len(set(one.table.names)))
                for column in one.table.columns:
                    self.assertEqual(column.unit, "UTC" if column.dtype == "time" else "")
                    self.assertTrue(column.description)

    def test_what_is_declared_by_hand_is_not_there_twice(self) -> None:
        self.assertEqual(declared_by_hand() & set(CODES), set())
        self.assertTrue({"FREQ", "AGWS", "TEMP", "NETBSAD", "REMIT"} <= declared_by_hand())
        self.assertTrue({"INDO", "ITSDO", "MELNGC", "MELS", "TUDM"} <= set(CODES))

    @unittest.skipUnless(REFERENCE.exists(), "the OpenAPI copy is not here")
    def test_the_file_is_what_the_document_gives(self) -> None:
        endpoints = read_document(REFERENCE)
        text = FILE.read_text(encoding="utf-8")
        self.assertEqual(text, generate(endpoints), "run: python -m sources.openapi PATH")
        self.assertEqual(LEFT_OUT, {})

    def test_large_tables_are_asked_in_parts(self) -> None:
        self.assertIsNotNone(dataset("BETA").read.part)  # type: ignore[union-attr]
        self.assertIsNone(dataset("ALPHA").read.part)  # type: ignore[union-attr]

    def test_words_are_spelt_as_ours(self) -> None:
        for theirs, ours in {
            "mRID": "m_rid", "forecastDemand60": "forecast_demand60", "time": "time",
            "registeredResourceEicCode": "registered_resource_eic_code", "elbow2": "elbow2",
        }.items():  # fmt: skip
            self.assertEqual(snake_case(theirs), ours)


class Rows(unittest.TestCase):
    def test_equal_rows_are_one_and_a_corrected_row_stands_beside(self) -> None:
        found = rows(dataset("ALPHA"), alpha(), alpha(), alpha(price=5.5))
        self.assertEqual(sorted(found.frame["price"]), [5.25, 5.5])
        self.assertEqual((len(found.older), found.conflicts), (0, 0))

    def test_the_fingerprint_hangs_on_values_and_not_on_their_spelling(self) -> None:
        (plain,) = rows(dataset("ALPHA"), alpha(price=5)).frame["row_id"]
        without = {name: value for name, value in alpha(price=5).items() if name != "marginHigh"}
        for other in (alpha(price=5.0), alpha(price=5, novelty="x"), without):
            with self.subTest(row=other):
                self.assertEqual(list(rows(dataset("ALPHA"), other).frame["row_id"]), [plain])
        (changed,) = rows(dataset("ALPHA"), alpha(price=5, marginHigh=1)).frame["row_id"]
        self.assertNotEqual(changed, plain)

    def test_values_that_change_places_are_another_row(self) -> None:
        one, other = {"kind": "A", "profile": [1]}, {"kind": "1", "profile": ["A"]}
        base = {"publishTime": "2024-10-27T01:00:00Z", "part": {}}
        found = rows(dataset("ODD"), base | one, base | other)
        self.assertEqual(len(found.frame), 2)
        self.assertEqual(sorted(found.frame["profile"]), ['["A"]', "[1]"])

    def test_rows_without_a_time_get_the_start_of_their_period(self) -> None:
        row = {"settlementDate": "2024-10-27", "settlementPeriod": 50, "volume": 1.5}
        found = rows(dataset("BETA"), row | {"bmUnit": "T_X-1"})
        self.assertEqual(
            list(found.frame["period_start"]), [datetime(2024, 10, 27, 23, 30, tzinfo=UTC)]
        )

    def test_settlement_periods_are_asked_for_whole_days(self) -> None:
        one = dataset("SPAN")
        assert isinstance(one.read, JsonRows)
        self.assertEqual(
            one.read._parameters(day_window(date(2024, 3, 31))),
            {
                "settlementDateFrom": "2024-03-31",
                "settlementDateTo": "2024-03-31",
                "settlementPeriodFrom": "1",
                "settlementPeriodTo": "50",
            },
        )

    def test_no_rows_are_no_rows(self) -> None:
        for name in ("ALPHA", "BETA", "ODD"):
            self.assertEqual(len(rows(dataset(name)).frame), 0)

    def test_rows_of_another_kind_are_refused(self) -> None:
        renamed = {("issued" if k == "publishTime" else k): v for k, v in alpha().items()}
        for name, row in {
            "a time that is gone": renamed,
            "nothing known": {"x": 1},
            "words for a number": alpha(price="n/a"),
            "an empty time": alpha(publishTime=None),
        }.items():
            with self.subTest(name), self.assertRaises(SchemaError):
                rows(dataset("ALPHA"), row)


if __name__ == "__main__":
    unittest.main()
