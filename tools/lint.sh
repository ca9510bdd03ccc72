#!/bin/bash
# Format, structure, and the few clang-tidy checks of .clang-tidy. Says which of them failed; changes nothing.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=0
step() {
    local name=$1 start=$SECONDS
    shift
    if "$@"; then echo "lint: $name ok ($((SECONDS - start)) s)"; else echo "lint: $name FAILED"; failed=1; fi
}

format() { git ls-files -z '*.h' '*.cpp' | xargs -0 -r clang-format-19 --dry-run -Werror; }

step format format
step structure python3 tools/tidy.py
step clang-tidy python3 tools/analyse.py build
exit $failed
