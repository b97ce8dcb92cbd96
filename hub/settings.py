"""The hub's configuration from the running workshop. hub/jupyterhub_config.py calls it; tests can too."""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from hub import culling, database, pages, roster, translations
from hub.backend import Backend, backend
from hub.files import write_file
from hub.grading import config
from hub.layout import Layout
from hub.login import UnixAuthenticator
from hub.ports import Ports
from hub.running import Running
from spawner_profiles import api, reaper
from spawner_profiles.profiles_spawner import ProfileSpawner, availability
from spawner_profiles.words import _

#: What a person's job does first: they get copies of what their courses released since, and of what lies beside it.
#: What they changed is never overwritten. A full home must not keep its owner from tidying up.
COPIES = """\
for course in ${{MANDRILLHUB_COURSES-}}; do
  for each in {exchange}/$course/outbound/* {course}/$course/*; do
    to=$course/${{each##*/}} new=$course/.${{each##*/}}.new
    if [ -e "$each" ] && [ ! -e "$to" ]; then
      mkdir -p "$course" && rm -rf "$new" && cp -r --no-preserve=mode "$each" "$new" && mv -T "$new" "$to" ||
        echo "no copy of $each was made"
    fi
  done
done"""


def secret(directory: Path, name: str) -> str:
    """A token that is made once and kept in a file that root alone can read."""
    path = directory / name
    if not path.exists():
        write_file(path, secrets.token_hex(32), mode=0o600)
    return path.read_text()


def configure(c, layout: Layout, running: Running) -> None:
    """Assemble the hub: address and proxy, people, profiles and jobs, pages."""
    translations.speak(running.workshop.language)
    its = backend(layout, running.workshop.cluster)
    its.job_class.scheduler = its.scheduler
    api.install()
    database.be_quick()
    watch_commands_without_threads()
    reaper.start(its.scheduler, its.hub_id)
    _network(c, layout, running, its)
    _people(c, layout, running)
    limits = running.workshop.limits
    # The defaults of workshop.yml have translations; what an admin wrote stays as it is.
    catalog = [profile.model_copy(update={
        "title": _(profile.title), "description": _(profile.description),
        "emulated": bool(profile.gpus) and running.emulated,
        "queue_wait": profile.queue_wait or limits.queue_wait,
        "idle": culling.idle_limit(profile.gpus, profile.idle, limits.idle, limits.idle_gpu)})
        for profile in running.workshop.profiles]
    _jobs(c, layout, running, its)
    c.ProfileSpawner.catalog = catalog
    c.Spawner.options_form = pages.profile_cards
    pages.configure(
        c, title=_(running.workshop.title), subtitle=_(running.workshop.subtitle), catalog=catalog,
        availability=partial(availability, its.scheduler, catalog),
        courses={course.name: course.account for course in running.workshop.courses},
        notice=_("GPUs are emulated: no GPU on this machine") if running.emulated else "")


def watch_commands_without_threads() -> None:
    """Python 3.11 starts a thread for every command that it runs; 3.12 does not, by the same means."""
    with suppress(RuntimeError):  # `jupyterhub upgrade-db` and the like read this too, and run no event loop
        loop = asyncio.get_running_loop()
        if sys.version_info < (3, 12):
            watcher = asyncio.PidfdChildWatcher()
            watcher.attach_loop(loop)
            asyncio.set_child_watcher(watcher)


def _network(c, layout: Layout, running: Running, its: Backend) -> None:
    ports = Ports(running.workshop.port)
    c.JupyterHub.bind_url = f"http://{running.workshop.listen}:{ports.public}"
    c.JupyterHub.hub_ip = its.hub_ip
    c.JupyterHub.hub_connect_ip = its.hub_address
    c.JupyterHub.hub_port = ports.hub_api
    # The proxy and the jobs outlive a restart of the hub, and so does everybody's work.
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports.proxy_api}"
    c.ConfigurableHTTPProxy.auth_token = secret(layout.hub_state, "proxy_token")
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.db_url = f"sqlite:///{layout.hub_state}/jupyterhub.sqlite"
    c.JupyterHub.cookie_secret_file = str(layout.hub_state / "cookie_secret")


def _people(c, layout: Layout, running: Running) -> None:
    c.JupyterHub.authenticator_class = UnixAuthenticator
    c.PAMAuthenticator.open_sessions = False
    # Not the courses' accounts, which are users with a server: nobody logs in as one. JupyterHub's blocked_users would
    # also take their tokens' rights and, at each restart of the hub, their servers.
    c.Authenticator.allowed_users = {person.login for person in running.people}
    # Without this JupyterHub lets in everyone it has ever known.
    c.Authenticator.allow_existing_users = False
    c.Authenticator.admin_users = {person.login for person in running.people if person.role == "admin"}
    c.JupyterHub.load_groups = {group: {"users": []} for group in roster.groups([], running.workshop.courses)}
    # Only an admin may make another one or take that away again, so the service that does it is one.
    c.JupyterHub.services = [
        {"name": "roster", "api_token": secret(layout.hub_state, "roster_token"), "admin": True},
        {"name": culling.SERVICE, "api_token": secret(layout.hub_state, "culler_token")},
    ]
    c.JupyterHub.load_roles = [
        culling.role(),
        *map(roster.role, running.workshop.courses),
    ]


def _jobs(c, layout: Layout, running: Running, its: Backend) -> None:
    c.JupyterHub.spawner_class = ProfileSpawner
    c.ProfileSpawner.job_class = its.job_class
    c.JobSpawner.hub_id = its.hub_id
    c.JobSpawner.address = its.server_address
    c.Spawner.ip = its.server_ip
    c.Spawner.cmd = [str(layout.server_bin / "python"), "-m", "spawner_profiles.singleuser"]
    c.Spawner.pre_spawn_hook = partial(_first_page, layout, running)
    c.Spawner.http_timeout = 120
    # One person's failing starts must not end the hub of all the others.
    c.Spawner.consecutive_failure_limit = 0
    c.JupyterHub.concurrent_spawn_limit = 0
    # Show the waiting page at once; long enough for a refusal to arrive as such.
    c.JupyterHub.tornado_settings = {
        "slow_spawn_timeout": 1,
        # A desk is the course's: its instructors need not be asked whether it may know who they are.
        "oauth_no_confirm_list": {f"jupyterhub-user-{course.account}" for course in running.workshop.courses}}
    # All that a job gets, beside what JupyterHub itself needs there: an allow-list.
    c.Spawner.env_keep = []
    c.Spawner.environment = {
        "PATH": config.path(layout),
        "LANG": "C.UTF-8",
        **its.environment,
        "JUPYTER_PATH": str(layout.jupyter),
        "JUPYTER_CONFIG_PATH": lambda spawner: config.config_path(layout, running, spawner.user.name),
        "MANDRILLHUB_COURSES": lambda spawner: " ".join(config.courses_of(running, spawner.user.name)),
        "MANDRILL_DATA": str(running.data),
    }
    c.JobSpawner.req_prologue = COPIES.format(exchange=layout.exchange, course=layout.course)


def _first_page(layout: Layout, running: Running, spawner) -> None:
    """Where a server opens: at the first assignment that the person's course released; a desk at formgrader, in the
    course directory, wherever the cluster has its account's home."""
    spawner.default_url = config.first_page(layout, running, spawner.user.name)
    if course := config.desk_of(running, spawner.user.name):
        spawner.notebook_dir = str(layout.courses / course)
