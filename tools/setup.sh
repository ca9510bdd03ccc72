#!/bin/bash
# Installs what is missing: Debian packages of packaging/packages.txt and the npm packages of the lock files. Does nothing, and needs
# no network, when everything is there. `tools/setup.sh bench` adds the sections named.
set -euo pipefail
cd "$(dirname "$0")/.." || exit

packages_of() {
    awk -v want=" $* " '/^\[/ { section = " " substr($0, 2, length($0) - 2) " " } /^[a-z0-9]/ && index(want, section) { print $1 }' \
        packaging/packages.txt
}

sections=(build run test "$@")
command -v npm >/dev/null || sections+=(npm)
wanted=$(packages_of "${sections[@]}")
# shellcheck disable=SC2086
present=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' || true)
missing=$(comm -23 <(sort -u <<<"$wanted") <(sort -u <<<"$present"))

if [ -n "$missing" ]; then
    echo "setup: installing $(wc -w <<<"$missing") Debian packages:" $missing
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    export DEBIAN_FRONTEND=noninteractive
    # What is installed for tests starts nothing (invoke-rc.d asks this file; where there is one already, it stays). Elsewhere than in a
    # container services are still enabled: `systemctl disable haproxy nginx` if they shall not start with the machine.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
        $sudo chmod 755 $policy
        trap '$sudo rm -f $policy' EXIT
    fi
    # The lists may be absent or old: refresh them once, only when something is to be installed.
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

# npm ci once for each lock file: the copy of the lock beside node_modules says what is installed.
for dir in console tests/beanstalkd tests/console tests/oidc tests/openapi tests/otlp tests/sentry tests/sqs; do
    [ -f $dir/package-lock.json ] || continue
    cmp -s $dir/package-lock.json $dir/node_modules/.installed-lock && continue
    echo "setup: npm ci in $dir"
    (cd $dir && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed-lock)
done
echo "setup: everything is installed"
