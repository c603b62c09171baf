#!/bin/sh
# npm test: sets up what is missing, then runs every check and test. See scripts/test/main.ts for the options.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
PATH=$PATH:/usr/sbin:/sbin
export PATH
if ! sh scripts/prepare.sh programs modules build; then
  echo 'The machine could not be set up; nothing was tested.'
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
fi
exec node --import tsx scripts/test/main.ts "$@"
