#!/bin/bash
# The log, and `firsthop monitor all`: what leads from the kernel to the chip.

ALL_TESTS="
	a_file_gets_logfmt
	a_terminal_gets_lines_for_people
	the_journal_gets_native_fields
	what_heals_is_no_warning
	what_stays_is_a_warning
	monitor_ties_event_and_write
	a_slow_reader_is_told_what_it_missed
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05
LOG=$RUN/firsthopd-r1.log

# Broken if a line of the log could not be parsed, or a virtual MAC came or went without a word.
a_file_gets_logfmt() {
	check macvlan r1 swp1 vrrp5 $V5 192.0.2.254/32
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check grep -qE "^ts=[^ ]+ level=info message=\"Virtual MAC is in the chip\" lower=swp1 mac=$V5 vrid=5 event_id=[0-9]+$" "$LOG"
	check ip -n r1 addr del 192.0.2.254/32 dev vrrp5
	check fh r1 wait vmac dev vrrp5 state held timeout 5
	check grep -q "message=\"Virtual MAC left the chip\" lower=swp1 mac=$V5 vrid=5" "$LOG"
	check_eq "$(grep -vcE '^(ready|ts=[^ ]+ level=(info|warn|error) message=.*)$' "$LOG")" 0 "other lines"
}

# Broken if somebody at a terminal had to read logfmt.
a_terminal_gets_lines_for_people() {
	check namespace r2
	on r2 "$PY" -ISB "$LIB/terminal.py" "$FIRSTHOPD" --socket "$RUN/t.sock" >"$RUN/terminal"
	check grep -qE 'INFO.* Started ' "$RUN/terminal"
	check_eq "$(grep -c level= "$RUN/terminal")" 0 "lines of logfmt"
}

# Broken if a service's fields were lost on the way to the journal.
the_journal_gets_native_fields() {
	local journald=/lib/systemd/systemd-journald
	[ -x $journald ] && [ -s /etc/machine-id ] || skip "no systemd-journald here"
	mkdir -p /run/systemd/journal /run/log/journal
	$journald >"$RUN/journald.log" 2>&1 &
	PID[journald]=$!
	check eventually 5000 journal_listens
	stop firsthopd-r1
	start firsthopd-r1 r1 "$PY" -ISB "$LIB/as_service.py" "$FIRSTHOPD"
	check eventually 10000 fh r1 wait synced timeout 5
	check ip -n r1 addr add 192.0.2.254/32 dev vrrp5
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check eventually 5000 journal_has "FIRSTHOP_VRID=5 PRIORITY=6" "FIRSTHOP_MAC" "\"$V5\""
	check journal_has "FIRSTHOP_VRID=5" "MESSAGE" '"Virtual MAC is in the chip"'
	check journal_has "FIRSTHOP_VRID=5" "FIRSTHOP_LOWER" '"swp1"'
	check_eq "$(grep -c level= "$LOG")" 0 "lines of logfmt beside the journal"
	stop firsthopd-r1
	stop journald
	agent r1
	check ip -n r1 addr del 192.0.2.254/32 dev vrrp5
	check fh r1 wait synced
}
journal_listens() { "$PY" -ISB -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"", "/run/systemd/journal/socket")' 2>/dev/null; }
# journal_has "MATCH..." FIELD VALUE: a line that matches has this JSON value there.
journal_has() {
	# shellcheck disable=SC2086
	journalctl -D /run/log/journal --no-pager -q -o json $1 2>/dev/null | grep -qF "\"$2\":$3"
}

# Broken if a single refusal of the chip, which the next write mends, looked like something to act upon.
what_heals_is_no_warning() {
	local before
	before=$(grep -c level=warn "$LOG")
	check on r1 "$HWSIM" fault add --register sfd --action status=112 --count 1
	check ip -n r1 addr add 192.0.2.254/32 dev vrrp5
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check grep -qE "level=info message=\"Chip refused sfd .* result=" "$LOG"
	check_eq "$(grep -c level=warn "$LOG")" "$before" "warnings"
}

# Broken if a chip that goes on refusing were not worth a warning.
what_stays_is_a_warning() {
	check ip -n r1 addr del 192.0.2.254/32 dev vrrp5
	check fh r1 wait vmac dev vrrp5 state held timeout 5
	check on r1 "$HWSIM" fault add --register sfd --action status=113 --count 1000000
	check ip -n r1 addr add 192.0.2.254/32 dev vrrp5
	check eventually 5000 grep -qE "level=warn message=\"Chip refused sfd .* row=\"vmac swp1 $V5\" content=router result=" "$LOG"
	check on r1 "$HWSIM" fault clear
	check fh r1 wait vmac dev vrrp5 state offload timeout 20
}

# Broken if nobody could tell which event of the kernel led to which write.
monitor_ties_event_and_write() {
	start monitor r1 "$FIRSTHOP" -j monitor all
	check eventually 3000 monitor_is_subscribed
	check ip -n r1 addr del 192.0.2.254/32 dev vrrp5
	check fh r1 wait vmac dev vrrp5 state held timeout 5
	check ip -n r1 addr add 192.0.2.253/32 dev vrrp5
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check eventually 3000 grep -q '"gone","event_id":[0-9]*,"kernel".*192.0.2.254/32' "$RUN/monitor.log"
	check eventually 3000 "$PY" -ISB - "$RUN/monitor.log" $V5 <<-'PY'
		import json, sys
		lines = [json.loads(line) for line in open(sys.argv[1]) if line.strip()]
		mac = sys.argv[2]
		def ids(event, kernel=None, hw=None, vmac=None):
		    return [l.get("event_id") for l in lines if l["event"] == event
		            and (kernel is None or kernel in l.get("kernel", {}).get("text", ""))
		            and (hw is None or hw in l.get("hw", {}).get("row", ""))
		            and (vmac is None or vmac == l.get("vmac", {}).get("state"))]
		left, came = ids("gone", kernel="192.0.2.254/32"), ids("new", kernel="192.0.2.253/32")
		row = f"vmac swp1 {mac}"
		assert len(left) == len(came) == 1, (left, came)
		assert ids("gone", hw=row) == left, (ids("gone", hw=row), left)
		assert ids("new", hw=row) == came, (ids("new", hw=row), came)
		assert came[0] in ids("change", vmac="offload")
		assert all(l["hw"]["result"] == "ok" and l["hw"]["duration_us"] > 0 for l in lines if "hw" in l and "route" not in l["hw"]["row"])
	PY
	while read -r line; do
		echo "$line" >"$RUN/out"
		check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" monitor "$RUN/out"
	done <"$RUN/monitor.log"
	stop monitor
}

# Broken if somebody who does not read were told half a story as if it were whole, or kept the daemon from others.
a_slow_reader_is_told_what_it_missed() {
	local i
	start monitor r1 "$FIRSTHOP" -j monitor all
	check eventually 3000 monitor_is_subscribed
	kill -STOP "${PID[monitor]}"
	for ((i = 0; i < 250; i++)); do
		printf 'link set dev vrrp5 %s\n' up alias\ {a..z} down alias\ {a..z} up alias\ {a..z} down alias\ {a..z}
	done | on r1 ip -batch -
	check fh r1 wait synced timeout 20
	check ip -n r1 link set vrrp5 up
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	kill -CONT "${PID[monitor]}"
	check eventually 10000 grep -q '"left_out":' "$RUN/monitor.log"
	check eventually 10000 last_is_offload
	stop monitor
}
last_is_offload() { grep '"object":"vmac"' "$RUN/monitor.log" | tail -n 1 | grep -q '"state":"offload"'; }

switch r1
agent r1
ip -n r1 link set h1 up
ip -n r1 link set swp1 up
ip -n r1 addr add 192.0.2.1/24 dev swp1
tests_run "$@"
