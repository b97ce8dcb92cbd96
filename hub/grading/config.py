"""Who gets what of nbgrader, and nbgrader's own settings, as files that the nodes read.

Everybody's server has the assignment list and Validate; instructors' have formgrader, the course list and the
assignment editor as well. The hub says who is one, by the JUPYTER_CONFIG_PATH of the job. That decides what is shown;
what a person may read and write is for file permissions to say.
"""

from __future__ import annotations

import json

from hub.files import write_file
from hub.layout import Layout
from hub.roster import GROUPS

COURSE = "mandrill"
EXTENSIONS = {"everyone": ["assignment_list", "validate_assignment"],
              "instructors": ["assignment_list", "validate_assignment", "course_list", "formgrader"]}
#: JupyterLab's parts of the same, off for everybody and on for instructors.
FOR_INSTRUCTORS = ("@jupyter/nbgrader:course-list", "@jupyter/nbgrader:create-assignment", "mandrillhub:formgrader")
#: Shows formgrader in a frame, which JupyterHub forbids (frame-ancestors 'none'); ours opens it in a tab of its own.
NEVER = ("@jupyter/nbgrader:formgrader",)

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
#: Formgrader wants the course below the server's root, which is the home.
INSTRUCTORS_CONFIG = """\
# Written by `mandrillhub up`; changes here are lost. Beside that of everyone.
from pathlib import Path

c = get_config()
place = Path.home() / {place!r}
place.mkdir(exist_ok=True)
c.CourseDirectory.root = str(place)
"""


def write(layout: Layout) -> bool:
    """Write the settings; False if all was there. The exchange itself: places.py."""
    config = {
        "everyone/nbgrader_config.py": NBGRADER_CONFIG.format(course=COURSE, exchange=str(layout.exchange)),
        "instructors/nbgrader_config.py": INSTRUCTORS_CONFIG.format(place=f"{COURSE}-course"),
    }
    for who, extensions in EXTENSIONS.items():
        disabled = dict.fromkeys(FOR_INSTRUCTORS, who == "everyone") | dict.fromkeys(NEVER, True)
        for file, settings in (("jupyter_server_config.json", {"Grading": {"extensions": extensions}}),
                               ("labconfig/page_config.json", {"disabledExtensions": disabled})):
            config[f"{who}/{file}"] = json.dumps(settings, indent=1) + "\n"
    changed = False
    for name, text in config.items():
        file = layout.config / name
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file(file, text)
            changed = True
    return changed


def config_path(layout: Layout, spawner) -> str:
    """JUPYTER_CONFIG_PATH of a person's job."""
    user = spawner.user
    teaches = user.admin or any(group.name == GROUPS["instructor"] for group in user.groups)
    return ":".join(str(layout.config / who) for who in (["instructors"] if teaches else []) + ["everyone"])
