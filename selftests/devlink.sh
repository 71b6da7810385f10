#!/bin/bash
# netlink-packet-devlink against the devlink program: do both read the same from the kernel, before and after changes,
# refusals and reloads?

ALL_TESTS="
	devices_agree
	ports_agree
	versions_agree
	traps_agree
	counters_that_grow_agree
	groups_agree
	policers_agree
	health_agrees
	resources_agree
	eswitch_agrees
	a_control_trap_warns
	limits_are_explained
	refusals_change_nothing
	a_reload_that_fails_is_seen
	everything_agrees_after_a_reload
	a_hundred_devices_leave_nothing_open
"
. "$(dirname "$0")/lib/lib.sh"

DEVLINK_JSON=$BIN/examples/devlink-json
ID=4711 DEVICE=netdevsim/netdevsim4711
BUS=/sys/bus/netdevsim KNOBS=/sys/kernel/debug/netdevsim/netdevsim4711

[ "$(id -u)" = 0 ] && [ -w $BUS/new_device ] && [ -d /sys/kernel/debug/netdevsim ] ||
	unable "needs root, netdevsim and debugfs (selftests/uml has them)"
command -v devlink >/dev/null || unable "iproute2's devlink is not installed"
[ -x "$DEVLINK_JSON" ] || unable "$DEVLINK_JSON is not built (cargo build --release --examples -p netlink-packet-devlink)"

# Standard error stays apart: it has the kernel's text.
ours() { "$DEVLINK_JSON" "$@" 2>"$RUN/ours.err"; }
# theirs ARGUMENT...: the test is skipped when this devlink does not know what it is asked.
theirs() {
	devlink -jsv "$@" 2>"$RUN/theirs.err" && return
	if grep -qE 'is unknown|Unknown option|Unsupported' "$RUN/theirs.err"; then
		skip "this devlink can't: $(head -n 1 "$RUN/theirs.err")"
	fi
	return 1
}

# agree OURS [EXPR] -- THEIRS...: both print the same document, and EXPR holds of it. netdevsim's counters of dropped
# packets grow by one with each object that is read (14 traps share one): ours, read second, must be exactly that much more.
# Which tables use a resource is the answer to another question, which devlink asks too.
agree() {
	local name=$1 expression=True ours theirs
	local -a asked=("$1")
	shift
	if [ "$1" != -- ]; then expression=$1; shift; fi
	shift
	case $name in resource | eswitch) asked+=("$DEVICE") ;; esac
	theirs=$(theirs "$@") || { [ -n "$SKIPPED" ] || fail "devlink $*: $(cat "$RUN/theirs.err")"; return; }
	ours=$(ours "${asked[@]}") || { fail "devlink-json ${asked[*]}: $(cat "$RUN/ours.err")"; return; }
	check holds "$expression" <<<"$ours"
	check holds "(lambda same: same(same, d.ours, d.theirs))(lambda same, a, b:
		a.keys() == b.keys() - {'dpipe_tables'} and all((a[k] - b[k] == d.reads) if k == 'dropped' else same(same, a[k], b[k]) for k in a)
			if isinstance(a, dict) and isinstance(b, dict)
		else len(a) == len(b) and all(same(same, x, y) for x, y in zip(a, b))
			if isinstance(a, list) and isinstance(b, list)
		else type(a) is type(b) and a == b)" <<<"{\"ours\":$ours,\"theirs\":$theirs,\"reads\":${READS:-0}}"
}

# Broken if a device, or how often it was reloaded, were read otherwise than devlink reads it.
devices_agree() { agree dev "list(d.dev) == ['$DEVICE'] and d.dev['$DEVICE'].stats.reload.driver_reinit.unspecified == 0" -- dev show; }

# Broken if a kind of port, its netdev or its numbers were.
ports_agree() {
	agree port "len(d.port) == 4 and {p.flavour for p in d.port.values()} == {'physical'}" -- port show
	if echo 2 >$BUS/devices/netdevsim$ID/sriov_numvfs && devlink dev eswitch set $DEVICE mode switchdev; then
		agree port "{p.flavour for p in d.port.values()} == {'physical', 'pcivf'}" -- port show
		check devlink dev eswitch set $DEVICE mode legacy
		echo 0 >$BUS/devices/netdevsim$ID/sriov_numvfs
	else
		fail "no virtual functions"
	fi
}

# Broken if driver and versions were.
versions_agree() { agree info "d.info['$DEVICE'].versions.running['fw.mgmt']" -- dev info; }

# Broken if names, types, groups, metadata or any counter of traps were; two of these are attributes of number 0.
traps_agree() { READS=14 agree trap "len(d.trap['$DEVICE']) == 14 and all('input_port' in t.metadata for t in d.trap['$DEVICE'])" -- trap show; }

# trapped: some trap's packets were counted
trapped() { ours trap | holds "any(t.stats.rx.packets > 2 for t in d.trap['$DEVICE'])"; }

# Broken if counters were right only while they are 0.
counters_that_grow_agree() {
	local netdev
	netdev=$(ours port | json "d.port['$DEVICE/0'].netdev")
	check ours set-trap $DEVICE blackhole_route trap
	check ip link set "$netdev" up
	check eventually 5000 trapped
	# netdevsim makes packets as long as a port is up.
	check ip link set "$netdev" down
	check eventually 5000 counters_rest
	READS=14 agree trap "any(t.stats.rx.packets > 2 and t.stats.rx.bytes > 100 for t in d.trap['$DEVICE'])" -- trap show
	agree group "any(g.stats.rx.packets > 2 for g in d.trap_group['$DEVICE'])" -- trap group show
}

# counters_rest: half a second, five of netdevsim's rounds, without a packet
counters_rest() {
	local before
	before=$(ours group)
	pause 0.5
	[ "$(ours group)" = "$before" ]
}

# Broken if a group's policer were, bound or not.
groups_agree() {
	agree group "len(d.trap_group['$DEVICE']) == 6" -- trap group show
	check ours set-group $DEVICE l2_drops 3
	agree group "[g.policer for g in d.trap_group['$DEVICE'] if g.name == 'l2_drops'] == [3]" -- trap group show
	check ours set-group $DEVICE l2_drops 0
	agree group "[g.policer for g in d.trap_group['$DEVICE'] if g.name == 'l2_drops'] == [None]" -- trap group show
}

# Broken if a policer's size or what it dropped were.
policers_agree() {
	READS=1 agree policer "len(d.trap_policer['$DEVICE']) == 3" -- trap policer show
	check ours set-policer $DEVICE 2 1234 4096
	READS=1 agree policer "[(p.rate, p.burst) for p in d.trap_policer['$DEVICE'] if p.policer == 2] == [(1234, 4096)]" -- trap policer show
}

# Broken if health reporters were.
health_agrees() { agree health "len(d.health['$DEVICE']) == 2" -- health show; }

# Broken if the tree of resources were, or a size that waits for a reload.
resources_agree() {
	agree resource "{r.name for r in d.resources['$DEVICE']} >= {'IPv4', 'IPv6', 'nexthops'}" -- resource show $DEVICE
	check devlink resource set $DEVICE path IPv4/fib size 100
	agree resource "[c.size_new for r in d.resources['$DEVICE'] if r.name == 'IPv4' for c in r.resources] == [100, None]" -- resource show $DEVICE
	# 2 is IPv4/fib.
	check ours set-resource $DEVICE 2 200
	agree resource "[c.size_new for r in d.resources['$DEVICE'] if r.name == 'IPv4' for c in r.resources] == [200, None]" -- resource show $DEVICE
}

# Broken if the mode of the switch between functions were.
eswitch_agrees() { agree eswitch "d.dev['$DEVICE'].mode == 'legacy'" -- dev eswitch show $DEVICE; }

# Broken if the warning of a success were lost: the trap's action would seem to be set.
a_control_trap_warns() {
	check_status 0 ours set-trap $DEVICE igmp_query drop
	check grep -qx 'Warning: Cannot change action of non-drop traps. Skipping' "$RUN/ours.err"
	check holds "[t.action for t in d.trap['$DEVICE'] if t.name == 'igmp_query'] == ['mirror']" <<<"$(ours trap)"
	check_status 0 ours set-trap $DEVICE tail_drop trap
	check [ ! -s "$RUN/ours.err" ]
}

# refused TEXT ARGUMENT...: the program fails with this text, and no object is other than before.
state() { ours trap | sed 's/"dropped":[0-9]*//g'; ours group; ours policer | sed 's/"dropped":[0-9]*//g'; ours resource $DEVICE; }
refused() {
	local text=$1 before
	shift
	before=$(state)
	check_status 1 ours "$@"
	grep -q -- "$text" "$RUN/ours.err" || fail "$*: '$(cat "$RUN/ours.err")', not '$text'"
	check_eq "$(state)" "$before" "the device's state after $*"
}

# Broken if a refusal lost the kernel's explanation.
limits_are_explained() {
	refused 'Policer rate higher than limit' set-policer $DEVICE 1 90000 128
	refused 'Policer burst size lower than limit' set-policer $DEVICE 1 1000 1
	refused 'Device did not register this trap:' set-trap $DEVICE nosuch trap
	refused 'Device did not register this trap policer' set-group $DEVICE l2_drops 1337
	refused 'No such device' set-trap netdevsim/nosuch tail_drop trap
}

# with KNOB VALUE
knob() { echo "$2" >"$KNOBS/$1" || fail "no knob $1"; }

# Broken if a request that the driver failed had left a half, or could not be repeated.
refusals_change_nothing() {
	knob fail_trap_group_set Y
	refused 'Invalid argument' set-group $DEVICE l3_drops 2
	knob fail_trap_group_set N
	check_status 0 ours set-group $DEVICE l3_drops 2
	agree group "[g.policer for g in d.trap_group['$DEVICE'] if g.name == 'l3_drops'] == [2]" -- trap group show

	knob fail_trap_policer_set Y
	refused 'User setup the operation to fail for testing purposes' set-policer $DEVICE 1 500 256
	knob fail_trap_policer_set N
	check_status 0 ours set-policer $DEVICE 1 500 256
	READS=1 agree policer "[(p.rate, p.burst) for p in d.trap_policer['$DEVICE'] if p.policer == 1] == [(500, 256)]" -- trap policer show

	# A dump ends there, and nobody says so; who asks for the one object is told.
	knob fail_trap_drop_counter_get Y
	refused 'Message too long' get-trap $DEVICE tail_drop
	knob fail_trap_drop_counter_get N
	knob fail_trap_policer_counter_get Y
	refused 'Message too long' get-policer $DEVICE 1
	knob fail_trap_policer_counter_get N
	check holds "d.trap['$DEVICE'][0].name == 'tail_drop'" <<<"$(ours get-trap $DEVICE tail_drop)"
	check holds "d.trap_policer['$DEVICE'][0].rate == 500" <<<"$(ours get-policer $DEVICE 1)"
	READS=14 agree trap -- trap show
	READS=1 agree policer -- trap policer show
}

# Broken if a device without ports and traps, which a failed reload leaves, passed for a sound one.
a_reload_that_fails_is_seen() {
	knob dont_allow_reload Y
	refused 'User forbid the reload for testing purposes' reload $DEVICE
	knob dont_allow_reload N

	knob fail_reload Y
	check_status 1 ours reload $DEVICE
	check grep -q 'User setup the reload to fail for testing purposes' "$RUN/ours.err"
	agree dev "d.dev['$DEVICE'].reload_failed is True" -- dev show
	check_eq "$(ours port; ours trap)" "" "ports and traps of a device whose reload failed"
	knob fail_reload N
	check_status 0 ours reload $DEVICE
	agree dev "d.dev['$DEVICE'].reload_failed is None" -- dev show
}

# Broken if a reload were not said to be done, or counted, or its new objects read otherwise.
everything_agrees_after_a_reload() {
	local before after
	before=$(ours dev | json "d.dev['$DEVICE'].stats.reload.driver_reinit.unspecified")
	check holds "d.reload.reload_actions_performed == ['driver_reinit']" <<<"$(ours reload $DEVICE driver_reinit)"
	agree dev -- dev show
	after=$(ours dev | json "d.dev['$DEVICE'].stats.reload.driver_reinit.unspecified")
	check_eq "$after" $((before + 1)) "reloads"
	agree port "len(d.port) == 4" -- port show
	agree info -- dev info
	READS=14 agree trap "len(d.trap['$DEVICE']) == 14" -- trap show
	agree group -- trap group show
	READS=1 agree policer -- trap policer show
	agree health -- health show
	# The size that was set counts now.
	agree resource "[c.size for r in d.resources['$DEVICE'] if r.name == 'IPv4' for c in r.resources] == [200, 'unlimited']" -- resource show $DEVICE
}

# descriptors: of the watcher
descriptors() { ls "/proc/${PID[watch]}/fd" | wc -l; }
lines() { [ "$(grep -c "^$1 " "$RUN/watch.log")" -ge "$2" ]; }

# Broken if a device that goes left a socket open in a program that runs on, or a notification were lost or not understood.
a_hundred_devices_leave_nothing_open() {
	local before round
	: >"$RUN/watch.log"
	"$DEVLINK_JSON" watch >"$RUN/watch.log" 2>&1 &
	PID[watch]=$!
	check eventually 5000 grep -qx ready "$RUN/watch.log"
	for round in $(seq 100); do
		echo $ID >$BUS/del_device || fail "round $round: not deleted"
		check eventually 5000 lines del "$round" || break
		echo "$ID 4" >$BUS/new_device || fail "round $round: not made"
		check eventually 5000 lines new "$round" || break
		[ "$round" != 1 ] || before=$(descriptors)
	done
	check alive watch
	check_eq "$(descriptors)" "$before" "open files after a hundred devices"
	check_eq "$(grep -vxE "ready|del $DEVICE|new $DEVICE traps 14" "$RUN/watch.log")" "" "what is no device that comes or goes"
	stop watch
	agree port "len(d.port) == 4" -- port show
}

trap 'echo $ID >$BUS/del_device' EXIT
echo "$ID 4" >$BUS/new_device || give_up "netdevsim$ID can't be made"
tests_run "$@"
