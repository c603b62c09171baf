#!/bin/sh
# firewalld.sh [DIR] - unpacks firewalld for the system tests; nothing is installed, and no service is started.
#
# The packages come from the mirror that this machine's apt uses. DIR is $FIREWALLD, or
# ~/.cache/calico-libnetwork/firewalld.
set -eu
to=${1:-${FIREWALLD:-${XDG_CACHE_HOME:-$HOME/.cache}/calico-libnetwork/firewalld}}
fail() { echo "firewalld.sh: $*" >&2; exit 1; }
[ ! -x "$to/usr/sbin/firewalld" ] || exit 0
command -v apt-get >/dev/null 2>&1 || fail 'firewalld comes out of Debian packages, and there is no apt-get here'
mkdir -p "$to"
to=$(cd "$to" && pwd)
work=$to/.work
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/packages" "$work/tree"
cd "$work/packages"
apt-get -qq -o APT::Sandbox::User=root download firewalld python3-firewall python3-nftables python3-attr \
  python3-pyrsistent python3-jsonschema libnm0 gir1.2-nm-1.0 || fail 'cannot download the packages'
for package in *.deb; do dpkg-deb -x "$package" "$work/tree"; done
# What the package's own script would link.
actions=$work/tree/usr/share/polkit-1/actions
ln -sf org.fedoraproject.FirewallD1.server.policy.choice "$actions/org.fedoraproject.FirewallD1.policy"
rm -rf "$to/usr" "$to/etc"
mv "$work/tree/usr" "$work/tree/etc" "$to/"
