"""What to grade in place of a notebook that cannot be: the released one, with no points and the reason in it.

nbgrader itself gives up on such a submission, and on all those after it for some: there is no record of it, nothing
to see in formgrader, and no feedback. Set as ``c.Autograde.exporter_class``.
"""

from __future__ import annotations

import copy
import os
import stat
from pathlib import Path

from nbconvert.exporters import NotebookExporter
from nbgrader.api import MissingEntry
from sqlalchemy.exc import SQLAlchemyError

from hub.grading.sandbox.execute import REASON

#: A notebook of the course has some 50 kB; outputs, which are cleared, can make it more.
MOST_MB = 30


class NotGradable(Exception):
    """The submitted notebook is none; the message says why."""


class Reader(NotebookExporter):
    """Reads a submitted notebook; if it is none, the released one."""

    _reason = ""

    def from_filename(self, filename, resources=None, **options):
        self._reason = ""
        if not getattr(self.parent, "_sanitizing", False):
            return super().from_filename(filename, resources, **options)
        before = copy.deepcopy(resources)
        try:
            check(Path(filename))
            return super().from_filename(filename, resources, **options)
        except (SQLAlchemyError, MissingEntry):  # the gradebook is at fault
            raise
        except NotGradable as error:
            self._reason = str(error)
        except Exception as error:
            self._reason = f"{os.path.basename(filename)} is no notebook that can be graded: {words(error)}"
        released = Path(self.parent.coursedir.format_path(
            self.parent.coursedir.release_directory, ".", before["nbgrader"]["assignment"]), os.path.basename(filename))
        if not released.exists():
            raise NotGradable(f"{self._reason}; and the course has no {released} to show it in")
        self.parent.log.warning("%s", self._reason)
        return super().from_filename(str(released), before, **options)

    def from_notebook_node(self, nb, resources=None, **options):
        if getattr(self.parent, "_sanitizing", False):
            nb.metadata.pop(REASON, None)  # ours alone
            if self._reason:
                nb.metadata[REASON] = self._reason
        return super().from_notebook_node(nb, resources, **options)


def check(path: Path) -> None:
    """Raise :class:`NotGradable` before anything is read that is no plain file or too large."""
    try:
        about = path.lstat()
    except OSError:
        raise NotGradable(f"{path.name} was not handed in") from None
    if not stat.S_ISREG(about.st_mode):
        raise NotGradable(f"{path.name} is not a plain file")
    if about.st_size > MOST_MB * 1024 * 1024:
        raise NotGradable(f"{path.name} has {about.st_size // 1024**2} MB, more than {MOST_MB}")


def words(error: Exception) -> str:
    """One line of it."""
    lines = str(error).strip().splitlines()
    if type(error).__name__ == "NotJSONError":
        return "it is not JSON"
    if isinstance(error, (AttributeError, KeyError, TypeError)):
        return f"it is JSON, but not of a notebook ({lines[0][:100] if lines else type(error).__name__})"
    return f"{type(error).__name__}{f': {lines[0][:200]}' if lines else ''}"
