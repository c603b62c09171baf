#!/bin/sh
# npm run quickstart: sets up what is missing, then shows two networks and three containers at work.
# With `-- --once` it ends by itself, with a status that tells whether all was as it should be.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
PATH=$PATH:/usr/sbin:/sbin
export PATH
sh scripts/prepare.sh programs modules build
if [ "$(id -u)" -ne 0 ]; then
  echo 'Networks and namespaces need root. Run: sudo npm run quickstart' >&2
  exit 1
fi
exec node --import tsx scripts/quickstart/main.ts "$@"
