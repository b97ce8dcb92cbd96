"""What there is: released assignments, one's own submissions, and for the course everybody's."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path

from nbgrader.exchange import default

from hub.grading.exchange import MOST_FILES, Ours, Submission
from hub.grading.feedback import feedback_of
from hub.grading.hostile import Refused, names, opened, people_of
from hub.grading.membership import Members, is_course, my_login, place


class List(Ours, default.ExchangeList):
    """nbgrader's for what is released; its --inbound and its --cached are the same here."""

    def init_dest(self) -> None:
        self.submitted = self.inbound or self.cached
        if not self.submitted:
            if self.remove:
                self.ensure_course()
            return super().init_dest()
        courses = [self.named_course()] if self.coursedir.course_id else Members(parent=self).get_student_courses("*")
        self.assignments = []
        for course in courses:
            if is_course(self.root, course):
                if self.remove:
                    self.fail("A submission is its person's: they alone can remove it")
                if self.inbound:
                    self.assignments += self.everybodys(Path(self.root, course))
            elif self.coursedir.student_id in ("", "*", my_login()):
                self.assignments += map(str, place(self.root, course, my_login()).glob("inbound/*"))
        self.assignments = sorted(path for path in self.assignments if self.is_wanted(os.path.basename(path)))

    def is_wanted(self, name: str) -> bool:
        submission = Submission.of(name)
        return bool(submission) and fnmatch(submission.assignment, self.coursedir.assignment_id or "*")

    def everybodys(self, course: Path) -> list[str]:
        """Names alone: what is in a submission is for Collect to read."""
        paths = []
        with people_of(course) as (everyone, people):
            for login, uid in people.items():
                if fnmatch(login, self.coursedir.student_id or "*"):
                    try:
                        with (opened(login, everyone, uid, "place") as mine,
                              opened("inbound", mine, uid, "inbound") as inbound):
                            found = names(inbound, MOST_FILES, "too many files")
                        paths += [str(course / "people" / login / "inbound" / name)
                                  for name in found if name.startswith(f"{login}+")]
                    except Refused as error:
                        self.log.debug("Nothing of %s: %s", login, error)
        return paths

    def parse_assignments(self) -> list[dict]:
        if not self.submitted:
            return super().parse_assignments()
        found = [self.about(Path(path)) for path in self.assignments]
        key = ("course_id", "student_id", "assignment_id")
        groups = groupby(sorted(found, key=lambda info: [info[name] for name in (*key, "timestamp")]),
                         key=lambda info: [info[name] for name in key])
        return [dict(zip(key, values)) | {"status": "submitted", "submissions": list(group)}
                for values, group in groups]

    def about(self, path: Path) -> dict:
        """What nbgrader's list and assignment list tell about one submission."""
        submission = Submission.of(path.name)
        course = path.parents[3].name
        mine = Path(self.assignment_dir).resolve()
        local = mine.joinpath(*[course] * self.path_includes_course, submission.assignment, "feedback",
                              submission.timestamp)
        notebooks = []
        if not is_course(self.root, course):
            for notebook, feedback in feedback_of(path):
                copy = local / f"{notebook}.html"
                both = copy.exists() and feedback.exists()
                notebooks.append({
                    "notebook_id": notebook, "path": str(path / f"{notebook}.ipynb"),
                    "has_local_feedback": copy.exists(), "has_exchange_feedback": feedback.exists(),
                    "local_feedback_path": str(copy) if copy.exists() else None,
                    "feedback_updated": both and copy.read_bytes() != feedback.read_bytes()})
        fetched = bool(notebooks) and all(each["has_local_feedback"] for each in notebooks)
        return {
            "course_id": course, "student_id": submission.login, "assignment_id": submission.assignment,
            "timestamp": submission.timestamp, "status": "submitted", "path": str(path), "notebooks": notebooks,
            "has_local_feedback": fetched, "local_feedback_path": str(local) if fetched else None,
            "has_exchange_feedback": bool(notebooks) and all(each["has_exchange_feedback"] for each in notebooks),
            "feedback_updated": any(each["feedback_updated"] for each in notebooks)}
