#!/bin/sh
# prepare.sh STEP... - sets up what is missing on this machine, and says so only when it takes time.
#
#   programs   Docker Engine, etcd, nftables, iproute2, iptables, conntrack, busybox … (installed with apt as root)
#   modules    node_modules, with npm ci
#   build      the bundles in dist/
#
# Uses nothing but a POSIX shell, because it runs before anything else is there. All output goes to standard error.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }

# Runs a command silently; after two seconds its title is shown, after a failure the end of what it printed.
step() {
  title=$1; shift
  log=$(mktemp "${TMPDIR:-/tmp}/calico-prepare.XXXXXX")
  "$@" >"$log" 2>&1 </dev/null &
  work=$!
  trap 'kill "$work" 2>/dev/null; rm -f "$log"; exit 130' INT TERM
  waited=0
  while kill -0 "$work" 2>/dev/null; do
    if [ "$waited" -eq 20 ]; then printf '%s …' "$title" >&2; fi
    if [ "$waited" -gt 20 ] && [ $((waited % 50)) -eq 0 ]; then printf ' %ss' "$((waited / 10))" >&2; fi
    sleep 0.1
    waited=$((waited + 1))
  done
  trap - INT TERM
  if wait "$work"; then
    if [ "$waited" -gt 20 ]; then printf ' done\n' >&2; fi
    rm -f "$log"
    return 0
  fi
  if [ "$waited" -gt 20 ]; then printf ' failed\n' >&2; fi
  say "$title failed:"
  tail -n 15 "$log" >&2
  rm -f "$log"
  return 1
}

# --- programs ---------------------------------------------------------------------------------------------------
# Program → Debian package. A program counts as there when it is on the path, sbin included.
PATH=$PATH:/usr/sbin:/sbin
export PATH
wanted='dockerd:docker.io docker:docker.io etcd:etcd-server etcdctl:etcd-client nft:nftables ip:iproute2
iptables:iptables ipset:ipset conntrack:conntrack nsenter:util-linux bird:bird2 ping:iputils-ping'

missing_packages() {
  missing=
  for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
  done
  # The containers' image is this one file; it must not need a C library.
  { [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1; } || missing="$missing busybox-static"
  # The library itself; the nft command alone is the slower way.
  found=
  for library in /usr/lib/*/libnftables.so.1 /usr/lib64/libnftables.so.1; do [ ! -e "$library" ] || found=yes; done
  [ -n "$found" ] || missing="$missing libnftables1"
  # shellcheck disable=SC2086
  set -- $missing
  [ $# -eq 0 ] || printf '%s\n' "$@" | sort -u | tr '\n' ' ' | sed 's/ $//'
}

install_packages() {
  apt-get -qq update
  # Installing must not start daemons of its own: everything here runs in namespaces of its own.
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=$policy
  fi
  status=0
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $1 || status=$?
  [ -z "$made" ] || rm -f "$made"
  return "$status"
}

programs() {
  packages=$(missing_packages)
  [ -n "$packages" ] || return 0
  line="apt-get install -y --no-install-recommends $packages"
  if ! command -v apt-get >/dev/null 2>&1; then
    say "These programs are missing: $packages (Debian's names). Install them with this system's package program, then repeat."
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "Some programs are missing. Run this once, then repeat:"
    say "  sudo $line"
    return 1
  fi
  step "Installing $packages" install_packages "$packages" ||
    { say "Run this by hand to see more: $line"; return 1; }
}

# --- modules ----------------------------------------------------------------------------------------------------
check_node() {
  if ! command -v node >/dev/null 2>&1; then
    say "Node.js 20.19 or later is needed and there is none. Install it (https://nodejs.org), then repeat."
    return 1
  fi
  version=$(node -p process.versions.node)
  major=${version%%.*}; rest=${version#*.}; minor=${rest%%.*}
  if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
    say "Node.js 20.19 or later is needed, found $version. Install a newer one (https://nodejs.org), then repeat."
    return 1
  fi
}

npm_ci() {
  # A dropped connection is the usual reason of a failure.
  npm ci --no-audit --no-fund || { sleep 3; npm ci --no-audit --no-fund; }
}

modules() {
  check_node
  installed=node_modules/.package-lock.json
  if [ -f "$installed" ] && [ ! package-lock.json -nt "$installed" ]; then return 0; fi
  # Newer by its date only, as after a checkout: the same content counts as installed.
  if [ -f "$installed" ] && [ -f node_modules/.installed-from ] && cmp -s package-lock.json node_modules/.installed-from; then
    touch "$installed"
    return 0
  fi
  step 'Installing the Node modules (npm ci)' npm_ci
  cp package-lock.json node_modules/.installed-from
}

# --- build ------------------------------------------------------------------------------------------------------
bundles() {
  if [ -f dist/.stamp ] && [ -z "$(find src scripts/build.mjs scripts/code-cache.mjs scripts/run-bundle.cjs scripts/write-code-cache.cjs package-lock.json -newer dist/.stamp -type f 2>/dev/null | head -n 1)" ]; then
    return 0
  fi
  step 'Building' node scripts/build.mjs
}

for name in "$@"; do
  case $name in
    programs) programs ;;
    modules) modules ;;
    build) bundles ;;
    *) say "prepare.sh: unknown step $name"; exit 2 ;;
  esac
done
