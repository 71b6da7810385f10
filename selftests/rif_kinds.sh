#!/bin/bash
# Router interfaces of every kind, and bridging: on bonds, teams, VLANs and bridges, in VRFs, are exactly the right frames
# routed, flooded and bridged, with the right tags, through every change?

ALL_TESTS="
	port
	bond_balance_xor
	bond_8023ad
	team
	vlan_of_port
	vlan_of_bond
	unaware_bridge
	unaware_bridge_of_vlans
	bridge_of_a_bond
	aware_bridge_on_its_pvid
	vlan_of_aware_bridge
	floods_once
	floods_without_a_rif
	vlans_stay_apart
	hosts_talk_through_the_chip
	a_backups_mac_is_learnt
	a_mac_that_becomes_ours
	spanning_tree_blocks
	a_port_leaves_and_joins
	pvid_moves
	default_pvid_changes
	vlan_filtering_toggles
	lag_members_leave
	last_port_leaves_the_bridge
	vrf_comes_and_goes
	a_veth_in_the_bridge
	killed_and_started_again_writes_nothing
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/bridge.sh"
needs vlan vlan_filtering vrf bond team

A1=02:00:00:00:01:01 A2=02:00:00:00:01:02 A4=02:00:00:00:01:04
# speak AT MAC: the chip learns where the MAC is.
speak() { send "$1" arp mac="$2" src=192.0.2.90 dst=192.0.2.90 >/dev/null; }
learnt() { chip_soon r1 "[r.port for r in d.fdb if r.mac == '$1' and r.fid == $2] == [$3]"; }

# ------------------------------------------------------------------------------------------------------------ of each kind

# near NS PORT TAG: the host 192.0.2.10 there, with the virtual router as its gateway.
near() {
	local dev=$2
	if [ -n "$3" ]; then
		vlan "$1" "$2" "$3" && dev=$2.$3
	fi
	ip -n "$1" addr add 192.0.2.10/24 dev "$dev" && ip -n "$1" route add 198.51.100.0/24 via 192.0.2.254
}

# far: the host 198.51.100.10 behind port 6.
far() {
	r1 addr add 198.51.100.1/24 dev swp6 && ip -n w6 addr add 198.51.100.10/24 dev h6 &&
		ip -n w6 route add default via 198.51.100.1
}

# router DEV: an address, an active virtual router and a backup on it.
router() {
	r1 addr add 192.0.2.1/24 dev "$1" && macvlan r1 "$1" vrrp5 $V5 192.0.2.254/24 && macvlan r1 "$1" vrrp6 $V6
}

# agrees DEV TYPE VID VRF: what the client says of the router interface, and the chip's own tables.
agrees() {
	local rif
	rif=$(fh r1 -j rif dev "$1")
	ask doc "len(d) == 1 and d[0].state == 'offload' and d[0].type == '$2' and d[0].vid == $3 and d[0].vrf == '$4'" "$rif" || return
	RIF=$(ask value 'd[0].rif' "$rif") FID=$(ask value 'd[0].fid' "$rif")
	ask test "$SOCKET" "[(r.type, r.virtual_router, r.mac) for r in d.rifs if r.rif == $RIF] == [(
		{'subport': 'sp_if', 'vlan': 'vlan_if', 'fid': 'fid_if'}['$2'], $(ask value 'd[0].vr' "$rif"), '$(mac_of r1 "$1")')]
		and macs($FID) == sorted(['$(mac_of r1 "$1")', '$V5'])"
}

# routes NS PORT TAG CPU [FROM]: the virtual router answers, and routes both ways, without the CPU once it knows both hosts; the
# backup does neither. CPU is the netdev of r1 that sees what the chip traps, FROM where an unanswered frame enters if that is not
# PORT.
routes() {
	local at=$1:$2${3:+@$3} from=$1:${5:-$2}${3:+@$3} mac reply=reply${3:+@$3} first
	mac=$(mac_of "$1" "$2")
	check_eq "$(send "$at" echo4 mac="$mac" dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254 reply=2000)" \
		"$reply local_route+1" "virtual address"
	first=$(send "$at" echo4 mac="$mac" dst_mac=$V5 src=192.0.2.10 dst=198.51.100.10 reply=2000 to=w6:h6~)
	[[ $first == "h6=1 $reply"* ]] || fail "the first packet through the router: $first"
	check chip_soon r1 "{'192.0.2.10', '198.51.100.10'} <= {n.address for n in d.neighbours}"
	check_eq "$(send "$at" echo4 mac="$mac" dst_mac=$V5 src=192.0.2.10 dst=198.51.100.10 reply=2000 to=w6:h6~)" \
		"h6=1 $reply" "through the router"
	check_eq "$(send w6:h6 echo4 mac="$H6" dst_mac="$SWP6" src=198.51.100.10 dst=192.0.2.10 reply=2000 to="$1:$2~")" \
		"$2=1${3:+@$3} reply" "to the host"
	check_eq "$(send "$from" echo4 mac="$mac" dst_mac=$V6 src=192.0.2.10 dst=192.0.2.254 to="r1:$4,w6:h6~")" \
		"$4=0 h6=0" "for the backup"
}

# kind DEV TYPE VID NS PORT TAG CPU [FROM]: all of it, with the host at PORT in VLAN TAG.
kind() {
	far && near "$4" "$5" "$6" && router "$1" || fail "set-up"
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check agrees "$1" "$2" "$3" default
	routes "$4" "$5" "$6" "$7" "${8:-}"
}
# and_in_a_vrf: the same arguments again, for the same device as a member of a VRF.
and_in_a_vrf() {
	r1 link add vrf1 type vrf table 101 && r1 link set vrf1 up
	local dev
	for dev in "$1" vrrp5 vrrp6 swp6; do r1 link set "$dev" master vrf1; done
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check agrees "$1" "$2" "$3" vrf1
	routes "$4" "$5" "$6" "$7" "${8:-}"
}
# over HOST...: an end to what the test made, at these hosts too; the chip forgets it all.
over() {
	wipe "$@"
	check empty
}

# Broken if a plain port did not route any more.
port() {
	kind swp1 subport None w1 h1 "" swp1
	and_in_a_vrf swp1 subport None w1 h1 "" swp1
	over w1 w6
}

# pair MODE: a bond of ports 2 and 3, and one at the host.
pair() {
	bonded w2 pair "$1" h2 h3 && bonded r1 bond0 "$1" swp2 swp3 && eventually 5000 carrier r1 bond0 && eventually 5000 carrier w2 pair
}

# Broken if a bond had no router interface, one for each member, or traffic of only one member were routed.
bond_balance_xor() {
	pair balance-xor || fail "set-up"
	kind bond0 subport None w2 pair "" bond0 h2
	check chip_holds r1 "[l.members for l in d.lags] == [[2, 3]] and [r.lag for r in d.rifs if r.rif == $RIF] == [d.lags[0].lag]"
	# By whichever member a frame comes.
	check_eq "$(send w2:h3 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.77 dst=192.0.2.254 to=r1:bond0,r1:swp3)" \
		"bond0=1 swp3=1 local_route+1" "by the other member"
	over w2 w6
}

partner() { ip -n r1 -d -j link show dev bond0 | holds "d[0].linkinfo.info_data.ad_info.partner_mac not in (None, '00:00:00:00:00:00')"; }
# Broken if LACP did not get through the chip, or a bond that speaks it were not offloaded.
bond_8023ad() {
	if ! on r1 cat /sys/class/net/swp2/speed >/dev/null 2>&1; then
		skip "ports without a speed, which bonds want for LACP"
		return
	fi
	pair 802.3ad || fail "set-up"
	if eventually 8000 partner; then
		kind bond0 subport None w2 pair "" bond0 h2
	else
		fail "no LACP partner"
	fi
	over w2 w6
}

# Broken if a team were treated otherwise than a bond. The members have one MAC, which is teamd's business otherwise.
team() {
	local dev swp3
	swp3=$(mac_of r1 swp3)
	bonded w2 pair balance-xor h2 h3
	r1 link add team0 address "$(mac_of r1 swp2)" type team && on r1 "$PY" -ISB "$LIB/team.py" team0 loadbalance || fail "set-up"
	r1 link set swp3 address "$(mac_of r1 swp2)"
	for dev in swp2 swp3; do r1 link set $dev down && r1 link set $dev master team0 && r1 link set $dev up; done
	r1 link set team0 up
	check eventually 5000 carrier r1 team0
	kind team0 subport None w2 pair "" team0 h2
	r1 link set swp3 address "$swp3"
	over w2 w6
}

# Broken if the tag were lost or ignored: frames of the VLAN are for its interface alone, with and without one on the port.
vlan_of_port() {
	vlan r1 swp1 10 || fail "set-up"
	kind swp1.10 subport 10 w1 h1 10 swp1
	check_eq "$(send w1:h1 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254 to=r1:swp1~,w6:h6~)" "swp1=0 h6=0" "untagged"
	check_eq "$(send w1:h1@11 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254 to=r1:swp1~,w6:h6~)" "swp1=0 h6=0" "VLAN 11"
	r1 addr add 203.0.113.1/24 dev swp1
	check fh r1 wait rif dev swp1 state offload timeout 5
	check agrees swp1.10 subport 10 default
	check_eq "$(send w1:h1 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254 to=r1:swp1,w6:h6~)" "swp1=0 h6=0" "untagged"
	r1 addr del 203.0.113.1/24 dev swp1
	and_in_a_vrf swp1.10 subport 10 w1 h1 10 swp1
	over w1 w6
}

# Broken if a VLAN of a bond were one of a member only, or a bond without an address kept its VLANs from routing.
vlan_of_bond() {
	pair balance-xor && vlan r1 bond0 20 || fail "set-up"
	kind bond0.20 subport 20 w2 pair 20 bond0 h2
	check_eq "$(send w2:h3@20 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.77 dst=192.0.2.254 to=r1:bond0)" \
		"bond0=1@20 local_route+1" "by the other member"
	and_in_a_vrf bond0.20 subport 20 w2 pair 20 bond0 h2
	over w2 w6
}

# Broken if a bridge that knows no VLANs did not route for its members.
unaware_bridge() {
	bridged br0 "" swp1 swp2 swp4 || fail "set-up"
	kind br0 fid None w1 h1 "" br0
	check_eq "$(send w1:h1 advert4 vrid=9 to=w1:h1~,w2:h2,w4:h4,r1:swp1,r1:swp2~,r1:swp4~,r1:br0)" \
		"h1=0 h2=1 h4=1 swp1=1 swp2=0 swp4=0 br0=1 ipv4_vrrp+1" "advertisement"
	and_in_a_vrf br0 fid None w1 h1 "" br0
	over w1 w6
}

# Broken if a bridge of VLANs mixed up tags: each member's frames have the tag of its own VLAN.
unaware_bridge_of_vlans() {
	vlan r1 swp1 10 && vlan r1 swp2 20 && bridged br0 "" swp1.10 swp2.20 swp4 || fail "set-up"
	kind br0 fid None w1 h1 10 br0
	check_eq "$(send w1:h1@10 advert4 vrid=9 to=w2:h2,w4:h4,w1:h1~)" "h2=1@20 h4=1 h1=0 ipv4_vrrp+1" "flooded"
	check_eq "$(send w4:h4 advert4 vrid=9 to=w1:h1,w2:h2,w4:h4~)" "h1=1@10 h2=1@20 h4=0 ipv4_vrrp+1" "flooded from port 4"
	check_eq "$(send w1:h1@11 advert4 vrid=9 to=w2:h2~,w4:h4~,r1:swp1~)" "h2=0 h4=0 swp1=0" "VLAN 11"
	over w1 w6
}

# Broken if a bond in a bridge were its members one by one: each got a copy, or frames came back by the other one; or what is
# learnt at a member were not learnt at the bond.
bridge_of_a_bond() {
	pair balance-xor && vlan r1 bond0 30 && bridged br0 "vlan_filtering 1" swp1 bond0 swp4 && bridged br1 "" bond0.30 swp5 || fail "set-up"
	kind br0 vlan 1 w2 pair "" br0 h2
	check_eq "$(send w1:h1 advert4 vrid=9 to=w2:pair,w4:h4,r1:swp1,r1:bond0~,r1:br0)" "pair=1 h4=1 swp1=1 bond0=0 br0=1 ipv4_vrrp+1" "to the bond"
	check_eq "$(send w2:h3 advert4 vrid=9 to=w1:h1,w4:h4,w2:pair~,w2:h2~,r1:swp2~,r1:swp3,r1:br0)" \
		"h1=1 h4=1 pair=0 h2=0 swp2=0 swp3=1 br0=1 ipv4_vrrp+1" "from a member"
	speak w2:h2 $A2
	check chip_soon r1 "[(r.lag, r.port) for r in d.fdb if r.mac == '$A2' and r.fid == 1] == [(d.lags[0].lag, None)]"
	check_eq "$(send w1:h1 echo4 mac=$A1 dst_mac=$A2 src=192.0.2.81 dst=192.0.2.82 to=w2:pair,w4:h4,r1:br0~)" "pair=1 h4=0 br0=0" "to a host there"
	check_eq "$(send w5:h5 advert4 vrid=9 to=w2:pair,w1:h1~)" "pair=1@30 h1=0" "in the bond's VLAN"
	check_eq "$(send w2:h3@30 advert4 vrid=9 to=w5:h5,w1:h1~)" "h5=1 h1=0" "from the bond's VLAN"
	# Of a member that leaves nothing remains, and the rest goes on.
	r1 link set swp2 nomaster
	check synced
	check_eq "$(send w1:h1 echo4 mac=$A1 dst_mac=$A2 src=192.0.2.81 dst=192.0.2.82 to=w2:h3,w2:h2~)" "h3=1 h2=0" "by the other member"
	check agrees br0 vlan 1 default
	over w2 w6
}

# Broken if the untagged frames of a VLAN-aware bridge were not routed for the bridge itself.
aware_bridge_on_its_pvid() {
	bridged br0 "vlan_filtering 1" swp1 swp2 swp4 || fail "set-up"
	kind br0 vlan 1 w1 h1 "" br0
	over w1 w6
}

# Broken if a VLAN of a VLAN-aware bridge did not route, or not with the tag that each member has for it.
vlan_of_aware_bridge() {
	tree || fail "set-up"
	kind br0.10 vlan 10 w1 h1 10 br0
	check_eq "$(send w2:h2 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.77 dst=192.0.2.254 to=r1:br0,w1:h1~,w4:h4~)" \
		"br0=1@10 h1=0 h4=0 local_route+1" "from the port that has the VLAN untagged"
	and_in_a_vrf br0.10 vlan 10 w1 h1 10 br0
	over w1 w6
}

# ---------------------------------------------------------------------------------------------------------------- bridging

# tree: br0 of ports 1, 2 and 4, and VLANs:   swp1: 10 tagged, 20 tagged   swp2: 10 untagged, 20 tagged   swp4: 10 tagged, 20 untagged
tree() {
	bridged br0 "vlan_filtering 1 vlan_default_pvid 0" swp1 swp2 swp4 && on r1 bridge -batch - <<-END
		vlan add dev swp1 vid 10
		vlan add dev swp1 vid 20
		vlan add dev swp2 vid 10 pvid untagged
		vlan add dev swp2 vid 20
		vlan add dev swp4 vid 10
		vlan add dev swp4 vid 20 pvid untagged
		vlan add dev br0 vid 10 self
	END
	vlan r1 br0 10
}
# The same tree with a router on VLAN 10 and a host in each port, for several tests.
standing() {
	tree && far && near w1 h1 10 && router br0.10 && fh r1 wait vmac dev vrrp5 state offload timeout 5
}

# Broken if a bridge with a router interface doubled a broadcast, lost one, sent it back, or gave the CPU other than one copy.
floods_once() {
	standing || fail "set-up"
	local everywhere=w1:h1~,w2:h2,w4:h4,r1:swp1,r1:swp2~,r1:swp4~,r1:br0
	check_eq "$(send w1:h1@10 advert4 vrid=9 to=$everywhere)" "h1=0 h2=1 h4=1@10 swp1=1@10 swp2=0 swp4=0 br0=1@10 ipv4_vrrp+1" "advertisement"
	check_eq "$(send w1:h1@10 arp mac=$OTHER src=192.0.2.77 dst=192.0.2.78 to=$everywhere)" \
		"h1=0 h2=1 h4=1@10 swp1=1@10 swp2=0 swp4=0 br0=1@10 arp_request+1" "ARP broadcast"
	check_eq "$(send w2:h2 advert4 vrid=9 to=w1:h1,w2:h2~,w4:h4,r1:swp1~,r1:swp2,r1:swp4~)" \
		"h1=1@10 h2=0 h4=1@10 swp1=0 swp2=1 swp4=0 ipv4_vrrp+1" "advertisement, untagged"
	check_eq "$(send w1:h1@10 advert4 vrid=5 ttl=1 to=$everywhere)" "h1=0 h2=1 h4=1@10 swp1=1@10 swp2=0 swp4=0 br0=1@10 ipv4_vrrp+1" \
		"with our own virtual MAC as its source"
	check_eq "$(send w1:h1@10 advert6 vrid=9 to=$everywhere)" "h1=0 h2=1 h4=1@10 swp1=1@10 swp2=0 swp4=0 br0=1@10 ipv6_vrrp+1" "of IPv6"
}

# Broken if the CPU got frames of a VLAN in which it has no interface, or such a VLAN were not bridged.
floods_without_a_rif() {
	local everywhere=w1:h1~,w2:h2,w4:h4,r1:swp1~,r1:swp2~,r1:swp4~,r1:br0~
	check_eq "$(send w1:h1@20 advert4 vrid=9 to=$everywhere)" "h1=0 h2=1@20 h4=1 swp1=0 swp2=0 swp4=0 br0=0" "advertisement"
	check_eq "$(send w1:h1@20 arp mac=$OTHER src=192.0.2.77 dst=192.0.2.78 to=$everywhere)" \
		"h1=0 h2=1@20 h4=1 swp1=0 swp2=0 swp4=0 br0=0" "ARP broadcast"
	check_eq "$(send w4:h4 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.77 dst=192.0.2.254 to=w1:h1,w2:h2,r1:swp4~)" "h1=1@20 h2=1@20 swp4=0" \
		"our virtual MAC in a VLAN where it is nobody's"
}

# Broken if a VLAN that a port is not a member of came in, or untagged frames came in without a PVID.
vlans_stay_apart() {
	local everywhere=w2:h2~,w4:h4~,r1:swp1~,r1:br0~
	check_eq "$(send w1:h1@30 advert4 vrid=9 to=$everywhere)" "h2=0 h4=0 swp1=0 br0=0" "VLAN 30"
	check_eq "$(send w1:h1 advert4 vrid=9 to=$everywhere)" "h2=0 h4=0 swp1=0 br0=0" "untagged"
}

# Broken if frames between hosts went through Linux, or to others than the one that is meant.
hosts_talk_through_the_chip() {
	speak w1:h1@10 $A1
	speak w2:h2 $A2
	check learnt $A1 10 1
	check learnt $A2 10 2
	local kernel=r1:swp1~,r1:swp2~,r1:swp4~,r1:br0~
	check_eq "$(send w1:h1@10 echo4 mac=$A1 dst_mac=$A2 src=192.0.2.81 dst=192.0.2.82 to=w2:h2,w4:h4,$kernel)" \
		"h2=1 h4=0 swp1=0 swp2=0 swp4=0 br0=0" "from 1 to 2"
	check_eq "$(send w2:h2 echo4 mac=$A2 dst_mac=$A1 src=192.0.2.82 dst=192.0.2.81 to=w1:h1,w4:h4,$kernel)" \
		"h1=1@10 h4=0 swp1=0 swp2=0 swp4=0 br0=0" "from 2 to 1"
	# Learnt in another VLAN it is unknown, and flooded, but never to the CPU.
	check_eq "$(send w1:h1@20 echo4 mac=$A1 dst_mac=$A2 src=192.0.2.81 dst=192.0.2.82 to=w2:h2,w4:h4,$kernel)" \
		"h2=1@20 h4=1 swp1=0 swp2=0 swp4=0 br0=0" "unknown"
	# And with both hosts' own kernels.
	ip -n w2 addr add 192.0.2.20/24 dev h2
	check_eq "$(on w1 "$PY" -ISB "$LIB/frames.py" ping 192.0.2.20 interval=0.02 count=10 | tail -n 1 | json d.lost)" 0 "pings lost"
	ip -n w2 addr flush dev h2
	check_eq "$(send w1:h1@10 echo4 mac=$A1 dst_mac=$A4 src=192.0.2.81 dst=192.0.2.84 to=w2:h2,w4:h4,$kernel)" \
		"h2=1 h4=1@10 swp1=0 swp2=0 swp4=0 br0=0" "to an unknown MAC"
}

# Broken if frames for a virtual router that is active elsewhere did not go there, and there alone.
a_backups_mac_is_learnt() {
	check_eq "$(send w4:h4@10 advert4 vrid=6 to=w1:h1,w2:h2)" "h1=1@10 h2=1 ipv4_vrrp+1" "advertisement of the active router"
	check learnt $V6 10 4
	check_eq "$(send w1:h1@10 echo4 mac=$A1 dst_mac=$V6 src=192.0.2.81 dst=192.0.2.253 to=w4:h4,w2:h2,r1:swp1~,r1:br0~)" \
		"h4=1@10 h2=0 swp1=0 br0=0" "for the backup's MAC"
}

# Broken if the entry that was learnt stayed, or came back with the next advertisement of the other router; or, once we
# are a backup again, the other router's MAC were not learnt any more.
a_mac_that_becomes_ours() {
	r1 addr add 192.0.2.253/24 dev vrrp6
	check fh r1 wait vmac dev vrrp6 state offload timeout 5
	check chip_holds r1 "[(r.action, r.policy) for r in d.fdb if r.mac == '$V6' and r.fid == 10] == [('forward_ip_router', 'static')]"
	check_eq "$(send w1:h1@10 echo4 mac="$H1" dst_mac=$V6 src=192.0.2.10 dst=192.0.2.253 to=w4:h4~,w2:h2~ reply=2000)" \
		"h4=0 h2=0 reply@10 local_route+1" "for the MAC that is ours"
	check_eq "$(send w4:h4@10 advert4 vrid=6 to=w1:h1,w2:h2,r1:br0)" "h1=1@10 h2=1 br0=1@10 ipv4_vrrp+1" "advertisement of the other router"
	check chip_holds r1 "[(r.action, r.policy) for r in d.fdb if r.mac == '$V6' and r.fid == 10] == [('forward_ip_router', 'static')]"
	r1 addr del 192.0.2.253/24 dev vrrp6
	check fh r1 wait vmac dev vrrp6 state held timeout 5
	speak w4:h4@10 $V6
	check learnt $V6 10 4
}

# Broken if a port that does not forward were received from or sent to. Without a spanning tree daemon a bridge leaves a port
# in these states; it never leaves one blocking.
spanning_tree_blocks() {
	local state
	for state in 1 2 0; do
		check bridge_r1 link set dev swp4 state $state
		check synced
		check [ "$(on r1 bridge -j link show dev swp4 | json 'd[0].state')" != forwarding ]
		check_eq "$(send w4:h4@10 advert4 vrid=9 to=w1:h1~,w2:h2~,r1:br0~)" "h1=0 h2=0 br0=0" "from the port in state $state"
		check_eq "$(send w1:h1@10 advert4 vrid=9 to=w2:h2,w4:h4~,r1:swp1)" "h2=1 h4=0 swp1=1@10 ipv4_vrrp+1" "to the port in state $state"
	done
	check bridge_r1 link set dev swp4 state 3
	check synced
	check_eq "$(send w1:h1@10 advert4 vrid=9 to=w2:h2,w4:h4)" "h2=1 h4=1@10 ipv4_vrrp+1" "forwarding again"
}

# Broken if a port that left were still bridged, what was learnt there stayed, or its return were missed.
a_port_leaves_and_joins() {
	speak w4:h4@10 $A4
	check learnt $A4 10 4
	r1 link set swp4 nomaster
	check synced
	check chip_holds r1 "not [r for r in d.fdb if r.port == 4]"
	check_eq "$(send w1:h1@10 advert4 vrid=9 to=w2:h2,w4:h4~)" "h2=1 h4=0 ipv4_vrrp+1" "without port 4"
	check_eq "$(send w4:h4@10 advert4 vrid=9 to=w1:h1~,w2:h2~,r1:swp4~)" "h1=0 h2=0 swp4=0" "from port 4"
	r1 link set swp4 master br0
	bridge_r1 vlan add dev swp4 vid 10
	check synced
	check_eq "$(send w4:h4@10 advert4 vrid=9 to=w1:h1,w2:h2)" "h1=1@10 h2=1 ipv4_vrrp+1" "from port 4 again"
	check agrees br0.10 vlan 10 default
	over w1 w6
}

# ----------------------------------------------------------------------------------------------------------------- changes

rif_is() { fh_holds r1 "len(d) == 1 and $2" rif dev "$1"; }
echoes() { # FROM MAC: the virtual address answers there
	check_eq "$(send "$1" echo4 mac="$2" dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254 reply=2000)" "reply${3:-} local_route+1" "virtual address"
}
silent() { # FROM: nothing there reaches the router
	check_eq "$(send "$1" echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254 to=r1:br0~,w6:h6~)" "br0=0 h6=0" "virtual address"
}

# Broken if the bridge's interface did not move with its PVID, or did not give way to and take over from its VLAN device.
pvid_moves() {
	bridged br0 "vlan_filtering 1" swp1 swp2 && far && router br0 && vlan r1 br0 10 203.0.113.1/24 || fail "set-up"
	bridge_r1 vlan add dev swp2 vid 10 pvid untagged
	ip -n w1 addr add 192.0.2.10/24 dev h1
	ip -n w2 addr add 192.0.2.10/24 dev h2
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check agrees br0 vlan 1 default
	check rif_is br0.10 "d[0].vid == 10 and d[0].state == 'offload'"
	echoes w1:h1 "$H1"
	silent w2:h2
	bridge_r1 vlan add dev br0 vid 10 pvid untagged self
	check synced
	check agrees br0 vlan 10 default
	check rif_is br0.10 "d[0].state == 'held' and d[0].reason == 'vlan_is_pvid'"
	echoes w2:h2 "$H2"
	silent w1:h1
	bridge_r1 vlan add dev br0 vid 10 self
	check synced
	check rif_is br0 "d[0].state == 'held' and d[0].reason == 'no_pvid'"
	check rif_is br0.10 "d[0].state == 'offload' and d[0].vid == 10"
	check fh_holds r1 "d[0].state == 'held' and d[0].reason == 'no_rif'" vmac dev vrrp5
	silent w1:h1
	silent w2:h2
	bridge_r1 vlan add dev br0 vid 1 pvid untagged self
	check synced
	check agrees br0 vlan 1 default
	echoes w1:h1 "$H1"
	over w1 w2 w6
}

# Broken if what the kernel changes silently with vlan_default_pvid were not seen: PVIDs that were taken away.
default_pvid_changes() {
	bridged br0 "" swp1 swp2 && far && router br0 && ip -n w1 addr add 192.0.2.10/24 dev h1 || fail "set-up"
	local pvid
	for pvid in 20 1; do
		r1 link set br0 type bridge vlan_default_pvid $pvid
		r1 link set br0 type bridge vlan_filtering 1
		check fh r1 wait vmac dev vrrp5 state offload timeout 5
		check agrees br0 vlan $pvid default
		echoes w1:h1 "$H1"
		# The ports are not in the former one any more.
		check_eq "$(send w1:h1@$((21 - pvid)) advert4 vrid=9 to=w2:h2~,r1:swp1~)" "h2=0 swp1=0" "VLAN $((21 - pvid))"
		r1 link set br0 type bridge vlan_filtering 0
	done
	r1 link set br0 type bridge vlan_default_pvid 0
	r1 link set br0 type bridge vlan_filtering 1
	check synced
	check rif_is br0 "d[0].state == 'held' and d[0].reason == 'no_pvid'"
	silent w1:h1
	over w1 w6
}

# Broken if a bridge that begins or ends to tell VLANs apart were bridged as before.
vlan_filtering_toggles() {
	bridged br0 "" swp1 swp2 && far && router br0 && ip -n w1 addr add 192.0.2.10/24 dev h1 || fail "set-up"
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	for _ in 1 2; do
		check agrees br0 fid None default
		echoes w1:h1 "$H1"
		r1 link set br0 type bridge vlan_filtering 1
		check synced
		check agrees br0 vlan 1 default
		echoes w1:h1 "$H1"
		check_eq "$(send w1:h1 advert4 vrid=9 to=w2:h2,r1:swp1)" "h2=1 swp1=1 ipv4_vrrp+1" "flooded"
		r1 link set br0 type bridge vlan_filtering 0
		check synced
	done
	over w1 w6
}

# Broken if a member that leaves took the bond's interface with it, or the last one did not.
lag_members_leave() {
	pair balance-xor && vlan r1 bond0 20 203.0.113.1/24 && far && near w2 pair "" && router bond0 || fail "set-up"
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check agrees bond0 subport None default
	local rif=$RIF
	r1 link set swp3 nomaster
	r1 link set swp3 up
	all_up
	check synced
	check agrees bond0 subport None default
	check_eq "$RIF" "$rif" "index"
	check chip_holds r1 "[l.members for l in d.lags] == [[2]]"
	check_eq "$(send w2:h2 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.77 dst=192.0.2.254 to=r1:bond0)" "bond0=1 local_route+1" "by the member"
	check_eq "$(send w2:h3 echo4 mac=$OTHER dst_mac=$V5 src=192.0.2.77 dst=192.0.2.254 to=r1:bond0~,r1:swp3~)" "bond0=0 swp3=0" "by the former"
	r1 link set swp2 nomaster
	check synced
	check rif_is bond0 "d[0].state == 'not_offloaded' and d[0].reason == 'lower_not_asic'"
	check chip_holds r1 "not d.lags and not rif('$(mac_of r1 bond0)') and '$V5' not in macs()"
	r1 link set swp2 down
	r1 link set swp2 master bond0
	r1 link set swp2 up
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check rif_is bond0.20 "d[0].state == 'offload' and d[0].vid == 20"
	check chip_holds r1 "[l.members for l in d.lags] == [[2]]"
	over w2 w6
}

# Broken if a bridge without a port of the chip kept its interface, or that of a VLAN on it.
last_port_leaves_the_bridge() {
	bridged br0 "vlan_filtering 1" swp1 && router br0 && vlan r1 br0 10 203.0.113.1/24 || fail "set-up"
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check fh r1 wait rif dev br0.10 state offload timeout 5
	r1 link set swp1 nomaster
	check fh r1 wait rif dev br0.10 state not_offloaded timeout 5
	check synced
	check chip_holds r1 "not [r for r in d.rifs if r.enabled is not False] and not macs() and not d.fids"
	check rif_is br0 "d[0].state == 'not_offloaded' and d[0].reason == 'lower_not_asic'"
	r1 link set swp1 master br0
	check fh r1 wait rif dev br0.10 state offload timeout 5
	check agrees br0 vlan 1 default
	over
}

# Broken if an interface did not change its table with its VRF, or did not come back when it leaves while it has addresses.
vrf_comes_and_goes() {
	vlan r1 swp1 10 && router swp1.10 && r1 link add vrf1 type vrf table 101 && r1 link set vrf1 up || fail "set-up"
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check agrees swp1.10 subport 10 default
	r1 link set swp1.10 master vrf1
	check fh r1 wait vmac dev vrrp5 state refused timeout 5
	check fh_holds r1 "d[0].reason == 'vrf_mismatch'" vmac dev vrrp5
	check rif_is swp1.10 "d[0].vrf == 'vrf1' and d[0].state == 'offload' and d[0].vr != 0"
	r1 link set vrrp5 master vrf1
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check agrees swp1.10 subport 10 vrf1
	# A member of a VRF routes without an address too.
	r1 addr flush dev swp1.10
	check synced
	check rif_is swp1.10 "d[0].state == 'offload' and d[0].vrf == 'vrf1'"
	r1 addr add 192.0.2.1/24 dev swp1.10
	r1 link set vrrp5 nomaster
	r1 link set swp1.10 nomaster
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check agrees swp1.10 subport 10 default
	check chip_soon r1 "{r.virtual_router for r in d.rifs if r.enabled is not False} == {0}"
	over
}

# Broken if a bridge that has other members than the chip's lost what it must flood between them, its router did not answer at
# the other members, or nobody were told that the chip sends nothing to a single host there.
a_veth_in_the_bridge() {
	bridged br0 "" swp1 swp2 && router br0 || fail "set-up"
	r1 link add veth0 type veth peer name e0 netns w5
	r1 link set veth0 master br0 up
	ip -n w5 link set e0 up
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check eventually 3000 carrier r1 veth0
	check synced
	check fh_holds r1 "d.object == 'bridge_port' and d.state == 'not_offloaded' and d.reason == 'foreign_bridge_member' and d.fix" explain veth0
	ip -n w1 addr add 192.0.2.10/24 dev h1
	ip -n w5 addr add 192.0.2.50/24 dev e0
	check_eq "$(send w1:h1 advert4 vrid=9 to=w2:h2,w5:e0,w1:h1~)" "h2=1 e0=1 h1=0 ipv4_vrrp+1" "flooded from a port"
	check_eq "$(send w1:h1 arp mac=$OTHER src=192.0.2.77 dst=192.0.2.78 to=w2:h2,w5:e0,w1:h1~)" "h2=1 e0=1 h1=0 arp_request+1" "ARP from a port"
	check_eq "$(send w5:e0 arp mac=$A1 src=192.0.2.78 dst=192.0.2.77 to=w1:h1,w2:h2,w5:e0~)" "h1=1 h2=1 e0=0" "ARP to the ports"
	check_eq "$(send w5:e0 echo4 mac="$(mac_of w5 e0)" dst_mac=$V5 src=192.0.2.50 dst=192.0.2.254 reply=2000 to=w1:h1~)" "h1=0 reply" \
		"virtual address, from the veth"
	echoes w1:h1 "$H1"
	over w1
}

# everything: one of each kind at the same time.
everything() {
	tree && far && near w1 h1 10 && router br0.10 && vlan r1 br0 20 203.0.113.1/24 && r1 addr add 203.0.114.1/24 dev br0 &&
		pair_of_5 && vlan r1 bond0 30 203.0.115.1/24 && r1 link add vrf1 type vrf table 101 && r1 link set vrf1 up &&
		r1 link set bond0.30 master vrf1 && macvlan r1 bond0.30 vrrp7 $V7 203.0.115.254/24 && r1 link set vrrp7 master vrf1 &&
		vlan r1 swp3 40 && bridged br1 "" swp3.40 && r1 addr add 203.0.116.1/24 dev br1 &&
		bridge_r1 vlan add dev br0 vid 1 pvid untagged self
}
pair_of_5() { bonded r1 bond0 balance-xor swp5 && eventually 5000 carrier r1 bond0; }

# Broken if a daemon that starts took anything that is right for wrong.
killed_and_started_again_writes_nothing() {
	local writes tables="[d.rifs, d.fids, d.mappings, d.lags, d.routes, [r for r in d.fdb if r.action == 'forward_ip_router']]" before
	everything || fail "set-up"
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check fh r1 wait vmac dev vrrp7 state offload timeout 5
	check_eq "$(fh r1 -j rif | json "sorted((r.ifname, r.type) for r in d if r.state == 'offload')")" \
		'[["bond0.30", "subport"], ["br0", "vlan"], ["br0.10", "vlan"], ["br0.20", "vlan"], ["br1", "fid"], ["swp6", "subport"]]' "interfaces"
	speak w1:h1@10 $A1
	check synced
	writes=$(chip r1 d.writes_total) before=$(chip r1 "$tables")
	stop firsthopd-r1 KILL
	agent r1
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check_eq "$(chip r1 "$tables")" "$before" "tables"
	check_status 0 fh r1 diff
	check learnt $A1 10 1
	echoes w1:h1@10 "$H1" @10
	over w1 w6
}

world
agent r1
H1=$(mac_of w1 h1) H2=$(mac_of w2 h2) H6=$(mac_of w6 h6) SWP6=$(mac_of r1 swp6)
tests_run "$@"
