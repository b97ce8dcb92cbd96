"""Sends a notebook to the sandbox service and waits for what came out. In nbgrader's process: the standard library."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

#: What a submission's files may take together, and how many they may be.
MOST_MB, MOST_FILES = 64, 5000
#: Seconds that the service may be away, for a restart or for a hub that is.
PATIENCE_S = 120
#: How often a notebook is sent again because the service was restarted while it was executed.
RESENT = 3


class Unavailable(Exception):
    """The service cannot execute anything now, whatever it is; the message says why."""


class TooLarge(Exception):
    """The submission has too many files, or too large ones."""


def pack(work: dict[str, Any], folder: Path) -> bytes:
    """A tar of what is to be executed and the files beside it, but for notebooks: they hold the hidden tests."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        _add(tar, "work.json", json.dumps(work).encode())
        for number, path in enumerate(_files(folder)):
            if number >= MOST_FILES:
                raise TooLarge(f"it has more than {MOST_FILES} files")
            if packed.tell() + path.stat().st_size > MOST_MB * 1024 * 1024:
                raise TooLarge(f"its files take more than {MOST_MB} MB")
            _add(tar, f"files/{path.relative_to(folder)}", path.read_bytes(), path.stat().st_mode & 0o777)
    return packed.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix != ".ipynb" and path.is_file() and not path.is_symlink():
                yield path


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


class Service:
    """The service at ``url``, for whoever has ``token``."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._opener = build_opener(ProxyHandler({}))

    def execute(self, kernel: str, folder: str, body: bytes, tell: Callable[[str, str], None]) -> dict[str, Any]:
        """What driver.py wrote. ``tell`` hears the state (waiting, queued, running) and why. Raises Unavailable."""
        for _ in range(RESENT):
            name = self._call("POST", f"/tasks?{urlencode({'kernel': kernel, 'folder': folder})}", body)["id"]
            try:
                while (found := self._call("GET", f"/tasks/{name}?wait=20"))["state"] != "done":
                    tell(found["state"], found["note"])
            except KeyError:  # the service was restarted
                tell("waiting", "the sandbox service was restarted")
                continue
            except BaseException:
                self._forget(name)
                raise
            self._forget(name)
            if "failed" in found["answer"]:
                raise Unavailable(found["answer"]["failed"])
            return found["answer"]
        raise Unavailable("the sandbox service was restarted again and again meanwhile")

    def _forget(self, name: str) -> None:
        with suppress(HTTPError, OSError):  # it forgets by itself, later
            self._request("DELETE", f"/tasks/{name}", None).close()

    def _request(self, method: str, path: str, body: bytes | None):
        request = Request(self._url + path, data=body, method=method, headers={
            "Authorization": f"token {self._token}", "Content-Type": "application/x-tar"})
        return self._opener.open(request, timeout=60)

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """JSON; KeyError if the service does not know what was asked for (any more)."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._request(method, path, body) as answer:
                    return json.load(answer)
            except HTTPError as error:
                why = error.reason
                if error.code == 404:
                    raise KeyError(path) from None
                if error.code < 500:
                    raise Unavailable(f"the sandbox service refuses: {why}") from None
            except (URLError, OSError, ValueError) as error:
                why = str(getattr(error, "reason", error))
            if time.monotonic() > end:
                raise Unavailable(f"the sandbox service at {self._url} does not answer: {why}. "
                                  "Is the platform up (`mandrillhub status`)?")
            time.sleep(2)
