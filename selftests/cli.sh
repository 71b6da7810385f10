#!/bin/bash
# Command lines: exit codes, output that scripts can read, errors that people can.

ALL_TESTS="
	unknown_words_are_usage_errors
	no_daemon_is_4
	a_taken_socket_names_its_owner
	a_stale_socket_is_replaced
	no_chip_is_named
	time_out_is_5
	difference_is_3
	json_is_one_document
	json_is_as_documented
	monitor_prints_each_change
	text_is_for_people
	configuration_is_checked
	wait_is_a_barrier
	simulator_errors_are_named
	faults_are_reported_and_repaired
	missing_capability_is_named
	words_are_completed
	metrics_are_openmetrics
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05

# one_line STATUS COMMAND...: exits with STATUS, says why on stderr in one line, nothing on stdout.
one_line() {
	local wanted=$1 status=0
	shift
	"$@" >"$RUN/out" 2>"$RUN/err" || status=$?
	[ "$status" = "$wanted" ] || { fail "exit $status, not $wanted: $* ($(head -c 300 "$RUN/err"))"; return; }
	[ ! -s "$RUN/out" ] || fail "output on stdout: $*"
	[ "$(grep -c . "$RUN/err")" = 1 ] || fail "not one line on stderr: $*: $(head -c 500 "$RUN/err")"
}

# Broken if a typing error were taken for something else, or answered with a page of text.
unknown_words_are_usage_errors() {
	one_line 1 "$FIRSTHOP" -n r1 nonsense
	one_line 1 "$FIRSTHOP" -n r1 --nonsense rif
	one_line 1 "$FIRSTHOP" -n r1 rif nonsense
	one_line 1 "$FIRSTHOP" -n r1 rif show dev
	one_line 1 "$FIRSTHOP" -n r1 vmac vrid 0
	one_line 1 "$FIRSTHOP" -n r1 vmac vrid 256
	one_line 1 "$FIRSTHOP" -n r1 route get
	one_line 1 "$FIRSTHOP" -n r1 route 10.0.0.1/8
	one_line 1 "$FIRSTHOP" -n r1 neigh 192.0.2.0/24
	one_line 1 "$FIRSTHOP" -n r1 explain route swp1
	one_line 1 "$FIRSTHOP" -n r1 wait nonsense
	one_line 1 "$FIRSTHOP" -n r1 wait synced timeout never
	one_line 1 "$FIRSTHOP" -n r1 explain
	one_line 2 "$FIRSTHOP" -n r1 explain nosuchdev
	one_line 2 "$FIRSTHOP" -n r1 rif dev nosuchdev
	one_line 2 "$FIRSTHOP" -n r1 route dev nosuchdev
	one_line 2 "$FIRSTHOP" -n r1 route vrf swp1
	one_line 2 "$FIRSTHOP" -n r1 route get 203.0.113.9
	one_line 2 "$FIRSTHOP" -n r1 explain 203.0.113.0/24
	one_line 1 "$FIRSTHOPD" --nonsense
	one_line 1 "$FIRSTHOPD" nonsense
	one_line 1 "$HWSIM" nonsense
	one_line 1 "$HWSIM" run --nonsense
	one_line 1 "$HWSIM" run --ports 1024
	one_line 1 "$HWSIM" run --ports 0
	one_line 1 "$HWSIM" run --personality nosuchchip
}

# Broken if a script could not tell "no daemon" from other failures.
no_daemon_is_4() {
	one_line 4 "$FIRSTHOP" -n nowhere rif
	one_line 4 "$FIRSTHOP" --socket "$RUN/nothing" -j status
	one_line 4 "$FIRSTHOP" --socket "$RUN/nothing" wait synced timeout 1
	one_line 4 "$FIRSTHOP" --socket "$RUN/nothing" diff
}

# Broken if two daemons took one socket, or the second did not say whose it is.
a_taken_socket_names_its_owner() {
	check_status 2 on r1 timeout 10 "$FIRSTHOPD"
	on r1 timeout 10 "$FIRSTHOPD" 2>&1 | grep -q "${PID[firsthopd-r1]}" || fail "the pid ${PID[firsthopd-r1]} is not named"
	check_status 2 on r1 timeout 10 "$HWSIM" run
	on r1 timeout 10 "$HWSIM" run 2>&1 | grep -q "${PID[hwsim-r1]}" || fail "the pid ${PID[hwsim-r1]} is not named"
	check fh r1 wait synced timeout 5
}

# Broken if a crash left a socket that keeps the next daemon from starting.
a_stale_socket_is_replaced() {
	stop firsthopd-r1 KILL
	check test -S /run/firsthop/r1/firsthop.sock
	one_line 4 "$FIRSTHOP" -n r1 rif
	agent r1
	check_status 0 fh r1 diff
}

# Broken if a daemon that was told of a chip that is not there went on as if nothing were, or said nothing.
no_chip_is_named() {
	local status=0
	namespace r9
	on r9 timeout 5 "$FIRSTHOPD" --hwsim "$RUN/no-chip.sock" --socket "$RUN/no-chip-daemon.sock" >"$RUN/no-chip" 2>&1 || status=$?
	note "exit $status: $(head -n 1 "$RUN/no-chip")"
	case $status in
	2 | 124) grep -q no-chip.sock "$RUN/no-chip" || fail "the chip's socket is not named" ;;
	*) fail "exit $status" ;;
	esac
}

# Broken if `wait` hung, or came back early, or with another code.
time_out_is_5() {
	local begin
	begin=$(now_ms)
	check_status 5 fh r1 wait vmac dev nothing state offload timeout 0.3
	[ $(($(now_ms) - begin)) -ge 280 ] && [ $(($(now_ms) - begin)) -lt 2000 ] || fail "took $(($(now_ms) - begin)) ms, not 300"
	check_status 0 fh r1 wait vmac dev nothing state gone timeout 0.3
	check_status 0 fh r1 wait synced timeout 1
}

# Broken if `diff` did not see what somebody else changed in the chip, or `explain` called it right.
difference_is_3() {
	check_status 0 fh r1 diff
	check on r1 "$HWSIM" fault add --register sfd --action status=112 --count 1000000
	check macvlan r1 swp1 refused 00:00:5e:00:01:09 192.0.2.209/32
	check fh r1 wait vmac dev refused state failed timeout 5
	check_status 3 fh r1 diff
	check_status 3 fh r1 explain refused
	check on r1 "$HWSIM" fault clear
	check fh r1 wait vmac dev refused state offload timeout 20
	check_status 0 fh r1 diff
	check_status 0 fh r1 explain refused
	check ip -n r1 link del refused
}

# Broken if a script could not parse an answer.
json_is_one_document() {
	local object
	for object in rif vmac route neigh port trap resource status diff "explain vrrp5"; do
		fh r1 -j $object >"$RUN/out" || fail "exit $?: $object"
		check holds True <"$RUN/out"
		fh r1 -j -p $object >"$RUN/pretty" || fail "exit $?: -p $object"
		[ "$(wc -l <"$RUN/pretty")" -gt 1 ] || [ "$(cat "$RUN/pretty")" = "[]" ] || fail "-p changes nothing: $object"
		check holds True <"$RUN/pretty"
	done
	check fh_holds r1 "d == []" rif dev swp4
	check fh_holds r1 "[r.state for r in d if r.dst == '192.0.2.0/24'] == ['offload']" route
	check fh_holds r1 "[p.local_port for p in d] == [1, 2, 3, 4] and d[0].ifname == 'swp1' and d[0].carrier is True" port
	check fh_holds r1 "d.synced is True and d.transit.startswith('hardware (') and d.routes.offload >= 1 and d.rifs.offload >= 1" status
	check "$PY" -ISB -c "import json,sys; json.load(open(sys.argv[1]))" <(on r1 "$HWSIM" dump -j)
	check "$PY" -ISB -c "import json,sys; json.load(open(sys.argv[1]))" <(on r1 "$HWSIM" counters -j)
}

# Broken if docs/json.md showed members that are not there, or left some out.
json_is_as_documented() {
	local object
	check macvlan r1 swp1 backup 00:00:5e:00:01:07
	for object in rif vmac port trap resource status diff explain doctor; do
		case $object in
		trap) fh r1 -j -s trap >"$RUN/out" ;;
		explain) fh r1 -j explain backup >"$RUN/out" ;;
		*) fh r1 -j $object >"$RUN/out" ;;
		esac
		check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" $object "$RUN/out"
	done
	on r1 "$HWSIM" dump -j >"$RUN/out"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "hwsim dump" "$RUN/out"
	on r1 "$HWSIM" counters -j >"$RUN/out"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "hwsim counters" "$RUN/out"
	check ip -n r1 link del backup
}

# Broken if a program that follows changes missed one, or could not parse a line.
monitor_prints_each_change() {
	local line
	start monitor r1 "$FIRSTHOP" -j monitor
	check eventually 3000 monitor_is_subscribed
	check macvlan r1 swp1 seen 00:00:5e:00:01:0c 192.0.2.212/32
	check fh r1 wait vmac dev seen state offload timeout 5
	check ip -n r1 link del seen
	check eventually 3000 grep -q '"gone".*"seen"' "$RUN/monitor.log"
	check_eq "$(grep '"seen"' "$RUN/monitor.log" | json_lines "d.event + ' ' + d.vmac.state" | sed -n '1p;$p' | cut -d ' ' -f 1 | tr '\n' ' ')" \
		"new gone " "first and last event"
	check grep -q '"seen".*"offload"' "$RUN/monitor.log"
	while read -r line; do
		echo "$line" >"$RUN/out"
		check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" monitor "$RUN/out"
	done <"$RUN/monitor.log"
	stop monitor
}
json_lines() { while read -r line; do json "$1" <<<"$line"; done; }

# Broken if the tables for people lacked what they are for, or were coloured in a pipe.
text_is_for_people() {
	local object
	for object in rif vmac route neigh port trap resource status diff "explain vrrp5"; do
		check fh r1 $object
		! fh r1 $object | grep -q "$(printf '\033')" || fail "escape sequences in a pipe: $object"
	done
	check grep -q "$V5" <(fh r1 vmac)
	check grep -q "swp1" <(fh r1 -br rif)
	check grep -q "ipv4_vrrp" <(fh r1 trap)
	check "$FIRSTHOP" --help
	check "$FIRSTHOPD" --help
	check "$HWSIM" --help
	check "$FIRSTHOP" --version
}

# Broken if a wrong configuration were found out only by running it.
configuration_is_checked() {
	printf 'no_such_key = 1\n' >"$RUN/bad.toml"
	printf '' >"$RUN/good.toml"
	check_status 0 "$FIRSTHOPD" --check-config -c "$RUN/good.toml"
	check_status 1 "$FIRSTHOPD" --check-config -c "$RUN/bad.toml"
	check grep -q no_such_key <("$FIRSTHOPD" --check-config -c "$RUN/bad.toml" 2>&1)
	check_status 1 "$FIRSTHOPD" --check-config -c "$RUN/no-such-file.toml"
}

# Broken if an answer could miss what the kernel had acknowledged before the question.
wait_is_a_barrier() {
	local round
	for round in $(seq 1 30); do
		ip -n r1 addr add 198.51.100.$round/32 dev swp4
		fh_holds r1 "any(r.ifname == 'swp4' for r in d)" rif || { fail "round $round: no swp4"; return; }
		ip -n r1 addr del 198.51.100.$round/32 dev swp4
		fh_holds r1 "not any(r.ifname == 'swp4' and r.state == 'offload' for r in d)" rif || { fail "round $round: swp4 stays"; return; }
	done
}

# Broken if the simulator's client failed without saying why.
simulator_errors_are_named() {
	one_line 4 "$HWSIM" dump --socket "$RUN/nothing"
	check_status 0 on r1 "$HWSIM" dump
	check_status 0 on r1 "$HWSIM" counters
	check_status 0 on r1 "$HWSIM" trace swp1 "$(frames build echo4 mac=02:00:00:00:00:99 dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254)"
	check grep -qi "router\|ip2me\|local_route" <(on r1 "$HWSIM" trace swp1 \
		"$(frames build echo4 mac=02:00:00:00:00:99 dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254)")
	one_line 2 on r1 "$HWSIM" trace swp99 00
}

# Broken if a write that fails once, or an answer that is lost, left the chip wrong or the daemon unaware.
faults_are_reported_and_repaired() {
	local action
	for action in status=112 status=1 drop-reply; do
		check on r1 "$HWSIM" fault add --register sfd --nth 1 --action "$action" --count 1
		check macvlan r1 swp1 faulty 00:00:5e:00:01:0a 192.0.2.210/32
		check fh r1 wait vmac dev faulty state offload timeout 20
		check_status 0 fh r1 diff
		check chip_holds r1 "'00:00:5e:00:01:0a' in macs()"
		check ip -n r1 link del faulty
		check fh r1 wait vmac dev faulty state gone timeout 20
		check on r1 "$HWSIM" fault clear
	done
	check chip_holds r1 "'00:00:5e:00:01:0a' not in macs()"
	# A record that the chip does not take, without an error: no space. It waits for space.
	check on r1 "$HWSIM" fault add --register sfd --nth 1 --action short-num-rec --count 1
	check macvlan r1 swp1 faulty 00:00:5e:00:01:0a 192.0.2.210/32
	check fh r1 wait vmac dev faulty state refused timeout 5
	check fh_holds r1 "d[0].reason == 'fdb_full'" vmac dev faulty
	check macvlan r1 swp1 another 00:00:5e:00:01:0b 192.0.2.211/32
	check ip -n r1 link del another
	check fh r1 wait vmac dev faulty state offload timeout 5
	check ip -n r1 link del faulty
	check fh_holds r1 "d.hw.failures >= 3 and d.hw.pending == 0" status
}

# Broken if a program without CAP_NET_ADMIN failed without a word, or refused work that it can do without.
missing_capability_is_named() {
	local -a without=(setpriv --bounding-set=-net_admin --inh-caps=-net_admin)
	switch r8
	start firsthopd-r8 r8 "${without[@]}" "$FIRSTHOPD"
	check eventually 5000 fh r8 wait synced timeout 5
	check ip -n r8 addr add 192.0.2.1/24 dev swp1
	check fh r8 wait rif dev swp1 state offload timeout 5
	check grep -q "CAP_NET_ADMIN" "$RUN/firsthopd-r8.log"
	check grep -q "CAP_NET_ADMIN" <(fh r8 doctor)
	namespace r7
	one_line 2 on r7 timeout 10 "${without[@]}" "$HWSIM" run
	check grep -q "not permitted" "$RUN/err"
}

# completed WORD...: what follows the words; the last one has been begun, and may be empty.
completed() {
	bash -c '. "$1"; client=$2; firsthop() { "$client" "$@"; }; shift 2
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _firsthop; echo "${COMPREPLY[*]}"' \
		- "$ROOT/agent/dist/firsthop.bash" "$FIRSTHOP" firsthop "$@" 2>&1
}

# Broken if the shell offered words that the client does not take, or forgot one, or names of another switch.
words_are_completed() {
	local object
	check_eq "$(completed '')" "$(fh r1 help | sed -n '/^OBJECT:/,/^$/s/^  \([a-z]*\) .*/\1/p' | paste -sd' ')" "objects"
	check_eq "$(completed -j st)" status "an object that was begun"
	check_eq "$(completed -n r1 vmac dev vr)" vrrp5 "a macvlan"
	check_eq "$(completed -n r1 v dev '')" vrrp5 "a macvlan of a shortened object"
	check_eq "$(completed -n r1 vmac lower '')" swp1 "a device below"
	check_eq "$(completed -n r1 vmac vrid '')" 5 "a VRID"
	check_eq "$(completed -n r1 explain sw)" swp1 "a device"
	check_eq "$(completed -n r1 route sh)" show "the verb of routes"
	check_eq "$(completed -n r1 route table ma)" main "a table"
	check_eq "$(completed -n r1 port dev swp)" "swp1 swp2 swp3 swp4" "a port"
	check_eq "$(completed -n r1 trap show trap ipv4_v)" ipv4_vrrp "a trap"
	check_eq "$(completed -n r1 trap group vr)" vrrp "a trap group"
	check_eq "$(completed -n nowhere vmac dev '')" "" "names without a daemon"
	for object in offload held not_offloaded; do
		check_status 5 fh r1 wait vmac dev nosuch state $object timeout 0
		[[ " $(completed wait vmac dev vrrp5 state '') " == *" $object "* ]] || fail "$object is not offered"
	done
}

# Broken if a collector could not read them, or they said something else than the tables.
metrics_are_openmetrics() {
	local told
	fh r1 metrics >"$RUN/metrics" || { fail "exit $?"; return; }
	told=$("$PY" -ISB - "$RUN/metrics" 2>&1 <<-'END'
		import json, re, sys
		kinds, samples, ended = {}, {}, False
		for line in open(sys.argv[1]):
		    line = line.rstrip("\n")
		    assert not ended, "something after the end"
		    if line == "# EOF":
		        ended = True
		    elif line.startswith("# TYPE "):
		        _, _, name, kind = line.split(" ")
		        assert name not in kinds, name
		        kinds[name] = kind
		    elif not line.startswith("# HELP "):
		        found = re.fullmatch(r'(firsthop_[a-z_]+)((?:\{(?:[a-z_]+="[^"]*",?)+\})?) (-?[0-9.]+)', line)
		        assert found, line
		        name = found[1]
		        family = next((f for f in (name, re.sub("_(total|info)$", "", name)) if f in kinds), None)
		        assert family, name
		        suffix = {"counter": "_total", "info": "_info", "gauge": ""}[kinds[family]]
		        assert name == family + suffix, name
		        assert found[1] + found[2] not in samples, line
		        samples[found[1] + found[2]] = float(found[3])
		assert ended
		print(json.dumps(samples))
	END
	) || { fail "$told"; return; }
	check holds 'd["firsthop_synced"] == 1 and d["firsthop_hw_connected"] == 1 and d["firsthop_vmacs{state=\"offload\"}"] == 1' <<<"$told"
	check holds "d['firsthop_hw_operations_total'] == $(fh r1 -j status | json d.hw.writes)" <<<"$told"
	check holds "d['firsthop_resource_used{device=\"hwsim/0\",resource=\"rifs\"}'] == 1" <<<"$told"
	check holds "'firsthop_devlink_trap_received_packets_total{device=\"hwsim/0\",trap=\"ipv4_vrrp\"}' in d" <<<"$told"
	one_line 4 "$FIRSTHOP" -n nowhere metrics
}

switch r1
host h1 r1 1 192.0.2.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 link set swp1 up
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
agent r1
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
fh r1 wait synced timeout 5 >/dev/null || give_up "not in sync"
tests_run "$@"
