import json
from pathlib import Path

import pytest

from hub.courses import Course
from hub.grading import config as grading
from hub.layout import Layout
from hub.people import Person
from hub.running import Running
from hub.workshop import Workshop

WORKSHOP = Workshop(courses=[{"name": "mandrill"}, {"name": "vision", "source": Course(name="mandrill").folder}])
RUNNING = Running(workshop=WORKSHOP, emulated=True, data=Path("/x"), people=[
    Person("ada", "Ada", courses=("vision",)), Person("carol", "Carol", "instructor", ("mandrill",)),
    Person("dora", "Dora", "admin", ("mandrill",)), Person("eve", "Eve")])


@pytest.mark.parametrize("login, first", [
    ("ada", []), ("gone", []), ("carol", ["instructors"]), ("dora", ["instructors"]),
    ("grader-mandrill", ["courses/mandrill"]), ("grader-vision", ["courses/vision"])])
def test_the_hub_says_whose_server_gets_what(login, first):
    path = grading.config_path(Layout(Path("/x")), RUNNING, login)
    assert path == ":".join(f"/x/srv/mandrillhub/config/{name}" for name in [*first, "everyone"])


def test_whose_courses_they_are():
    logins = ("ada", "carol", "dora", "eve", "grader-vision")
    assert {login: grading.courses_of(RUNNING, login) for login in logins} == {
        "ada": ["vision"], "carol": ["mandrill"], "dora": ["mandrill", "vision"], "eve": ["mandrill", "vision"],
        "grader-vision": []}


def test_a_server_opens_at_the_first_notebook_that_was_released(tmp_path):
    layout = Layout(tmp_path)
    assert grading.first_page(layout, RUNNING, "eve") == "/lab"
    for place in ("mandrill/outbound/b", "mandrill/outbound/a b", "vision/outbound/0"):
        (layout.exchange / place).mkdir(parents=True)
        (layout.exchange / place / "x.ipynb").touch()
    assert grading.first_page(layout, RUNNING, "eve") == "/lab/tree/mandrill/a%20b/x.ipynb"
    assert grading.first_page(layout, RUNNING, "ada") == "/lab/tree/vision/0/x.ipynb"
    assert grading.first_page(layout, RUNNING, "grader-vision") == "/formgrader"


def test_each_part_of_nbgrader_is_on_or_off_as_the_table_says(tmp_path):
    layout = Layout(tmp_path)
    layout.make()
    assert grading.write(layout, WORKSHOP) and not grading.write(layout, WORKSHOP)
    for folder, who in (("everyone", "everyone"), ("instructors", "instructors"), ("courses/vision", "desk")):
        off = json.loads((layout.config / folder / "labconfig/page_config.json").read_text())["disabledExtensions"]
        assert off == {part: who not in has for part, has in grading.PARTS.items()}, "what is on must be said, too"
    assert not grading.PARTS["@jupyter/nbgrader:formgrader"], "a frame, which JupyterHub forbids"


def test_the_command_line_knows_the_course_where_there_is_one_and_what_is_gone_is_removed(tmp_path):
    layout = Layout(tmp_path)
    layout.make()
    grading.write(layout, WORKSHOP)
    everyone = layout.config / "everyone/nbgrader_config.py"
    assert "course_id = ''" in everyone.read_text()
    desk = (layout.config / "courses/vision/nbgrader_config.py").read_text()
    assert "course_id = 'vision'" in desk and f"root = '{layout.courses}/vision'" in desk
    assert grading.write(layout, Workshop())
    assert "course_id = 'mandrill'" in everyone.read_text()
    assert not (layout.config / "courses/vision/nbgrader_config.py").exists()
