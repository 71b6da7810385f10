#!/bin/bash
# Full tables, on a chip on which every table is soon full: do those that have a place keep it, are the others told which
# table is in their way, and do they get the first place that becomes free, at once?

ALL_TESTS="
	resources_are_shown
	router_interfaces
	mac_profiles
	mac_profile_of_an_incumbent
	forwarding_database
	bridging_domains
	virtual_routers
	link_aggregation_groups
	nothing_is_left
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

OTHER=02:00:00:00:00:99

# Broken if a table could fill up without a way to see it, or the client counted otherwise than the chip.
resources_are_shown() {
	local name
	for name in rifs virtual_routers rif_mac_profiles fdb fids lags; do
		check_eq "$(shown $name)" "$(chip r1 "'%d/%d' % (d.resources['$name'].occ, d.resources['$name'].size)")" "$name"
	done
}
# shown NAME: occupied/size by the client.
shown() { fh r1 -j resource | json "[f'{t.occ}/{t.size}' for h in d.resources.values() for t in h if t.name == '$1'][0]" 2>&1; }
full() { fh r1 wait synced timeout 5 && chip_holds r1 "d.resources['$1'].occ == d.resources['$1'].size"; }

# lives PORT: the router interface of that port still takes its frames.
lives() {
	check frames exchange "h$1:h$1" echo4 mac="$(mac_of "h$1" "h$1")" dst_mac="$(mac_of r1 "swp$1")" \
		src="10.0.$1.10" dst="10.0.$1.1"
}
# routed PORT..: gives them their addresses.
routed() { for port; do check ip -n r1 addr add "10.0.$port.1/24" dev "swp$port"; done; }
bare() { for port; do check ip -n r1 addr del "10.0.$port.1/24" dev "swp$port"; done; }
# refused OBJECT DEV REASON: it waits for a place, and says for which.
refused() {
	fh r1 wait "$1" dev "$2" state refused timeout 5 && fh_holds r1 "d[0].reason == '$3'" "$1" dev "$2" &&
		status_is 3 fh r1 explain "$2" && fh_holds r1 'd.synced' status
}
status_is() {
	local status=0 wanted=$1
	shift
	"$@" || status=$?
	[ "$status" = "$wanted" ]
}
# fills EXPR COMMAND...: the command frees a place, and EXPR holds of the chip within 100 ms.
fills() {
	local ms
	ms=$(chip_time r1 "$@") || { fail "never: $1"; return; }
	note "the place was taken $ms ms after the start of: ${*:2}"
	within "$ms" 100 || fail "took $ms ms"
}

# Broken if the fifth interface pushed another out, was forgotten, or waited for a timer.
router_interfaces() {
	routed 1 2 3 4
	check full rifs
	routed 5
	check refused rif swp5 rif_table_full
	check_eq "$(shown rifs)" 4/4 "occupied/size"
	for port in 1 2 3 4; do lives $port; done
	fills "rif('$(mac_of r1 swp5)').rif is not None and not rif('$(mac_of r1 swp3)')" ip -n r1 addr del 10.0.3.1/24 dev swp3
	check fh r1 wait rif dev swp5 state offload timeout 5
	for port in 1 2 4 5; do lives $port; done
	check_status 0 fh r1 diff
	bare 1 2 4 5
}

# Broken if an interface with a MAC prefix too many took another's, or waited longer than until one is free.
mac_profiles() {
	local own2 own3
	own2=$(mac_of r1 swp2) own3=$(mac_of r1 swp3)
	ip -n r1 link set swp2 address 02:aa:00:00:00:02
	ip -n r1 link set swp3 address 02:bb:00:00:00:03
	routed 1 2
	check full rif_mac_profiles
	routed 3
	check refused rif swp3 rif_mac_profiles_full
	check_eq "$(shown rif_mac_profiles)" 2/2 "occupied/size"
	lives 1
	lives 2
	fills "rif('02:bb:00:00:00:03').rif is not None" ip -n r1 addr del 10.0.2.1/24 dev swp2
	lives 1
	lives 3
	bare 1 3
	ip -n r1 link set swp2 address "$own2"
	ip -n r1 link set swp3 address "$own3"
}

# Broken if a MAC that the chip has no profile for cost an interface the MAC that works, or stayed wrong when one frees.
mac_profile_of_an_incumbent() {
	local own1 own2
	own1=$(mac_of r1 swp1) own2=$(mac_of r1 swp2)
	ip -n r1 link set swp2 address 02:aa:00:00:00:02
	routed 1 2 3
	check full rif_mac_profiles
	check ip -n r1 link set swp1 address 02:bb:00:00:00:01
	check refused rif swp1 rif_mac_profiles_full
	check chip_holds r1 "rif('$own1').rif is not None and '$own1' in macs(rif('$own1').fid)"
	lives 2
	lives 3
	fills "rif('02:bb:00:00:00:01').rif is not None and not rif('$own1')" ip -n r1 addr del 10.0.2.1/24 dev swp2
	lives 1
	check_status 0 fh r1 diff
	bare 1 3
	ip -n r1 link set swp1 address "$own1"
	ip -n r1 link set swp2 address "$own2"
}

# Broken if a virtual MAC too many pushed another out, or did not follow when one leaves.
forwarding_database() {
	local n
	routed 1
	for n in 1 2 3 4 5 6 7; do check macvlan r1 swp1 vrrp$n 00:00:5e:00:01:0$n 10.0.1.10$n/32; done
	check full fdb
	check macvlan r1 swp1 vrrp8 00:00:5e:00:01:08 10.0.1.108/32
	check refused vmac vrrp8 fdb_full
	check_eq "$(shown fdb)" 8/8 "occupied/size"
	lives 1
	for n in 1 7; do
		check frames exchange h1:h1 echo4 mac="$(mac_of h1 h1)" dst_mac=00:00:5e:00:01:0$n src=10.0.1.10 dst=10.0.1.10$n
	done
	check_eq "$(frames probe h1:h1 r1:swp1 echo4 mac=$OTHER dst_mac=00:00:5e:00:01:08 src=10.0.1.77 dst=10.0.1.108)" 0 "seen on swp1"
	fills "'00:00:5e:00:01:08' in macs() and '00:00:5e:00:01:03' not in macs()" ip -n r1 link del vrrp3
	check frames exchange h1:h1 echo4 mac="$(mac_of h1 h1)" dst_mac=00:00:5e:00:01:08 src=10.0.1.10 dst=10.0.1.108
	for n in 1 2 4 5 6 7 8; do check ip -n r1 link del vrrp$n; done
	bare 1
}

# Broken if a bridge too many cost another its domain.
bridging_domains() {
	local n
	for n in 1 2 3 4 5 6 7 8; do
		bridge_of $n || return
	done
	check ip -n r1 addr add 10.0.1.1/24 dev br1
	check full fids
	bridge_of 9
	check ip -n r1 addr add 10.0.9.1/24 dev br9
	check refused rif br9 fid_table_full
	check_eq "$(shown fids)" 8/8 "occupied/size"
	check frames exchange h1:h1 echo4 mac="$(mac_of h1 h1)" dst_mac="$(mac_of r1 br1)" src=10.0.1.10 dst=10.0.1.1
	fills "rif('$(mac_of r1 br9)').rif is not None" ip -n r1 link del br8
	check fh r1 wait rif dev br9 state offload timeout 5
	check_status 0 fh r1 diff
	for n in 1 2 3 4 5 6 7 9; do check ip -n r1 link del br$n; done
}
# Its MAC is its own, or it would take its member's, which the kernel may choose anew.
bridge_of() {
	check ip -n r1 link add "br$1" address "02:00:5e:10:00:b$1" type bridge mcast_snooping 0 &&
		check ip -n r1 link set "swp$1" master "br$1" &&
		check ip -n r1 link set "br$1" up
}

# Broken if a VRF too many were looked up in another's table.
virtual_routers() {
	local n
	if ! ip -n r1 link add vrf2 type vrf table 102 2>"$RUN/why"; then
		skip "no VRF in this kernel: $(head -n 1 "$RUN/why")"
		return
	fi
	check ip -n r1 link add vrf3 type vrf table 103
	for n in 2 3; do check ip -n r1 link set vrf$n up; done
	# A member of a VRF has a router interface, with an address or without.
	check ip -n r1 link set swp2 master vrf2
	routed 1 2
	check full virtual_routers
	check ip -n r1 link set swp3 master vrf3
	routed 3
	check refused rif swp3 vr_table_full
	check_eq "$(shown virtual_routers)" 2/2 "occupied/size"
	lives 1
	lives 2
	fills "rif('$(mac_of r1 swp3)').rif is not None" ip -n r1 link set swp2 nomaster
	lives 1
	lives 3
	check_status 0 fh r1 diff
	check ip -n r1 link del vrf3
	check ip -n r1 link del vrf2
	bare 1 2 3
}

# Broken if a bond too many took another's place, or took its port out of service.
link_aggregation_groups() {
	local n
	if ! ip -n r1 link add bond1 type bond mode balance-xor 2>"$RUN/why"; then
		skip "no bonding in this kernel: $(head -n 1 "$RUN/why")"
		return
	fi
	for n in 2 3; do check ip -n r1 link add bond$n type bond mode balance-xor; done
	for n in 1 2; do bonded $n; done
	check full lags
	bonded 3
	check refused rif bond3 lag_table_full
	check_eq "$(shown lags)" 2/2 "occupied/size"
	for n in 1 2; do
		check frames exchange h$n:h$n echo4 mac="$(mac_of h$n h$n)" dst_mac="$(mac_of r1 bond$n)" src=10.0.$n.10 dst=10.0.$n.1
	done
	fills "len([r for r in d.rifs if r.lag is not None and r.mac == '$(mac_of r1 bond3)']) == 1" ip -n r1 link del bond1
	check fh r1 wait rif dev bond3 state offload timeout 5
	check frames exchange h3:h3 echo4 mac="$(mac_of h3 h3)" dst_mac="$(mac_of r1 bond3)" src=10.0.3.10 dst=10.0.3.1
	check_status 0 fh r1 diff
	for n in 2 3; do check ip -n r1 link del bond$n; done
	for n in 1 2 3; do check ip -n r1 link set swp$n up; done
	for n in 1 2 3; do check eventually 3000 carrier r1 swp$n; done
}
bonded() {
	check ip -n r1 link set "swp$1" down
	check ip -n r1 link set "swp$1" master "bond$1"
	check ip -n r1 link set "bond$1" up
	check eventually 3000 carrier r1 "swp$1"
	check ip -n r1 addr add "10.0.$1.1/24" dev "bond$1"
}

# Broken if what was refused, or made room, left rows behind.
nothing_is_left() {
	check fh r1 wait synced timeout 5
	check chip_holds r1 "not macs() and not [r for r in d.rifs if r.enabled is not False]"
	check_eq "$(chip r1 "[d.resources[n].occ for n in ('rifs', 'rif_mac_profiles', 'fdb', 'fids', 'lags')]")" "[0, 0, 0, 0, 0]" \
		"rifs, rif_mac_profiles, fdb, fids, lags"
	check_status 0 fh r1 diff
}

namespace r1
# Link-local addresses would make interfaces that nobody counts on.
on r1 sh -c "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
PORTS=9 switch r1 --personality tiny
for port in 1 2 3 4 5; do host h$port r1 $port 10.0.$port.10/24; done
for port in 6 7 8 9; do ip -n r1 link set h$port up; done
for port in 1 2 3 4 5 6 7 8 9; do ip -n r1 link set swp$port up; done
for port in 1 2 3 4 5; do eventually 3000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
agent r1
tests_run "$@"
