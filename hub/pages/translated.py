"""Jinja's i18n extension in the hub's language, and JupyterHub's own words that its pages may show."""

from __future__ import annotations

from jinja2.ext import InternationalizationExtension

from spawner_profiles import words
from spawner_profiles.words import N_

#: JupyterHub 6.1 raises these in English. Whatever is not here is shown as it comes.
JUPYTERHUB_SAYS = (
    N_("Bad Request"), N_("Forbidden"), N_("Not Found"), N_("Too Many Requests"), N_("Internal Server Error"),
    N_("Service Unavailable"),
    N_("Login form invalid or expired. Try again."),
    N_("XSRF cookie does not match POST argument"),
    N_("No access to resources or resources not found"),
    N_("Named servers are not enabled."),
)


class Translated(InternationalizationExtension):
    """``_()`` and ``{% trans %}`` by spawner_profiles.words, and the filter ``translated`` for texts of others."""

    def __init__(self, environment):
        super().__init__(environment)
        environment.policies["ext.i18n.trimmed"] = True  # a text may be broken into lines
        environment.install_gettext_callables(words._, words.ngettext, newstyle=True)
        environment.filters["translated"] = lambda text: words._(str(text or ""))
