"""Prefect's own floor: a flow with as many tasks as there are scripts, which do nothing. `python empty_tasks.py 8`."""

import sys
from typing import Any, cast

from prefect import flow, task
from prefect.futures import wait
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

_RUNNER = cast("TaskRunner[Any]", ThreadPoolTaskRunner(max_workers=8))  # mypy: its kind of future is another one


@task
def empty() -> None:
    """Do nothing."""


@flow(task_runner=_RUNNER, log_prints=False)
def empty_tasks(tasks: int) -> None:
    """Run the tasks, eight at once as `refresh run` does."""
    wait([empty.submit() for _ in range(tasks)])


if __name__ == "__main__":
    empty_tasks(int(sys.argv[1]))
