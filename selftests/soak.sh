#!/bin/bash
# Random changes of links, addresses and macvlans on a running switch, for SOAK_SECONDS (600): after each burst the chip must hold
# exactly what a naive rule says, and the daemon must agree. SOAK_SEED repeats a run. Crashes and power cycles are mixed in.

ALL_TESTS="
	random_changes_converge
	nothing_grew
"
. "$(dirname "$0")/lib/lib.sh"

SECONDS_TO_RUN=${SOAK_SECONDS:-600} SEED=${SOAK_SEED:-$(date +%s)}
RANDOM=$SEED
pick() { local -a of=("$@"); echo "${of[RANDOM % ${#of[@]}]}"; }
vmac_of() { printf '00:00:5e:00:01:%02x' "$1"; }

# One random change. What is not possible at the moment (a MAC that is taken, an address that is there) changes nothing.
change() {
	local port=swp$((RANDOM % 4 + 1)) vrid=$((RANDOM % 12 + 1))
	local dev=mv$vrid
	case $((RANDOM % 18)) in
	0 | 1) ip -n r1 addr add 10.0.${port#swp}.$((RANDOM % 3 + 1))/24 dev "$port" ;;
	2) ip -n r1 addr del 10.0.${port#swp}.$((RANDOM % 3 + 1))/24 dev "$port" ;;
	3) ip -n r1 addr flush dev "$port" scope global ;;
	4) ip -n r1 link set "$port" up ;;
	5) ip -n r1 link set "$port" "$(pick up up down)" ;;
	6) ip -n r1 link set "$port" mtu "$(pick 1500 9000 1400)" ;;
	7) ip -n r1 link set "$port" address 02:00:00:00:00:0$((RANDOM % 9 + 1)) ;;
	8 | 9 | 10) ip -n r1 link add "$dev" link "$port" address "$(vmac_of $vrid)" type macvlan mode "$(pick private bridge vepa)" &&
		ip -n r1 link set "$dev" up && ip -n r1 addr add 10.1.$vrid.1/32 dev "$dev" ;;
	11) ip -n r1 link del "$dev" ;;
	12) ip -n r1 link set "$dev" "$(pick up down)" ;;
	13) ip -n r1 link set "$dev" protodown "$(pick on off)" ;;
	14) ip -n r1 addr add 10.1.$vrid.1/32 dev "$dev" ;;
	15) ip -n r1 addr flush dev "$dev" ;;
	16) ip -n r1 link set "$dev" address "$(vmac_of $((RANDOM % 12 + 1)))" ;;
	17) ip -n r1 link set "h${port#swp}" "$(pick up up down)" ;;
	esac 2>/dev/null
}

# What the kernel has against what the chip has; carriers settle within 50 ms, so a difference gets a moment.
agrees() {
	fh r1 wait synced timeout 5 && fh r1 diff >"$RUN/diff" &&
		ip -n r1 -j -d addr show | "$PY" -ISB "$LIB/expected.py" "$(chip_socket r1)"
}

# Broken if any sequence of changes left the chip different from what the kernel's state asks for.
random_changes_converge() {
	local end bursts=0 changes=0 n
	note "seed $SEED, $SECONDS_TO_RUN s"
	end=$(($(now_ms) + SECONDS_TO_RUN * 1000))
	while [ "$(now_ms)" -lt "$end" ]; do
		for ((n = RANDOM % 40; n >= 0; n--)); do
			change
			changes=$((changes + 1))
		done
		bursts=$((bursts + 1))
		case $((RANDOM % 40)) in
		0)
			stop firsthopd-r1 "$(pick KILL TERM)"
			change
			agent r1
			;;
		1) on r1 "$HWSIM" reset >/dev/null ;;
		2) on r1 "$HWSIM" fault add --register "$(pick sfd ritr ralue)" --share 200 --seed $RANDOM --count 10 \
			--action "$(pick status=1 status=112 drop-reply)" >/dev/null ;;
		esac
		if ! eventually 15000 agrees; then
			agrees 2>&1 | tail -n 20 | sed 's/^/# /'
			fail "burst $bursts, after $changes changes: the chip differs from what the kernel's state asks for"
			sed 's/^/# /' "$RUN/diff"
			break
		fi
		check alive hwsim-r1 || break
		check alive firsthopd-r1 || break
		[ $((bursts % 50)) != 0 ] || note "$bursts bursts, $changes changes, $((SECONDS_TO_RUN - (end - $(now_ms)) / 1000)) s"
	done
	note "$bursts bursts, $changes changes"
	check_eq "$(grep -l panicked "$RUN"/*.log)" "" "logs with a panic"
}

# Broken if tables or memory grew with the number of changes.
nothing_grew() {
	local dev port kib
	for dev in $(ip -n r1 -o link show type macvlan | sed 's/^[0-9]*: \([^@:]*\).*/\1/'); do ip -n r1 link del "$dev"; done
	for port in 1 2 3 4; do
		ip -n r1 addr flush dev swp$port
		ip -n r1 link set swp$port down
	done
	on r1 "$HWSIM" fault clear
	check eventually 15000 agrees
	check chip_holds r1 "not macs() and not [r for r in d.rifs if r.enabled] and not [r for r in d.fdb if r.action == 'forward_ip_router']"
	kib=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${PID[firsthopd-r1]}/status")
	note "firsthopd: $kib KiB resident"
	[ "${kib:-999999}" -lt 100000 ] || fail "firsthopd uses $kib KiB"
}

switch r1
for port in 1 2 3 4; do ip -n r1 link set h$port up; done
agent r1
tests_run "$@"
