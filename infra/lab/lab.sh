#!/bin/sh
# Runs the lab; without arguments it prints its commands.
folder=$(CDPATH= cd -- "$(dirname "$0")" && pwd -P) || exit 1
node=$folder/../../node_modules/.bin/node
[ -x "$node" ] || { echo "lab: no $node; run \"npm ci\" first" >&2; exit 1; }
exec "$node" "$folder/main.ts" "$@"
