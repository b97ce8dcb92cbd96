"""The hub's users, groups and roles follow attendees.csv, through the hub's own API.

JupyterHub's configuration can add people to groups, but takes nobody out again, and an admin who was demoted
would stay one. So the running hub is compared with the list, and only the differences are sent.
"""

from __future__ import annotations

import requests

from hub.people import Person

#: JupyterHub groups by the role in attendees.csv; admins need none.
GROUPS = {"attendee": "attendees", "instructor": "instructors"}
#: What an instructor may do: see the class on the admin page, start and stop its servers. Not read its files.
INSTRUCTOR_SCOPES = ["admin-ui", "list:users!group=attendees", "read:users!group=attendees",
                     "servers!group=attendees"]


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


def apply(people: list[Person], hub: HubApi) -> list[str]:
    """Bring the hub's users, admins and groups in line with ``people``; returns what changed, one line each.

    Whoever is not on the list any more is deleted from the hub: their server is stopped and their tokens and
    cookies are void. Their account and home are not touched.
    """
    done: list[str] = []
    known = hub.users()
    listed = {person.login: person for person in people}
    for name in known.keys() - listed.keys():
        # Stopping the job takes a moment; the user can only be deleted after it.
        if known[name].get("server") or known[name].get("pending"):
            hub.call("DELETE", f"users/{name}/server")
        hub.call("DELETE", f"users/{name}")
        done.append(f"removed {name} from the hub")
    if missing := sorted(listed.keys() - known.keys()):
        hub.call("POST", "users", json={"usernames": missing})
        done.append(f"added {len(missing)} to the hub")
    for person in people:
        admin = person.role == "admin"
        if known.get(person.login, {}).get("admin", False) != admin:
            hub.call("PATCH", f"users/{person.login}", json={"admin": admin})
            done.append(f"{person.login} is {'now' if admin else 'no longer'} an admin")
    groups = {group["name"]: set(group["users"]) for group in hub.call("GET", "groups")}
    for role, group in GROUPS.items():
        if group not in groups:
            hub.call("POST", f"groups/{group}")
        want = {person.login for person in people if person.role == role}
        have = groups.get(group, set()) & listed.keys()
        for method, names in (("POST", want - have), ("DELETE", have - want)):
            if names:
                hub.call(method, f"groups/{group}/users", json={"users": sorted(names)})
                done.append(f"{group}: {'+' if method == 'POST' else '-'}{len(names)}")
    return done
