"""gridledger in Airflow 3: a run a settlement day, a task a group of datasets, then the products.

Airflow pins its libraries and gridledger its own. So a task runs in gridledger's interpreter and imports
there what the command line calls (``deploy/tasks.py``); Airflow's environment holds nothing of ours.

Prepare the checkout with ``python3 run.py --install-deps`` and link this file into the folder of DAGs. The
environment of Airflow's components may hold

    every setting of config.env, secrets too: they are inherited, and none stands in a DAG
    DATASETS            groups or keys, each a task; without it ``core``
    GRIDLEDGER_PYTHON   the interpreter of the tasks; without it the one in the checkout's .venv

The data interval reaches from 06:00 to 06:00, London time: a run starts at its end, when the day before is
published. Its settlement days are those that end within: one, be it 23, 24 or 25 hours long. Tasks go one at a
time, because a provider's rate limit holds within a task, and threads work in it. A run may be repeated,
cleared and backfilled at will: what the ledger proves is not asked again.

Pauses between retries begin with ``core.default_task_retry_delay`` (5 minutes) and double: the last of five
comes before noon. What is published later, and what is revised, is the business of the second DAG.
"""

import os
from pathlib import Path

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import CronDataIntervalTimetable, CronTriggerTimetable, dag, task

HOME = Path(__file__).resolve().parents[2]
OURS = {
    "python": os.environ.get("GRIDLEDGER_PYTHON", f"{HOME}/.venv/bin/python"),
    "env_vars": {"PYTHONPATH": str(HOME)},
    "expect_airflow": False,
}
GROUPS = [word.strip() for word in os.environ.get("DATASETS", "core").split(",") if word.strip()]
FIRST = "{{ data_interval_start.in_timezone('Europe/London').to_date_string() }}"
LAST = "{{ data_interval_end.in_timezone('Europe/London').subtract(days=1).to_date_string() }}"
ALWAYS = {
    "start_date": pendulum.datetime(2016, 1, 1, tz="Europe/London"),
    "catchup": False,
    "max_active_runs": 1,
    "max_active_tasks": 1,
}


@dag(
    dag_id="gridledger",
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="Europe/London"),
    default_args={"retries": 5, "retry_exponential_backoff": True},
    **ALWAYS,
)
def daily():
    @task.external_python(**OURS)
    def fetch(group, first, last):
        from deploy import tasks

        tasks.fetch(group, first, last)

    @task.external_python(**OURS, trigger_rule="all_done")
    def process(first, last):
        from deploy import tasks

        tasks.process(first, last)

    fetched = [fetch.override(task_id=f"fetch_{group}")(group, FIRST, LAST) for group in GROUPS]
    processed = process(FIRST, LAST)
    fetched >> processed
    # A group that failed does not keep the products from what the others brought, but it fails the run.
    [*fetched, processed] >> EmptyOperator(task_id="complete")


@dag(
    dag_id="gridledger_catch_up",
    schedule=CronTriggerTimetable("0 12 * * *", timezone="Europe/London"),
    **ALWAYS,
)
def afterwards():
    @task.external_python(**OURS)
    def catch_up():
        from deploy import tasks

        tasks.catch_up()

    catch_up()


daily()
afterwards()
