#!/bin/bash
# keepalived in all its ways on two routers: does each chip have the virtual MACs exactly while its router is active, through
# start, hand-over, crash, reload and every kind of broken link; and does nobody lose what he has with the primary addresses?

ALL_TESTS="
	backup_is_not_programmed
	active_writes_each_record_once
	advertisements_reach_the_backup
	orderly_end_withdraws_at_the_address
	preemption_moves_it_back
	killed_daemon_leaves_its_mac
	parent_down_withdraws
	carrier_loss_withdraws
	virtual_device_down_withdraws
	backup_of_ipv6_through_a_flap
	reload_without_a_change_writes_nothing
	reload_with_another_vrid
	primary_address_keeps_its_connections
	advertisements_from_the_base
	mac_and_name_of_ones_own
	owner_is_active_at_once
	accept_mode_off
	excluded_addresses
	plain_addresses_only
	secondary_addresses_follow_the_kernel
	unicast_peers
	ipv6_alone
	version_2
	use_ipvlan
	nothing_is_left
"
. "$(dirname "$0")/../lib/lib.sh"
. "$LIB/routers.sh"
needs_daemon keepalived keepalived

V7=00:00:5e:00:01:07
# pair [PRIORITY [LINE...]]: r1 is active and r2 its backup, for both families; r1 has the priority and the lines.
pair() {
	local priority=${1:-150}
	shift
	check keepalived_on r1 "$(vr4 "$priority" "$@"; vr6 "$priority" "$@")"
	check active r1 && check active6 r1
	check keepalived_on r2 "$(vr4 100; vr6 100)"
	check backup r2 && check backup6 r2
}
# r2_took_over, r1_is_back: both families, both chips, and the LAN's.
r2_took_over() {
	check active r2 && check active6 r2
	check lan_sends $V5 2 && check lan_sends $W5 2
	check answers $VIP4 && check answers $VIP6 $W5 6 2001:db8:1::10
}
r1_is_back() {
	check active r1 && check active6 r1
	check backup r2 && check backup6 r2
	check lan_sends $V5 1 && check lan_sends $W5 1
}
# mirrored NS: keepalived copies the parent's link-local to a backup's device.
mirrored() { ip -n "$1" -j addr show | holds "len({a.local for l in d if l.ifname in ('swp1', '$DEV6') for a in l.addr_info if a.scope == 'link'}) == 1
	and any(l.addr_info for l in d if l.ifname == '$DEV6')"; }
# sent_by NS: source MACs of the advertisements on the wire of NS.
sent_by() { grep " 112 " "$RUN/wire-$1.log" | awk '{ print $2 }' | sort -u | tr '\n' ' '; }

# Broken if a backup of either family were in the chip, written and withdrawn for a moment, or heard on the LAN as the virtual MAC.
backup_is_not_programmed() {
	check keepalived_on r1 "$(vr4 150; vr6 150)"
	check active r1 && check active6 r1
	check watched r2
	mark r2
	check keepalived_on r2 "$(vr4 100; vr6 100)"
	check backup r2 && check backup6 r2
	check eventually 5000 mirrored r2
	check backup r2 && check backup6 r2
	check fh_holds r2 "[(v.reason, v.role) for v in d] == [('no_address', 'backup')]" vmac dev $DEV4
	check fh_holds r2 "d[0].state == 'held' and d[0].role == 'backup'" vmac dev $DEV6
	check wrote r2 . 0
	check lan_sends $V5 1 && check lan_sends $W5 1
	unwatched r2
	check_eq "$(grep -c " \($V5\|$W5\) > " "$RUN/wire-r2.log")" 0 "frames from the virtual MACs on the backup's wire"
	check swept
}

# Broken if becoming active took more than one record a MAC and a write of the interface for its slots, or wrote anything twice.
active_writes_each_record_once() {
	mark r1
	check keepalived_on r1 "$(vr4 150; vr6 150)"
	check active r1 && check active6 r1
	check in_step r1
	written r1 | sed 's/^/# /'
	check wrote r1 "SFD add mac $V5" 1 && check wrote r1 "SFD add mac $W5" 1 && check wrote r1 "^SFD" 2
	check [ "$(written r1 | grep -c "^RITR set rif $RIF1 ")" -le 2 ]
	check wrote r1 "^RITR delete" 0
	check chip_holds r1 "[(r.vrrp_id_ipv4, r.vrrp_id_ipv6) for r in d.rifs if r.rif == $RIF1] == [(5, 5)]"
	check_eq "$(routes_written r1 | grep -c " write .* $VIP4/32")" 1 "writes of the route of $VIP4"
	check_eq "$(routes_written r1 | grep -c " write .* $VIP6/128")" 1 "writes of the route of $VIP6"
	mark r1
	# Gratuitous ARP, advertisements, duplicate address detection: nothing of it is a change.
	check eventually 10000 adverts_came settled 5
	check wrote r1 . 0
	check swept
}
# adverts_came NAME COUNT: by r2's trap, since the first call with this name.
declare -A SEEN=()
adverts_came() {
	local now
	now=$(chip r2 "(c.traps.get('ipv4_vrrp') or {}).get('packets', 0)")
	[ -n "${SEEN[$1]:-}" ] || SEEN[$1]=$now
	[ "$now" -ge $((SEEN[$1] + $2)) ]
}

# Broken if the backup's chip did not give it the advertisements of both families, or dropped some.
advertisements_reach_the_backup() {
	local before
	pair
	before=$(chip r2 "[c.traps.ipv4_vrrp.packets, c.traps.ipv6_vrrp.packets]")
	check chip_soon r2 "c.traps.ipv4_vrrp.packets > ${before}[0] + 5 and c.traps.ipv6_vrrp.packets > ${before}[1] + 5" 10000
	check chip_holds r2 "c.traps.ipv4_vrrp.policed == 0 and c.traps.ipv6_vrrp.policed == 0"
	check backup r2 && check backup6 r2
	check swept
}

# Broken if the MAC stayed until the macvlan is deleted, a second after the address.
orderly_end_withdraws_at_the_address() {
	local address link
	pair
	check watched r1 r2
	mark r1 && mark r2
	check keepalived_off r1
	r2_took_over
	check gone r1 $DEV4 && check leaves_alone r1 $V5 && check leaves_alone r1 $W5 $VIP6
	unwatched r1 r2
	check wrote r1 "^SFD remove mac $V5" 1 && check wrote r1 "^SFD remove mac $W5" 1 && check wrote r1 "^SFD" 2
	check wrote r2 "^SFD add mac $V5" 1 && check wrote r2 "^SFD add mac $W5" 1 && check wrote r2 "^SFD" 2
	check wrote r1 "^RITR delete" 0 && check wrote r2 "^RITR delete" 0
	address=$(events r1 | ms_between "kernel Deleted .* $DEV4 .* inet $VIP4" "chip SFD remove mac $V5")
	link=$(events r1 | ms_between "chip SFD remove mac $V5" "kernel Deleted .*: $DEV4@")
	note "withdrawn $address ms after ip heard of the address, $link ms before it heard of the link's end"
	note "r2: programmed $(events r2 | ms_between "kernel .* $DEV4 .* inet $VIP4" "chip SFD add mac $V5") ms after ip heard of the address"
	check holds "abs(d[0]) < 500 and d[1] > 500" <<<"[$address, $link]"
	check swept
}

# Broken if a router that is active again left the other one routing, or either wrote more than its own change.
preemption_moves_it_back() {
	pair
	check keepalived_off r1
	r2_took_over
	mark r1 && mark r2
	check keepalived_on r1 "$(vr4 150; vr6 150)"
	r1_is_back
	check in_step r1 r2
	check wrote r1 "^SFD add" 2 && check wrote r1 "^SFD" 2
	check wrote r2 "^SFD remove" 2 && check wrote r2 "^SFD" 2
	check answers $VIP4
	check swept
}

# Broken if a crash of the daemon, after which Linux still answers, took its MAC away, or the other router's could not take over.
killed_daemon_leaves_its_mac() {
	pair
	mark r1
	check keepalived_killed r1
	r2_took_over
	check active r1 && check active6 r1
	check wrote r1 . 0
	# It is started again, clears what it finds, and takes over anew.
	check keepalived_on r1 "$(vr4 150; vr6 150)"
	r1_is_back
	check in_step r1 r2
	check swept
}

# Broken if a MAC outlived its link, or came back with the link instead of the address.
parent_down_withdraws() {
	pair 150 nopreempt
	check ip -n r1 link set swp1 down
	check fh r1 wait vmac dev $DEV4 state held timeout 20
	check chip_soon r1 "$(not_in_chip $V5)" && check chip_soon r1 "$(not_in_chip $W5)"
	r2_took_over
	mark r1
	check ip -n r1 link set swp1 up
	check eventually 5000 carrier r1 swp1
	check eventually 10000 mirrored r1
	check backup r1 && check backup6 r1
	check wrote r1 "^SFD" 0
	r2_took_over
	check swept
}

# Broken if a pulled cable did not withdraw.
carrier_loss_withdraws() {
	pair
	check ip -n lan link set swp1 down
	check eventually 5000 sh -c "ip -n r1 link show dev swp1 | grep -q NO-CARRIER"
	check fh r1 wait vmac dev $DEV4 state held timeout 20
	check fh r1 wait vmac dev $DEV6 state held timeout 20
	check chip_soon r1 "$(not_in_chip $V5)" && check chip_soon r1 "$(not_in_chip $W5)"
	r2_took_over
	mark r1
	check ip -n lan link set swp1 up
	check eventually 5000 carrier r1 swp1
	r1_is_back
	check wrote r1 "^SFD add mac $V5" 1 && check wrote r1 "^SFD add mac $W5" 1 && check wrote r1 "^SFD" 2
	check swept
}

# Broken if a virtual router whose device somebody sets down went on attracting.
virtual_device_down_withdraws() {
	pair
	check ip -n r1 link set $DEV4 down
	check backup r1
	check fh_holds r1 "d[0].reason == 'macvlan_down'" vmac dev $DEV4
	check active r2 && check lan_sends $V5 2 && check answers $VIP4
	check active6 r1 && check backup6 r2
	check ip -n r1 link set $DEV4 up
	r1_is_back
	check swept
}

# Broken if the mirrored link-local, which is on the device before the parent's own is announced, made a backup active.
backup_of_ipv6_through_a_flap() {
	pair
	mark r2
	check ip -n r2 link set swp1 down
	check ip -n r2 link set swp1 up
	check eventually 5000 carrier r2 swp1
	check ip -n r2 addr replace 2001:db8:1::2/64 dev swp1 nodad
	check eventually 10000 mirrored r2
	check eventually 10000 settled r2
	check backup r2 && check backup6 r2
	check wrote r2 . 0
	check active r1 && check active6 r1
	check swept
}

# Broken if a reload, which keepalived does by itself when scripts tell it to, touched the chip.
reload_without_a_change_writes_nothing() {
	pair
	mark r1
	: >"$RUN/keepalived-r1.log"
	check reload r1
	check eventually 10000 grep -q -i "Reloading" "$RUN/keepalived-r1.log"
	SEEN=()
	check eventually 10000 adverts_came after_reload 5
	check active r1 && check active6 r1
	check wrote r1 . 0
	check swept
}

# Broken if a reload with another VRID, which edits the MAC of the macvlan while its address is there, removed the old MAC before
# the new one was there, kept the old one, or served the new one while keepalived is a backup again: it begins anew with the VRID.
reload_with_another_vrid() {
	local order
	check keepalived_on r1 "$(vr4 150)"
	check active r1
	mark r1
	check watched r1
	configure r1 "$(vr4 150 | sed 's/virtual_router_id 5/virtual_router_id 7/')"
	check reload r1
	check eventually 20000 grep -q "Deleted .* $VIP4/" "$RUN/monitor-r1.log"
	check eventually 20000 fh_holds r1 "d[0].mac == '$V7' and d[0].vrid == 7" vmac dev $DEV4
	check active r1 $DEV4 $V7
	check leaves_alone r1 $V5
	check chip_holds r1 "[r.vrrp_id_ipv4 for r in d.rifs if r.rif == $RIF1] == [7]"
	unwatched r1
	events r1 | grep -E "chip (SFD|RITR)|kernel .*($DEV4|$VIP4)" | cut -c 1-110 | sed 's/^/# /'
	order=$(written r1 | sed -n 's/^SFD \(.*\) fid.*/\1/p' | tr '\n' ' ')
	# The address goes a few milliseconds after the MAC has changed, and comes back: who looks late misses the one or the other.
	case $order in
	"add mac $V7 remove mac $V5 remove mac $V7 add mac $V7 " | "add mac $V7 remove mac $V5 ") ;;
	"remove mac $V5 add mac $V7 ") note "the agent saw the MAC and the address change at once" ;;
	*) fail "$order" ;;
	esac
	check wrote r1 "^RITR delete" 0
	check lan_sends $V7 1 && check answers $VIP4 $V7
	check swept
}

# Broken if a change of roles touched the interface itself: connections to the router's own address must not notice.
primary_address_keeps_its_connections() {
	mark r1 && mark r2
	start server r1 "$PY" -ISB "$LIB/tcp.py" serve 192.0.2.1 7000
	check eventually 5000 grep -q listening "$RUN/server.log"
	start talk h "$PY" -ISB "$LIB/tcp.py" talk 192.0.2.1 7000
	check eventually 5000 grep -q connected "$RUN/talk.log"
	pair
	for _ in 1 2; do
		check keepalived_off r1
		r2_took_over
		check keepalived_on r1 "$(vr4 150; vr6 150)"
		r1_is_back
	done
	stop talk INT
	note "$(tail -n 1 "$RUN/talk.log")"
	check holds "d.sent > 100 and d.received == d.sent and d.broken is None and d.longest_silence_ms < 3000" <<<"$(tail -n 1 "$RUN/talk.log")"
	check fh_holds r1 "d[0].rif == $RIF1" rif dev swp1 && check fh_holds r2 "d[0].rif == $RIF2" rif dev swp1
	check wrote r1 "^RITR delete" 0 && check wrote r2 "^RITR delete" 0
	check wrote r1 "^SFD remove mac $OWN1" 0
	check swept
}

# Broken if an active router whose advertisements come from its port's own MAC were not served, or not found by the LAN.
advertisements_from_the_base() {
	local line='vmac_xmit_base'
	check watched r1 r2
	check keepalived_on r1 "$(vr4 150 $line; vr6 150 $line)"
	check active r1 && check active6 r1
	check keepalived_on r2 "$(vr4 100 $line; vr6 100 $line)"
	check backup r2 && check backup6 r2
	check lan_sends $V5 1 && check lan_sends $W5 1
	check answers $VIP4
	check keepalived_off r1
	r2_took_over
	unwatched r1 r2
	check_eq "$(sent_by r1)" "$OWN1 " "sources of r1's advertisements"
	check_eq "$(sent_by r2)" "$OWN2 " "sources of r2's advertisements"
	check leaves_alone r1 $V5 && check leaves_alone r1 $W5 $VIP6
	check swept
}

# Broken if anything hung on the range of MACs or on keepalived's names.
mac_and_name_of_ones_own() {
	local mac=02:12:34:56:78:9a
	check keepalived_on r1 "$(instance four 5 150 $VIP4/24 "use_vmac gateway $mac")"
	check active r1 gateway $mac
	check keepalived_on r2 "$(instance four 5 100 $VIP4/24 "use_vmac gateway $mac")"
	check backup r2 gateway $mac
	check lan_sends $mac 1
	check keepalived_off r1
	check active r2 gateway $mac && check leaves_alone r1 $mac && check lan_sends $mac 2
	check answers $VIP4 $mac
	check swept
}

# Broken if an owner, which does not wait, were waited for.
owner_is_active_at_once() {
	INTERVAL=1 # it would take three of them
	check keepalived_on r1 "$(instance four 5 255 $VIP4/24 "use_vmac $DEV4")"
	check chip_soon r1 "'$V5' in macs()" 20000
	check active r1
	INTERVAL=0.2
	check swept
}

# Broken if Linux were bypassed: the packets to the virtual address must go to it, which drops them.
accept_mode_off() {
	check keepalived_on r1 "$(vr4 150 no_accept)"
	check active r1
	check eventually 5000 sh -c "ip netns exec r1 nft list tables | grep -q keepalived"
	frames exchange h:h3 echo4 mac="$HOST" dst_mac=$V5 src=192.0.2.10 dst=$VIP4 limit=0.3 2>/dev/null && fail "$VIP4 answers"
	# What it routes is not what it accepts.
	check answers 198.51.100.10
	check keepalived_off r1
	check swept
	check on r1 sh -c "nft flush ruleset"
}

# Broken if addresses that are not advertised had no route to the CPU, or the last of them kept the MAC.
excluded_addresses() {
	check keepalived_on r1 "$(vr4 150 "virtual_ipaddress_excluded { 192.0.2.253/32
		192.0.2.252/32 }")"
	check active r1
	check active r1 $DEV4 $V5 192.0.2.253 && check active r1 $DEV4 $V5 192.0.2.252
	check answers 192.0.2.252
	check keepalived_off r1
	check leaves_alone r1 $V5 192.0.2.252
	check chip_soon r1 "not [r for r in d.routes if r.prefix.startswith(('192.0.2.25', '$VIP4')) and not r.prefix.startswith('192.0.2.255')]"
	check swept
}

# local_at NS ADDRESS, elsewhere NS ADDRESS: whether the router of NS takes it for its own, when it comes to the MAC of its port.
local_at() { [[ $(arrives "$1" "$(mac_of "$1" swp1)" "$2") == *local_route* ]]; }
elsewhere() { chip_holds "$1" "not [r for r in d.routes if r.prefix in ('$2/32', '$2/128')]" && ! local_at "$1" "$2"; }

# Broken if virtual addresses on the port itself needed a virtual MAC, or left a route to the former active's CPU.
plain_addresses_only() {
	local four="instance four 5" six="instance six 5" vips6="fe80::51 $VIP6/64"
	mark r1 && mark r2
	check keepalived_on r1 "$($four 150 $VIP4/24; $six 150 "$vips6")"
	check eventually 20000 local_at r1 $VIP4 && check eventually 20000 local_at r1 $VIP6
	check keepalived_on r2 "$($four 100 $VIP4/24; $six 100 "$vips6")"
	SEEN=()
	check eventually 10000 adverts_came plain 5
	check elsewhere r2 $VIP4 && check elsewhere r2 $VIP6
	check answers $VIP4 "$OWN1"
	check lan_sends "$OWN1" 1
	check keepalived_off r1
	check eventually 20000 local_at r2 $VIP4 && check eventually 20000 local_at r2 $VIP6
	check in_step r1 && check elsewhere r1 $VIP4 && check elsewhere r1 $VIP6
	check answers $VIP4 "$OWN2" && check answers $VIP6 "$OWN2" 6 2001:db8:1::10
	# No MAC, no slot: the interfaces are as they were.
	check wrote r1 . 0 && check wrote r2 . 0
	check swept
}

# Broken if the daemon computed what becomes of secondary addresses when the primary one goes, instead of asking the kernel.
secondary_addresses_follow_the_kernel() {
	local promote
	for promote in 0 1; do
		check keepalived_on r1 "$(instance four 5 150 "$VIP4/24 192.0.2.253/24")"
		check eventually 20000 local_at r1 192.0.2.253
		check sh -c "ip -n r1 addr show dev swp1 | grep -q '$VIP4.*secondary'"
		check keepalived_killed r1
		check on r1 sh -c "echo $promote >/proc/sys/net/ipv4/conf/swp1/promote_secondaries"
		check ip -n r1 addr del 192.0.2.1/24 dev swp1
		check in_step r1
		if [ $promote = 0 ]; then
			check elsewhere r1 $VIP4 && check elsewhere r1 192.0.2.253
		else
			check local_at r1 $VIP4 && check local_at r1 192.0.2.253
		fi
		check elsewhere r1 192.0.2.1
		check ip -n r1 addr add 192.0.2.1/24 dev swp1
		check swept
	done
}

# Broken if advertisements that are no multicast were trapped as such, lost, or made a backup active.
unicast_peers() {
	local before
	check keepalived_on r1 "$(vr4 150 'unicast_peer { 192.0.2.2 }')"
	check active r1
	check keepalived_on r2 "$(vr4 100 'unicast_peer { 192.0.2.1 }')"
	check backup r2
	before=$(chip r2 "[c.traps.local_route.packets, (c.traps.get('ipv4_vrrp') or {}).get('packets', 0)]")
	check chip_soon r2 "c.traps.local_route.packets > ${before}[0] + 10" 10000
	check chip_holds r2 "(c.traps.get('ipv4_vrrp') or {}).get('packets', 0) == ${before}[1]"
	check backup r2
	check keepalived_off r1
	check active r2 && check leaves_alone r1 $V5 && check lan_sends $V5 2 && check answers $VIP4
	check swept
}

# Broken if IPv6 needed IPv4 beside it, or a hand-over of the one family touched the other's slot.
ipv6_alone() {
	check keepalived_on r1 "$(vr6 150)"
	check active6 r1
	check keepalived_on r2 "$(vr6 100)"
	check backup6 r2
	check chip_holds r1 "[(r.vrrp_id_ipv4, r.vrrp_id_ipv6) for r in d.rifs if r.rif == $RIF1] == [(0, 5)]"
	check lan_sends $W5 1 && check answers $VIP6 $W5 6 2001:db8:1::10
	check keepalived_off r1
	check active6 r2 && check leaves_alone r1 $W5 $VIP6
	check lan_sends $W5 2 && check answers $VIP6 $W5 6 2001:db8:1::10
	check swept
}

# Broken if the old version, whose interval is whole seconds, took another way.
version_2() {
	VERSION=2 INTERVAL=1
	check keepalived_on r1 "$(vr4 250)"
	check active r1
	check keepalived_on r2 "$(vr4 240)"
	check backup r2
	check lan_sends $V5 1
	check keepalived_off r1
	check active r2 && check leaves_alone r1 $V5 && check lan_sends $V5 2 && check answers $VIP4
	VERSION=3 INTERVAL=0.2
	check swept
}

# Broken if keepalived's other kind of device, which shares the port's MAC, cost the chip anything but the addresses.
use_ipvlan() {
	if ! ip -n r1 link add probe link swp1 type ipvlan mode l2 2>/dev/null; then
		skip "no ipvlan in this kernel (selftests/uml has one)"
		return
	fi
	check ip -n r1 link del probe
	mark r1 && mark r2
	check keepalived_on r1 "$(instance four 5 150 $VIP4/24 "use_ipvlan ipv5 192.0.2.101/32")"
	check eventually 20000 local_at r1 $VIP4
	check keepalived_on r2 "$(instance four 5 100 $VIP4/24 "use_ipvlan ipv5 192.0.2.102/32")"
	SEEN=()
	check eventually 10000 adverts_came ipvlan 5
	check fh_holds r1 "d[0].state == 'not_offloaded' and d[0].reason == 'ipvlan_shares_mac'" vmac dev ipv5
	check local_at r1 $VIP4 && check elsewhere r2 $VIP4
	check answers $VIP4 "$OWN1"
	check keepalived_off r1
	check eventually 20000 local_at r2 $VIP4
	check in_step r1 r2
	check elsewhere r1 $VIP4
	check answers $VIP4 "$OWN2"
	check wrote r1 . 0 && check wrote r2 . 0
	check swept
}

# Broken if anything of all this stayed in a chip, or the LAN's had been told anything about the router.
nothing_is_left() {
	check in_step r1 r2 lan
	check chip_holds r1 "len(macs()) == 2 and not any(r.vrrp_id_ipv4 or r.vrrp_id_ipv6 for r in d.rifs)"
	check chip_holds r2 "len(macs()) == 2 and not any(r.vrrp_id_ipv4 or r.vrrp_id_ipv6 for r in d.rifs)"
	check chip_holds lan "not macs() and not [r for r in d.rifs if r.enabled is not False]"
}

routers
tests_run "$@"
