"""What people try with each other's work and with the course's. Each is refused, by the file system wherever it can be.

bela attacks ada; eve is of another course. What stock nbgrader 0.9.6 does about each is in its test's docstring: its
exchange is one directory of mode 0777 with an inbound/ of mode 0733.
"""

import os
import pwd
import re
import shutil
import stat
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from .school import ACCOUNTS, ASSIGNMENT

ADA, BELA, EVE, VISION, AUDIO = "mh-x-ada", "mh-x-bela", "mh-x-eve", ACCOUNTS["vision"], ACCOUNTS["audio"]
COURSE = ("--course", "vision")
STOCK = """
c = get_config()
for name in ("release_assignment", "fetch_assignment", "submit", "list", "collect", "release_feedback",
             "fetch_feedback"):
    kind = "".join(part.title() for part in name.split("_"))
    setattr(c.ExchangeFactory, name, f"nbgrader.exchange.default.Exchange{kind}")
c.Authenticator.plugin_class = "nbgrader.auth.NoAuthPlugin"
"""


@pytest.fixture
def handed_in(school):
    """A fresh submission of ada's, and one of bela's; nothing collected."""
    for login in (ADA, BELA):
        for path in school.place(login).iterdir():
            if path.name != "feedback":
                path.unlink() if path.is_symlink() or not path.is_dir() else shutil.rmtree(path)
        shutil.rmtree(school.collected(login), ignore_errors=True)
        if not (school.home(login) / "vision/ps1").exists():
            assert school.nbgrader(login, "fetch_assignment", ASSIGNMENT, *COURSE).rc == 0
        ran = school.nbgrader(login, "submit", ASSIGNMENT, *COURSE)
        assert ran.rc == 0, ran.out
    yield school
    school.make_places("vision")


def collect(school):
    ran = school.nbgrader(VISION, "collect", "--update", ASSIGNMENT, *COURSE)
    assert ran.rc == 0 and "Traceback" not in ran.out, ran.out
    return ran


def is_denied(ran) -> bool:
    """Whether a shell's commands said nothing else."""
    lines = ran.out.splitlines()
    return bool(lines) and all(re.search("Permission denied|Operation not permitted", line) for line in lines)


def uid(login: str) -> int:
    return pwd.getpwnam(login).pw_uid


def own(path, login: str) -> None:
    """Give a tree to somebody, links themselves and not where they lead."""
    os.chown(path, uid(login), uid(login), follow_symlinks=False)
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            own(child, login)


@contextmanager
def stocks_classes(school, login):
    """A person can always run nbgrader's own classes, or any program, instead of ours."""
    own_config = school.write(login, "nbgrader_config.py", STOCK)
    try:
        yield
    finally:
        own_config.unlink()


# Another person's submission

ANOTHERS = {
    "read": "cat {place}/inbound/*/p1.ipynb {inbound}/p1.ipynb", "list": "ls {place}; ls {place}/inbound",
    "forge": "mkdir '{place}/inbound/mh-x-ada+ps1+2026-11-21 10:00:00.000000 UTC'",
    "replace a file": "echo 0 > {inbound}/p1.ipynb", "replace all": "mv {place} {place}.old",
    "delete": "rm -r {inbound}; rm -rf {place}", "take back rights": "chmod 777 {place}",
    "feedback": "ls {place}/feedback; cp /etc/passwd {place}/feedback/x.html", "move": "mv {inbound} $HOME"}


@pytest.mark.parametrize("what", ANOTHERS)
@pytest.mark.parametrize("attacker", [BELA, EVE])
def test_anothers_submission_is_out_of_reach(handed_in, what, attacker):
    """Stock: inbound/ is 0733, so that whoever knows or guesses a name reads, and everybody can add a submission with
    any name; a submission itself is 0777, so that whoever knows its name replaces and deletes it."""
    (submission,) = handed_in.submissions(ADA)
    before = {path: path.lstat() for path in [handed_in.place(ADA), *handed_in.place(ADA).rglob("*")]}
    command = ANOTHERS[what].format(place=handed_in.place(ADA), inbound=str(submission).replace(" ", "\\ "))
    assert is_denied(ran := handed_in.shell(attacker, command)), ran.out
    assert {path: path.lstat() for path in before} == before
    assert set(handed_in.place(ADA).rglob("*")) | {handed_in.place(ADA)} == before.keys()


def test_a_submission_in_anothers_name_is_nobodys(handed_in):
    """Stock: collected as ada's, in the place of her own, with a warning (exchange/default/collect.py:107)."""
    (mine,) = handed_in.submissions(BELA)
    own(mine.rename(mine.with_name(mine.name.replace(BELA, ADA))), BELA)
    ran = collect(handed_in)
    assert not handed_in.collected(BELA).exists()
    assert "mh-x-ada" in ran.out and (handed_in.collected(ADA) / "submission_secret.txt").read_text() == \
        (handed_in.submissions(ADA)[0] / "submission_secret.txt").read_text()


def test_nobody_submits_lists_or_fetches_as_somebody_else(handed_in):
    """Stock: `nbgrader submit --student=ada` hands in as ada."""
    for command in ("submit", "fetch_feedback"):
        ran = handed_in.nbgrader(BELA, command, ASSIGNMENT, *COURSE, "--student", ADA)
        assert ran.rc and f"You are {BELA}, and can do this as yourself alone, not as '{ADA}'" in ran.out
    for options in ([], ["--student", ADA], [*COURSE], ["--cached"], ["--cached", "--student", ADA]):
        ran = handed_in.nbgrader(BELA, "list", "--inbound" if "--cached" not in options else "--cached", *options)
        assert ADA not in ran.out.replace(f"--student {ADA}", ""), ran.out
        assert len(handed_in.submissions(ADA)) == 1


def test_a_place_that_its_owner_opened_to_all_takes_nobody_elses_files(handed_in):
    """What bela opens is hers to open, and still nobody can hand in for her. Stock: inbound/ is open to all."""
    handed_in.shell(BELA, f"chmod -R 777 {handed_in.place(BELA)}")
    (theirs,) = handed_in.submissions(BELA)
    assert handed_in.shell(EVE, f"rm '{theirs}/p1.ipynb'; echo 1 > '{theirs}/p1.ipynb'").rc == 0
    ran = collect(handed_in)
    assert f"'p1.ipynb' belongs to somebody else ({EVE})" in ran.out
    assert not handed_in.collected(BELA).exists() and handed_in.collected(ADA).exists()
    assert handed_in.make_places("vision"), "and `up` closes it again"
    assert stat.S_IMODE(handed_in.place(BELA).stat().st_mode) == 0o750


# The course

COURSES = {
    "its directory": "ls {course}; cat {course}/source/ps1/p1.ipynb", "its gradebook": "cat {course}/gradebook.db",
    "its place": "mv {exchange}/vision {exchange}/old",
    "its people": "mv {exchange}/vision/people {exchange}/vision/old",
    "an assignment of one's own": "mkdir {exchange}/vision/outbound/ps9",
    "in the place of its assignment": "mv {exchange}/vision/outbound/ps1 {exchange}/vision/outbound/ps0",
    "a course of one's own": "mkdir {exchange}/mine", "who is in it": "ls {exchange}/vision/people",
    "one more person": "mkdir {exchange}/vision/people/mh-x-eve",
    "its assignment": "echo 1 > {exchange}/vision/outbound/ps1/p1.ipynb; rm -r {exchange}/vision/outbound/ps1"}


@pytest.mark.parametrize("what", COURSES)
def test_the_courses_own_is_out_of_reach(handed_in, what):
    """Stock: the exchange is 0777: everybody makes a course there, or renames one and takes its name."""
    before = sorted(handed_in.exchange.rglob("*"))
    released = (handed_in.exchange / "vision/outbound/ps1/p1.ipynb").read_text()
    ran = handed_in.shell(BELA, COURSES[what].format(course=handed_in.home(VISION), exchange=handed_in.exchange))
    assert is_denied(ran), ran.out
    assert sorted(handed_in.exchange.rglob("*")) == before
    assert (handed_in.exchange / "vision/outbound/ps1/p1.ipynb").read_text() == released


@pytest.mark.parametrize("classes", ["ours", "stock"])
def test_an_attendee_releases_and_collects_nothing(handed_in, classes):
    """Stock: whoever releases first owns the course (exchange/default/release_assignment.py:75). A person can also run
    stock's classes over our directories: then the modes refuse."""
    handed_in.write(BELA, "release/ps2/p1.ipynb", "{}")
    with stocks_classes(handed_in, BELA) if classes == "stock" else contextmanager(lambda: (yield))():
        for course in ("vision", "audio", "mine"):
            for command in (["release_assignment", "ps2"], ["collect", ASSIGNMENT], ["release_feedback", ASSIGNMENT],
                            ["list", "ps1", "--remove"]):
                ran = handed_in.nbgrader(BELA, *command, "--course", course)
                if classes == "ours":
                    assert ran.rc and f"Only course '{course}' itself can do this" in ran.out, ran.out
                if command[0] != "list" or course != "mine":
                    assert ran.rc, ran.out
    assert sorted(path.name for path in handed_in.exchange.iterdir()) == ["audio", "vision"]
    assert [path.name for path in (handed_in.exchange / "vision/outbound").iterdir()] == [ASSIGNMENT]
    assert not list(handed_in.home(BELA).glob("submitted/*"))


def test_a_course_has_nothing_to_say_in_another(handed_in):
    """Instructors of one course nothing of another's. Stock: every account that is in the exchange's group, or all."""
    for command in (["release_assignment", "--force", ASSIGNMENT], ["collect", ASSIGNMENT],
                    ["release_feedback", ASSIGNMENT]):
        ran = handed_in.nbgrader(AUDIO, *command, *COURSE)
        assert ran.rc and "Only course 'vision' itself can do this" in ran.out
    assert ADA not in handed_in.nbgrader(AUDIO, "list", "--inbound", *COURSE).out
    for what in (handed_in.place(ADA), handed_in.exchange / "vision/people", handed_in.home(VISION)):
        assert is_denied(ran := handed_in.shell(AUDIO, f"ls {what}")), ran.out


@pytest.mark.parametrize("options", [[], ["--student", "mh-x-eve"], ["--student", "*"]])
def test_another_courses_assignment_is_not_for_those_outside(handed_in, options):
    """Stock: NoAuthPlugin lets everybody fetch everything; JupyterHub's asks an address of the environment."""
    ran = handed_in.nbgrader(BELA, "fetch_assignment", ASSIGNMENT, "--course", "audio", *options)
    assert ran.rc and "You do not have access to this course" in ran.out
    assert not (handed_in.home(BELA) / "audio").exists()
    assert "audio" not in handed_in.nbgrader(BELA, "list", *options).out
    handed_in.write(BELA, "audio/ps1/p1.ipynb", "{}")
    ran = handed_in.nbgrader(BELA, "submit", ASSIGNMENT, "--course", "audio")
    shutil.rmtree(handed_in.home(BELA) / "audio")
    assert ran.rc and f"{BELA} is not in 'audio'" in ran.out


# What the course's account reads of a person's place may be anything

LINK = "is a link or something else that is no plain file or directory"
#: What bela does in her submission, and the reason. Those of AS_ROOT another kernel or file server may let her do.
HOSTILE = {
    "a link to the course's file": ("ln -sf {course}/source/ps1/p1.ipynb p1.ipynb", f"'p1.ipynb' {LINK}"),
    "a link to its directory": ("ln -s {course} data", f"'data' {LINK}"),
    "a hard link to its file": ("ln -f {course}/source/ps1/p1.ipynb p1.ipynb",
                                f"'p1.ipynb' belongs to somebody else ({VISION})"),
    "a FIFO": ("rm p1.ipynb; mkfifo p1.ipynb", f"'p1.ipynb' {LINK}"),
    "a device": ("mknod zero c 1 5", f"'zero' {LINK}"),
    "5001 files": ("mkdir d; cd d; seq 4998 | xargs touch", "it has too many files"),
    "100 GB": ("truncate -s 100G p1.ipynb", "it is too large, with 'p1.ipynb'"),
    "much in all": ("truncate -s 60M a b", "it is too large, with 'b'"),
    "depth": ("mkdir -p $(yes d | head -30 | tr '\n' /)", "is more than 20 directories deep"),
    "a closed directory": ("mkdir -m 700 data", "'data': Permission denied"),
    "a closed file": ("chmod 600 p1.ipynb", "'p1.ipynb': Permission denied"),
    "timestamp.txt a directory": ("rm timestamp.txt; mkdir timestamp.txt", "timestamp.txt is a directory"),
    "itself a link": ("n=$(basename \"$PWD\"); cd ..; mv \"$n\" ../mine; ln -s \"{adas}\" \"$n\"", f"it {LINK}"),
    "inbound a link": ("cd ../..; mv inbound mine; ln -s $PWD/../mh-x-ada/inbound inbound", f"inbound {LINK}"),
    "inbound a FIFO": ("cd ../..; mv inbound mine; mkfifo inbound", f"inbound {LINK}"),
    "a closed inbound": ("chmod 700 ..", "inbound: Permission denied"),
    "a closed place": ("chmod 700 ../..", "their place in the exchange: Permission denied")}
AS_ROOT = ("a hard link to its file", "a device")


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_submission_costs_its_person_alone(handed_in, attack):
    """Stock: shutil.copytree follows links, so that the submission has what the instructor alone may read (its
    feedback then shows it); it waits for a FIFO's writer, copies a sparse file whole, and ends at the first that it
    can't read, so that nobody after her is collected."""
    (mine,) = handed_in.submissions(BELA)
    command, reason = HOSTILE[attack]
    ran = handed_in.shell("root" if attack in AS_ROOT else BELA, cwd=mine, command=command.format(
        course=handed_in.home(VISION), adas=handed_in.submissions(ADA)[0]))
    assert ran.rc == 0, ran.out
    ran = collect(handed_in)
    assert re.search(rf"Cannot collect from {BELA}: .*{re.escape(reason)}", ran.out), ran.out
    assert f"Not collected: {BELA}. " in ran.out and ran.cpu < 3
    assert (handed_in.collected(ADA) / "p1.ipynb").exists()
    assert not handed_in.collected(BELA).exists()
    assert list(handed_in.collected(BELA).parent.glob("*")) == [], "nothing half is left"
    assert handed_in.nbgrader(VISION, "list", "--inbound", *COURSE).rc == 0, "and listing them hangs nobody"


def test_a_bad_submission_leaves_the_good_one_before_it(handed_in):
    """Stock: the former one is removed before the new one is copied."""
    collect(handed_in)
    assert handed_in.nbgrader(BELA, "submit", ASSIGNMENT, *COURSE).rc == 0
    older, newer = handed_in.submissions(BELA)
    for each in (older, newer):
        (each / "data").mkdir(mode=0o700)
        own(each, BELA)
    assert f"Cannot collect from {BELA}" in collect(handed_in).out
    secret = (older / "submission_secret.txt").read_text()
    assert (handed_in.collected(BELA) / "submission_secret.txt").read_text() == secret, "the collected one stays"
    shutil.rmtree(handed_in.collected(BELA))
    (older / "data").rmdir()
    ran = collect(handed_in)
    assert f"Cannot collect from {BELA}" in ran.out and f"Collecting submission: {BELA} ps1" in ran.out
    assert (handed_in.collected(BELA) / "submission_secret.txt").read_text() == secret, "and the older one is as good"


def test_names_that_no_terminal_can_show_are_left_out(handed_in):
    """Stock: copied, and then nbgrader's own patterns find no student in the path; nothing is graded."""
    (mine,) = handed_in.submissions(BELA)
    for name in (b"a\nb.ipynb", b"\x1b[2J.ipynb", b"\xff.ipynb"):
        with open(os.path.join(os.fsencode(mine), name), "w"):
            pass
    own(mine, BELA)
    ran = collect(handed_in)
    assert r"Ignoring 'a\nb.ipynb'" in ran.out and "\x1b[2J" not in ran.out
    assert sorted(path.name for path in handed_in.collected(BELA).iterdir()) == [
        "p1.ipynb", "submission_secret.txt", "timestamp.txt"]


SWAPPED = """
import shutil, time
from hub.grading.hostile import Copy, Refused, opened
from pathlib import Path
copies = refused = leaked = 0
begin = time.monotonic()
while (past := time.monotonic() - begin) < 3 or refused < 100 and past < 30:
    dest = Path("copy")
    try:
        with opened({inbound!r}, None, {uid}, "it") as inbound, opened({name!r}, inbound, {uid}, "it") as source:
            Copy({uid}, 100, 10**6, lambda name: False).tree(source, dest)
        copies += 1
    except (Refused, FileNotFoundError):
        refused += 1
    leaked += sum("SECRET" in path.read_text() for path in dest.rglob("*") if path.is_file())
    shutil.rmtree(dest, ignore_errors=True)
print([copies, refused, leaked])
"""


def test_a_swap_during_the_copy(handed_in):
    """A file and a directory that become links to the course's own between look and open. Stock: follows them."""
    (mine,) = handed_in.submissions(BELA)
    inside = handed_in.write(VISION, "secrets/p1.ipynb", "SECRET").parent
    file, folder, done = mine / "p1.ipynb", mine / "data", threading.Event()
    folder.mkdir()
    (folder / "p1.ipynb").write_text("{}")
    own(mine, BELA)

    def swap():
        while not done.is_set():
            for path, target in ((file, inside / "p1.ipynb"), (folder, inside)):
                aside = path.with_name(f".{path.name}.aside")
                path.rename(aside)
                path.symlink_to(target)
                path.unlink()
                aside.rename(path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        ran = handed_in.python(VISION, SWAPPED.format(uid=uid(BELA), inbound=str(mine.parent), name=mine.name))
    finally:
        done.set()
        thread.join()
    assert ran.rc == 0, ran.out
    copies, refused, leaked = eval(ran.out.splitlines()[-1])
    assert not leaked and refused > 20, (copies, refused, leaked)


# Time

@pytest.mark.parametrize("attack", ["name", "content", "file moved in"])
def test_an_earlier_time_than_the_file_systems_is_not_believed(handed_in, attack):
    """Stock: the time is what the name and timestamp.txt say, and both are the person's own."""
    (mine,) = handed_in.submissions(BELA)
    early = datetime.now(UTC) - timedelta(days=2)
    said = early.strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    mine = mine.rename(mine.with_name(f"{BELA}+ps1+{said}"))
    (mine / "timestamp.txt").write_text(said)
    if attack == "content":
        (mine / "p1.ipynb").write_text((mine / "p1.ipynb").read_text() + "\n")
    elif attack == "file moved in":
        (mine / "p2.ipynb").write_text("{}")
        (mine / "p2.ipynb").rename(mine / "p3.ipynb")
    for path in [mine, *mine.iterdir()]:
        os.utime(path, (early.timestamp(), early.timestamp()))
    own(mine, BELA)
    ran = collect(handed_in)
    assert f"{BELA} says that ps1 was submitted at" in ran.out and "taken as submitted then" in ran.out
    collected = datetime.strptime((handed_in.collected(BELA) / "timestamp.txt").read_text(), "%Y-%m-%d %H:%M:%S.%f %Z")
    assert abs(datetime.now(UTC).replace(tzinfo=None) - collected) < timedelta(minutes=1)
    assert f"{ADA} says" not in ran.out


# Feedback

def graded(school):
    """Feedback pages of both, as generate_feedback leaves them, without the kernel."""
    collect(school)
    for login in (ADA, BELA):
        for name in ("timestamp.txt", "submission_secret.txt"):
            school.write(VISION, f"feedback/{login}/ps1/{name}", (school.collected(login) / name).read_text())
        school.write(VISION, f"feedback/{login}/ps1/p1.html", f"feedback for {login}")


def test_feedback_reaches_its_owner_alone(handed_in):
    """Stock: all feedback lies in one directory, where a name is the only secret."""
    graded(handed_in)
    ran = handed_in.nbgrader(VISION, "release_feedback", ASSIGNMENT, *COURSE)
    assert ran.rc == 0, ran.out
    pages = {login: list((handed_in.place(login) / "feedback").glob("*.html")) for login in (ADA, BELA)}
    for login in (ADA, BELA):
        assert f"feedback for {login}" in [page.read_text() for page in pages[login]]
        ran = handed_in.nbgrader(login, "fetch_feedback", ASSIGNMENT, *COURSE)
        fetched = list((handed_in.home(login) / "vision/ps1/feedback").glob("*/p1.html"))
        assert ran.rc == 0 and f"feedback for {login}" in [page.read_text() for page in fetched]
    for login, other in ((ADA, BELA), (BELA, ADA), (EVE, ADA)):
        for page in pages[other]:
            assert is_denied(ran := handed_in.shell(login, f"cat {page}")), ran.out
    assert is_denied(handed_in.shell(ADA, f"echo 100 > {pages[ADA][0]}")), "nor does she write her own"


@pytest.mark.parametrize("where", ["the course", "another's", "nowhere", "her own"])
def test_a_feedback_directory_that_is_something_else_costs_its_person_alone(handed_in, where):
    """Stock has no directory a person; what the course's account wrote through a link would be the course's own."""
    graded(handed_in)
    target = {"the course": handed_in.home(VISION), "another's": handed_in.place(ADA) / "feedback",
              "nowhere": handed_in.root / "nowhere", "her own": None}[where]
    make = f"ln -s {target} feedback" if target else "mkdir -m 777 feedback"
    assert handed_in.shell(BELA, f"cd {handed_in.place(BELA)} && mv feedback mine && {make}").rc == 0
    for page in (handed_in.place(ADA) / "feedback").iterdir():
        page.unlink()
    before = sorted(handed_in.home(VISION).iterdir())
    ran = handed_in.nbgrader(VISION, "release_feedback", ASSIGNMENT, *COURSE)
    assert ran.rc == 0 and f"No feedback for {BELA}: their feedback directory" in ran.out
    assert [page.read_text() for page in (handed_in.place(ADA) / "feedback").iterdir()] == [f"feedback for {ADA}"]
    assert sorted(handed_in.home(VISION).iterdir()) == before
    assert handed_in.make_places("vision"), "`up` mends it"
    ran = handed_in.nbgrader(VISION, "release_feedback", ASSIGNMENT, *COURSE)
    assert ran.rc == 0 and "No feedback for" not in ran.out
    (page,) = (handed_in.place(BELA) / "feedback").iterdir()
    assert page.read_text() == f"feedback for {BELA}"
