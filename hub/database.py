"""How the hub's sqlite database is written."""

from __future__ import annotations

from jupyterhub import orm
from sqlalchemy import event
from sqlalchemy.engine import Engine


def be_quick() -> None:
    """Call before the hub opens its database."""
    _write_ahead()
    # JupyterHub asks SELECT 1 before each transaction, should the server have hung up. A file never does.
    orm.register_ping_connection = lambda engine: None


def _write_ahead() -> None:
    """Let sqlite append to a log instead of waiting for the disk at every commit (sqlite.org/wal.html).

    The hub commits about ten times a start, on the one thread that serves everybody. A hub that is killed loses
    nothing. A machine that loses power may lose the last seconds, never the database: jobs that the hub then
    does not remember are cancelled as nobody's.
    """
    @event.listens_for(Engine, "connect")
    def _(connection, _record) -> None:
        if type(connection).__module__.startswith("sqlite3"):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
