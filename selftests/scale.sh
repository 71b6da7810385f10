#!/bin/bash
# As many virtual routers as the protocol has, on one interface, and one virtual router on as many interfaces as the chip has:
# is each of them in the chip, and does a change cost what it changes?

ALL_TESTS="
	all_vrids_of_both_families_on_one_interface
	one_goes_and_the_others_stay
	all_go_at_once_and_come_back
	restart_with_all_writes_nothing
	one_vrid_on_every_vlan
	one_vlan_goes_and_the_others_stay
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

VRIDS=255
VLANS=${FH_SCALE_VLANS:-1000} BUDGET=${FH_SCALE_SECONDS:-60}
V5=00:00:5e:00:01:05
batch() { ip -n r1 -batch - <"$RUN/batch"; }
# all_offload COUNT: that many virtual MACs, each in the chip.
all_offload() { fh_holds r1 "len(d) == $1 and all(v.state == 'offload' for v in d)" vmac; }

# vrids COMMAND: lines of `ip` for each VRID of both families, with $n, $hex, $v4 and $v6.
vrids() {
	local n hex
	for ((n = 1; n <= VRIDS; n++)); do
		# shellcheck disable=SC2034 # for what is evaluated
		printf -v hex %02x $n
		eval "$1"
	done >"$RUN/batch"
}

# Broken if the number of virtual routers were limited by anything but the protocol: 255 of each family.
all_vrids_of_both_families_on_one_interface() {
	local begin
	begin=$(now_ms)
	vrids 'echo "link add four$n link swp1 address 00:00:5e:00:01:$hex type macvlan mode private"
		echo "link set four$n addrgenmode none up"
		echo "addr add 10.0.$n.254/32 dev four$n"
		echo "link add six$n link swp1 address 00:00:5e:00:02:$hex type macvlan mode private"
		echo "link set six$n addrgenmode none up"
		echo "addr add 2001:db8:1::$n/128 dev six$n nodad"'
	check batch
	check fh r1 wait synced timeout 60
	note "$((VRIDS * 2)) virtual routers are made, and in the chip, after $(($(now_ms) - begin)) ms"
	check all_offload $((VRIDS * 2))
	check chip_holds r1 "set(macs($FID)) == {'$OWN'} | {'00:00:5e:00:0%d:%02x' % (f, n) for f in (1, 2) for n in range(1, 256)} and len(macs($FID)) == 511"
	check chip_holds r1 "(rif('$OWN').vrrp_id_ipv4, rif('$OWN').vrrp_id_ipv6) == (1, 1)"
	check fh_holds r1 "sum(v.fast_path for v in d) == 2 and {v.reason for v in d if not v.fast_path} == {'vrid_conflict'}" vmac
	check_status 0 fh r1 diff
}

# Broken if one virtual router's end, or return, wrote more than its own record. Its address stays the kernel's own while the macvlan is
# down, and so the chip's.
one_goes_and_the_others_stay() {
	local from
	from=$(chip_tool count "$RUN/emad.pcap")
	check ip -n r1 link set four77 down
	check fh r1 wait vmac dev four77 state held timeout 10
	check fh r1 wait synced timeout 10
	check chip_holds r1 "len(macs($FID)) == 510 and '00:00:5e:00:01:4d' not in macs()"
	check_eq "$(chip_tool writes "$RUN/emad.pcap" "$from" | sed 's/ fid.*//' | sort)" \
		"SFD remove mac 00:00:5e:00:01:4d" "writes"
	from=$(chip_tool count "$RUN/emad.pcap")
	check ip -n r1 link set four77 up
	check fh r1 wait vmac dev four77 state offload timeout 10
	check fh r1 wait synced timeout 10
	check_eq "$(chip_tool writes "$RUN/emad.pcap" "$from" | sed 's/ fid.*//' | sort)" \
		"SFD add mac 00:00:5e:00:01:4d" "writes"
}

# Broken if 255 daemons that change their minds in the same moment overran the agent, or left a MAC behind.
all_go_at_once_and_come_back() {
	local begin
	begin=$(now_ms)
	vrids 'echo "addr del 10.0.$n.254/32 dev four$n"'
	check batch
	check fh r1 wait synced timeout 60
	note "255 gone after $(($(now_ms) - begin)) ms"
	check chip_holds r1 "not [m for m in macs() if m.startswith('00:00:5e:00:01')] and len(macs($FID)) == 256"
	begin=$(now_ms)
	vrids 'echo "addr add 10.0.$n.254/32 dev four$n"'
	check batch
	check fh r1 wait synced timeout 60
	note "255 back after $(($(now_ms) - begin)) ms"
	check all_offload $((VRIDS * 2))
	check chip_holds r1 "len(macs($FID)) == 511"
	check_status 0 fh r1 diff
}

# Broken if a chip with this much in it were not read back whole.
restart_with_all_writes_nothing() {
	local writes
	writes=$(chip r1 d.writes_total)
	stop firsthopd-r1 KILL
	start firsthopd-r1 r1 "$FIRSTHOPD"
	check eventually 30000 fh r1 wait synced timeout 30
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check all_offload $((VRIDS * 2))
	vrids 'echo "link del four$n"; echo "link del six$n"'
	check batch
	check fh r1 wait synced timeout 60
	check chip_holds r1 "macs() == ['$OWN']"
	check ip -n r1 addr flush dev swp1
	check fh r1 wait synced timeout 10
}

# Broken if the same virtual MAC in many FIDs were one record, or a VLAN too many for anything but the chip's tables.
MADE=0
one_vrid_on_every_vlan() {
	local begin vid
	if ! ip -n r1 link add link swp2 name swp2.1 type vlan id 1 2>"$RUN/why"; then
		skip "no VLAN devices in this kernel: $(head -n 1 "$RUN/why")"
		return
	fi
	check ip -n r1 link del swp2.1
	on r1 sh -c "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
	begin=$(now_ms)
	while [ $MADE -lt "$VLANS" ] && [ $(($(now_ms) - begin)) -lt $((BUDGET * 1000)) ]; do
		for ((vid = MADE + 1; vid <= MADE + 100 && vid <= VLANS; vid++)); do
			echo "link add link swp2 name swp2.$vid up type vlan id $vid"
			echo "addr add 10.$((100 + vid / 250)).$((vid % 250)).1/24 dev swp2.$vid"
			echo "link add gw$vid link swp2.$vid address $V5 up type macvlan mode private"
			echo "addr add 10.$((100 + vid / 250)).$((vid % 250)).254/32 dev gw$vid"
		done >"$RUN/batch"
		check batch || return
		MADE=$((vid - 1))
		check fh r1 wait synced timeout 60 || return
		note "$MADE VLANs after $(($(now_ms) - begin)) ms"
	done
	[ $MADE = "$VLANS" ] || note "this machine made $MADE of $VLANS VLANs in $BUDGET s; what follows is about those"
	check all_offload $MADE
	check fh_holds r1 "len([r for r in d if r.vid and r.state == 'offload']) == $MADE" rif
	check chip_holds r1 "macs().count('$V5') == $MADE and len({r.fid for r in d.fdb if r.mac == '$V5'}) == $MADE"
	check chip_holds r1 "len([r for r in d.rifs if r.enabled is not False and r.vrrp_id_ipv4 == 5]) == $MADE"
	check_status 0 fh r1 diff
}

# Broken if what is in one FID hung on another's.
one_vlan_goes_and_the_others_stay() {
	local from fid
	[ $MADE -gt 50 ] || { skip "no VLANs were made"; return; }
	fid=$(fh r1 -j rif dev swp2.50 | json 'd[0].fid')
	from=$(chip_tool count "$RUN/emad.pcap")
	check ip -n r1 link set gw50 down
	check fh r1 wait vmac dev gw50 state held timeout 10
	check chip_holds r1 "macs().count('$V5') == $((MADE - 1)) and '$V5' not in macs($fid)"
	check_eq "$(chip_tool writes "$RUN/emad.pcap" "$from" | grep -c "^SFD")" 1 "writes of records"
	check ip -n r1 link del swp2.51
	check fh r1 wait synced timeout 10
	check chip_holds r1 "macs().count('$V5') == $((MADE - 2)) and len([r for r in d.rifs if r.enabled is not False]) == $((MADE - 1))"
	check_status 0 fh r1 diff
}

PORTS=2 switch r1 --personality spectrum2 --emad-pcap "$RUN/emad.pcap"
on r1 sh -c "echo 1 >/proc/sys/net/ipv6/conf/swp2/disable_ipv6"
for port in 1 2; do
	ip -n r1 link set h$port up
	ip -n r1 link set swp$port up
done
ip -n r1 addr add 10.0.0.1/24 dev swp1
ip -n r1 addr add 2001:db8:1::ffff/64 dev swp1 nodad
for port in 1 2; do eventually 3000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
agent r1
OWN=$(mac_of r1 swp1) FID=$(fh r1 -j rif dev swp1 | json 'd[0].fid')
tests_run "$@"
