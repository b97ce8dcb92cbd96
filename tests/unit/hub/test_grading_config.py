import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.grading import config as grading
from hub.layout import Layout


def person(*groups: str, admin: bool = False):
    return SimpleNamespace(user=SimpleNamespace(
        admin=admin, groups=[SimpleNamespace(name=name) for name in groups]))


@pytest.mark.parametrize("spawner, teaches", [
    (person("attendees"), False), (person(), False), (person("instructors"), True), (person(admin=True), True)])
def test_the_hub_says_who_gets_the_instructors_tools(spawner, teaches):
    path = grading.config_path(Layout(Path("/x")), spawner)
    everyone, instructors = "/x/srv/mandrillhub/config/everyone", "/x/srv/mandrillhub/config/instructors"
    assert path == (f"{instructors}:{everyone}" if teaches else everyone)


def test_nbgrader_frame_is_off_for_all_and_the_rest_of_an_instructors_off_for_attendees(tmp_path):
    layout = Layout(tmp_path)
    layout.make()
    grading.write(layout)
    off = {who: json.loads((layout.config / who / "labconfig/page_config.json").read_text())["disabledExtensions"]
           for who in grading.EXTENSIONS}
    assert {name for name, value in off["everyone"].items() if value} == {*grading.FOR_INSTRUCTORS, *grading.NEVER}
    assert {name for name, value in off["instructors"].items() if value} == set(grading.NEVER)
    assert off["everyone"].keys() == off["instructors"].keys(), "what is on must be said, to undo what is off"
