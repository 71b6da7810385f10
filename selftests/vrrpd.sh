#!/bin/bash
# vrrpd's way to be master: no macvlan; the port itself takes the virtual MAC, and goes on receiving for its former one. Does
# the chip follow in place, and does it answer for the former MAC as long as vrrpd wants, and for no other?

ALL_TESTS="
	master_takes_the_mac_in_place
	former_mac_stays
	writes_are_an_edit
	both_macs_are_routed
	both_addresses_answer
	backups_of_others_are_not_accepted
	restart_as_master_keeps_the_former_mac
	giving_back_leaves_nothing
	advertisement_leaves_with_the_virtual_mac
	primary_address_loses_no_ping
	change_while_down_keeps_the_interface
	former_mac_goes_if_nobody_keeps_it
	receiving_address_alone_is_not_accepted
	named_address_is_accepted_until_deleted
	vlan_device_as_master
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

V5=00:00:5e:00:01:05 V7=00:00:5e:00:01:07 V9=00:00:5e:00:01:09
VIP=192.0.2.254/24
OTHER=02:00:00:00:00:99 # a source MAC of no netdev
vrrpd() { on r1 "$PY" -ISB "$LIB/vrrpd.py" "$@"; }
trapped() { chip r1 "(c.traps.get('$1') or {}).get('packets', 0)"; }
written() { chip_tool writes "$RUN/emad.pcap" "$1" | grep -E "^(SFD|RITR)"; }
# The poll of the filters that the kernel does not announce comes within a second of the change.
ACCEPTED=1500

# heard MAC...: Linux itself ignores frames that are not for the MAC that a netdev has (PACKET_OTHERHOST), whatever its filters
# are; so the kernel must be told. 1 where it can't be.
heard() {
	local mac
	on r1 tc qdisc replace dev swp1 clsact 2>/dev/null || return
	for mac; do
		on r1 tc filter add dev swp1 ingress protocol all flower dst_mac "$mac" action skbedit ptype host 2>/dev/null ||
			nft_heard "$mac" || return
	done
}
nft_heard() {
	on r1 nft "table netdev vrrpd { chain in { type filter hook ingress device swp1 priority 0
		ether daddr $1 meta pkttype set host; }; }" 2>/dev/null
}

# reaches MAC: a frame for it is for the router: once on the port's netdev, and counted by the trap.
reaches() {
	local before
	before=$(trapped local_route)
	check_eq "$(frames probe h1:h1 r1:swp1 h2:h2~ echo4 mac=$OTHER dst_mac="$1" src=192.0.2.77 dst=192.0.2.1)" "1 0" "$1 seen on swp1 h2" &&
		[ "$(trapped local_route)" -gt "$before" ]
}
# reaches_not MAC
reaches_not() {
	check_eq "$(frames probe h1:h1 r1:swp1 h2:h2~ echo4 mac=$OTHER dst_mac="$1" src=192.0.2.77 dst=192.0.2.1)" "0 0" "$1 seen on swp1 h2"
}

# Broken if a router that becomes master lost its interface for a moment: neighbours, routes and counters hang on the index.
master_takes_the_mac_in_place() {
	FROM=$(chip_tool count "$RUN/emad.pcap")
	check chip_always r1 "[r.rif for r in d.rifs if r.enabled is not False] == [$INDEX]" \
		"rif('$V5').rif == $INDEX and '$V5' in macs($FID)" \
		ip netns exec r1 "$PY" -ISB "$LIB/vrrpd.py" master swp1 $V5 $VIP
	check fh_holds r1 "d[0].mac == '$V5' and d[0].rif == $INDEX and d[0].state == 'offload'" rif dev swp1
}

# Broken if hosts that know the primary address by the former MAC lost it when the port took the virtual one.
former_mac_stays() {
	local begin
	begin=$(now_ms)
	check chip_soon r1 "macs($FID) == sorted(['$V5', '$OWN'])" $ACCEPTED
	note "the former MAC is accepted $(($(now_ms) - begin)) ms after the master's system calls"
	# Watched for longer than the daemon may go on reading the filters: what it keeps until then it must not drop after.
	check chip_always r1 "'$OWN' in macs($FID)" "'$V5' in macs($FID)" sleep 1.6
	check_status 0 fh r1 diff
}

# Broken if the interface had been deleted and made again between two looks, or if the former MAC had been gone meanwhile.
writes_are_an_edit() {
	local order
	order=$(written "$FROM")
	printf '%s\n' "$order" | sed 's/^/# /'
	check grep -q "^RITR set rif $INDEX mac $V5 " <<<"$order"
	check_eq "$(grep -c "^RITR delete" <<<"$order")" 0 "router interfaces deleted"
	check_eq "$(grep -c "^SFD remove mac $OWN" <<<"$order")" 0 "removals of the former MAC"
	check [ "$(grep -n "^SFD add mac $V5" <<<"$order" | cut -d: -f1)" -lt "$(grep -n "^RITR set .* mac $V5" <<<"$order" | cut -d: -f1)" ]
}

# Broken if the chip routed for one of the two MACs only.
both_macs_are_routed() {
	check reaches "$OWN"
	check reaches $V5
}

# Broken if what reaches Linux for both MACs were not answered: the virtual address, and the primary one by either MAC.
both_addresses_answer() {
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=$V5 src=192.0.2.10 dst=192.0.2.254
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=$V5 src=192.0.2.10 dst=192.0.2.1
	if [ $HEARD = 0 ]; then
		check frames exchange h1:h1 echo4 mac="$H1" dst_mac="$OWN" src=192.0.2.10 dst=192.0.2.1
		check frames exchange h1:h1 echo4 mac="$H1" dst_mac="$OWN" src=192.0.2.10 dst=192.0.2.254
	else
		skip "this kernel can't be told to hear a second MAC (neither tc flower nor nft); the rest holds"
	fi
}

# Broken if everything in the port's filters were accepted: a backup of keepalived's has its MAC there as well.
backups_of_others_are_not_accepted() {
	check eventually 2000 sh -c "ip netns exec r1 bridge fdb show dev swp1 | grep -q '^$V7 .*self'"
	check fh r1 wait synced timeout 5
	check chip_holds r1 "macs() == sorted(['$V5', '$OWN'])"
	check fh_holds r1 "d[0].state == 'held' and d[0].reason == 'no_address'" vmac dev vrrp7
	check reaches_not $V7
}

# Broken if the daemon's end, or what it must remember over it, cost the master its former MAC.
restart_as_master_keeps_the_former_mac() {
	local signal from
	for signal in KILL TERM; do
		from=$(chip_tool count "$RUN/emad.pcap")
		stop firsthopd-r1 $signal
		agent r1
		check chip_holds r1 "macs($FID) == sorted(['$V5', '$OWN']) and rif('$V5').rif == $INDEX"
		check_eq "$(written "$from")" "" "writes after SIG$signal"
		check_status 0 fh r1 diff
	done
	check reaches "$OWN"
}

# Broken if a former master kept the traffic of the virtual MAC.
giving_back_leaves_nothing() {
	local order from
	from=$(chip_tool count "$RUN/emad.pcap")
	check chip_always r1 "[r.rif for r in d.rifs if r.enabled is not False] == [$INDEX] and '$OWN' in macs($FID)" \
		"rif('$OWN').rif == $INDEX" \
		ip netns exec r1 "$PY" -ISB "$LIB/vrrpd.py" backup swp1 $V5 $VIP "$OWN"
	check chip_soon r1 "macs() == ['$OWN']" $ACCEPTED
	order=$(written "$from")
	printf '%s\n' "$order" | sed 's/^/# /'
	check_eq "$(grep -c "^RITR delete\|^SFD remove mac $OWN" <<<"$order")" 0 "removals of the interface or of its MAC"
	check reaches_not $V5
	check_status 0 fh r1 diff
}

# Broken if the chip changed or dropped what vrrpd builds itself, from the Ethernet header up.
advertisement_leaves_with_the_virtual_mac() {
	start hears r1 "$PY" -ISB "$LIB/vrrpd.py" hears h1:h1 5 5
	check eventually 5000 grep -q listening "$RUN/hears.log"
	check vrrpd master swp1 $V5 $VIP
	wait "${PID[hears]}"
	check_eq "$(sed -n 2p "$RUN/hears.log")" "$V5 200" "source MAC and priority"
	check vrrpd backup swp1 $V5 $VIP "$OWN"
	check chip_soon r1 "macs() == ['$OWN']" $ACCEPTED
}

# knows_h1: the kernel forgets neighbours when a netdev's MAC changes; who changes roles faster than it can ask them loses packets.
knows_h1() { eventually 5000 sh -c "ip -n r1 neigh show 192.0.2.10 dev swp1 | grep -q lladdr"; }

# Broken if connections to the primary address did not outlive a change of roles: the host keeps the MAC that it knew.
primary_address_loses_no_ping() {
	[ $HEARD = 0 ] || { skip "this kernel can't be told to hear a second MAC (neither tc flower nor nft)"; return; }
	check ip -n h1 neigh replace 192.0.2.1 lladdr "$OWN" dev h1 nud permanent
	check pings h1 192.0.2.1
	for _ in 1 2 3; do
		check vrrpd master swp1 $V5 $VIP
		check chip_soon r1 "macs($FID) == sorted(['$V5', '$OWN'])" $ACCEPTED
		check knows_h1
		check vrrpd backup swp1 $V5 $VIP "$OWN"
		check chip_soon r1 "macs($FID) == ['$OWN']" $ACCEPTED
		check knows_h1
	done
	pings_end
	note "$PINGS"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost"
	check ip -n h1 neigh del 192.0.2.1 dev h1
}

# Broken if a NIC that changes its MAC only while it is down lost its interface, or its former MAC, by that.
change_while_down_keeps_the_interface() {
	check chip_always r1 "[r.rif for r in d.rifs if r.enabled is not False] == [$INDEX]" "rif('$V5').rif == $INDEX" \
		ip netns exec r1 "$PY" -ISB "$LIB/vrrpd.py" master swp1 $V5 $VIP down
	check chip_soon r1 "macs($FID) == sorted(['$V5', '$OWN'])" $ACCEPTED
	check eventually 3000 carrier r1 swp1
	check vrrpd backup swp1 $V5 $VIP "$OWN"
	check chip_soon r1 "macs() == ['$OWN']" $ACCEPTED
}

# Broken if a port that somebody gave a virtual MAC, without vrrpd's second step, went on routing for the one that it had.
former_mac_goes_if_nobody_keeps_it() {
	check ip -n r1 link set swp1 address $V5
	check chip_soon r1 "macs($FID) == ['$V5']" 3000
	check reaches_not "$OWN"
	check ip -n r1 link set swp1 address "$OWN"
	check chip_soon r1 "macs($FID) == ['$OWN']" $ACCEPTED
}

# Broken if an address in the multicast list that was never the port's own became its router's.
receiving_address_alone_is_not_accepted() {
	check vrrpd receive swp1 $V9
	check fh r1 wait synced timeout 5
	# A change of the MAC makes the daemon read the filters again: what is accepted after that is all that ever will be.
	check vrrpd master swp1 $V5 $VIP
	check chip_soon r1 "macs($FID) == sorted(['$V5', '$OWN'])" $ACCEPTED
	check reaches_not $V9
	check vrrpd backup swp1 $V5 $VIP "$OWN"
	check chip_soon r1 "macs() == ['$OWN']" $ACCEPTED
	check vrrpd ignore swp1 $V9
}

# Broken if nobody could ask for a MAC by name, or if it stayed for ever.
named_address_is_accepted_until_deleted() {
	local ms
	ms=$(chip_time r1 "macs($FID) == sorted(['$V9', '$OWN'])" ip netns exec r1 bridge fdb add $V9 dev swp1 self) ||
		fail "$V9 is not in the chip"
	note "${ms:-?} ms from the start of bridge fdb add"
	# It is announced: nobody waits for the poll.
	within "${ms:-9999}" 500 || fail "took ${ms:-?} ms"
	check reaches $V9
	check on r1 bridge fdb del $V9 dev swp1 self
	check fh r1 wait synced timeout 5
	check chip_soon r1 "macs() == ['$OWN']"
	check reaches_not $V9
}

# Broken if a VLAN device that is a virtual router changed its port's interface, or did not change its own.
vlan_device_as_master() {
	local index fid port
	if ! ip -n r1 link add link swp1 name swp1.10 type vlan id 10 2>"$RUN/why"; then
		skip "no VLAN devices in this kernel: $(head -n 1 "$RUN/why")"
		return
	fi
	check ip -n r1 link set swp1.10 up
	check ip -n r1 addr add 203.0.113.1/24 dev swp1.10
	check fh r1 wait rif dev swp1.10 state offload timeout 5
	read -r index fid <<<"$(fh r1 -j rif dev swp1.10 | json 'f"{d[0].rif} {d[0].fid}"')"
	check vrrpd master swp1.10 $V5 203.0.113.254/24
	check chip_soon r1 "rif('$V5').rif == $index and macs($fid) == sorted(['$V5', '$OWN'])" $ACCEPTED
	check chip_holds r1 "rif('$OWN').rif == $INDEX and macs($FID) == ['$OWN']"
	stop firsthopd-r1 KILL
	agent r1
	check chip_holds r1 "macs($fid) == sorted(['$V5', '$OWN']) and macs($FID) == ['$OWN']"
	check vrrpd backup swp1.10 $V5 203.0.113.254/24 "$OWN"
	check chip_soon r1 "macs($fid) == ['$OWN'] and macs($FID) == ['$OWN']" $ACCEPTED
	check ip -n r1 link del swp1.10
	check fh r1 wait synced timeout 5
	check chip_holds r1 "macs() == ['$OWN']"
}

namespace r1
# IPv6 addresses made by the kernel would come and go with the port.
on r1 sh -c "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
switch r1 --emad-pcap "$RUN/emad.pcap"
host h1 r1 1 192.0.2.10/24
host h2 r1 2
ip -n r1 link set swp1 up
ip -n r1 link set swp2 up
ip -n r1 addr add 192.0.2.1/24 dev swp1
macvlan r1 swp1 vrrp7 $V7
OWN=$(mac_of r1 swp1) H1=$(mac_of h1 h1)
HEARD=0
heard "$OWN" || HEARD=1
agent r1
INDEX=$(fh r1 -j rif dev swp1 | json 'd[0].rif') FID=$(fh r1 -j rif dev swp1 | json 'd[0].fid')
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
tests_run "$@"
