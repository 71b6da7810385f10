#!/bin/bash
# Virtual MACs: are exactly the right macvlans' MACs in the chip, through every change, and does the fast path follow?

ALL_TESTS="
	active_macvlan_is_programmed
	second_vrid_does_not_take_the_slot
	slot_moves_to_the_survivor
	ipv6_has_a_slot_of_its_own
	mac_change_is_make_before_break
	mac_change_writes_in_order
	withdrawal_clears_the_slot_first
	two_owners_keep_the_record
	rename_writes_nothing
	address_decides
	admin_state_decides
	proto_down_decides
	lower_admin_state_decides
	lower_address_decides
	mac_after_the_fact
	other_netns_withdraws
	every_macvlan_has_a_verdict
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06 V7=00:00:5e:00:01:07 V8=00:00:5e:00:01:08 W5=00:00:5e:00:02:05

slot() { chip r1 "rif('$MAC').vrrp_id_ipv4"; }
offloaded() { fh r1 wait vmac dev "$1" state offload timeout 5; }
gone() { fh r1 wait vmac dev "$1" state gone timeout 5; }
# held NAME REASON MAC: rightly not in the chip, and for that reason.
held() {
	fh r1 wait vmac dev "$1" state held timeout 5 &&
		fh_holds r1 "d[0].reason == '$2'" vmac dev "$1" && chip_holds r1 "'$3' not in macs()"
}

# Broken if an active router's MAC were not routed in its interface's FID, or not on the fast path, within 50 ms.
active_macvlan_is_programmed() {
	local fid ms
	fid=$(fh r1 -j rif dev swp1 | json 'd[0].fid')
	check macvlan r1 swp1 vrrp5 $V5
	check held vrrp5 no_address $V5
	ms=$(chip_time r1 "'$V5' in macs($fid) and rif('$MAC').vrrp_id_ipv4 == 5" ip -n r1 addr add 192.0.2.254/24 dev vrrp5) ||
		fail "$V5 is not in the chip"
	note "${ms:-?} ms from the start of ip addr add"
	within "${ms:-9999}" 50 || fail "took ${ms:-?} ms"
	check fh_holds r1 "len(d) == 1 and d[0].mac == '$V5' and d[0].lower == 'swp1' and d[0].protocol == 'vrrp'
		and d[0].family == 'ipv4' and d[0].vrid == 5 and d[0].role == 'active' and d[0].fast_path
		and d[0].fid == $fid and d[0].policy == 'active' and d[0].state == 'offload'" vmac dev vrrp5
}

# Broken if the last VRID took the slot, as in mlxsw, or the second MAC were not routed.
second_vrid_does_not_take_the_slot() {
	check macvlan r1 swp1 vrrp6 $V6 192.0.2.253/24
	check offloaded vrrp6
	check chip_holds r1 "macs() == sorted(['$MAC', '$V5', '$V6'])"
	check_eq "$(slot)" 5 "VRID on the fast path"
	check fh_holds r1 "d[0].fast_path is False and d[0].reason == 'vrid_conflict'" vmac vrid 6
}

# Broken if deleting a macvlan left its MAC routed, or left the slot to nobody.
slot_moves_to_the_survivor() {
	check ip -n r1 link del vrrp5
	check gone vrrp5
	check chip_holds r1 "macs() == sorted(['$MAC', '$V6'])"
	check_eq "$(slot)" 6 "VRID on the fast path"
	check fh_holds r1 "d[0].fast_path is True" vmac dev vrrp6
	check macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
	check offloaded vrrp5
	check_eq "$(slot)" 5 "VRID on the fast path"
}

# Broken if the families shared a slot, or an IPv6 virtual router were not recognised.
ipv6_has_a_slot_of_its_own() {
	check macvlan r1 swp1 vrrp5v6 $W5 2001:db8:1::254/64
	check offloaded vrrp5v6
	check chip_holds r1 "rif('$MAC').vrrp_id_ipv6 == 5 and rif('$MAC').vrrp_id_ipv4 == 5 and '$W5' in macs()"
	check fh_holds r1 "d[0].family == 'ipv6' and d[0].vrid == 5" vmac dev vrrp5v6
	check ip -n r1 link del vrrp5v6
	check gone vrrp5v6
	check chip_holds r1 "not rif('$MAC').vrrp_id_ipv6 and '$W5' not in macs()"
}

# Broken if keepalived's reload with another VRID, which edits the MAC of a macvlan that is up, were missed or left a gap.
mac_change_is_make_before_break() {
	local fid dumps
	fid=$(fh r1 -j rif dev swp1 | json 'd[0].fid')
	FROM=$(chip_tool count "$RUN/emad.pcap")
	dumps=$(chip_always r1 "'$V6' in macs($fid) or '$V7' in macs($fid)" "'$V7' in macs($fid) and '$V6' not in macs($fid)" \
		ip -n r1 link set vrrp6 address $V7) || fail "a moment without the virtual MAC"
	note "${dumps:-0} dumps while it changed"
	check offloaded vrrp6
	check fh_holds r1 "d[0].mac == '$V7' and d[0].vrid == 7" vmac dev vrrp6
}

# Broken if the order of the writes, which dumps may miss, removed the old MAC first.
mac_change_writes_in_order() {
	local order
	order=$(chip_tool writes "$RUN/emad.pcap" "$FROM" | grep "^SFD .*\($V6\|$V7\)")
	printf '%s\n' "$order" | sed 's/^/# /'
	check [ "$(sed -n 's/ fid.*//p' <<<"$order" | tr '\n' ' ')" = "SFD add mac $V7 SFD remove mac $V6 " ]
}

# Broken if the slot kept routing a MAC whose record is gone: a write of the RIF must come no later than the removal.
withdrawal_clears_the_slot_first() {
	local from order
	from=$(chip_tool count "$RUN/emad.pcap")
	check ip -n r1 addr flush dev vrrp5
	check held vrrp5 no_address $V5
	order=$(chip_tool writes "$RUN/emad.pcap" "$from" | grep -E "^(RITR|SFD)")
	printf '%s\n' "$order" | sed 's/^/# /'
	check grep -q "^RITR set .* vrrp4 7 " <<<"$(grep -B9 "^SFD remove mac $V5" <<<"$order" | head -n 1)"
	check_eq "$(slot)" 7 "VRID on the fast path"
	check ip -n r1 addr add 192.0.2.254/24 dev vrrp5
	check offloaded vrrp5
	check_eq "$(slot)" 5 "VRID on the fast path"
}

# Broken if the record of a MAC left with the first of its owners.
two_owners_keep_the_record() {
	local fid
	fid=$(fh r1 -j rif dev swp1 | json 'd[0].fid')
	check ip -n r1 link set swp1 address $V7
	check chip_soon r1 "rif('$V7').fid is not None or rif('$V7').rif is not None"
	check fh r1 wait synced timeout 5
	# The former MAC stays until it is known that nobody put it into the filters: a second.
	check chip_soon r1 "macs($fid) == sorted(['$V5', '$V7'])" 3000
	check chip_always r1 "'$V7' in macs($fid)" "True" ip -n r1 link del vrrp6
	check gone vrrp6
	check chip_holds r1 "macs($fid) == sorted(['$V5', '$V7'])"
	check ip -n r1 link set swp1 address "$MAC"
	check chip_soon r1 "macs($fid) == sorted(['$V5', '$MAC'])"
	# The other way round: the interface leaves, the macvlan stays.
	check macvlan r1 swp1 vrrp6 $V6 192.0.2.253/24
	check offloaded vrrp6
	check ip -n r1 link set swp1 address $V6
	check fh r1 wait synced timeout 5
	check chip_always r1 "'$V6' in macs($fid)" "rif('$MAC').rif is not None" ip -n r1 link set swp1 address "$MAC"
	check fh r1 wait synced timeout 5
	check chip_holds r1 "macs($fid) == sorted(['$V5', '$V6', '$MAC'])"
}

# Broken if anything were keyed by the name of a macvlan.
rename_writes_nothing() {
	local writes
	check fh r1 wait synced timeout 5
	writes=$(chip r1 d.writes_total)
	check ip -n r1 link set vrrp6 name gateway
	check fh_holds r1 "d[0].state == 'offload'" vmac dev gateway
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check ip -n r1 link set gateway name vrrp6
}

# Broken if a backup of keepalived's, up without an address, attracted traffic, or an active router did not.
address_decides() {
	check ip -n r1 addr flush dev vrrp6
	check held vrrp6 no_address $V6
	check ip -n r1 addr add 192.0.2.253/24 dev vrrp6
	check offloaded vrrp6
}

# Broken if a macvlan that is down were routed for.
admin_state_decides() {
	check ip -n r1 link set vrrp6 down
	check held vrrp6 macvlan_down $V6
	check ip -n r1 link set vrrp6 up
	check offloaded vrrp6
}

# Broken if a backup of FRR's, held by proto_down with its addresses on it, attracted traffic.
proto_down_decides() {
	check ip -n r1 link set vrrp6 protodown on
	check held vrrp6 protodown $V6
	check ip -n r1 link set vrrp6 protodown off
	check offloaded vrrp6
}

# Broken if the lower device's admin down, of which the kernel sends no message for the macvlan, were missed.
lower_admin_state_decides() {
	check ip -n r1 link set swp1 down
	check held vrrp5 lower_down $V5
	check held vrrp6 lower_down $V6
	check ip -n r1 link set swp1 up
	check eventually 3000 carrier r1 swp1
	check offloaded vrrp5
	check offloaded vrrp6
}

# Broken if virtual MACs outlived the router interface below, or did not come back with it.
lower_address_decides() {
	check on r1 sh -c "echo 1 >/proc/sys/net/ipv6/conf/swp1/disable_ipv6"
	check ip -n r1 addr del 192.0.2.1/24 dev swp1
	check held vrrp5 no_rif $V5
	check chip_holds r1 "not macs() and not rif('$MAC')"
	check ip -n r1 addr add 192.0.2.1/24 dev swp1
	check on r1 sh -c "echo 0 >/proc/sys/net/ipv6/conf/swp1/disable_ipv6"
	check offloaded vrrp5
	check offloaded vrrp6
	check_eq "$(slot)" 5 "VRID on the fast path"
}

# Broken if a macvlan that is announced with a random MAC first, and gets its virtual one later, were stuck with the first.
mac_after_the_fact() {
	check ip -n r1 link add late link swp1 type macvlan mode bridge
	check ip -n r1 link set late up
	check ip -n r1 addr add 192.0.2.252/32 dev late
	check offloaded late
	check ip -n r1 link set late address $V8
	check chip_soon r1 "macs() == sorted(['$MAC', '$V5', '$V6', '$V8'])"
	check fh_holds r1 "d[0].vrid == 8" vmac dev late
	check ip -n r1 link del late
	check gone late
}

# Broken if a macvlan that moved to another namespace, whose addresses nobody here sees, kept its MAC in the chip.
other_netns_withdraws() {
	namespace away
	check ip -n r1 link set vrrp6 netns away
	check gone vrrp6
	check chip_holds r1 "'$V6' not in macs()"
	check ip -n away link del vrrp6
	check macvlan r1 swp1 vrrp6 $V6 192.0.2.253/24
	check offloaded vrrp6
}

# Broken if somebody had to guess why a MAC is not in the chip.
every_macvlan_has_a_verdict() {
	check ip -n r1 link add over type veth peer name over1
	check macvlan r1 over mv0 02:00:00:00:00:77 10.9.9.9/24
	check macvlan r1 swp1 idle $V8
	check fh r1 wait synced timeout 5
	check fh_holds r1 "{v.ifname: (v.state, v.reason) for v in d} == {
		'mv0': ('not_offloaded', 'lower_not_asic'), 'idle': ('held', 'no_address'),
		'vrrp5': ('offload', None), 'vrrp6': ('offload', 'vrid_conflict')}" vmac
	check_status 0 fh r1 diff
}

switch r1 --emad-pcap "$RUN/emad.pcap"
host h1 r1 1 192.0.2.10/24
ip -n r1 link set swp1 up
ip -n r1 addr add 192.0.2.1/24 dev swp1
agent r1
MAC=$(mac_of r1 swp1)
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
tests_run "$@"
