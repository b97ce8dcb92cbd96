"""The hub's users, groups and roles follow attendees.csv, through the hub's own API.

JupyterHub's configuration can add people to groups, but takes nobody out again, and an admin who was demoted
would stay one. So the running hub is compared with the list, and only the differences are sent.
"""

from __future__ import annotations

from collections.abc import Collection

import requests

from hub.courses import Course
from hub.people import Person

#: JupyterHub's group of a role in a course, as nbgrader calls them; admins need none.
GROUPS = {"attendee": "nbgrader-", "instructor": "formgrade-"}
#: Groups of ours in former versions.
FORMER = ("attendees", "instructors")


def groups(people: list[Person], courses: Collection[Course]) -> dict[str, set[str]]:
    """Who is in which group."""
    return {prefix + course.name: {person.login for person in people
                                   if person.role == role and person.takes(course.name)}
            for course in courses for role, prefix in GROUPS.items()}


def role(course: Course) -> dict:
    """What a course's instructors may do, an entry of ``c.JupyterHub.load_roles``: see its attendees on the admin page,
    start and stop their servers, not read their files; start, stop and open the course's desk."""
    class_, desk = f"group={GROUPS['attendee']}{course.name}", f"user={course.account}"
    return {"name": f"instructor-{course.name}", "groups": [GROUPS["instructor"] + course.name],
            "description": f"sees the class of {course.name}, starts and stops its servers, opens its desk",
            "scopes": ["admin-ui", *(f"{scope}!{whose}" for whose in (class_, desk)
                                     for scope in ("list:users", "read:users", "servers")),
                       f"access:servers!{desk}"]}


class HubApi:
    """JupyterHub's REST API, as the service that keeps users and groups in step."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"token {token}"

    def call(self, method: str, path: str, **options):
        """Call one endpoint; returns its JSON. Raises ``requests.HTTPError`` with the hub's own message."""
        answer = self._session.request(method, f"{self._url}/{path}", timeout=60, **options)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:200]}", response=answer)
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None

    def users(self) -> dict[str, dict]:
        """All users by name."""
        users, offset = {}, 0
        while page := self.call("GET", "users", params={"limit": 200, "offset": offset}):
            users |= {user["name"]: user for user in page}
            offset += len(page)
        return users


def apply(people: list[Person], courses: Collection[Course], hub: HubApi) -> list[str]:
    """Bring the hub's users, admins and groups in line with ``people``, and have a user for the desk of each course;
    returns what changed, one line each.

    Whoever is not on the list any more is deleted from the hub: their server is stopped and their tokens and
    cookies are void. Their account and home are not touched.
    """
    done: list[str] = []
    known = hub.users()
    there = {group["name"]: set(group["users"]) for group in hub.call("GET", "groups")}
    desks = {course.account for course in courses}
    listed = {person.login: person for person in people}
    for name in known.keys() - listed.keys() - desks:
        _stop(hub, known[name])
        hub.call("DELETE", f"users/{name}")
        done.append(f"removed {name} from the hub")
    if missing := sorted((listed.keys() | desks) - known.keys()):
        hub.call("POST", "users", json={"usernames": missing})
        done.append(f"added {len(missing)} to the hub")
    admins = {person.login for person in people if person.role == "admin"}
    for login in sorted(listed.keys() | desks):
        if known.get(login, {}).get("admin", False) != (login in admins):
            hub.call("PATCH", f"users/{login}", json={"admin": login in admins})
            done.append(f"{login} is {'now' if login in admins else 'no longer'} an admin")
    wanted = groups(people, courses)
    done += _apply_groups(wanted, there, listed.keys(), hub)
    were_admins = {name for name, user in known.items() if user["admin"]}
    for course in courses:
        group = GROUPS["instructor"] + course.name
        gone = (there.get(group, set()) | were_admins) - wanted[group] - admins
        # They may have pages of the desk open: it asks the hub again only after minutes, and of a terminal never.
        if gone and _stop(hub, known.get(course.account, {})):
            done.append(f"stopped the desk of {course.name}: {', '.join(sorted(gone))} may no longer use it")
    return done


def _apply_groups(wanted: dict[str, set], there: dict[str, set], logins: Collection[str], hub: HubApi) -> list[str]:
    done = []
    for group in there.keys() - wanted.keys():
        if group in FORMER or group.startswith(tuple(GROUPS.values())):
            hub.call("DELETE", f"groups/{group}")
            done.append(f"removed the group {group}")
    for group, want in wanted.items():
        if group not in there:
            hub.call("POST", f"groups/{group}")
        have = there.get(group, set()) & logins
        for method, names in (("POST", want - have), ("DELETE", have - want)):
            if names:
                hub.call(method, f"groups/{group}/users", json={"users": sorted(names)})
                done.append(f"{group}: {'+' if method == 'POST' else '-'}{len(names)}")
    return done


def _stop(hub: HubApi, user: dict) -> bool:
    """Stop a user's server; False if there was none. Stopping the job takes a moment; the user can only be deleted
    after it."""
    if not (user.get("server") or user.get("pending")):
        return False
    hub.call("DELETE", f"users/{user['name']}/server")
    return True
