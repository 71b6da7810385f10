#!/bin/bash
# A recording of the chip's register traffic (hwsim run --emad-pcap), read back by the client: is it what the chip holds, and does
# it differ from what should be there exactly where the chip does?

ALL_TESTS="
	an_empty_chip
	router_interfaces_and_virtual_macs
	a_bridge_and_what_it_learnt
	changes_and_deletions
	bonds_vlans_and_vrfs
	an_agent_that_starts_again
	lost_answers
	routes_with_gateways
	text_and_options
	no_daemon
	broken_files
	a_late_beginning
	a_reset_chip
	somebody_elses_write
"
AUDITED=no # somebody else writes to the chip here
. "$(dirname "$0")/lib/lib.sh"

V4=00:00:5e:00:01:05 V6=00:00:5e:00:02:06
HOST=02:00:00:00:00:aa
PCAP=$RUN/emad.pcap

recorded_tool() { "$PY" -ISB "$LIB/recorded.py" "$@"; }
# recorded: the client's answer, in $RUN/recorded.
recorded() { fh r1 -j diff --emad-pcap "$PCAP" >"$RUN/recorded" 2>"$RUN/notes"; }
# same [MEMBER...]: what was recorded is what the chip dumps, but for these members; nothing differs from what should be there.
same() {
	recorded && on r1 "$HWSIM" dump -j >"$RUN/dump" && recorded_tool same "$RUN/recorded" "$RUN/dump" "$@" &&
		holds 'd.differences == [] and d.recording.whole' <"$RUN/recorded"
}
# The agent asks what the chip learnt once in a while.
soon_same() {
	eventually 5000 same "$@" && return
	same "$@"
}
recording() { json "$1" <"$RUN/recorded"; }
synced() { fh r1 wait synced timeout 5; }
speak() { on "$1" "$PY" -ISB -c 'import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((sys.argv[1], 0))
s.send(b"\xff" * 6 + bytes.fromhex(sys.argv[2].replace(":", "")) + b"\x88\xb5" + bytes(46))' "h${1#w}" "$2"; }
learnt() { chip_holds r1 "any(r.mac == '$1' and r.policy == 'dynamic' and r.port == $2 for r in d.fdb)"; }

# Broken if a chip that an agent has set up without any interface read back as another one.
an_empty_chip() {
	check soon_same
	check holds 'len(d.recorded.traps) > 80 and d.recorded.writes_total > 0' <"$RUN/recorded"
}

# Broken if a router interface, a virtual MAC of either family, a route or a fast-path slot read back otherwise.
router_interfaces_and_virtual_macs() {
	ip -n r1 link set swp1 up
	ip -n r1 addr add 192.0.2.1/24 dev swp1
	ip -n r1 addr add 2001:db8::1/64 dev swp1 nodad
	macvlan r1 swp1 vrrp5 $V4 192.0.2.254/24
	macvlan r1 swp1 vrrp6 $V6
	ip -n r1 addr add 2001:db8::fe/64 dev vrrp6 nodad
	ip -n r1 addr add 198.51.100.1/24 dev swp4
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check fh r1 wait vmac dev vrrp6 state offload timeout 5
	check synced
	check soon_same
	check holds "any(r.vrrp_id_ipv4 == 5 and r.vrrp_id_ipv6 == 6 for r in d.recorded.rifs)
		and {'$V4', '$V6'} <= {r.mac for r in d.recorded.fdb if r.action == 'forward_ip_router'}" <"$RUN/recorded"
	note "$(recording 'd.recording.frames') frames, $(recording 'd.recording.writes') writes"
}

# Broken if the ports of a bridge, its router interface, or MACs that the chip learnt by itself read back otherwise.
a_bridge_and_what_it_learnt() {
	ip -n r1 link add br0 type bridge
	for port in 2 3; do ip -n r1 link set swp$port master br0; done
	ip -n r1 link set br0 up
	ip -n r1 addr add 203.0.113.1/24 dev br0
	macvlan r1 br0 vrrp7 00:00:5e:00:01:07 203.0.113.254/24
	check fh r1 wait vmac dev vrrp7 state offload timeout 5
	check synced
	speak w2 $HOST
	check eventually 3000 learnt $HOST 2
	check soon_same
	check holds "any(r.mac == '$HOST' and r.policy == 'dynamic' and r.port == 2 for r in d.recorded.fdb)" <"$RUN/recorded"
	speak w3 $HOST
	check eventually 3000 learnt $HOST 3
	check soon_same
	check holds "[r.port for r in d.recorded.fdb if r.mac == '$HOST'] == [3]" <"$RUN/recorded"
}

# Broken if what was changed or taken away still read back as it was.
changes_and_deletions() {
	ip -n r1 link set swp1 mtu 1400
	ip -n r1 link set swp1 address 02:11:22:33:44:01
	ip -n r1 link del vrrp5
	ip -n r1 link set swp3 nomaster
	ip -n r1 addr del 198.51.100.1/24 dev swp4
	check fh r1 wait rif dev swp4 state gone timeout 5
	check synced
	check soon_same
	check holds "'$V4' not in [r.mac for r in d.recorded.fdb] and '$HOST' not in [r.mac for r in d.recorded.fdb]
		and any(r.mtu == 1400 and r.mac == '02:11:22:33:44:01' for r in d.recorded.rifs)" <"$RUN/recorded"
}

# Broken if a LAG, a VLAN of a VLAN-aware bridge or of a port, or a virtual router read back otherwise, or stayed when it was gone.
bonds_vlans_and_vrfs() {
	local port
	if ! { ip -n r1 link add bond0 type bond mode balance-xor miimon 50 && ip -n r1 link add red type vrf table 100 &&
		ip -n r1 link add br1 type bridge vlan_filtering 1 && ip -n r1 link add link br1 name br1.10 type vlan id 10; } 2>/dev/null; then
		for port in bond0 red br1.10 br1; do ip -n r1 link del $port 2>/dev/null; done
		skip "the kernel has no bond, VRF or VLAN (selftests/uml has one)"
		return
	fi
	for port in 3 4; do
		ip -n r1 link set swp$port down
		ip -n r1 link set swp$port master bond0
		ip -n r1 link set swp$port up
	done
	ip -n r1 link set bond0 master br1
	for port in bond0 br1 br1.10 red; do ip -n r1 link set $port addrgenmode none up; done
	on r1 bridge vlan add dev bond0 vid 10
	on r1 bridge vlan add dev br1 vid 10 self
	ip -n r1 addr add 198.18.10.1/24 dev br1.10
	ip -n r1 link add link swp1 name swp1.30 type vlan id 30
	ip -n r1 link set swp1.30 addrgenmode none master red up
	ip -n r1 addr add 198.18.30.1/24 dev swp1.30
	macvlan r1 swp1.30 vrrp8 00:00:5e:00:01:08 198.18.30.254/24
	ip -n r1 link set vrrp8 master red
	check fh r1 wait rif dev br1.10 state offload timeout 5
	check fh r1 wait vmac dev vrrp8 state offload timeout 5
	check synced
	check soon_same
	check holds "[(len(l.members), len(l.collectors)) for l in d.recorded.lags] == [(2, 2)]
		and {'vlan_if', 'sp_if', 'fid_if'} == {r.type for r in d.recorded.rifs}
		and len({r.virtual_router for r in d.recorded.rifs}) == 2" <"$RUN/recorded"
	for port in vrrp8 swp1.30 br1.10 br1 bond0 red; do ip -n r1 link del $port; done
	for port in 3 4; do ip -n r1 link set swp$port up; done
	check synced
	check soon_same
	check holds "d.recorded.lags == [] and 'vlan_if' not in [r.type for r in d.recorded.rifs]" <"$RUN/recorded"
}

# Broken if reading everything back, which a starting agent does, changed what a recording comes to.
an_agent_that_starts_again() {
	stop firsthopd-r1 KILL
	ip -n r1 link del vrrp6
	agent r1
	check synced
	check soon_same
	check holds "'$V6' not in [r.mac for r in d.recorded.fdb]" <"$RUN/recorded"
}

# Broken if a write that the chip executed, but whose answer was lost, or one that it refused, read back otherwise than it came out.
# The chip counts each copy that it executed.
lost_answers() {
	local action
	for action in drop-reply drop-request status=112; do
		check on r1 "$HWSIM" fault add --register '*' --nth 2 --action "$action" --count 1
		ip -n r1 addr add 198.51.100.1/24 dev swp4
		check fh r1 wait rif dev swp4 state offload timeout 20
		check synced
		check on r1 "$HWSIM" fault clear
		check soon_same writes_total
		ip -n r1 addr del 198.51.100.1/24 dev swp4
		check fh r1 wait rif dev swp4 state gone timeout 5
		check synced
		check soon_same writes_total
	done
	check holds 'd.recording.refused > 0 and d.recording.repeated > 0 and d.recording.unanswered == []' <"$RUN/recorded"
}

# Broken if what was in the chip before a reset, which is no frame, still counted after it.
a_reset_chip() {
	local generation
	generation=$(chip r1 d.generation)
	check on r1 "$HWSIM" reset
	check chip_soon r1 "d.generation != $generation and rif('02:11:22:33:44:01').mtu == 1400" 10000
	check synced
	check soon_same writes_total
	check holds 'd.recording.resets == 1' <"$RUN/recorded"
	check grep -q "was reset" "$RUN/notes"
}

# Broken if adjacencies, which are recognised by the routes that lead there, were taken for somebody else's.
routes_with_gateways() {
	check ip -n r1 addr add 203.0.113.1/24 dev swp4
	check ip -n r1 neigh add 203.0.113.2 lladdr 02:00:00:00:00:02 dev swp4 nud permanent
	check ip -n r1 route add 10.9.0.0/16 via 203.0.113.2
	check synced
	check chip_soon r1 "any(r.prefix == '10.9.0.0/16' and r.action == 'remote' for r in d.routes)"
	check_eq "$(fh r1 diff --emad-pcap "$PCAP" 2>/dev/null)" "No differences" "of routes with gateways"
}

# Broken if the option did not stand where people put it, or the text said something else than the JSON.
text_and_options() {
	local text writes
	check_eq "$(fh r1 diff --emad-pcap "$PCAP")" "No differences" "text"
	check_eq "$(fh r1 --emad-pcap "$PCAP" diff)" "No differences" "text with the option first"
	recorded
	writes=$(recording d.recording.acknowledged)
	text=$(fh r1 -d diff --emad-pcap="$PCAP")
	check grep -q "^recording frames [0-9]* queries [0-9]* whole yes$" <<<"$text"
	check grep -q "^writes [0-9]* acknowledged $writes refused " <<<"$text"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "diff --emad-pcap" "$RUN/recorded"
	check_status 1 fh r1 diff --emad-pcap
	check_status 1 fh r1 rif --emad-pcap "$PCAP"
}

# Broken if a file could not be read without a daemon.
no_daemon() {
	check_status 4 "$FIRSTHOP" --socket /run/nothing -j diff --emad-pcap "$PCAP"
	"$FIRSTHOP" --socket /run/nothing -j diff --emad-pcap "$PCAP" >"$RUN/alone" 2>/dev/null
	check_eq "$(json 'd.recorded == d.recorded and d.differences' <"$RUN/alone")" "null" "differences without a daemon"
	check holds 'len(d.recorded.rifs) > 0' <"$RUN/alone"
}

# complains FILE TEXT: the client can't use the file, and says so in one line.
complains() {
	local error status=0
	error=$(fh r1 diff --emad-pcap "$1" 2>&1) || status=$?
	[ "$status" = 1 ] && [ "$(grep -c . <<<"$error")" = 1 ] && grep -q "$2" <<<"$error" && return
	echo "exit $status: $error"
	return 1
}

# Broken if a file that is cut, or is something else, were taken for a chip without tables, or the client crashed.
broken_files() {
	local size
	size=$(stat -c %s "$PCAP")
	head -c $((size - 30)) "$PCAP" >"$RUN/cut.pcap"
	check holds 'd.recording.truncated > 0 and len(d.recorded.rifs) > 0' <<<"$(fh r1 -j diff --emad-pcap "$RUN/cut.pcap" 2>/dev/null)"
	check grep -q "ends within a record" <<<"$(fh r1 diff --emad-pcap "$RUN/cut.pcap" 2>&1)"
	printf '\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0' >"$RUN/ng.pcapng"
	check complains "$RUN/ng.pcapng" "pcapng"
	head -c 5000 /dev/urandom | sed '1s/^/x/' >"$RUN/random"
	check complains "$RUN/random" "not a pcap file"
	{ head -c 24 "$PCAP"; head -c 5000 /dev/zero | tr '\0' '\377'; } >"$RUN/damaged.pcap"
	check complains "$RUN/damaged.pcap" "damaged"
	: >"$RUN/empty"
	check complains "$RUN/empty" "0 bytes"
	check complains "$RUN/none" "No such file"
	check complains "$RUN" "directory"
}

# Broken if a recording that begins late were taken for the whole life of an empty chip.
a_late_beginning() {
	local frames
	recorded
	frames=$(recording d.recording.frames)
	recorded_tool late "$PCAP" "$RUN/late.pcap" $((frames / 2))
	check holds 'not d.recording.whole and d.differences == []' <<<"$(fh r1 -j diff --emad-pcap "$RUN/late.pcap" 2>/dev/null)"
	check grep -q "begins after the chip was set up" <<<"$(fh r1 diff --emad-pcap "$RUN/late.pcap" 2>&1)"
	check_eq "$(fh r1 -j diff --emad-pcap "$RUN/late.pcap" 2>/dev/null | json d.recorded.writes_total)" null "writes_total"
}

# Broken if a row that somebody else wrote did not show, which the agent does not see as long as it only looks at its own writes.
somebody_elses_write() {
	local status=0 rif
	rif=$(fh r1 -j rif dev swp1 | json 'd[0].rif')
	check recorded_tool other-mtu "$(chip_socket r1)" "$PCAP" "$rif" 9001
	check chip_holds r1 'any(r.mtu == 9001 for r in d.rifs)'
	recorded || status=$?
	check_eq "$status" 3 "exit code"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "diff --emad-pcap" "$RUN/recorded"
	check holds "[(x.change, 'mtu 9001' in x.hardware) for x in d.differences] == [('edit', True)]" <"$RUN/recorded"
	check grep -q "1 difference" <<<"$(fh r1 diff --emad-pcap "$PCAP" 2>&1)"
}

switch r1 --emad-pcap "$PCAP"
for port in 1 2 3 4; do
	host w$port r1 $port
	ip -n r1 link set swp$port addrgenmode none
	[ $port = 1 ] || ip -n r1 link set swp$port up
done
agent r1
tests_run "$@"
