#!/bin/sh
# Records anew what the real clients send, into services/oops/fixtures: record.sh. They run in /srv/shop, so that no path of this machine
# gets into a fixture. Needs `npm ci --ignore-scripts --omit=optional` here and in tests/console, python3-sentry-sdk and chromium.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
fixtures=$here/../../services/oops/fixtures
shop=/srv/shop
mkdir -p "$shop"
cp -r "$here/." "$shop/"
mkdir -p "$shop/site"
cd "$shop"
node_modules/.bin/esbuild browser_client.js --bundle --minify --sourcemap --outfile=site/bundle.js --log-level=error
cp page.html site/
node_modules/.bin/esbuild shop_page.js --minify --sourcemap --outfile=shop.js --log-level=error
mkdir -p "$fixtures/source_map"
cp shop.js shop.js.map "$fixtures/source_map/"

# record NAME COMMAND…: the command finds the DSN in its environment, and PORT.
record() {
    name=$1
    shift
    kept=$shop/kept/$name
    rm -rf "$kept" && mkdir -p "$kept"
    rm -f port
    node recorder.mjs "$kept" site > port &
    recorder=$!
    trap 'kill "$recorder"' EXIT
    until [ -s port ]; do sleep 0.1; done
    PORT=$(cat port)
    export PORT SENTRY_DSN="http://publickey@127.0.0.1:$PORT/42"
    "$@"
    kill "$recorder"
    trap - EXIT
    mkdir -p "$fixtures/$name"
    rm -f "$fixtures/$name"/*
    cp "$kept"/* "$fixtures/$name/"
    sed -i 's/"kernel_version":"[^"]*"/"kernel_version":"6.1.0"/' "$fixtures/$name"/*.body
}
browse() {
    playwright=${PLAYWRIGHT:-$here/../console/node_modules/playwright-core/index.mjs}
    node browser_client.mjs "http://127.0.0.1:$PORT/page.html?dsn=$SENTRY_DSN" "$playwright"
}
record node10 node node_client.mjs sentry-node-10
record node11 node node_client.mjs @sentry/node
record python1 /usr/bin/python3 python_client.py
record browser11 browse
