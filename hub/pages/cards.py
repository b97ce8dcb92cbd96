"""The cards of the start page: one for each profile, with what is free now."""

import asyncio
import logging
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from .translated import Translated

log = logging.getLogger(__name__)

# A page is worth more than a figure: do not wait longer for the scheduler.
PATIENCE_S = 3

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, extensions=[Translated]
)


async def profile_cards(spawner):
    """The HTML of the spawn form (JupyterHub puts the <form> around it)."""
    catalog = list(spawner.catalog)
    capacity = await read_capacity(
        spawner.availability, [profile.key for profile in catalog]
    )
    return _templates.get_template("profiles.html").render(
        catalog=catalog, capacity=capacity
    )


async def read_capacity(availability, keys):
    """{key: {free, total, waiting}} for every key; free is None when unknown."""
    try:
        # shielded: giving up here must not cancel a query that others share
        known = await asyncio.wait_for(asyncio.shield(availability()), PATIENCE_S)
    except Exception:
        log.warning("What is free is unknown at the moment", exc_info=True)
        known = {}
    return {key: _figures(known.get(key)) for key in keys}


def _figures(found):
    if found is None:
        return {"free": None, "total": 0, "waiting": 0}
    return {"free": found.free, "total": found.total, "waiting": found.waiting}
