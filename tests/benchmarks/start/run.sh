#!/bin/sh
# The benchmark of class starts, on a fresh Debian 12: installs what it needs under a root of its own and takes all but
# the environments away again. Run by `make bench-start`, as root; options go to tests/benchmarks/start/__main__.py.
set -eu
cd "$(dirname "$0")/../../.."
ROOT="${MANDRILLHUB_BENCH_ROOT:-/var/tmp/mh-bench}"
OPT=$ROOT/opt/mandrillhub
PYTHON=$OPT/tests/bin/python
umask 022
sh hub/bootstrap.sh "$ROOT"
[ -x /usr/bin/sudo ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
  apt-get install -qq -y --no-install-recommends sudo >/dev/null; } # stock batchspawner's way to other accounts
[ -x "$PYTHON" ] || "$OPT/uv/bin/uv" venv --quiet --python /usr/bin/python3 "$OPT/tests"
"$OPT/uv/bin/uv" pip sync --quiet --python "$PYTHON" --require-hashes tests/requirements.lock
# The platform as it lies here, and what it imports.
printf '%s\n%s\n' "$PWD" "$("$OPT/hub/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
  >"$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/platform.pth"
exec "$PYTHON" -m tests.benchmarks.start "$@"
