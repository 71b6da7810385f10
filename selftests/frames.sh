#!/bin/bash
# Frames: what happens to packets that enter a port, judged by what comes out and by the chip's counters.

ALL_TESTS="
	virtual_address_answers
	own_address_answers
	host_routes_through_the_virtual_mac
	ipv6_virtual_address_answers
	broadcast_reaches_only_the_cpu
	foreign_unicast_is_not_for_the_cpu
	no_address_neither_routed_nor_trapped
	admin_down_neither_routed_nor_trapped
	proto_down_neither_routed_nor_trapped
	lower_admin_down_neither_routed_nor_trapped
	fast_path_counts_the_slot_holder_only
	cpu_sends_unchanged_with_the_virtual_mac
	own_source_mac_from_the_wire_is_accepted
	carrier_follows_the_wire
	wire_follows_the_port
	transit_load_loses_no_ping
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06 W5=00:00:5e:00:02:05
OTHER=02:00:00:00:00:99 # a source MAC of no netdev
counter() { chip r1 "c.$1"; }

# Broken if traffic for the virtual address, sent to the virtual MAC, did not reach Linux and back.
virtual_address_answers() {
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254
	check_eq "$(ping_lost h1 192.0.2.254 50)" 0 "pings lost"
}

# ping_lost NS ADDRESS COUNT
ping_lost() { on "$1" "$PY" -ISB "$LIB/frames.py" ping "$2" interval=0.005 count="$3" | tail -n 1 | json d.lost; }

# Broken if the interface's own MAC were not routed.
own_address_answers() {
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac="$(mac_of r1 swp1)" src=192.0.2.10 dst=192.0.2.1
	check_eq "$(ping_lost h1 192.0.2.1 20)" 0 "pings lost"
}

# Broken if the virtual MAC took only packets for the virtual address, instead of routing.
host_routes_through_the_virtual_mac() {
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=$V5 src=192.0.2.10 dst=198.51.100.10
	check_eq "$(ping_lost h1 198.51.100.10 20)" 0 "pings lost"
}

# Broken if IPv6 took another way through the chip than IPv4.
ipv6_virtual_address_answers() {
	check frames exchange h1:h1 echo6 mac="$H1" dst_mac=$W5 src=2001:db8:1::10 dst=2001:db8:1::254
	check_eq "$(ping_lost h1 2001:db8:1::254 20)" 0 "pings lost"
}

# Broken if a router port flooded to other ports, doubled a broadcast, or sent it back to where it came from.
broadcast_reaches_only_the_cpu() {
	check_eq "$(frames probe h1:h1 r1:swp1 r1:swp2~ h2:h2~ h1:h1~ arp mac=$OTHER src=192.0.2.77 dst=192.0.2.1)" "1 0 0 0" \
		"seen on swp1 swp2 h2 h1"
}

# Broken if the chip gave the CPU what is addressed to somebody else.
foreign_unicast_is_not_for_the_cpu() {
	check_eq "$(frames probe h1:h1 r1:swp1 h2:h2~ echo4 mac=$OTHER dst_mac=02:00:00:00:00:55 src=192.0.2.77 dst=192.0.2.1)" "0 0" \
		"seen on swp1 h2"
}

# Traps of packets for the router, without those of neighbour discovery and the marker's (multicast), which may come at any time.
router_traps() {
	chip r1 "sorted((n, t.packets, t.policed) for n, t in dict.items(c.traps)
		if n != 'multicast' and not n.startswith(('arp_', 'ipv6_neigh', 'ipv6_router', 'ipv6_dip', 'mld_', 'igmp_')))"
}

# neither: a frame for the macvlan's MAC, to its own address or through it, is on no netdev, and no trap counts it.
neither() {
	local destination before
	for destination in 192.0.2.253 198.51.100.10; do
		before=$(router_traps)
		check_eq "$(frames probe h1:h1 r1:swp1 h2:h2~ h1:h1~ echo4 mac=$OTHER dst_mac=$V6 src=192.0.2.77 dst=$destination)" "0 0 0" \
			"seen on swp1 h2 h1"
		check_eq "$(router_traps)" "$before" "trap counters"
	done
}

# Broken if a macvlan that is not admitted were served all the same: by the chip's router or by Linux.
no_address_neither_routed_nor_trapped() {
	check ip -n r1 addr flush dev vrrp6
	check fh r1 wait vmac dev vrrp6 state held timeout 5
	neither
	check ip -n r1 addr add 192.0.2.253/24 dev vrrp6
	check fh r1 wait vmac dev vrrp6 state offload timeout 5
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=$V6 src=192.0.2.10 dst=192.0.2.253
}

admin_down_neither_routed_nor_trapped() {
	check ip -n r1 link set vrrp6 down
	check fh r1 wait vmac dev vrrp6 state held timeout 5
	neither
	check ip -n r1 link set vrrp6 up
	check fh r1 wait vmac dev vrrp6 state offload timeout 5
}

# Linux itself still accepts frames for a proto_down macvlan: only the chip can be strict.
proto_down_neither_routed_nor_trapped() {
	check ip -n r1 link set vrrp6 protodown on
	check fh r1 wait vmac dev vrrp6 state held timeout 5
	neither
	check ip -n r1 link set vrrp6 protodown off
	check fh r1 wait vmac dev vrrp6 state offload timeout 5
}

# The wire has no carrier then, so no frame enters the port at all.
lower_admin_down_neither_routed_nor_trapped() {
	local before
	check ip -n r1 link set swp1 down
	check fh r1 wait vmac dev vrrp6 state held timeout 5
	before="$(counter l2_lookups) $(counter vrrp_fast_path)"
	frames send h1:h1 5 echo4 mac=$OTHER dst_mac=$V6 src=192.0.2.77 dst=192.0.2.253 2>/dev/null
	check chip_holds r1 "'$V6' not in macs() and '$V5' not in macs()"
	check_eq "$(counter l2_lookups) $(counter vrrp_fast_path)" "$before" "lookups"
	check ip -n r1 link set swp1 up
	check fh r1 wait vmac dev vrrp6 state offload timeout 5
	check eventually 3000 carrier h1 h1
}

# counted MAC: what 20 frames for it add to (l2_lookups, vrrp_fast_path), on a port where nobody else sends.
counted() {
	local lookups fast
	frames probe h3:h3 r1:swp3 lldp text=before >/dev/null
	lookups=$(counter l2_lookups) fast=$(counter vrrp_fast_path)
	frames send h3:h3 20 udp4 mac=$OTHER dst_mac="$1" src=203.0.113.9 dst=203.0.113.250 dport=9
	frames probe h3:h3 r1:swp3 lldp text=after >/dev/null
	echo "$(($(counter l2_lookups) - lookups)) $(($(counter vrrp_fast_path) - fast))"
}

# Broken if the slot did not save the lookup, or saved it for a MAC that is not in it.
fast_path_counts_the_slot_holder_only() {
	check macvlan r1 swp3 vrrp35 $V5 203.0.113.250/24
	check macvlan r1 swp3 vrrp36 $V6 203.0.113.249/24
	check fh r1 wait synced timeout 5
	check_eq "$(counted $V5)" "0 20" "l2_lookups and vrrp_fast_path of 20 frames to VRID 5"
	check_eq "$(counted $V6)" "20 0" "l2_lookups and vrrp_fast_path of 20 frames to VRID 6"
}

# Broken if the chip rewrote or dropped what the CPU sends: an advertisement leaves with the virtual MAC as its source.
cpu_sends_unchanged_with_the_virtual_mac() {
	check_eq "$(frames probe r1:vrrp5 h1:h1 advert4 vrid=5 src=192.0.2.1)" 1 "seen on h1"
	check_eq "$(frames probe r1:swp1 h1:h1 h2:h2~ advert4 vrid=6 src=192.0.2.1)" "1 0" "seen on h1 h2"
}

# Broken if two masters could not hear each other: the chip must not drop its own router MACs as source.
own_source_mac_from_the_wire_is_accepted() {
	check_eq "$(frames probe h1:h1 r1:swp1 arp mac=$V5 src=192.0.2.254 dst=192.0.2.254)" 1 "seen on swp1"
	check_eq "$(frames probe h1:h1 r1:swp1 advert4 vrid=5)" 1 "seen on swp1"
}

# within_50_ms NS DEV STATE COMMAND...: the netdev's carrier is STATE (true or false) within 50 ms of the command.
within_50_ms() {
	local took
	took=$("$PY" -ISB - "$@" <<-'END'
		import json, subprocess, sys, time
		ns, dev, wanted, *command = sys.argv[1:]
		begin = time.monotonic()
		subprocess.run(command, check=True)
		done = time.monotonic()
		while time.monotonic() - done < 2:
		    out = subprocess.run(["ip", "-n", ns, "-j", "link", "show", "dev", dev], capture_output=True).stdout
		    if ("LOWER_UP" in json.loads(out)[0]["flags"]) == (wanted == "true"):
		        break
		else:
		    sys.exit("never")
		print(round((time.monotonic() - done) * 1000))
	END
	) || { fail "carrier of $2 in $1 did not become $3"; return; }
	note "carrier of $2 $3 after $took ms"
	within "$took" 50 || fail "took $took ms"
}

# Broken if the router did not notice that its cable is pulled.
carrier_follows_the_wire() {
	within_50_ms r1 swp4 true ip -n r1 link set h4 up
	within_50_ms r1 swp4 false ip -n r1 link set h4 down
}

# Broken if the neighbour did not notice that the router's port is down.
wire_follows_the_port() {
	check ip -n r1 link set h4 up
	within_50_ms r1 h4 false ip -n r1 link set swp4 down
	within_50_ms r1 h4 true ip -n r1 link set swp4 up
}

# Broken if load that the CPU must forward starved what is for the CPU itself: 100,000 packets a second for 5 s.
transit_load_loses_no_ping() {
	local hex line seconds
	[ -z "${FH_UML:-}" ] || { skip "User-Mode Linux has no throughput"; return; }
	# by a device that is no port, so that the CPU has to
	check ip -n r1 link add elsewhere type veth peer name nowhere
	check ip -n r1 link set elsewhere up
	check ip -n r1 link set nowhere up
	check ip -n r1 route add 198.18.0.0/24 dev elsewhere
	check fh r1 wait synced timeout 5
	hex=$(frames build udp4 mac=$OTHER dst_mac=$V5 src=192.0.2.77 dst=198.18.0.10 ttl=8)
	check pings h1 192.0.2.254
	# A chip does not wait for a processor of the machine: what else runs here must not look like its loss. Children of
	# this shell, the sender among them, get what the shell has.
	renice -n -15 -p "${PID[hwsim-r1]}" >/dev/null 2>&1
	renice -n -10 -p "${PID[pings]}" $$ >/dev/null 2>&1
	line=$(blast h1 h1 "$hex" 100000 500000) || fail "blast: $line"
	renice -n 0 -p $$ >/dev/null 2>&1
	note "$line"
	pings_end
	note "$PINGS"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost"
	check chip_holds r1 "c.traps.external_route.packets >= 100000"
	check_eq "$(ping_lost h1 192.0.2.254 20)" 0 "pings lost afterwards"
	seconds=$(sed -n 's/^sent [0-9]* in \([0-9]*\)\..*/\1/p' <<<"$line")
	[ "${seconds:-99}" -le 5 ] || skip "no ping was lost, but this machine could not send 100,000 packets a second: $line"
}

switch r1
host h1 r1 1 192.0.2.10/24 2001:db8:1::10/64
host h2 r1 2 198.51.100.10/24
host h3 r1 3
on h3 sh -c "echo 1 >/proc/sys/net/ipv6/conf/h3/disable_ipv6"
ip -n h1 route add default via 192.0.2.254
ip -n h2 route add default via 198.51.100.1
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 2001:db8:1::1/64 dev swp1 nodad
ip -n r1 addr add 198.51.100.1/24 dev swp2
ip -n r1 addr add 203.0.113.1/24 dev swp3
for port in 1 2 3 4; do ip -n r1 link set swp$port up; done
agent r1
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
macvlan r1 swp1 vrrp6 $V6 192.0.2.253/24
macvlan r1 swp1 vrrp5v6 $W5
ip -n r1 addr add 2001:db8:1::254/64 dev vrrp5v6 nodad
H1=$(mac_of h1 h1)
for port in 1 2 3; do eventually 3000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
fh r1 wait synced timeout 5 >/dev/null || give_up "not in sync"
tests_run "$@"
