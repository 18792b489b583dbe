"""`Sandbox`: the stand-in as tests, the demonstration and the benchmarks use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any

import numpy as np

from sandbox import calendar
from sandbox.answers import Answers
from sandbox.carbon import CarbonIntensity
from sandbox.elexon_codes import build_codes
from sandbox.endpoints import Catalogue, Limit
from sandbox.entsoe import Platform
from sandbox.faults import Fault, FaultChooser
from sandbox.gates import Gates
from sandbox.grid import Columns, Holed, build_grid
from sandbox.neso import Portal
from sandbox.server import Request, Server

Moment = str | datetime | None


class Sandbox:
    """A loopback server that behaves like the providers' APIs over a synthetic grid.

    `now` is the present the providers publish at: an aware datetime or its text, None for the real
    clock. `limits` replaces the limit of requests of a provider, None for no limit:
    `{"entsoe": Limit(requests_per_min=400, ban_s=2)}`; None also lifts the limit that a part of a
    provider's paths has besides (NESO's datastore). As a context manager it serves from a
    thread; `serve_forever` serves in the calling one.
    """

    def __init__(
        self,
        *,
        now: Moment = None,
        seed: int = 7,
        port: int = 0,
        faults: Sequence[Fault] = (),
        limits: Mapping[str, Limit | None] | None = None,
    ) -> None:
        self.seed = seed
        self.now = now
        endpoints, codes = build_codes(seed)
        self.answers = Answers(
            Catalogue.load(more=endpoints),
            {**codes, **build_grid(seed)},
            services={"entsoe": Platform(seed)},
            sites={"neso": Portal(seed), "carbon_intensity": CarbonIntensity(seed)},
        )
        self.faults = faults
        self.limits = limits
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = Server(port, self)
        self._thread: threading.Thread | None = None
        self._serving = False

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def settings(self) -> dict[str, str]:
        """Return the settings that point the project at the sandbox, with synthetic tokens."""
        found = {}
        for provider in self.answers.catalogue.providers.values():
            found[provider.setting] = self.url + provider.prefix
            if provider.token is not None:
                found[provider.token.setting] = provider.token.value
        return found

    @property
    def now(self) -> Moment:
        """The present as it was set; None is the real clock."""
        return self._now

    @now.setter
    def now(self, moment: Moment) -> None:
        self._instant = None if moment is None else calendar.to_instant(moment)
        self._now = moment

    def instant(self) -> int:
        """Return the sandbox's present, in epoch seconds."""
        instant = self._instant
        return int(time.time()) if instant is None else instant

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong; setting it starts all counts anew."""
        return self.chooser.faults

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        self.chooser = FaultChooser(self.seed, faults)

    @property
    def limits(self) -> Mapping[str, Limit | None]:
        """The limits in force, by provider; setting them (None: as real) ends every ban."""
        return self.gates.limits

    @limits.setter
    def limits(self, limits: Mapping[str, Limit | None] | None) -> None:
        self.gates = Gates(self.answers.catalogue.providers, limits)

    @property
    def requests(self) -> list[Request]:
        """The requests served so far, in the order they were answered."""
        with self._lock:
            return list(self._requests)

    def clear_requests(self) -> None:
        """Forget the requests served so far."""
        with self._lock:
            self._requests.clear()

    def record(self, request: Request) -> None:
        """Keep a request for inspection (called by the server)."""
        with self._lock:
            self._requests.append(request)

    def truth(
        self,
        series: str,
        start: str | datetime,
        end: str | datetime,
        *,
        axis: str | None = None,
        scope: str | None = None,
    ) -> dict[str, Any]:
        """Return the rows of a series in [start, end) known at `now`, oldest first, none twice.

        `axis` is the column that start and end bound, by default the series' natural one. Of what
        was published several times the newest publication counts. Rows never published are not
        there (see `holes`).

        The answer is {"columns": {name: numpy array}}. Columns of `frequency`: time, frequency_hz;
        of `wind_solar`: start_time, psr_type, business_type, quantity_mw, publish_time, revision,
        document. Times are datetime64[s] in UTC.

        Of Elexon's other series (natural axis first, `publish_time` in all of them but bm_units):

        - generation_outturn, fuel_instructions: start_time, fuel_type, generation_mw
        - demand_outturn: start_time, indo_mw, itsdo_mw
        - market_index: start_time, provider, price_gbp_per_mwh, volume_mwh
        - system_prices: start_time, sell_gbp_per_mwh, buy_gbp_per_mwh, bsad_defaulted,
          derivation_code, scarcity_gbp_per_mwh, niv_mwh, sell_adjustment_gbp_per_mwh,
          buy_adjustment_gbp_per_mwh, replacement_gbp_per_mwh, replacement_mwh (NaN for null),
          offer_mwh, bid_mwh, adjustment_sell_mwh, adjustment_buy_mwh, the last four again with
          tagged_ in front; publish_time is the createdDateTime
        - netbsad: start_time, then cost_gbp, mwh, system_mwh and gbp_per_mwh with buy_ and sell_
        - disbsad: start_time, id, cost_gbp, volume_mwh, so_flag, stor_flag, party, asset,
          is_tendered, service (None for null)
        - non_bm_stor: start_time, generation_mw
        - individual_generation: start_time (or end_time), bm_unit, ng_unit, run, quantity_mwh
        - physical_notifications: time_from (or start_time, the period), time_to, level_from_mw,
          level_to_mw, ng_unit, bm_unit
        - bid_offers: start_time, time_to, level_from_mw, level_to_mw, pair, offer_gbp_per_mwh,
          bid_gbp_per_mwh, ng_unit, bm_unit
        - bid_offer_acceptances: time_from, time_to, level_from_mw, level_to_mw, period_from,
          period_to, acceptance, acceptance_time, so_flag, stor_flag, ng_unit, bm_unit
        - wind_forecasts: publish_time (or start_time), generation_mw
        - loss_of_load: publish_time (or start_time), commencing_time, loss_of_load_probability,
          margin_mw
        - system_warnings: publish_time, warning_type, warning_text
        - temperature: date (or publish_time), temperature_c, average_c, high_c, low_c
        - remit: publish_time, mrid, revision and the fields of a message in snake_case;
          event_end_time is 0 and texts are None where the answer has no such key
        - bm_units: known_time, ng_unit, bm_unit and the fields of the list in snake_case

        Of ENTSO-E, one row per zone and slot (hour, half or quarter hour) with zone ("DE_LU"), time
        and resolution_minutes: `entsoe_load` with load_mw; `entsoe_generation` by psr_type with
        generation_mw and consumption_mw, NaN where that side has no value; and
        `entsoe_day_ahead_prices` by sequence (1 also where the document names none) with price
        (per MWh) and currency. publish_time is when these values were first told. A slot in a gap
        or without a value on any side is not there; of TimeSeries that differ, the later holds.
        `scope` is a zone ("DE_LU"), a control area ("DE_50HZ") or a direction of a border ("FR>DE_LU");
        without it the rows are those of all.

        The other tables of ENTSO-E have resolution_s instead, and borders have border, from_zone and
        to_zone instead of zone:

        - entsoe_load_forecast_day: load_forecast_mw; _week, _month and _year: load_forecast_min_mw,
          load_forecast_max_mw
        - entsoe_generation_per_unit: psr_type, unit_eic, unit_name, generation_mw (control areas)
        - entsoe_generation_forecast: generation_forecast_mw
        - entsoe_wind_solar_forecast: psr_type, process (day_ahead, intraday, current), forecast_mw
        - entsoe_installed_capacity: psr_type, installed_capacity_mw; _per_unit also unit_eic and
          unit_name
        - entsoe_reservoirs: stored_energy_mwh
        - entsoe_intraday_prices: sequence, currency, price
        - entsoe_net_positions: contract (A01, A05, A07), net_position_mw (exports +)
        - entsoe_flows: flow_mw; entsoe_scheduled_exchanges: contract, scheduled_mw
        - entsoe_transfer_capacity_day, _week, _month, _year: transfer_capacity_mw
        - entsoe_imbalance_prices: category, currency, price_per_mwh; entsoe_imbalance_volumes:
          direction, volume_mwh; entsoe_balancing_state: direction, imbalance_mw
        - entsoe_activated_energy: reserve, psr_type, direction, energy_mwh; entsoe_activated_prices
          also with currency, and price_per_mwh
        - entsoe_aggregated_bids: process, direction, offered_mw, activated_mw, unavailable_mw
        - entsoe_contracted_reserves and entsoe_procured_capacity: process, contract, direction,
          psr_type, bid, quantity_mw, price_per_mw, currency
        - entsoe_outages_generation, _production and _transmission: a row for each step of an outage
          that overlaps, withdrawn ones too: time, until_time, mrid, revision, status,
          business_type, unit_eic, unit_name, psr_type, nominal_mw, start_time, end_time (of the
          outage), available_mw

        Rows of days, weeks, months and years are those that [start, end) touches.

        Of NESO, as the files that can be had at `now` say it (axis first; no other can be named):

        - historic_demand: start_time, settlement_date, settlement_period, then the portal's columns
          in lower case with _mw behind (nd_mw, ifa_flow_mw), NaN where the year's file has no such
          column, publish_time
        - embedded_forecasts: start_time, embedded_wind_forecast_mw, embedded_wind_capacity_mw,
          embedded_solar_forecast_mw, embedded_solar_capacity_mw, publish_time; `history` has the
          file of every hour
        - day_ahead_wind_forecast: start_time, capacity_mw, incentive_forecast_mw, publish_time
        - response_auctions: start_time, end_time (UTC), service (DCH to DRL, no reserve), efa_date,
          efa_block, cleared_volume_mw, clearing_price_gbp_per_mw_h, publish_time
        - historic_frequency: time, frequency_hz, every second

        Of the Carbon Intensity API, per half hour and with what lies ahead as far as it is foretold:

        - carbon_intensity: start_time, forecast_gco2_per_kwh, actual_gco2_per_kwh (NaN for null),
          index
        - carbon_generation_mix: start_time, fuel, percent
        - carbon_regional: start_time, region_id, region, forecast_gco2_per_kwh, index and a column
          for each fuel: gas_percent
        """
        return self._known(series, start, end, axis, scope, every=False)

    def holes(self, series: str, start: str | datetime, end: str | datetime) -> dict[str, Any]:
        """Return the cells of a series in [start, end) that are never published.

        The answer is {"columns": {name: numpy array}} with the names of `truth`: frequency has
        time; wind_solar start_time and psr_type; generation_outturn and fuel_instructions
        start_time and fuel_type; market_index start_time and provider; demand_outturn,
        system_prices, netbsad and non_bm_stor start_time. The days round the clock changes of 2024
        have none.
        """
        first, last = calendar.to_instant(start), calendar.to_instant(end) - 1
        for site in self.answers.sites.values():
            found = site.holes(series, first, last) if series in site.tables else None
            if found is not None:
                return {"columns": _shown(found)}
        source = self.answers.grid.get(series)
        if not isinstance(source, Holed):
            raise KeyError(f"nobody knows how many rows {series!r} should have")
        return {"columns": _shown(source.holes(first, last))}

    def history(
        self,
        series: str,
        start: str | datetime,
        end: str | datetime,
        *,
        axis: str | None = None,
        scope: str | None = None,
    ) -> dict[str, Any]:
        """Return all publications up to `now` of the rows in [start, end), oldest first.

        The columns are those of `truth`.
        """
        known = self._known(series, start, end, axis, scope, every=True)
        columns: Columns = known["columns"]
        if "publish_time" in columns:
            order = np.argsort(columns["publish_time"], kind="stable")
            known["columns"] = {name: values[order] for name, values in columns.items()}
        return known

    def _known(
        self,
        series: str,
        start: str | datetime,
        end: str | datetime,
        axis: str | None,
        scope: str | None,
        *,
        every: bool,
    ) -> dict[str, Any]:
        first, last = calendar.to_instant(start), calendar.to_instant(end) - 1
        for service in self.answers.services.values():
            if series in service.tables:
                now = self.instant()
                columns = service.rows(series, first, last, now, every=every, scope=scope)
                return {"columns": _shown(columns)}
        for site in self.answers.sites.values():
            if series in site.tables:
                columns = site.rows(series, first, last, self.instant(), every=every)
                break
        else:
            source = self.answers.grid[series]
            named = axis or source.axes[0]
            columns = source.rows(named, first, last, self.instant(), every=every)
        return {"columns": _shown(columns)}

    def serve_forever(self) -> None:
        """Serve in this thread until Ctrl+C (or `close` from another thread), then stop cleanly."""
        self._serving = True
        try:
            with suppress(KeyboardInterrupt):
                self._server.serve_forever(poll_interval=0.05)
        finally:
            self.close()

    def __enter__(self) -> Sandbox:
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox"
        )
        self._serving = True
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once, also with clients that wait, and leave no thread behind."""
        self._server.stop(serving=self._serving)
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def _shown(columns: Columns) -> Columns:
    """Return columns with instants as datetime64."""
    seconds = np.dtype("datetime64[s]")
    instants = ("date", "time_from", "time_to")
    return {
        name: values.astype(seconds) if name.endswith("time") or name in instants else values
        for name, values in columns.items()
    }
