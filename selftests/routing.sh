#!/bin/bash
# Routing in hardware: do packets between hosts go through the chip and not through its CPU, does the kernel get what the chip can't
# route, and does the chip have the kernel's routes after whatever happened to them?

ALL_TESTS="
	hosts_are_routed_by_the_chip
	first_packets_take_the_cpu
	neighbours_in_use_are_kept
	next_hops_are_looked_for
	gateway
	multipath
	nexthop_objects
	exceptions
	vrf
	what_linux_routes_itself
	the_route_that_counts
	link_down_and_up
	flap_of_everything
	restart_writes_nothing
	changes_meanwhile
	lost_events
	failover
	cpu_again
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

#   h1  192.0.2.10     2001:db8:1::10 ── swp1 ┐
#   h2  198.51.100.10  2001:db8:2::10 ── swp2 ┤ r1 ── soft ── b  10.2.0.10: a device that is no port of the chip
#   h3  198.51.101.10  2001:db8:3::10 ── swp3 ┘       h2, h3: 10.1.N.1 and 2001:db8:10::1 are behind both
#                                                     swp4 … swp9: for the tests that make their own world
#
# The routers' MACs are known to the hosts for good, so that only packets that a test sends make the kernel look for a neighbour.
V5=00:00:5e:00:01:05 W5=00:00:5e:00:02:05 V9=00:00:5e:00:01:09
SOCKET=$(chip_socket r1)
r1() { ip -n r1 "$@"; }

# --------------------------------------------------------------------------------------------------------------- judging

# agrees [MS] [NS]: the chip has the kernel's routes, hosts and next hops, no more and no less, by a comparison of its own.
agrees() { "$PY" -ISB "$LIB/routes.py" wait "${2:-r1}" "$(chip_socket "${2:-r1}")" "$((${1:-2000} * PATIENCE))"; }
routes_agree() {
	agrees "$@" >"$RUN/agrees"
	local status=$?
	sed 's/^/# /' "$RUN/agrees"
	return $status
}

# on_cpu NS: the traps that counted, without those of what kernels say on their own.
on_cpu() {
	chip "$1" "' '.join('%s+%d' % (n, t.packets + t.policed) for n, t in sorted(dict.items(c.traps)) if t.packets + t.policed
		and n != 'multicast' and not n.startswith(('arp_', 'ipv6_neigh', 'ipv6_router', 'ipv6_dip', 'mld_', 'igmp_')))"
}
# received: what r1's netdevs of h1 and h2 were given.
received() { r1 -s -j link show | json "sum(l.stats64.rx.packets for l in d if l.ifname in ('swp1', 'swp2'))"; }

# ping_lost NS ADDRESS COUNT [INTERVAL]
ping_lost() {
	on "$1" "$PY" -ISB "$LIB/frames.py" ping "$2" interval="${4:-0.002}" count="$3" | tail -n 1 | json d.lost
}
# by_chip NS ADDRESS: fifty pings and their answers, of which the CPU sees none.
by_chip() {
	local traps packets
	traps=$(on_cpu r1) packets=$(received)
	check_eq "$(ping_lost "$1" "$2" 50)" 0 "pings lost to $2"
	check_eq "$(on_cpu r1)" "$traps" "trap counters"
	# what the hosts say on their own
	[ $(($(received) - packets)) -lt 10 ] || fail "swp1 and swp2 received $(($(received) - packets)) packets"
}
in_chip() { chip_soon r1 "[n.mac for n in d.neighbours if n.address == '$1'] == ['$2']"; }
# reached NS ADDRESS: the kernel has looked for whoever has to be looked for.
reached() { check eventually 3000 on "$1" "$PY" -ISB "$LIB/frames.py" ping "$2" count=1; }
# resolve NS ADDRESS...: it knows the neighbours.
resolve() {
	local ns=$1 address
	shift
	for address; do check_eq "$(ping_lost "$ns" "$address" 1)" 0 "pings of $ns lost to $address"; done
}

# flows [DESTINATION]: 240 flows of h1 for a host behind h2 and h3: where they came out, and the traps that counted them.
flows() {
	local kind=udp4 source=192.0.2.10 to=${1:-10.1.0.77}
	[[ $to != *:* ]] || kind=udp6 source=2001:db8:1::10
	ask flows h1:h1 240 $kind mac="$H1" dst_mac=$V5 src=$source dst="$to" to=h2:h2,h3:h3 socket="$SOCKET"
}
# spread WORDS H2 H3: of what `flows` says so many came to each, nearly, and no packet to the CPU.
spread() {
	local h2 h3 rest
	read -r h2 h3 rest <<<"$1"
	h2=${h2#h2=} h3=${h3#h3=}
	note "$1"
	check_eq "$rest" "" "trap counters"
	check_eq $((h2 + h3)) $(($2 + $3)) "flows that came out"
	[ $((h2 - $2)) -le 25 ] && [ $((h2 - $2)) -ge -25 ] || fail "h2 received $h2 of $(($2 + $3)) flows, not about $2"
}
# send DESTINATION [KEY=VALUE...]: an echo request of h1, where it came out, what came back, and which traps counted it.
send() {
	local kind=echo4 source=192.0.2.10
	[[ $1 != *:* ]] || kind=echo6 source=2001:db8:1::10
	ask send h1:h1 $kind mac="$H1" dst_mac=$V5 src=$source dst="$1" to=h2:h2~,h3:h3~ socket="$SOCKET" "${@:2}"
}

# dropped DESTINATION: by the chip, and nobody hears of it.
dropped() {
	check_eq "$(send "$1" to=r1:swp1,h2:h2~,h3:h3~,h1:h1~)" "swp1=0 h2=0 h3=0 h1=0 blackhole_route+1" "sent to $1, which is dropped"
}

# cleared: no routes but those of addresses, and no next-hop object.
cleared() {
	local id
	# groups first; routes go with the objects that they name
	for id in $(r1 -j nexthop | json "' '.join(str(n.id) for n in sorted(d, key=lambda n: n.group is None))"); do r1 nexthop del id "$id"; done
	r1 route flush root 10.1.0.0/16
	r1 -6 route flush root 2001:db8:10::/48
	check routes_agree 5000
	check chip_holds r1 "d.adjacencies == []"
}

# ---------------------------------------------------------------------------------------------------------------- hosts

# Broken if packets between hosts passed the CPU although both are known.
hosts_are_routed_by_the_chip() {
	local mac
	reached h1 198.51.100.10
	reached h1 2001:db8:2::10
	check in_chip 198.51.100.10 "$H2" && check in_chip 2001:db8:2::10 "$H2"
	check in_chip 192.0.2.10 "$H1" && check in_chip 2001:db8:1::10 "$H1"
	by_chip h1 198.51.100.10
	by_chip h1 2001:db8:2::10
	for mac in $V5 "$SWP1"; do
		check_eq "$(send 198.51.100.10 dst_mac="$mac" reply=1000)" "h2=1 h3=0 reply" "sent to $mac"
	done
	for mac in $W5 "$SWP1"; do
		check_eq "$(send 2001:db8:2::10 dst_mac="$mac" reply=1000)" "h2=1 h3=0 reply" "sent to $mac"
	done
	check routes_agree
}

# Broken if nobody looked for a host that the chip does not know, or its first packets were lost, or the later ones did not leave the CPU.
first_packets_take_the_cpu() {
	local to before
	for to in 198.51.100.10 2001:db8:2::10; do
		reached h1 $to
		check in_chip $to "$H2"
		check r1 neigh flush dev swp2
		check chip_soon r1 "not [n for n in d.neighbours if n.address == '$to']"
		before=$(chip r1 "c.traps.unresolved_neigh.packets")
		# as many as the kernel keeps for a neighbour that it is looking for
		check_eq "$(ping_lost h1 $to 3 0)" 0 "first pings lost to $to"
		[ "$(chip r1 "c.traps.unresolved_neigh.packets")" -gt "$before" ] || fail "the CPU was not asked for $to"
		check in_chip $to "$H2"
		by_chip h1 $to
	done
}

# nud ADDRESS STATE: of the kernel's neighbour.
nud() { r1 -j neigh show "$1" | json "d[0].state[0]" | grep -qx "$2"; }

# Broken if the kernel took hosts for idle to which the chip alone sends, or was told of hosts to which nobody does.
neighbours_in_use_are_kept() {
	local to
	resolve r1 192.0.2.10 2001:db8:1::10
	both_known
	on r1 sh -c 'for f in 4 6; do echo 1 >/proc/sys/net/ipv$f/neigh/swp2/delay_first_probe_time; done'
	check r1 neigh change 198.51.101.10 lladdr "$H3" dev swp3 nud stale
	for to in 198.51.100.10 2001:db8:2::10; do
		check r1 neigh change $to lladdr "$H2" dev swp2 nud stale
		check in_chip $to "$H2"
		by_chip h1 $to
		check eventually 12000 nud $to REACHABLE
	done
	check nud 198.51.101.10 STALE
	# what somebody made for good stays so, also where it is in use
	check r1 neigh change 198.51.100.10 lladdr "$H2" dev swp2 nud permanent
	by_chip h1 198.51.100.10
	check r1 neigh change 2001:db8:2::10 lladdr "$H2" dev swp2 nud stale
	by_chip h1 2001:db8:2::10
	check eventually 12000 nud 2001:db8:2::10 REACHABLE
	check nud 198.51.100.10 PERMANENT
	check r1 neigh change 198.51.100.10 lladdr "$H2" dev swp2 nud reachable
}

# Broken if a next hop were looked for only when a packet wants to go there, which then waits for it.
next_hops_are_looked_for() {
	resolve r1 192.0.2.10 2001:db8:1::10
	check r1 neigh flush dev swp2
	check r1 neigh flush dev swp3
	check chip_soon r1 "not [n for n in d.neighbours if n.mac in ('$H2', '$H3')]"
	check r1 route add 10.1.0.0/24 nexthop via 198.51.100.10 nexthop via 198.51.101.10
	check r1 -6 route add 2001:db8:10::/64 via 2001:db8:2::10
	check chip_soon r1 "sorted({a.mac for a in d.adjacencies}) == sorted(['$H2', '$H3'])" 3000
	by_chip h1 10.1.0.1
	by_chip h1 2001:db8:10::1
	cleared
}

# ------------------------------------------------------------------------------------------------------------- next hops

# Broken if a route through a gateway stayed with the CPU, by the gateway's family, or did not follow another gateway or MAC.
gateway() {
	local mac=02:00:00:00:00:42
	check r1 route add 10.1.0.0/24 via 198.51.100.10
	check r1 -6 route add 2001:db8:10::/64 via 2001:db8:2::10
	reached h1 10.1.0.1
	reached h1 2001:db8:10::1
	check routes_agree
	check chip_holds r1 "len([r for r in d.routes if r.action == 'remote']) == 2"
	by_chip h1 10.1.0.1
	by_chip h1 2001:db8:10::1
	check r1 route replace 10.1.0.0/24 via inet6 2001:db8:2::10 dev swp2
	check routes_agree
	by_chip h1 10.1.0.1
	resolve r1 198.51.101.10
	check r1 route replace 10.1.0.0/24 via 198.51.101.10
	check routes_agree
	check_eq "$(send 10.1.0.1 reply=1000)" "h2=0 h3=1 reply" "by the other gateway"
	check ip -n h3 link set h3 address $mac
	check r1 neigh replace 198.51.101.10 lladdr $mac dev swp3
	check chip_soon r1 "'$mac' in [a.mac for a in d.adjacencies] and '$H3' not in [a.mac for a in d.adjacencies]"
	check_eq "$(send 10.1.0.1 reply=1000)" "h2=0 h3=1 reply" "to the gateway's other MAC"
	check ip -n h3 link set h3 address "$H3"
	check r1 neigh replace 198.51.101.10 lladdr "$H3" dev swp3
	cleared
}

both_known() { resolve r1 198.51.100.10 198.51.101.10 2001:db8:2::10 2001:db8:3::10; }

# Broken if flows did not spread by weight, if packets of a group took the CPU, or if flows stayed on a port that is down.
multipath() {
	check r1 route add 10.1.0.0/24 nexthop via 198.51.100.10 weight 1 nexthop via 198.51.101.10 weight 3
	check r1 -6 route add 2001:db8:10::/64 nexthop via 2001:db8:2::10 weight 3 nexthop via 2001:db8:3::10 weight 1
	both_known
	check routes_agree
	spread "$(flows)" 60 180
	spread "$(flows 2001:db8:10::77)" 180 60
	check r1 link set swp3 down
	check routes_agree 1000
	check_eq "$(flows)" "h2=240 h3=0" "flows with swp3 down"
	check_eq "$(flows 2001:db8:10::77)" "h2=240 h3=0" "flows of IPv6 with swp3 down"
	up swp3
	both_known
	check routes_agree
	spread "$(flows)" 60 180
	cleared
}
# up PORT: and all that comes with it.
up() {
	check r1 link set "$1" up
	check eventually 3000 carrier r1 "$1"
	check eventually 5000 settled r1
}
settled() { ! ip -n "$1" -6 addr show tentative | grep -q inet6; }

# Broken if routes did not follow the objects that they name, or each of them were written when one of these changes.
nexthop_objects() {
	local n
	both_known
	check r1 nexthop add id 1 via 198.51.100.10 dev swp2
	check r1 nexthop add id 2 via 198.51.101.10 dev swp3
	check r1 nexthop add id 3 blackhole
	check r1 nexthop add id 10 group 1/2,3
	for ((n = 0; n < 100; n++)); do echo "route add 10.1.$n.0/24 nhid 10"; done >"$RUN/batch"
	check ip -n r1 -batch "$RUN/batch"
	check r1 route add 10.1.200.0/24 nhid 1
	check r1 route add 10.1.201.0/24 nhid 3
	check routes_agree
	spread "$(flows)" 60 180
	check_eq "$(flows 10.1.200.77)" "h2=240 h3=0" "flows by one next hop"
	dropped 10.1.201.1
	moves "nexthop replace id 2 via 198.51.100.10 dev swp2" 240 0
	moves "nexthop replace id 2 via 198.51.101.10 dev swp3" 60 180
	moves "nexthop replace id 10 group 2" 0 240
	moves "nexthop replace id 10 group 1,1/2,1" 120 120
	# the kernel takes the object of a device that goes, and with it its share
	check r1 link set swp3 down
	check routes_agree 1000
	check_eq "$(flows)" "h2=240 h3=0" "flows with swp3 down"
	up swp3
	cleared
}
# moves COMMAND H2 H3: the flows of a hundred routes go there afterwards, by few writes.
moves() {
	local writes
	writes=$(chip r1 d.writes_total)
	check r1 $1
	check routes_agree
	spread "$(flows)" "$2" "$3"
	writes=$(($(chip r1 d.writes_total) - writes))
	note "$1: $writes writes"
	[ $writes -le 30 ] || fail "$1: $writes writes"
}

# ------------------------------------------------------------------------------------------------------------ exceptions

# Broken if somebody did not learn why a packet of his does not arrive, or if what is dropped took the CPU's time.
exceptions() {
	resolve h1 198.51.100.10 2001:db8:2::10
	check_eq "$(send 198.51.100.10 ttl=1 reply=1000)" "h2=0 h3=0 icmp11.0 ttl_value_is_too_small+1" "TTL 1"
	check_eq "$(send 2001:db8:2::10 ttl=1 reply=1000)" "h2=0 h3=0 icmp3.0 ttl_value_is_too_small+1" "hop limit 1"
	check_eq "$(send 198.51.100.10 ttl=2 reply=1000)" "h2=1 h3=0 reply" "TTL 2"
	check r1 link set swp2 mtu 1280
	check chip_soon r1 "rif('$SWP2').mtu == 1280"
	check_eq "$(send 198.51.100.10 size=1300 reply=1000)" "h2=0 h3=0 icmp3.4 mtu_value_is_too_small+1" "larger than the MTU"
	check_eq "$(send 2001:db8:2::10 size=1300 reply=1000)" "h2=0 h3=0 icmp2.0 mtu_value_is_too_small+1" "larger than the MTU"
	check_eq "$(send 198.51.100.10 size=1252 reply=1000)" "h2=1 h3=0 reply" "as large as the MTU"
	check r1 link set swp2 mtu 1500
	check chip_soon r1 "rif('$SWP2').mtu == 1500"
	check r1 route add unreachable 10.1.1.0/24
	check r1 route add prohibit 10.1.2.0/24
	check r1 route add blackhole 10.1.3.0/24
	check r1 route add throw 10.1.4.0/24
	check r1 -6 route add unreachable 2001:db8:10:1::/64
	check r1 -6 route add prohibit 2001:db8:10:2::/64
	check r1 -6 route add blackhole 2001:db8:10:3::/64
	check routes_agree
	check_eq "$(send 10.1.1.1 reply=1000)" "h2=0 h3=0 icmp3.1 reject_route+1" "unreachable"
	check_eq "$(send 10.1.2.1 reply=1000)" "h2=0 h3=0 icmp3.13 reject_route+1" "prohibited"
	check_eq "$(send 10.1.4.1 reply=1000)" "h2=0 h3=0 icmp3.0 external_route+1" "thrown"
	check_eq "$(send 10.1.5.1 reply=1000)" "h2=0 h3=0 icmp3.0 external_route+1" "no route"
	check_eq "$(send 2001:db8:10:1::1 reply=1000)" "h2=0 h3=0 icmp1.0 reject_route+1" "unreachable"
	check_eq "$(send 2001:db8:10:2::1 reply=1000)" "h2=0 h3=0 icmp1.1 reject_route+1" "prohibited"
	check_eq "$(send 2001:db8:10:5::1 reply=1000)" "h2=0 h3=0 icmp1.0 external_route+1" "no route"
	dropped 10.1.3.1
	dropped 2001:db8:10:3::1
	cleared
}

# Broken if a route of one VRF led packets of another.
vrf() {
	local port ns
	r1 link add red type vrf table 101 2>/dev/null || { skip "the kernel has no vrf (selftests/uml has one)"; return; }
	r1 link add blue type vrf table 102 && r1 link set red up && r1 link set blue up || fail "set-up"
	# the same addresses in both: h5 and h6 in red, h7 and h8 in blue
	for port in 5 6 7 8; do
		ns=h$port
		namespace $ns
		on $ns sh -c 'for where in all default; do echo 1 >/proc/sys/net/ipv6/conf/$where/disable_ipv6; done'
		if [ $port -lt 7 ]; then r1 link set swp$port master red; else r1 link set swp$port master blue; fi
		if [ $((port % 2)) = 1 ]; then
			host $ns r1 $port 192.0.2.10/24
			ip -n $ns route add default via 192.0.2.1
			r1 addr add 192.0.2.1/24 dev swp$port
		else
			host $ns r1 $port 198.51.100.10/24
			ip -n $ns route add default via 198.51.100.1
			ip -n $ns addr add 10.1.0.1/32 dev lo
			r1 addr add 198.51.100.1/24 dev swp$port
		fi
		up swp$port
	done
	check r1 route add 10.1.0.0/24 via 198.51.100.10 vrf red
	check r1 route add 10.1.0.0/24 via 198.51.100.10 vrf blue
	check fh r1 wait synced timeout 5
	reached h5 10.1.0.1
	reached h7 10.1.0.1
	check routes_agree
	check chip_holds r1 "len([r for r in d.routes if r.prefix == '10.1.0.0/24' and r.action == 'remote']) == 2"
	check_eq "$(in_vrf h5 reply=1000)" "h6=1 h8=0 reply" "in red"
	check_eq "$(in_vrf h7 reply=1000)" "h6=0 h8=1 reply" "in blue"
	check r1 route replace blackhole 10.1.0.0/24 vrf red
	check routes_agree
	check_eq "$(in_vrf h5 to=r1:swp5,h6:h6~,h8:h8~)" "swp5=0 h6=0 h8=0 blackhole_route+1" "in red, dropped"
	check_eq "$(in_vrf h7 reply=1000)" "h6=0 h8=1 reply" "in blue"
	for port in 5 6 7 8; do r1 link set swp$port down && r1 addr flush dev swp$port && r1 link set swp$port nomaster; done
	check r1 link del red && check r1 link del blue
	check fh r1 wait synced timeout 5
	check routes_agree
}
in_vrf() {
	ask send "$1:$1" echo4 mac="$(mac_of "$1" "$1")" dst_mac="$(mac_of r1 "swp${1#h}")" src=192.0.2.10 dst=10.1.0.1 to=h6:h6~,h8:h8~ \
		socket="$SOCKET" "${@:2}"
}

# Broken if the chip forwarded what only the kernel can, or the kernel did not get it.
what_linux_routes_itself() {
	local encapsulates=yes
	resolve h1 198.51.100.10
	resolve r1 10.2.0.10
	check macvlan r1 swp2 vrrp7 00:00:5e:00:01:07 198.51.100.254/32
	check r1 route add 10.1.1.0/24 via 198.51.100.10 dev vrrp7 onlink
	if ! r1 route add 10.1.2.0/24 encap ip id 7 dst 203.0.113.1 via 198.51.100.10 dev swp2 2>/dev/null; then
		note "the kernel has no encapsulation by routes"
		encapsulates=no
	fi
	check r1 route add 10.1.3.0/24 via 198.51.100.10
	check r1 route add 10.1.3.0/24 tos 0x10 via 198.51.101.10
	check r1 route add 10.1.4.0/24 via 10.2.0.10 dev soft
	check routes_agree
	resolve r1 10.1.1.1
	check_eq "$(send 10.2.0.10 reply=1000)" "h2=0 h3=0 reply external_route+1" "on a device that is no port"
	check_eq "$(send 10.1.4.1 reply=1000)" "h2=0 h3=0 reply external_route+1" "by a gateway on that device"
	check_eq "$(send 10.1.1.1 reply=1000)" "h2=1 h3=0 reply external_route+1" "by a macvlan"
	[ "$encapsulates" = no ] || check_eq "$(send 10.1.2.1 reply=1000)" "h2=1 h3=0 reply external_route+1" "with an encapsulation"
	check_eq "$(send 10.1.3.1 reply=1000)" "h2=1 h3=0 reply external_route+1" "beside a route for a type of service"
	check r1 route del 10.1.3.0/24 tos 0x10
	check routes_agree
	check_eq "$(send 10.1.3.1 reply=1000)" "h2=1 h3=0 reply" "without it"
	check r1 link del vrrp7
	cleared
}

# ------------------------------------------------------------------------------------------------------------- whatever happens

# Broken if, of several routes for a prefix, another than the kernel's led packets, or the next did not follow when one goes.
the_route_that_counts() {
	both_known
	check r1 route add 10.1.0.0/24 via 198.51.100.10 metric 20
	check r1 -6 route add 2001:db8:10::/64 via 2001:db8:2::10 metric 20
	leads_to h2
	check r1 route add 10.1.0.0/24 via 198.51.101.10 metric 10
	check r1 -6 route add 2001:db8:10::/64 via 2001:db8:3::10 metric 10
	leads_to h3
	check r1 route append 10.1.0.0/24 via 198.51.100.10 metric 10
	check r1 route add 10.1.0.0/24 via 198.51.100.10 table default
	leads_to h3
	check r1 route del 10.1.0.0/24 via 198.51.101.10 metric 10
	check r1 -6 route del 2001:db8:10::/64 via 2001:db8:3::10 metric 10
	leads_to h2
	# without a word: an address goes that a route prefers as source
	check r1 addr add 198.51.101.2/32 dev swp3
	check r1 route prepend 10.1.0.0/24 via 198.51.101.10 metric 10 src 198.51.101.2
	check r1 -6 route add 2001:db8:10::/64 via 2001:db8:3::10 metric 10
	leads_to h3
	check r1 addr del 198.51.101.2/32 dev swp3
	check r1 -6 route del 2001:db8:10::/64 via 2001:db8:3::10 metric 10
	leads_to h2
	check r1 route flush table default
	cleared
}
leads_to() {
	local seen="h2=1 h3=0"
	[ "$1" = h2 ] || seen="h2=0 h3=1"
	check routes_agree
	check_eq "$(send 10.1.0.1 reply=1000)" "$seen reply" "sent to 10.1.0.1"
	check_eq "$(send 2001:db8:10::1 reply=1000)" "$seen reply" "sent to 2001:db8:10::1"
}

# Broken if routes that the kernel takes away without a word stayed in the chip, or what comes back did not.
link_down_and_up() {
	both_known
	check r1 route add 10.1.0.0/24 via 198.51.101.10
	check r1 route add 10.1.1.0/24 dev swp3
	check r1 -6 route add 2001:db8:10::/64 via 2001:db8:3::10
	check routes_agree
	check r1 link set swp3 down
	check routes_agree 1000
	check chip_holds r1 "not [r for r in d.routes if r.prefix in ('198.51.101.0/24', '10.1.0.0/24', '10.1.1.0/24', '2001:db8:10::/64')]"
	up swp3
	check routes_agree 1000
	check chip_holds r1 "[r.trap for r in d.routes if r.prefix == '198.51.101.0/24'] == [None]"
	reached h1 198.51.101.10
	check chip_soon r1 "[n for n in d.neighbours if n.address == '198.51.101.10']"
	check_eq "$(send 198.51.101.10 reply=1000)" "h2=0 h3=1 reply" "to the host behind it"
	# the cable: the kernel keeps the routes
	check r1 route add 10.1.0.0/24 via 198.51.101.10
	check ip -n h3 link set h3 down
	check routes_agree
	check ip -n h3 link set h3 up
	check eventually 3000 carrier r1 swp3
	check eventually 5000 settled r1
	ip -n h3 route replace default via 198.51.101.1
	ip -n h3 -6 addr replace 2001:db8:3::10/64 dev h3 nodad
	ip -n h3 -6 route replace default via 2001:db8:3::1
	knows_router h3 3 198.51.101.1 2001:db8:3::1
	cleared
}

# Broken if anything were left over, missing, or wrong after many changes in a row: of routes, of their kinds, and of their gateway.
flap_of_everything() {
	local seed
	both_known
	check pings h1 198.51.101.10
	for seed in 1 2 3; do
		"$PY" -ISB "$LIB/routes.py" flap $seed 500 2500 198.51.100.10@swp2,198.51.101.10@swp3 "198.51.100.10 lladdr $H2 dev swp2" >"$RUN/batch"
		check ip -n r1 -batch "$RUN/batch"
		check routes_agree 5000
		check r1 route flush root 10.128.0.0/9
		check routes_agree 5000
		check chip_holds r1 "d.adjacencies == [] and not [r for r in d.routes if r.action == 'remote']"
	done
	pings_end
	note "$PINGS"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost between others"
	check r1 neigh replace 198.51.100.10 lladdr "$H2" dev swp2 nud reachable
	cleared
}

some_routes() {
	local n
	for ((n = 0; n < 200; n++)); do
		case $((n % 4)) in
		0) echo "route add 10.1.$n.0/24 nexthop via 198.51.100.10 weight 1 nexthop via 198.51.101.10 weight 3" ;;
		1) echo "route add 10.1.$n.0/24 via 198.51.101.10" ;;
		2) echo "route add 10.1.$n.0/24 dev swp2" ;;
		3) echo "route add blackhole 10.1.$n.0/24" ;;
		esac
	done
}

# Broken if a crash of the daemon cost a write, or a packet through the chip.
restart_writes_nothing() {
	local writes tables='[d.rifs, d.fdb, d.routes, d.neighbours, d.adjacencies, d.traps]' before
	both_known
	reached h1 198.51.100.10
	some_routes >"$RUN/batch"
	check ip -n r1 -batch "$RUN/batch"
	check routes_agree
	check fh r1 wait synced timeout 5
	writes=$(chip r1 d.writes_total) before=$(chip r1 "$tables")
	check pings h1 198.51.100.10 0.005
	stop firsthopd-r1 KILL
	spread "$(flows)" 60 180
	daemon
	pings_end
	note "$PINGS"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost"
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check_eq "$(chip r1 "$tables")" "$before" "tables"
	check_status 0 fh r1 diff
	cleared
}

# Broken if more were written than what changed while there was no daemon, or routes led to a gateway that is not theirs meanwhile.
changes_meanwhile() {
	local writes
	both_known
	some_routes >"$RUN/batch"
	check ip -n r1 -batch "$RUN/batch"
	check routes_agree
	check fh r1 wait synced timeout 5
	writes=$(chip r1 d.writes_total)
	stop firsthopd-r1 KILL
	check r1 route del 10.1.1.0/24
	check r1 route replace 10.1.5.0/24 via 198.51.100.10
	check r1 route add 10.1.250.0/24 dev swp2
	start firsthopd-r1 r1 "$FIRSTHOPD" -c "$RUN/firsthop.toml"
	check chip_always r1 "[a.mac for r in d.routes if r.prefix == '10.1.9.0/24' for a in d.adjacencies if a.adjacency == r.adjacency] == ['$H3']" \
		"'10.1.250.0/24' in [r.prefix for r in d.routes]" sh -c 'until "$0" -n r1 wait synced timeout 5; do :; done' "$FIRSTHOP"
	check routes_agree
	writes=$(($(chip r1 d.writes_total) - writes))
	# three routes, and the other gateway
	[ $writes -le 4 ] || fail "$writes writes"
	cleared
}

# Broken if a route whose event the kernel dropped stayed in the chip, or never came there.
lost_events() {
	local n drops
	both_known
	stop firsthopd-r1 TERM
	printf '[netlink]\nreceive_buffer = 65536\n' >"$RUN/firsthop.toml"
	daemon
	for ((n = 0; n < 1000; n++)); do echo "route add 10.128.$((n / 250)).$((n % 250))/32 via 198.51.100.10"; done >"$RUN/batch"
	check ip -n r1 -batch "$RUN/batch"
	check routes_agree 5000
	drops=$(netlink_drops)
	kill -STOP "${PID[firsthopd-r1]}"
	for ((n = 0; n < 1000; n++)); do
		[ $((n % 3)) != 0 ] || echo "route del 10.128.$((n / 250)).$((n % 250))/32"
		[ $((n % 3)) != 1 ] || echo "route replace 10.128.$((n / 250)).$((n % 250))/32 via 198.51.101.10"
		echo "route add 10.129.$((n / 250)).$((n % 250))/32 via 198.51.101.10"
		echo "route add 10.130.$((n / 250)).$((n % 250))/32 dev swp2"
		echo "route del 10.130.$((n / 250)).$((n % 250))/32"
	done >"$RUN/batch"
	check ip -n r1 -batch "$RUN/batch"
	check r1 neigh del 198.51.100.10 dev swp2
	[ "$(netlink_drops)" -gt "$drops" ] || fail "the kernel dropped no event"
	note "$(wc -l <"$RUN/batch") changes, $(($(netlink_drops) - drops)) events dropped"
	kill -CONT "${PID[firsthopd-r1]}"
	check routes_agree 5000
	stop firsthopd-r1 TERM
	: >"$RUN/firsthop.toml"
	daemon
	r1 route flush root 10.128.0.0/9
	cleared
}

# netlink_drops: how many events the sockets in r1 have missed.
netlink_drops() { on r1 awk 'NR > 1 { drops += $9 } END { print drops + 0 }' /proc/net/netlink; }

# Broken if the chip of the router that takes a virtual router over left its packets to the CPU.
failover() {
	local ns port
	#  a  203.0.113.10 ── br0 ─┬─ r1 swp4 … swp9 ─┬─ br0 ── z  10.3.0.10
	#                          └─ r2 swp1 … swp2 ─┘
	PORTS=2 switch r2 --chip-id r2 --base-mac 02:00:00:00:02:00
	for ns in a z; do
		namespace $ns
		on $ns sh -c 'for where in all default; do echo 1 >/proc/sys/net/ipv6/conf/$where/disable_ipv6; done'
		ip -n $ns link add br0 type bridge mcast_snooping 0 && ip -n $ns link set br0 up || fail "no bridge"
	done
	plug r1 4 a 203.0.113.1/24 && plug r1 9 z 10.3.0.1/24 && plug r2 1 a 203.0.113.2/24 && plug r2 2 z 10.3.0.2/24 || fail "set-up"
	ip -n a addr add 203.0.113.10/24 dev br0 && ip -n a route add default via 203.0.113.254
	ip -n z addr add 10.3.0.10/24 dev br0 && ip -n z route add default via 10.3.0.1
	agent r2
	check macvlan r1 swp4 vrrp9 $V9 203.0.113.254/24
	check fh r1 wait vmac dev vrrp9 state offload timeout 5
	carried r1 "203.0.113.10 10.3.0.10"
	check r1 link del vrrp9
	check macvlan r2 swp1 vrrp9 $V9 203.0.113.254/24
	check fh r2 wait vmac dev vrrp9 state offload timeout 5
	frames send r2:vrrp9 1 arp mac=$V9 src=203.0.113.254 dst=203.0.113.254
	carried r2
	check routes_agree 2000 r1
	check routes_agree 2000 r2
	check fh r1 wait synced timeout 5
	stop firsthopd-r2 TERM
	stop hwsim-r2 TERM
	ip netns del a && ip netns del z
	for port in 4 9; do r1 addr flush dev swp$port && r1 link set swp$port down; done
	check routes_agree
}
# plug ROUTER PORT LAN ADDRESS
plug() {
	local wire=$1-$2
	ip -n "$1" link set "h$2" name "$wire" netns "$3" && ip -n "$3" link set "$wire" master br0 up &&
		ip -n "$1" addr add "$4" dev "swp$2" && ip -n "$1" link set "swp$2" up && eventually 3000 carrier "$1" "swp$2"
}
# carried ROUTER: what a sends to the virtual MAC goes through the chip of that router, and not through its CPU.
carried() {
	reached a 10.3.0.10
	resolve "$1" 10.3.0.10
	check chip_soon "$1" "[n for n in d.neighbours if n.address == '10.3.0.10']"
	check_eq "$(ask flows a:br0 100 udp4 mac="$(mac_of a br0)" dst_mac=$V9 src=203.0.113.10 dst=10.3.0.10 to=z:br0 \
		socket="$(chip_socket "$1")")" "br0=100" "flows through $1"
	check_eq "$(ping_lost a 10.3.0.10 20)" 0 "pings lost through $1"
}

# Broken if routes stayed in the chip that nobody looks after any more, or did not come back.
cpu_again() {
	both_known
	some_routes >"$RUN/batch"
	check ip -n r1 -batch "$RUN/batch"
	check routes_agree
	echo 'routing = "cpu"' >"$RUN/firsthop.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	check chip_soon r1 "d.neighbours == [] and d.adjacencies == [] and not
		[r for r in d.routes if r.action != 'ip2me' and r.prefix not in ('0.0.0.0/0', '::/0')]"
	check_eq "$(ping_lost h1 198.51.100.10 20)" 0 "pings lost"
	check_eq "$(send 198.51.100.10 reply=1000)" "h2=1 h3=0 reply external_route+2" "by the CPU"
	check grep -q '`routing` is "cpu"' <(fh r1 route 2>&1)
	check fh_holds r1 "d.transit == 'cpu'" status
	: >"$RUN/firsthop.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	check routes_agree
	check_eq "$(send 198.51.100.10 reply=1000)" "h2=1 h3=0 reply" "by the chip"
	spread "$(flows)" 60 180
	cleared
}

daemon() { agent r1 -c "$RUN/firsthop.toml"; }
# knows_router NS PORT ADDRESS...: for good.
knows_router() {
	local address
	for address in "${@:3}"; do ip -n "$1" neigh replace "$address" lladdr "$(mac_of r1 "swp$2")" dev "h$2" nud permanent; done
}

namespace r1
# Addresses outlive an interface that goes down; every packet has its answer.
on r1 sh -c 'cd /proc/sys/net && for where in all default; do echo 1 >ipv6/conf/$where/keep_addr_on_down; done
	echo 0 >ipv4/icmp_ratemask && echo 0 >ipv6/icmp/ratelimit'
PORTS=9 switch r1
host h1 r1 1 192.0.2.10/24 2001:db8:1::10/64
host h2 r1 2 198.51.100.10/24 2001:db8:2::10/64
host h3 r1 3 198.51.101.10/24 2001:db8:3::10/64
r1 addr add 192.0.2.1/24 dev swp1
r1 addr add 198.51.100.1/24 dev swp2
r1 addr add 198.51.101.1/24 dev swp3
for port in 1 2 3; do
	r1 addr add 2001:db8:$port::1/64 dev swp$port nodad
	r1 link set swp$port up
done
for port in 1 2 3; do eventually 3000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
macvlan r1 swp1 vrrp5v6 $W5
r1 addr add 2001:db8:1::254/128 dev vrrp5v6 nodad
SWP1=$(mac_of r1 swp1) SWP2=$(mac_of r1 swp2) H1=$(mac_of h1 h1) H2=$(mac_of h2 h2) H3=$(mac_of h3 h3)
ip -n h1 route add default via 192.0.2.254 && ip -n h1 -6 route add default via 2001:db8:1::254
ip -n h1 neigh replace 192.0.2.254 lladdr $V5 dev h1 nud permanent
ip -n h1 neigh replace 2001:db8:1::254 lladdr $W5 dev h1 nud permanent
for n in 2 3; do
	ip -n h$n route add default via 198.51.$((98 + n)).1 && ip -n h$n -6 route add default via 2001:db8:$n::1
	knows_router h$n $n 198.51.$((98 + n)).1 2001:db8:$n::1
	for third in 0 1 2 3; do ip -n h$n addr add 10.1.$third.1/32 dev lo; done
	ip -n h$n addr add 2001:db8:10::1/128 dev lo nodad
done
# a device that is no port of the chip
namespace b
r1 link add soft type veth peer name soft netns b
r1 addr add 10.2.0.1/24 dev soft && r1 link set soft up
ip -n b link set soft up && ip -n b addr add 10.2.0.10/24 dev soft && ip -n b addr add 10.1.4.1/32 dev lo
ip -n b route add default via 10.2.0.1
for ns in r1 h1 h2 h3; do eventually 5000 settled $ns || give_up "duplicate address detection in $ns does not end"; done
: >"$RUN/firsthop.toml"
daemon
tests_run "$@"
