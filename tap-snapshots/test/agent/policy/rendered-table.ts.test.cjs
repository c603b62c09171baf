/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/agent/policy/rendered-table.ts > TAP > a host with host endpoints > must match snapshot 1`] = `
add table inet calico-libnetwork
delete table inet calico-libnetwork
add table arp calico-libnetwork
delete table arp calico-libnetwork
table inet calico-libnetwork {
  map from-wl {
    type ifname : verdict
  }
  map to-wl {
    type ifname : verdict
  }
  set nodes4 {
    type ipv4_addr
  }
  set nodes6 {
    type ipv6_addr
  }
  set links {
    type ifname . ether_addr
  }
  set any-mac {
    type ifname
  }
  set on-link {
    type ifname
    size 65535
    flags dynamic,timeout
    timeout 1m
  }
  set from4 {
    type ifname . ether_addr . ipv4_addr
  }
  set from6 {
    type ifname . ether_addr . ipv6_addr
  }
  set own4 {
    type ifname . ipv4_addr
  }
  set own6 {
    type ifname . ipv6_addr
  }
  set open4 {
    type ipv4_addr . inet_proto . inet_service
  }
  set open6 {
    type ipv6_addr . inet_proto . inet_service
  }
  map hep-raw-in {
    type ifname : verdict
  }
  map hep-raw-out {
    type ifname : verdict
  }
  map hep-before-dnat {
    type ifname : verdict
  }
  map hep-forward-in {
    type ifname : verdict
  }
  map hep-forward-out {
    type ifname : verdict
  }
  map hep-in {
    type ifname : verdict
  }
  map hep-out {
    type ifname : verdict
  }
  set s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw {
    type ipv4_addr
    comment "has(net1)"
  }
  set s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw {
    type ipv6_addr
    comment "has(net1)"
  }
  chain layout-6 {
  }
  chain wl-raw {
    icmpv6 type { nd-router-advert, nd-redirect } counter drop comment "router advertisement or redirect from a container"
    icmp type redirect counter drop comment "redirect from a container"
    ip daddr 127.0.0.0/8 counter drop comment "loopback of the host from a container"
    iifname . ether saddr . ip saddr @from4 accept
    iifname . ether saddr . ip6 saddr @from6 accept
    iifname . ip saddr @own4 accept
    iifname . ip6 saddr @own6 accept
    iifname . ether saddr @links jump wl-on-link
    iifname @any-mac jump wl-on-link
    counter drop comment "source address not of this endpoint"
  }
  chain wl-on-link {
    ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept
    ip6 saddr fe80::/10 update @on-link { iifname limit rate 4/second burst 16 packets } accept
    ip6 saddr fe80::/10 counter drop comment "too much from link-local addresses"
    ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept comment "duplicate address detection"
    ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept comment "DHCP discovery"
  }
  chain waiting {
    counter drop comment "policies are not known yet"
  }
  chain from-wl {
    iifname vmap @from-wl
    counter drop comment "unknown workload interface"
  }
  chain to-wl {
    oifname vmap @to-wl
    counter drop comment "unknown workload interface"
  }
  chain encapsulated {
    udp dport { 4789, 4790 } counter drop comment "VXLAN from a container"
    meta l4proto 4 counter drop comment "IP in IP from a container"
  }
  chain wl-to-host {
    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
    jump from-wl
    counter drop comment "containers do not reach their host"
  }
  chain raw-pre {
    type filter hook prerouting priority raw; policy accept;
    meta mark set meta mark & 0xfffcffff
    iifname "cali*" goto wl-raw
    jump hep-raw-in-chain
    meta mark & 0x10000 == 0x10000 notrack accept
  }
  chain f-forward {
    type filter hook forward priority filter - 10; policy accept;
    meta mark & 0x10000 == 0 jump hep-forward-in-chain
    iifname "cali*" jump from-wl
    oifname "cali*" jump to-wl
    jump hep-forward-out-chain
  }
  chain f-input {
    type filter hook input priority filter - 10; policy accept;
    iifname "cali*" goto wl-to-host
    meta mark & 0x10000 == 0x10000 accept
    meta l4proto 4 ip saddr @nodes4 counter accept comment "IP in IP between hosts"
    ip saddr @nodes4 udp dport 4790 counter accept comment "VXLAN between hosts"
    ip6 saddr @nodes6 udp dport 4790 counter accept comment "VXLAN between hosts"
    jump hep-in-chain
  }
  chain failsafe-in {
    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } counter meta mark set meta mark | 0x10000 return comment "failsafe port"
    ip saddr 192.0.2.0/24 meta l4proto . th dport { tcp . 22 } counter meta mark set meta mark | 0x10000 return comment "failsafe port"
    meta l4proto . th dport { tcp . 179 } counter meta mark set meta mark | 0x10000 return comment "failsafe port"
  }
  chain failsafe-out {
    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } counter meta mark set meta mark | 0x10000 return comment "failsafe port"
  }
  chain failsafe-raw-in {
    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } counter accept comment "failsafe port"
    ip saddr 192.0.2.0/24 meta l4proto . th dport { tcp . 22 } counter accept comment "failsafe port"
    meta l4proto . th dport { tcp . 179 } counter accept comment "failsafe port"
  }
  chain failsafe-raw-out {
    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } counter accept comment "failsafe port"
    ip daddr 192.0.2.0/24 meta l4proto . th sport { tcp . 22 } counter accept comment "failsafe port"
    meta l4proto . th sport { tcp . 179 } counter accept comment "failsafe port"
  }
  chain raw-out {
    type filter hook output priority raw; policy accept;
    meta mark set meta mark & 0xfffcffff
    jump hep-raw-out-chain
    meta mark & 0x10000 == 0x10000 notrack accept
  }
  chain mangle-pre {
    type filter hook prerouting priority mangle; policy accept;
    ct state established,related accept
    meta mark & 0x10000 == 0x10000 accept
    jump hep-before-dnat-chain
  }
  chain f-output {
    type filter hook output priority filter - 10; policy accept;
    meta mark & 0x10000 == 0x10000 accept
    meta l4proto 4 ip daddr @nodes4 counter accept comment "IP in IP between hosts"
    ip daddr @nodes4 udp dport 4790 counter accept comment "VXLAN between hosts"
    ip6 daddr @nodes6 udp dport 4790 counter accept comment "VXLAN between hosts"
    ct status & dnat != 0 accept
    jump hep-out-chain
  }
  chain m-post {
    type filter hook postrouting priority mangle; policy accept;
    meta iif != 0 accept
    meta mark & 0x10000 == 0x10000 accept
    ct status & dnat != 0 jump hep-out-chain
  }
  chain pi-raw {
    counter meta mark set meta mark | 0x10000 return comment "policy raw ingress rule 1"
  }
  chain ti-3467e7c682fcc8ac {
    meta mark set meta mark & 0xfffdffff
    jump pi-raw
    meta mark & 0x30000 != 0 return
  }
  chain h-raw-in-eth {
    meta mark set meta mark & 0xfffcffff
    jump failsafe-raw-in
    jump ti-3467e7c682fcc8ac
    meta mark & 0x10000 != 0 return
  }
  chain po-raw {
  }
  chain to-3467e7c682fcc8ac {
    meta mark set meta mark & 0xfffdffff
    jump po-raw
    meta mark & 0x30000 != 0 return
  }
  chain h-raw-out-eth {
    meta mark set meta mark & 0xfffcffff
    jump failsafe-raw-out
    jump to-3467e7c682fcc8ac
    meta mark & 0x10000 != 0 return
  }
  chain pi-dnat {
  }
  chain ti-321bf96bc1337af1 {
    meta mark set meta mark & 0xfffdffff
    jump pi-dnat
    meta mark & 0x30000 != 0 return
  }
  chain h-before-dnat-eth {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump failsafe-in
    meta mark & 0x10000 != 0 meta mark set meta mark & 0xfffcffff return
    jump ti-321bf96bc1337af1
    meta mark & 0x10000 != 0 return
  }
  chain pi-forward {
  }
  chain ti-311521176ea9d243 {
    meta mark set meta mark & 0xfffdffff
    jump pi-forward
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain h-forward-in-eth {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump ti-311521176ea9d243
    meta mark & 0x10000 != 0 return
    meta mark set meta mark | 0x10000 return
  }
  chain po-forward {
    counter drop comment "policy forward egress rule 1"
  }
  chain to-311521176ea9d243 {
    meta mark set meta mark & 0xfffdffff
    jump po-forward
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain h-forward-out-eth {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump to-311521176ea9d243
    meta mark & 0x10000 != 0 return
    meta mark set meta mark | 0x10000 return
  }
  chain pi-plain {
  }
  chain ti-e33f301d3124d5e3 {
    meta mark set meta mark & 0xfffdffff
    jump pi-forward
    meta mark & 0x30000 != 0 return
    jump pi-plain
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain pri-net1 {
    ct status dnat ip daddr . meta l4proto . th dport @open4 counter meta mark set meta mark | 0x10000 return comment "published port"
    ct status dnat ip6 daddr . meta l4proto . th dport @open6 counter meta mark set meta mark | 0x10000 return comment "published port"
    meta nfproto ipv4 ip saddr @s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw counter meta mark set meta mark | 0x10000 return comment "net1 ingress rule 1"
    meta nfproto ipv6 ip6 saddr @s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw counter meta mark set meta mark | 0x10000 return comment "net1 ingress rule 1"
  }
  chain h-in-eth {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump failsafe-in
    meta mark & 0x10000 != 0 return
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump ti-e33f301d3124d5e3
    meta mark & 0x10000 != 0 return
    jump pri-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain po-plain {
  }
  chain to-e33f301d3124d5e3 {
    meta mark set meta mark & 0xfffdffff
    jump po-forward
    meta mark & 0x30000 != 0 return
    jump po-plain
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain pro-net1 {
    counter meta mark set meta mark | 0x10000 return comment "net1 egress rule 1"
  }
  chain h-out-eth {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump failsafe-out
    meta mark & 0x10000 != 0 return
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump to-e33f301d3124d5e3
    meta mark & 0x10000 != 0 return
    jump pro-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain hep-raw-in-chain {
    iifname vmap @hep-raw-in
  }
  chain hep-raw-out-chain {
    oifname vmap @hep-raw-out
  }
  chain hep-before-dnat-chain {
    iifname vmap @hep-before-dnat
    iifname "lo" return
    iifname "cali*" return
    goto h-before-dnat-all
  }
  chain hep-forward-in-chain {
    iifname vmap @hep-forward-in
    iifname "lo" return
    iifname "cali*" return
    goto h-forward-in-all
  }
  chain hep-forward-out-chain {
    oifname vmap @hep-forward-out
    oifname "lo" return
    oifname "cali*" return
    goto h-forward-out-all
  }
  chain hep-in-chain {
    iifname vmap @hep-in
    iifname "lo" return
    iifname "cali*" return
    goto h-in-all
  }
  chain hep-out-chain {
    oifname vmap @hep-out
    oifname "lo" return
    oifname "cali*" return
    goto h-out-all
  }
  chain h-before-dnat-all {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump failsafe-in
    meta mark & 0x10000 != 0 meta mark set meta mark & 0xfffcffff return
    jump ti-321bf96bc1337af1
    meta mark & 0x10000 != 0 return
  }
  chain h-forward-in-all {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump ti-311521176ea9d243
    meta mark & 0x10000 != 0 return
    meta mark set meta mark | 0x10000 return
  }
  chain h-forward-out-all {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump to-311521176ea9d243
    meta mark & 0x10000 != 0 return
    meta mark set meta mark | 0x10000 return
  }
  chain h-in-all {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump failsafe-in
    meta mark & 0x10000 != 0 return
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump ti-e33f301d3124d5e3
    meta mark & 0x10000 != 0 return
    jump pri-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain h-out-all {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    jump failsafe-out
    meta mark & 0x10000 != 0 return
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump to-e33f301d3124d5e3
    meta mark & 0x10000 != 0 return
    jump pro-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
}
table arp calico-libnetwork {
  set from-arp {
    type ifname . ether_addr . ipv4_addr
  }
  set own-arp {
    type ifname . ipv4_addr
  }
  chain arp-in {
    type filter hook input priority filter; policy accept;
    iifname "cali*" goto arp-wl
  }
  chain arp-wl {
    iifname . arp saddr ether . arp saddr ip @from-arp accept
    iifname . arp saddr ip @own-arp accept
    arp operation request arp saddr ip 0.0.0.0 accept comment "duplicate address detection"
    counter drop comment "ARP for an address not of this endpoint"
  }
}
add element inet calico-libnetwork nodes4 { 192.0.2.1 }
add element inet calico-libnetwork nodes6 { 2001:db8::1 }
add element inet calico-libnetwork hep-raw-in { "eth0" : goto h-raw-in-eth }
add element inet calico-libnetwork hep-raw-out { "eth0" : goto h-raw-out-eth }
add element inet calico-libnetwork hep-before-dnat { "eth0" : goto h-before-dnat-eth }
add element inet calico-libnetwork hep-forward-in { "eth0" : goto h-forward-in-eth }
add element inet calico-libnetwork hep-forward-out { "eth0" : goto h-forward-out-eth }
add element inet calico-libnetwork hep-in { "eth0" : goto h-in-eth }
add element inet calico-libnetwork hep-out { "eth0" : goto h-out-eth }

`

exports[`test/agent/policy/rendered-table.ts > TAP > the whole table, hosts reach all > must match snapshot 1`] = `
add table inet calico-libnetwork
delete table inet calico-libnetwork
add table arp calico-libnetwork
delete table arp calico-libnetwork
table inet calico-libnetwork {
  map from-wl {
    type ifname : verdict
  }
  map to-wl {
    type ifname : verdict
  }
  set nodes4 {
    type ipv4_addr
  }
  set nodes6 {
    type ipv6_addr
  }
  set links {
    type ifname . ether_addr
  }
  set any-mac {
    type ifname
  }
  set on-link {
    type ifname
    size 65535
    flags dynamic,timeout
    timeout 1m
  }
  set from4 {
    type ifname . ether_addr . ipv4_addr
  }
  set from6 {
    type ifname . ether_addr . ipv6_addr
  }
  set own4 {
    type ifname . ipv4_addr
  }
  set own6 {
    type ifname . ipv6_addr
  }
  set open4 {
    type ipv4_addr . inet_proto . inet_service
  }
  set open6 {
    type ipv6_addr . inet_proto . inet_service
  }
  set pools4 {
    type ipv4_addr
    flags interval
  }
  set masq4 {
    type ipv4_addr
    flags interval
  }
  set pools6 {
    type ipv6_addr
    flags interval
  }
  set masq6 {
    type ipv6_addr
    flags interval
  }
  set s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw {
    type ipv4_addr
    comment "has(net1)"
  }
  set s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw {
    type ipv6_addr
    comment "has(net1)"
  }
  set s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type ipv4_addr
    comment "role == 'lan'"
  }
  set s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type ipv6_addr
    comment "role == 'lan'"
  }
  set i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type nf_proto . ipv4_addr
    flags interval
    comment "role == 'lan'"
  }
  set i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type nf_proto . ipv6_addr
    flags interval
    comment "role == 'lan'"
  }
  set s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg {
    type ipv4_addr
    comment "app == 'web'"
  }
  set s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg {
    type ipv6_addr
    comment "app == 'web'"
  }
  set n4-0dd1a38f764fcf8c54fad713759cd2d6 {
    type ipv4_addr . inet_proto . inet_service
    comment "http/tcp of app == 'web'"
  }
  set n6-0dd1a38f764fcf8c54fad713759cd2d6 {
    type ipv6_addr . inet_proto . inet_service
    comment "http/tcp of app == 'web'"
  }
  set s4-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w {
    type ipv4_addr
    comment "has(net2)"
  }
  set s6-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w {
    type ipv6_addr
    comment "has(net2)"
  }
  set s4-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg {
    type ipv4_addr
    comment "role in {'x', 'y'}"
  }
  set s6-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg {
    type ipv6_addr
    comment "role in {'x', 'y'}"
  }
  set n4-5d45fdef9c0768ae9d4b90fdd014b573 {
    type ipv4_addr . inet_proto . inet_service
    comment "http/tcp of all()"
  }
  set n6-5d45fdef9c0768ae9d4b90fdd014b573 {
    type ipv6_addr . inet_proto . inet_service
    comment "http/tcp of all()"
  }
  chain layout-6 {
  }
  chain wl-raw {
    icmpv6 type { nd-router-advert, nd-redirect } counter drop comment "router advertisement or redirect from a container"
    icmp type redirect counter drop comment "redirect from a container"
    ip daddr 127.0.0.0/8 counter drop comment "loopback of the host from a container"
    iifname . ether saddr . ip saddr @from4 accept
    iifname . ether saddr . ip6 saddr @from6 accept
    iifname . ip saddr @own4 accept
    iifname . ip6 saddr @own6 accept
    iifname . ether saddr @links jump wl-on-link
    iifname @any-mac jump wl-on-link
    counter drop comment "source address not of this endpoint"
  }
  chain wl-on-link {
    ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept
    ip6 saddr fe80::/10 update @on-link { iifname limit rate 4/second burst 16 packets } accept
    ip6 saddr fe80::/10 counter drop comment "too much from link-local addresses"
    ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept comment "duplicate address detection"
    ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept comment "DHCP discovery"
  }
  chain waiting {
    counter drop comment "policies are not known yet"
  }
  chain from-wl {
    iifname vmap @from-wl
    counter drop comment "unknown workload interface"
  }
  chain to-wl {
    oifname vmap @to-wl
    counter drop comment "unknown workload interface"
  }
  chain encapsulated {
    udp dport { 4789 } counter drop comment "VXLAN from a container"
    meta l4proto 4 counter drop comment "IP in IP from a container"
  }
  chain wl-to-host {
    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
    jump from-wl
    meta mark set meta mark & 0xfffcffff
  }
  chain raw-pre {
    type filter hook prerouting priority raw; policy accept;
    iifname "cali*" goto wl-raw
  }
  chain f-forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname "cali*" jump from-wl
    oifname "cali*" jump to-wl
  }
  chain f-input {
    type filter hook input priority filter - 10; policy accept;
    iifname "cali*" goto wl-to-host
  }
  chain nat-post {
    type nat hook postrouting priority srcnat + 10; policy accept;
    ip saddr @masq4 ip daddr != @pools4 counter masquerade fully-random comment "natOutgoing"
    ip6 saddr @masq6 ip6 daddr != @pools6 counter masquerade fully-random comment "natOutgoing"
  }
  chain pri-net1 {
    ct status dnat ip daddr . meta l4proto . th dport @open4 counter meta mark set meta mark | 0x10000 return comment "published port"
    ct status dnat ip6 daddr . meta l4proto . th dport @open6 counter meta mark set meta mark | 0x10000 return comment "published port"
    meta nfproto ipv4 ip saddr @s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw counter meta mark set meta mark | 0x10000 return comment "net1 ingress rule 1"
    meta nfproto ipv6 ip6 saddr @s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw counter meta mark set meta mark | 0x10000 return comment "net1 ingress rule 1"
  }
  chain tl-1 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    ip saddr @nodes4 counter meta mark set meta mark | 0x10000 return comment "hosts reach all"
    ip6 saddr @nodes6 counter meta mark set meta mark | 0x10000 return comment "hosts reach all"
    jump pri-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pro-net1 {
    counter meta mark set meta mark | 0x10000 return comment "net1 egress rule 1"
  }
  chain fl-2 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump encapsulated
    jump pro-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pi-early {
    counter meta mark set meta mark | 0x20000 return comment "policy early ingress rule 1"
  }
  chain ti-c9e9aee524f0c2da {
    meta mark set meta mark & 0xfffdffff
    jump pi-early
    meta mark & 0x30000 != 0 return
  }
  chain pi-web {
    meta nfproto ipv4 meta l4proto 6 ip saddr @s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 meta l4proto 6 meta nfproto . ip saddr @i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 ip6 saddr @s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 meta nfproto . ip6 saddr @i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 meta l4proto 6 ip saddr @s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip daddr . meta l4proto . th dport @n4-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 meta l4proto 6 meta nfproto . ip saddr @i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip daddr . meta l4proto . th dport @n4-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 ip6 saddr @s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip6 daddr . meta l4proto . th dport @n6-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 meta nfproto . ip6 saddr @i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip6 daddr . meta l4proto . th dport @n6-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 ip saddr != { 10.0.0.0/8 } limit rate 10/second burst 20 packets counter log prefix "calico-packet: " level info comment "policy web ingress rule 2"
    meta nfproto ipv6 limit rate 10/second burst 20 packets counter log prefix "calico-packet: " level info comment "policy web ingress rule 2"
    meta nfproto ipv4 meta l4proto 1 icmp type . icmp code != { 8 . 0 } counter meta mark set meta mark | 0x20000 return comment "policy web ingress rule 3"
  }
  chain pi-team.one/own {
  }
  chain pi-closed {
    counter drop comment "policy closed cannot be enforced"
  }
  chain ti-2d9428ba531c8cd0 {
    meta mark set meta mark & 0xfffdffff
    jump pi-web
    meta mark & 0x30000 != 0 return
    jump pi-team.one/own
    meta mark & 0x30000 != 0 return
    jump pi-closed
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain tl-3 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    ip saddr @nodes4 counter meta mark set meta mark | 0x10000 return comment "hosts reach all"
    ip6 saddr @nodes6 counter meta mark set meta mark | 0x10000 return comment "hosts reach all"
    jump ti-c9e9aee524f0c2da
    meta mark & 0x10000 != 0 return
    jump ti-2d9428ba531c8cd0
    meta mark & 0x10000 != 0 return
    jump pri-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain po-early {
  }
  chain to-c9e9aee524f0c2da {
    meta mark set meta mark & 0xfffdffff
    jump po-early
    meta mark & 0x30000 != 0 return
  }
  chain po-web {
    meta nfproto ipv4 ip daddr != @s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ meta nfproto . ip daddr != @i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ counter drop comment "policy web egress rule 1"
    meta nfproto ipv6 ip6 daddr != @s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ meta nfproto . ip6 daddr != @i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ counter drop comment "policy web egress rule 1"
  }
  chain to-d6285609db15fa9f {
    meta mark set meta mark & 0xfffdffff
    jump po-web
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain po-lost {
  }
  chain to-656fb1170ab00d3b {
    meta mark set meta mark & 0xfffdffff
    jump po-lost
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier no-such-tier"
  }
  chain fl-4 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump encapsulated
    jump to-c9e9aee524f0c2da
    meta mark & 0x10000 != 0 return
    jump to-d6285609db15fa9f
    meta mark & 0x10000 != 0 return
    jump to-656fb1170ab00d3b
    meta mark & 0x10000 != 0 return
    jump pro-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pri-net2 {
    ct status dnat ip daddr . meta l4proto . th dport @open4 counter meta mark set meta mark | 0x10000 return comment "published port"
    ct status dnat ip6 daddr . meta l4proto . th dport @open6 counter meta mark set meta mark | 0x10000 return comment "published port"
    meta nfproto ipv4 ip saddr @s4-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w counter meta mark set meta mark | 0x10000 return comment "net2 ingress rule 1"
    meta nfproto ipv6 ip6 saddr @s6-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w counter meta mark set meta mark | 0x10000 return comment "net2 ingress rule 1"
  }
  chain pri-rich {
    meta nfproto ipv4 meta l4proto 6 ip saddr @s4-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg tcp dport { 80, 443, 8080-8091 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 ip6 saddr @s6-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg tcp dport { 80, 443, 8080-8091 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 1"
    meta nfproto ipv4 meta l4proto 17 ip saddr != { 10.0.0.0/8 } ip saddr != @s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw udp dport != { 53 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 2"
    meta nfproto ipv6 meta l4proto 17 ip6 saddr != { fd00::/8 } ip6 saddr != @s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw udp dport != { 53 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 2"
    meta nfproto ipv4 meta l4proto 1 icmp type . icmp code { 8 . 0 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 3"
    meta nfproto ipv6 meta l4proto 58 icmpv6 type . icmpv6 code != { 128 . 0 } counter drop comment "rich ingress rule 4"
    meta nfproto ipv4 meta l4proto 1 icmp type != 3 counter drop comment "rich ingress rule 5"
    meta nfproto ipv4 icmp type 8 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 6"
    meta nfproto ipv6 icmpv6 type 8 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 6"
    meta nfproto ipv4 meta l4proto != 17 ip saddr { 192.0.2.0/24 } limit rate 10/second burst 20 packets counter log prefix "calico-packet: " level info comment "rich ingress rule 7"
    meta nfproto ipv6 meta l4proto 132 sctp sport { 1000-2000 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 8"
    meta nfproto ipv6 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 11"
    meta l4proto 6 tcp dport { 22 } counter drop comment "rich ingress rule 13"
    meta nfproto ipv4 meta l4proto 6 ip daddr . meta l4proto . th dport @n4-5d45fdef9c0768ae9d4b90fdd014b573 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 15"
    meta nfproto ipv6 meta l4proto 6 ip6 daddr . meta l4proto . th dport @n6-5d45fdef9c0768ae9d4b90fdd014b573 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 15"
  }
  chain pri-gone {
    counter drop comment "profile gone does not exist"
  }
  chain tl-5 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    ip saddr @nodes4 counter meta mark set meta mark | 0x10000 return comment "hosts reach all"
    ip6 saddr @nodes6 counter meta mark set meta mark | 0x10000 return comment "hosts reach all"
    jump pri-net2
    meta mark & 0x10000 != 0 return
    jump pri-rich
    meta mark & 0x10000 != 0 return
    jump pri-gone
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pro-net2 {
    counter meta mark set meta mark | 0x10000 return comment "net2 egress rule 1"
  }
  chain pro-rich {
    meta nfproto ipv4 counter drop comment "rich egress rule 1"
  }
  chain pro-gone {
    counter drop comment "profile gone does not exist"
  }
  chain fl-6 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump encapsulated
    jump pro-net2
    meta mark & 0x10000 != 0 return
    jump pro-rich
    meta mark & 0x10000 != 0 return
    jump pro-gone
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
}
table arp calico-libnetwork {
  set from-arp {
    type ifname . ether_addr . ipv4_addr
  }
  set own-arp {
    type ifname . ipv4_addr
  }
  chain arp-in {
    type filter hook input priority filter; policy accept;
    iifname "cali*" goto arp-wl
  }
  chain arp-wl {
    iifname . arp saddr ether . arp saddr ip @from-arp accept
    iifname . arp saddr ip @own-arp accept
    arp operation request arp saddr ip 0.0.0.0 accept comment "duplicate address detection"
    counter drop comment "ARP for an address not of this endpoint"
  }
}
add element inet calico-libnetwork from-wl { "calia" : goto fl-2, "calic" : goto fl-4, "calib" : goto fl-6 }
add element inet calico-libnetwork to-wl { "calia" : goto tl-1, "calic" : goto tl-3, "calib" : goto tl-5 }
add element inet calico-libnetwork nodes4 { 192.0.2.1, 192.0.2.2 }
add element inet calico-libnetwork nodes6 { 2001:db8::1 }
add element inet calico-libnetwork links { "calia" . 02:00:00:00:00:0a }
add element inet calico-libnetwork any-mac { "calic", "calib" }
add element inet calico-libnetwork from4 { "calia" . 02:00:00:00:00:0a . 10.20.0.1, "calia" . 02:00:00:00:00:0a . 10.30.0.1 }
add element inet calico-libnetwork from6 { "calia" . 02:00:00:00:00:0a . fe80::ff:fe00:a, "calia" . 02:00:00:00:00:0a . fd00:20::1 }
add element arp calico-libnetwork from-arp { "calia" . 02:00:00:00:00:0a . 10.20.0.1, "calia" . 02:00:00:00:00:0a . 10.30.0.1 }
add element inet calico-libnetwork own4 { "calic" . 10.20.0.3, "calib" . 10.30.0.1, "calib" . 10.20.0.1 }
add element inet calico-libnetwork own6 { "calib" . fd00:20::1 }
add element arp calico-libnetwork own-arp { "calic" . 10.20.0.3, "calib" . 10.30.0.1, "calib" . 10.20.0.1 }
add element inet calico-libnetwork pools4 { 10.20.0.0/16, 10.30.0.0/24 }
add element inet calico-libnetwork masq4 { 10.20.0.0/16 }
add element inet calico-libnetwork pools6 { fd00:20::/48 }
add element inet calico-libnetwork masq6 { fd00:20::/48 }
add element inet calico-libnetwork s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw { 10.20.0.1, 10.20.9.9 }
add element inet calico-libnetwork s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw { fd00:20::1 }
add element inet calico-libnetwork s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ { 192.0.2.1 }
add element inet calico-libnetwork i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ { ipv4 . 10.0.0.0/8 }
add element inet calico-libnetwork i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ { ipv6 . ::/1, ipv6 . 8000::/1 }
add element inet calico-libnetwork s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg { 10.20.0.3 }
add element inet calico-libnetwork n4-0dd1a38f764fcf8c54fad713759cd2d6 { 10.20.0.3 . tcp . 8080 }
add element inet calico-libnetwork s4-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg { 10.20.9.9 }
add element inet calico-libnetwork n4-5d45fdef9c0768ae9d4b90fdd014b573 { 10.20.0.3 . tcp . 8080 }

`

exports[`test/agent/policy/rendered-table.ts > TAP > the whole table, hosts reach own > must match snapshot 1`] = `
add table inet calico-libnetwork
delete table inet calico-libnetwork
add table arp calico-libnetwork
delete table arp calico-libnetwork
table inet calico-libnetwork {
  map from-wl {
    type ifname : verdict
  }
  map to-wl {
    type ifname : verdict
  }
  set nodes4 {
    type ipv4_addr
  }
  set nodes6 {
    type ipv6_addr
  }
  set links {
    type ifname . ether_addr
  }
  set any-mac {
    type ifname
  }
  set on-link {
    type ifname
    size 65535
    flags dynamic,timeout
    timeout 1m
  }
  set from4 {
    type ifname . ether_addr . ipv4_addr
  }
  set from6 {
    type ifname . ether_addr . ipv6_addr
  }
  set own4 {
    type ifname . ipv4_addr
  }
  set own6 {
    type ifname . ipv6_addr
  }
  set open4 {
    type ipv4_addr . inet_proto . inet_service
  }
  set open6 {
    type ipv6_addr . inet_proto . inet_service
  }
  set pools4 {
    type ipv4_addr
    flags interval
  }
  set masq4 {
    type ipv4_addr
    flags interval
  }
  set pools6 {
    type ipv6_addr
    flags interval
  }
  set masq6 {
    type ipv6_addr
    flags interval
  }
  set s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw {
    type ipv4_addr
    comment "has(net1)"
  }
  set s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw {
    type ipv6_addr
    comment "has(net1)"
  }
  set s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type ipv4_addr
    comment "role == 'lan'"
  }
  set s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type ipv6_addr
    comment "role == 'lan'"
  }
  set i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type nf_proto . ipv4_addr
    flags interval
    comment "role == 'lan'"
  }
  set i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ {
    type nf_proto . ipv6_addr
    flags interval
    comment "role == 'lan'"
  }
  set s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg {
    type ipv4_addr
    comment "app == 'web'"
  }
  set s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg {
    type ipv6_addr
    comment "app == 'web'"
  }
  set n4-0dd1a38f764fcf8c54fad713759cd2d6 {
    type ipv4_addr . inet_proto . inet_service
    comment "http/tcp of app == 'web'"
  }
  set n6-0dd1a38f764fcf8c54fad713759cd2d6 {
    type ipv6_addr . inet_proto . inet_service
    comment "http/tcp of app == 'web'"
  }
  set s4-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w {
    type ipv4_addr
    comment "has(net2)"
  }
  set s6-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w {
    type ipv6_addr
    comment "has(net2)"
  }
  set s4-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg {
    type ipv4_addr
    comment "role in {'x', 'y'}"
  }
  set s6-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg {
    type ipv6_addr
    comment "role in {'x', 'y'}"
  }
  set n4-5d45fdef9c0768ae9d4b90fdd014b573 {
    type ipv4_addr . inet_proto . inet_service
    comment "http/tcp of all()"
  }
  set n6-5d45fdef9c0768ae9d4b90fdd014b573 {
    type ipv6_addr . inet_proto . inet_service
    comment "http/tcp of all()"
  }
  chain layout-6 {
  }
  chain wl-raw {
    icmpv6 type { nd-router-advert, nd-redirect } counter drop comment "router advertisement or redirect from a container"
    icmp type redirect counter drop comment "redirect from a container"
    ip daddr 127.0.0.0/8 counter drop comment "loopback of the host from a container"
    iifname . ether saddr . ip saddr @from4 accept
    iifname . ether saddr . ip6 saddr @from6 accept
    iifname . ip saddr @own4 accept
    iifname . ip6 saddr @own6 accept
    iifname . ether saddr @links jump wl-on-link
    iifname @any-mac jump wl-on-link
    counter drop comment "source address not of this endpoint"
  }
  chain wl-on-link {
    ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept
    ip6 saddr fe80::/10 update @on-link { iifname limit rate 4/second burst 16 packets } accept
    ip6 saddr fe80::/10 counter drop comment "too much from link-local addresses"
    ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept comment "duplicate address detection"
    ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept comment "DHCP discovery"
  }
  chain waiting {
    counter drop comment "policies are not known yet"
  }
  chain from-wl {
    iifname vmap @from-wl
    counter drop comment "unknown workload interface"
  }
  chain to-wl {
    oifname vmap @to-wl
    counter drop comment "unknown workload interface"
  }
  chain encapsulated {
    udp dport { 4789 } counter drop comment "VXLAN from a container"
    meta l4proto 4 counter drop comment "IP in IP from a container"
  }
  chain wl-to-host {
    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
    jump from-wl
    meta mark set meta mark & 0xfffcffff
  }
  chain raw-pre {
    type filter hook prerouting priority raw; policy accept;
    iifname "cali*" goto wl-raw
  }
  chain f-forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname "cali*" jump from-wl
    oifname "cali*" jump to-wl
  }
  chain f-input {
    type filter hook input priority filter - 10; policy accept;
    iifname "cali*" goto wl-to-host
  }
  chain nat-post {
    type nat hook postrouting priority srcnat + 10; policy accept;
    ip saddr @masq4 ip daddr != @pools4 counter masquerade fully-random comment "natOutgoing"
    ip6 saddr @masq6 ip6 daddr != @pools6 counter masquerade fully-random comment "natOutgoing"
  }
  chain pri-net1 {
    ct status dnat ip daddr . meta l4proto . th dport @open4 counter meta mark set meta mark | 0x10000 return comment "published port"
    ct status dnat ip6 daddr . meta l4proto . th dport @open6 counter meta mark set meta mark | 0x10000 return comment "published port"
    meta nfproto ipv4 ip saddr @s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw counter meta mark set meta mark | 0x10000 return comment "net1 ingress rule 1"
    meta nfproto ipv6 ip6 saddr @s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw counter meta mark set meta mark | 0x10000 return comment "net1 ingress rule 1"
  }
  chain tl-1 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump pri-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pro-net1 {
    counter meta mark set meta mark | 0x10000 return comment "net1 egress rule 1"
  }
  chain fl-2 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump encapsulated
    jump pro-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pi-early {
    counter meta mark set meta mark | 0x20000 return comment "policy early ingress rule 1"
  }
  chain ti-c9e9aee524f0c2da {
    meta mark set meta mark & 0xfffdffff
    jump pi-early
    meta mark & 0x30000 != 0 return
  }
  chain pi-web {
    meta nfproto ipv4 meta l4proto 6 ip saddr @s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 meta l4proto 6 meta nfproto . ip saddr @i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 ip6 saddr @s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 meta nfproto . ip6 saddr @i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg tcp dport { 80 } counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 meta l4proto 6 ip saddr @s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip daddr . meta l4proto . th dport @n4-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 meta l4proto 6 meta nfproto . ip saddr @i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip daddr @s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip daddr . meta l4proto . th dport @n4-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 ip6 saddr @s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip6 daddr . meta l4proto . th dport @n6-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 meta nfproto . ip6 saddr @i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ ip6 daddr @s6-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg ip6 daddr . meta l4proto . th dport @n6-0dd1a38f764fcf8c54fad713759cd2d6 counter meta mark set meta mark | 0x10000 return comment "policy web ingress rule 1"
    meta nfproto ipv4 ip saddr != { 10.0.0.0/8 } limit rate 10/second burst 20 packets counter log prefix "calico-packet: " level info comment "policy web ingress rule 2"
    meta nfproto ipv6 limit rate 10/second burst 20 packets counter log prefix "calico-packet: " level info comment "policy web ingress rule 2"
    meta nfproto ipv4 meta l4proto 1 icmp type . icmp code != { 8 . 0 } counter meta mark set meta mark | 0x20000 return comment "policy web ingress rule 3"
  }
  chain pi-team.one/own {
  }
  chain pi-closed {
    counter drop comment "policy closed cannot be enforced"
  }
  chain ti-2d9428ba531c8cd0 {
    meta mark set meta mark & 0xfffdffff
    jump pi-web
    meta mark & 0x30000 != 0 return
    jump pi-team.one/own
    meta mark & 0x30000 != 0 return
    jump pi-closed
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain tl-3 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump ti-c9e9aee524f0c2da
    meta mark & 0x10000 != 0 return
    jump ti-2d9428ba531c8cd0
    meta mark & 0x10000 != 0 return
    jump pri-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain po-early {
  }
  chain to-c9e9aee524f0c2da {
    meta mark set meta mark & 0xfffdffff
    jump po-early
    meta mark & 0x30000 != 0 return
  }
  chain po-web {
    meta nfproto ipv4 ip daddr != @s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ meta nfproto . ip daddr != @i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ counter drop comment "policy web egress rule 1"
    meta nfproto ipv6 ip6 daddr != @s6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ meta nfproto . ip6 daddr != @i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ counter drop comment "policy web egress rule 1"
  }
  chain to-d6285609db15fa9f {
    meta mark set meta mark & 0xfffdffff
    jump po-web
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier default"
  }
  chain po-lost {
  }
  chain to-656fb1170ab00d3b {
    meta mark set meta mark & 0xfffdffff
    jump po-lost
    meta mark & 0x30000 != 0 return
    counter drop comment "end of tier no-such-tier"
  }
  chain fl-4 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump encapsulated
    jump to-c9e9aee524f0c2da
    meta mark & 0x10000 != 0 return
    jump to-d6285609db15fa9f
    meta mark & 0x10000 != 0 return
    jump to-656fb1170ab00d3b
    meta mark & 0x10000 != 0 return
    jump pro-net1
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pri-net2 {
    ct status dnat ip daddr . meta l4proto . th dport @open4 counter meta mark set meta mark | 0x10000 return comment "published port"
    ct status dnat ip6 daddr . meta l4proto . th dport @open6 counter meta mark set meta mark | 0x10000 return comment "published port"
    meta nfproto ipv4 ip saddr @s4-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w counter meta mark set meta mark | 0x10000 return comment "net2 ingress rule 1"
    meta nfproto ipv6 ip6 saddr @s6-axL9sFt29lsE6ei3zCUlA2m4gFNCuaK2hM8W5w counter meta mark set meta mark | 0x10000 return comment "net2 ingress rule 1"
  }
  chain pri-rich {
    meta nfproto ipv4 meta l4proto 6 ip saddr @s4-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg tcp dport { 80, 443, 8080-8091 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 1"
    meta nfproto ipv6 meta l4proto 6 ip6 saddr @s6-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg tcp dport { 80, 443, 8080-8091 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 1"
    meta nfproto ipv4 meta l4proto 17 ip saddr != { 10.0.0.0/8 } ip saddr != @s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw udp dport != { 53 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 2"
    meta nfproto ipv6 meta l4proto 17 ip6 saddr != { fd00::/8 } ip6 saddr != @s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw udp dport != { 53 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 2"
    meta nfproto ipv4 meta l4proto 1 icmp type . icmp code { 8 . 0 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 3"
    meta nfproto ipv6 meta l4proto 58 icmpv6 type . icmpv6 code != { 128 . 0 } counter drop comment "rich ingress rule 4"
    meta nfproto ipv4 meta l4proto 1 icmp type != 3 counter drop comment "rich ingress rule 5"
    meta nfproto ipv4 icmp type 8 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 6"
    meta nfproto ipv6 icmpv6 type 8 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 6"
    meta nfproto ipv4 meta l4proto != 17 ip saddr { 192.0.2.0/24 } limit rate 10/second burst 20 packets counter log prefix "calico-packet: " level info comment "rich ingress rule 7"
    meta nfproto ipv6 meta l4proto 132 sctp sport { 1000-2000 } counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 8"
    meta nfproto ipv6 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 11"
    meta l4proto 6 tcp dport { 22 } counter drop comment "rich ingress rule 13"
    meta nfproto ipv4 meta l4proto 6 ip daddr . meta l4proto . th dport @n4-5d45fdef9c0768ae9d4b90fdd014b573 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 15"
    meta nfproto ipv6 meta l4proto 6 ip6 daddr . meta l4proto . th dport @n6-5d45fdef9c0768ae9d4b90fdd014b573 counter meta mark set meta mark | 0x10000 return comment "rich ingress rule 15"
  }
  chain pri-gone {
    counter drop comment "profile gone does not exist"
  }
  chain tl-5 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump pri-net2
    meta mark & 0x10000 != 0 return
    jump pri-rich
    meta mark & 0x10000 != 0 return
    jump pri-gone
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
  chain pro-net2 {
    counter meta mark set meta mark | 0x10000 return comment "net2 egress rule 1"
  }
  chain pro-rich {
    meta nfproto ipv4 counter drop comment "rich egress rule 1"
  }
  chain pro-gone {
    counter drop comment "profile gone does not exist"
  }
  chain fl-6 {
    meta mark set meta mark & 0xfffcffff
    ct state established,related meta mark set meta mark | 0x10000 return
    ct state invalid counter drop comment "invalid connection state"
    ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop comment "not the begin of a connection"
    jump encapsulated
    jump pro-net2
    meta mark & 0x10000 != 0 return
    jump pro-rich
    meta mark & 0x10000 != 0 return
    jump pro-gone
    meta mark & 0x10000 != 0 return
    counter drop comment "no profile matched"
  }
}
table arp calico-libnetwork {
  set from-arp {
    type ifname . ether_addr . ipv4_addr
  }
  set own-arp {
    type ifname . ipv4_addr
  }
  chain arp-in {
    type filter hook input priority filter; policy accept;
    iifname "cali*" goto arp-wl
  }
  chain arp-wl {
    iifname . arp saddr ether . arp saddr ip @from-arp accept
    iifname . arp saddr ip @own-arp accept
    arp operation request arp saddr ip 0.0.0.0 accept comment "duplicate address detection"
    counter drop comment "ARP for an address not of this endpoint"
  }
}
add element inet calico-libnetwork from-wl { "calia" : goto fl-2, "calic" : goto fl-4, "calib" : goto fl-6 }
add element inet calico-libnetwork to-wl { "calia" : goto tl-1, "calic" : goto tl-3, "calib" : goto tl-5 }
add element inet calico-libnetwork links { "calia" . 02:00:00:00:00:0a }
add element inet calico-libnetwork any-mac { "calic", "calib" }
add element inet calico-libnetwork from4 { "calia" . 02:00:00:00:00:0a . 10.20.0.1, "calia" . 02:00:00:00:00:0a . 10.30.0.1 }
add element inet calico-libnetwork from6 { "calia" . 02:00:00:00:00:0a . fe80::ff:fe00:a, "calia" . 02:00:00:00:00:0a . fd00:20::1 }
add element arp calico-libnetwork from-arp { "calia" . 02:00:00:00:00:0a . 10.20.0.1, "calia" . 02:00:00:00:00:0a . 10.30.0.1 }
add element inet calico-libnetwork own4 { "calic" . 10.20.0.3, "calib" . 10.30.0.1, "calib" . 10.20.0.1 }
add element inet calico-libnetwork own6 { "calib" . fd00:20::1 }
add element arp calico-libnetwork own-arp { "calic" . 10.20.0.3, "calib" . 10.30.0.1, "calib" . 10.20.0.1 }
add element inet calico-libnetwork pools4 { 10.20.0.0/16, 10.30.0.0/24 }
add element inet calico-libnetwork masq4 { 10.20.0.0/16 }
add element inet calico-libnetwork pools6 { fd00:20::/48 }
add element inet calico-libnetwork masq6 { fd00:20::/48 }
add element inet calico-libnetwork s4-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw { 10.20.0.1, 10.20.9.9 }
add element inet calico-libnetwork s6-dmxNq1uG7U174OAEUuueUSANXLRobCQbpUE-yw { fd00:20::1 }
add element inet calico-libnetwork s4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ { 192.0.2.1 }
add element inet calico-libnetwork i4-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ { ipv4 . 10.0.0.0/8 }
add element inet calico-libnetwork i6-rQCv3k2NdtFjJ25Jm6YW0Kcs6_V-9AWR-Z5ipQ { ipv6 . ::/1, ipv6 . 8000::/1 }
add element inet calico-libnetwork s4-oy593DLyi5BRwxLRqXScOfE9YMyW5S4KAhmzFg { 10.20.0.3 }
add element inet calico-libnetwork n4-0dd1a38f764fcf8c54fad713759cd2d6 { 10.20.0.3 . tcp . 8080 }
add element inet calico-libnetwork s4-InXIDoew8roCABll7SziBCE47W4_NaaWq8x9hg { 10.20.9.9 }
add element inet calico-libnetwork n4-5d45fdef9c0768ae9d4b90fdd014b573 { 10.20.0.3 . tcp . 8080 }

`

exports[`test/agent/policy/rendered-table.ts > TAP > what is not offered is named > must match snapshot 1`] = `
Array [
  Object {
    "kind": "profile",
    "name": "rich",
    "problems": Array [
      "ingress rule 12 (Allow): source.services",
      "ingress rule 13 (Deny): source.serviceAccounts",
      "ingress rule 14 (Allow): http",
      "ingress rule 16 (Allow): ports without protocol TCP, UDP or SCTP",
      "ingress rule 17 (Allow): selector \\"not ( a selector\\"",
      "ingress rule 18 (Allow): network \\"10.0.0.0/33\\"",
      "ingress rule 19 (Allow): protocol \\"TPC\\"",
    ],
  },
  Object {
    "kind": "profile",
    "name": "gone",
    "problems": Array [
      "profile gone does not exist",
    ],
  },
]
`
