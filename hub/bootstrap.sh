#!/bin/sh
# From a bare Debian 12 to the `mandrillhub` command: python3-venv, uv, the hub's locked environment, a copy of
# this source. Everything after that is the command's own work: `mandrillhub up`. Run by `make up`.
# Usage: hub/bootstrap.sh ROOT
set -eu
UV_VERSION=0.13.8
ROOT=${1:?usage: hub/bootstrap.sh ROOT}
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
OPT=${ROOT%/}/opt/mandrillhub
umask 022

say() { printf '\033[1m→\033[0m %s\n' "$*"; }

if [ "$(id -u)" != 0 ]; then
  echo "hub/bootstrap.sh must run as root; \`make up\` asks for sudo" >&2
  exit 1
fi
if ! /usr/bin/python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  say "Debian packages for Python"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    python3 python3-venv ca-certificates >/dev/null
fi
if [ "$("$OPT/uv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != $UV_VERSION ]; then
  say "uv $UV_VERSION, the installer of the environments"
  mkdir -p "$OPT"
  /usr/bin/python3 -m venv --clear "$OPT/uv"
  "$OPT/uv/bin/pip" install --quiet --disable-pip-version-check uv==$UV_VERSION
fi
# uv does not read pip's configuration: carry a mirror over.
index=$("$OPT/uv/bin/pip" config get global.index-url 2>/dev/null || true)
[ -z "${index:-${PIP_INDEX_URL:-}}" ] || export UV_DEFAULT_INDEX="${PIP_INDEX_URL:-$index}"

# The running platform never depends on the clone: it may lie in a home, be moved or be edited.
# Jobs read the platform's code in it, and nobody the solutions and hidden tests of the assignments.
new=$OPT/source.new
rm -rf "$new" && mkdir -p -m 700 "$new"
(cd "$SOURCE" && tar --create --exclude=__pycache__ --exclude=.ipynb_checkpoints --exclude='*.egg-info' \
  --owner=0 --group=0 --mode='u=rwX,go=rX' pyproject.toml README.md LICENSE hub spawner_profiles kernels course_notebooks) \
  | tar --extract --directory "$new"
chmod go-rwx "$new/course_notebooks/source" && chmod 755 "$new"
if [ -d "$OPT/source" ] && diff --recursive --brief --exclude=__pycache__ --exclude='*.egg-info' "$new" "$OPT/source" >/dev/null; then
  rm -rf "$new"
else
  rm -rf "$OPT/source" && mv "$new" "$OPT/source"
fi
chmod go-rwx "$OPT/source/course_notebooks/source"
if runuser -u nobody -- test -r "$SOURCE/course_notebooks/source"; then
  say "everybody on this machine can read the assignments' solutions in this clone; to close it: chmod go-rwx $SOURCE"
fi

hub=$OPT/hub
want=$(cat "$OPT/source/pyproject.toml" "$OPT/source/hub/environments/hub.lock" | sha256sum)
if [ "$(cat "$hub/.complete" 2>/dev/null)" != "$want" ]; then
  say "the hub's environment (JupyterHub, batchspawner, the proxy's node): about 0.4 GB"
  [ -x "$hub/bin/python" ] || "$OPT/uv/bin/uv" venv --quiet --python /usr/bin/python3 "$hub"
  "$OPT/uv/bin/uv" pip sync --quiet --python "$hub/bin/python" --require-hashes --compile-bytecode \
    "$OPT/source/hub/environments/hub.lock"
  "$OPT/uv/bin/uv" pip install --quiet --python "$hub/bin/python" --no-deps --no-build-isolation --editable "$OPT/source"
  echo "$want" >"$hub/.complete"
fi
# The command for an admin's shell. That of an instance elsewhere: $OPT/hub/bin/mandrillhub, with --root.
if [ -z "${ROOT%/}" ]; then
  [ -e /usr/local/bin/mandrillhub ] || ln -s "$hub/bin/mandrillhub" /usr/local/bin/mandrillhub
fi
