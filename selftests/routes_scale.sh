#!/bin/bash
# A full table: 100,000 IPv4 and 20,000 IPv6 routes of a routing daemon (bird, or else `ip -batch`) in the kernel and in the chip. How long
# does the chip take longer than the kernel, what does a change cost, and what becomes of routes for which there is no room?

ALL_TESTS="
	a_full_table
	a_next_hop_of_all_moves
	virtual_macs_go_first
	lost_events_leave_the_right_chip
	restart_writes_nothing
	all_go_and_come_back
	more_than_there_is_room_for
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

V4=${FH_ROUTES_V4:-100000} V6=${FH_ROUTES_V6:-20000}
V5=00:00:5e:00:01:05
synced() { fh "${1:-r1}" wait synced timeout 120; }
r1() { ip -n r1 "$@"; }

# routes VERB: lines for `ip -batch`, or, with `bird`, routes of its static protocols; each leads to one of four gateways.
routes() {
	"$PY" -ISB - "$1" "$V4" "$V6" <<'END'
import sys

verb, v4, v6 = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
four = [(f"{20 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24", f"198.51.100.{10 + n % 4}") for n in range(v4)]
six = [(f"2001:db8:{n + 0x100:x}::/48", f"2001:db8:2::{10 + n % 4:x}") for n in range(v6)]
if verb == "bird":
    print('router id 192.0.2.1;\nlog "/dev/null" all;\nprotocol device { scan time 60; }')
    for version, found in (4, four), (6, six):
        print(f"protocol kernel {{ ipv{version} {{ export all; }}; scan time 600; }}")
        print(f"protocol static all{version} {{ ipv{version};")
        for prefix, gateway in found:
            print(f"  route {prefix} via {gateway};")
        print("}")
else:
    for prefix, gateway in four + six:
        print(f"route {verb} {prefix} via {gateway}")
END
}

# announce, withdraw: by the daemon where there is one.
announce() {
	if [ -n "$BIRD" ]; then
		start bird r1 "$BIRD" -f -c "$RUN/bird.conf" -s "$RUN/bird.ctl" -P "$RUN/bird.pid"
	else
		ip -n r1 -batch "$RUN/add"
	fi
}
withdraw() {
	if [ -n "$BIRD" ]; then stop bird; else ip -n r1 -batch "$RUN/del"; fi
}
# in_kernel COUNT: the routes of the daemon.
in_kernel() { [ "$(($(r1 route | grep -c via) + $(r1 -6 route | grep -c via)))" = "$1" ]; }
# in_chip COUNT: they are in the chip, by one of four groups a family.
in_chip() { chip_holds r1 "sum(r.action == 'remote' for r in d.routes) == $1 and len(d.adjacencies) == ($1 > 0) * 8"; }

# as_in_kernel: each route by a gateway is in the chip, its next hop has the MAC of the gateway's neighbour, and there is no other.
as_in_kernel() {
	"$PY" -ISB - <(r1 -j route) <(r1 -6 -j route) <(r1 -j neigh) <(on r1 "$HWSIM" dump -j) <<'END'
import ipaddress, json, sys

four, six, neighbours, chip = (json.load(open(path)) for path in sys.argv[1:])
macs = {ipaddress.ip_address(n["dst"]): n.get("lladdr") for n in neighbours}
kernel = {
    ipaddress.ip_network(route["dst"]): macs[ipaddress.ip_address(route["gateway"])]
    for route in four + six
    if "gateway" in route
}
adjacencies = {adjacency["adjacency"]: adjacency["mac"] for adjacency in chip["adjacencies"]}
there = {
    ipaddress.ip_network(route["prefix"]): adjacencies.get(route["adjacency"])
    for route in chip["routes"]
    if route["action"] == "remote"
}
wrong = [prefix for prefix in kernel.keys() | there.keys() if kernel.get(prefix) != there.get(prefix)]
if wrong or not kernel:
    sys.exit(f"{len(wrong)} of {len(kernel)} routes: {wrong[0] if wrong else 'none'}")
END
}

# Broken if a route of a full table were missing in the chip, or if it took much longer there than in the kernel.
a_full_table() {
	local begin kernel
	begin=$(now_ms)
	check announce
	check eventually 120000 in_kernel $((V4 + V6))
	kernel=$(($(now_ms) - begin))
	check synced
	note "$((V4 + V6)) routes by ${BIRD:-ip}: in the kernel after $kernel ms, in the chip after $(($(now_ms) - begin)) ms"
	check in_chip $((V4 + V6))
	check as_in_kernel
	check_eq "$(fh r1 -j status | json 'd.transit')" "hardware ($((V4 + V6 + 4)) routes)" "transit"
	check_status 0 fh r1 diff
	note "$(sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/${PID[firsthopd-r1]}/status") resident"
}

# Broken if all routes were written because a next hop of theirs changed.
a_next_hop_of_all_moves() {
	local writes
	writes=$(chip r1 d.writes_total)
	check r1 neigh replace 198.51.100.10 lladdr 02:00:00:00:01:99 dev swp2 nud permanent
	check chip_soon r1 "any(a.mac == '02:00:00:00:01:99' for a in d.adjacencies)" 10000
	check synced
	# the host, and the adjacency
	check_eq "$(($(chip r1 d.writes_total) - writes))" 2 "writes"
	check r1 neigh replace 198.51.100.10 lladdr 02:00:00:00:01:10 dev swp2 nud permanent
	check synced
}

# Broken if a virtual MAC had to wait for routes.
virtual_macs_go_first() {
	local quiet flood
	quiet=$(delays 300) || fail "$quiet"
	(while :; do ip -n r1 -batch "$RUN/more" && ip -n r1 -batch "$RUN/less"; done) >/dev/null 2>&1 &
	PID[flood]=$!
	flood=$(delays 300) || fail "$flood"
	stop flood
	ip -n r1 -force -batch "$RUN/less" 2>/dev/null
	check synced
	note "address of a virtual MAC to the chip, ms: quiet $quiet, while routes come and go $flood"
	within "$(json 'int(d.median)' <<<"$flood")" 100 || fail "the median is $(json d.median <<<"$flood") ms"
}
delays() { "$PY" -ISB "$LIB/hostile.py" delays "$RUN/emad.pcap" r1 "$1" vrrp5 $V5 192.0.2.254/24; }

# Broken if routes that came and went while the daemon heard nothing were missing in the chip, or left in it.
lost_events_leave_the_right_chip() {
	local before
	ip -n r1 -batch "$RUN/more"
	check synced
	before=$(fh r1 -j status | json d.netlink.overruns)
	kill -STOP "${PID[firsthopd-r1]}"
	for _ in 1 2 3; do ip -n r1 -batch "$RUN/less" && ip -n r1 -batch "$RUN/more"; done
	head -n 10000 "$RUN/less" | ip -n r1 -batch -
	tail -n 5000 "$RUN/more" | sed 's/ add / replace /; s/via .*/via 198.51.100.13/' | ip -n r1 -batch -
	kill -CONT "${PID[firsthopd-r1]}"
	check synced
	[ "$(fh r1 -j status | json d.netlink.overruns)" -gt "$before" ] || fail "nothing was lost"
	check in_chip $((V4 + V6 + 10000))
	check as_in_kernel
	check_status 0 fh r1 diff
	tail -n 10000 "$RUN/less" | sed 's/ via .*//' | ip -n r1 -batch -
	check synced
	check as_in_kernel
}

# Broken if a restart wrote any of them again.
restart_writes_nothing() {
	local writes begin
	writes=$(chip r1 d.writes_total)
	stop firsthopd-r1 KILL
	begin=$(now_ms)
	start firsthopd-r1 r1 "$FIRSTHOPD"
	check eventually 60000 synced
	note "in step again after $(($(now_ms) - begin)) ms"
	check_eq "$(($(chip r1 d.writes_total) - writes))" 0 "writes"
}

# Broken if anything of them were left in the chip, or did not come back.
all_go_and_come_back() {
	local begin
	begin=$(now_ms)
	check withdraw
	check eventually 120000 in_kernel 0
	check synced
	note "gone after $(($(now_ms) - begin)) ms"
	check in_chip 0
	begin=$(now_ms)
	check announce
	check eventually 120000 in_kernel $((V4 + V6))
	check synced
	note "back after $(($(now_ms) - begin)) ms"
	check in_chip $((V4 + V6))
	check withdraw
	check eventually 120000 in_kernel 0
	check synced
}

# Broken if a route for which there is no room drove out another, sent packets a wider route's way, or was forgotten.
more_than_there_is_room_for() {
	local held
	switch r2 --personality "$RUN/small.toml"
	ip -n r2 addr add 198.51.100.1/24 dev swp2
	ip -n r2 link set swp2 up
	ip -n r2 neigh add 198.51.100.10 lladdr 02:00:00:00:01:10 dev swp2 nud permanent
	agent r2
	ip -n r2 route add default via 198.51.100.10
	for ((n = 0; n < 90; n++)); do echo "route add 20.0.$n.0/24 via 198.51.100.10"; done | ip -n r2 -batch -
	check synced r2
	held=$(chip r2 "sorted(r.prefix for r in d.routes if r.action == 'remote')")
	check chip_holds r2 "len([r for r in d.routes if r.action == 'remote']) == 91"
	for ((n = 0; n < 50; n++)); do echo "route add 30.0.$n.0/24 via 198.51.100.10"; done | ip -n r2 -batch -
	check synced r2
	check chip_holds r2 "{r.prefix for r in d.routes if r.action == 'remote'} >= set($held) - {'0.0.0.0/0'}"
	check chip_holds r2 "[r.trap for r in d.routes if r.prefix == '0.0.0.0/0'] == ['external_route']"
	check fh_holds r2 "sum(r.reason == 'route_table_full' for r in d) == 140 + 4 - 100 and
		[r.reason for r in d if r.dst == 'default'] == ['route_covers_refused']" route
	for ((n = 0; n < 90; n++)); do echo "route del 20.0.$n.0/24"; done | ip -n r2 -batch -
	check synced r2
	check chip_holds r2 "len([r for r in d.routes if r.action == 'remote']) == 51"
	check fh_holds r2 "all(r.reason is None for r in d)" route
	stop firsthopd-r2
}

BIRD=$(command -v bird) || BIRD=''
switch r1 --emad-pcap "$RUN/emad.pcap"
host h1 r1 1 192.0.2.10/24
host h2 r1 2 198.51.100.9/24
on r1 sh -c 'for where in all default; do echo 0 >/proc/sys/net/ipv6/conf/$where/accept_dad; done'
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 198.51.100.1/24 dev swp2
ip -n r1 addr add 2001:db8:2::1/64 dev swp2 nodad
ip -n r1 addr add 192.0.3.1/24 dev swp3
for port in 1 2 3 4; do ip -n r1 link set swp$port up; done
for port in 1 2; do eventually 3000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
for n in 10 11 12 13; do
	r1 neigh add 198.51.100.$n lladdr 02:00:00:00:01:$n dev swp2 nud permanent
	printf -v hex %x $n
	r1 neigh add 2001:db8:2::$hex lladdr 02:00:00:00:01:$n dev swp2 nud permanent
done
sed 's/^name = .*/name = "small"/; s/^routes_ipv4 = .*/routes_ipv4 = 100/' "$ROOT/hwsim/personalities/spectrum2.toml" >"$RUN/small.toml"
routes bird >"$RUN/bird.conf"
routes add >"$RUN/add"
routes del >"$RUN/del"
for ((n = 0; n < 20000; n++)); do echo "route add 60.$((n >> 8)).$((n & 255)).0/24 via 198.51.100.10"; done >"$RUN/more"
sed 's/ add / del /' "$RUN/more" >"$RUN/less"
agent r1
macvlan r1 swp1 vrrp5 $V5
tests_run "$@"
