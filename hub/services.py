"""The daemons beside the cluster: the proxy and the hub."""

from __future__ import annotations

import socket

import requests

from hub import culling, install, ports, settings
from hub.backend import backend
from hub.layout import Layout
from hub.roster import HubApi
from hub.running import Running
from hub.supervisor_config import Daemon
from kernels.build import fingerprint


def daemons(layout: Layout, running: Running) -> list[Daemon]:
    """Proxy, hub, culler, sandbox service. They are apart so that each can be restarted while people work."""
    own = ports.Ports(running.workshop.port)
    hub_url = f"http://127.0.0.1:{own.hub_api}"
    its = backend(layout, running.workshop.cluster)
    proxy = Daemon(
        name="proxy",
        command=[str(install.node()), str(install.proxy_program(layout)),
                 "--ip", running.workshop.listen, "--port", str(own.public),
                 "--api-ip", "127.0.0.1", "--api-port", str(own.proxy_api),
                 "--error-target", f"{hub_url}/hub/error"],
        # In supervisord's configuration, mode 0600, rather than on a command line that everyone can read.
        environment={"CONFIGPROXY_AUTH_TOKEN": settings.secret(layout.hub_state, "proxy_token")},
        ready=lambda: ports.listening(own.public) and ports.listening(own.proxy_api),
        ready_text="it does not listen on its ports")
    hub = Daemon(
        name="hub",
        command=[str(layout.hub_bin / "jupyterhub"), "--config", str(install.SOURCE / "hub/jupyterhub_config.py")],
        environment={"MANDRILLHUB_ROOT": str(layout.root), **its.environment},
        directory=layout.hub_state,
        restart_key=fingerprint(install.SOURCE / "hub", install.SOURCE / "spawner_profiles", layout.running),
        ready=lambda: answers(f"{hub_url}/hub/api/"),
        ready_text="its API does not answer",
        ready_timeout_s=60)
    # Apart from the hub, which would leave it behind with a void token when it crashes.
    culler = Daemon(
        name="culler",
        command=[str(layout.hub_bin / "python"), "-m", "jupyterhub_idle_culler",
                 *culling.arguments(running.workshop.idle_limits)],
        environment={"JUPYTERHUB_API_TOKEN": settings.secret(layout.hub_state, "culler_token"),
                     "JUPYTERHUB_API_URL": f"{hub_url}/hub/api"},
        ready=lambda: True, ready_text="")
    # It cancels its jobs when it is stopped, and then has to wait for the cluster.
    sandbox = Daemon(
        name="sandbox",
        command=[str(layout.hub_bin / "python"), "-m", "hub.grading.sandbox.service"],
        environment={"MANDRILLHUB_ROOT": str(layout.root), **its.environment},
        restart_key=hub.restart_key,
        ready=lambda: ports.listening(own.sandbox), ready_text="it does not listen on its port", ready_timeout_s=60)
    return [proxy, hub, culler, sandbox]


def answers(url: str) -> bool:
    """Does this address answer with a 2xx?"""
    session = requests.Session()
    session.trust_env = False  # a class's proxy settings are no way to reach this machine
    try:
        return session.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def hub_api(layout: Layout, running: Running) -> HubApi:
    """The hub's API as the service that keeps the people in step."""
    return HubApi(f"http://127.0.0.1:{ports.Ports(running.workshop.port).hub_api}/hub/api",
                  settings.secret(layout.hub_state, "roster_token"))


def needed_ports(layout: Layout, running: Running) -> dict[str, tuple[str, int]]:
    """For :func:`hub.ports.check_free`."""
    own, its = ports.Ports(running.workshop.port), backend(layout, running.workshop.cluster)
    return {"the address of the hub": (running.workshop.listen, own.public),
            "the proxy's API": ("127.0.0.1", own.proxy_api), "the hub's API": (its.hub_ip, own.hub_api),
            "the sandbox service": (its.hub_ip, own.sandbox)}


def own_host(running: Running) -> str:
    """Where this machine itself reaches the proxy."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(running.workshop.listen, running.workshop.listen)


def address(running: Running) -> str:
    """What people type into a browser."""
    listen = running.workshop.listen
    host = {"0.0.0.0": socket.getfqdn(), "::": socket.getfqdn()}.get(listen, listen)
    return f"http://{host}:{running.workshop.port}"
