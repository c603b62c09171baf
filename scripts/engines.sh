#!/bin/sh
# engines.sh [DIR] - unpacks newer Docker engines beside the installed one, for the system tests.
#
# DIR/26 gets Docker 26.1 out of Debian's suite trixie, DIR/28 Docker 28.5 out of sid, each with its containerd and
# an etcd. Packages are only unpacked, never installed, and come from the mirror that this machine's apt uses.
# Their runc needs a newer C library, so it is left out: the installed one serves.
# DIR is $ENGINES, or ~/.cache/calico-libnetwork/engines.
set -eu
to=${1:-${ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/calico-libnetwork/engines}}
fail() { echo "engines.sh: $*" >&2; exit 1; }
command -v apt-get >/dev/null 2>&1 || fail 'newer engines come out of Debian packages, and there is no apt-get here'
[ "$(id -u)" -eq 0 ] || fail 'needs root'
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$key" ] || fail "no Debian archive key at $key"
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | sed -n 's#^[^\#]*\(https\{0,1\}://[^ ]*/debian\)/\{0,1\}\( .*\)\{0,1\}$#\1#p' | head -n 1)
[ -n "$mirror" ] || fail 'no Debian mirror among the apt sources'
mkdir -p "$to"
to=$(cd "$to" && pwd)
work=$to/.work
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/empty"
for suite in trixie sid; do echo "deb [signed-by=$key] $mirror $suite main"; done >"$work/sources.list"
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/empty" \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
unpack() {
  [ ! -x "$to/$1/usr/sbin/dockerd" ] || return 0
  mkdir -p "$work/$1" "$work/tree-$1"
  (cd "$work/$1" && apt download "docker.io/$2" "docker-cli/$2" "containerd/$2" "etcd-server/$2")
  for package in "$work/$1"/*.deb; do dpkg-deb -x "$package" "$work/tree-$1"; done
  rm -f "$work/tree-$1/usr/bin/runc" "$work/tree-$1/usr/sbin/runc"
  rm -rf "${to:?}/$1"
  mv "$work/tree-$1" "$to/$1"
  "$to/$1/usr/sbin/dockerd" --version
}
apt update || fail "cannot read the package lists of $mirror"
unpack 26 trixie || fail "cannot unpack Docker 26 from $mirror"
unpack 28 sid || fail "cannot unpack Docker 28 from $mirror"
