#!/bin/bash
# What a chip can't do: does `explain` name the reason of each device that is not offloaded, is the chip left alone, and is the
# device offloaded once it is mended as the fix says?

ALL_TESTS="
	lag_mode_unsupported
	vlan_protocol_unsupported
	vlan_on_lag_port
	vlan_on_ovs_port
	vlan_on_8021ad_port
	vlan_on_locked_port
	vlan_in_bridge
	vlan_in_vlan_aware_bridge
	vlans_of_one_port_bridged
	vlan_of_unaware_bridge
	bridge_8021ad
	upper_on_8021ad_bridge
	second_vlan_aware_bridge
	upper_unsupported
	port_enslaved
	no_pvid_and_vlan_is_pvid
	lower_not_asic
	excluded_by_config
	ipvlans
	full_tables
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/bridge.sh"
needs vlan vlan_filtering vrf bond

# vetoed DEV REASON [STATE]: explain says so, with something to do about it; the exit code is that of its state.
vetoed() {
	local answer state=${3:-not_offloaded} status=0 wanted=0 decides="['$2']"
	# A table of the chip is no condition of the device.
	[ "$state" != refused ] || wanted=3 decides='[]'
	answer=$(fh r1 -j explain "$1") || status=$?
	check ask doc "d.reason == '$2' and d.state == '$state' and d.fix and d.effect
		and [c.reason for c in d.conditions if c.decides] == $decides" "$answer" || return
	check_eq "$status" "$wanted" "exit code of explain $1"
}
# offloaded DEV: as a router interface.
offloaded() {
	check fh r1 wait rif dev "$1" state offload timeout 5
	check_status 0 fh r1 explain "$1"
}
# unrouted DEV...: the chip has no router interface with the MAC of any of them.
unrouted() {
	local dev
	for dev; do check chip_holds r1 "not rif('$(mac_of r1 "$dev")') and '$(mac_of r1 "$dev")' not in macs()"; done
}
# over HOST...: an end to what the test made; the chip forgets it all.
over() {
	wipe
	check empty
}
ip_on() { r1 addr add "$1" dev "$2"; }

# Broken if the chip were told to distribute in a way that it can't, or a bond over which nothing is offloaded got something.
lag_mode_unsupported() {
	bonded r1 bond0 active-backup swp2 swp3 && ip_on 192.0.2.1/24 bond0 && vlan r1 bond0 10 198.51.100.1/24 || fail "set-up"
	vetoed bond0 lag_mode_unsupported
	vetoed bond0.10 lag_mode_unsupported
	bridged br0 "" bond0.10
	vetoed bond0.10 lag_mode_unsupported
	check chip_holds r1 "not d.lags and not macs()"
	r1 link del br0
	r1 link set swp2 nomaster
	r1 link set swp3 nomaster
	r1 link set bond0 down
	check r1 link set bond0 type bond mode balance-xor
	r1 link set swp2 down
	check r1 link set swp2 master bond0
	r1 link set bond0 up
	offloaded bond0
	offloaded bond0.10
	over
}

# Broken if a device with service tags were taken for an 802.1Q VLAN.
vlan_protocol_unsupported() {
	r1 link add link swp1 name swp1.10 type vlan protocol 802.1ad id 10 && r1 link set swp1.10 up && ip_on 192.0.2.1/24 swp1.10 || fail "set-up"
	vetoed swp1.10 vlan_protocol_unsupported
	unrouted swp1.10
	bridged br0 "vlan_filtering 1" swp2
	r1 link add link br0 name br0.10 type vlan protocol 802.1ad id 10
	ip_on 198.51.100.1/24 br0.10
	vetoed br0.10 vlan_protocol_unsupported
	r1 link del swp1.10
	vlan r1 swp1 10 192.0.2.1/24
	r1 link del br0.10
	vlan r1 br0 10 198.51.100.1/24
	offloaded swp1.10
	offloaded br0.10
	over
}

# Broken if a VLAN of one member got the frames that belong to the bond.
vlan_on_lag_port() {
	vlan r1 swp2 10 192.0.2.1/24 || fail "set-up"
	offloaded swp2.10
	bonded r1 bond0 balance-xor swp2 || fail "set-up"
	check synced
	vetoed swp2.10 vlan_on_lag_port
	unrouted swp2.10
	vlan r1 bond0 10 198.51.100.1/24
	offloaded bond0.10
	vetoed swp2.10 vlan_on_lag_port
	r1 link set swp2 nomaster
	offloaded swp2.10
	over
}

# Broken if frames that Open vSwitch takes were routed by the chip.
vlan_on_ovs_port() {
	if ! on r1 ovs-vsctl show >/dev/null 2>&1; then
		skip "no Open vSwitch here"
	fi
}

# Broken if a VLAN device of a port whose frames a provider bridge takes were routed.
vlan_on_8021ad_port() {
	vlan r1 swp1 10 192.0.2.1/24 && bridged br0 "vlan_filtering 1 vlan_protocol 802.1ad" swp1 || fail "set-up"
	vetoed swp1.10 vlan_on_8021ad_port
	vetoed swp1 bridge_8021ad
	unrouted swp1.10
	r1 link set swp1 nomaster
	offloaded swp1.10
	over
}

# Broken if a VLAN device let frames past the lock of a port.
vlan_on_locked_port() {
	vlan r1 swp1 10 192.0.2.1/24 && bridged br0 "" swp1 || fail "set-up"
	offloaded swp1.10
	check bridge_r1 link set dev swp1 locked on
	check synced
	vetoed swp1.10 vlan_on_locked_port
	unrouted swp1.10
	check bridge_r1 link set dev swp1 locked off
	offloaded swp1.10
	over
}

# Broken if one VLAN of a port were bridged and routed at the same time.
vlan_in_bridge() {
	vlan r1 swp1 10 192.0.2.1/24 && bridged br0 "vlan_filtering 1" swp1 || fail "set-up"
	offloaded swp1.10
	check bridge_r1 vlan add dev swp1 vid 10
	check synced
	vetoed swp1.10 vlan_in_bridge
	unrouted swp1.10
	check bridge_r1 vlan del dev swp1 vid 10
	offloaded swp1.10
	# The other fix: a VLAN device of the bridge.
	check bridge_r1 vlan add dev swp1 vid 10
	vlan r1 br0 10 198.51.100.1/24
	offloaded br0.10
	vetoed swp1.10 vlan_in_bridge
	over
}

# Broken if the chip bridged a VLAN device with a bridge that has VLANs of its own.
vlan_in_vlan_aware_bridge() {
	bridged br0 "vlan_filtering 1" swp2 && vlan r1 swp1 10 && r1 link set swp1.10 master br0 || fail "set-up"
	vetoed swp1.10 vlan_in_vlan_aware_bridge
	check chip_holds r1 "not [m for m in d.mappings if m.port == 1]"
	r1 link set swp1.10 nomaster
	r1 link set swp1 master br0
	check bridge_r1 vlan add dev swp1 vid 10
	vlan r1 br0 10 198.51.100.1/24
	offloaded br0.10
	check_eq "$(send w1:h1@10 advert4 vrid=9 to=r1:swp1)" "swp1=1@10 ipv4_vrrp+1" "in VLAN 10"
	over
}

# Broken if the chip bridged a port with itself.
vlans_of_one_port_bridged() {
	vlan r1 swp1 10 && vlan r1 swp1 20 && bridged br0 "" swp1.10 swp1.20 swp2 || fail "set-up"
	vetoed swp1.20 vlans_of_one_port_bridged
	check fh_holds r1 "d.state == 'offload'" explain swp1.10
	check_eq "$(send w2:h2 advert4 vrid=9 to=w1:h1)" "h1=1@10" "flooded"
	r1 link set swp1.20 nomaster
	bridged br1 "" swp1.20 swp4
	check synced
	check fh_holds r1 "d.state == 'offload'" explain swp1.20
	check_eq "$(send w4:h4 advert4 vrid=9 to=w1:h1)" "h1=1@20" "flooded"
	# And when the first one leaves, the second takes its place.
	r1 link set swp1.20 master br0
	check synced
	vetoed swp1.20 vlans_of_one_port_bridged
	r1 link set swp1.10 nomaster
	check synced
	check fh_holds r1 "d.state == 'offload'" explain swp1.20
	check_eq "$(send w2:h2 advert4 vrid=9 to=w1:h1)" "h1=1@20" "flooded"
	over
}

# Broken if a VLAN of a bridge that has none were routed.
vlan_of_unaware_bridge() {
	bridged br0 "" swp1 && vlan r1 br0 10 192.0.2.1/24 || fail "set-up"
	vetoed br0.10 vlan_of_unaware_bridge
	unrouted br0.10
	r1 link set br0 type bridge vlan_filtering 1
	offloaded br0.10
	over
}

# Broken if the chip bridged, or routed for, a bridge with service tags.
bridge_8021ad() {
	bridged br0 "vlan_filtering 1 vlan_protocol 802.1ad" swp1 swp2 && ip_on 192.0.2.1/24 br0 || fail "set-up"
	vetoed br0 bridge_8021ad
	vetoed swp1 bridge_8021ad
	unrouted br0
	check chip_holds r1 "not d.fids and not d.mappings"
	r1 link set br0 type bridge vlan_protocol 802.1Q
	offloaded br0
	over
}

# Broken if a VLAN or macvlan on such a bridge were routed.
upper_on_8021ad_bridge() {
	bridged br0 "vlan_filtering 1 vlan_protocol 802.1ad" swp1 && ip_on 192.0.2.1/24 br0 && vlan r1 br0 10 198.51.100.1/24 &&
		macvlan r1 br0 vrrp5 $V5 192.0.2.254/24 || fail "set-up"
	vetoed br0.10 upper_on_8021ad_bridge
	vetoed vrrp5 upper_on_8021ad_bridge
	check chip_holds r1 "not macs()"
	r1 link set br0 type bridge vlan_protocol 802.1Q
	offloaded br0.10
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	over
}

# Broken if two bridges shared the chip's VLANs.
second_vlan_aware_bridge() {
	bridged br0 "vlan_filtering 1" swp1 && bridged br1 "vlan_filtering 1" swp2 && ip_on 192.0.2.1/24 br0 && ip_on 198.51.100.1/24 br1 &&
		vlan r1 br1 10 203.0.113.1/24 || fail "set-up"
	offloaded br0
	vetoed br1 second_vlan_aware_bridge
	vetoed br1.10 second_vlan_aware_bridge
	vetoed swp2 second_vlan_aware_bridge
	check_eq "$(send w1:h1 advert4 vrid=9 to=w2:h2~,r1:br0)" "h2=0 br0=1 ipv4_vrrp+1" "flooded"
	r1 link set br1 type bridge vlan_filtering 0
	offloaded br1
	r1 link set br1 type bridge vlan_filtering 1
	check synced
	vetoed br1 second_vlan_aware_bridge
	# The first one leaves: there is room.
	r1 link del br0
	offloaded br1
	offloaded br1.10
	over
}

# Broken if a device that no chip has a counterpart of were taken for another.
upper_unsupported() {
	vlan r1 swp1 10 && r1 link add link swp1.10 name deep type vlan id 20 && r1 link set deep up && ip_on 192.0.2.1/24 deep || fail "set-up"
	vetoed deep upper_unsupported
	r1 link add link swp2 name mv0 address 02:00:00:00:00:44 type macvlan mode private
	r1 link add link mv0 name mvlan type vlan id 10
	ip_on 198.51.100.1/24 mvlan
	vetoed mvlan upper_unsupported
	check chip_holds r1 "not macs()"
	r1 link del deep
	vlan r1 swp1 20 192.0.2.1/24
	offloaded swp1.20
	over
}

# Broken if addresses on members of bridges and bonds, which route nothing, made router interfaces.
port_enslaved() {
	bridged br0 "" swp1 && ip_on 192.0.2.1/24 swp1 && bonded r1 bond0 balance-xor swp2 && ip_on 198.51.100.1/24 swp2 &&
		vlan r1 swp4 10 203.0.113.1/24 && r1 link set swp4.10 master br0 && ip_on 203.0.114.1/24 bond0 || fail "set-up"
	offloaded bond0
	vetoed swp1 port_enslaved
	vetoed swp2 port_enslaved
	vetoed swp4.10 port_enslaved
	r1 link set bond0 master br0
	check synced
	vetoed bond0 port_enslaved
	check chip_holds r1 "not macs()"
	local dev
	for dev in swp1 bond0 swp4.10 swp2; do r1 link set $dev nomaster; done
	r1 link set swp2 up
	for dev in swp1 swp4.10 swp2; do offloaded $dev; done
	over
}

# Broken if a bridge or its VLAN device that rightly waits were called a fault.
no_pvid_and_vlan_is_pvid() {
	bridged br0 "vlan_filtering 1 vlan_default_pvid 0" swp1 && ip_on 192.0.2.1/24 br0 || fail "set-up"
	vetoed br0 no_pvid held
	bridge_r1 vlan add dev br0 vid 10 pvid untagged self
	offloaded br0
	vlan r1 br0 10 198.51.100.1/24
	vetoed br0.10 vlan_is_pvid held
	bridge_r1 vlan add dev br0 vid 20 pvid untagged self
	offloaded br0.10
	offloaded br0
	over
}

# Broken if the chip were made responsible for what it does not carry.
lower_not_asic() {
	bridged br0 "" && ip_on 192.0.2.1/24 br0 && r1 link add over type veth peer name under && ip_on 198.51.100.1/24 over || fail "set-up"
	vetoed br0 lower_not_asic
	vetoed over lower_not_asic
	r1 link add link over name over.10 type vlan id 10
	ip_on 203.0.113.1/24 over.10
	vetoed over.10 lower_not_asic
	r1 link set swp1 master br0
	offloaded br0
	over
}

# Broken if a device that its owner wants left alone were touched.
excluded_by_config() {
	stop firsthopd-r1
	printf 'exclude = ["br0", "swp4"]\n' >"$RUN/exclude.toml"
	agent r1 -c "$RUN/exclude.toml"
	bridged br0 "" swp1 && ip_on 192.0.2.1/24 br0 && ip_on 198.51.100.1/24 swp4 || fail "set-up"
	vetoed br0 excluded_by_config
	vetoed swp4 excluded_by_config
	unrouted br0 swp4
	stop firsthopd-r1
	agent r1
	offloaded br0
	offloaded swp4
	over
}

# Broken if an ipvlan, which has no MAC of its own, were programmed, or its verdict did not say what to expect of it.
ipvlans() {
	ip_on 192.0.2.1/24 swp1 && ip_on 198.51.100.1/24 swp4 || fail "set-up"
	offloaded swp1
	local mode flag reason
	for mode in l2 l3 l3s; do
		for flag in bridge private vepa; do
			reason=ipvlan_shares_mac
			[ $flag != vepa ] || reason=ipvlan_vepa_reflection
			if ! r1 link add iv0 link swp1 type ipvlan mode $mode $flag; then
				fail "no ipvlan $mode $flag"
				continue
			fi
			r1 link set iv0 up
			ip_on 192.0.2.254/24 iv0
			vetoed iv0 $reason
			check chip_holds r1 "macs($(fh r1 -j rif dev swp1 | json 'd[0].fid')) == ['$(mac_of r1 swp1)']"
			r1 link del iv0
		done
	done
	over
}

# Broken if a full table cost what is in it, was not named, or were not filled again as soon as there is room.
full_tables() {
	stop firsthopd-r1
	stop hwsim-r1
	world --personality tiny
	agent r1
	local dev
	# Two groups, eight bridging domains (router interfaces of ports take one each), four router interfaces.
	bonded r1 bond1 balance-xor swp1 && bonded r1 bond2 balance-xor swp2 && bonded r1 bond3 balance-xor swp3 || fail "set-up"
	for dev in 1 2 3; do ip_on 192.0.$dev.1/24 bond$dev; done
	check synced
	offloaded bond1
	offloaded bond2
	vetoed bond3 lag_table_full refused
	r1 link del bond1
	offloaded bond3
	check empty_after bond2 bond3
	for dev in 1 2 3 4 5; do
		vlan r1 swp4 1$dev 192.0.$dev.1/24
	done
	check synced
	for dev in 1 2 3 4; do offloaded swp4.1$dev; done
	vetoed swp4.15 rif_table_full refused
	r1 link del swp4.12
	offloaded swp4.15
	wipe
	check empty
	bridged br0 "vlan_filtering 1 vlan_default_pvid 0" swp1 swp2
	for dev in 2 3 4 5 6 7 8 9; do bridge_r1 vlan add dev swp1 vid $dev; done
	check synced
	check chip_holds r1 "len(d.fids) == 8"
	bridged br1 "" swp4
	ip_on 192.0.2.1/24 br1
	check synced
	vetoed br1 fid_table_full refused
	bridge_r1 vlan del dev swp1 vid 5
	offloaded br1
	over
	for dev in vrf1 vrf2; do r1 link add $dev type vrf table 10${dev#vrf} && r1 link set $dev up; done
	ip_on 192.0.4.1/24 swp4
	r1 link set swp1 master vrf1
	r1 link set swp2 master vrf2
	check synced
	offloaded swp4
	offloaded swp1
	vetoed swp2 vr_table_full refused
	r1 link set swp1 nomaster
	offloaded swp2
	over
}
empty_after() {
	local dev
	for dev; do r1 link del "$dev"; done
	wipe
	empty
}

world
agent r1
tests_run "$@"
