"""Who gets which group, role and desk; on a real hub: tests/integration/test_people.py and test_desk.py."""

from hub import roster
from hub.courses import Course
from hub.people import Person

COURSES = [Course(name="mandrill"), Course(name="vision")]
PEOPLE = [Person("ada", "Ada", courses=("mandrill",)), Person("bob", "Bob"),
          Person("carol", "Carol", "instructor", ("mandrill",)), Person("dora", "Dora", "admin")]


class Hub:
    """JupyterHub's API as far as :func:`roster.apply` uses it; notes what changes."""

    def __init__(self, users: dict[str, dict], groups: dict[str, list[str]]) -> None:
        self._users, self._groups, self.calls = users, groups, []

    def users(self) -> dict[str, dict]:
        return {name: {"name": name, "admin": False, "server": None} | user for name, user in self._users.items()}

    def call(self, method: str, path: str, **options):
        if (method, path) == ("GET", "groups"):
            return [{"name": name, "users": users} for name, users in self._groups.items()]
        self.calls.append((method, path, options.get("json")))


def test_groups_are_by_course_and_admins_need_none():
    assert roster.groups(PEOPLE, COURSES) == {
        "nbgrader-mandrill": {"ada", "bob"}, "formgrade-mandrill": {"carol"},
        "nbgrader-vision": {"bob"}, "formgrade-vision": set()}


def test_every_right_of_an_instructor_ends_at_the_course():
    role = roster.role(COURSES[0])
    assert role["groups"] == ["formgrade-mandrill"]
    assert {scope.partition("!")[2] for scope in role["scopes"] if scope != "admin-ui"} == {
        "group=nbgrader-mandrill", "user=grader-mandrill"}
    assert [scope for scope in role["scopes"] if scope.startswith("access:")] == [
        "access:servers!user=grader-mandrill"], "into the desk, and into nobody's own server"


def test_a_hub_that_is_in_line_is_left_alone():
    hub = Hub({**{person.login: {"admin": person.role == "admin"} for person in PEOPLE}, "grader-mandrill": {
        "server": "/user/grader-mandrill/"}, "grader-vision": {}},
        {name: sorted(users) for name, users in roster.groups(PEOPLE, COURSES).items()})
    assert roster.apply(PEOPLE, COURSES, hub) == [] and hub.calls == []


def test_who_may_no_longer_use_a_desk_has_it_closed_under_them():
    """carol left mandrill, and eve, who was an admin, is gone altogether; vision's desk does not run."""
    people = [person for person in PEOPLE if person.login != "carol"]
    hub = Hub({"ada": {}, "bob": {}, "carol": {}, "dora": {"admin": True}, "eve": {"admin": True},
               "grader-mandrill": {"server": "/user/grader-mandrill/"}, "grader-vision": {}},
              {"nbgrader-mandrill": ["ada", "bob"], "formgrade-mandrill": ["carol"], "nbgrader-vision": ["bob"],
               "formgrade-vision": [], "instructors": ["carol"], "nbgrader-old": [], "somebody-elses": ["x"]})
    done = roster.apply(people, COURSES, hub)
    assert "stopped the desk of mandrill: carol, eve may no longer use it" in done
    deleted = {path for method, path, _ in hub.calls if method == "DELETE"}
    assert deleted == {"users/carol", "users/eve", "users/grader-mandrill/server", "groups/instructors",
                       "groups/nbgrader-old"}
