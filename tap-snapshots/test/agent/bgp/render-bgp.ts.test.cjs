/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/agent/bgp/render-bgp.ts > TAP > golden: a pool that contains hosts > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 192.0.2.1;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ 192.0.3.0/26 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ 192.0.3.0/26+ ] then reject;
  if net ~ [ 192.0.0.0/16+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if 192.0.2.1 ~ net then reject; # a host is not to be cut off
  if 192.0.2.66 ~ net then reject; # a host is not to be cut off
  if net ~ [ 192.0.0.0/16+ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
  route 192.0.3.0/26 blackhole;
}
protocol static gateways4 {
  ipv4;
}
# ---- filters and sessions ----
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Mesh_192_0_2_66 from calico_bgp {
  neighbor 192.0.2.66 port 179 as 64512;
  local 192.0.2.1 port 179 as 64512;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: a pool that contains hosts > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: client in a rack > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 10.99.1.3;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ ] then reject;
  if net ~ [ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
}
protocol static gateways4 {
  ipv4;
}
# ---- filters and sessions ----
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Mesh_10_99_2_3 from calico_bgp {
  neighbor 10.99.2.3 port 179 as 64512;
  local 10.99.1.3 port 179 as 64512;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Mesh_10_99_3_3 from calico_bgp {
  neighbor 10.99.3.3 port 179 as 64512;
  local 10.99.1.3 port 179 as 64512;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Node_10_99_1_1_port_179 from calico_bgp {
  neighbor 10.99.1.1 port 179 as 64512;
  local 10.99.1.3 port 179 as 64512;
  multihop;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Node_10_99_1_2_port_179 from calico_bgp {
  neighbor 10.99.1.2 port 179 as 64512;
  local 10.99.1.3 port 179 as 64512;
  multihop;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: client in a rack > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: every option > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote, debug, trace };
debug protocols { states, events };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 27.55.195.126;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", -"bad'name", -"wg*", "*"; }
protocol bfd calico_bfd {
  multihop { interval 300 ms; multiplier 3; };
}
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ 10.20.0.0/16+ ] then bgp_community.add((64512, 7));
  if net ~ [ 10.20.0.0/16+ ] then bgp_large_community.add((64512, 300, 100));
  if net ~ [ 10.20.1.0/26 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ 10.20.1.0/26+ ] then reject;
  if net ~ [ 10.20.0.0/16+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ 10.20.0.0/16+ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
  route 10.20.1.0/26 blackhole;
}
protocol static gateways4 {
  ipv4;
  route 192.0.2.1/32 via 192.0.2.254;
}
# ---- IPv6 ----
filter calico_from_kernel6 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel6 {
  if net ~ [ fd00:20::/64+ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer6() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer6() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ fd00:20::40/122 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ fd00:20::40/122+ ] then reject;
  if net ~ [ fd00:20::/64+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer6() {
  if net ~ [ fd00:20::/64+ ] then accept;
  reject;
}
protocol kernel kernel6 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv6 { import filter calico_from_kernel6; export filter calico_to_kernel6; };
}
protocol static blocks6 {
  ipv6;
  route fd00:20::40/122 blackhole;
}
protocol static gateways6 {
  ipv6;
}
# ---- filters and sessions ----
function calico_import4_all_matches_bbd1a540(bool same_as) {
  if net = 0.0.0.0/0 then { accept; }
  reject;
}
function calico_export4_all_matches_bbd1a540(bool same_as) {
  if net ~ [ 10.20.0.0/16{24,28} ] && source = RTS_BGP && defined(ifname) && ifname ~ "*.calico" && !same_as && (64512, 7) ~ bgp_community && bgp_path ~ [= 65001 65002 * =] && defined(bgp_local_pref) && bgp_local_pref = 2147483135 then { bgp_large_community.add((1, 2, 3)); bgp_community.add((1, 2)); bgp_path.prepend(65011); bgp_path.prepend(65010); bgp_local_pref = 2147483547; accept; }
  if net !~ [ 10.20.0.0/16{16,32} ] then { reject; }
  if net != 10.20.5.0/24 && same_as then { reject; }
}
function calico_import4_gone_a6dfdeaa(bool same_as) {
  reject;
}
function calico_export4_gone_a6dfdeaa(bool same_as) {
  reject;
}
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Global_2001_db8__1 from calico_bgp {
  neighbor 2001:db8::1 as 64601;
  local 2001:db8::10 port 1790 as 4200000001;
  multihop;
  strict bind on;
  bfd on;
  password "other";
  ipv6 {
    import filter { calico_from_peer6(); };
    export filter { calico_prefer6(); calico_to_peer6(); };
    add paths on; next hop keep ibgp;
  };
}
protocol bgp Mesh_192_0_2_11 from calico_bgp {
  neighbor 192.0.2.11 port 179 as 65546;
  local 192.0.2.10 port 1790 as 4200000001;
  multihop;
  strict bind on;
  passive on;
  graceful restart time 90;
  bfd on;
  password "s3cr3t with spaces; and 'quotes'";
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}
protocol bgp Node_192_0_2_1_port_1179 from calico_bgp {
  neighbor 192.0.2.1 port 1179 as 4200000002;
  local 192.0.2.10 port 1790 as 65000;
  multihop 1; ttl security on;
  strict bind on;
  allow local as 2;
  graceful restart time 4095;
  keepalive time 10; hold time 90;
  bfd on;
  ipv4 {
    import filter { calico_import4_all_matches_bbd1a540(false); calico_import4_gone_a6dfdeaa(false); calico_from_peer4(); };
    export filter { calico_prefer4(); calico_export4_all_matches_bbd1a540(false); calico_export4_gone_a6dfdeaa(false); calico_to_peer4(); };
    add paths on; next hop self;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: every option > notes 1`] = `
bgp-password-missing | secret | the password file has no usable tor/none; the sessions are left out, for without it they would stay closed anyway
bgp-peer-selects-nothing | nobody | no node matches rack == "r9"
bgp-peer-unusable | workloads | sessions with local workloads are not offered
bgp-filter-missing | gone | no such BGPFilter can be read; peers that name it get and give no routes
`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: IPv6 only, no pool > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 27.55.195.126;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv6 ----
filter calico_from_kernel6 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel6 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer6() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer6() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ ] then reject;
  if net ~ [ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer6() {
  if net ~ [ ] then accept;
  reject;
}
protocol kernel kernel6 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv6 { import filter calico_from_kernel6; export filter calico_to_kernel6; };
}
protocol static blocks6 {
  ipv6;
}
protocol static gateways6 {
  ipv6;
}
# ---- filters and sessions ----
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Mesh_2001_db8__9 from calico_bgp {
  neighbor 2001:db8::9 port 179 as 64512;
  local 2001:db8::10 port 179 as 64512;
  multihop;
  passive on;
  ipv6 {
    import filter { calico_from_peer6(); };
    export filter { calico_prefer6(); calico_to_peer6(); };
    add paths on;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: IPv6 only, no pool > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: mesh > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 172.16.60.215;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ 10.21.0.0/16+, 10.23.0.0/16+ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ 10.22.0.0/16+ ] then reject; # pools with disableBGPExport
  if net ~ [ 10.20.1.0/26, 10.20.9.9/32, 10.21.0.64/26 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ 10.20.1.0/26+, 10.20.9.9/32+, 10.21.0.64/26+ ] then reject;
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
  route 10.20.1.0/26 blackhole;
  route 10.21.0.64/26 blackhole;
}
protocol static gateways4 {
  ipv4;
}
# ---- IPv6 ----
filter calico_from_kernel6 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel6 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer6() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer6() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ fd00:20::100/122 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ fd00:20::100/122+ ] then reject;
  if net ~ [ fd00:20::/64+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer6() {
  if net ~ [ fd00:20::/64+ ] then accept;
  reject;
}
protocol kernel kernel6 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv6 { import filter calico_from_kernel6; export filter calico_to_kernel6; };
}
protocol static blocks6 {
  ipv6;
  route fd00:20::100/122 blackhole;
}
protocol static gateways6 {
  ipv6;
}
# ---- filters and sessions ----
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Mesh_172_16_60_216 from calico_bgp {
  neighbor 172.16.60.216 port 179 as 64512;
  local 172.16.60.215 port 179 as 64512;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Mesh_172_16_61_9 from calico_bgp {
  neighbor 172.16.61.9 port 179 as 64999;
  local 172.16.60.215 port 179 as 64512;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}
protocol bgp Mesh_fd00_60__216 from calico_bgp {
  neighbor fd00:60::216 port 179 as 64512;
  local fd00:60::215 port 179 as 64512;
  multihop;
  passive on;
  ipv6 {
    import filter { calico_from_peer6(); };
    export filter { calico_prefer6(); calico_to_peer6(); };
    add paths on;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: mesh > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: mesh-and-reflector > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 172.16.60.215;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ 10.21.0.0/16+, 10.23.0.0/16+ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ 10.22.0.0/16+ ] then reject; # pools with disableBGPExport
  if net ~ [ 10.20.1.0/26, 10.20.9.9/32, 10.21.0.64/26 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ 10.20.1.0/26+, 10.20.9.9/32+, 10.21.0.64/26+ ] then reject;
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
  route 10.20.1.0/26 blackhole;
  route 10.21.0.64/26 blackhole;
}
protocol static gateways4 {
  ipv4;
}
# ---- IPv6 ----
filter calico_from_kernel6 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel6 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer6() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer6() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ fd00:20::100/122 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ fd00:20::100/122+ ] then reject;
  if net ~ [ fd00:20::/64+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer6() {
  if net ~ [ fd00:20::/64+ ] then accept;
  reject;
}
protocol kernel kernel6 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv6 { import filter calico_from_kernel6; export filter calico_to_kernel6; };
}
protocol static blocks6 {
  ipv6;
  route fd00:20::100/122 blackhole;
}
protocol static gateways6 {
  ipv6;
}
# ---- filters and sessions ----
function calico_import4_f1_c09bb890(bool same_as) {
  if net = 0.0.0.0/0 then { accept; }
  reject;
}
function calico_export4_f1_c09bb890(bool same_as) {
  if net ~ [ 10.20.128.0/17{17,32} ] then { reject; }
}
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Global_172_16_60_1 from calico_bgp {
  neighbor 172.16.60.1 as 65001;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  ipv4 {
    import filter { calico_import4_f1_c09bb890(false); calico_from_peer4(); };
    export filter { calico_prefer4(); calico_export4_f1_c09bb890(false); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}
protocol bgp Mesh_172_16_60_216 from calico_bgp {
  neighbor 172.16.60.216 port 179 as 63400;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Mesh_fd00_60__216 from calico_bgp {
  neighbor fd00:60::216 port 179 as 63400;
  local fd00:60::215 port 179 as 63400;
  multihop;
  passive on;
  ipv6 {
    import filter { calico_from_peer6(); };
    export filter { calico_prefer6(); calico_to_peer6(); };
    add paths on;
  };
}
protocol bgp Node_172_16_60_2_port_1790 from calico_bgp {
  neighbor 172.16.60.2 port 1790 as 65002;
  local port 179 as 63400;
  multihop 2; ttl security on;
  allow local as 1;
  graceful restart time 90;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep;
  };
}
protocol bgp Node_172_16_61_9_port_179 from calico_bgp {
  neighbor 172.16.61.9 port 179 as 64999;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: mesh-and-reflector > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: peers-and-mesh > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 172.16.60.215;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ 10.21.0.0/16+, 10.23.0.0/16+ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ 10.22.0.0/16+ ] then reject; # pools with disableBGPExport
  if net ~ [ 10.20.1.0/26, 10.20.9.9/32, 10.21.0.64/26 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ 10.20.1.0/26+, 10.20.9.9/32+, 10.21.0.64/26+ ] then reject;
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
  route 10.20.1.0/26 blackhole;
  route 10.21.0.64/26 blackhole;
}
protocol static gateways4 {
  ipv4;
}
# ---- IPv6 ----
filter calico_from_kernel6 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel6 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer6() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer6() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ fd00:20::100/122 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ fd00:20::100/122+ ] then reject;
  if net ~ [ fd00:20::/64+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer6() {
  if net ~ [ fd00:20::/64+ ] then accept;
  reject;
}
protocol kernel kernel6 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv6 { import filter calico_from_kernel6; export filter calico_to_kernel6; };
}
protocol static blocks6 {
  ipv6;
  route fd00:20::100/122 blackhole;
}
protocol static gateways6 {
  ipv6;
}
# ---- filters and sessions ----
function calico_import4_f1_c09bb890(bool same_as) {
  if net = 0.0.0.0/0 then { accept; }
  reject;
}
function calico_export4_f1_c09bb890(bool same_as) {
  if net ~ [ 10.20.128.0/17{17,32} ] then { reject; }
}
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Global_172_16_60_1 from calico_bgp {
  neighbor 172.16.60.1 as 65001;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  ipv4 {
    import filter { calico_import4_f1_c09bb890(false); calico_from_peer4(); };
    export filter { calico_prefer4(); calico_export4_f1_c09bb890(false); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}
protocol bgp Mesh_172_16_60_216 from calico_bgp {
  neighbor 172.16.60.216 port 179 as 63400;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Mesh_fd00_60__216 from calico_bgp {
  neighbor fd00:60::216 port 179 as 63400;
  local fd00:60::215 port 179 as 63400;
  multihop;
  passive on;
  ipv6 {
    import filter { calico_from_peer6(); };
    export filter { calico_prefer6(); calico_to_peer6(); };
    add paths on;
  };
}
protocol bgp Node_172_16_60_2_port_1790 from calico_bgp {
  neighbor 172.16.60.2 port 1790 as 65002;
  local port 179 as 63400;
  multihop 2; ttl security on;
  allow local as 1;
  graceful restart time 90;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep;
  };
}
protocol bgp Node_172_16_61_9_port_179 from calico_bgp {
  neighbor 172.16.61.9 port 179 as 64999;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: peers-and-mesh > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: peers-no-mesh > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 172.16.60.215;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ 10.21.0.0/16+, 10.23.0.0/16+ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ 10.22.0.0/16+ ] then reject; # pools with disableBGPExport
  if net ~ [ 10.20.1.0/26, 10.20.9.9/32, 10.21.0.64/26 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ 10.20.1.0/26+, 10.20.9.9/32+, 10.21.0.64/26+ ] then reject;
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+, 10.22.0.0/16+, 10.23.0.0/16+ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
  route 10.20.1.0/26 blackhole;
  route 10.21.0.64/26 blackhole;
}
protocol static gateways4 {
  ipv4;
}
# ---- IPv6 ----
filter calico_from_kernel6 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel6 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer6() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer6() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ fd00:20::100/122 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ fd00:20::100/122+ ] then reject;
  if net ~ [ fd00:20::/64+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer6() {
  if net ~ [ fd00:20::/64+ ] then accept;
  reject;
}
protocol kernel kernel6 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv6 { import filter calico_from_kernel6; export filter calico_to_kernel6; };
}
protocol static blocks6 {
  ipv6;
  route fd00:20::100/122 blackhole;
}
protocol static gateways6 {
  ipv6;
}
# ---- filters and sessions ----
function calico_import4_f1_c09bb890(bool same_as) {
  if net = 0.0.0.0/0 then { accept; }
  reject;
}
function calico_export4_f1_c09bb890(bool same_as) {
  if net ~ [ 10.20.128.0/17{17,32} ] then { reject; }
}
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Global_172_16_60_1 from calico_bgp {
  neighbor 172.16.60.1 as 65001;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  ipv4 {
    import filter { calico_import4_f1_c09bb890(false); calico_from_peer4(); };
    export filter { calico_prefer4(); calico_export4_f1_c09bb890(false); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}
protocol bgp Node_172_16_60_2_port_1790 from calico_bgp {
  neighbor 172.16.60.2 port 1790 as 65002;
  local port 179 as 63400;
  multihop 2; ttl security on;
  allow local as 1;
  graceful restart time 90;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep;
  };
}
protocol bgp Node_172_16_61_9_port_179 from calico_bgp {
  neighbor 172.16.61.9 port 179 as 64999;
  local 172.16.60.215 port 179 as 63400;
  multihop;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on; next hop keep ibgp;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: peers-no-mesh > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: plain routes are the agent’s > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 192.0.2.1;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ 10.21.0.0/16+ ] then reject; # pools with tunnels: the agent's
  if source = RTS_STATIC && net ~ [ 10.20.0.0/16+ ] then reject; # own blocks
  if source = RTS_BGP && net ~ [ 10.20.0.0/16+ ] && bgp_next_hop ~ [ 192.0.2.1, 192.0.2.2 ] then reject; # hosts of this segment: the agent's too
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ 10.20.1.0/26 ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ 10.20.1.0/26+ ] then reject;
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ 10.20.0.0/16+, 10.21.0.0/16+ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
  route 10.20.1.0/26 blackhole;
}
protocol static gateways4 {
  ipv4;
}
# ---- IPv6 ----
filter calico_from_kernel6 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel6 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_STATIC && net ~ [ ] then reject; # own blocks
  if source = RTS_BGP && net ~ [ ] && bgp_next_hop ~ [ 2001:db8::1, 2001:db8::9 ] then reject; # hosts of this segment: the agent's too
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer6() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer6() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ ] then reject;
  if net ~ [ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer6() {
  if net ~ [ ] then accept;
  reject;
}
protocol kernel kernel6 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv6 { import filter calico_from_kernel6; export filter calico_to_kernel6; };
}
protocol static blocks6 {
  ipv6;
}
protocol static gateways6 {
  ipv6;
}
# ---- filters and sessions ----
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Mesh_192_0_2_2 from calico_bgp {
  neighbor 192.0.2.2 port 179 as 64512;
  local 192.0.2.1 port 179 as 64512;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Mesh_198_51_100_2 from calico_bgp {
  neighbor 198.51.100.2 port 179 as 64512;
  local 192.0.2.1 port 179 as 64512;
  multihop;
  passive on;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Mesh_2001_db8__9 from calico_bgp {
  neighbor 2001:db8::9 port 179 as 64512;
  local 2001:db8::1 port 179 as 64512;
  multihop;
  passive on;
  ipv6 {
    import filter { calico_from_peer6(); };
    export filter { calico_prefer6(); calico_to_peer6(); };
    add paths on;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: plain routes are the agent’s > notes 1`] = `

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: reflector of a rack > configuration 1`] = `
# Written by calico-libnetwork from the objects in the datastore; changes here are lost.
log "/run/calico/bird.log" 1000000 "/run/calico/bird.log.1" { fatal, bug, error, warning, auth, info, remote };
timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";
router id 10.99.1.1;
graceful restart wait 15;
protocol device { scan time 2; }
protocol direct { ipv4; ipv6; interface -"cali*", -"docker*", -"br-*", -"veth*", -"tunl*", -"vxlan*", "*"; }
# ---- IPv4 ----
filter calico_from_kernel4 {
  if defined(krt_source) && krt_source = 80 then {
    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host's block is announced alone
    reject; # tunnel routes and blackholes of the agent
  }
  accept; # routes of the host: next hops are resolved through them
}
filter calico_to_kernel4 {
  if net ~ [ ] then reject; # pools with tunnels: the agent's
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}
function calico_prefer4() {
  if source != RTS_BGP then bgp_local_pref = 2147482623;
}
function calico_to_peer4() {
  if source = RTS_DEVICE then reject;
  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;
  if net ~ [ ] then reject; # pools with disableBGPExport
  if net ~ [ ] then accept; # own blocks as a whole
  if source != RTS_BGP && net ~ [ ] then reject;
  if net ~ [ ] then accept; # borrowed addresses, reflected routes
  reject;
}
function calico_from_peer4() {
  if net ~ [ ] then accept;
  reject;
}
protocol kernel kernel4 {
  learn; persist; scan time 2; merge paths on; graceful restart on;
  ipv4 { import filter calico_from_kernel4; export filter calico_to_kernel4; };
}
protocol static blocks4 {
  ipv4;
}
protocol static gateways4 {
  ipv4;
}
# ---- filters and sessions ----
template bgp calico_bgp {
  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;
  hold time 90;
}
protocol bgp Node_10_99_1_2_port_179 from calico_bgp {
  neighbor 10.99.1.2 port 179 as 64512;
  local 10.99.1.1 port 179 as 64512;
  multihop;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Node_10_99_1_3_port_179 from calico_bgp {
  neighbor 10.99.1.3 port 179 as 64512;
  local 10.99.1.1 port 179 as 64512;
  multihop;
  rr client; rr cluster id 1.0.0.1;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Node_10_99_2_1_port_179 from calico_bgp {
  neighbor 10.99.2.1 port 179 as 64512;
  local 10.99.1.1 port 179 as 64512;
  multihop;
  rr client; rr cluster id 1.0.0.1;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Node_10_99_2_2_port_179 from calico_bgp {
  neighbor 10.99.2.2 port 179 as 64512;
  local 10.99.1.1 port 179 as 64512;
  multihop;
  rr client; rr cluster id 1.0.0.1;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Node_10_99_3_1_port_179 from calico_bgp {
  neighbor 10.99.3.1 port 179 as 64512;
  local 10.99.1.1 port 179 as 64512;
  multihop;
  rr client; rr cluster id 1.0.0.1;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}
protocol bgp Node_10_99_3_2_port_179 from calico_bgp {
  neighbor 10.99.3.2 port 179 as 64512;
  local 10.99.1.1 port 179 as 64512;
  multihop;
  rr client; rr cluster id 1.0.0.1;
  ipv4 {
    import filter { calico_from_peer4(); };
    export filter { calico_prefer4(); calico_to_peer4(); };
    add paths on;
  };
}

`

exports[`test/agent/bgp/render-bgp.ts > TAP > golden: reflector of a rack > notes 1`] = `

`
