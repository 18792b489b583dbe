"""The synthetic VPP folder: a plain reader of its own finds the truth, and all the dirt is there."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.vpp import Contract, Snapshot, Truth, Written, live_mean, write_folder
from sandbox.vpp.clock import berlin_offset, quarter_hours

DAYS = (date(2024, 3, 31), date(2024, 10, 27))
BERLIN = "Europe/Berlin"
QUARTER = timedelta(minutes=15)


def at(text: str) -> int:
    """Epoch seconds of a text in any ISO spelling; a missing offset means UTC."""
    moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def number(text: str) -> Decimal:
    """A number with a decimal point; anything else is refused."""
    return Decimal(text) if text not in ("NaN", "Infinity") else Decimal("x")


class Reader:
    """Reads a folder file by file; a fault rejects its file and is remembered with its line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, set[int]] = {}
        snapshots = sorted(folder.glob("crm/*.csv"))
        self.contracts = {row["asset_id"]: row for row in self.rows(snapshots[-1])}
        self.asset_of = {row["metering_point_id"]: name for name, row in self.contracts.items()}

    def fault(self, path: Path, line: int = 0) -> None:
        self.faults.setdefault(path.relative_to(self.folder).as_posix(), set()).add(line)

    def rows(self, path: Path, separator: str = ",") -> Iterator[dict[str, Any]]:
        """Rows as dictionaries with their line; a row of another width is a fault."""
        lines = path.read_text(encoding="utf-8").splitlines()
        skipped = 1 if lines[0].startswith("#") else 0
        table = csv.reader(lines[skipped:], delimiter=separator)
        header = next(table)
        for line, cells in enumerate(table, start=skipped + 2):
            if len(cells) == len(header):
                yield dict(zip(header, cells, strict=True)) | {"line": line}
            else:
                self.fault(path, line)

    def documents(self, folder: str) -> Iterator[tuple[Path, dict[str, Any], dict[str, list[Any]]]]:
        for path in sorted((self.folder / folder).glob("*.json")):
            try:
                content = json.loads(path.read_bytes())
            except ValueError:
                self.fault(path)
                continue
            columns = dict(zip(content["column_ids"], content["values"], strict=True))
            if len({len(values) for values in columns.values()}) == 1:
                yield path, content, columns
            else:
                self.fault(path)

    def live(self) -> set[tuple[str, int, float]]:
        found = set()
        for path, content, columns in self.documents("vpp/live_measured_infeed"):
            asset = content["key"].get("asset_id") or content["key"]["entity_id"]
            limit = 1_200 * float(self.contracts[asset]["capacity"])
            if max(columns["value"]) > limit:
                self.fault(path)
                continue
            samples = zip(columns["timestamp"], columns["value"], strict=True)
            found |= {(asset, int(instant), power) for instant, power in samples}
        return found

    def forecasts(self) -> dict[tuple[str, int, int], float]:
        found: dict[tuple[str, int, int], float] = {}
        for path, content, columns in self.documents("vpp/forecasts"):
            asset = content["key"]["asset_id"]
            names = ("start", "end", "version")
            times = {name: [self.instant(cell) for cell in columns[name]] for name in names}
            version = times["version"][0]
            plausible = version % 900 == 0 and version > at("2000-01-01")
            numeric = all(isinstance(power, float) for power in columns["power"])
            if asset not in self.contracts or not plausible or not numeric:
                self.fault(path)
                continue
            assert set(times["version"]) == {version} and len(times["start"]) == 193
            assert all(e - s == 900 for s, e in zip(times["start"], times["end"], strict=True))
            for start, power in zip(times["start"], columns["power"], strict=True):
                assert found.setdefault((asset, version, start), power) == power
        return found

    @staticmethod
    def instant(cell: int | str) -> int:
        if isinstance(cell, str):
            return at(cell)
        return cell if cell < 1e11 else cell // 1_000

    def final(self) -> dict[tuple[str, int], float]:
        found = {}
        for path in sorted(self.folder.glob("distribution_system_operator/final_production_*")):
            header = path.read_text(encoding="utf-8").splitlines()[0]
            column = header.split(",")[1]
            asset = self.asset_of.get(column.removesuffix("__kw_"))
            if asset is None:
                self.fault(path, 1)
                continue
            for row in self.rows(path):
                try:
                    power = float(row[column])
                except ValueError:
                    self.fault(path, row["line"])
                    continue
                assert row["delivery_start__utc_"].endswith(" UTC")
                found[asset, at(row["delivery_start__utc_"])] = power
        return found

    def redispatch(self) -> set[tuple[str, int]]:
        found = set()
        for path in sorted(self.folder.glob("distribution_system_operator/redispatch_flag_*")):
            asset = self.asset_of[path.stem.split("_")[2]]
            for row in self.rows(path):
                if row["is_redispatched"].lower() not in ("true", "false"):
                    self.fault(path, row["line"])
                elif row["is_redispatched"].lower() == "true":
                    span = at(row["delivery_start"]), at(row["delivery_end"])
                    found |= {(asset, start) for start in range(*span, 900)}
        return found

    def compensation(self) -> dict[int, Decimal]:
        paths = self.folder.glob("distribution_system_operator/redispatch_compensation_*")
        rows = [row for path in sorted(paths) for row in self.rows(path)]
        return {
            at(row["delivery_start__utc_"]): Decimal(row["price__euro_per_mwh_"]) for row in rows
        }

    def trades(self, kind: str) -> dict[str, tuple[Any, ...]]:
        found: dict[str, tuple[Any, ...]] = {}
        for path in sorted(self.folder.glob(f"exchange/{kind}_Trades-*.csv")):
            for row in self.rows(path, ";"):
                hours = Decimal(at(row["DeliveryEnd"]) - at(row["DeliveryStart"])) / 3_600
                try:
                    price, volume = number(row["Price"]), number(row["Volume"])
                    mwh = {"MW": volume * hours, "MWH": volume}[row["VolumeUnit"]]
                    assert row["Side"] in ("BUY", "SELL")
                except (ArithmeticError, KeyError, AssertionError):
                    self.fault(path, row["line"])
                    continue
                executed = datetime.fromisoformat(row["ExecutionTime"])
                found[row["TradeId"]] = (
                    at(row["DeliveryStart"]), at(row["DeliveryEnd"]), executed, price, mwh
                )  # fmt: skip
        return found

    def imbalance(self, kind: str) -> dict[int, tuple[str, ...]]:
        found = {}
        for path in sorted(self.folder.glob(f"imbalance/imbalance_price_{kind}_*.csv")):
            for row in self.rows(path, ";"):
                try:
                    begin, end = (
                        datetime.strptime(f"{row['Datum']} {row[name]}", "%d.%m.%Y %H:%M")
                        for name in ("von", "bis")
                    )
                except ValueError:
                    self.fault(path, row["line"])
                    continue
                end += timedelta(days=end.time() == datetime.min.time())
                assert end - begin == QUARTER and row["Zeitzone"] == "UTC"
                cells = list(row.values())[7:9]
                if cells[0]:
                    prices = tuple(cell.replace(",", ".") for cell in cells)
                    found[at(begin.isoformat())] = prices
        return found


@cache
def demonstration() -> Written:
    """The folder of the two demonstration days, written once for all tests that only read it."""
    folder = Path(tempfile.mkdtemp())
    unittest.addModuleCleanup(shutil.rmtree, folder)
    return write_folder(folder, DAYS)


class FolderCase(unittest.TestCase):
    """The tests of what is in the folder of the two demonstration days."""

    folder: Path
    written: Written
    truth: Truth
    reader: Reader

    @classmethod
    def setUpClass(cls) -> None:
        cls.written = demonstration()
        cls.folder = cls.written.folder
        cls.truth = cls.written.truth
        cls.reader = Reader(cls.folder)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def names(self, pattern: str) -> list[str]:
        """The names of files that are not broken."""
        broken = {defect.file for defect in self.written.defects}
        found = [path.relative_to(self.folder).as_posix() for path in self.folder.glob(pattern)]
        return sorted(set(found) - broken)


class FilesGiveTheTruth(FolderCase):
    first = (date(2024, 3, 24) - date(1970, 1, 1)).days * 86_400
    quiet = first + 2 * 86_400  # what lies before belongs to the day of defects

    def test_every_file_is_listed(self) -> None:
        found = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.*"))
        self.assertEqual(found, list(self.written.files))

    def test_live(self) -> None:
        found = {row for row in self.reader.live() if row[1] >= self.quiet * 1_000}
        self.assertEqual(found, {tuple(row) for row in self.truth.live_rows()})

    def test_final_production(self) -> None:
        found = {key: kw for key, kw in self.reader.final().items() if key[1] >= self.quiet}
        rows = self.truth.final_rows()
        self.assertEqual(found, {(row.asset_id, row.start): row.power_kw for row in rows})

    def test_forecasts(self) -> None:
        rows = {(r.asset_id, r.version, r.start): r.power_kw for r in self.truth.forecast_rows()}
        self.assertEqual(self.reader.forecasts(), rows)

    def test_redispatch(self) -> None:
        truth = {(name, start) for name, spans in self.truth.redispatch.items() for start in spans}
        self.assertEqual(self.reader.redispatch(), truth)
        self.assertEqual(self.reader.compensation(), self.truth.compensation)

    def test_trades(self) -> None:
        for kind, trades in (
            ("Private", self.truth.private_trades),
            ("Public", self.truth.public_trades),
        ):
            rows = self.reader.trades(kind)
            found = {name: row for name, row in rows.items() if row[0] >= self.quiet}
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            truth = {
                one.trade_id: (
                    one.start, one.end, epoch + timedelta(milliseconds=one.execution_ms),
                    one.price, one.mwh,
                )
                for one in trades
            }  # fmt: skip
            self.assertEqual(found, truth)

    def test_imbalance(self) -> None:
        final, estimate = self.reader.imbalance("final"), self.reader.imbalance("estimation")
        truth = self.truth.imbalance.values()
        finals = {
            one.start: (str(one.final_short), str(one.final_long))
            for one in truth
            if one.final_short is not None
        }
        self.assertEqual({s: row for s, row in final.items() if s >= self.quiet}, finals)
        guesses = {one.start: (str(one.estimate), str(one.status)) for one in truth}
        self.assertEqual(estimate, guesses)
        self.assertEqual({one.start for one in truth if one.start in final}, set(finals))

    def test_contracts(self) -> None:
        for as_of, file in (
            (None, "20241016_053417"),
            ("2024-10-16T05:29:59Z", "20241001_053000"),
            ("2024-02-20T00:00:00Z", "20240216_053000"),
        ):
            rows = list(self.reader.rows(self.folder / f"crm/asset_contracts_{file}.csv"))
            found = [
                (row["contract_id"], row["price"], row["fee"], row["fee_percent"]) for row in rows
            ]
            truth = [
                (one.contract_id, *("" if c is None else str(c) for c in cells))
                for one in self.truth.assets(as_of)
                for cells in [(one.price, one.fee, one.fee_percent)]
            ]
            with self.subTest(as_of=as_of):
                self.assertEqual(found, truth)
        self.assertEqual(self.truth.assets("2024-02-01T00:00:00Z"), ())

    def test_faults_are_the_defects(self) -> None:
        for read in ("live", "forecasts", "final", "redispatch", "compensation"):
            getattr(self.reader, read)()
        for kind in ("Private", "Public"):
            self.reader.trades(kind)
        for kind in ("final", "estimation"):
            self.reader.imbalance(kind)
        listed: dict[str, set[int]] = {}
        for defect in self.written.defects:
            listed.setdefault(defect.file, set()).add(defect.line or 0)
            self.assertTrue(defect.reason and defect.place)
        self.assertEqual(self.reader.faults, listed)
        self.assertGreaterEqual(sum(map(len, listed.values())), 16)


class Dirt(FolderCase):
    def documents(self, pattern: str) -> dict[str, Any]:
        return {name: json.loads(self.text(name)) for name in self.names(pattern)}

    def test_contracts(self) -> None:
        names = self.names("crm/*.csv")
        headers = [self.text(name).splitlines()[0] for name in names]
        self.assertGreaterEqual(len(names), 4)
        self.assertEqual(self.text(names[-1]), self.text(names[-2]), "delivered twice")
        self.assertFalse(headers[0].endswith("email"))
        self.assertTrue(headers[1].endswith("fee_percent,email"))
        self.assertTrue(headers[-1].endswith(",email,sales_region"))
        self.assertIn(",owner1@example.invalid", self.text(names[-1]))
        self.assertIn("WIND_90", self.text(names[0]), "a union of snapshots would be wrong")
        self.assertNotIn("WIND_90", "".join(map(self.text, names[1:])))
        self.assertNotEqual(*(one[0].price for one in map(self.truth.assets, (None, "2024-04-02"))))
        self.assertEqual([c.asset_id for c in self.truth.assets() if not c.billable], ["WIND_03"])

    def test_technical_data(self) -> None:
        documents = self.documents("vpp/technical_data/*.json")
        kinds = {
            type(asset["technical_attributes"]["capacity_kw"])
            for document in documents.values()
            for asset in document["assets"]
        }
        self.assertEqual(kinds, {int, float})
        days = {name.split("_")[-1][:8] for name in documents}
        self.assertTrue({"20240330", "20240401"} <= days)
        self.assertNotIn("20240331", days)

    def test_live(self) -> None:
        documents = self.documents("vpp/live_measured_infeed/*.json").values()
        self.assertEqual(
            {key for one in documents for key in one["key"]}, {"asset_id", "entity_id", "type_id"}
        )
        self.assertEqual(len({tuple(one["column_ids"]) for one in documents}), 3)
        self.assertEqual(len({tuple(one["units"]) for one in documents}), 3)
        for one in documents:
            stamps = one["values"][one["column_ids"].index("timestamp")]
            self.assertTrue(all(isinstance(stamp, float) for stamp in stamps))
        capacity = {one.asset_id: 1_000 * float(one.capacity_mw) for one in self.truth.assets()}
        shares = [row.power_kw / capacity[row.asset_id] for row in self.truth.live_rows()]
        self.assertTrue(-0.01 < min(shares) < 0 and 1 < max(shares) < 1.02)

    def test_live_rhythm(self) -> None:
        for samples in self.truth.live.values():
            steps = [b[0] - a[0] for a, b in pairwise(samples)]
            self.assertAlmostEqual(sorted(steps)[len(steps) // 2], 60_000, delta=5_000)
            self.assertTrue(min(steps) > 0 and len(set(steps)) > 1_000)
        for day in DAYS:
            for contract in self.truth.assets():
                starts = quarter_hours((day - date(1970, 1, 1)).days)
                shares = [self.truth.live_quarter(contract.asset_id, one)[1] for one in starts]
                self.assertIn(0.0, shares)
                self.assertGreater(shares.count(1.0), 40)
                self.assertTrue(any(0 < share < 1 for share in shares))

    def test_live_files_cover_berlin_days(self) -> None:
        for text, first, last in (
            ("20240331", "2024-03-30T23:00", "2024-03-31T22:00"),
            ("20241027", "2024-10-26T22:00", "2024-10-27T23:00"),
        ):
            one = json.loads(self.text(f"vpp/live_measured_infeed/SOLAR_05_{text}.json"))
            stamps = one["values"][one["column_ids"].index("timestamp")]
            self.assertTrue(at(first) <= min(stamps) / 1_000 < at(first) + 7_200)
            self.assertTrue(at(last) - 7_200 <= max(stamps) / 1_000 < at(last))

    def test_forecast_times(self) -> None:
        kinds: Counter[str] = Counter()
        spellings: dict[int, set[str]] = {}
        for name, one in self.documents("vpp/forecasts/*.json").items():
            version = one["values"][one["column_ids"].index("version")][0]
            label = one["units"][one["column_ids"].index("version")]
            if isinstance(version, str):
                spellings.setdefault(at(version), set()).add(name)
            else:
                kinds[f"{label} {'seconds' if version < 1e11 else 'milliseconds'}"] += 1
        self.assertEqual(set(kinds), {"ms seconds", "ms milliseconds"})
        self.assertTrue(spellings)
        self.assertEqual({len(names) for names in spellings.values()}, {2})

    def test_latest_tradeable_version_exists(self) -> None:
        for zone in ("UTC", BERLIN):
            for day in DAYS:
                for start in quarter_hours((day - date(1970, 1, 1)).days, zone):
                    found = self.truth.latest_forecast("WIND_01", start, tradeable=True, exact=True)
                    self.assertIsNotNone(found)
                    self.assertIsNotNone(self.truth.latest_forecast("WIND_06", start))
        one = at("2024-03-31T10:15")
        self.assertIsNone(self.truth.latest_forecast("WIND_06", one, exact=True))

    def test_grid_operator(self) -> None:
        folder = "distribution_system_operator"
        name = f"{folder}/final_production_DE0009900000000000000000000000001_20240331.csv"
        lines = self.text(name).splitlines()
        self.assertEqual(len(lines), 97)
        self.assertTrue(lines[1].startswith("2024-03-31 00:00:00 UTC,"))
        gone = {one.asset_id for one in self.truth.assets()} - {
            row.asset_id for row in self.truth.final_rows() if row.start == at("2024-03-31")
        }
        self.assertEqual(gone, {"WIND_03", "WIND_04"})
        flags = "".join(map(self.text, self.names(f"{folder}/redispatch_flag_*")))
        self.assertTrue("False" in flags and "True" in flags and "true" in flags)
        self.assertNotIn("DE00099", flags)
        self.assertEqual(self.truth.redispatch["SOLAR_05"], {})
        prices = self.truth.compensation.values()
        self.assertTrue(min(prices) < 0 < max(prices))

    def test_trades(self) -> None:
        private = [self.text(name).splitlines() for name in self.names("exchange/Private*")]
        public = [self.text(name).splitlines() for name in self.names("exchange/Public*")]
        self.assertTrue(all(one[0].startswith("# ") for one in private + public))
        self.assertGreater(len(public[0][1].split(";")), len(private[0][1].split(";")))
        rows = [line.split(";") for one in private for line in one[2:]]
        again = Counter(row[0] for row in rows)
        self.assertEqual(max(again.values()), 2, "the same TradeId in two files")
        legs = Counter(line.split(";")[0] for one in public for line in one[2:])
        self.assertEqual(max(legs.values()), 2, "both legs of one id")
        self.assertEqual({"." in row[4] for row in rows}, {True, False})
        self.assertEqual({"." in row[2] for row in rows}, {True, False})
        self.assertEqual({row[8] for row in rows}, {"MW", "MWH"})
        for trades in (self.truth.private_trades, self.truth.public_trades):
            self.assertEqual({one.end - one.start for one in trades}, {900, 3_600})
            self.assertLess(min(one.price for one in trades), 0)
            fills = Counter((t.sides, t.start, t.execution_ms, t.price, t.volume) for t in trades)
            self.assertGreaterEqual(max(fills.values()), 2, "equal rows, two ids")
        day = at("2024-03-31")
        hours = {one.start // 3_600 for one in self.truth.public_trades}
        self.assertNotIn(day // 3_600 + 3, hours)
        self.assertIn(day // 3_600 + 4, hours)

    def test_imbalance(self) -> None:
        final = self.text("imbalance/imbalance_price_final_20240331.csv").splitlines()
        estimate = self.text("imbalance/imbalance_price_estimation_20240331.csv").splitlines()
        self.assertTrue(final[0].endswith(";Einheit;reBAP unterdeckt;reBAP ueberdeckt"))
        self.assertTrue(estimate[0].endswith(";Einheit;AEP-Schätzer;Status"))
        self.assertLess(len(final), 97)
        self.assertTrue(any(line.endswith(";EUR/MWh;;") for line in final), "an empty field")
        self.assertIn(";23:45;00:00;", estimate[-1])
        self.assertTrue(all("," in line for line in estimate[1:]))
        self.assertNotEqual({line[-1] for line in estimate[1:]}, {"0"})
        sources = {self.truth.imbalance_price(at("2024-03-31") + n * 900)[1] for n in range(96)}  # type: ignore[index]
        self.assertEqual(sources, {"final", "estimate", "doubtful"})


class Arguments(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def content(self, name: str) -> dict[str, bytes]:
        base = self.folder / name
        return {p.relative_to(base).as_posix(): p.read_bytes() for p in base.rglob("*.*")}

    def test_the_same_bytes_again(self) -> None:
        for name in "ab":
            write_folder(self.folder / name, [DAYS[0]], assets=4)
        write_folder(self.folder / "c", [DAYS[0]], assets=4, seed=8)
        self.assertEqual(self.content("a"), self.content("b"))
        self.assertNotEqual(self.content("a"), self.content("c"))

    def test_another_process_another_zone_another_hash_seed(self) -> None:
        write_folder(self.folder / "a", [DAYS[1]], assets=3)
        program = (
            "from datetime import date; from pathlib import Path; import sys; "
            "from sandbox.vpp import write_folder; "
            "write_folder(Path(sys.argv[1]), [date(2024, 10, 27)], assets=3)"
        )
        environment = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "123"}
        command = [sys.executable, "-c", program, str(self.folder / "b")]
        project = Path(__file__).resolve().parents[2]
        subprocess.run(command, cwd=project, env=environment, check=True)
        self.assertEqual(self.content("a"), self.content("b"))

    def test_a_value_does_not_depend_on_the_days_asked(self) -> None:
        one = write_folder(self.folder / "a", [DAYS[1]], assets=3).truth
        days = [DAYS[1] - timedelta(days=3), DAYS[1]]
        two = write_folder(self.folder / "b", days, assets=3).truth
        self.assertTrue(set(one.live_rows()) < set(two.live_rows()))
        self.assertTrue(set(one.final_rows()) < set(two.final_rows()))
        self.assertTrue(set(one.forecast_rows()) < set(two.forecast_rows()))
        self.assertTrue(set(one.private_trades) < set(two.private_trades))

    def test_clean(self) -> None:
        written = write_folder(self.folder / "a", [DAYS[0]], dirt=False)
        reader = Reader(self.folder / "a")
        self.assertEqual(written.defects, ())
        self.assertEqual(reader.live(), {tuple(row) for row in written.truth.live_rows()})
        self.assertEqual(len(reader.forecasts()), len(list(written.truth.forecast_rows())))
        self.assertEqual(len(reader.final()), 6 * 2 * 96)
        self.assertEqual(reader.faults, {})
        self.assertTrue(all(one.billable for one in written.truth.assets()))
        for row in written.truth.best_of_infeed():
            self.assertEqual((row.source, row.live_coverage), ("final", 1.0))

    def test_known_in_the_middle_of_a_day(self) -> None:
        noon = "2024-03-31T12:00:00Z"
        early = write_folder(self.folder / "a", [DAYS[0]], as_of=noon).truth
        late = write_folder(self.folder / "b", [DAYS[0]]).truth
        for name, body in self.content("a").items():
            if "/forecasts/" in name:
                self.assertEqual(body, self.content("b")[name])
                break
        self.assertLess(max(row.instant_ms for row in early.live_rows()), at(noon) * 1_000)
        self.assertEqual(max(row.version for row in early.forecast_rows()), at(noon))
        self.assertFalse([row for row in early.final_rows() if row.start >= at("2024-03-31")])
        rows = {row[:2]: row for row in early.best_of_infeed()}
        self.assertEqual(rows["WIND_06", at("2024-03-31T20:00")].source, "forecast")
        self.assertEqual(
            late.latest_forecast("WIND_06", at("2024-03-31T20:00"), as_of=noon),
            early.latest_forecast("WIND_06", at("2024-03-31T20:00")),
        )

    def test_late_final(self) -> None:
        early = write_folder(self.folder / "a", [DAYS[0]]).truth.best_of_infeed()
        late = write_folder(self.folder / "a", [DAYS[0]], late_final=True).truth.best_of_infeed()
        self.assertEqual({r.source for r in early if r.asset_id == "WIND_03"}, {"live", "forecast"})
        self.assertEqual({r.source for r in late if r.asset_id == "WIND_03"}, {"final"})

    def test_wrong_arguments(self) -> None:
        for days, assets in (([], 6), (DAYS, 2)):
            with self.assertRaises(ValueError):
                write_folder(self.folder, days, assets=assets)
        truth = Truth((), 0, ())
        with self.assertRaises(ValueError):
            truth.best_of_infeed([DAYS[0]])
        with self.assertRaises(ValueError):
            quarter_hours(0, "Europe/London")


class Products(FolderCase):
    def test_quarter_hours(self) -> None:
        for day, expected in ((DAYS[0], 92), (date(2024, 6, 1), 96), (DAYS[1], 100)):
            number = (day - date(1970, 1, 1)).days
            self.assertEqual(len(quarter_hours(number, BERLIN)), expected)
            self.assertEqual(len(quarter_hours(number)), 96)

    def test_berlin_clock_against_the_time_zone_database(self) -> None:
        zone = ZoneInfo(BERLIN)
        for year in (2023, 2024, 2025, 2026):
            for hour in range(0, 366 * 24):
                instant = at(f"{year}-01-01") + hour * 3_600
                offset = datetime.fromtimestamp(instant, zone).utcoffset()
                self.assertEqual(timedelta(seconds=berlin_offset(instant)), offset)

    def test_all_sources_on_the_demonstration_days(self) -> None:
        for zone, quarters in (("UTC", (96, 96)), (BERLIN, (92, 100))):
            for day, expected in zip(DAYS, quarters, strict=True):
                rows = self.truth.best_of_infeed([day], zone=zone)
                self.assertEqual(len(rows), 6 * expected)
                counts = Counter(row.source for row in rows)
                self.assertEqual(set(counts), {"final", "live", "forecast"})
                self.assertGreater(counts["final"], 3 * expected)
                curtailed = [r for r in rows if r.redispatched and r.source == "forecast"]
                self.assertEqual(len(curtailed), 8)
                self.assertEqual({row.power_kw for row in curtailed}, {0.0})
                for row in curtailed:
                    found = self.truth.latest_forecast(row.asset_id, row.start)
                    self.assertTrue(found is not None and found[1] > 0)

    def test_portfolio(self) -> None:
        rows = self.truth.best_of_infeed(zone=BERLIN)
        sums = self.truth.portfolio_best_of_infeed(zone=BERLIN)
        self.assertEqual(len(sums), 92 + 100)
        for one in sums:
            parts = [row for row in rows if row.start == one.start]
            self.assertAlmostEqual(one.power_kw, sum(row.power_kw or 0 for row in parts))
            self.assertAlmostEqual(one.energy_mwh, one.power_kw / 4_000)
            self.assertEqual((one.final + one.live + one.forecast, one.missing), (6, 0))

    def test_live_mean_second_by_second(self) -> None:
        samples = self.truth.live["WIND_06"]
        start = at("2024-10-27T08:00")
        for quarter in range(start, start + 6 * 3_600, 900):
            near = [one for one in samples if abs(one[0] / 1_000 - quarter) < 1_800]
            values = []
            for second in range(quarter, quarter + 900):
                known = [p for t, p in near if (second - 300) * 1_000 < t <= second * 1_000]
                values += known[-1:]
            mean, coverage = live_mean(samples, quarter)
            self.assertAlmostEqual(coverage, len(values) / 900, delta=0.01)
            if values and mean is not None:
                self.assertAlmostEqual(mean, sum(values) / len(values), delta=0.01 * mean + 5)


class ByHand(unittest.TestCase):
    """Numbers that were worked out on paper."""

    def test_live_mean(self) -> None:
        # 100 kW for one minute, 400 kW for four, then a hole: the value holds for five minutes.
        samples = [(0, 100.0), (60_000, 400.0), (300_000, 200.0)]
        mean, coverage = live_mean(samples, 0)
        self.assertAlmostEqual(mean or 0, (100 * 1 + 400 * 4 + 200 * 5) / 10)  # 270 kW
        self.assertAlmostEqual(coverage, 10 / 15)
        mean, coverage = live_mean(samples, 0, hold_s=60)
        self.assertAlmostEqual(mean or 0, (100 + 400 + 200) / 3)
        self.assertAlmostEqual(coverage, 3 / 15)
        self.assertEqual(live_mean(samples, 900), (None, 0.0))
        self.assertEqual(live_mean(samples, 0, until=30), (100.0, 30 / 900))

    def test_value_from_before_the_quarter_hour(self) -> None:
        mean, coverage = live_mean([(780_000, 60.0), (1_020_000, 30.0)], 900)
        self.assertAlmostEqual(mean or 0, (60 * 2 + 30 * 5) / 7)
        self.assertAlmostEqual(coverage, 7 / 15)

    def test_negative_only_after_averaging(self) -> None:
        # -10 kW for five minutes and +20 kW for five: 5 kW, not 10.
        self.assertEqual(live_mean([(0, -10.0), (300_000, 20.0)], 0)[0], 5.0)
        self.assertEqual(live_mean([(0, -10.0)], 0), (0.0, 1 / 3))

    def test_priority(self) -> None:
        names = ("A", "B", "C", "D", "E", "F")
        contract = Contract(
            "C", "A", "P", Decimal(1), "wind", date(2020, 1, 1), date(2030, 1, 1),
            "market", None, "fixed_as_produced", Decimal(1), None, "",
        )  # fmt: skip
        contracts = tuple(Contract(**{**vars(contract), "asset_id": name}) for name in names)
        full = [(minute * 60_000, 300.0) for minute in range(15)]
        few = full[:2]  # 1 + 5 minutes of 15
        truth = Truth(
            days=(0,),
            as_of=86_400,
            snapshots=(Snapshot(0, contracts),),
            live={"A": full, "B": full, "C": few, "D": few},
            final={"A": {0: 100.0}},  # smaller than live and forecast, and still first
            forecasts={
                "B": {0: (900.0,)},
                "C": {-900: (1.0, 500.0), 900: (7.0,)},
                "D": {0: (800.0,)},
                "F": {0: (700.0,)},
            },
            redispatch={"A": {0: 0}, "B": {0: 0}, "D": {0: 0}, "F": {0: 86_401}},
        )
        rows = [row for row in truth.best_of_infeed() if row.start == 0]
        self.assertEqual(
            [(row.power_kw, row.energy_mwh, row.source, row.redispatched) for row in rows],
            [
                (100.0, 0.025, "final", True),
                (300.0, 0.075, "live", True),
                (500.0, 0.125, "forecast", False),
                (0.0, 0.0, "forecast", True),
                (None, None, None, False),
                (700.0, 0.175, "forecast", False),
            ],
        )
        self.assertAlmostEqual(rows[2].live_coverage, 6 / 15)
        one = truth.portfolio_best_of_infeed()[0]
        self.assertEqual(one[1:], (1_600.0, 0.4, 1, 1, 3, 1))
        low = truth.best_of_infeed(min_coverage=0.4)
        self.assertEqual(low[2 * 96].source, "live")


if __name__ == "__main__":
    unittest.main()
