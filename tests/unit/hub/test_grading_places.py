"""The exchange's directories. Needs root, as chown does; the accounts are Debian's own."""

import os
import pwd
import stat

import pytest

from hub.grading import places
from hub.problems import Stop

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories to others")
COURSE, ADA, BELA = "games", "daemon", "nobody"


@pytest.fixture
def exchange(tmp_path):
    return tmp_path / "srv/exchange"


def make(exchange, *logins: str) -> bool:
    return places.make(exchange, "vision", COURSE, list(logins))


def about(path) -> tuple[str, int, int]:
    """Owner, group, mode."""
    now = path.lstat()
    return pwd.getpwuid(now.st_uid).pw_name, now.st_gid, stat.S_IMODE(now.st_mode)


def test_everybodys_place_and_nothing_to_do_the_second_time(exchange):
    old = os.umask(0o077)
    try:
        assert make(exchange, ADA, BELA)
    finally:
        os.umask(old)
    group = pwd.getpwnam(COURSE).pw_gid
    course = exchange / "vision"
    assert about(exchange) == about(course) == ("root", 0, 0o755)
    assert about(course / "outbound") == (COURSE, group, 0o755)
    assert about(course / "people") == ("root", group, 0o751)
    assert sorted(path.name for path in (course / "people").iterdir()) == [ADA, BELA]
    for login in (ADA, BELA):
        assert about(course / "people" / login) == (login, group, 0o750)
        assert about(course / "people" / login / "feedback") == (COURSE, group, 0o755)
    assert not make(exchange, ADA, BELA)


def test_the_former_exchange_that_everybody_could_write_to_is_closed(exchange):
    exchange.mkdir(parents=True)
    exchange.chmod(0o1777)
    (exchange / "vision").mkdir()
    assert make(exchange, ADA)
    assert about(exchange) == ("root", 0, 0o755)


def test_modes_that_were_changed_are_mended(exchange):
    make(exchange, ADA)
    people = exchange / "vision/people"
    for path, mode in ((people / ADA, 0o777), (people, 0o700), (exchange / "vision/outbound", 0o777)):
        path.chmod(mode)
        assert make(exchange, ADA)
        assert not make(exchange, ADA)
    assert about(people / ADA)[2] == 0o750


@pytest.mark.parametrize("name", ["vision", "vision/outbound", "vision/people", f"vision/people/{ADA}"])
def test_a_link_a_file_or_somebody_elses_directory_is_refused_by_name(exchange, name, tmp_path):
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    place = exchange / name
    place.parent.mkdir(parents=True)
    place.symlink_to(target)
    with pytest.raises(Stop, match=f"{place}: Not a directory"):
        make(exchange, ADA)
    assert about(target) == ("root", 0, 0o700)
    place.unlink()
    place.mkdir()
    os.chown(place, pwd.getpwnam(BELA).pw_uid, 0)
    with pytest.raises(Stop, match=f"{place} belongs to {BELA}, expected"):
        make(exchange, ADA)


@pytest.mark.parametrize("attack", ["link", "file", "directory", "nothing"])
def test_a_persons_feedback_directory_that_is_something_else_is_moved_aside(exchange, attack, tmp_path):
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    make(exchange, ADA)
    feedback = exchange / "vision/people" / ADA / "feedback"
    feedback.rmdir()
    if attack == "link":
        feedback.symlink_to(target)
    elif attack == "file":
        feedback.touch()
    elif attack == "directory":
        feedback.mkdir()
        (feedback / "mine").touch()
    assert make(exchange, ADA)
    assert about(feedback)[0] == COURSE and stat.S_ISDIR(feedback.lstat().st_mode)
    assert not list(feedback.iterdir())
    assert about(target) == ("root", 0, 0o700), "nothing was done to where the link leads"
    aside = [path for path in feedback.parent.iterdir() if path.name.startswith("feedback.replaced-")]
    assert len(aside) == (attack != "nothing"), "and nothing of a person's was deleted"
    assert not make(exchange, ADA)


def test_who_left_loses_the_place_and_not_the_files_and_gets_it_back(exchange):
    make(exchange, ADA, BELA)
    place = exchange / "vision/people" / ADA
    (place / "inbound").mkdir()
    assert make(exchange, BELA)
    assert about(place)[0] == "root" and (place / "inbound").exists()
    assert not make(exchange, BELA)
    assert make(exchange, ADA, BELA)
    assert about(place)[0] == ADA and (place / "inbound").exists()


def test_a_run_that_was_cut_short_is_finished(exchange):
    make(exchange, ADA)
    people = exchange / "vision/people"
    (people / BELA).mkdir(mode=0o700)  # made, and not given away yet
    (people / places.MAKING).mkdir()
    assert make(exchange, ADA, BELA)
    assert about(people / BELA)[0] == BELA
    assert sorted(path.name for path in people.iterdir()) == [ADA, BELA]


@pytest.mark.parametrize("course, account, login, message", [
    ("../x", COURSE, ADA, "without '/'"), ("", COURSE, ADA, "without '/'"),
    ("vision", "mh-nobody-there", ADA, "mh-nobody-there has no account"),
    ("vision", COURSE, "mh-nobody-there", "mh-nobody-there has no account"),
    ("vision", ADA, ADA, f"{ADA} is in the group of {ADA}")])
def test_what_cannot_be_is_named_before_anything_is_made(exchange, course, account, login, message):
    with pytest.raises(Stop, match=message):
        places.make(exchange, course, account, [login])
    assert not exchange.exists()
