#!/bin/bash
# run.sh DATA LISTEN: serves DATA on LISTEN and fills the tracker with this machine's package history. Ctrl-C stops all of it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
data=$1 listen=$2
gantry=build/gantry
mkdir -p "$data"
ready=$(mktemp)
jobs_started=()

stop() {
    trap - INT TERM EXIT
    echo
    echo "run: stopping"
    # The followers first, then the server: it finishes what it has, takes a snapshot and ends.
    for ((i = ${#jobs_started[@]} - 1; i >= 0; i--)); do
        kill -TERM "${jobs_started[i]}" 2>/dev/null && wait "${jobs_started[i]}" 2>/dev/null
    done
    rm -f "$ready"
    echo "run: stopped; the data stays in $data"
    exit "${1:-0}"
}
trap 'stop 0' INT TERM
trap 'stop 1' EXIT

echo "run: $gantry serve --data $data --listen $listen"
$gantry serve --data "$data" --listen "$listen" >"$ready" &
server=$!
jobs_started+=("$server")
# A long replay may take its time: wait as long as the server lives.
until url=$(sed -n 's/^listening \(http[^ ]*\).*/\1/p' "$ready") && [ -n "$url" ]; do
    kill -0 $server 2>/dev/null || { echo "run: the server ended before it was ready" >&2; exit 1; }
    sleep 0.1
done
echo "run: the server is ready"

shopt -s nullglob
logs=(/var/log/dpkg.log*)
[ ${#logs[@]} -gt 0 ] || logs=(/var/log/dpkg.log)
echo "run: reading and following dpkg's log: ${logs[*]}"
$gantry import dpkg-log --follow --server "$url" "${logs[@]}" &
jobs_started+=($!)
echo "run: reading the changelogs of installed packages: /usr/share/doc"
$gantry import changelogs --server "$url" /usr/share/doc &
changelogs=$!
jobs_started+=("$changelogs")
echo
echo "    The tracker:   $url/"
echo "    Watch it move: apt-get install hello    (as root, in another terminal)"
echo "    Stop:          Ctrl-C"
echo
# Exit code 2 of an import says that some lines were malformed: they were named and skipped, the rest is in.
wait $changelogs && echo "run: all changelogs are in" || echo "run: the changelog import ended with $?"
wait $server
code=$?
echo "run: the server ended with $code" >&2
exit $code
