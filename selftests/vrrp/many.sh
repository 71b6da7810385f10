#!/bin/bash
# As many virtual routers as VRRP has on one interface, all of one keepalived, on two routers: does each chip have exactly what its
# daemon decided, through start, hand-over, an end that leaves devices behind, crash and reload, and is each thing written once?
# Each test but reload_with_other_vrids begins where the one before ended.

ALL_TESTS="
	all_become_active
	all_start_as_backups
	all_are_handed_over
	devices_left_behind_are_not_programmed
	all_are_taken_back
	killed_with_all
	reload_with_other_vrids
	nothing_is_left
"
. "$(dirname "$0")/../lib/lib.sh"
. "$LIB/routers.sh"
needs_daemon keepalived keepalived

# On a busy machine daemons miss advertisements and change their minds: so records are held against what the kernel said, and what
# stands for machines of their own, chips and daemons, does not wait for a processor with all the rest. The agent does.
VRIDS=${FH_MANY:-255} LIMIT=50000
INTERVAL=1
GLOBAL='vrrp_garp_lower_prio_repeat 0'
at_once() { chrt -a -r -p 10 "$1" 2>/dev/null || note "no real-time priority for $2"; }
# keepalived's own option for that ends it when it works for 10 ms.
many_on() { keepalived_on "$@" && at_once "$(cat "$RUN/$1.vrrp.pid")" "keepalived of $1"; }
# many PRIORITY [FIRST [COUNT]]: the instances, VRID FIRST and so on; the Nth has device vN and address 10.0.N.254.
many() {
	local n
	for ((n = 1; n <= ${3:-VRIDS}; n++)); do instance "i$n" $((${2:-1} + n - 1)) "$1" 10.0.$n.254/32 "use_vmac v$n"; done
}
# set FIRST COUNT: the virtual MACs of those VRIDs, as Python has a set; ours: those that a chip has.
vmacs() { echo "{'00:00:5e:00:01:%02x' % n for n in range(${1:-1}, ${1:-1} + ${2:-$VRIDS})}"; }
OURS="[m for m in macs() if m.startswith('00:00:5e:00:01')]"
# has_all NS [FIRST COUNT], has_none NS: by the chip's records, by the slot, and by frames of some.
has_all() {
	local n
	chip_soon "$1" "sorted($OURS) == sorted($(vmacs "${@:2}"))" $LIMIT || return
	fh "$1" wait synced timeout 60 || return
	chip_holds "$1" "sorted($OURS) == sorted($(vmacs "${@:2}")) and [r.vrrp_id_ipv4 for r in d.rifs if r.vrrp_id_ipv4] == [${2:-1}]" || return
	for n in ${2:-1} $((${2:-1} + ${3:-$VRIDS} / 2)) $((${2:-1} + ${3:-$VRIDS} - 1)); do
		# Tried again: amid a thousand advertisements and ARP requests the one frame may be lost on its way to who looks for it.
		eventually 15000 takes "$1" "$(printf 00:00:5e:00:01:%02x $n)" 10.0.$((n - ${2:-1} + 1)).254 ||
			takes "$1" "$(printf 00:00:5e:00:01:%02x $n)" 10.0.$((n - ${2:-1} + 1)).254 || return
	done
}
has_none() {
	local n
	chip_soon "$1" "$OURS == []" $LIMIT || return
	fh "$1" wait synced timeout 60 || return
	for n in 1 $((VRIDS / 2)) "$VRIDS"; do leaves_alone "$1" "$(printf 00:00:5e:00:01:%02x $n)" 10.0.$n.254 || return; done
	chip_holds "$1" "$OURS == [] and not any(r.vrrp_id_ipv4 for r in d.rifs)"
}
# once NS ADDED REMOVED: since `watch` each record was written at most once a change of its address, and so many were at least.
# interface_writes NS LIMIT: and of the interface no more than so many.
once() {
	unwatched "$1"
	events "$1" >"$RUN/events-$1"
	"$PY" -ISB "$LIB/../vrrp/once.py" "${@:2}" <"$RUN/events-$1"
}
watch() {
	check watched "$@"
	local ns
	for ns; do mark "$ns"; done
}
interface_writes() {
	local number
	number=$(written "$1" | grep -c "^RITR set")
	note "$1: $number writes of the interface"
	[ "$number" -le "$2" ] && wrote "$1" "^RITR delete" 0
}
# lan_has N: the LAN's chip has all of them at router N's port.
lan_has() { chip_soon lan "sorted(r.mac for r in d.fdb if r.port == $1 and r.mac.startswith('00:00:5e:00:01')) == sorted($(vmacs))" $LIMIT; }
policed() { chip "$1" "c.traps.ipv4_vrrp.policed"; }
spent() { note "$1 after $(($(now_ms) - BEGIN)) ms"; }

# Broken if many were written more than once each, or each of them with a write of the interface.
all_become_active() {
	watch r1
	BEGIN=$(now_ms)
	check many_on r1 "$(many 150)"
	check has_all r1
	spent "$VRIDS active"
	check once r1 "$VRIDS" 0
	check interface_writes r1 "$VRIDS"
	check lan_has 1
	check in_step r1
}

# Broken if one of many backups were in the chip for a moment, or the policer dropped their advertisements.
all_start_as_backups() {
	mark r2
	BEGIN=$(now_ms)
	check many_on r2 "$(many 100)"
	check eventually $LIMIT fh_holds r2 "len(d) == $VRIDS and all(v.state == 'held' and v.reason == 'no_address' for v in d)" vmac
	spent "$VRIDS backups"
	# Longer than they would wait for a master that they do not hear.
	check chip_soon r2 "c.traps.ipv4_vrrp.packets > $(chip r2 c.traps.ipv4_vrrp.packets) + 6 * $VRIDS" $LIMIT
	check has_none r2
	check wrote r2 . 0
	check_eq "$(policed r2)" 0 "advertisements dropped by the policer"
	check has_all r1
}

# Broken if a burst of changes lost one, wrote one twice, or wrote the interface for each.
all_are_handed_over() {
	watch r1 r2
	BEGIN=$(now_ms)
	check keepalived_off r1
	spent "r1's keepalived ended"
	check has_all r2
	check has_none r1
	check once r1 0 "$VRIDS"
	check once r2 "$VRIDS" 0
	check interface_writes r1 "$VRIDS"
	check interface_writes r2 "$VRIDS"
	check lan_has 2
	note "r2: all programmed $(tac "$RUN/events-r2" | ms_between "kernel .* v[0-9]+ .*inet 10[.]0" "chip SFD add") ms after ip heard of the last address"
	check in_step r1 r2
}

left_behind() { ip -n r1 -d -j link show type macvlan | json "sum('UP' in l.flags for l in d)"; }
# Broken if what a daemon that was cut short left behind, up and without an address, were programmed, then or with a new interface.
devices_left_behind_are_not_programmed() {
	local left n
	left=$(left_behind)
	note "keepalived left $left devices that are up"
	if [ "$left" = 0 ]; then
		# Then as it would have.
		for ((n = 200; n <= VRIDS; n++)); do
			check macvlan r1 swp1 v$n "$(printf 00:00:5e:00:01:%02x $n)"
		done
	fi
	check has_none r1
	mark r1
	check on r1 sh -c "echo 1 >/proc/sys/net/ipv6/conf/swp1/disable_ipv6"
	check ip -n r1 addr del 192.0.2.1/24 dev swp1
	check fh r1 wait rif dev swp1 state gone timeout 20
	check ip -n r1 addr add 192.0.2.1/24 dev swp1
	check fh r1 wait rif dev swp1 state offload timeout 20
	check on r1 sh -c "echo 0 >/proc/sys/net/ipv6/conf/swp1/disable_ipv6"
	check ip -n r1 addr add 2001:db8:1::1/64 dev swp1 nodad
	check has_none r1
	check wrote r1 "^SFD .* mac 00:00:5e:00:01" 0
	check has_all r2
}

# Broken if devices that were there already, or both sides changing in the same moment, left a MAC in two chips or in none.
all_are_taken_back() {
	watch r1 r2
	BEGIN=$(now_ms)
	check many_on r1 "$(many 150)"
	check has_all r1
	check has_none r2
	spent "taken back"
	check once r1 "$VRIDS" 0
	check once r2 0 "$VRIDS"
	check interface_writes r1 "$VRIDS"
	check interface_writes r2 "$VRIDS"
	check lan_has 1
}

# Broken if a crash took away what Linux still serves, or the other router did not get all.
killed_with_all() {
	watch r1 r2
	BEGIN=$(now_ms)
	check keepalived_killed r1
	check has_all r2
	spent "taken over"
	check has_all r1
	check wrote r1 . 0
	check once r2 "$VRIDS" 0
	unwatched r1
	# Two daemons that both think they are active answer each other's advertisements: more may come then than the policer lets through.
	note "advertisements dropped by the policers in all this: $(policed r1) in r1, $(policed r2) in r2"
	check swept
}

# Broken if MACs that change in place, many at once, left one behind or brought one back. The addresses go a moment after the MACs
# change, and come back when keepalived is active again: an agent that sees both at once has no new record to make before the old
# one goes (vmac:mac_change_is_make_before_break is about that moment).
reload_with_other_vrids() {
	local count=$((VRIDS * 100 / 255)) first
	first=$((count + 1))
	check many_on r1 "$(many 150 1 $count)"
	check has_all r1 1 $count
	mark r1
	BEGIN=$(now_ms)
	configure r1 "$(many 150 $first $count)"
	check reload r1
	check eventually $LIMIT fh_holds r1 "len(d) == $count and all(v.vrid >= $first for v in d)" vmac
	check has_all r1 $first $count
	spent "$count reloaded"
	written r1 | sed -n 's/^SFD \([a-z]*\) mac 00:00:5e:00:01:\(..\).*/\1 \2/p' >"$RUN/records"
	check "$PY" -ISBc "
steps = [(operation, int(octet, 16)) for operation, octet in (line.split() for line in open('$RUN/records'))]
for n in range(1, $count + 1):
    assert steps.count(('remove', n)) == 1, f'VRID {n} is removed {steps.count((\"remove\", n))} times'
    assert ('add', n) not in steps, f'VRID {n} is added again'
made = sum(steps.index(('add', n + $count)) < steps.index(('remove', n)) for n in range(1, $count + 1))
open('$RUN/made', 'w').write(str(made))
"
	note "for $(cat "$RUN/made") of them the new record was there before the old one went"
	check in_step r1
	check swept
}

nothing_is_left() {
	local ns
	for ns in r1 r2; do check chip_holds $ns "len(macs()) == 2 and not any(r.vrrp_id_ipv4 for r in d.rifs)"; done
	check in_step r1 r2 lan
}

routers
for ns in r1 r2 lan; do at_once "${PID[hwsim-$ns]}" "the chip of $ns"; done
tests_run "$@"
