#!/bin/bash
# Holds the alert rules against promtool and against their tests; an alert without a test is a failure. Exits 77, which ctest shows as
# skipped, where there is no promtool.
set -euo pipefail
cd "$(dirname "$0")" || exit
command -v promtool >/dev/null || { echo "skipped: no promtool; make setup installs it"; exit 77; }
promtool check rules gantry.rules.yml
promtool test rules gantry.rules_test.yml
untested=$(comm -3 \
    <(sed -n 's/^ *- alert: //p' gantry.rules.yml | sort) \
    <(sed -n 's/^ *name: \(Gantry.*\)/\1/p' gantry.rules_test.yml | sort))
[ -z "$untested" ] || { echo "in one of the files alone: $untested"; exit 1; }
told=$(grep -c 'action: ".\{40,\}"' gantry.rules.yml)
[ "$told" = "$(grep -c -- '- alert:' gantry.rules.yml)" ] || { echo "an alert doesn't say what to do"; exit 1; }

# Every question of the dashboard is one that Prometheus understands.
questions=$(mktemp --suffix .yml)
trap 'rm -f "$questions"' EXIT
python3 - gantry.dashboard.json >"$questions" <<'END'
import json, sys
panels = json.load(open(sys.argv[1]))["panels"]
asked = [t["expr"].replace("$__rate_interval", "5m") for p in panels for t in p.get("targets", [])]
rules = [{"record": f"question_{n}", "expr": e} for n, e in enumerate(asked)]
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
END
promtool check rules "$questions"
