#!/bin/bash
# Bad input: does anything on the sockets, the wires or the command lines end a program or change a table?

ALL_TESTS="
	simulator_survives_garbage
	daemon_survives_garbage
	slow_readers_do_not_stop_the_daemon
	wires_survive_garbage
	programs_still_work
"
. "$(dirname "$0")/lib/lib.sh"

# All but hosts: those that say on a wire that they are there are neighbours of the kernel's.
tables() {
	chip r1 "[d.rifs, d.fdb, d.routes, d.traps, d.trap_groups, d.policers, d.fids, d.mappings,
		{name: size for name, size in dict.items(d.resources) if name != 'neighbours'}]"
}
unharmed() {
	check alive hwsim-r1
	check alive firsthopd-r1
	check_eq "$(tables)" "$TABLES" "tables"
	check_eq "$(grep -l panicked "$RUN"/*.log)" "" "logs with a panic"
}

# Broken if a datagram of any content or length ended the simulator, or half a register write took effect.
simulator_survives_garbage() {
	local output
	output=$("$PY" -ISB "$LIB/garbage.py" datagrams "$(chip_socket r1)" "$RUN/emad.pcap" 2>&1) || fail "$output"
	note "$output"
	unharmed
}

# Broken if a message of any content or length ended the daemon, or filled its memory.
daemon_survives_garbage() {
	local output
	output=$("$PY" -ISB "$LIB/garbage.py" stream /run/firsthop/r1/firsthop.sock 2>&1) || fail "$output"
	note "$output"
	unharmed
	check_status 0 fh r1 diff
}

# Broken if a client that asks and never reads held up the others, or the chip.
slow_readers_do_not_stop_the_daemon() {
	local reader
	"$PY" -ISB - /run/firsthop/r1/firsthop.sock <<-'END' &
		import socket, sys, time
		socks = []
		for _ in range(20):
		    sock = socket.socket(socket.AF_UNIX)
		    sock.connect(sys.argv[1])
		    sock.setblocking(False)
		    try:
		        for _ in range(2000):
		            sock.send(b'{"method":"org.varlink.service.GetInfo"}\0')
		    except (BlockingIOError, ConnectionError):
		        pass
		    socks.append(sock)
		open("/run/selftest/slow", "w").close()
		time.sleep(600)
	END
	reader=$!
	check eventually 10000 test -e "$RUN/slow"
	check timeout 5 ip -n r1 addr add 203.0.113.1/24 dev swp3
	check fh r1 wait rif dev swp3 state offload timeout 5
	check ip -n r1 addr del 203.0.113.1/24 dev swp3
	check fh r1 wait rif dev swp3 state gone timeout 5
	kill "$reader"
	wait "$reader" 2>/dev/null
	unharmed
}

# Broken if a malformed packet ended the simulator: the same seeded noise behind each EtherType.
wires_survive_garbage() {
	local sent
	sent=$("$PY" -ISB - "$LIB" <<-'END'
		import random, sys
		sys.path.insert(0, sys.argv[1])
		from frames import packet_socket
		noise = random.Random(86)
		sock, sent = packet_socket("h1:h1"), 0
		for mac in ("00005e000105", "ffffffffffff", "01005e000012", "333300000012", "0180c2000000", "000000000000"):
		    for head in ("", "0800", "0800", "080045", "080046", "08004f", "0806", "86dd", "86dd60", "810000020800", "88cc", "8100", "8932"):
		        for length in (0, 1, 7, 20, 39, 40, 41, 64, 200, 1400):
		            body = noise.randbytes(length)
		            frame = bytes.fromhex(mac) + bytes.fromhex("020000000099") + bytes.fromhex(head) + body
		            if len(frame) >= 14:
		                sock.send(frame)
		                sent += 1
		print(sent)
	END
	) || fail "could not send"
	note "${sent:-0} frames"
	check_eq "$(frames probe h1:h1 r1:swp1 arp mac=02:00:00:00:00:99 src=192.0.2.77 dst=192.0.2.1)" 1 "a good frame afterwards"
	unharmed
}

# Broken if one of the tests before left something behind that shows only later.
programs_still_work() {
	check ip -n r1 addr add 198.51.100.1/24 dev swp2
	check fh r1 wait rif dev swp2 state offload timeout 5
	check frames exchange h1:h1 echo4 mac="$(mac_of h1 h1)" dst_mac=00:00:5e:00:01:05 src=192.0.2.10 dst=192.0.2.254
	check_status 0 fh r1 diff
}

switch r1 --emad-pcap "$RUN/emad.pcap"
host h1 r1 1 192.0.2.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 link set swp1 up
macvlan r1 swp1 vrrp5 00:00:5e:00:01:05 192.0.2.254/24
agent r1
settled() { ! ip -n r1 -6 addr show tentative | grep -q inet6; }
eventually 5000 settled || give_up "duplicate address detection does not end"
fh r1 wait synced timeout 5 >/dev/null || give_up "not in sync"
TABLES=$(tables)
tests_run "$@"
