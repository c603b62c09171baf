#!/bin/sh
# build.sh [FOLDER] - makes calico-libnetwork_VERSION_ARCHITECTURE.deb in FOLDER (the current one unless told).
set -eu
to=$(cd "${1:-.}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
version=$(node -p "require('$here/../../package.json').version")
architecture=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
sh "$here/../stage.sh" "$tree"
install -d "$tree/DEBIAN"
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/" "$here/control" >"$tree/DEBIAN/control"
install -m 644 "$here/conffiles" "$tree/DEBIAN/conffiles"
chmod 755 "$tree"
dpkg-deb --root-owner-group -b "$tree" "$to/calico-libnetwork_${version}_$architecture.deb"
