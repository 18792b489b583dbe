"""The ledger's judgement of a day: every state, and when a day is worth asking again."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from domain.ledger import (
    Completeness,
    Entry,
    Events,
    Grid,
    Rows,
    State,
    Tally,
    answered,
    failed,
    is_due,
)
from domain.settlement import day_window
from domain.tables import conform
from sources import DATASETS
from sources.dataset import Answer
from storage import open_store, write_answer

HOUR = timedelta(hours=1)
LAG = timedelta(hours=4)
DAY = date(2024, 10, 15)
BEGINS = datetime(2024, 10, 14, 23, tzinfo=UTC)  # the day is in summer time
ENDS = datetime(2024, 10, 15, 23, tzinfo=UTC)
OVER = ENDS + LAG
HALF_HOURS = Grid(timedelta(minutes=30), "psr_type")
STEPS = (timedelta(days=1), timedelta(days=2), timedelta(days=5), timedelta(days=8))


def answer(
    now: datetime,
    rows: int | dict[str, int],
    previous: Entry | None = None,
    *,
    changed: int = 0,
    whole: bool = True,
    kind: Completeness = HALF_HOURS,
) -> Entry:
    """An answer for the day; a number of rows means one series."""
    by_series = rows if isinstance(rows, dict) else {"Solar": rows} if rows else {}
    tallies = {name: Tally(count) for name, count in by_series.items()}
    return answered("wind_solar", "", DAY, kind, LAG, tallies, changed, previous, now, whole=whole)


def hours_of(day: date) -> Iterator[datetime]:
    window = day_window(day)
    return (window.start + n * HOUR for n in range(window.length // HOUR))


def due(entry: Entry | None, now: datetime, *, by_name: bool = False) -> bool:
    return is_due(entry, DAY, LAG, STEPS, now, by_name=by_name)


def quietly_due(entry: Entry | None, now: datetime) -> bool:
    """As above for a dataset whose values are never restated."""
    return is_due(entry, DAY, LAG, (), now, by_name=False)


def ask_hourly(entry: Entry, rows: int, days: int) -> tuple[Entry, list[datetime]]:
    """An unattended job every hour that always gets the same answer; when it asked."""
    asked = []
    begin = entry.asked_at
    for hour in range(1, days * 24):
        now = begin + hour * HOUR
        if quietly_due(entry, now):
            entry = answer(now, rows, entry)
            asked.append(now)
    return entry, asked


def confirmed(rows: int) -> Entry:
    entry, _ = ask_hourly(answer(OVER, rows, changed=rows), rows, 30)
    return entry


class Expected(unittest.TestCase):
    def test_half_hours_of_a_day(self) -> None:
        for day, periods in (
            (date(2024, 3, 31), 46),
            (date(2024, 7, 1), 48),
            (date(2024, 10, 27), 50),
        ):
            for series in (1, 3):
                with self.subTest(day=day, series=series):
                    found = HALF_HOURS.expected(
                        day_window(day), {str(n): Tally(1) for n in range(series)}
                    )
                    self.assertEqual(found, periods * series)

    def test_samples_of_a_day(self) -> None:
        grid = Grid(timedelta(seconds=15))
        for day, samples in (
            (date(2024, 3, 31), 5520),
            (date(2024, 7, 1), 5760),
            (date(2024, 10, 27), 6000),
        ):
            with self.subTest(day=day):
                self.assertEqual(grid.expected(day_window(day), {"": Tally(1)}), samples)

    def test_one_series_is_expected_where_none_was_seen(self) -> None:
        self.assertEqual(HALF_HOURS.expected(day_window(DAY), {}), 48)


class States(unittest.TestCase):
    def test_a_day_is_not_due_until_its_lag_is_over(self) -> None:
        for now in (BEGINS + HOUR, ENDS, OVER - timedelta(seconds=1)):
            with self.subTest(now=now):
                self.assertIs(answer(now, 20, changed=20).state, State.NOT_DUE)
                self.assertIs(answer(now, 0).state, State.NOT_DUE)
        self.assertIs(answer(OVER, 20, changed=20).state, State.PARTIAL)
        self.assertIs(answer(OVER, 0).state, State.EMPTY)

    def test_a_series_that_came_before_the_others_does_not_complete_the_day(self) -> None:
        entry = answer(ENDS + HOUR, {"Solar": 48}, changed=48)
        self.assertIs(entry.state, State.NOT_DUE)
        self.assertTrue(quietly_due(entry, OVER))

    def test_complete(self) -> None:
        entry = answer(OVER, {"Solar": 48, "Wind": 48}, changed=96)
        self.assertIs(entry.state, State.COMPLETE)
        self.assertEqual((entry.rows, entry.expected, entry.coverage), (96, 96, 1.0))
        self.assertTrue(entry.state.proven)
        self.assertFalse(entry.state.hole)

    def test_partial(self) -> None:
        entry = answer(OVER, {"Solar": 48, "Wind": 36}, changed=84)
        self.assertIs(entry.state, State.PARTIAL)
        self.assertEqual((entry.rows, entry.expected, entry.coverage), (84, 96, 0.875))
        self.assertFalse(entry.state.proven)
        self.assertTrue(entry.state.hole)

    def test_empty(self) -> None:
        entry = answer(OVER, 0)
        self.assertIs(entry.state, State.EMPTY)
        self.assertEqual((entry.rows, entry.expected, entry.coverage), (0, 48, 0.0))
        self.assertTrue(entry.state.hole)

    def test_rows_of_one_series_cannot_fill_the_holes_of_another(self) -> None:
        entry = answer(OVER, {"Solar": 60, "Wind": 36}, changed=96)
        self.assertIs(entry.state, State.PARTIAL)
        self.assertEqual(entry.rows, 96)
        self.assertEqual(entry.coverage, (48 + 36) / 96)

    def test_coverage_never_exceeds_one(self) -> None:
        entry = answer(OVER, {"Solar": 60, "Wind": 48}, changed=108)
        self.assertIs(entry.state, State.COMPLETE)
        self.assertEqual(entry.coverage, 1.0)

    def test_answers_in_pieces_add_up(self) -> None:
        half = answer(OVER, 24, changed=24, whole=False)
        self.assertIs(half.state, State.DUE)
        whole = answer(OVER + HOUR, 48, half, changed=24, whole=False)
        self.assertIs(whole.state, State.COMPLETE)

    def test_silence_on_a_part_of_the_day_proves_nothing(self) -> None:
        entry = answer(OVER, 0, whole=False)
        self.assertIs(entry.state, State.DUE)
        for n in range(1, 50):
            entry = answer(OVER + n * timedelta(days=2), 0, entry, whole=False)
        self.assertIs(entry.state, State.DUE)
        self.assertTrue(entry.state.hole)
        self.assertTrue(quietly_due(entry, entry.asked_at + HOUR))

    def test_a_day_proven_as_a_whole_stays_proven_when_a_part_is_asked_again(self) -> None:
        for rows, state in ((36, State.CONFIRMED_PARTIAL), (0, State.CONFIRMED_EMPTY)):
            before = confirmed(rows)
            self.assertIs(before.state, state)
            after = answer(before.asked_at + HOUR, rows, before, whole=False)
            with self.subTest(state=state):
                self.assertIs(after.state, state)

    def test_new_rows_in_a_part_make_a_confirmed_day_due_again(self) -> None:
        before = confirmed(36)
        after = answer(before.asked_at + HOUR, 40, before, changed=4, whole=False)
        self.assertFalse(after.state.proven)
        self.assertTrue(due(after, after.asked_at + timedelta(days=2)))

    def test_a_part_asked_again_does_not_undo_what_the_whole_answered(self) -> None:
        for rows, state in ((36, State.PARTIAL), (0, State.EMPTY)):
            first = answer(OVER, rows, changed=rows)
            before = answer(OVER + HOUR, rows, first)
            after = answer(OVER + 30 * HOUR, rows, before, whole=False)
            with self.subTest(state=state):
                self.assertIs(after.state, state)
                self.assertEqual(after.answers, before.answers)

    def test_events_of_a_part_of_the_day_prove_no_day(self) -> None:
        for kind in (Events(), Rows(2)):
            with self.subTest(kind=kind):
                part = answer(OVER, 8, changed=8, whole=False, kind=kind)
                self.assertIs(part.state, State.DUE)
                self.assertTrue(quietly_due(part, part.asked_at + HOUR))
                day = answer(OVER + HOUR, 60, part, changed=52, kind=kind)
                self.assertIs(day.state, State.COMPLETE)
                # A part that is asked again takes nothing back, new rows or not.
                for changed in (0, 4):
                    again = answer(
                        OVER + 2 * HOUR, 60 + changed, day, changed=changed, whole=False, kind=kind
                    )
                    self.assertIs(again.state, State.COMPLETE)

    def test_a_part_of_an_open_day_is_not_due(self) -> None:
        now = ENDS - HOUR
        self.assertIs(answer(now, 8, changed=8, whole=False, kind=Events()).state, State.NOT_DUE)

    def test_the_version_grows_only_when_rows_change(self) -> None:
        first = answer(OVER, 36, changed=36)
        same = answer(OVER + HOUR, 36, first)
        more = answer(OVER + 2 * HOUR, 40, same, changed=4)
        self.assertEqual([e.version for e in (first, same, more)], [1, 1, 2])
        self.assertEqual(answer(OVER, 0).version, 0)

    def test_an_entry_says_what_was_asked_and_when(self) -> None:
        entry = answer(OVER, 36, changed=36)
        self.assertEqual((entry.key, entry.scope, entry.day), ("wind_solar", "", DAY))
        self.assertEqual((entry.window.start, entry.window.end), (BEGINS, ENDS))
        self.assertEqual(entry.asked_at, OVER)


class Confirmation(unittest.TestCase):
    def test_equal_spaced_answers_are_believed_and_not_asked_again(self) -> None:
        for rows, state in ((36, State.CONFIRMED_PARTIAL), (0, State.CONFIRMED_EMPTY)):
            entry, asked = ask_hourly(answer(OVER, rows, changed=rows), rows, 60)
            with self.subTest(state=state):
                self.assertIs(entry.state, state)
                self.assertFalse(entry.state.hole)
                self.assertEqual(entry.coverage, rows / 48)
                self.assertLess(asked[-1] - OVER, timedelta(days=10))
                gaps = [b - a for a, b in zip([OVER, *asked], asked, strict=False)]
                self.assertEqual(gaps, sorted(set(gaps)), "ever more rarely")
                self.assertGreaterEqual(len(asked), 3)

    def test_between_the_answers_it_stays_a_hole(self) -> None:
        entry = answer(OVER, 36, changed=36)
        states = []
        for hour in range(1, 30 * 24):
            now = OVER + hour * HOUR
            if quietly_due(entry, now):
                entry = answer(now, 36, entry)
                states.append(entry.state)
        self.assertEqual(set(states[:-1]), {State.PARTIAL})
        self.assertIs(states[-1], State.CONFIRMED_PARTIAL)

    def test_quick_repeats_confirm_nothing(self) -> None:
        entry = answer(OVER, 36, changed=36)
        for second in range(1, 200):
            entry = answer(OVER + timedelta(seconds=second), 36, entry)
        self.assertIs(entry.state, State.PARTIAL)
        self.assertEqual(entry.answers, 1)
        for n in range(1, 20):  # a restless person, every hour of a day
            entry = answer(OVER + n * HOUR, 36, entry)
        self.assertIs(entry.state, State.PARTIAL)

    def test_quick_repeats_do_not_put_the_next_question_off(self) -> None:
        entry = answer(OVER, 36, changed=36)
        for minute in range(10, 60, 10):
            entry = answer(OVER + timedelta(minutes=minute), 36, entry)
        self.assertTrue(quietly_due(entry, OVER + HOUR))

    def test_a_change_starts_the_count_anew(self) -> None:
        untouched, asked = ask_hourly(answer(OVER, 36, changed=36), 36, 60)
        self.assertIs(untouched.state, State.CONFIRMED_PARTIAL)
        entry = answer(OVER, 36, changed=36)
        for now in asked[:-1]:
            entry = answer(now, 36, entry)
        entry = answer(asked[-1], 37, entry, changed=1)
        self.assertIs(entry.state, State.PARTIAL)
        self.assertTrue(quietly_due(entry, asked[-1] + HOUR))
        after, again = ask_hourly(entry, 37, 60)
        self.assertIs(after.state, State.CONFIRMED_PARTIAL)
        self.assertEqual(len(again), len(asked))

    def test_rows_that_come_late_complete_a_confirmed_day(self) -> None:
        entry = answer(OVER + timedelta(days=40), 48, confirmed(36), changed=12)
        self.assertIs(entry.state, State.COMPLETE)

    def test_a_confirmed_day_that_changes_is_a_hole_again(self) -> None:
        entry = answer(OVER + timedelta(days=40), 40, confirmed(36), changed=4)
        self.assertIs(entry.state, State.PARTIAL)

    def test_an_early_look_is_no_answer(self) -> None:
        entry = answer(BEGINS + HOUR, 0)
        for hour in range(2, 20):
            entry = answer(BEGINS + hour * HOUR, 0, entry)
        entry = answer(OVER, 0, entry)
        self.assertIs(entry.state, State.EMPTY)
        self.assertEqual(entry.answers, 1)


class Silence(unittest.TestCase):
    """A zone that publishes nothing, with an unattended job every morning."""

    FIRST = date(2024, 3, 1)

    def mornings(self, days: int, publishes: range = range(0)) -> list[int]:
        """How many holes each morning leaves; of the days ``publishes`` there is all that is due."""
        store = open_store("sqlite:///:memory:")
        dataset = next(d for d in DATASETS if d.key == "entsoe_load")
        left = []
        for morning in range(1, days):
            now = datetime(2024, 3, 1, 6, tzinfo=UTC) + timedelta(days=morning)
            known = store.entries(dataset.key)
            for day in (self.FIRST + timedelta(days=n) for n in range(morning)):
                if not is_due(known.get(("MT", day)), day, dataset.lag, (), now, by_name=False):
                    continue
                hours = list(hours_of(day)) if (day - self.FIRST).days in publishes else []
                rows = {
                    "zone": ["MT"] * len(hours),
                    "period_start": hours,
                    "resolution_s": [3600] * len(hours),
                    "quantity": [250.0] * len(hours),
                }
                answer = Answer(conform(dataset.table, rows, "made"), 0, 0, synthetic=True)
                write_answer(store, dataset, "MT", day_window(day), answer, now)
            left.append(sum(entry.state.hole for entry in store.entries(dataset.key).values()))
        store.close()
        return left

    def test_it_is_believed_after_two_weeks_and_holes_are_no_more(self) -> None:
        left = self.mornings(40)
        self.assertGreater(min(left[:14]), 0)
        self.assertEqual(left[-16:], [0] * 16)

    def test_whoever_publishes_now_and_then_is_never_taken_for_silent(self) -> None:
        left = self.mornings(60, range(0, 60, 20))
        self.assertGreater(min(left[1:]), 0)

    def test_a_part_of_a_day_proves_nothing_then_either(self) -> None:
        for whole, state in ((True, State.CONFIRMED_EMPTY), (False, State.DUE)):
            entry = answered(
                "wind_solar", "", DAY, HALF_HOURS, LAG, {}, 0, None, OVER, whole=whole, silent=True
            )
            self.assertIs(entry.state, state)

    def test_rows_count_whatever_was_believed(self) -> None:
        some = {"Solar": Tally(48)}
        entry = answered("wind_solar", "", DAY, HALF_HOURS, LAG, some, 48, None, OVER, silent=True)
        self.assertIs(entry.state, State.COMPLETE)


class Failure(unittest.TestCase):
    def fail(self, previous: Entry | None, now: datetime = OVER + HOUR) -> Entry:
        return failed("wind_solar", "", DAY, previous, now, "no answer in time")

    def test_a_day_never_asked_before(self) -> None:
        entry = self.fail(None)
        self.assertIs(entry.state, State.FAILED)
        self.assertEqual((entry.rows, entry.version, entry.coverage), (0, 0, 0.0))
        self.assertEqual(entry.note, "no answer in time")
        self.assertTrue(entry.state.hole)
        self.assertTrue(quietly_due(entry, OVER + HOUR))

    def test_what_is_proven_stays_proven(self) -> None:
        for before in (answer(OVER, 48, changed=48), confirmed(36), confirmed(0)):
            after = self.fail(before, before.asked_at + HOUR)
            with self.subTest(state=before.state):
                self.assertIs(after.state, before.state)
                self.assertEqual((after.rows, after.version), (before.rows, before.version))
                self.assertEqual(after.note, "no answer in time")

    def test_an_open_day_fails_but_keeps_what_it_has(self) -> None:
        after = self.fail(answer(OVER, 36, changed=36))
        self.assertIs(after.state, State.FAILED)
        self.assertEqual((after.rows, after.coverage, after.version), (36, 0.75, 1))
        self.assertTrue(quietly_due(after, OVER + HOUR))

    def test_a_failure_is_no_answer(self) -> None:
        entry, failures = answer(OVER, 36, changed=36), 0
        for hour in range(1, 24 * 30):
            entry = self.fail(entry, OVER + hour * HOUR)
            failures += 1
        self.assertEqual(failures, 719)
        self.assertIs(entry.state, State.FAILED)
        self.assertIs(answer(OVER + timedelta(days=30), 36, entry).state, State.PARTIAL)

    def test_a_revision_that_failed_is_asked_again(self) -> None:
        entry = answer(OVER, 48, changed=48)
        after = self.fail(entry, ENDS + STEPS[0])
        self.assertTrue(due(after, ENDS + STEPS[0] + HOUR))


class Due(unittest.TestCase):
    def test_a_day_without_an_entry_is_due_once_it_has_begun(self) -> None:
        self.assertFalse(due(None, BEGINS))
        self.assertTrue(due(None, BEGINS + HOUR))

    def test_a_future_day_is_never_due(self) -> None:
        early = answer(BEGINS - 48 * HOUR, 0)
        for entry in (None, early, failed("wind_solar", "", DAY, None, BEGINS, "x")):
            for by_name in (False, True):
                with self.subTest(entry=entry and entry.state, by_name=by_name):
                    self.assertFalse(due(entry, BEGINS - HOUR, by_name=by_name))

    def test_an_open_day_waits_for_its_lag_unless_named(self) -> None:
        entry = answer(BEGINS + HOUR, 2, changed=2)
        self.assertIs(entry.state, State.NOT_DUE)
        self.assertFalse(due(entry, OVER - timedelta(seconds=1)))
        self.assertTrue(due(entry, OVER))
        self.assertTrue(due(entry, BEGINS + 2 * HOUR, by_name=True))

    def test_a_hole_waits_for_its_schedule_unless_named(self) -> None:
        for rows in (36, 0):
            entry = answer(OVER, rows, changed=rows)
            soon = OVER + timedelta(minutes=1)
            with self.subTest(state=entry.state):
                self.assertFalse(due(entry, soon))
                self.assertTrue(due(entry, soon, by_name=True))

    def test_what_is_proven_is_not_asked_even_by_name(self) -> None:
        for entry in (answer(OVER, 48, changed=48), confirmed(36), confirmed(0)):
            now = entry.asked_at + timedelta(days=300)
            for by_name in (False, True):
                with self.subTest(state=entry.state, by_name=by_name):
                    self.assertFalse(is_due(entry, DAY, LAG, (), now, by_name=by_name))

    def test_a_complete_day_is_asked_exactly_once_per_revision_step(self) -> None:
        for minutes in (0, 17, 59):  # when in the hour the job runs
            entry = answer(OVER + timedelta(minutes=minutes), 48, changed=48)
            asked = []
            for hour in range(1, 24 * 15):
                now = OVER + timedelta(minutes=minutes) + hour * HOUR
                if due(entry, now):
                    entry = answer(now, 48, entry)
                    asked.append(now - ENDS)
            with self.subTest(minutes=minutes):
                self.assertEqual(len(asked), 4)
                for step, found in zip(STEPS, asked, strict=True):
                    self.assertTrue(step <= found < step + HOUR)

    def test_steps_that_passed_unseen_are_asked_once_together(self) -> None:
        entry = answer(OVER, 48, changed=48)
        now = ENDS + timedelta(days=6)
        self.assertTrue(due(entry, now))
        self.assertFalse(due(answer(now, 48, entry), now + HOUR))

    def test_a_day_first_asked_after_all_steps_is_not_asked_again(self) -> None:
        entry = answer(ENDS + timedelta(days=9), 48, changed=48)
        self.assertFalse(due(entry, ENDS + timedelta(days=30)))

    def test_a_confirmed_day_is_still_looked_at_when_a_revision_is_due(self) -> None:
        entry = answer(OVER, 0)
        for now in (OVER + n * HOUR for n in range(1, 20)):
            if due(entry, now):
                entry = answer(now, 0, entry)
        self.assertTrue(due(entry, ENDS + STEPS[0]))


if __name__ == "__main__":
    unittest.main()
