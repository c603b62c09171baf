#!/bin/sh
# older-bird.sh [DIR] - unpacks BIRD 1.6, the line that Calico's own BIRD comes from; nothing is installed or started.
#
# The package comes from the mirror that this machine's apt uses. DIR is $OLDER_BIRD, or
# ~/.cache/calico-libnetwork/bird-1.6.
set -eu
to=${1:-${OLDER_BIRD:-${XDG_CACHE_HOME:-$HOME/.cache}/calico-libnetwork/bird-1.6}}
fail() { echo "older-bird.sh: $*" >&2; exit 1; }
[ ! -x "$to/bird" ] || exit 0
command -v apt-get >/dev/null 2>&1 || fail 'BIRD 1.6 comes out of a Debian package, and there is no apt-get here'
mkdir -p "$to"
to=$(cd "$to" && pwd)
work=$to/.work
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download bird || fail 'cannot download the package bird'
dpkg-deb -x bird_1.6*.deb tree || fail 'the package bird is no BIRD 1.6 here'
mv tree/usr/sbin/birdc "$to/"
mv tree/usr/sbin/bird "$to/"
