"""Feedback: from the course to its owner alone, below the directory that nobody else gets through."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path

from nbgrader.exchange import default
from nbgrader.utils import notebook_hash

from hub.grading.exchange import SECRET, Ours, Submission
from hub.grading.hostile import Refused, opened, people_of


class ReleaseFeedback(Ours, default.ExchangeReleaseFeedback):
    """nbgrader's, once for each person; ``refused`` tells afterwards who did not get theirs: the reason."""

    def init_dest(self) -> None:
        self.course_path = self.ensure_course()
        self.refused: dict[str, str] = {}

    def copy_files(self) -> None:
        wanted = self.coursedir.student_id or "*"
        me = os.geteuid()
        with people_of(self.course_path) as (everyone, people):
            for login, uid in people.items():
                self.src_path = self.coursedir.format_path(
                    self.coursedir.feedback_directory, login, self.coursedir.assignment_id)
                if not fnmatch(login, wanted) or not os.path.isdir(self.src_path):
                    continue
                try:
                    with (opened(login, everyone, uid, "their place in the exchange") as place,
                          opened("feedback", place, me, "their feedback directory") as feedback):
                        # Nobody else writes there; the descriptor stays the same whatever they rename.
                        self.dest_path = f"/proc/self/fd/{feedback}"
                        super().copy_files()
                except (Refused, OSError) as error:
                    self.refused[login] = str(error)
                    self.log.error("No feedback for %s: %s. `mandrillhub up` mends their place", login, error)


class FetchFeedback(Ours, default.ExchangeFetchFeedback):
    """nbgrader's, for one's own submissions where they were handed in."""

    def init_src(self) -> None:
        place = self.my_place()
        self.src_path = str(place / "feedback")
        self.feedback_files = []
        for path in sorted(place.glob("inbound/*")):
            submission = Submission.of(path.name)
            if submission and fnmatch(submission.assignment, self.coursedir.assignment_id or "*"):
                for notebook, feedback in feedback_of(path):
                    about = "/".join((self.coursedir.course_id, submission.assignment, notebook))
                    if feedback.exists():
                        self.feedback_files.append((notebook, submission.timestamp, str(feedback)))
                        self.log.info("Found feedback for '%s' submitted at %s", about, submission.timestamp)
                    else:
                        self.log.warning("No feedback yet for '%s' submitted at %s", about, submission.timestamp)


def feedback_of(submission: Path) -> list[tuple[str, Path]]:
    """Notebooks of a person's own submission, each with the place of its feedback, whether there yet or not."""
    if not (submission / SECRET).is_file():
        return []
    secret, place = (submission / SECRET).read_text(), submission.parents[1] / "feedback"
    return [(name, place / f"{notebook_hash(secret=secret, notebook_id=name)}.html")
            for name in sorted(path.stem for path in submission.glob("*.ipynb"))]
