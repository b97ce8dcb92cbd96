"""Read by `jupyterhub -f`. It only assembles; see hub/settings.py."""

import os
from pathlib import Path

from hub.layout import Layout
from hub.running import Running
from hub.settings import configure

layout = Layout(Path(os.environ["MANDRILLHUB_ROOT"]))
configure(get_config(), layout, Running.read(layout))  # noqa: F821 - JupyterHub provides get_config
