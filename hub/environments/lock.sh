#!/bin/sh
# Resolve every environment anew from its .in file: hashes, no hosts. Usage: lock.sh UV
set -eu
cd "$(dirname "$0")/../.."
for file in hub/environments/hub.in hub/environments/server.in kernels/*/requirements.in tests/requirements.in; do
  overrides=${file%.in}.overrides
  "$1" pip compile $([ ! -e "$overrides" ] || echo --override "$overrides") --quiet --upgrade --python /usr/bin/python3 --python-version 3.11 --generate-hashes \
    --no-header --no-annotate "$file" --output-file "${file%.in}.lock"
done
