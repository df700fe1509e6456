"""Remember which run each Idempotency-Key got. The keys are stored in Prefect, so all processes of the API share them.

Each key is a Prefect variable. Prefect refuses a second variable of the same name: if two processes store the same key
at the same moment, one succeeds, and the other reads the run that the first one stored.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from warehouse_refresh.api.problems import ApiProblem
from warehouse_refresh.api.runs.prefect_client import Prefect

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from warehouse_refresh.api.runs.run_queue import RunQueue

KEPT = timedelta(days=30)
SECONDS_BETWEEN_CLEANINGS = 600.0
PAGE = 100
logger = logging.getLogger("warehouse_refresh.api.runs")


@dataclass(frozen=True, slots=True)
class RunKey:
    """A client's key: `name` and `tag` are those of the variable in Prefect, `selection` is a hash of what was
    wanted."""

    name: str
    tag: str
    selection: str


def run_key(deployment: UUID, key: str, select: Sequence[str], variables: str = "{}", *, load: bool = False) -> RunKey:
    """The key of a request to `deployment`. A variable's name holds no more than lower-case letters and figures.
    `variables` are the values of the project's variables, as JSON; `load` says whether raw tables are loaded, too."""
    name = f"run-key-{_hash(f'{deployment} {key}')}"
    wanted = json.dumps(sorted(select)) + (variables if variables != "{}" else "") + ("load" if load else "")
    return RunKey(name, _tag(deployment), _hash(wanted))


async def run_of(client: "PrefectClient", key: RunKey) -> UUID | None:
    """The run that the key got, None for a new key. Raises ApiProblem when it got it for another selection."""
    kept = await client.read_variable_by_name(key.name)
    if kept is None:
        return None
    value: Any = kept.value
    if value["selection"] != key.selection:
        detail = "The key belongs to a request with another selection, other variables or another load."
        raise ApiProblem("key-reused", detail)
    return UUID(value["run"])


async def forget(client: "PrefectClient", name: str) -> None:
    """Delete the variable of that name, if it is still there."""
    from prefect.exceptions import ObjectNotFound

    try:
        await client.delete_variable_by_name(name)
    except ObjectNotFound:
        return


async def keep(client: "PrefectClient", key: RunKey, run: UUID) -> UUID:
    """Store the run of a key. Returns the run that the key has from now on: another process may have been quicker."""
    from prefect.client.schemas.actions import VariableCreate
    from prefect.exceptions import ObjectAlreadyExists

    value = {"run": str(run), "selection": key.selection}
    try:
        await client.create_variable(VariableCreate(name=key.name, value=value, tags=[key.tag]))
    except ObjectAlreadyExists:
        return await run_of(client, key) or run
    return run


async def delete_old_keys_again_and_again(prefect: Prefect, runs: "RunQueue") -> None:
    """Delete old keys every ten minutes, until cancelled: no request waits for it."""
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_CLEANINGS)
        try:
            async with prefect.client() as client:
                await delete_old_keys(client, (await runs.deployment(client)).id)
        except ApiProblem as problem:
            logger.debug("cannot delete old keys: %s", problem.detail)
        except Exception:
            logger.exception("cannot delete old keys")


async def delete_old_keys(client: "PrefectClient", deployment: UUID) -> None:
    """Delete the deployment's keys that are older than KEPT."""
    while names := await _old(client, _tag(deployment)):
        for name in names:
            await forget(client, name)


async def _old(client: "PrefectClient", tag: str) -> list[str]:
    """The names of the oldest variables with that tag, as far as they are older than KEPT; at most one page."""
    ours = {"variables": {"tags": {"all_": [tag]}}}
    count = (await client.request("POST", "/variables/count", json=ours)).json()
    page = {"sort": "CREATED_DESC", "offset": max(0, count - PAGE), "limit": PAGE}
    found = (await client.request("POST", "/variables/filter", json={**ours, **page})).json()
    return [it["name"] for it in found if datetime.now(UTC) - datetime.fromisoformat(it["created"]) > KEPT]


def _tag(deployment: UUID) -> str:
    return f"keys of deployment {deployment}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
