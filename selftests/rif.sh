#!/bin/bash
# Router interfaces: does the chip follow the ports' addresses, MACs and MTUs, at once and in place?

ALL_TESTS="
	no_address_no_rif
	address_makes_a_rif_within_50_ms
	client_and_chip_agree
	mtu_is_edited_in_place
	mac_is_edited_in_place
	mac_writes_are_make_before_break
	rename_writes_nothing
	second_address_writes_no_rif
	last_address_removes_the_rif
	link_local_makes_a_rif
	rename_away_and_back_under_churn
"
. "$(dirname "$0")/lib/lib.sh"

MAC=02:11:22:33:44:01

# Broken if ports got router interfaces that nobody asked for.
no_address_no_rif() {
	check chip_holds r1 'not macs() and not [r for r in d.rifs if r.enabled is not False]'
	check fh_holds r1 'd == [] or all(r.state != "offload" for r in d)' rif
}

# Broken if an address on a port, even one that is down, were not in the chip within 50 ms, with the port's MAC and MTU.
address_makes_a_rif_within_50_ms() {
	local mac ms
	mac=$(mac_of r1 swp1)
	ms=$(chip_time r1 "rif('$mac').mtu == 1500 and '$mac' in macs()" ip -n r1 addr add 192.0.2.1/24 dev swp1) ||
		fail "no router interface for $mac"
	note "${ms:-?} ms from the start of ip addr add"
	within "${ms:-9999}" 50 || fail "took ${ms:-?} ms"
}

# Broken if the client said something else about a router interface than the chip itself.
client_and_chip_agree() {
	local mac index
	mac=$(mac_of r1 swp1)
	index=$(chip r1 "rif('$mac').rif")
	check fh_holds r1 "len(d) == 1 and d[0].ifname == 'swp1' and d[0].rif == $index and d[0].mac == '$mac'
		and d[0].mtu == 1500 and d[0].type == 'subport' and d[0].state == 'offload'" rif dev swp1
	check chip_holds r1 "macs($(fh r1 -j rif dev swp1 | json 'd[0].fid')) == ['$mac']"
	check_status 0 fh r1 diff
}

# Broken if a new MTU cost the interface its index, or did not reach the chip.
mtu_is_edited_in_place() {
	local mac index
	mac=$(mac_of r1 swp1)
	index=$(chip r1 "rif('$mac').rif")
	check chip_always r1 "rif('$mac').rif == $index and macs() == ['$mac']" "rif('$mac').mtu == 9000" \
		ip -n r1 link set swp1 mtu 9000
	check ip -n r1 link set swp1 mtu 1500
	check chip_soon r1 "rif('$mac').mtu == 1500 and rif('$mac').rif == $index"
}

# Broken if there were a moment in which the chip routed for neither the old nor the new MAC, or the index changed.
mac_is_edited_in_place() {
	local old index fid dumps
	old=$(mac_of r1 swp1)
	index=$(chip r1 "rif('$old').rif")
	fid=$(fh r1 -j rif dev swp1 | json 'd[0].fid')
	MAC_FROM=$(chip_tool count "$RUN/emad.pcap")
	dumps=$(chip_always r1 "[r.rif for r in d.rifs if r.enabled is not False] == [$index]
		and ('$old' in macs($fid) or '$MAC' in macs($fid))" "macs($fid) == ['$MAC'] and rif('$MAC').rif == $index" \
		ip -n r1 link set swp1 address $MAC) || fail "a moment without a router MAC"
	note "${dumps:-0} dumps while it changed"
	MAC_OLD=$old
	check fh_holds r1 "d[0].mac == '$MAC' and d[0].rif == $index" rif dev swp1
}

# Broken if the writes of the test before removed the old MAC before the new one was in the chip, which a dump may miss.
mac_writes_are_make_before_break() {
	local order
	order=$(chip_tool writes "$RUN/emad.pcap" "$MAC_FROM" | grep -E "^(SFD|RITR) .*($MAC|$MAC_OLD)")
	printf '%s\n' "$order" | sed 's/^/# /'
	check [ "$(grep -c . <<<"$order")" = 3 ]
	check grep -q "^SFD add mac $MAC" <<<"$(sed -n 1p <<<"$order")"
	check grep -q "^SFD remove mac $MAC_OLD" <<<"$(sed -n '$p' <<<"$order")"
}

# Broken if anything were keyed by the name of a netdev.
rename_writes_nothing() {
	local writes
	check fh r1 wait synced timeout 5
	writes=$(chip r1 d.writes_total)
	check ip -n r1 link set swp1 name front1
	check fh_holds r1 "d[0].ifname == 'front1' and d[0].state == 'offload'" rif dev front1
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check ip -n r1 link set front1 name swp1
	check fh_holds r1 "d[0].ifname == 'swp1'" rif dev swp1
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
}

# Broken if each address made its own router interface, or removing one of two removed it.
second_address_writes_no_rif() {
	local index
	index=$(chip r1 "rif('$MAC').rif")
	check ip -n r1 addr add 203.0.113.1/24 dev swp1
	check fh r1 wait synced timeout 5
	check chip_holds r1 "[r.rif for r in d.rifs if r.enabled is not False] == [$index] and macs() == ['$MAC']"
	check chip_holds r1 "any(r.prefix == '203.0.113.1/32' for r in d.routes)"
	check ip -n r1 addr del 203.0.113.1/24 dev swp1
	check fh r1 wait synced timeout 5
	check chip_holds r1 "rif('$MAC').rif == $index and not any(r.prefix == '203.0.113.1/32' for r in d.routes)"
}

# Broken if an interface without addresses kept routing.
last_address_removes_the_rif() {
	check ip -n r1 addr del 192.0.2.1/24 dev swp1
	check fh r1 wait rif dev swp1 state gone timeout 5
	check chip_holds r1 "not macs() and not [r for r in d.rifs if r.enabled is not False]"
	check chip_holds r1 "not any(r.prefix.startswith('192.0.2.') for r in d.routes)"
}

# Broken if a link-local address, which the kernel gives to a port that comes up, made no router interface.
link_local_makes_a_rif() {
	host h2 r1 2
	check ip -n r1 link set swp2 up
	check eventually 5000 sh -c "ip -n r1 -6 addr show dev swp2 scope link -tentative | grep -q inet6"
	check fh r1 wait rif dev swp2 state offload timeout 5
	check chip_holds r1 "rif('$(mac_of r1 swp2)').mtu == 1500"
	check ip -n r1 link set swp2 down
	check fh r1 wait rif dev swp2 state gone timeout 5
}

# Broken if events of names, addresses and states that arrive together were mixed up.
rename_away_and_back_under_churn() {
	local round mac
	mac=$(mac_of r1 swp3)
	for round in 1 2 3 4 5; do
		ip -n r1 addr add 198.51.100.1/24 dev swp3
		ip -n r1 link set swp3 name tmp3
		ip -n r1 addr del 198.51.100.1/24 dev tmp3
		ip -n r1 addr add 198.51.100.$round/24 dev tmp3
		ip -n r1 link set tmp3 name swp3
		ip -n r1 addr add 198.51.100.99/24 dev swp3
		ip -n r1 addr del 198.51.100.$round/24 dev swp3
		ip -n r1 addr del 198.51.100.99/24 dev swp3 2>/dev/null
	done
	check ip -n r1 addr add 198.51.100.1/24 dev swp3
	check fh r1 wait synced timeout 5
	check chip_holds r1 "macs() == ['$mac'] and [r.prefix for r in d.routes if r.prefix.startswith('198.51.100.1/')]"
	check_status 0 fh r1 diff
}

switch r1 --emad-pcap "$RUN/emad.pcap"
agent r1
tests_run "$@"
