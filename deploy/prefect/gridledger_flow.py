"""gridledger in Prefect 3: a run a settlement day, a task a group of datasets, then the products.

A task runs in the interpreter of its flow, so both live in one environment:

    python3 -m venv ~/prefect
    ~/prefect/bin/pip install -r requirements.txt                # and requirements/EXTRA.txt as needed
    ~/prefect/bin/pip install 'prefect==3.8.*' 'fastapi<0.150'   # moves none of our pins
    ~/prefect/bin/python deploy/prefect/gridledger_flow.py       # serves both flows, with PREFECT_API_URL set

The environment of that process may hold every setting of config.env, secrets too, and DATASETS: groups or
keys, each a task; without it ``core``.

A run is of the settlement day before the day, in London, that it was scheduled for, however late it starts;
``first`` and ``last`` name other days, both included. Tasks go one at a time, because a provider's rate limit
holds within a task, and threads work in it. A run may be repeated at will: what the ledger proves is not
asked again. Pauses between retries begin with five minutes and double: the last of five comes before noon.
What is published later, and what is revised, is the business of the second flow.
"""

import os
import sys
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from prefect import flow, serve, task
from prefect.runtime import flow_run
from prefect.schedules import Cron
from prefect.tasks import exponential_backoff

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy import tasks

LONDON = "Europe/London"
GROUPS = [word.strip() for word in os.environ.get("DATASETS", "core").split(",") if word.strip()]
RETRYING = {"retries": 5, "retry_delay_seconds": exponential_backoff(300)}

fetch = task(tasks.fetch, task_run_name="fetch {group}", **RETRYING)
process = task(tasks.process, **RETRYING)


@flow(name="gridledger", log_prints=True)
def daily(first: date | None = None, last: date | None = None):
    """The daily job of the settlement days ``first`` to ``last``; one day without ``last``."""
    scheduled = flow_run.scheduled_start_time.astimezone(ZoneInfo(LONDON)).date()
    first = first or scheduled - timedelta(days=1)
    days = str(first), str(last or first)
    states = [fetch(group, *days, return_state=True) for group in GROUPS]
    # A group that failed does not keep the products from what the others brought, but it fails the run.
    return [*states, process(*days, return_state=True)]


@flow(name="gridledger_catch_up", log_prints=True)
def afterwards():
    """The daily job without dates: what the last CATCH_UP_DAYS lack, what was revised, their products."""
    tasks.catch_up()


if __name__ == "__main__":
    serve(
        daily.to_deployment(
            "daily", schedule=Cron("0 6 * * *", timezone=LONDON), concurrency_limit=1
        ),
        afterwards.to_deployment(
            "daily", schedule=Cron("0 12 * * *", timezone=LONDON), concurrency_limit=1
        ),
    )
