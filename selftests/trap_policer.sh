#!/bin/bash
# The policer of VRRP's traps on a device that has a driver in the kernel: bound, sized, mended and given back through devlink. The
# device is netdevsim with the traps of a switch driver (selftests/uml/flavour); its counters move by themselves.
#
# On a switch: set HANDLE and PORT to the device and a port of it, and POLICER to the policer of the group vrrp.

. "$(dirname "$0")/lib/lib.sh"
case ${FH_UML_FLAVOUR:-} in
mlxsw)
	ALL_TESTS="
		observed_unless_allowed
		sized_at_the_start
		told_in_status_and_doctor
		scripts_of_devlink_lib_work
		grows_with_macvlans
		change_by_somebody_is_mended
		change_by_somebody_is_reported
		back_after_a_reload
		group_leaves_a_shared_policer
		refusal_is_told_and_tried_again
		unreadable_counter_hides_nothing
		given_back
	"
	;;
prestera) ALL_TESTS="policer_that_is_missing_is_told" ;;
*) unable "needs a kernel with VRRP traps in netdevsim (selftests/run --uml=6.12+mlxsw or 6.12+prestera)" ;;
esac
command -v devlink >/dev/null || unable "needs devlink (of iproute2)"

HANDLE=netdevsim/netdevsim10 POLICER=4

# policer_is ID RATE BURST
policer_is() {
	devlink -j trap policer show $HANDLE policer "$1" |
		holds "[(p.policer, p.rate, p.burst) for p in d.trap_policer['$HANDLE']] == [($1, $2, $3)]"
}
# policer_has ID EXPR: it holds of the policer p.
policer_has() { devlink -j trap policer show $HANDLE policer "$1" | holds "all($2 for p in d.trap_policer['$HANDLE'])"; }
bound_to() { devlink -j trap group show $HANDLE group vrrp | holds "d.trap_group['$HANDLE'][0].policer == $1"; }
# row EXPR: it holds of what `status` tells of the device's policer, p.
row() { "${CLIENT[@]}" -j status | holds "[p for p in d.policers if p.device == '$HANDLE' and ($1)]"; }
CLIENT=("$FIRSTHOP" --socket "$RUN/firsthop.sock")
# daemon LINE...: firsthopd with these lines in section [device].
daemon() {
	end_daemon
	printf '%s\n' '[device]' 'audit = 2' "$@" >"$RUN/firsthop.toml"
	"$FIRSTHOPD" -c "$RUN/firsthop.toml" --socket "$RUN/firsthop.sock" >"$RUN/firsthopd.log" 2>&1 &
	PID[agent]=$!
	eventually 5000 answers || give_up "no daemon"
}
end_daemon() { [ -z "${PID[agent]:-}" ] || stop agent; }
answers() { "${CLIENT[@]}" trap >/dev/null 2>&1; }
fresh_device() {
	end_daemon
	rm -f "$RUN"/*.record
	devlink dev reload $HANDLE || fail "no reload"
	check eventually 5000 policer_is $POLICER 256 128
}
# port: the first port of the device
port() { devlink -j port show $HANDLE/0 | json "d.port['$HANDLE/0'].netdev"; }

# Broken if a device were written to without a word from its owner, or nobody were told what would be written.
observed_unless_allowed() {
	fresh_device
	daemon
	check_status 3 "${CLIENT[@]}" diff
	check grep -qF "devlink trap policer set $HANDLE policer $POLICER rate 1024 burst 1024" <("${CLIENT[@]}" diff)
	check grep -qF "manage = true" <("${CLIENT[@]}" diff)
	check policer_is $POLICER 256 128
}

# Broken if a daemon that may did not make the policer large enough, or made another one so.
sized_at_the_start() {
	fresh_device
	daemon "manage = true"
	check eventually 5000 policer_is $POLICER 1024 1024
	check bound_to $POLICER
	check policer_is 5 1 16
	check policer_is 3 3000 512
	check_status 0 "${CLIENT[@]}" diff
}

# Broken if the numbers told were not those of the device, or no evidence were given.
told_in_status_and_doctor() {
	check eventually 5000 row "(p.policer, p.rate, p.burst) == ($POLICER, 1024, 1024) and p.need.routers == 0"
	check grep -qF "$HANDLE: policer $POLICER rate 1024 burst 1024" <("${CLIENT[@]}" doctor | tr '\n' ' ' | tr -s ' ')
}

# Broken if a script that reads `devlink -js` could not read the client with the same words; the paths are those of the kernel's
# devlink_lib.sh: .[][][]["stats"]["rx"]["packets"], .[]["HANDLE"] | length, and the like.
scripts_of_devlink_lib_work() {
	local path="[v for a in d.values() for b in a.values() for v in b]"
	check_eq "$("${CLIENT[@]}" -js trap show $HANDLE trap ipv4_vrrp |
		json "[(v.type, v.action, v.group, 'packets' in v.stats.rx, 'bytes' in v.stats.rx) for v in $path]")" \
		'[["control", "trap", "vrrp", true, true]]' "a trap"
	check_eq "$("${CLIENT[@]}" -jv trap show $HANDLE trap ipv4_vrrp | json "[v.metadata for v in $path]")" '[["input_port"]]' "metadata"
	check_eq "$("${CLIENT[@]}" -j trap | json "len(d.trap['$HANDLE'])")" "$(devlink -j trap | json "len(d.trap['$HANDLE'])")" "traps"
	check_eq "$("${CLIENT[@]}" -j trap group show $HANDLE group vrrp | json "[v.policer for v in $path]")" "[$POLICER]" "policer"
	check_eq "$("${CLIENT[@]}" -j -p trap policer show $HANDLE policer $POLICER | json "[(v.rate, v.burst) for v in $path]")" \
		"[[1024, 1024]]" "size"
	check_eq "$("${CLIENT[@]}" -js trap policer show $HANDLE policer $POLICER | json "[v.stats.rx.dropped >= 0 for v in $path]")" \
		"[true]" "drops"
}

# Broken if backups' macvlans did not count, or the policer stayed as it was.
grows_with_macvlans() {
	local dev n
	dev=$(port)
	ip link set "$dev" up
	for family in 1 2; do
		for n in $(seq 1 255); do
			printf 'link add m%d.%d link %s address 00:00:5e:00:%02x:%02x type macvlan mode private\n' $family "$n" "$dev" $family "$n"
		done
	done | ip -batch - || fail "macvlans"
	check eventually 10000 row "p.need.routers == 510 and p.need.burst == 1020"
	check policer_is $POLICER 1024 1024
	ip link add link "$dev" name second type vlan id 7
	for n in 1 2; do
		ip link add n$n link second address 00:00:5e:00:01:0$n type macvlan mode private
	done
	check eventually 10000 row "p.need.routers == 512"
	check eventually 5000 policer_has $POLICER "p.rate >= 1024 and p.burst >= 2 * 512"
	printf 'link add n3 link second address 00:00:5e:00:01:03 type macvlan mode private\n' | ip -batch -
	check eventually 10000 policer_is $POLICER 1152 2048
	for n in $(seq 1 255); do printf 'link del m1.%d\nlink del m2.%d\n' "$n" "$n"; done | ip -batch -
	ip link del second
	check eventually 10000 row "p.need.routers == 0"
	check policer_is $POLICER 1152 2048
}

# Broken if what somebody set stayed longer than an audit's pause (2 s here), or nobody were told.
change_by_somebody_is_mended() {
	local begun
	fresh_device
	daemon "manage = true"
	check eventually 5000 policer_is $POLICER 1024 1024
	check eventually 5000 row "p.drifts == 0 and 'drift' not in p.reasons"
	devlink trap policer set $HANDLE policer $POLICER rate 7 burst 16
	begun=$(now_ms)
	check eventually 5000 policer_is $POLICER 1024 1024
	note "mended after $(($(now_ms) - begun)) ms"
	devlink trap group set $HANDLE group vrrp policer 3
	check eventually 5000 bound_to $POLICER
	check eventually 5000 row "p.drifts == 2"
	check policer_is 3 3000 512
}

# Broken if the owner's change were undone although the configuration says to tell only.
change_by_somebody_is_reported() {
	fresh_device
	daemon "manage = true" 'drift = "report"'
	check eventually 5000 policer_is $POLICER 1024 1024
	check eventually 5000 row "'drift' not in p.reasons"
	devlink trap policer set $HANDLE policer $POLICER rate 900
	check eventually 5000 row "'drift' in p.reasons and p.rate == 900"
	check policer_is $POLICER 900 1024
	check_status 3 "${CLIENT[@]}" diff
}

# Broken if a reload left the driver's size, or counters that began anew were told as less than nothing.
back_after_a_reload() {
	local begun
	fresh_device
	daemon "manage = true"
	check eventually 5000 policer_is $POLICER 1024 1024
	ip link set "$(port)" up
	check eventually 5000 counted
	check devlink dev reload $HANDLE
	begun=$(now_ms)
	check eventually 5000 policer_is $POLICER 1024 1024
	note "back $(($(now_ms) - begun)) ms after the reload"
	[ $(($(now_ms) - begun)) -le 1000 ] || fail "back after more than a second"
	check eventually 5000 row "p.drifts == 0"
	check eventually 5000 began_anew
	check policer_is 5 1 16
}
counted() { "${CLIENT[@]}" -js trap show $HANDLE trap ipv4_vrrp | holds "d.trap['$HANDLE'][0].stats.rx.packets > 0"; }
began_anew() {
	"${CLIENT[@]}" -js trap show $HANDLE trap ipv4_vrrp |
		holds "[s for s in [t.stats for t in d.trap['$HANDLE']] if s.resets == 1 and s.since_count == 0 and s.get('rate', 0) >= 0]"
}

# Broken if another group's policer were made larger for VRRP, or a free one were bound before it had its size.
group_leaves_a_shared_policer() {
	fresh_device
	devlink trap group set $HANDLE group vrrp policer 3
	daemon "manage = true"
	check eventually 5000 bound_to $POLICER
	check policer_is $POLICER 1024 1024
	check policer_is 3 3000 512
	daemon
	check eventually 5000 bound_to 3
	check eventually 5000 policer_is $POLICER 256 128
}

# knob NAME VALUE: makes netdevsim fail.
knob() { echo "$2" >"/sys/kernel/debug/netdevsim/netdevsim10/$1"; }

# Broken if a refusal were silent, were given up on, or were tried again and again without a pause.
refusal_is_told_and_tried_again() {
	fresh_device
	knob fail_trap_policer_set Y
	daemon "manage = true"
	check eventually 5000 row "p.get('refusal') and p.rate == 256"
	check grep -qF "refused" <("${CLIENT[@]}" doctor)
	check_status 3 "${CLIENT[@]}" diff
	check policer_is $POLICER 256 128
	[ "$(grep -c "devlink trap policer set" "$RUN/firsthopd.log")" -le 20 ] || fail "tried without a pause"
	knob fail_trap_policer_set N
	check eventually 8000 policer_is $POLICER 1024 1024
	check eventually 5000 row "'refusal' not in p"
}

# Broken if one counter that can't be read took traps and policers behind it away: the kernel's dump ends there, as a success.
unreadable_counter_hides_nothing() {
	local traps
	fresh_device
	daemon "manage = true"
	check eventually 5000 policer_is $POLICER 1024 1024
	traps=$("${CLIENT[@]}" -j trap | json "len(d.trap['$HANDLE'])")
	knob fail_trap_policer_counter_get Y
	knob fail_trap_drop_counter_get Y
	check_eq "$("${CLIENT[@]}" -j trap | json "len(d.trap['$HANDLE'])")" "$traps" "traps"
	check_eq "$("${CLIENT[@]}" -js trap policer show $HANDLE policer $POLICER |
		json "[(p.rate, 'stats' in p) for p in d.trap_policer['$HANDLE']]")" "[[1024, false]]" "the policer"
	check row "p.drifts == 0"
	knob fail_trap_policer_counter_get N
	knob fail_trap_drop_counter_get N
	check_eq "$("${CLIENT[@]}" -js trap policer show $HANDLE policer $POLICER |
		json "['stats' in p for p in d.trap_policer['$HANDLE']]")" "[true]" "the policer"
}

# Broken if the driver's values were forgotten by a daemon that was killed, or stayed changed when the owner takes back his word.
given_back() {
	fresh_device
	daemon "manage = true"
	check eventually 5000 policer_is $POLICER 1024 1024
	kill -9 "${PID[agent]}"
	daemon "manage = true"
	check eventually 5000 row "p.rate == 1024 and p.drifts == 0"
	check policer_is $POLICER 1024 1024
	daemon
	check eventually 5000 policer_is $POLICER 256 128
	check bound_to $POLICER
}

# Broken if it were not said that nothing limits VRRP's packets, or another group's policer were taken.
policer_that_is_missing_is_told() {
	daemon "manage = true"
	check eventually 5000 row "'no_policer' in p.reasons and 'policer' not in p"
	check grep -qF "no policer" <("${CLIENT[@]}" doctor)
	check_eq "$(devlink -j trap group show $HANDLE group vrrp | json "'policer' in d.trap_group['$HANDLE'][0]")" false "a policer"
	check_eq "$("${CLIENT[@]}" -js trap show $HANDLE trap vrrp | json "[(t.name, t.generic) for t in d.trap['$HANDLE']]")" \
		'[["vrrp", false]]' "the driver's trap"
}

trap 'end_daemon; echo 10 >/sys/bus/netdevsim/del_device' EXIT
echo "10 2" >/sys/bus/netdevsim/new_device || give_up "no netdevsim device"
tests_run "$@"
