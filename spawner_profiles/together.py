"""One commit for all whose state changes in the same moment: a commit costs the hub's only thread some milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from jupyterhub.orm import Spawner
from sqlalchemy.orm import Session, object_session

GATHER_S = 0.01
#: What is to be written, asked for when it is: JupyterHub rolls back what it finds in the objects at the end of any
#: request, and a server that is stopped meanwhile has another state.
States = dict[Spawner, Callable[[], dict[str, Any]]]
_due: dict[tuple[asyncio.AbstractEventLoop, Session], tuple[States, asyncio.Future[None]]] = {}


def write(spawner: Spawner, state: Callable[[], dict[str, Any]]) -> Awaitable[None]:
    """Write a server's state to the database in a moment. Await the result to know that it is there."""
    loop = asyncio.get_running_loop()
    key = loop, object_session(spawner)
    if key not in _due:
        _due[key] = {}, loop.create_future()
        loop.call_later(GATHER_S, _write, key)
    states, written = _due[key]
    states[spawner] = state
    return asyncio.shield(written)


def _write(key: tuple[asyncio.AbstractEventLoop, Session]) -> None:
    session = key[1]
    states, written = _due.pop(key)
    try:
        for spawner, state in states.items():
            if spawner in session:  # not deleted meanwhile
                spawner.state = state()
        session.commit()
    except Exception as error:
        session.rollback()
        written.set_exception(error)
    else:
        written.set_result(None)
