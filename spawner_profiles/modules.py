"""Environment modules (``module load``), as clusters offer software: environment-modules or Lmod."""

from __future__ import annotations

import shlex

from spawner_profiles.words import _

#: Where the two are made known to shells. A job's shell is no login shell, and may not have read them.
INITS = ("00-modulepath", "modules", "lmod", "z00_lmod")


def loading(modules: str) -> str:
    """Shell lines that load ``modules``, names between blanks. One that cannot be loaded ends the script, and is named
    in its last words: the waiting page shows them."""
    if not modules:
        return ""
    names = " ".join(map(shlex.quote, modules.split()))
    failed = _("The module {module} of this profile cannot be loaded on {node}.").format(
        module="$name", node="$(uname -n)")
    # Neither is written for set -eu.
    return f"""set +eu
for init in {" ".join(INITS)}; do
  type module >/dev/null 2>&1 || [ ! -r "/etc/profile.d/$init.sh" ] || . "/etc/profile.d/$init.sh"
done
for name in {names}; do
  module load "$name" || {{ echo "{failed}"; exit 1; }}
done
set -eu
"""
