#!/bin/sh
# The benchmark of grading, on a fresh Debian 12: brings a platform of its own up and takes all but its environments
# away again. Run by `make bench-grade`, as root; options go to tests/benchmarks/grading/run.py.
set -eu
cd "$(dirname "$0")/../../.."
export MANDRILLHUB_TEST_ROOT="${MANDRILLHUB_BENCH_ROOT:-/var/tmp/mh-bench}" MANDRILLHUB_TEST_PORT="${PORT:-18100}"
OPT=$MANDRILLHUB_TEST_ROOT/opt/mandrillhub
PYTHON=$OPT/tests/bin/python
umask 022
sh hub/bootstrap.sh "$MANDRILLHUB_TEST_ROOT"
[ -x "$PYTHON" ] || "$OPT/uv/bin/uv" venv --quiet --python /usr/bin/python3 "$OPT/tests"
"$OPT/uv/bin/uv" pip sync --quiet --python "$PYTHON" --require-hashes tests/requirements.lock
# The platform as it lies here, and what it imports.
printf '%s\n%s\n' "$PWD" "$("$OPT/hub/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
  >"$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/platform.pth"
clean_up() {
  "$OPT/hub/bin/mandrillhub" down --root "$MANDRILLHUB_TEST_ROOT"
  for login in $(getent passwd | grep ":$MANDRILLHUB_TEST_ROOT/" | cut -d: -f1); do
    userdel --force "$login" 2>/dev/null || true
  done
  rm -rf "$MANDRILLHUB_TEST_ROOT/home" "$MANDRILLHUB_TEST_ROOT/etc" "$MANDRILLHUB_TEST_ROOT/var" \
    "$MANDRILLHUB_TEST_ROOT/srv/mandrillhub/courses" "$MANDRILLHUB_TEST_ROOT/srv/mandrillhub/sandbox"
}
trap clean_up EXIT
"$PYTHON" -m tests.benchmarks.grading.run "$@"
