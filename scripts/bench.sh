#!/bin/sh
# npm run bench: sets up what is missing, then measures. See bench/main.ts for the options.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
# Paths in the options are relative to where the user stands.
here=$(pwd)
cd "$root"
PATH=$PATH:/usr/sbin:/sbin
export PATH
sh scripts/prepare.sh programs modules build
cd "${INIT_CWD:-$here}"
exec node --import "$root/node_modules/tsx/dist/loader.mjs" "$root/bench/main.ts" "$@"
