"""Read by `jupyterhub -f` in the benchmark: JupyterHub and batchspawner's SlurmSpawner with their own defaults.

What is set is what any site must set (where the hub, its proxy and its database are, how large a job is), as our own
settings have it, and that the emulated nodes are all this machine.
"""

import json
import os
from pathlib import Path

import batchspawner  # noqa: F401 - registers its handler

from hub.layout import Layout
from hub.ports import Ports
from hub.settings import secret

c = get_config()  # noqa: F821 - JupyterHub provides it
layout = Layout(Path(os.environ["MANDRILLHUB_ROOT"]))
ports = Ports(int(os.environ["BENCH_PORT"]))
c.JupyterHub.bind_url = f"http://127.0.0.1:{ports.public}"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = ports.hub_api
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports.proxy_api}"
c.ConfigurableHTTPProxy.auth_token = secret(layout.hub_state, "proxy_token")
c.JupyterHub.cleanup_servers = False
c.JupyterHub.db_url = f"sqlite:///{layout.hub_state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(layout.hub_state / "cookie_secret")
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["BENCH_PASSWORD"]
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.SlurmSpawner.req_partition = "cpu"
c.SlurmSpawner.req_nprocs = "1"
c.SlurmSpawner.req_memory = "512"
c.SlurmSpawner.req_runtime = "30"
c.SlurmSpawner.state_exechost_exp = "127.0.0.1"
c.Spawner.environment = {"SLURM_CONF": str(layout.slurm_conf)}  # not in /etc, where Slurm's commands look by default
if command := json.loads(os.environ["BENCH_COMMAND"]):
    c.Spawner.cmd = command
    c.BatchSpawnerBase.batchspawner_singleuser_cmd = ""  # the stub reports its port itself
else:  # sudo resets PATH, so the programs are named in full, as sites do
    programs = os.environ["PATH"].split(":")[0]
    c.Spawner.cmd = [f"{programs}/jupyterhub-singleuser"]
    # Its port is reported before the server listens, and with the default of 30 s all of 20 failed on 2 cores.
    c.Spawner.http_timeout = 120
    c.BatchSpawnerBase.batchspawner_singleuser_cmd = f"{programs}/batchspawner-singleuser"
