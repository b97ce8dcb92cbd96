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
_states: dict[Session, dict[Spawner, Callable[[], dict[str, Any]]]] = {}
_written: dict[Session, asyncio.Future[None]] = {}


def write(spawner: Spawner, state: Callable[[], dict[str, Any]]) -> Awaitable[None]:
    """Write a server's state to the database in a moment. Await the result to know that it is there."""
    session = object_session(spawner)
    if session not in _states:
        _states[session] = {}
        loop = asyncio.get_running_loop()
        _written[session] = loop.create_future()
        loop.call_later(GATHER_S, _write, session)
    _states[session][spawner] = state
    return asyncio.shield(_written[session])


def _write(session: Session) -> None:
    done = _written.pop(session)
    try:
        for spawner, state in _states.pop(session).items():
            if spawner in session:  # not deleted meanwhile
                spawner.state = state()
        session.commit()
    except Exception as error:
        session.rollback()
        done.set_exception(error)
    else:
        done.set_result(None)
