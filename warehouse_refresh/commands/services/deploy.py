"""`refresh deploy`: create or update Prefect's work pools, deployments and automations."""

from argparse import Namespace

from warehouse_refresh.pipeline.settings import read_settings


def run(options: Namespace) -> int:
    """Deploy this folder's project, and print what was done. Answers the exit code 0.

    Raises NoServer, NotDeployed and ProjectNameError.
    """
    from warehouse_refresh.flows.deploy import deploy

    deployed = deploy(read_settings().folder.resolve(), take_over=options.take_over, say=print)
    print(f"\nStart a worker with `refresh worker`, then a refresh with `prefect deployment run {deployed[0]}`.")
    return 0
