"""The dashboard and the alerts name metrics that exist, and the dashboard can be imported."""

from __future__ import annotations

import json
import re
import unittest
from collections import Counter
from typing import Any

from metrics import METRICS
from utils import PROJECT

DASHBOARD = PROJECT / "deploy" / "grafana" / "dashboard.json"
ALERTS = PROJECT / "deploy" / "prometheus" / "alerts.yaml"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def queries() -> list[str]:
    """Every query of the dashboard with all instances and datasets chosen."""
    texts = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [text.replace("$instance", ".*").replace("$dataset", ".*") for text in texts]


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bgridledger_\w+", text))


class Dashboard(unittest.TestCase):
    def test_ids_and_names_are_unique(self) -> None:
        panels = dashboard()["panels"]
        for name in ("id", "title"):
            counted = Counter(panel[name] for panel in panels)
            self.assertEqual([value for value, times in counted.items() if times > 1], [])
        for panel in panels:
            letters = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(letters), len(set(letters)), panel["title"])

    def test_panels_lie_side_by_side_within_the_grid(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in dashboard()["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells

    def test_the_data_source_is_chosen_at_its_top(self) -> None:
        variables = {each["name"]: each for each in dashboard()["templating"]["list"]}
        self.assertEqual(variables["datasource"]["type"], "datasource")
        asking = [each for each in variables.values() if each["type"] == "query"]
        panels = dashboard()["panels"]
        asked = [*asking, *panels, *(t for panel in panels for t in panel["targets"])]
        for each in asked:
            self.assertEqual(each["datasource"], SOURCE)
        used = set(re.findall(r"\$\{?(\w+)", DASHBOARD.read_text(encoding="utf-8")))
        self.assertEqual(used - {"__all"}, variables.keys())

    def test_it_asks_for_metrics_that_exist(self) -> None:
        asked = metrics_in(DASHBOARD.read_text(encoding="utf-8"))
        self.assertEqual(asked - METRICS.keys(), set())
        for query in queries():
            self.assertTrue(metrics_in(query), query)


class Alerts(unittest.TestCase):
    def test_they_ask_for_metrics_that_exist(self) -> None:
        asked = metrics_in(ALERTS.read_text(encoding="utf-8"))
        self.assertGreater(len(asked), 8)
        self.assertEqual(asked - METRICS.keys(), set())

    def test_each_says_how_bad_it_is_and_what_to_do_and_the_documentation_lists_it(self) -> None:
        page = (PROJECT / "docs" / "monitoring.md").read_text(encoding="utf-8")
        rules = ALERTS.read_text(encoding="utf-8").split("- alert: ")[1:]
        for rule in rules:
            name = rule.split()[0]
            with self.subTest(name):
                for part in ("expr:", "for:", "severity:", "summary:", "action:"):
                    self.assertEqual(rule.count(part), 1, part)
                (severity,) = re.findall(r"severity: (\w+)", rule)
                self.assertIn(f"| `{name}` | {severity} |", page)
        listed = re.findall(r"^\| `(Gridledger\w+)` \|", page, re.MULTILINE)
        self.assertEqual(len(listed), len(rules))


if __name__ == "__main__":
    unittest.main()
