"""Which run a request with an Idempotency-Key got, kept in Prefect for all processes of the API.

Each key is a variable of Prefect's. Prefect takes no second variable of one name: of two processes that serve the same
key at the same moment one decides, and the other reads what it decided.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from api.problems import Problem

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

KEPT = timedelta(days=30)
CLEANED_EVERY = 50  # keys: more are deleted at each cleaning than were kept since the last one
CLEANED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RunKey:
    """A client's key: `name` and `tag` are the variable's, `selection` is a hash of what was selected."""

    name: str
    tag: str
    selection: str


def run_key(deployment: UUID, key: str, select: Sequence[str]) -> RunKey:
    """The key of a request to `deployment`. A variable's name holds no more than lower-case letters and figures."""
    name = f"run-key-{_hash(f'{deployment} {key}')}"
    return RunKey(name, f"keys of deployment {deployment}", _hash(json.dumps(sorted(select))))


async def run_of(client: "PrefectClient", key: RunKey) -> UUID | None:
    """The run that the key got, None for a new key. Raises Problem when it got it for another selection."""
    kept = await client.read_variable_by_name(key.name)
    if kept is None:
        return None
    value: Any = kept.value
    if value["selection"] != key.selection:
        raise Problem("key-reused", "The key belongs to a request with another selection.")
    return UUID(value["run"])


async def forget(client: "PrefectClient", name: str) -> None:
    """Delete the variable of that name, if it is still there."""
    from prefect.exceptions import ObjectNotFound

    try:
        await client.delete_variable_by_name(name)
    except ObjectNotFound:
        return


class RunKeys:
    """Keeps keys, and deletes old ones as new ones come."""

    def __init__(self) -> None:
        self._until_cleaning = 0

    async def keep(self, client: "PrefectClient", key: RunKey, run: UUID) -> UUID:
        """Give the key this run. Gives the run that it has from now on: another process may have been quicker."""
        from prefect.client.schemas.actions import VariableCreate
        from prefect.exceptions import ObjectAlreadyExists

        value = {"run": str(run), "selection": key.selection}
        try:
            await client.create_variable(VariableCreate(name=key.name, value=value, tags=[key.tag]))
        except ObjectAlreadyExists:
            return await run_of(client, key) or run
        await self._clean_now_and_then(client, key.tag)
        return run

    async def _clean_now_and_then(self, client: "PrefectClient", tag: str) -> None:
        if self._until_cleaning:
            self._until_cleaning -= 1
            return
        self._until_cleaning = CLEANED_EVERY
        for name in await _old(client, tag):
            await forget(client, name)


async def _old(client: "PrefectClient", tag: str) -> list[str]:
    """The names of the oldest variables with that tag, as far as they are older than KEPT."""
    ours = {"variables": {"tags": {"all_": [tag]}}}
    count = (await client.request("POST", "/variables/count", json=ours)).json()
    page = {"sort": "CREATED_DESC", "offset": max(0, count - CLEANED_AT_ONCE), "limit": CLEANED_AT_ONCE}
    found = (await client.request("POST", "/variables/filter", json={**ours, **page})).json()
    return [it["name"] for it in found if datetime.now(UTC) - datetime.fromisoformat(it["created"]) > KEPT]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
