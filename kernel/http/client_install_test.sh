#!/bin/sh
# Installs the client as a user would and builds a program outside the tree with it. $1: build folder, $2: compiler, $3: more flags.
set -eu
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$1" --component client --prefix "$prefix" >/dev/null
cat >"$prefix/three.cpp" <<'PROGRAM'
#include <gantry/client.h>
#include <cstdio>
int main() {
    gantry::client::Session session("http://127.0.0.1:1");
    auto reply = session.send({"GET", "/"});
    std::puts(reply.ok() ? reply.body.c_str() : reply.error->code.c_str());
}
PROGRAM
"$2" -std=c++17 -Wall -Wextra $3 -I"$prefix/include" "$prefix/three.cpp" -o "$prefix/three" -L"$prefix/lib" -lgantry_client -lcurl
test "$("$prefix/three")" = connect_failed
