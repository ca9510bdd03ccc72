#!/bin/bash
# The two commands of the README in a Debian 12 that has never seen the project: a debootstrap chroot with this host's apt, npm and
# certificate settings, and the commit that is checked out. Needs root. Always takes down what it put up.
#   tests/fresh/run.sh [setup|test|run|all]    how far to go (default all)
#   FRESH_DIR=/where/there/are/10/GB           place of the chroot (default: a new directory under /var/tmp)
set -euo pipefail
cd "$(dirname "$0")/../.."
stage=${1:-all}
[ "$(id -u)" = 0 ] || { echo "test-fresh: needs root, for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "test-fresh: debootstrap is missing; make setup installs it" >&2; exit 1; }
place=${FRESH_DIR:-$(mktemp -d /var/tmp/gantry-fresh.XXXXXXXX)}
root=$place/root
started=()
begin=$SECONDS
say() { echo "test-fresh: $* ($((SECONDS - begin)) s)"; }

clean() {
    local code=$? pid mount
    trap - EXIT INT TERM
    for pid in "${started[@]}"; do kill -TERM "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    # Whatever is still mounted below: deleting through a bind mount would delete the host's files.
    for mount in dev/shm dev/pts dev sys proc; do
        ! mountpoint -q "$root/$mount" || umount "$root/$mount" || umount -l "$root/$mount" || true
    done
    if grep -q " $root/" /proc/mounts; then
        say "something is still mounted under $root: left as it is"
    else
        rm -rf --one-file-system "$place"
    fi
    [ $code = 0 ] && say "passed" || say "FAILED with $code"
    exit $code
}
trap clean EXIT
trap 'exit 130' INT TERM

# The first deb line of the host says where Debian comes from.
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)' 2>/dev/null |
    awk '($2 == "bookworm") && $3 == "main" && $4 == "Packages" { print $1; exit }')
say "debootstrap bookworm into $root"
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "${mirror:-http://deb.debian.org/debian}" \
    >"$place/debootstrap.log" 2>&1 || { tail -20 "$place/debootstrap.log"; exit 1; }
for mount in proc sys dev dev/pts dev/shm; do mount --bind "/$mount" "$root/$mount"; done

# The settings of this host, and nothing else of it: apt's sources and options, npm's, the certificates, the names of hosts.
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d
for path in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/keyrings /etc/apt/auth.conf.d /usr/share/keyrings \
    /etc/resolv.conf /etc/hosts /etc/ssl/certs /usr/local/share/ca-certificates /usr/share/ca-certificates /etc/npmrc /usr/etc/npmrc \
    "$HOME/.npmrc"; do
    [ -e "$path" ] || continue
    target=$root/${path#/}
    [ "$path" != "$HOME/.npmrc" ] || target=$root/root/.npmrc
    mkdir -p "$(dirname "$target")"
    cp -rLT "$path" "$target" 2>/dev/null || true
done

# Only what the network needs comes along from the environment.
environment=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8)
network='^(https?_proxy|no_proxy|all_proxy|[A-Z_]*CERT[A-Z_]*|[A-Z_]*CA_(BUNDLE|CERTS?|FILE)[A-Z_]*|npm_config_[a-z_]*)='
while IFS= read -r variable; do environment+=("$variable"); done < <(env | grep -iE "$network" || true)
inside() { chroot "$root" env -i "${environment[@]}" bash -c "$1"; }

say "what a repository on a machine implies: make"
inside 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends make' >"$place/make.log" 2>&1 ||
    { tail -20 "$place/make.log"; exit 1; }
mkdir -p "$root/root/gantry"
git archive HEAD | tar -x -C "$root/root/gantry"

if [ "$stage" = setup ]; then
    inside 'cd /root/gantry && make setup && make setup'
    exit 0
fi

if [ "$stage" != run ]; then
    say "make test"
    inside 'cd /root/gantry && make test'
fi
[ "$stage" != test ] || exit 0

say "make run"
inside 'cd /root/gantry && exec make run' >"$place/run.log" 2>&1 &
started+=($!)
page=http://127.0.0.1:8080
shown=0
for ((i = 0; i < 1800; ++i)); do
    kill -0 "${started[0]}" 2>/dev/null || { tail -40 "$place/run.log"; say "make run ended by itself"; exit 1; }
    shown=$(curl -fsS --noproxy '*' "$page/tracker/v1/summary" 2>/dev/null | grep -o '"packages":[0-9]*' | grep -o '[0-9]*$' || echo 0)
    [ "$shown" -gt 20 ] && break
    sleep 1
done
[ "$shown" -gt 20 ] || { tail -40 "$place/run.log"; say "the tracker shows $shown packages"; exit 1; }
curl -fsS --noproxy '*' "$page/" | grep -q 'console/main.js' || { say "$page/ is not the console"; exit 1; }
say "$page/ shows $shown packages"

say "apt-get install hello moves a package across the page"
inside 'DEBIAN_FRONTEND=noninteractive apt-get install -y -qq hello' >/dev/null 2>&1
for ((i = 0; i < 30; ++i)); do
    curl -fsS --noproxy '*' "$page/tracker/v1/packages/hello" 2>/dev/null | grep -q '"result":"installed"' && break
    sleep 1
done
[ $i -lt 30 ] || { tail -40 "$place/run.log"; say "hello did not arrive"; exit 1; }
cat "$place/run.log" | tail -15

# Ctrl-C reaches every process of the terminal; here the script that make started stands for them.
runner=$(pgrep -P "$(pgrep -P "${started[0]}" -x make || echo "${started[0]}")" -f tools/run.sh | head -1)
kill -INT "$runner"
wait "${started[0]}" || true
started=()
curl -fsS --noproxy '*' "$page/" >/dev/null 2>&1 && { say "the server outlived make run"; exit 1; }
say "stopped cleanly"
