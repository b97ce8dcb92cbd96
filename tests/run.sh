#!/bin/sh
# All tests, kind by kind, on a fresh Debian 12: installs what they need, brings a platform of their own up (its
# root, port, nodes and accounts are apart from any other's) and takes it away again. Run by `make test`, as root.
# KINDS="unit browser" picks; MANDRILLHUB_TEST_ROOT and MANDRILLHUB_TEST_PORT move it. `make test-long` runs the kinds
# that need more time: other clusters (OAR, a Slurm with accounting, a Slurm of somebody else, kernels in images), and
# a hub and jobs that are killed at any moment.
set -u
cd "$(dirname "$0")/.."
export MANDRILLHUB_TEST_ROOT="${MANDRILLHUB_TEST_ROOT:-/var/tmp/mh-test}"
export MANDRILLHUB_TEST_PORT="${MANDRILLHUB_TEST_PORT:-18000}"
KINDS=${KINDS:-unit course integration browser deployment}
ROOT=$MANDRILLHUB_TEST_ROOT
OPT=$ROOT/opt/mandrillhub
PYTHON=$OPT/tests/bin/python
OTHER_CLUSTERS="tests/integration/oar tests/integration/test_slurm_accounting.py
  tests/integration/test_existing_slurm.py tests/integration/test_images.py tests/browser/test_oar_walk.py
  tests/integration/grading/test_equal.py"
FAULTS="tests/integration/test_durable.py tests/integration/test_ended.py tests/integration/test_restart.py
  tests/integration/test_reservation.py tests/integration/test_internal_ssl.py tests/browser/test_waiting.py"
failed=""
umask 022

title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

clean_up() {
  title "cleaning up"
  [ ! -x "$OPT/hub/bin/mandrillhub" ] || "$OPT/hub/bin/mandrillhub" down --root "$ROOT"
  remove_people
  rm -rf "$ROOT/home" "$ROOT/etc" "$ROOT/var" # and what belongs to accounts that are gone
  rm -rf "$ROOT/srv/mandrillhub/courses" "$ROOT/srv/mandrillhub/exchange" "$ROOT/srv/mandrillhub/sandbox"
}

remove_people() {
  for login in $(cut -d, -f1 tests/live/attendees.csv | tail -n +2) mh-grader-mandrill mh-grader-vision mh-grader-box \
    mh-grader-sandbox; do
    ! getent passwd "$login" >/dev/null || userdel --force "$login" 2>/dev/null
  done
}

packages_of() { # a file that tells that they are there, Debian packages...
  [ ! -e "$1" ] || return 0
  shift && apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null || exit 1
}

title "installing"
sh hub/bootstrap.sh "$ROOT" || exit 1
packages_of /usr/bin/chromium chromium fonts-dejavu-core git
packages_of /usr/share/modules environment-modules
packages_of /usr/bin/setfacl acl
[ -x "$PYTHON" ] || "$OPT/uv/bin/uv" venv --quiet --python /usr/bin/python3 "$OPT/tests" || exit 1
"$OPT/uv/bin/uv" pip sync --quiet --python "$PYTHON" --require-hashes tests/requirements.lock || exit 1
packages=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# The platform as it lies here, and what it imports.
printf '%s\n%s\n' "$PWD" "$("$OPT/hub/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
  >"$packages/platform.pth"
trap clean_up EXIT
trap 'exit 130' INT TERM

run() { # name, command...
  name=$1 && shift
  title "$name" && begin=$(date +%s)
  "$@" || failed="$failed $name"
  printf '%s: %s s\n' "$name" "$(($(date +%s) - begin))"
}

# Accounts of a run that was killed: nobody knows their passwords any more.
[ -e "$ROOT/etc/mandrillhub/passwords.csv" ] || remove_people
title "installing the platform, from nothing to a login page" && begin=$(date +%s)
make --no-print-directory up ROOT="$ROOT" PORT="$MANDRILLHUB_TEST_PORT" WORKSHOP=tests/live/workshop.yml || exit 1
printf 'platform: %s s, %s\n' "$(($(date +%s) - begin))" "$(du -shc "$OPT" "$ROOT/srv" | tail -n 1 | cut -f1)"

for kind in $KINDS; do
  case $kind in
    unit)
      run "style" "$PYTHON" -m ruff check --quiet .
      run "unit" "$PYTHON" -m pytest tests/unit --ignore tests/unit/course_notebooks
      # The course runs in the kernel's own environment, never in the hub's.
      run "unit, course" env PYTHONPATH="$packages:course_notebooks" PYTHONDONTWRITEBYTECODE=1 \
        "$ROOT/srv/mandrillhub/kernels/pytorch/bin/python" -m pytest --confcutdir tests/unit/course_notebooks \
        tests/unit/course_notebooks ;;
    integration | browser)
      run "$kind" "$PYTHON" -m pytest --durations 10 "tests/$kind" --ignore tests/integration/course_notebooks \
        $(for path in $OTHER_CLUSTERS $FAULTS; do echo "--ignore $path"; done) ;;
    deployment) run "deployment" "$PYTHON" -m pytest tests/deployment ;;
    faults) run "faults" "$PYTHON" -m pytest $FAULTS ;;
    clusters)
      packages_of /usr/sbin/slurmdbd slurmdbd mariadb-server
      run "clusters" "$PYTHON" -m pytest $OTHER_CLUSTERS ;;
    course)
      # The server's environment has nbgrader, as in production; pytest comes after all that it has.
      run "course" env JUPYTER_PATH="$ROOT/srv/mandrillhub/jupyter" "$OPT/server/bin/python" -c \
        "import sys; sys.path.append('$packages'); import pytest; sys.exit(pytest.main(sys.argv[1:]))" \
        --confcutdir tests/integration/course_notebooks tests/integration/course_notebooks ;;
    *) echo "unknown kind of tests: $kind" >&2 && exit 2 ;;
  esac
done
title "result"
[ -z "$failed" ] && echo "all kinds passed: $KINDS" || { echo "failed:$failed" && exit 1; }
