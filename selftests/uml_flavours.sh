#!/bin/bash
# The kernel's devlink core with VRRP traps as drivers register them (selftests/uml/flavour): can what firsthop reads and sets of
# them be read and set, and what does the kernel refuse? The driver is netdevsim: its counters move by themselves.

. "$(dirname "$0")/lib/lib.sh"
case ${FH_UML_FLAVOUR:-} in
mlxsw)
	TRAPS="ipv4_vrrp ipv6_vrrp" GENERIC=True POLICER=4
	ALL_TESTS="
		traps_are_control_traps
		counters_move
		action_of_a_control_trap_stays
		group_takes_a_free_policer
		policer_takes_a_size
		size_outside_the_limits_is_refused
		unknown_policer_is_refused
		reload_brings_the_defaults_back
	"
	;;
prestera)
	TRAPS="vrrp" GENERIC=False POLICER=None
	ALL_TESTS="
		traps_are_control_traps
		counters_move
		action_of_a_control_trap_stays
		group_takes_a_policer_and_gives_it_back
		reload_brings_the_defaults_back
	"
	;;
*) unable "needs a kernel with VRRP traps in netdevsim (selftests/run --uml=6.12+mlxsw or 6.12+prestera)" ;;
esac
command -v devlink >/dev/null || unable "needs devlink (of iproute2)"

HANDLE=netdevsim/netdevsim10

# traps_hold EXPR [OPTION]: EXPR holds of each VRRP trap t that the kernel lists, and these are all of TRAPS.
traps_hold() {
	devlink -s -j trap show | holds "sorted(t.name for t in d.trap['$HANDLE'] if 'vrrp' in t.name) == '$TRAPS'.split() and
		all($1 for t in d.trap['$HANDLE'] if 'vrrp' in t.name)"
}
# group_holds EXPR: it holds of the group g.
group_holds() { devlink -j trap group show $HANDLE group vrrp | holds "[g for g in d.trap_group['$HANDLE'] if $1]"; }
# policer_is ID RATE BURST
policer_is() {
	devlink -j trap policer show $HANDLE policer "$1" |
		holds "[(p.policer, p.rate, p.burst) for p in d.trap_policer['$HANDLE']] == [($1, $2, $3)]"
}
as_registered() {
	traps_hold "t.type == 'control' and t.generic is $GENERIC and t.action == 'trap' and t.group == 'vrrp'" &&
		group_holds "g.generic is True and g.policer == $POLICER" &&
		if [ "$POLICER" != None ]; then policer_is 4 256 128 && policer_is 5 1 16; fi
}
packets() { devlink -s -j trap show $HANDLE trap "$1" | json "d.trap['$HANDLE'][0].stats.rx.packets"; }
more_packets() { [ "$(packets "$1")" -gt "$2" ]; }
# refused TEXT COMMAND...: the command fails, with the kernel's own words.
refused() {
	local output wanted=$1
	shift
	if output=$("$@" 2>&1); then
		fail "not refused: $*"
		return
	fi
	check_eq "$(sed -n 's/^Error: //p' <<<"$output")" "$wanted" "$*"
}
counting() {
	local trap before
	for trap in $TRAPS; do
		before=$(packets "$trap")
		check eventually 2000 more_packets "$trap" "$before"
	done
}

# Broken if the kernel were built without the traps, or with others than that driver's.
traps_are_control_traps() { check as_registered; }

# Broken if a trap were listed that is never reported.
counters_move() { counting; }

# Broken if a control trap could be switched off, or if success were the whole answer: the warning alone tells that nothing changed.
action_of_a_control_trap_stays() {
	local trap output
	for trap in $TRAPS; do
		output=$(devlink trap set $HANDLE trap "$trap" action drop 2>&1) || fail "exit $? of devlink trap set"
		check_eq "$output" "Warning: Cannot change action of non-drop traps. Skipping." "answer"
	done
	check traps_hold "t.action == 'trap'"
	counting
}

# Broken if the group could not leave the policer that the driver gave it, or took another group's with it.
group_takes_a_free_policer() {
	local others
	others=$(devlink -j trap group show | json "[(g.name, g.policer) for g in d.trap_group['$HANDLE'] if g.name != 'vrrp']")
	check_eq "$(json "len(d), [g for g in d if g[1] == 5]" <<<"$others")" "[6, []]" "groups, and those with policer 5"
	check devlink trap group set $HANDLE group vrrp policer 5
	check group_holds "g.policer == 5"
	check_eq "$(devlink -j trap group show | json "[(g.name, g.policer) for g in d.trap_group['$HANDLE'] if g.name != 'vrrp']")" \
		"$others" "policers of the other groups"
	check devlink trap group set $HANDLE group vrrp nopolicer
	check group_holds "g.policer is None"
	check devlink trap group set $HANDLE group vrrp policer 5
	check group_holds "g.policer == 5"
}

# Broken if rate and burst were lost, exchanged, or set on another policer.
policer_takes_a_size() {
	check devlink trap policer set $HANDLE policer 5 rate 1024 burst 512
	check policer_is 5 1024 512
	check devlink trap policer set $HANDLE policer 5 burst 16777216
	check policer_is 5 1024 16777216
	check devlink trap policer set $HANDLE policer 5 rate 2000000000
	check policer_is 5 2000000000 16777216
	check policer_is 4 256 128
}

# Broken if a refusal had no reason, or changed something.
size_outside_the_limits_is_refused() {
	check devlink trap policer set $HANDLE policer 5 rate 1024 burst 512
	refused "Policer rate lower than limit." devlink trap policer set $HANDLE policer 5 rate 0
	refused "Policer rate higher than limit." devlink trap policer set $HANDLE policer 5 rate 2000000001
	refused "Policer burst size lower than limit." devlink trap policer set $HANDLE policer 5 burst 15
	refused "Policer burst size higher than limit." devlink trap policer set $HANDLE policer 5 burst 16777217
	refused "Policer burst size higher than limit." devlink trap policer set $HANDLE policer 5 rate 2048 burst 16777217
	check policer_is 5 1024 512
}

# Broken if a group could be left with a policer that there is not.
unknown_policer_is_refused() {
	local before
	before=$(devlink -j trap group show $HANDLE group vrrp)
	refused "Device did not register this trap policer." devlink trap group set $HANDLE group vrrp policer 6
	check_eq "$(devlink -j trap group show $HANDLE group vrrp)" "$before" "group"
}

# Broken if a group that has no policer from the driver could not get one, or not lose it again.
group_takes_a_policer_and_gives_it_back() {
	check devlink trap group set $HANDLE group vrrp policer 1
	check group_holds "g.policer == 1"
	check devlink trap group set $HANDLE group vrrp nopolicer
	check group_holds "g.policer is None"
}

# Broken if a reload kept what was set: firsthop sets it again after each.
reload_brings_the_defaults_back() {
	if [ "$POLICER" != None ]; then check devlink trap policer set $HANDLE policer 4 rate 7 burst 16; fi
	check devlink trap group set $HANDLE group vrrp policer 3
	! as_registered 2>/dev/null || fail "nothing was changed"
	check devlink dev reload $HANDLE
	check as_registered
}

trap 'echo 10 >/sys/bus/netdevsim/del_device' EXIT
echo "10 1" >/sys/bus/netdevsim/new_device || give_up "no netdevsim device"
port() { devlink -j port show $HANDLE/0 | json "d.port['$HANDLE/0'].netdev"; }
ip link set "$(port)" up || give_up "no port"
tests_run "$@"
