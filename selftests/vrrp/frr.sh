#!/bin/bash
# FRR's vrrpd with zebra on two routers: its macvlans and their addresses are always there, and proto_down alone says who is active.
# Is that what the chips follow, whatever the kernel says of the link, and does it work with keepalived as the other router?

ALL_TESTS="
	proto_down_decides
	orderly_end_hands_over
	killed_daemon_leaves_its_mac
	backup_through_a_flap_of_the_port
	backup_through_a_flap_of_the_wire
	active_through_a_flap
	priority_moves_it
	router_advertisements_write_nothing
	agent_starts_beside_a_backup
	keepalived_on_the_other_side
	nothing_is_left
"
. "$(dirname "$0")/../lib/lib.sh"
. "$LIB/routers.sh"
needs_daemon $FRR/vrrpd frr
chmod 755 /run "$RUN"

# link_of NS DEV EXPR: of what the kernel says of the link, as l.
link_is() { ip -n "$1" -d -j link show dev "$2" | holds "(lambda l: $3)(d[0])"; }
proto_down() { link_is "$1" "$2" l.proto_down; }
# pair [MS]: r1 is active and r2 its backup, for both families, and all addresses are on both.
pair() {
	check frr_devices r1 && check frr_on r1 200 "${1:-100}" || return
	check active r1 && check active6 r1
	check frr_devices r2 && check frr_on r2 100 "${1:-100}"
	r1_is_active
}
r1_is_active() {
	check active r1 && check active6 r1
	check backup r2 && check backup6 r2
	check lan_sends $V5 1 && check lan_sends $W5 1
	check answers $VIP4 && check answers $VIP6 $W5 6 2001:db8:1::10
	routed_by 1
}
r2_is_active() {
	check active r2 && check active6 r2
	check lan_sends $V5 2 && check lan_sends $W5 2
	check answers $VIP4 && check answers $VIP6 $W5 6 2001:db8:1::10
	routed_by 2
}
# held_by_protodown NS
held_by_protodown() {
	fh_holds "$1" "d[0].state == 'held' and d[0].reason == 'protodown'" vmac dev $DEV4 &&
		fh_holds "$1" "d[0].state == 'held' and d[0].reason == 'protodown'" vmac dev $DEV6
}

# Broken if addresses made a router active, or a backup were served because Linux, which ignores proto_down, would serve it.
proto_down_decides() {
	pair
	check held_by_protodown r2
	check proto_down r2 $DEV4 && check proto_down r2 $DEV6
	check sh -c "ip -n r2 addr show dev $DEV4 | grep -q $VIP4"
	check wrote_nothing_while r2 adverts_came 8
	check swept
}
# adverts_came COUNT: so many more than at the first time that this was asked since `unset SEEN`.
adverts_came() {
	local now
	now=$(chip r2 "(c.traps.get('ipv4_vrrp') or {}).get('packets', 0)")
	: "${SEEN:=$now}"
	[ "$now" -ge $((SEEN + $1)) ]
}
# wrote_nothing_while NS CONDITION...: no record and no interface is written until the condition holds.
wrote_nothing_while() {
	local ns=$1
	shift
	unset SEEN
	mark "$ns"
	eventually 20000 "$@" && wrote "$ns" . 0
}

# Broken if the address, which stays, kept a router active that gave up, or the change took more than one record a MAC.
orderly_end_hands_over() {
	pair
	marked r1 r2
	check frr_off r1
	r2_is_active
	check backup r1 && check backup6 r1
	check held_by_protodown r1
	check in_step r1 r2
	check once_a_change r1 && check once_a_change r2
	# A write of the interface for each slot.
	check [ "$(written r1 | grep -c ^RITR)" -le "$(($(changes r1 on) + $(changes r1 off)))" ]
	check [ "$(written r2 | grep -c ^RITR)" -le "$(($(changes r2 on) + $(changes r2 off)))" ]
	# Back again.
	check frr_on r1 200
	r1_is_active
	check swept
}

# Broken if a crash took the MAC away, or a start after it, when vrrpd first says proto_down, did not work.
killed_daemon_leaves_its_mac() {
	pair
	mark r1
	check frr_killed r1
	r2_is_active
	check active r1 && check active6 r1
	check wrote r1 . 0
	check frr_on r1 200
	r1_is_active
	check in_step r1 r2
	check swept
}

# changes NS WORD: how often zebra was told to set proto_down so since `marked`, for both macvlans.
declare -A LINES=()
marked() {
	local ns
	for ns; do
		mark "$ns"
		LINES[$ns]=$(wc -l <"$RUN/zebra-$ns.log")
	done
}
changes() { tail -n +$((LINES[$1] + 1)) "$RUN/zebra-$1.log" | grep -c "Setting protodown $2"; }
# once_a_change NS: a record is added or removed at most once for each of these.
once_a_change() {
	[ "$(written "$1" | grep -c "^SFD add")" -le "$(changes "$1" off)" ] && [ "$(written "$1" | grep -c "^SFD remove")" -le "$(changes "$1" on)" ] &&
		wrote "$1" "^RITR delete" 0
}
# flapped COMMAND...: after a flap of r2's link, made by the command, it is a backup as before, and nothing was written.
flapped() {
	for _ in 1 2 3; do
		marked r2
		check "$@" || return
		check eventually 10000 carrier r2 swp1
		note "after the flap the kernel says $(ip -n r2 -j link show dev $DEV4 | json "d[0].operstate + ', flags ' + ' '.join(d[0].flags)"), proto_down $(
			ip -n r2 -d -j link show dev $DEV4 | json 'bool(d[0].proto_down)')"
		unset SEEN
		check eventually 20000 adverts_came 5
		check backup r2 && check backup6 r2
		[ "$(changes r2 off)" != 0 ] || break
		note "vrrpd itself was active for a moment: the machine was too slow for it"
	done
	check_eq "$(changes r2 off)" 0 "times that vrrpd was active"
	check proto_down r2 $DEV4 && check proto_down r2 $DEV6 && check held_by_protodown r2
	check wrote r2 "^SFD" 0
	check active r1 && check active6 r1 && check lan_sends $V5 1
}

# Broken if oper state, which comes back `up` with the port although proto_down still holds, made a backup route.
port_flaps() {
	ip -n r2 link set swp1 down && fh r2 wait synced timeout 20 && ip -n r2 link set swp1 up &&
		ip -n r2 addr replace 2001:db8:1::2/64 dev swp1 nodad
}
wire_flaps() {
	ip -n lan link set swp2 down && eventually 5000 sh -c "ip -n r2 link show dev swp1 | grep -q NO-CARRIER" && ip -n lan link set swp2 up
}
backup_through_a_flap_of_the_port() {
	pair 400 # dead after more than a second: what the flap takes is not that
	flapped port_flaps
	check swept
}
backup_through_a_flap_of_the_wire() {
	pair 400
	flapped wire_flaps
	check swept
}

# Broken if an active router whose cable is pulled stayed in the chip, or both were in their chips for good when it is back.
active_through_a_flap() {
	pair
	check ip -n lan link set swp1 down
	check eventually 5000 sh -c "ip -n r1 link show dev swp1 | grep -q NO-CARRIER"
	check chip_soon r1 "$(not_in_chip $V5)" 5000 && check chip_soon r1 "$(not_in_chip $W5)" 5000
	r2_is_active
	check ip -n lan link set swp1 up
	r1_is_active
	check in_step r1 r2
	check swept
}

# Broken if a change of roles that no link and no end announces were missed.
priority_moves_it() {
	pair
	marked r1 r2
	check vtysh_on r1 'configure terminal' 'interface swp1' 'vrrp 5 priority 50'
	r2_is_active
	check backup r1 && check backup6 r1
	check vtysh_on r1 'configure terminal' 'interface swp1' 'vrrp 5 priority 200'
	r1_is_active
	check once_a_change r1 && check once_a_change r2
	check swept
}

# churn COUNT: so many messages of addresses that a router advertisement made came from r2's kernel.
churn() { [ "$(grep -c "$DEV6 .*inet6 .*dynamic\|swp1 .*inet6 .*dynamic" "$RUN/monitor-r2.log")" -ge "$1" ]; }
# Broken if the lifetimes of addresses that the active router's zebra advertises, again and again, were taken for changes.
router_advertisements_write_nothing() {
	local dev
	pair
	check vtysh_on r1 'configure terminal' "interface $DEV6" 'no ipv6 nd suppress-ra' 'ipv6 nd ra-interval msec 200' \
		'ipv6 nd prefix 2001:db8:1::/64'
	check watched r2
	for dev in swp1 $DEV6; do check on r2 sh -c "echo 2 >/proc/sys/net/ipv6/conf/$dev/accept_ra"; done
	check eventually 20000 churn 2
	check in_step r2
	note "$(ip -n r2 -6 -o addr show dynamic | awk '{ print $2, $4 }' | tr '\n' ';')"
	mark r2
	check eventually 30000 churn 8
	check in_step r2
	check wrote r2 . 0
	check_eq "$(routes_written r2)" "" "writes of routes"
	check backup r2 && check backup6 r2
	check active r1 && check active6 r1
	unwatched r2
	for dev in swp1 $DEV6; do check on r2 sh -c "echo 0 >/proc/sys/net/ipv6/conf/$dev/accept_ra"; done
	check ip -n r2 -6 addr flush dev swp1 dynamic
	check swept
}

# Broken if a start of the agent, which asks the kernel for links that may say UP, made a backup active.
agent_starts_beside_a_backup() {
	pair 400
	check port_flaps
	check eventually 10000 carrier r2 swp1
	check eventually 10000 settled r2
	check in_step r2
	mark r2 && mark r1
	stop firsthopd-r1 KILL
	stop firsthopd-r2 KILL
	agent r1
	agent r2
	check wrote r2 . 0 && check wrote r1 . 0
	r1_is_active
	check swept
}

# Broken if two daemons that never saw each other's code could not be each other's backup through the chips: both must hear both.
keepalived_on_the_other_side() {
	command -v keepalived >/dev/null || { skip "keepalived is not installed"; return; }
	check keepalived_on r1 "$(vr4 150; vr6 150)"
	check active r1 && check active6 r1
	check frr_devices r2 && check frr_on r2 100 200
	r1_is_active
	check keepalived_off r1
	r2_is_active
	check gone r1 $DEV4 && check leaves_alone r1 $V5
	check keepalived_on r1 "$(vr4 150; vr6 150)"
	r1_is_active
	check held_by_protodown r2
	check in_step r1 r2
	check swept
}

# Broken if anything of all this stayed in a chip.
nothing_is_left() {
	local ns
	check in_step r1 r2 lan
	for ns in r1 r2; do check chip_holds $ns "len(macs()) == 2 and not any(r.vrrp_id_ipv4 or r.vrrp_id_ipv6 for r in d.rifs)"; done
	check chip_holds lan "not macs() and not [r for r in d.rifs if r.enabled is not False]"
}

# Duplicate address detection takes a second, in which vrrpd has no link-local to speak from: not what this is about.
for ns in r1 r2; do
	namespace $ns
	on $ns sh -c "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad"
done
routers
tests_run "$@"
