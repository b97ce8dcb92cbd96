"""What a job runs: jupyterhub-singleuser on a port of its own choosing, reported to the hub once it listens.

Installed in the notebook server's environment; the standard library and JupyterHub's server are all it needs.
batchspawner's own start script spends 0.9 CPU seconds on imports, and reports a port that is not open yet.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

#: JupyterHub's server imports the hub's database layer, which it has no database for: a fifth of its start.
HUB_ONLY = ("sqlalchemy", "sqlalchemy.exc", "jupyterhub.orm", "jupyterhub.handlers.pages")


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "spawner_profiles.singleuser"}]


def _load_jupyter_server_extension(app) -> None:
    """Report when the event loop first runs: the server's socket is open then."""
    if "JUPYTERHUB_SERVICE_URL" in os.environ:
        app.io_loop.add_callback(app.io_loop.run_in_executor, None, report, app.port)


def report(port: int) -> None:
    """Tell the hub that this server listens on ``port``. A hub that is away for a moment is waited for; one that
    says that this server has no owner any more is believed: the job ends."""
    while True:
        try:
            return _report(port)
        except HTTPError as error:
            if error.code == 403:
                print("The hub does not know this server: it ends.", flush=True)
                os.kill(os.getpid(), signal.SIGTERM)
                return None
        except OSError:
            pass
        time.sleep(2)


def _report(port: int) -> None:
    request = Request(
        os.environ["JUPYTERHUB_API_URL"] + "/batchspawner", data=json.dumps({"port": port}).encode(),
        headers={"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}",
                 "Content-Type": "application/json"})
    with urlopen(request, timeout=30, context=_tls()):
        pass


def _tls() -> ssl.SSLContext | None:
    """For a hub with ``internal_ssl``, which wants to see our certificate and has one of an authority of its own."""
    if "JUPYTERHUB_SSL_KEYFILE" not in os.environ:
        return None
    context = ssl.create_default_context(cafile=os.environ["JUPYTERHUB_SSL_CLIENT_CA"])
    context.load_cert_chain(os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"])
    return context


def hold_port(address: str) -> tuple[socket.socket, int]:
    """A port that nobody else is given until our server listens on it.

    The socket is bound and never listens; the kernel hands its port to no one who asks for any free port,
    while the server may still bind it by number, since both set SO_REUSEADDR (socket(7)).
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    held = socket.socket(family)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((address, 0))
    return held, held.getsockname()[1]


@contextmanager
def light_imports() -> Iterator[None]:
    """While it lasts, importing the server costs half of what it does alone, and the modules of ``HUB_ONLY`` are empty.

    - The garbage collector would look again and again at modules, which stay anyway.
    - JupyterLab runs ``node yarn config`` (0.3 CPU seconds) if it finds a node, to build extensions, which nobody does.
    """
    path = os.environ["PATH"]
    gc.disable()
    os.environ["PATH"] = os.path.dirname(sys.executable)
    empty = {name: _Empty(name) for name in HUB_ONLY if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]  # whoever needs the real one later, as nbgrader does, gets it
        os.environ["PATH"] = path
        gc.freeze()
        gc.enable()


class _Empty(ModuleType):
    """Stands in for a module whose names are only imported, compared with or caught."""

    def __getattr__(self, name: str) -> type[Exception]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


def main() -> None:
    url = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    held, port = hold_port(url.hostname or "0.0.0.0")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    os.environ["JUPYTERHUB_SERVICE_URL"] = url._replace(netloc=f"{host}:{port}").geturl()
    with light_imports():
        import jupyterlab.labapp  # noqa: F401
        from jupyterhub.singleuser import main as serve

    serve()
    held.close()


if __name__ == "__main__":
    main()
