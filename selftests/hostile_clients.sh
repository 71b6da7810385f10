#!/bin/bash
# Clients that flood, never read, send halves or what is too long, and come by the thousand: is a virtual MAC programmed as fast as
# without them, are others still served, and does nothing grow? At the daemon's socket, where anybody may ask, and at the simulator's.

ALL_TESTS="
	a_user_gets_a_share_of_connections
	requests_and_messages_have_limits
	who_watches_cannot_fill_the_memory
	virtual_macs_are_not_delayed
	registers_come_before_documents
	nothing_grew
	a_crowd_at_the_simulator
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05
CHANGES=50
AGENT=/run/firsthop/r1/firsthop.sock
hostile() { "$PY" -ISB "$LIB/hostile.py" "$@"; }
# resident NAME, files NAME: KiB of memory, open descriptors.
resident() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${PID[$1]}/status"; }
files() { ls "/proc/${PID[$1]}/fd" | wc -l; }
# as UID COMMAND...
as() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }

# Broken if one user could keep others or root out, or who is turned away were not told why.
a_user_gets_a_share_of_connections() {
	start crowd r1 "$PY" -ISB "$LIB/hostile.py" crowd $AGENT 1000 65501
	check eventually 20000 grep -q inside "$RUN/crowd.log"
	note "$(tail -n 1 "$RUN/crowd.log")"
	check holds 'd.inside == 32 and d.told.get("TooMany 32 connections of one user") == 968' <<<"$(tail -n 1 "$RUN/crowd.log")"
	check fh r1 status
	check as 65502 "$FIRSTHOP" --socket $AGENT status
	check_status 2 as 65501 "$FIRSTHOP" --socket $AGENT status
	check grep -q "32 connections of one user" <(as 65501 "$FIRSTHOP" --socket $AGENT status 2>&1)
	stop crowd KILL
	check eventually 5000 as 65501 "$FIRSTHOP" --socket $AGENT status
}

# Broken if a user could give the daemon any amount of work at once, or a message had no end.
requests_and_messages_have_limits() {
	local told
	told=$(hostile limits $AGENT 65501)
	note "$told"
	check holds 'd.answered > 100 and d["NotUnderstood Message is longer than 1048576 bytes"] == 1' <<<"$told"
	check holds 'd["TooMany 4 requests of one user"] > 0 and len(d) == 3' <<<"$told"
}

# Broken if somebody who watches, and talks on, were listened to without an end.
who_watches_cannot_fill_the_memory() {
	local told
	told=$(hostile monitors $AGENT 65501)
	note "$told bytes were taken"
	check holds 'all(0 < taken < 3 << 20 for taken in d)' <<<"$told"
}

# attacked SUFFIX [NAME...]: figures of a quiet daemon and of one under attack by these; the limits are for machines that have more to
# do than this, the figures for people.
attacked() {
	local what=$1 quiet busy attacked kib name
	shift
	quiet=$(delays) || fail "$quiet"
	# What as many processes cost that only take processors.
	for name; do start "busy-$name" r1 "$PY" -ISB -c 'while True: pass'; done
	busy=$(delays) || fail "$busy"
	for name; do stop "busy-$name"; done
	start attack r1 "$PY" -ISB "$LIB/hostile.py" attack $AGENT "$(chip_socket r1)" "$@"
	check eventually 10000 grep -q attacking "$RUN/attack.log"
	attacked=$(delays) || fail "$attacked"
	kib=$(resident firsthopd-r1)
	note "$what: quiet $quiet ms, beside processes that only spin $busy ms, attacked $attacked ms"
	note "$what: firsthopd $kib KiB and $(files firsthopd-r1) descriptors, hwsim $(resident hwsim-r1) KiB and $(files hwsim-r1)"
	check [ "$(files firsthopd-r1)" -le $((FILES + 128)) ]
	check [ "$kib" -lt 300000 ]
	# Others are served meanwhile.
	check timeout 10 "$FIRSTHOP" -n r1 vmac
	check as 65504 timeout 10 "$FIRSTHOP" --socket $AGENT status
	stop attack TERM
	note "$(grep rounds "$RUN/attack.log" | tr '\n' ' ')"
	check_eq "$(grep -c rounds "$RUN/attack.log")" $# "attackers that went on to the end"
	within "$(json 'int(d.median)' <<<"$attacked")" $(($(json 'int(d.median)' <<<"$busy") + ${FH_HOSTILE_MS:-10})) ||
		fail "the median is $(json d.median <<<"$attacked") ms, $(json d.median <<<"$busy") ms beside processes that only spin"
	within "$(json 'int(d.max)' <<<"$attacked")" 2000 || fail "one took $(json d.max <<<"$attacked") ms"
}
delays() { hostile delays "$RUN/emad.pcap" r1 $CHANGES vrrp5 $V5 192.0.2.254/24; }

# Broken if any of them came before the kernel's events or the chip.
virtual_macs_are_not_delayed() { attacked "at the daemon" flood come_and_go bad_manners; }

# Broken if documents that nobody reads came before the registers.
registers_come_before_documents() { attacked "at the simulator" at_the_chip; }

# Broken if what they held were never given back.
nothing_grew() {
	check eventually 20000 given_back
	note "firsthopd $(resident firsthopd-r1) KiB and $(files firsthopd-r1) descriptors, hwsim $(resident hwsim-r1) KiB and $(files hwsim-r1)"
	check alive firsthopd-r1
	check alive hwsim-r1
	check_eq "$(grep -l panicked "$RUN"/*.log)" "" "logs with a panic"
	check [ "$(wc -l <"$RUN/firsthopd-r1.log")" -lt 1000 ]
	check fh r1 wait synced timeout 5
	check_status 0 fh r1 diff
}
given_back() { [ "$(files firsthopd-r1)" -le "$FILES" ] && [ "$(files hwsim-r1)" -le "$CHIP_FILES" ]; }

# Broken if connections took the simulator's descriptors, or one that is too many were not told why.
a_crowd_at_the_simulator() {
	local told
	told=$("$PY" -ISB - "$(chip_socket r1)" <<-'END'
		import json, resource, select, socket, sys
		resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
		inside, refused = [], 0
		for _ in range(1000):
		    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    sock.settimeout(5)
		    sock.connect(sys.argv[1])
		    try:
		        sock.send(b'{"request":"hello"}')
		    except OSError:
		        pass  # turned away already: the answer is there
		    try:
		        answer = json.loads(sock.recv(65536))
		    except ConnectionResetError:
		        answer = json.loads(sock.recv(65536))  # the error of the socket comes before what is queued
		    if answer["ok"]:
		        inside.append(sock)
		    else:
		        refused += "256 connections" in answer["error"]
		print(json.dumps({"inside": len(inside), "refused": refused}))
	END
	)
	note "$told"
	check holds '200 < d.inside < 256 and d.inside + d.refused == 1000' <<<"$told"
	check fh r1 wait synced timeout 5
}

switch r1 --emad-pcap "$RUN/emad.pcap"
host h1 r1 1 192.0.2.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 link set swp1 up
macvlan r1 swp1 vrrp5 $V5
ip -n r1 link set vrrp5 addrgenmode none
# Enough rows that an answer is some work.
for ((n = 1; n <= 60; n++)); do
	printf 'link add mv%d link swp1 address 02:00:00:00:cc:%02x type macvlan mode private\nlink set mv%d addrgenmode none up\n' $n $n $n
	echo "addr add 192.0.2.$((20 + n))/32 dev mv$n"
done >"$RUN/batch"
ip -n r1 -batch "$RUN/batch" || give_up "the beginning can't be made"
settled() { ! ip -n r1 -6 addr show tentative | grep -q inet6; }
eventually 5000 settled || give_up "duplicate address detection does not end"
agent r1
FILES=$(files firsthopd-r1) CHIP_FILES=$(files hwsim-r1)
tests_run "$@"
