#!/bin/bash
# Where Linux itself bridges, and no chip routes: the MAC of an active virtual router is the bridge's own, so that nothing is
# flooded, and a backup's is not, so that frames go to the active router alone. What is judged are frames.
#
#   w1 e1 ── p1 ┐                ┌ p2 ── e2 w2      three-port bridges of veths; r1 has 192.0.2.1, r2 .2, w1 .10
#   w3 e3 ── p3 ┤ br0 r1 ── r2 br0
#               └ x1 ─────── x2 ─┘
ALL_TESTS="
	only_shown_by_default
	an_active_router_gets_an_entry
	a_backup_leads_to_the_active_one
	a_killed_daemon_leaves_it_in_the_bridge
	what_changed_meanwhile_is_put_right
	entries_of_others_are_used_and_stay
	an_entry_that_leads_elsewhere
	a_bridge_that_goes
	observing_writes_nothing
	driven_by_keepalived
	driven_by_frr
	vlan_of_an_aware_bridge
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/routers.sh"
LOWER=br0
VMAC=$V5

cable() { ip -n "$1" link add "$2" type veth peer name "$4" netns "$3" && ip -n "$1" link set "$2" up && ip -n "$3" link set "$4" up; }
bridge_up() { # NS ADDRESS PORT...
	local ns=$1 address=$2 port
	shift 2
	ip -n "$ns" link add br0 type bridge mcast_snooping 0 forward_delay 0 && ip -n "$ns" addr add "$address" dev br0 &&
		ip -n "$ns" link set br0 up || return
	for port; do ip -n "$ns" link set "$port" master br0 || return; done
}
world() {
	local ns
	for ns in r1 r2 w1 w2 w3; do namespace $ns && quiet $ns; done
	for ns in r1 r2; do router_sysctls $ns; done
	cable r1 p1 w1 e1 && cable r1 p3 w3 e3 && cable r2 p2 w2 e2 && cable r1 x1 r2 x2 &&
		bridge_up r1 192.0.2.1/24 p1 p3 x1 && bridge_up r2 192.0.2.2/24 p2 x2 &&
		ip -n w1 addr add 192.0.2.10/24 dev e1 || unable "no bridges of veths"
	printf '[device]\nmanage = true\n' >"$RUN/manage.toml"
	printf '[device]\nmanage = false\n' >"$RUN/observe.toml"
}
world

is_local() { bridge_owns "$1" br0 $VMAC; }
is_not_local() { ! is_local "$1"; }
learnt_at() { on "$1" bridge fdb show br br0 | grep "^$VMAC dev $2 " | grep -qv permanent; }
vmac_is() { fh "$1" wait vmac dev vrrp5 state "$2" timeout 5; }
vmac_says() { fh_holds "$1" "(d[0].state, d[0].reason) == ('$2', '$3')" vmac dev vrrp5; }
# spread: to how many of w3, r1's uplink's far end, and r1's own IP stack a frame of w1 for the virtual MAC comes.
spread() { frames probe w1:e1 w3:e3 r2:x2 r1:br0 echo4 mac=02:00:00:00:00:aa dst_mac=$VMAC src=192.0.2.77 dst=198.51.100.1; }
# r2_speaks: with the virtual MAC.
r2_speaks() { frames send r2:x2 1 arp mac=$VMAC src=192.0.2.254 dst=192.0.2.254; }
managed() { agent "$1" -c "$RUN/manage.toml"; }
router_macvlan() { macvlan "$1" br0 vrrp5 $VMAC 192.0.2.254/24; }

# Broken if a bridge were written to that nobody gave into our hands, or if nobody were told how.
only_shown_by_default() {
	local status=0
	agent r1
	router_macvlan r1
	check fh r1 wait synced timeout 5
	check vmac_says r1 not_offloaded not_managed
	check is_not_local r1
	check_eq "$(spread)" "1 1 1" "flooded: copies at w3, at r2 and in r1"
	fh r1 diff >"$RUN/diff" || status=$?
	check_eq "$status" 3 "exit code of diff"
	check grep -q "bridge fdb add $VMAC dev br0 self local" "$RUN/diff"
	check grep -q "not_managed" "$RUN/diff"
	check grep -q "manage = true" "$RUN/diff"
	check_eq "$(awk 'length > 80' "$RUN/diff")" "" "lines longer than 80 columns"
	fh r1 explain vrrp5 >"$RUN/explain"
	check grep -q "manage = true" "$RUN/explain"
	check fh_holds r1 "d.device.mode == 'observe'" status
	ip -n r1 link del vrrp5
	stop firsthopd-r1
}

# Broken if the bridge went on flooding frames that its own router takes.
an_active_router_gets_an_entry() {
	managed r1
	router_macvlan r1
	check vmac_is r1 offload
	check is_local r1
	check_eq "$(spread)" "0 0 1" "copies at w3, at r2 and in r1"
	check fh r1 diff
	fh r1 explain vrrp5 >"$RUN/explain"
	check grep -q "in the bridge: local entry in the forwarding table of br0" "$RUN/explain"
	check fh_holds r1 "d.device.mode == 'manage'" status
	# a change of the bridge is no reason to take it away
	ip -n r1 link set br0 mtu 1400
	check is_local r1
}

# Broken if a backup kept the active router's frames, or flooded them.
a_backup_leads_to_the_active_one() {
	ip -n r1 addr flush dev vrrp5
	check vmac_is r1 held
	check is_not_local r1
	r2_speaks
	check eventually 2000 learnt_at r1 x1
	check_eq "$(spread | cut -d' ' -f1,2)" "0 1" "copies at w3 and at r2"
	ip -n r1 addr add 192.0.2.254/24 dev vrrp5
	check vmac_is r1 offload
	check is_local r1
	r2_speaks
	check is_local r1
	check_eq "$(spread)" "0 0 1" "copies at w3, at r2 and in r1"
}

# Broken if a crash interrupted what works, or the next daemon did not know what is ours.
a_killed_daemon_leaves_it_in_the_bridge() {
	stop firsthopd-r1 KILL
	check is_local r1
	check_eq "$(spread)" "0 0 1" "copies at w3, at r2 and in r1"
	managed r1
	check vmac_is r1 offload
	ip -n r1 addr flush dev vrrp5
	check vmac_is r1 held
	check is_not_local r1
	ip -n r1 addr add 192.0.2.254/24 dev vrrp5
	check vmac_is r1 offload
}

# Broken if a role that changed while no daemon ran left a backup that attracts traffic.
what_changed_meanwhile_is_put_right() {
	stop firsthopd-r1 KILL
	ip -n r1 addr flush dev vrrp5
	managed r1
	check is_not_local r1
	check vmac_is r1 held
	stop firsthopd-r1
	ip -n r1 addr add 192.0.2.254/24 dev vrrp5
	managed r1
	check is_local r1
	ip -n r1 link del vrrp5
	check fh r1 wait synced timeout 5
	check is_not_local r1
}

# Broken if an administrator's entry went with our macvlan.
entries_of_others_are_used_and_stay() {
	on r1 bridge fdb add $VMAC dev br0 self local
	router_macvlan r1
	check vmac_is r1 offload
	ip -n r1 link del vrrp5
	check fh r1 wait synced timeout 5
	check is_local r1
	on r1 bridge fdb del $VMAC dev br0 self
	# while it is used somebody takes it away: then it is made
	router_macvlan r1
	check vmac_is r1 offload
	on r1 bridge fdb del $VMAC dev br0 self
	check eventually 5000 is_local r1
	ip -n r1 link del vrrp5
	check fh r1 wait synced timeout 5
	check is_not_local r1
}

# Broken if a static entry were overwritten, or taken for an entry of the bridge's own.
an_entry_that_leads_elsewhere() {
	on r1 bridge fdb add $VMAC dev p3 master static
	router_macvlan r1
	check eventually 5000 vmac_says r1 refused fdb_conflict
	check eventually 5000 sh -c "ip netns exec r1 bridge fdb show br br0 | grep -q '^$VMAC dev p3 .*static'"
	check fh r1 wait synced timeout 5
	on r1 bridge fdb del $VMAC dev p3 master
	ip -n r1 link set br0 mtu 1500
	check vmac_is r1 offload
	ip -n r1 link del vrrp5
}

# Broken if an entry outlived the bridge in our books, and came back to another bridge with its index.
a_bridge_that_goes() {
	ip -n r1 link add br1 type bridge
	ip -n r1 link set br1 up
	ip -n r1 link add dummy1 type veth peer name dummy2
	ip -n r1 link set dummy1 master br1 up
	ip -n r1 link set dummy2 up
	macvlan r1 br1 vrrp6 $V5 203.0.113.254/24
	check fh r1 wait vmac dev vrrp6 state offload timeout 5
	ip -n r1 link del br1
	check fh r1 wait vmac dev vrrp6 state gone timeout 5
	check fh r1 wait synced timeout 5
	ip -n r1 link del dummy1
	stop firsthopd-r1
}

# Broken if --observe or manage = false wrote.
observing_writes_nothing() {
	agent r1 -c "$RUN/observe.toml"
	router_macvlan r1
	check vmac_says r1 not_offloaded not_managed
	stop firsthopd-r1
	agent r1 -c "$RUN/manage.toml" --observe
	check vmac_says r1 not_offloaded not_managed
	check is_not_local r1
	stop firsthopd-r1
	ip -n r1 link del vrrp5
}

pinged() { eventually 10000 frames exchange w1:e1 echo4 mac="$(mac_of w1 e1)" dst_mac=$VMAC src=192.0.2.10 dst=$VIP4 limit=1; }
r1_routes() {
	check fh r1 wait vmac dev $DEV4 state offload timeout 20
	check fh r2 wait vmac dev $DEV4 state held timeout 20
	check is_local r1
	check is_not_local r2
	check eventually 5000 learnt_at r2 x2
	check pinged
	check_eq "$(spread)" "0 0 1" "copies at w3, at r2 and in r1"
}
r2_routes() {
	check fh r2 wait vmac dev $DEV4 state offload timeout 20
	check is_local r2
	check is_not_local r1
	check eventually 5000 learnt_at r1 x1
	check pinged
	check_eq "$(spread | cut -d' ' -f1,2)" "0 1" "copies at w3 and at r2"
}

# Broken if it needed commands by hand.
driven_by_keepalived() {
	command -v keepalived >/dev/null && [ "$FH_ROOT" = yes ] || { skip "keepalived is not installed, or nobody is root"; return; }
	managed r1
	managed r2
	keepalived_on r1 "$(vr4 200)"
	check fh r1 wait vmac dev $DEV4 state offload timeout 20
	keepalived_on r2 "$(vr4 100)"
	r1_routes
	keepalived_killed r1
	# the crash of a daemon leaves its macvlan and address: an administrator ends that
	ip -n r1 link del $DEV4
	r2_routes
	keepalived_on r1 "$(vr4 200)"
	r1_routes
	keepalived_off r1
	r2_routes
	keepalived_off r2
	check fh r2 wait synced timeout 5
	check is_not_local r2
	stop firsthopd-r1
	stop firsthopd-r2
}

# Broken if proto_down, by which FRR holds a backup, did not count here.
driven_by_frr() {
	[ -x $FRR/vrrpd ] && [ "$FH_ROOT" = yes ] || { skip "FRR is not installed, or nobody is root"; return; }
	chmod 755 /run "$RUN"
	local ns
	for ns in r1 r2; do
		on $ns sh -c 'for where in all default; do echo 0 >/proc/sys/net/ipv6/conf/$where/disable_ipv6; done'
		managed $ns
	done
	check frr_devices r1 && check frr_on r1 200
	check frr_devices r2 && check frr_on r2 100
	r1_routes
	frr_off r1
	check fh r1 wait vmac dev $DEV4 state held timeout 20
	r2_routes
	frr_on r1 200
	r1_routes
	for ns in r1 r2; do
		frr_off $ns
		stop zebra-$ns
		ip -n $ns link del $DEV4
		ip -n $ns link del $DEV6
		stop firsthopd-$ns
	done
}

# Broken if the entry were made in another VLAN than the macvlan's, or in one whose frames the bridge does not get.
vlan_of_an_aware_bridge() {
	ip -n r1 link set br0 type bridge vlan_filtering 1 2>/dev/null && ip -n r1 link add link br0 name br0.10 type vlan id 10 2>/dev/null ||
		{ skip "no VLANs in this kernel (selftests/uml has one)"; return; }
	ip -n r1 link set br0.10 up
	managed r1
	macvlan r1 br0.10 vrrp5 $VMAC 192.0.2.254/24
	check eventually 5000 vmac_says r1 held vlan_not_on_bridge
	on r1 bridge vlan add dev br0 vid 10 self
	on r1 bridge vlan add dev p1 vid 10 pvid untagged
	on r1 bridge vlan add dev p3 vid 10 pvid untagged
	check vmac_is r1 offload
	check bridge_owns r1 br0 $VMAC 10
	check_eq "$(frames probe w1:e1 w3:e3 r1:br0.10 echo4 mac=02:00:00:00:00:aa dst_mac=$VMAC src=192.0.2.77 dst=198.51.100.1)" "0 1" \
		"copies at w3 and in r1"
	ip -n r1 addr flush dev vrrp5
	check vmac_is r1 held
	check is_not_local r1
	# on the bridge itself: its PVID
	ip -n r1 link del vrrp5
	router_macvlan r1
	check vmac_is r1 offload
	check bridge_owns r1 br0 $VMAC 1
	on r1 bridge vlan del dev br0 vid 1 self
	check eventually 5000 vmac_says r1 held no_pvid
	check eventually 3000 is_not_local r1
}

tests_run "$@"
