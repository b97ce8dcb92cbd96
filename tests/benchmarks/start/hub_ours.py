"""Read by `jupyterhub -f` in the benchmark: the platform's own settings, with the stub where the benchmark says so."""

import json
import os
from pathlib import Path

from hub.layout import Layout
from hub.running import Running
from hub.settings import configure

c = get_config()  # noqa: F821 - JupyterHub provides it
layout = Layout(Path(os.environ["MANDRILLHUB_ROOT"]))
configure(c, layout, Running.read(layout))
c.JupyterHub.authenticator_class = "dummy"  # logging in is not what is measured
c.DummyAuthenticator.password = os.environ["BENCH_PASSWORD"]
if command := json.loads(os.environ["BENCH_COMMAND"]):
    c.Spawner.cmd = command
    c.SlurmJobSpawner.req_prologue = ""  # the stub needs no copy of the course
