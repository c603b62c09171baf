#!/bin/sh
# plugin.sh DIRECTORY - makes what `docker plugin create NAME DIRECTORY` takes: config.json and a root file system with the
# programs, Node, libnftables and iptables of this machine, and the libraries that these need.
#
# Wants `npm ci` and `npm run build` done.
set -eu
to=${1:?usage: plugin.sh DIRECTORY}
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
install -d "$to/rootfs/run/docker/plugins" "$to/rootfs/run/calico" "$to/rootfs/var/lib/calico" "$to/rootfs/etc/calico" "$to/rootfs/tmp" "$to/rootfs/host/proc"
install -m 644 "$root/plugin.json" "$to/config.json"
sh "$root/packaging/stage.sh" "$to/rootfs"
# A file under its own name, whatever links lead to it.
take() { install -D -m 755 "$(readlink -f "$1")" "$to/rootfs$1"; }
needs() { ldd "$1" 2>/dev/null | sed -n 's/^.*=> \(\/[^ ]*\) .*$/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*$/\1/p'; }
program() {
  take "$1"
  for library in $(needs "$(readlink -f "$1")"); do take "$library"; done
}
node=$(command -v node)
install -D -m 755 "$(readlink -f "$node")" "$to/rootfs/usr/bin/node"
for library in $(needs "$(readlink -f "$node")"); do take "$library"; done
nftables=$(ldconfig -p | sed -n 's/^[[:space:]]*libnftables\.so\.1 .*=> //p' | head -n 1)
program "${nftables:?libnftables is not installed}"
for name in iptables ip6tables; do
  if path=$(command -v $name); then
    program "$path"
    for module in "$(dirname "$nftables")"/xtables/*.so; do [ -e "$module" ] && program "$module"; done
  fi
done
find "$to/rootfs/usr/lib/calico-libnetwork/node_modules" -name '*.node' | while read -r addon; do
  for library in $(needs "$addon"); do [ -e "$to/rootfs$library" ] || take "$library"; done
done
