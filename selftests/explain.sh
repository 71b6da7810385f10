#!/bin/bash
# `firsthop explain`: does it say for every device why it is or is not in the chip, in words, with something to do about it, and is
# the device in the chip once that is done? Devices that need VLANs, bonds or VRFs are in rif_vetoes.

ALL_TESTS="
	in_the_chip
	held_for_each_reason
	the_fix_brings_it_in
	not_the_chips
	waits_for_somebody_else
	failed_by_the_chip
	text_fits_a_terminal
	devices_that_do_not_exist
"
. "$(dirname "$0")/lib/lib.sh"

# told DEV STATUS STATE REASON: explain exits with STATUS and says so, with a condition that decides, unless nothing is wrong.
told() {
	local dev=$1 wanted=$2 state=$3 reason=$4 status=0 answer decides="len([c for c in d.conditions if c.decides])"
	answer=$(fh r1 -j explain "$dev") || status=$?
	check_eq "$status" "$wanted" "exit code of explain $dev"
	if [ "$reason" = - ]; then
		check holds "d.state == '$state' and d.reason is None and $decides == 0" <<<"$answer"
	else
		check holds "d.state == '$state' and d.reason == '$reason' and d.sentence and d.effect and d.fix and $decides <= 1" <<<"$answer"
	fi
	# the table and the explanation must not tell two things
	check fh_holds r1 "all(r.state == '$state' and r.reason == (None if '$reason' == '-' else '$reason') for r in d)" vmac dev "$dev"
}

# Broken if something that is in the chip were explained as if it were not, or its place were not told.
in_the_chip() {
	check macvlan r1 swp1 v5 00:00:5e:00:01:05 192.0.2.254/24
	check fh r1 wait vmac dev v5 state offload timeout 5
	told v5 0 offload -
	check fh_holds r1 "d.object == 'rif' and d.state == 'offload' and d.place" explain swp1
	check fh_holds r1 "d.object == 'vmac' and d.place and all(c.holds for c in d.conditions)" explain v5
	check ip -n r1 link del v5
}

# Broken if a backup's macvlan were called wrong, or the reason were another than the first that does not hold.
held_for_each_reason() {
	check macvlan r1 swp1 v7 00:00:5e:00:01:07
	told v7 0 held no_address
	check ip -n r1 link set v7 down
	told v7 0 held macvlan_down
	check ip -n r1 link set v7 up
	check ip -n r1 addr add 192.0.2.207/24 dev v7
	check fh r1 wait vmac dev v7 state offload timeout 5
	check ip -n r1 link set v7 protodown on
	check fh r1 wait vmac dev v7 state held timeout 5
	told v7 0 held protodown
	check ip -n r1 link set v7 protodown off
	check fh r1 wait vmac dev v7 state offload timeout 5
	check ip -n r1 link set swp1 down
	check fh r1 wait vmac dev v7 state held timeout 5
	told v7 0 held lower_down
	check ip -n r1 link set swp1 up
	check eventually 3000 carrier r1 swp1
	check ip -n r1 link del v7
	check macvlan r1 swp3 v8 00:00:5e:00:01:08
	told v8 0 held no_rif
	check ip -n r1 link del v8
}

# Broken if the fix were a sentence that nobody can follow.
the_fix_brings_it_in() {
	local fix
	check macvlan r1 swp1 v9 00:00:5e:00:01:09
	fix=$(fh r1 -j explain v9 | json "d.fix")
	grep -q "ip addr add ADDR dev v9" <<<"$fix" || fail "no command for v9 in: $fix"
	check ip -n r1 addr add 192.0.2.209/24 dev v9
	check fh r1 wait vmac dev v9 state offload timeout 5
	told v9 0 offload -
	check ip -n r1 link del v9
}

# Broken if a device that the chip has nothing to do with looked like a fault.
not_the_chips() {
	check ip -n r1 link add d0 type veth peer name d1
	check ip -n r1 link set d1 up
	check ip -n r1 link set d0 up
	check ip -n r1 addr add 203.0.113.1/24 dev d0
	check macvlan r1 d0 v10 00:00:5e:00:01:0a 203.0.113.254/24
	told v10 0 not_offloaded lower_not_asic
	check fh_holds r1 "d.state == 'not_offloaded' and d.reason == 'lower_not_asic'" explain d0
	check ip -n r1 link del d0
	check ip -n r1 link add v11 link swp3 type macvlan mode passthru
	told v11 0 not_offloaded macvlan_passthru
	check ip -n r1 link del v11
}

# Broken if a MAC that somebody else's entry holds were called programmed, or its owner were not named as the one to go.
waits_for_somebody_else() {
	check macvlan r1 swp1 v12 00:00:5e:00:01:0c
	check ip -n r1 link set v12 address "$(mac_of r1 swp2)"
	check ip -n r1 addr add 192.0.2.212/24 dev v12
	check fh r1 wait synced timeout 5
	fh r1 -j explain v12 >"$RUN/out"
	check holds "d.state in ('offload', 'refused') and (d.state == 'offload' or d.fix)" <"$RUN/out"
	check ip -n r1 link del v12
}

# Broken if a refusal of the chip were hidden, or were the end.
failed_by_the_chip() {
	check on r1 "$HWSIM" fault add --register sfd --action status=112 --count 1000000
	check macvlan r1 swp1 v13 00:00:5e:00:01:0d 192.0.2.213/24
	check fh r1 wait vmac dev v13 state failed timeout 5
	told v13 3 failed hw_error
	check fh_holds r1 "'0x70' in d.chip" explain v13
	check on r1 "$HWSIM" fault clear
	check fh r1 wait vmac dev v13 state offload timeout 20
	told v13 0 offload -
	check ip -n r1 link del v13
}

# Broken if a person at a terminal of 80 columns had to read cut lines.
text_fits_a_terminal() {
	local dev
	check macvlan r1 swp1 v14 00:00:5e:00:01:0e
	for dev in v14 swp1 swp4 lo; do
		fh r1 explain $dev >"$RUN/out" || fail "exit $? of explain $dev"
		check_eq "$(awk 'length > 80' "$RUN/out")" "" "lines of explain $dev longer than 80"
		! grep -q $'\x1b' "$RUN/out" || fail "colours in a pipe"
	done
	check ip -n r1 link del v14
}

# Broken if a typing error were explained.
devices_that_do_not_exist() {
	check_status 2 fh r1 explain v15
	check_status 1 fh r1 explain
}

switch r1
host h1 r1 1 192.0.2.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 198.51.100.1/24 dev swp2
for port in 1 2 3; do ip -n r1 link set swp$port up; done
agent r1
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
fh r1 wait synced timeout 5 >/dev/null || give_up "not in sync"
tests_run "$@"
