"""The hub's pages: templates, style sheet, small scripts and two handlers.

`configure` puts them on a JupyterHub configuration; `profile_cards` is the
spawner's `options_form`.  Every visible string is in `templates/`: the ones
that a script needs as well are in `templates/mandrillhub/texts.html`.  All go
through gettext (`translated.py`): what the hub has told spawner_profiles.words
before `configure` is the language of all pages.

What a spawner must offer for `profile_cards` and the waiting page:

- `catalog`: a list of objects with `key`, `title`, `description`, `cpus`,
  `memory_text`, `gpus`, `gpu_model`, `emulated`, `walltime_text`, `partition`;
- `availability()`: a coroutine function that answers
  `{key: object with free (int, or None when unknown), total, waiting}`;
- `user_options["profile"]`: the key that was asked for;
- `progress()` events with `progress`, `message`, `phase` (`in_line`, `submitted`,
  `queued`, `starting` or `connecting`) and, when known, `reason`, `position`,
  `seconds`, `expected_start`, `job_id`, `node`, `silent`, `failed`;
- `last_end()`, if it has one: how the last server ended by itself, with
  `reason`, `when`, `node` and `profile`, or None.
"""

import hashlib
import time
from pathlib import Path

from spawner_profiles import words

from .cards import profile_cards
from .translated import Translated

HERE = Path(__file__).parent
STATIC = HERE / "static"
TEMPLATES = HERE / "templates"

__all__ = ["STATIC", "TEMPLATES", "configure", "profile_cards"]


def configure(
    c, *, title, catalog, availability, courses, subtitle="", notice="", announcement=None
):
    """Set the pages on the traitlets configuration `c`.

    All texts are plain: the pages escape them.  `notice` says on every page
    what a visitor must know about this machine; `announcement` is for the day.
    `availability` is the coroutine function described above. `courses`: the
    account of each course's desk, by the course's name.
    """
    # here, so that the cards and the static files need no JupyterHub
    from .handlers import CapacityHandler, DeskHandler, StaticHandler

    c.JupyterHub.template_paths = [str(TEMPLATES)]
    c.JupyterHub.jinja_environment_options = {"extensions": [Translated]}
    c.JupyterHub.logo_file = str(STATIC / "mandrill.svg")
    c.JupyterHub.template_vars.update(
        {
            "workshop": {"title": title, "subtitle": subtitle, "notice": notice},
            "announcement": announcement or "",
            "language": words.language,
            "pages_version": _fingerprint(STATIC),
            "desks": courses,
            "profile_titles": {profile.key: profile.title for profile in catalog},
            # JupyterHub calls what is callable, at each rendering
            "server_time": lambda user: time.time(),
        }
    )
    c.JupyterHub.extra_handlers.extend(
        [
            (
                r"/mandrillhub/capacity",
                CapacityHandler,
                {
                    "availability": availability,
                    "keys": [profile.key for profile in catalog],
                },
            ),
            (
                r"/mandrillhub/(formgrader|lab)(?:/([^/]+))?",
                DeskHandler,
                {"courses": courses, "profile": _for_a_desk(catalog).key},
            ),
            (r"/mandrillhub/static/(.*)", StaticHandler, {"path": str(STATIC)}),
        ]
    )


def _for_a_desk(catalog):
    """The profile that desks are started with: the first without a GPU."""
    return next((profile for profile in catalog if not profile.gpus), catalog[0])


def _fingerprint(folder):
    """A short hash of the files' contents: a browser keeps them until it changes."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
