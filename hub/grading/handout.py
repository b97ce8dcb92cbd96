"""What `up` hands to a course: the platform's assignments, generated and released. Runs as the course's account.

    python -m hub.grading.handout < TAR

Runs with the notebook server's Python in the course directory. The tar holds ``source/`` and, beside it, files for the
course directory, as well as ``handout.json``: what to hold back, and the attendees' names. Prints a JSON list of what
was done. What an instructor changed is kept, and told.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

#: What we have copied and released, by digest; in the course directory.
STATE = Path(".handed.json")
DRAFT = Path(".handed.new")


def digest(path: Path) -> str | None:
    """Of a file's or a directory's content, without what editors leave behind; None if there is nothing."""
    if not path.exists():
        return None
    files = [path] if path.is_file() else sorted(
        file for file in path.rglob("*") if file.is_file() and not any(
            part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts))
    found = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        found.update(f"{file.relative_to(path)} {len(content)}\n".encode() + content)
    return found.hexdigest()


def copy(draft: Path, copied: dict[str, str]) -> list[str]:
    """Copy what is new or unchanged since our last copy, assignment by assignment; what was kept, one line each."""
    told = []
    for new in sorted([*draft.glob("source/*"), *(path for path in draft.glob("*") if path.is_file())]):
        name = str(new.relative_to(draft))
        place, want, had = Path(name), digest(new), copied.get(name)
        have = digest(place)
        if have == want or (have is None and had is None) or (have is not None and have == had):
            if have != want:
                if place.is_dir():
                    shutil.rmtree(place)
                place.parent.mkdir(exist_ok=True)
                os.replace(new, place)
            copied[name] = want
        elif had != want:  # else nothing new: no need to say it again
            told.append(f"kept {place.name}: {'changed' if have else 'removed'} by an instructor")
    return told


def enrol(api, people: dict[str, str]) -> None:
    """Names for formgrader's lists."""
    from nbgrader.api import Gradebook

    with Gradebook(api.coursedir.db_url, api.coursedir.course_id) as gradebook:
        known = {student.id: (student.first_name, student.last_name) for student in gradebook.students}
        for login, name in people.items():
            first, _, last = name.partition(" ") if " " in name else ("", "", name)
            if known.get(login) != (first, last):
                gradebook.update_or_create_student(login, first_name=first, last_name=last)


def release(api, names: list[str], released: dict[str, str]) -> list[str]:
    """Generate and release; what was done, one line each."""
    from nbgrader.utils import capture_log

    told = []
    for name in names:
        result = api.generate_assignment(name)
        if result["success"]:
            api.coursedir.assignment_id = name
            exchange = api.exchange.ReleaseAssignment(
                coursedir=api.coursedir, authenticator=api.authenticator, parent=api)
            exchange.force = True
            result = capture_log(exchange)
        if result["success"]:
            released[name] = digest(Path("source", name))
            told.append(f"released {name}")
        else:
            last = [line for line in (result.get("log") or result["error"]).splitlines() if line.strip()][-1:]
            told.append(f"could not release {name}: {''.join(last)}")
    return told


def main() -> None:
    shutil.rmtree(DRAFT, ignore_errors=True)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        tar.extractall(DRAFT)
    asked = json.loads((DRAFT / "handout.json").read_text())
    (DRAFT / "handout.json").unlink()
    state = json.loads(STATE.read_text()) if STATE.exists() else {"copied": {}, "released": {}}
    ours = sorted(path.name for path in DRAFT.glob("source/*"))
    told = copy(DRAFT, state["copied"])
    shutil.rmtree(DRAFT)
    due = [name for name in ours if name not in asked["hold_back"]
           and state["released"].get(name) != state["copied"].get(f"source/{name}") == digest(Path("source", name))]
    # Later and not above: it takes 2 s.
    from nbgrader.apps import NbGraderAPI
    from nbgrader.apps.baseapp import NbGrader

    app = NbGrader()
    app.load_config_file()
    api = NbGraderAPI(config=app.config)
    enrol(api, asked["people"])
    told += release(api, due, state["released"])
    STATE.write_text(json.dumps(state, indent=1))
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
