"""What `up` does for the courses: their accounts' directories, the exchange, and their assignments, released."""

from __future__ import annotations

import io
import json
import os
import pwd
import subprocess
import tarfile
import tempfile
from pathlib import Path

from hub import accounts
from hub.courses import Course
from hub.files import write_file
from hub.grading import config, places
from hub.layout import Layout
from hub.people import Person
from hub.workshop import Workshop
from kernels.build import fingerprint

#: Files for the course directory, beside the assignments.
BESIDE = ("nbgrader_config.py",)


def prepare(layout: Layout, workshop: Workshop, people: list[Person]) -> list[str]:
    """Bring all courses in line with the workshop; returns what was done, one line each."""
    done = accounts.serve(workshop.grading.account, "sandbox of submitted notebooks", layout.sandbox / "home")
    for course in workshop.courses:
        members = [person for person in people if person.takes(course.name)]
        done += accounts.serve(course.account, f"course {course.name}", layout.courses / course.name)
        if places.make(layout.exchange, course.name, course.account, [person.login for person in members]):
            done.append(f"{course.name}: places for {len(members)} people")
        done += [f"{course.name}: {line}" for line in hand_out(layout, workshop.language, course, members)]
    return done


def hand_out(layout: Layout, language: str, course: Course, people: list[Person]) -> list[str]:
    """Hand the course its assignments and release them, if any of that changed; returns what was done, one line each.

    The course's account does it all in its own directory: root neither reads nor writes there.
    """
    home, account = layout.courses / course.name, pwd.getpwnam(course.account)
    files = [file for file in (course.folder.parent / name for name in BESIDE) if file.exists()]
    asked = {"hold_back": course.hold_back,
             "people": {person.login: person.name for person in people if person.role == "attendee"}}
    sources = [course.folder, *files, Path(config.__file__), Path(__file__).with_name("handout.py")]
    if language != "en" and not course.source:
        sources.append(course.folder.parent / "translations")
    want = json.dumps([fingerprint(*sources), language, account.pw_uid, asked])
    stamp = layout.var / "courses" / course.name
    if stamp.exists() and stamp.read_text() == want and (home / "source").exists():
        return []
    result = subprocess.run(
        [layout.server_bin / "python", "-m", "hub.grading.handout"], input=_packed(course, language, files, asked),
        capture_output=True, cwd=home, user=account.pw_uid, group=account.pw_gid, extra_groups=[],
        env=config.command_line(layout, course.name) | {"HOME": account.pw_dir, "USER": course.account})
    log = layout.logs / f"course-{course.name}.log"
    write_file(log, result.stderr.decode(errors="replace"), mode=0o600)
    if result.returncode:
        # By something in the course directory, which is its instructors': no reason to keep the others waiting.
        return [f"could not hand out the assignments; {log} says why"]
    told = json.loads(result.stdout)
    stamp.parent.mkdir(exist_ok=True)
    if not any(line.startswith("could not") for line in told):
        write_file(stamp, want, mode=0o600)
    return told


def _packed(course: Course, language: str, files: list[Path], asked: dict) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        source = course.in_language("source", language, Path(place))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name in course.assignments:
                tar.add(source / name, f"source/{name}", filter=_ours)
            for file in files:
                tar.add(file, file.name, filter=_ours)
            text = json.dumps(asked).encode()
            entry = tarfile.TarInfo("handout.json")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


def _ours(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without what editors left behind, and with modes that its new owner can work with."""
    if os.path.basename(entry.name).startswith(".") or entry.name.endswith("__pycache__"):
        return None
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def close_sources(workshop: Workshop) -> list[str]:
    """Close the courses' sources, which hold solutions and hidden tests, to others; returns what could not be."""
    told = []
    for place in [course.folder for course in workshop.courses]:
        if place.stat().st_mode & 0o007:
            try:
                place.chmod(place.stat().st_mode & 0o770)
            except OSError as error:
                told.append(f"{place} holds solutions and everybody may read it ({error.strerror})")
    return told
