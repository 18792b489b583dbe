"""The service: a path becomes JSON, a fault of rows spoils it; the truth as tables."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from sandbox.answers import Call, Document
from sandbox.calendar import PERIOD_S, instant_texts, one, to_instant
from sandbox.carbon import paths
from sandbox.carbon.model import (
    ACTUAL_AFTER_S,
    AHEAD_S,
    FACTORS,
    FIRST_START,
    FUELS,
    REGIONS,
    Model,
)
from sandbox.faults import Hit, RowNames, spoil_rows
from sandbox.grid import Columns
from sandbox.manners import CARBON, Refusal
from sandbox.noise import Instants

Rows = list[dict[str, Any]]


class CarbonIntensity:
    """Answers as the GB Carbon Intensity API does."""

    tables: Collection[str] = ("carbon_intensity", "carbon_generation_mix", "carbon_regional")

    def __init__(self, seed: int) -> None:
        self.model = Model(seed)

    def respond(self, call: Call) -> Document | Refusal:
        """Decide what a path is answered with."""
        try:
            asked = paths.read(call.path, call.now)
        except paths.Unreadable:
            return CARBON.not_found()
        return Answer(self.model, asked, call.path, call.now)

    def rows(self, table: str, first: int, last: int, now: int, *, every: bool) -> Columns:
        """Return the truth as a table, see `Sandbox.truth`."""
        if table == "carbon_generation_mix":
            starts = known(first, last + 1, now, ahead_s=0)
            shares = self.model.shown_mix(starts)
            return {
                "start_time": np.repeat(starts, len(FUELS)),
                "fuel": np.tile(np.array(FUELS), len(starts)),
                "percent": shares.T.reshape(-1),
            }
        starts = known(first, last + 1, now, ahead_s=AHEAD_S)
        if table == "carbon_intensity":
            forecast = self.model.forecast(starts, now)
            told = self.model.told(starts, now)
            return {
                "start_time": starts,
                "forecast_gco2_per_kwh": forecast.astype(np.float64),
                "actual_gco2_per_kwh": np.where(told, self.model.actual(starts), np.nan),
                "index": np.array(self.model.index(starts, forecast), dtype="U9"),
            }
        parts = [self._region(number, name, starts, now) for number, _, name, _ in REGIONS]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.lexsort((columns["region_id"], columns["start_time"]))
        return {name: values[order] for name, values in columns.items()}

    def holes(self, table: str, first: int, last: int) -> Columns | None:
        """Return the periods whose actual intensity stays null; other tables have no holes."""
        if table != "carbon_intensity":
            return None
        low = max(first, FIRST_START)
        starts = np.arange(-(-low // PERIOD_S), last // PERIOD_S + 1).astype(np.int64) * PERIOD_S
        return {"start_time": starts[self.model.untold(starts)]}

    def _region(self, number: int, name: str, starts: Instants, now: int) -> Columns:
        forecast = self.model.forecast(starts, now, number)
        columns: Columns = {
            "start_time": starts,
            "region_id": np.full(len(starts), number),
            "region": np.full(len(starts), name, dtype="U24"),
            "forecast_gco2_per_kwh": forecast.astype(np.float64),
            "index": np.array(self.model.index(starts, forecast), dtype="U9"),
        }
        shares = self.model.shown_mix(starts, number)
        return columns | {f"{fuel}_percent": shares[n] for n, fuel in enumerate(FUELS)}


@dataclass(frozen=True)
class Answer:
    """A path that was understood; the answer may still be an empty list."""

    model: Model
    asked: paths.Asked
    path: str
    now: int
    content_type: str = CARBON.json_type
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """What the answer depends on: something changes every quarter of an hour."""
        return "carbon", self.path, self.now // ACTUAL_AFTER_S

    def encode(self) -> bytes:
        """Return the answer."""
        return self._wrap(self._rows())

    def spoilt(self, hit: Hit) -> bytes:
        """Return the answer after a fault of rows."""
        rows, kind = self._rows(), hit.fault.kind
        inner = "intensity" if rows and isinstance(rows[0].get("intensity"), dict) else None
        lies = ("revised", "wrong-type", "halve", "flip")
        if kind == "shift-hour":
            _shift(rows)
        elif kind in (*lies, "renamed") and inner and not hit.fault.field:
            # The measured values stand one level deeper.
            values = [row[inner] for row in rows]
            names = RowNames([name for name in values[0] if name != "index"], None, None)
            for row, value in zip(rows, spoil_rows(hit, values, names), strict=True):
                row[inner] = value
        elif kind in (*lies, "new-type") and rows and "intensity" not in rows[0]:
            _spoil_shares(hit, rows)
        else:
            first = list(rows[0])[-1] if rows else ""
            rows = spoil_rows(hit, rows, RowNames([first], None, None))
        return self._wrap(rows)

    def _wrap(self, rows: Rows) -> bytes:
        asked = self.asked
        data: Any = rows
        if asked.region is not None:
            number, operator, name, _ = REGIONS[asked.region - 1]
            data = {"regionid": number, "dnoregion": operator, "shortname": name}
            data |= {"postcode": asked.postcode} if asked.postcode else {}
            data["data"] = rows
            # Of the present half hour the region stands in a list.
            data = [data] if asked.single else data
        elif asked.topic == "generation" and asked.single and rows:
            data = rows[0]
        return msgspec.json.encode({"data": data})

    def _rows(self) -> Rows:
        asked, model = self.asked, self.model
        if asked.topic == "factors":
            return [dict(zip(map(str.capitalize, FUELS), FACTORS, strict=True))]
        ahead_s = 0 if asked.topic == "generation" else AHEAD_S
        starts = known(asked.first, asked.end, self.now, ahead_s=ahead_s)
        if asked.topic == "stats":
            return self._stats(starts)
        rows = _spans(starts, starts + PERIOD_S)
        if asked.topic == "generation":
            for row, mix in zip(rows, _mixes(model, starts, None), strict=True):
                row["generationmix"] = mix
        elif asked.topic == "intensity":
            forecast = model.forecast(starts, self.now)
            columns = (
                forecast.tolist(),
                model.actual(starts).tolist(),
                model.told(starts, self.now).tolist(),
                model.index(starts, forecast),
            )
            for row, ahead, actual, told, index in zip(rows, *columns, strict=True):
                shown = actual if told else None
                row["intensity"] = {"forecast": ahead, "actual": shown, "index": index}
        elif asked.region is not None:
            for row, part in zip(rows, self._region(starts, asked.region), strict=True):
                row |= part
        else:
            for row in rows:
                row["regions"] = []
            for number, operator, name, _ in REGIONS:
                head = {"regionid": number, "dnoregion": operator, "shortname": name}
                for row, part in zip(rows, self._region(starts, number), strict=True):
                    row["regions"].append(head | part)
        return rows

    def _region(self, starts: Instants, number: int) -> Rows:
        forecast = self.model.forecast(starts, self.now, number)
        index = self.model.index(starts, forecast)
        mixes = _mixes(self.model, starts, number)
        return [
            {"intensity": {"forecast": ahead, "index": word}, "generationmix": mix}
            for ahead, word, mix in zip(forecast.tolist(), index, mixes, strict=True)
        ]

    def _stats(self, starts: Instants) -> Rows:
        step = self.asked.block_s // PERIOD_S or max(len(starts), 1)
        rows = []
        for at in range(0, len(starts), step):
            part = starts[at : at + step]
            values = self.model.forecast(part, self.now)
            average = round(float(values.mean()))
            row = _spans(part[:1], part[-1:] + PERIOD_S)[0]
            index = self.model.index(part[:1], np.array([average]))[0]
            row["intensity"] = {
                "max": int(values.max()),
                "average": average,
                "min": int(values.min()),
                "index": index,
            }
            rows.append(row)
        return rows


def known(first: int, end: int, now: int, ahead_s: int) -> Instants:
    """Return the starts in [first, end) of the half hours that there is something of at `now`."""
    current = now // PERIOD_S * PERIOD_S
    low, high = max(first, FIRST_START), min(end, current + ahead_s + PERIOD_S)
    return np.arange(-(-low // PERIOD_S), -(-high // PERIOD_S)).astype(np.int64) * PERIOD_S


def _spans(starts: Instants, ends: Instants) -> Rows:
    texts = ([f"{text[:16]}Z" for text in instant_texts(each)] for each in (starts, ends))
    return [{"from": start, "to": end} for start, end in zip(*texts, strict=True)]


def _mixes(model: Model, starts: Instants, region: int | None) -> list[Rows]:
    shares = model.shown_mix(starts, region).T.tolist()
    return [
        [{"fuel": fuel, "perc": perc} for fuel, perc in zip(FUELS, mine, strict=True)]
        for mine in shares
    ]


def _shift(rows: Rows) -> None:
    """Move the times of the rows by an hour."""
    for row in rows:
        for name in ("from", "to") if "from" in row else ():
            later = one(to_instant(row[name]) + 3_600)
            row[name] = f"{instant_texts(later)[0][:16]}Z"


def _spoil_shares(hit: Hit, rows: Rows) -> None:
    """Change the first share of each list of fuels that is hit."""
    told = [each for row in rows for each in row.get("regions", [row])]
    mixes = [each["generationmix"] for each in told if "generationmix" in each]
    if not mixes:
        return
    if hit.fault.kind == "new-type":
        for at in sorted(hit.rng.sample(range(len(mixes)), max(1, len(mixes) // 10))):
            mixes[at][0]["fuel"] = hit.fault.value or "SANDBOX_TYPE"
        return
    spoil_rows(hit, [mix[0] for mix in mixes], RowNames(["perc"], None, None))
