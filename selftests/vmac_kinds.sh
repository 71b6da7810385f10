#!/bin/bash
# Macvlans of every mode over a VLAN of a bridge and over a bond: are their MACs in the chip exactly while they should be, through
# changed MACs, duplicates, moves and flaps, and under each admission policy?

ALL_TESTS="
	modes_over_a_vlan_of_a_bridge
	modes_over_a_bond
	mac_change_while_programmed
	mac_change_writes_in_order
	twice_on_one_lower
	on_several_lowers
	equal_to_the_interfaces_own
	vrf_other_than_the_lowers
	enslaved_to_a_bridge
	to_another_netns_and_back
	lower_in_another_netns
	random_mac_first
	group_and_odd_macs
	policy_address
	policy_oper
	policy_always
	policies_by_lower_and_mac
	policies_are_read_again
	frr_backup_stays_out
	nothing_is_left
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/bridge.sh"
needs vlan vlan_filtering vrf bond

SVI=br0.10
offloaded() { fh r1 wait vmac dev "$1" state offload timeout 5 && chip_holds r1 "'$(mac_of r1 "$1")' in macs($(fid_of "$2"))"; }
fid_of() { fh r1 -j rif dev "$1" | json 'd[0].fid'; }
# has DEV STATE REASON MAC: that is its verdict, and the MAC is nowhere in the chip.
has() {
	fh r1 wait vmac dev "$1" state "$2" timeout 5 && fh_holds r1 "d[0].reason == '$3'" vmac dev "$1" &&
		chip_holds r1 "'$4' not in macs()"
}
# own: no more than the interfaces' own MACs are in the chip.
own() { chip_holds r1 "len(macs()) == 2 and all(r.vrrp_id_ipv4 == 0 for r in d.rifs)"; }
gone() { fh r1 wait vmac dev "$1" state gone timeout 5; }
# mode LOWER MODE: a macvlan of that mode is programmed, unless it is passthru, and leaves without a trace.
mode() {
	r1 link add mv0 link "$1" address $V5 type macvlan mode "$2" || fail "no macvlan $2"
	r1 link set mv0 up
	r1 addr add 192.0.2.254/32 dev mv0
	if [ "$2" = passthru ]; then
		check fh r1 wait vmac dev mv0 state not_offloaded timeout 5
		check fh_holds r1 "d[0].reason == 'macvlan_passthru'" vmac dev mv0
	else # `source` as well: its filter of source MACs is the kernel's business
		check offloaded mv0 "$1"
	fi
	r1 link del mv0
	check gone mv0
	check synced
}

# Broken if the mode, which is about macvlans among themselves, decided over the chip; passthru has no MAC of its own.
modes_over_a_vlan_of_a_bridge() {
	local mode own
	own=$(mac_of r1 $SVI)
	for mode in private vepa bridge source; do
		mode $SVI $mode
		check own
	done
	mode $SVI passthru
	check r1 link set $SVI address "$own"
	check synced
	check chip_holds r1 "macs($(fid_of $SVI)) == ['$own']"
}

modes_over_a_bond() {
	local mode
	for mode in private vepa bridge source; do
		mode bond0 $mode
		check own
	done
}

# Broken if keepalived's reload with another VRID left a moment in which neither MAC is routed.
mac_change_while_programmed() {
	local dumps fid
	fid=$(fid_of $SVI)
	check macvlan r1 $SVI mv0 $V5 192.0.2.254/32
	check offloaded mv0 $SVI
	FROM=$(chip_tool count "$RUN/emad.pcap")
	dumps=$(chip_always r1 "'$V5' in macs($fid) or '$V6' in macs($fid)" "'$V6' in macs($fid) and '$V5' not in macs($fid)" \
		ip -n r1 link set mv0 address $V6) || fail "a moment without the virtual MAC"
	note "${dumps:-0} dumps while it changed"
	check offloaded mv0 $SVI
	check chip_holds r1 "[r.vrrp_id_ipv4 for r in d.rifs if r.fid == $fid] == [6]"
}

# Broken if the order of the writes, which dumps may miss, removed the old MAC first.
mac_change_writes_in_order() {
	local order
	order=$(chip_tool writes "$RUN/emad.pcap" "$FROM" | grep "^SFD .*\($V5\|$V6\)")
	check_eq "$(sed -n 's/ fid.*//p' <<<"$order" | tr '\n' ' ')" "SFD add mac $V6 SFD remove mac $V5 " "writes"
	r1 link del mv0
	check gone mv0
	check own
}

# Broken if the record left with the first of two that have the MAC: the kernel lets only one of them be up.
twice_on_one_lower() {
	local fid
	fid=$(fid_of $SVI)
	check macvlan r1 $SVI mv0 $V5 192.0.2.254/32
	check r1 link add mv1 link $SVI address $V5 type macvlan mode private
	r1 addr add 192.0.2.253/32 dev mv1
	check offloaded mv0 $SVI
	check fh_holds r1 "d[0].reason == 'macvlan_down'" vmac dev mv1
	check chip_holds r1 "macs($fid).count('$V5') == 1"
	check chip_always r1 "'$V5' in macs($fid)" True ip -n r1 link del mv1
	check offloaded mv0 $SVI
	# Hand-over from the one to the other, as a daemon does that makes the new one before it deletes the old one.
	check r1 link add mv1 link $SVI address $V5 type macvlan mode private
	r1 addr add 192.0.2.253/32 dev mv1
	r1 link set mv0 down
	check has mv0 held macvlan_down $V5
	r1 link set mv1 up
	check offloaded mv1 $SVI
	r1 link del mv0
	check offloaded mv1 $SVI
	r1 link del mv1
	check gone mv1
	check own
}

# Broken if one MAC on several interfaces, as with one VRID on several LANs, were one record.
on_several_lowers() {
	check macvlan r1 $SVI mv0 $V5 192.0.2.254/32
	check macvlan r1 bond0 mv1 $V5 198.51.100.254/32
	check offloaded mv0 $SVI
	check offloaded mv1 bond0
	check chip_holds r1 "sorted(r.vrrp_id_ipv4 for r in d.rifs if r.enabled is not False) == [5, 5]"
	r1 link del mv0
	check gone mv0
	check offloaded mv1 bond0
	check chip_holds r1 "'$V5' not in macs($(fid_of $SVI))"
	r1 link del mv1
	check gone mv1
	check own
}

# Broken if the interface's own record left with a macvlan that has the same MAC, or the macvlan's with the interface's.
equal_to_the_interfaces_own() {
	local fid mac
	fid=$(fid_of bond0) mac=$(mac_of r1 bond0)
	check macvlan r1 bond0 mv0 $V5 198.51.100.254/32
	check offloaded mv0 bond0
	check r1 link set bond0 address $V5
	check synced
	check chip_holds r1 "macs($fid).count('$V5') == 1 and rif('$V5').fid == $fid"
	check chip_always r1 "'$V5' in macs($fid)" True ip -n r1 link del mv0
	check gone mv0
	check chip_holds r1 "'$V5' in macs($fid)"
	check macvlan r1 bond0 mv0 $V6 198.51.100.254/32
	check r1 link set bond0 address $V6
	check synced
	check chip_always r1 "'$V6' in macs($fid)" "rif('$mac').fid == $fid" ip -n r1 link set bond0 address "$mac"
	check offloaded mv0 bond0
	r1 link del mv0
	check gone mv0
	check synced
	check own
}

# Broken if packets for a macvlan were looked up in another table than the kernel's.
vrf_other_than_the_lowers() {
	check macvlan r1 bond0 mv0 $V5 198.51.100.254/32
	check offloaded mv0 bond0
	r1 link add vrf1 type vrf table 101
	r1 link set vrf1 up
	check r1 link set mv0 master vrf1
	check has mv0 refused vrf_mismatch $V5
	check r1 link set bond0 master vrf1
	check offloaded mv0 bond0
	check r1 link set bond0 nomaster
	check has mv0 refused vrf_mismatch $V5
	check r1 link set mv0 nomaster
	check offloaded mv0 bond0
	r1 link del vrf1
	r1 link del mv0
	check gone mv0
	check own
}

# Broken if a macvlan that a bridge takes the frames of kept its MAC in the chip for more than 50 ms, or did not come back.
enslaved_to_a_bridge() {
	local ms
	check macvlan r1 bond0 mv0 $V5 198.51.100.254/32
	check offloaded mv0 bond0
	r1 link add br9 type bridge
	ms=$(chip_time r1 "'$V5' not in macs()" ip -n r1 link set mv0 master br9) || fail "$V5 is still in the chip"
	note "${ms:-?} ms from the start of ip link set"
	within "${ms:-9999}" 50 || fail "took ${ms:-?} ms"
	check has mv0 not_offloaded macvlan_enslaved $V5
	check r1 link set mv0 nomaster
	check offloaded mv0 bond0
	r1 link del br9
	r1 link del mv0
	check gone mv0
	check own
}

# Broken if a macvlan that nobody here sees any more kept its MAC, or its return were missed.
to_another_netns_and_back() {
	check macvlan r1 bond0 mv0 $V5 198.51.100.254/32
	check offloaded mv0 bond0
	check r1 link set mv0 netns w5
	check gone mv0
	check own
	check ip -n w5 link set mv0 netns r1
	check has mv0 held macvlan_down $V5
	r1 link set mv0 up
	r1 addr add 198.51.100.254/32 dev mv0
	check offloaded mv0 bond0
	r1 link del mv0
	check gone mv0
	check own
}

# Broken if a macvlan whose lower device is elsewhere were taken for one on a device of the same number here.
lower_in_another_netns() {
	ip -n w5 link add e0 type veth peer name e1
	ip -n w5 link add mv0 link e0 address $V5 type macvlan mode private
	check ip -n w5 link set mv0 netns r1
	r1 link set mv0 up
	r1 addr add 198.51.100.254/32 dev mv0
	check has mv0 not_offloaded foreign_netns $V5
	check_status 0 fh r1 explain mv0
	ip -n w5 link del e0
	check gone mv0
	check own
}

# Broken if the first MAC, a random one, were kept: ifupdown and FRR make the macvlan first and give it its MAC later.
random_mac_first() {
	local random
	check r1 link add mv0 link $SVI type macvlan mode bridge
	random=$(mac_of r1 mv0)
	r1 link set mv0 up
	r1 addr add 192.0.2.254/32 dev mv0
	check offloaded mv0 $SVI
	check r1 link set mv0 address $V5
	check offloaded mv0 $SVI
	check chip_soon r1 "'$random' not in macs() and '$V5' in macs($(fid_of $SVI))"
	check fh_holds r1 "d[0].protocol == 'vrrp' and d[0].vrid == 5 and d[0].fast_path" vmac dev mv0
	# The other order: the MAC while it is down.
	r1 link set mv0 down
	check r1 link set mv0 address $V6
	check has mv0 held macvlan_down $V6
	r1 link set mv0 up
	check offloaded mv0 $SVI
	r1 link del mv0
	check gone mv0
	check own
}

# Broken if only VRRP's MACs were served: other protocols and anycast gateways have theirs.
group_and_odd_macs() {
	local mac
	r1 link add mv0 link $SVI type macvlan mode private
	r1 addr add 192.0.2.254/32 dev mv0
	for mac in 00:00:0c:07:ac:05 00:07:b4:00:01:02 02:1c:73:00:00:99 00:00:5e:00:02:05; do
		r1 link set mv0 down
		r1 link set mv0 address $mac up
		check offloaded mv0 $SVI
	done
	if r1 link set mv0 address 01:00:5e:00:00:12 2>/dev/null; then
		check has mv0 not_offloaded mac_multicast 01:00:5e:00:00:12
	fi
	r1 link del mv0
	check gone mv0
	check chip_soon r1 "len(macs()) == 2 and all(r.vrrp_id_ipv4 == 0 and r.vrrp_id_ipv6 == 0 for r in d.rifs)"
}

# configured TEXT: the daemon anew, with this configuration.
configured() {
	printf '%s\n' "$@" >"$RUN/policy.toml"
	stop firsthopd-r1
	agent r1 -c "$RUN/policy.toml"
}
policy_is() { check fh_holds r1 "d[0].policy == '$2'" vmac dev "$1"; }

# Broken if `address` asked for more than an address, or were content without one.
policy_address() {
	configured 'vmac_policy = "address"'
	r1 link add mv0 link $SVI address $V5 type macvlan mode private
	check has mv0 held no_address $V5
	r1 addr add 192.0.2.254/32 dev mv0
	check offloaded mv0 $SVI
	policy_is mv0 address
	r1 link set mv0 up
	r1 link set mv0 protodown on
	check synced
	check offloaded mv0 $SVI
	r1 addr flush dev mv0
	check has mv0 held no_address $V5
	r1 link del mv0
	check gone mv0
}

# Broken if `oper` looked at addresses, or not at the link.
policy_oper() {
	configured 'vmac_policy = "oper"'
	r1 link add mv0 link $SVI address $V5 type macvlan mode private
	check has mv0 held macvlan_down $V5
	r1 link set mv0 up
	check offloaded mv0 $SVI
	policy_is mv0 oper
	r1 link set mv0 protodown on
	check has mv0 held protodown $V5
	r1 link set mv0 protodown off
	check offloaded mv0 $SVI
	r1 link set $SVI down
	check has mv0 held lower_down $V5
	r1 link set $SVI up
	check offloaded mv0 $SVI
	r1 link del mv0
	check gone mv0
}

# Broken if `always` asked for anything but a router interface below.
policy_always() {
	configured 'vmac_policy = "always"'
	r1 link add mv0 link $SVI address $V5 type macvlan mode private
	check offloaded mv0 $SVI
	policy_is mv0 always
	r1 addr flush dev $SVI
	check has mv0 held no_rif $V5
	r1 addr add 192.0.2.1/24 dev $SVI
	check offloaded mv0 $SVI
	r1 link del mv0
	check gone mv0
}

# Broken if an exception were taken for another lower device or MAC, or the first that matches did not decide.
policies_by_lower_and_mac() {
	configured '[[vmac]]' 'lower = "br0.10"' 'mac = "02:1c:73:00:00:00/24"' 'policy = "always"' \
		'[[vmac]]' 'mac = "02:1c:73:00:00:00/24"' 'policy = "oper"'
	r1 link add mv0 link $SVI address 02:1c:73:00:00:99 type macvlan mode private
	r1 link add mv1 link bond0 address 02:1c:73:00:00:99 type macvlan mode private
	r1 link add mv2 link $SVI address $V5 type macvlan mode private
	check offloaded mv0 $SVI
	policy_is mv0 always
	check fh r1 wait vmac dev mv1 state held timeout 5
	policy_is mv1 oper
	check has mv2 held macvlan_down $V5
	policy_is mv2 active
	r1 link set mv1 up
	check offloaded mv1 bond0
	# Another MAC is another policy.
	r1 link set mv0 address 02:1c:74:00:00:99
	check fh r1 wait vmac dev mv0 state held timeout 5
	policy_is mv0 active
	check chip_holds r1 "'02:1c:73:00:00:99' not in macs($(fid_of $SVI))"
	for dev in mv0 mv1 mv2; do
		r1 link del $dev
		check gone $dev
	done
}

# Broken if a change of the configuration needed a restart, or a bad one were taken.
policies_are_read_again() {
	configured ''
	r1 link add mv0 link $SVI address $V5 type macvlan mode private
	check has mv0 held macvlan_down $V5
	printf 'vmac_policy = "always"\n' >"$RUN/policy.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	check offloaded mv0 $SVI
	printf 'vmac_policy = "sometimes"\n' >"$RUN/policy.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	check eventually 3000 grep -qi sometimes "$RUN/firsthopd-r1.log"
	check offloaded mv0 $SVI
	printf '[[vmac]]\nlower = "bond0"\npolicy = "always"\n' >"$RUN/policy.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	check has mv0 held macvlan_down $V5
	r1 link del mv0
	check gone mv0
	configured ''
}

# Broken if the flap of a lower device, after which the kernel says `up` of a macvlan that is held by proto_down, made a
# backup of FRR's route.
frr_backup_stays_out() {
	local before
	check r1 link add mv0 link bond0 address $V5 type macvlan mode bridge
	r1 link set mv0 up
	r1 addr add 198.51.100.254/32 dev mv0
	check offloaded mv0 bond0
	r1 link set mv0 protodown on
	check has mv0 held protodown $V5
	before=$(chip_tool count "$RUN/emad.pcap")
	r1 link set bond0 down
	r1 link set bond0 up
	check eventually 5000 carrier r1 bond0
	# 6.12 says `up` of it then, 7.3 does not.
	[ "${FH_UML:-}" != 6.12 ] || check eventually 5000 sh -c "ip -n r1 link show dev mv0 | grep -q 'state UP'"
	check synced
	check has mv0 held protodown $V5
	# The wire, too.
	ip -n w2 link set h2 down
	check eventually 5000 sh -c "! ip -n r1 link show dev mv0 | grep -q 'state UP'"
	ip -n w2 link set h2 up
	check eventually 5000 carrier r1 bond0
	[ "${FH_UML:-}" != 6.12 ] || check eventually 5000 sh -c "ip -n r1 link show dev mv0 | grep -q 'state UP'"
	check synced
	check has mv0 held protodown $V5
	check_eq "$(chip_tool writes "$RUN/emad.pcap" "$before" | grep -c "$V5")" 0 "writes about $V5"
	r1 link set mv0 protodown off
	check offloaded mv0 bond0
	r1 link del mv0
	check gone mv0
}

nothing_is_left() {
	wipe w2 w5
	check empty
}

world --emad-pcap "$RUN/emad.pcap"
agent r1
bridged br0 "vlan_filtering 1" swp1 && vlan r1 br0 10 192.0.2.1/24 && bonded r1 bond0 balance-xor swp2 &&
	r1 addr add 198.51.100.1/24 dev bond0 && eventually 5000 carrier r1 bond0 || give_up "set-up"
fh r1 wait rif dev bond0 state offload timeout 5 >/dev/null && fh r1 wait rif dev $SVI state offload timeout 5 >/dev/null ||
	give_up "no router interfaces"
tests_run "$@"
