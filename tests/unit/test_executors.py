"""Tasks of one process, what may stand in DASK_SCHEDULER, and a provider that wants to be left alone."""

from __future__ import annotations

import pickle
import unittest
from concurrent.futures import Future

import executors
from domain.errors import Refused
from executors import Here, as_done
from sources.transport import RateLimit
from utils import SettingError, load_settings


class InOneProcess(unittest.TestCase):
    def test_task_runs_where_it_is_submitted(self) -> None:
        self.assertEqual(Here().submit(divmod, 7, 3).result(timeout=0), (2, 1))
        failed = Here().submit(divmod, 7, 0)
        self.assertTrue(failed.done())
        self.assertIsInstance(failed.exception(), ZeroDivisionError)

    def test_interruption_is_not_kept_for_later(self) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            Here().submit(interrupt)


class AsDone(unittest.TestCase):
    def test_no_more_than_allowed_are_under_way(self) -> None:
        under_way: dict[int, Future[int]] = {}
        most = 0

        def submit(item: int) -> Future[int]:
            nonlocal most
            under_way[item] = Future()
            most = max(most, len(under_way))
            if len(under_way) == 3 or item == 9:  # the newest is done first
                under_way[item].set_result(item * item)
            return under_way[item]

        found = []
        for item, future in as_done(range(10), submit, 3):
            found.append((item, future.result()))
            del under_way[item]
            if item == 9:
                for left in under_way.values():
                    left.set_result(-1)
        self.assertEqual(most, 3)
        self.assertEqual([item for item, _ in found[:8]], [2, 3, 4, 5, 6, 7, 8, 9])
        self.assertEqual(sorted(item for item, _ in found), list(range(10)))

    def test_one_at_a_time_keeps_the_order_and_waits_for_what_is_done_with_each(self) -> None:
        seen: list[str] = []
        here = Here()

        def submit(item: str) -> Future[None]:
            return here.submit(seen.append, f"compute {item}")

        for item, _ in as_done("abc", submit, 1):
            seen.append(f"write {item}")
        self.assertEqual(
            seen, ["compute a", "write a", "compute b", "write b", "compute c", "write c"]
        )

    def test_nothing_to_do(self) -> None:
        self.assertEqual(list(as_done([], Here().submit, 4)), [])


class Settings(unittest.TestCase):
    def test_addresses_of_schedulers(self) -> None:
        for good in ("", "tcp://10.0.0.7:8786", "tls://dask.example.org:8786", "tcp://[::1]:8786"):
            with self.subTest(good):
                read = load_settings(executors.SETTINGS, {"DASK_SCHEDULER": good})
                self.assertEqual(read["DASK_SCHEDULER"], good)
        for bad in (
            "10.0.0.7:8786",
            "http://host:1",
            "tcp://host",
            "tcp://u:p@host:1",
            "tcp://h:x",
        ):
            with self.subTest(bad), self.assertRaisesRegex(SettingError, "tcp://HOST:PORT"):
                load_settings(executors.SETTINGS, {"DASK_SCHEDULER": bad})

    def test_executor_decides_and_not_the_address(self) -> None:
        read = load_settings(
            executors.SETTINGS, {"EXECUTOR": "threads", "DASK_SCHEDULER": "tcp://10.0.0.7:8786"}
        )
        with executors.open_cluster(read) as cluster:
            self.assertIsNone(cluster)


class Silence(unittest.TestCase):
    def test_nobody_gets_a_turn_in_it(self) -> None:
        rate = RateLimit(1000)
        self.assertEqual(rate.wait(), 0.0)
        rate.keep_quiet(60)
        rate.keep_quiet(1)  # a shorter one ends no longer one
        self.assertGreater(rate.wait(), 59)
        self.assertGreater(rate.silence_s(), 59)


class Errors(unittest.TestCase):
    def test_refusal_travels_between_processes(self) -> None:
        there = pickle.loads(pickle.dumps(Refused("no", 403, b"why")))
        self.assertEqual((str(there), there.status, there.body), ("no", 403, b"why"))


if __name__ == "__main__":
    unittest.main()
