"""In place of nbgrader's Execute: the cells are executed in the sandbox, and only what came out is taken from there.

nbgrader's own Execute starts the submitted code beside the gradebook, with the rights of whoever grades. Set as
``c.Autograde.autograde_preprocessors``; its settings are those of ``c.Execute``.
"""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, v4
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import Unicode

from hub.grading.sandbox import client
from hub.grading.sandbox.driver import SETTINGS

#: Of a notebook that stands in for one that cannot be graded: why. See unreadable.py.
REASON = "mandrillhub_not_gradable"


class ExecuteInSandbox(Execute):
    url = Unicode(help="of the sandbox service").tag(config=True)

    #: While a notebook is executed elsewhere others may use the gradebook; see run.py.
    elsewhere = staticmethod(nullcontext)
    #: Told the state of the job, and why.
    tell = staticmethod(lambda state, note: None)
    #: Why something was not executed, by notebook: for the report.
    reasons: dict[str, str] = {}
    cpu_s = 0.0

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        if reason := nb.metadata.pop(REASON, None):
            answer = {"cells": {}, "reason": reason}
        else:
            answer = self._execute(nb, resources)
        ExecuteInSandbox.cpu_s += answer.get("cpu_s", 0)
        if reason := merge(nb, answer):
            self.log.warning("%s: %s", resources["unique_key"], reason)
            ExecuteInSandbox.reasons[resources["unique_key"]] = reason
        return nb, resources

    def _execute(self, nb: NotebookNode, resources: dict) -> dict[str, Any]:
        # A tag can keep a cell from being executed, which the grader takes for a test that passed.
        work = {"cells": [{"source": cell.source, "code": cell.cell_type == "code",
                           "tags": [] if is_grade(cell) else list(cell.metadata.get("tags", []))}
                          for cell in nb.cells],
                "execute": {name: getattr(self, name) for name in SETTINGS}}
        kernel = self.kernel_name or nb.metadata.get("kernelspec", {}).get("name", "")
        try:
            body = client.pack(json.loads(json.dumps(work, default=dict)), Path(resources["metadata"]["path"] or "."))
        except client.TooLarge as error:
            return {"cells": {}, "reason": str(error)}
        token = os.environ.get("MANDRILLHUB_SANDBOX_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        with self.elsewhere():
            return client.Service(self.url, token).execute(
                kernel, resources["nbgrader"]["assignment"], body, self.tell)


def merge(nb: NotebookNode, answer: dict[str, Any]) -> str:
    """Put the outputs of ``answer`` into ``nb``; returns why something was not executed, '' if all was.

    The answer comes from where submitted code ran. Nothing but outputs is taken, each is checked, and a cell without
    any word of it counts as failed: the grader takes a test without an output for one that passed.
    """
    cells = answer.get("cells") if isinstance(answer.get("cells"), dict) else {}
    reason = str(answer.get("reason") or "")[:1000]
    told = False
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        cell.outputs, cell.execution_count = [], None
        if str(index) in cells:
            try:
                cell.outputs, cell.execution_count = _checked(cells[str(index)])
            except Exception:
                reason = reason or "its kernel sent what is no output"
                cell.outputs = [_error(reason)]
                told = True
            if answer.get("faulty") == index and reason:
                cell.outputs.append(_error(reason))
                told = True
        elif reason and told:
            cell.outputs = [_error("not executed: see the first error of this kind above")]
        else:
            reason = reason or "no result came back for some of its cells"
            cell.outputs = [_error(reason)]
            told = True
    return reason


def _checked(found: dict[str, Any]) -> tuple[list[NotebookNode], int | None]:
    outputs = [nbformat.from_dict(output) for output in found["outputs"]]
    for output in outputs:
        nbformat.validate(output, ref="output", version=4, version_minor=5)
    count = found.get("execution_count")
    return outputs, count if isinstance(count, int) else None


def _error(reason: str) -> NotebookNode:
    return v4.new_output("error", ename="NotExecuted", evalue=reason,
                         traceback=[f"\x1b[0;31mNot executed\x1b[0m: {reason}"])
