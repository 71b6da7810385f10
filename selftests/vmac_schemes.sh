#!/bin/bash
# First-hop redundancy beyond VRRP: is each scheme's MAC named, routed, and withdrawn by its policy; do the packets of its
# daemons reach the CPU without traps that no chip has; and are clusters behind one multicast MAC left alone?

ALL_TESTS="
	hsrp_version_1
	hsrp_version_2
	hsrp_for_ipv6
	glbp_has_four_active_macs
	carp_of_the_bsds_and_ucarp
	mac_outside_of_any_range
	anycast_on_many_interfaces
	hsrp_takes_the_multicast_path
	glbp_takes_the_multicast_path
	cluster_frame_on_a_router_port
	cluster_frame_in_a_bridge
	neighbour_with_a_multicast_mac
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

OTHER=02:00:00:00:00:99 CLUSTER=03:bf:c0:00:02:c8 ANYCAST=00:1c:73:00:00:99
watch() { "$PY" -ISB "$LIB/watch.py" "$@"; }

# named DEV PROTOCOL FAMILY VRID: what vmac -j says; `none` where the MAC does not say.
named() {
	check fh r1 wait vmac dev "$1" state offload timeout 5 &&
		check_eq "$(fh r1 -j vmac dev "$1" | json "f'{d[0].protocol} {d[0].family or \"none\"} {d[0].vrid or \"none\"}'")" "$2 $3 $4" "$1"
}
# scheme NAME MAC PROTOCOL FAMILY VRID: an active IPv4 router with that MAC, through it, and it is gone when it is a backup.
scheme() {
	check macvlan r1 swp1 "$1" "$2" 192.0.2.254/32
	named "$1" "$3" "$4" "$5"
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac="$2" src=192.0.2.10 dst=192.0.2.254
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac="$2" src=192.0.2.10 dst=198.51.100.10
	check ip -n r1 addr flush dev "$1"
	check fh r1 wait vmac dev "$1" state held timeout 5
	check_eq "$(frames probe h1:h1 r1:swp1 h2:h2~ echo4 mac=$OTHER dst_mac="$2" src=192.0.2.77 dst=198.51.100.10)" "0 0" \
		"of a backup, seen on swp1 h2"
	check ip -n r1 link del "$1"
}

# Broken, each, if only VRRP's MACs were known or routed.
hsrp_version_1() { scheme hsrp1 00:00:0c:07:ac:05 hsrp ipv4 none; }
hsrp_version_2() { scheme hsrp2 00:00:0c:9f:f1:23 hsrp ipv4 none; }
mac_outside_of_any_range() { scheme mine 02:12:34:56:78:9a other none none; }
carp_of_the_bsds_and_ucarp() {
	# The BSDs take VRRP's range: nobody can tell the two apart by the MAC.
	scheme carp7 00:00:5e:00:01:07 vrrp ipv4 7
	scheme ucarp7 00:00:5e:00:00:07 carp ipv4 none
}
hsrp_for_ipv6() {
	check macvlan r1 swp1 hsrp6 00:05:73:a0:00:05
	check ip -n r1 addr add 2001:db8:1::254/64 dev hsrp6 nodad
	named hsrp6 hsrp ipv6 none
	check frames exchange h1:h1 echo6 mac="$H1" dst_mac=00:05:73:a0:00:05 src=2001:db8:1::10 dst=2001:db8:1::254
	check ip -n r1 link del hsrp6
}

# Broken if an interface could have one active router only: a GLBP group has up to four, and one address for all.
glbp_has_four_active_macs() {
	local n
	for n in 1 2 3 4; do
		check macvlan r1 swp1 glbp$n 00:07:b4:00:01:0$n
		named glbp$n glbp none none
	done
	check ip -n r1 addr add 192.0.2.254/32 dev glbp1
	check fh r1 wait synced timeout 5
	check chip_holds r1 "[m for m in macs(rif('$(mac_of r1 swp1)').fid) if m.startswith('00:07:b4')] ==
		['00:07:b4:00:01:01', '00:07:b4:00:01:02', '00:07:b4:00:01:03', '00:07:b4:00:01:04']"
	for n in 1 2 3 4; do
		check frames exchange h1:h1 echo4 mac="$H1" dst_mac=00:07:b4:00:01:0$n src=192.0.2.10 dst=192.0.2.254 seq=$n
	done
	# One forwarder is taken over by another router; the others stay.
	check ip -n r1 link set glbp2 down
	check fh r1 wait vmac dev glbp2 state held timeout 5
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=00:07:b4:00:01:03 src=192.0.2.10 dst=192.0.2.254
	check chip_holds r1 "len([m for m in macs() if m.startswith('00:07:b4')]) == 3"
	for n in 1 2 3 4; do check ip -n r1 link del glbp$n; done
}

# Broken if an anycast gateway's MAC could be on one interface only, or needed a state that no daemon gives it.
anycast_on_many_interfaces() {
	local lowers='swp1 swp2' number=1 lower
	if ip -n r1 link add link swp2 name swp2.10 type vlan id 10 2>/dev/null; then
		check ip -n r1 link set swp2.10 up
		check ip -n r1 addr add 203.0.113.2/24 dev swp2.10
		check ip -n r1 link add link swp2 name swp2.20 type vlan id 20
		check ip -n r1 link set swp2.20 up
		check ip -n r1 addr add 203.0.114.2/24 dev swp2.20
		lowers+=' swp2.10 swp2.20'
	fi
	for lower in $lowers; do
		# Down, and without an address: policy `always` asks for a router interface below and for nothing else.
		check ip -n r1 link add any$number link "$lower" address $ANYCAST type macvlan mode private
		named any$number other none none
		check fh_holds r1 "d[0].policy == 'always' and d[0].role == 'unknown'" vmac dev any$number
		number=$((number + 1))
	done
	note "on $lowers"
	check chip_holds r1 "macs().count('$ANYCAST') == $((number - 1)) and len({r.fid for r in d.fdb if r.mac == '$ANYCAST'}) == $((number - 1))"
	for number in 1 2; do
		check ip -n r1 link set any$number up
	done
	check ip -n r1 addr add 192.0.2.253/32 dev any1
	check ip -n r1 addr add 198.51.100.253/32 dev any2
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=$ANYCAST src=192.0.2.10 dst=192.0.2.253
	check frames exchange h2:h2 echo4 mac="$H2" dst_mac=$ANYCAST src=198.51.100.10 dst=198.51.100.253
	# Whoever loses its router interface loses the MAC there, and only there.
	if [[ $lowers == *swp2.10* ]]; then
		check ip -n r1 addr flush dev swp2.10
		check ip -n r1 link set swp2.10 down
		check fh r1 wait vmac dev any3 state held timeout 5
		check fh_holds r1 "d[0].reason == 'no_rif'" vmac dev any3
		check chip_holds r1 "macs().count('$ANYCAST') == 3"
		check ip -n r1 link del swp2.10
		check ip -n r1 link del swp2.20
	fi
	check ip -n r1 link del any1
	check ip -n r1 link del any2
	check fh r1 wait synced timeout 5
	check chip_holds r1 "'$ANYCAST' not in macs()"
}

# trapped_by KIND KEYS...: which traps count one frame from the wire, which swp1 sees once and no other port at all.
trapped_by() {
	local before after
	before=$(chip r1 '{n: t.packets for n, t in dict.items(c.traps)}')
	check_eq "$(frames probe h1:h1 r1:swp1 h2:h2~ h1:h1~ "$@" mac=$OTHER)" "1 0 0" "seen on swp1 h2 h1: $*"
	after=$(chip r1 "sorted(n for n, t in dict.items(c.traps) if t.packets > ${before}[n])")
	echo "$after" >"$RUN/trapped"
	# The frame and the marker of `probe`; the host's kernel may speak neighbour discovery, which has traps of its own.
	check chip_holds r1 "c.traps.multicast.packets == ${before}['multicast'] + 2"
}
# ordinary: none of the frame's traps is one that mlxsw has not.
ordinary() {
	note "$1: $(cat "$RUN/trapped")"
	check holds "'$1' and set(d) <= {'multicast', 'ipv6_mc_link_local_dest', 'ipv6_dip_all_routers', 'ipv6_dip_all_nodes',
		'ipv6_neigh_solicit', 'ipv6_neigh_advert', 'ipv6_router_solicit', 'mld_v2_report', 'arp_request', 'arp_response', 'local_route'}" <"$RUN/trapped"
}

# Broken if a daemon for HSRP could not hear its peers, or if the chip had a trap for it that no data sheet has.
hsrp_takes_the_multicast_path() {
	trapped_by udp4 dst_mac=01:00:5e:00:00:02 src=192.0.2.77 dst=224.0.0.2 sport=1985 dport=1985 ttl=1
	ordinary "HSRP version 1"
	trapped_by udp4 dst_mac=01:00:5e:00:00:66 src=192.0.2.77 dst=224.0.0.102 sport=1985 dport=1985 ttl=1
	ordinary "HSRP version 2"
	trapped_by udp6 dst_mac=33:33:00:00:00:66 src=fe80::77 dst=ff02::66 sport=2029 dport=2029 ttl=255
	ordinary "HSRP for IPv6"
}
glbp_takes_the_multicast_path() {
	trapped_by udp4 dst_mac=01:00:5e:00:00:66 src=192.0.2.77 dst=224.0.0.102 sport=3222 dport=3222 ttl=255
	ordinary "GLBP"
	trapped_by udp6 dst_mac=33:33:00:00:00:66 src=fe80::77 dst=ff02::66 sport=3222 dport=3222 ttl=255
	ordinary "GLBP for IPv6"
}

# What a trap drops it does not count as trapped.
discarded() { chip r1 "c.discards.get('uc_dip_over_mc_dmac', 0)"; }

# Broken if a packet for a cluster, which each of its nodes gets, were routed by each router of the segment as well.
cluster_frame_on_a_router_port() {
	local before dst
	for dst in 198.51.100.10 192.0.2.1; do
		before=$(discarded)
		check_eq "$(frames probe h1:h1 r1:swp1 h2:h2~ h1:h1~ echo4 mac=$OTHER dst_mac=$CLUSTER src=192.0.2.77 dst=$dst)" "0 0 0" \
			"to $dst, seen on swp1 h2 h1"
		check_eq "$(discarded)" $((before + 1)) "discards by uc_dip_over_mc_dmac"
	done
}

# Broken if the nodes of a cluster in a bridge did not all get its frames, with a router in the bridge or without.
cluster_frame_in_a_bridge() {
	local before number
	check ip -n r1 link add br0 address 02:00:5e:10:00:b0 type bridge mcast_snooping 0
	for number in 3 4 5; do check ip -n r1 link set swp$number master br0; done
	check ip -n r1 link set br0 up
	check fh r1 wait synced timeout 5
	check_eq "$(frames probe h3:h3 h4:h4 h5:h5 h1:h1~ h3:h3~ echo4 mac=$OTHER dst_mac=$CLUSTER src=203.0.113.77 dst=203.0.113.200)" "1 1 0 0" \
		"seen on h4 h5 h1 h3"
	check ip -n r1 addr add 203.0.113.1/24 dev br0
	check fh r1 wait rif dev br0 state offload timeout 5
	before=$(discarded)
	check_eq "$(frames probe h3:h3 h4:h4 h5:h5 h2:h2~ h3:h3~ echo4 mac=$OTHER dst_mac=$CLUSTER src=203.0.113.77 dst=198.51.100.10)" "1 1 0 0" \
		"with a router in it, seen on h4 h5 h2 h3"
	check_eq "$(discarded)" $((before + 1)) "discards by uc_dip_over_mc_dmac"
	# NLB's unicast mode hides its MAC from learning: unknown unicast, flooded likewise.
	check_eq "$(frames probe h3:h3 h4:h4 h5:h5 h3:h3~ echo4 mac=$OTHER dst_mac=02:bf:c0:00:02:c8 src=203.0.113.77 dst=203.0.113.200)" "1 1 0" \
		"NLB unicast, seen on h4 h5 h3"
	# From elsewhere, through the kernel's router, which knows the cluster's MAC: to each node.
	check ip -n r1 neigh replace 203.0.113.200 lladdr $CLUSTER dev br0 nud permanent
	for number in 4 5; do
		check watch see h$number:h$number "dst == '$CLUSTER' and src == '02:00:5e:10:00:b0' and sip == '192.0.2.10'" 2 \
			"$PY" -ISB "$LIB/frames.py" send h1:h1 1 echo4 mac="$H1" dst_mac="$(mac_of r1 swp1)" src=192.0.2.10 dst=203.0.113.200
	done
	check ip -n r1 link del br0
	check fh r1 wait synced timeout 5
}

# Broken if hosts elsewhere could not reach a cluster: a router must be told its multicast MAC, and then send to it.
neighbour_with_a_multicast_mac() {
	local routes
	routes=$(chip r1 d.routes)
	check ip -n r1 neigh replace 198.51.100.200 lladdr $CLUSTER dev swp2 nud permanent
	check watch see h2:h2 "dst == '$CLUSTER' and src == '$(mac_of r1 swp2)' and dip == '198.51.100.200' and sip == '192.0.2.10'" 2 \
		"$PY" -ISB "$LIB/frames.py" send h1:h1 1 echo4 mac="$H1" dst_mac="$(mac_of r1 swp1)" src=192.0.2.10 dst=198.51.100.200
	check fh r1 wait synced timeout 5
	check_eq "$(chip r1 d.routes)" "$routes" "routes of the chip"
	check chip_holds r1 "'$CLUSTER' not in macs()"
	check_status 0 fh r1 diff
	check ip -n r1 neigh del 198.51.100.200 dev swp2
}

cat >"$RUN/firsthop.toml" <<-END
	[[vmac]]
	mac = "$ANYCAST/48"
	policy = "always"

	[[vmac]]
	mac = "00:07:b4:00:00:00/24"
	policy = "oper"
END
PORTS=5 switch r1
host h1 r1 1 192.0.2.10/24 2001:db8:1::10/64
host h2 r1 2 198.51.100.10/24
ip -n h2 route add default via 198.51.100.1
for number in 3 4 5; do
	host h$number r1 $number
	on h$number sh -c "echo 1 >/proc/sys/net/ipv6/conf/h$number/disable_ipv6"
done
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 2001:db8:1::1/64 dev swp1 nodad
ip -n r1 addr add 198.51.100.1/24 dev swp2
for number in 1 2 3 4 5; do ip -n r1 link set swp$number up; done
H1=$(mac_of h1 h1) H2=$(mac_of h2 h2)
agent r1 -c "$RUN/firsthop.toml"
for number in 1 2 3 4 5; do eventually 3000 carrier r1 swp$number || give_up "swp$number has no carrier"; done
fh r1 wait synced timeout 5 >/dev/null || give_up "not in sync"
tests_run "$@"
