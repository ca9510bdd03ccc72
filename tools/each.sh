#!/bin/bash
# each.sh DIR SUFFIX ARGUMENTS…: runs every program under DIR whose name ends in SUFFIX with the arguments. Fails if one fails,
# or none is there.
set -uo pipefail
dir=$1 suffix=$2
shift 2
failed=0 ran=0
while read -r program; do
    ran=$((ran + 1))
    echo "== $(basename "$program") $*"
    extra=()
    # A fuzz target keeps what it learns in its build directory and starts from its kept corpus.
    if [ "$suffix" = _fuzz ]; then
        mkdir -p "$program.corpus"
        extra=("$program.corpus")
        corpus=tests/corpus/$(basename "$program")
        [ -d "$corpus" ] && extra+=("$corpus")
    fi
    "$program" "$@" "${extra[@]}" || { failed=$((failed + 1)); echo "== $(basename "$program") FAILED"; }
done < <(find "$dir" -type f -executable -name "*$suffix" | sort)
echo "$ran programs, $failed failed"
[ $ran -gt 0 ] && [ $failed = 0 ]
