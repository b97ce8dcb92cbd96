"""The tests that the READMEs name, as `test_file.py::test_name` or `::test_name` of the file before, are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@cache
def names_in(file: str) -> set[str]:
    """All tests in the files of this name below tests/."""
    return {node.name for path in (REPOSITORY / "tests").rglob(file) for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("readme", ["tests/README.md", "spawner_profiles/README.md", "hub/grading/README.md"])
def test_every_test_that_is_named_exists(readme):
    file, wrong = "", []
    named = re.findall(r"`(?:[\w/]*/)?(test_\w+\.py)?(?:::(test_\w+))?`", (REPOSITORY / readme).read_text())
    named = [(found, test) for found, test in named if found or test]
    for found, test in named:
        file = found or file
        if not names_in(file) or (test and test not in names_in(file)):
            wrong.append(f"{file}::{test}")
    assert not wrong and len(named) > 5
