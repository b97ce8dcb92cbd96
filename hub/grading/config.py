"""Who gets what of nbgrader, and nbgrader's own settings, as files that the nodes read.

Everybody's server has the assignment list and Validate; instructors' has a menu entry as well, which leads to their
course's desk. The desk has formgrader. The hub says whose server it is, by the JUPYTER_CONFIG_PATH of the job. That
decides what is shown; what a person may read and write is for file permissions to say.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from hub.backend import backend
from hub.files import write_file
from hub.layout import Layout
from hub.ports import Ports
from hub.running import Running
from hub.workshop import Workshop

#: nbgrader's server extensions; the first of these keys says what there is.
EXTENSIONS = {"everyone": ("assignment_list", "validate_assignment"),
              "instructors": ("assignment_list", "validate_assignment"),
              "desk": ("formgrader", "validate_assignment")}
ALL_EXTENSIONS = ("assignment_list", "validate_assignment", "course_list", "formgrader")
#: JupyterLab's parts of nbgrader, and who has them. nbgrader's own formgrader is a frame, which JupyterHub forbids
#: (frame-ancestors 'none'); ours opens a tab.
PARTS = {"@jupyter/nbgrader:assignment-list": ("everyone", "instructors"),
         "@jupyter/nbgrader:create-assignment": ("desk",),
         "@jupyter/nbgrader:course-list": (),
         "@jupyter/nbgrader:formgrader": (),
         "mandrillhub:formgrader": ("instructors", "desk")}

#: For everybody, course accounts too: the exchange whose layout places.py makes. ``course`` is empty where there are
#: several: the assignment list then shows a person's own ones, and on the command line --course picks.
NBGRADER_CONFIG = """\
# Written by `mandrillhub up`; changes here are lost.
from pathlib import Path

c = get_config()
c.CourseDirectory.course_id = {course!r}
c.Exchange.root = {exchange!r}
# Work lies in ~/COURSE/ASSIGNMENT, wherever nbgrader is run from.
c.Exchange.assignment_dir = str(Path.home())
c.Exchange.path_includes_course = True
c.ExchangeFactory.release_assignment = "hub.grading.exchange.ReleaseAssignment"
c.ExchangeFactory.fetch_assignment = "hub.grading.exchange.FetchAssignment"
c.ExchangeFactory.submit = "hub.grading.exchange.Submit"
c.ExchangeFactory.list = "hub.grading.listing.List"
c.ExchangeFactory.collect = "hub.grading.collect.Collect"
c.ExchangeFactory.release_feedback = "hub.grading.feedback.ReleaseFeedback"
c.ExchangeFactory.fetch_feedback = "hub.grading.feedback.FetchFeedback"
c.Authenticator.plugin_class = "hub.grading.membership.Members"
"""
#: Beside that of everyone.
DESK_CONFIG = """\
# Written by `mandrillhub up`; changes here are lost. Beside that of everyone.
c = get_config()
c.CourseDirectory.course_id = {course!r}
c.CourseDirectory.root = {root!r}
# Submitted code runs in a sandbox of its own; see hub/grading/sandbox.
c.Autograde.exporter_class = "hub.grading.sandbox.unreadable.Reader"
c.Autograde.autograde_preprocessors = [
    "hub.grading.sandbox.execute.ExecuteInSandbox", "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor", "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades", "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata"]
c.ExecuteInSandbox.url = {sandbox!r}
"""


def write(layout: Layout, workshop: Workshop) -> bool:
    """Write the settings; False if all was there. The exchange itself: places.py."""
    names = [course.name for course in workshop.courses]
    config = {
        # Whoever has one course only need not name it on the command line.
        "everyone/nbgrader_config.py": NBGRADER_CONFIG.format(
            exchange=str(layout.exchange), course=names[0] if len(names) == 1 else "")}
    for kind, folders in {"everyone": ["everyone"], "instructors": ["instructors"],
                          "desk": [f"courses/{name}" for name in names]}.items():
        disabled = {part: kind not in who for part, who in PARTS.items()}
        for folder in folders:
            grading = {"extensions": EXTENSIONS[kind]} | ({"at_start": ["hub.grading.desk"]} if kind == "desk" else {})
            config[f"{folder}/jupyter_server_config.json"] = _json({"Grading": grading})
            config[f"{folder}/labconfig/page_config.json"] = _json({"disabledExtensions": disabled})
    for name in names:
        config[f"courses/{name}/nbgrader_config.py"] = DESK_CONFIG.format(
            course=name, root=str(layout.courses / name), sandbox=_sandbox(layout, workshop))
    changed = False
    for file in [file for file in layout.config.rglob("*") if file.is_file()]:
        if str(file.relative_to(layout.config)) not in config:  # of a course that is no longer one
            file.unlink()
            changed = True
    for name, text in config.items():
        file = layout.config / name
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file(file, text)
            changed = True
    return changed


def _sandbox(layout: Layout, workshop: Workshop) -> str:
    """Where nodes reach the service that has submitted notebooks executed."""
    return f"http://{backend(layout, workshop.cluster).hub_address}:{Ports(workshop.port).sandbox}"


def _json(settings: dict) -> str:
    return json.dumps(settings, indent=1) + "\n"


def courses_of(running: Running, login: str) -> list[str]:
    """The names of a person's courses; none for a desk."""
    person = next((person for person in running.people if person.login == login), None)
    return [course.name for course in running.workshop.courses if person and person.takes(course.name)]


def desk_of(running: Running, login: str) -> str | None:
    """The course whose desk this is."""
    return next((course.name for course in running.workshop.courses if course.account == login), None)


def config_path(layout: Layout, running: Running, login: str) -> str:
    """JUPYTER_CONFIG_PATH of a job: a person's, or the desk of a course."""
    roles = {person.login: person.role for person in running.people}
    first = []
    if course := desk_of(running, login):
        first = [f"courses/{course}"]
    elif roles.get(login) in ("instructor", "admin"):
        first = ["instructors"]
    return ":".join(str(layout.config / folder) for folder in [*first, "everyone"])


def first_page(layout: Layout, running: Running, login: str) -> str:
    """Where a server opens: a desk at formgrader, a person's at the first notebook that a course of theirs released."""
    if desk_of(running, login):
        return "/formgrader"
    for course in courses_of(running, login):
        outbound = layout.exchange / course / "outbound"
        if notebooks := sorted(outbound.glob("*/*.ipynb")):
            return "/lab/tree/" + quote(f"{course}/{notebooks[0].relative_to(outbound)}")
    return "/lab"


def path(layout: Layout) -> str:
    """PATH of jobs: the course's Python first, and the server's programs, for `nbgrader` in a terminal."""
    return f"{layout.kernels}/pytorch/bin:{layout.server_bin}:/usr/local/bin:/usr/bin:/bin"


def command_line(layout: Layout, course: str) -> dict[str, str]:
    """The environment of an nbgrader that runs as the account of a course outside its desk."""
    return {"PATH": f"{layout.server_bin}:/usr/bin:/bin", "LANG": "C.UTF-8", "JUPYTER_PATH": str(layout.jupyter),
            "JUPYTER_CONFIG_PATH": f"{layout.config}/courses/{course}:{layout.config}/everyone"}
