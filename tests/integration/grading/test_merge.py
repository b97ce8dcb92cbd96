"""What nbgrader's process takes of an answer that comes from where submitted code ran. In the server's environment,
which has nbgrader."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.live import REPOSITORY

MERGE = """
import json, sys
from nbformat import v4
from hub.grading.sandbox.execute import merge
cells = [v4.new_markdown_cell("text"), v4.new_code_cell("first"), v4.new_code_cell(" "), v4.new_code_cell("second"),
         v4.new_code_cell("third")]
nb = v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "pytorch", "display_name": "PyTorch"}})
before = [cell.source for cell in nb.cells], dict(nb.metadata)
reason = merge(nb, json.loads(sys.stdin.read()))
assert ([cell.source for cell in nb.cells], dict(nb.metadata)) == before and len(nb.cells) == 5
assert all(list(cell.metadata) == [] for cell in nb.cells)
print(json.dumps([reason, [[out.get("evalue", out.get("text")) for out in cell.get("outputs", [])]
                           for cell in nb.cells]]))
"""
OUT = {"output_type": "stream", "name": "stdout", "text": "fine"}
BELOW = "not executed: see the first error of this kind above"


def merged(platform, answer):
    done = subprocess.run([platform.layout.server_bin / "python", "-c", MERGE], input=json.dumps(answer), text=True,
                          capture_output=True, cwd="/", env={"PYTHONPATH": str(REPOSITORY)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cell(*outputs, **more):
    return {"outputs": list(outputs), "execution_count": 1} | more


def test_outputs_go_to_their_cells(platform):
    answer = {"reason": "", "cells": {"1": cell(OUT), "3": cell(), "4": cell(OUT, OUT)}}
    assert merged(platform, answer) == ["", [[], ["fine"], [], [], ["fine", "fine"]]]


@pytest.mark.parametrize("answer, reason, outputs", [
    ({"reason": "too much", "faulty": 3, "cells": {"1": cell(OUT), "3": cell(OUT)}}, "too much",
     [[], ["fine"], [], ["fine", "too much"], [BELOW]]),
    ({"reason": "out of time", "cells": {}}, "out of time", [[], ["out of time"], [], [BELOW], [BELOW]]),
    # A test without any word of it would count as passed.
    ({"reason": "", "cells": {"1": cell(OUT)}}, "no result came back for some of its cells",
     [[], ["fine"], [], ["no result came back for some of its cells"], [BELOW]]),
    ({"reason": "", "cells": {"1": cell({"output_type": "stream", "text": 5}), "3": cell(source="x = 1"),
                              "4": cell("x", cell_type="markdown"), "0": cell(OUT), "7": cell(OUT)}},
     "its kernel sent what is no output", [[], ["its kernel sent what is no output"], [], [],
                                           ["its kernel sent what is no output"]]),
    ({"cells": [1, 2], "reason": {"a": 1}}, "{'a': 1}", [[], ["{'a': 1}"], [], [BELOW], [BELOW]]),
    ({}, "no result came back for some of its cells",
     [[], ["no result came back for some of its cells"], [], [BELOW], [BELOW]]),
], ids=["faulty", "nothing", "silent", "invalid", "shapes", "empty"])
def test_what_is_missing_or_no_output_is_an_error(platform, answer, reason, outputs):
    assert merged(platform, answer) == [reason, outputs]
