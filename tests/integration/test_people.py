"""attendees.csv becomes accounts, users, groups and roles; importing again is harmless; no home is ever deleted."""

import subprocess

import pytest
import requests

from hub import accounts, services
from hub.people import Person
from hub.problems import Problems, Stop
from hub.running import Running
from tests.live import workshop_in


@pytest.fixture
def homes(tmp_path_factory):
    """A place for homes, and throw-away accounts."""
    place = tmp_path_factory.mktemp("homes")
    yield place
    for login in ("mh-eve", "mh-finn"):
        subprocess.run(["userdel", login], capture_output=True)


def test_accounts_are_made_once_locked_and_opened_again(homes):
    eve, finn, passwords = Person("mh-eve", "Eve Été"), Person("mh-finn", "Finn"), homes / "passwords.csv"
    assert accounts.apply([eve, finn], homes, passwords) == ["made the account mh-eve", "made the account mh-finn"]
    assert passwords.stat().st_mode & 0o777 == 0o600
    first = accounts.read_passwords(passwords)
    assert set(first) == {"mh-eve", "mh-finn"} and len(set(first.values())) == 2
    assert accounts.apply([eve, finn], homes, passwords) == []
    (homes / "mh-finn/work").write_text("mine")

    assert accounts.apply([eve], homes, passwords) == ["locked the account mh-finn; its home stays"]
    assert accounts.apply([eve], homes, passwords) == []
    assert (homes / "mh-finn/work").read_text() == "mine"
    status = subprocess.run(["passwd", "--status", "mh-finn"], capture_output=True, text=True).stdout
    assert status.split()[1] == "L"

    assert accounts.apply([eve, finn], homes, passwords) == ["opened the account mh-finn again"]
    assert accounts.read_passwords(passwords) == first
    assert (homes / "mh-finn/work").read_text() == "mine"


def test_an_account_that_was_there_is_used_and_never_locked(homes):
    subprocess.run(["useradd", "--home-dir", homes / "mh-eve", "mh-eve"], check=True)
    passwords = homes / "passwords.csv"
    assert accounts.apply([Person("mh-eve", "Eve")], homes, passwords) == []
    assert accounts.apply([], homes, passwords) == []
    assert not passwords.exists()


def test_the_systems_own_accounts_are_refused(homes):
    with pytest.raises(Problems, match=r"attendees.csv:3: login: 'daemon' is an account of the system itself"):
        accounts.check([Person("daemon", "D", line=3)], homes / "attendees.csv")


def test_a_failing_useradd_is_told(homes):
    with pytest.raises(Stop, match="useradd failed for mh-eve"):
        accounts.apply([Person("mh-eve", "E:ve")], homes, homes / "passwords.csv")


def in_the_hub(platform) -> tuple[dict, set]:
    """JupyterHub's groups and admins."""
    hub = services.hub_api(platform.layout, Running.read(platform.layout))
    groups = {group["name"]: set(group["users"]) for group in hub.call("GET", "groups")}
    return groups, {name for name, user in hub.users().items() if user["admin"]}


def test_users_groups_and_admins_follow_the_list(platform, tmp_path):
    nobody = {"nbgrader-box": set(), "formgrade-box": set()}  # the course of the tests of grading
    everyone = (nobody | {"nbgrader-mandrill": {"mh-ada", "mh-bela"}, "formgrade-mandrill": {"mh-carol"},
                          "nbgrader-vision": {"mh-hugo"}, "formgrade-vision": {"mh-gina"}}, {"mh-dora"})
    assert in_the_hub(platform) == everyone
    workshop = workshop_in(tmp_path)
    (tmp_path / "attendees.csv").write_text(
        "login,name,role,course\nmh-ada,Ada Test,,mandrill\nmh-carol,Carol Test,,mandrill vision\n"
        "mh-dora,Dora Test,instructor,vision\n")
    bela, carol = platform.person("mh-bela"), platform.person("mh-carol")
    bela.start("small")
    desk = carol.open_desk("mandrill", "mh-grader-mandrill")
    assert carol.get(f"{desk}formgrader").ok
    try:
        said = " ".join(platform.make("up", WORKSHOP=workshop).stdout.split())
        assert "locked the account mh-bela; its home stays" in said and "removed mh-bela from the hub" in said
        assert in_the_hub(platform) == (nobody | {
            "nbgrader-mandrill": {"mh-ada", "mh-carol"}, "formgrade-mandrill": set(),
            "nbgrader-vision": {"mh-carol"}, "formgrade-vision": {"mh-dora"}}, set())
        # Who may no longer use a desk has it closed under them.
        assert "stopped the desk of mandrill: mh-carol, mh-dora may no longer use it" in said, said
        carol.wait(lambda server: carol.get(f"{desk}formgrader").status_code in (403, 404), "still at the desk")
        assert carol.get("/hub/mandrillhub/formgrader/mandrill").status_code == 404
        people = platform.layout.exchange / "mandrill/people"
        assert (people / "mh-bela").owner() == "root" and (people / "mh-carol").owner() == "mh-carol"
        # Removed: no cookie, no login, no job; the home is still there.
        assert "/hub/login" in bela.get("/hub/home").url
        assert bela.log_in().status_code == 403
        assert "mh-bela" not in platform.slurm("squeue", "--noheader", "--states=PD,R", "--format=%u")
        assert (platform.layout.homes / "mh-bela/mandrill").is_dir()
    finally:
        platform.make("up")
    assert in_the_hub(platform) == everyone
    platform.person("mh-bela")


def test_a_message_of_the_hub_reaches_the_admin(platform):
    hub = services.hub_api(platform.layout, Running.read(platform.layout))
    with pytest.raises(requests.HTTPError, match="DELETE users/mh-nobody: 404"):
        hub.call("DELETE", "users/mh-nobody")
