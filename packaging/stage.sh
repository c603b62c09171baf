#!/bin/sh
# stage.sh DESTINATION - lays the built programs out as the packages install them:
#
#   usr/lib/calico-libnetwork/   bundles, launchers, and the modules with machine code
#   usr/bin/                     calico-libnetwork, calicoctl
#   usr/lib/systemd/system/      units
#   etc/calico/, etc/default/    settings
#   usr/lib/NetworkManager/conf.d/, usr/lib/systemd/networkd.conf.d/, usr/lib/firewalld/
#                                what keeps other programs' hands off our interfaces and routes
#
# Wants `npm ci` and `npm run build` done. Both package formats call it.
set -eu
to=${1:?usage: stage.sh DESTINATION}
root=$(cd "$(dirname "$0")/.." && pwd)
lib=$to/usr/lib/calico-libnetwork
install -d "$lib/bin" "$lib/dist" "$lib/node_modules" "$to/usr/bin" "$to/usr/lib/systemd/system" "$to/etc/calico" "$to/etc/default"
install -m 755 "$root"/bin/calico-libnetwork "$root"/bin/calicoctl "$lib/bin/"
cp -R "$root"/dist/*.cjs "$root"/dist/*.cache "$root/dist/proto" "$lib/dist/"
ln -sf ../lib/calico-libnetwork/bin/calico-libnetwork "$to/usr/bin/calico-libnetwork"
ln -sf ../lib/calico-libnetwork/bin/calicoctl "$to/usr/bin/calicoctl"
install -m 644 "$root"/packaging/systemd/*.service "$root"/packaging/systemd/*.socket "$to/usr/lib/systemd/system/"
install -m 644 "$root/packaging/systemd/calico-libnetwork.env" "$to/etc/default/calico-libnetwork"
install -m 644 "$root/packaging/calico-libnetwork.yaml" "$to/etc/calico/calico-libnetwork.yaml"
dropin() { install -D -m 644 "$root/packaging/drop-ins/$1" "$to/usr/lib/$2"; }
dropin NetworkManager.conf NetworkManager/conf.d/50-calico.conf
dropin networkd.conf systemd/networkd.conf.d/50-calico.conf
dropin firewalld-service.xml firewalld/services/calico.xml
dropin firewalld-zone.xml firewalld/zones/calico.xml
# The bundles hold everything but these and what these need.
node - "$root" "$lib" <<'JS'
const { cpSync, existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const [root, lib] = process.argv.slice(2);
const seen = new Set();
function take(name) {
  const from = join(root, 'node_modules', name);
  if (seen.has(name) || /^@types\/|^undici-types$/.test(name) || !existsSync(from)) return;
  seen.add(name);
  cpSync(from, join(lib, 'node_modules', name), {
    recursive: true,
    // Koffi's program is in its src.
    filter: (path) =>
      !/\/(deps|doc|docs|test|tests|benchmark)$/.test(path.slice(from.length)) &&
      (name === 'koffi' ? !/\.(cc|hh|c|h|S|asm|inc)$/.test(path) : !/\/src$/.test(path.slice(from.length))),
  });
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
  for (const other of [...Object.keys(dependencies), ...Object.keys(optionalDependencies)]) take(other);
}
for (const name of ['lmdb', 'netlink', 'koffi']) take(name);
JS
