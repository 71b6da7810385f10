#!/bin/bash
# The switch between the routers is a chip that only bridges. Does it leave VRRP alone, flood it once, follow the virtual MAC when
# it moves, and how long is the gap? And may two ports of one router be on that LAN?

ALL_TESTS="
	advertisements_are_flooded_and_not_trapped
	it_has_no_router
	virtual_mac_moves_with_the_first_frame
	gap_of_a_crash
	gap_of_a_pulled_cable
	restart_of_its_agent_is_not_felt
	with_an_address_it_hears_and_still_floods
	two_ports_of_one_router
	one_router_as_its_own_backup
"
. "$(dirname "$0")/../lib/lib.sh"
. "$LIB/routers.sh"
needs_daemon keepalived keepalived

V7=00:00:5e:00:01:07
# reaches KIND KEYS...: how often a frame from the host reaches each router, the free port and lan's own CPU; lan's traps.
reaches() {
	ask send h:h3 "$@" "mac=$OTHER" to=r1:swp1,r2:swp1,w4:h4,lan:swp3~ "socket=$(chip_socket lan)"
}
pair() {
	check keepalived_on r1 "$(vr4 150; vr6 150)"
	check active r1 && check active6 r1
	check keepalived_on r2 "$(vr4 100; vr6 100)"
	check backup r2 && check backup6 r2
	check lan_sends $V5 1 && check lan_sends $W5 1
}

# Broken if a switch without a router interface took the protocol of others to its CPU, dropped it, or doubled it.
advertisements_are_flooded_and_not_trapped() {
	local kind
	for kind in advert4 advert6; do
		check_eq "$(reaches $kind vrid=9)" "swp1=1 swp1=1 h4=1 swp3=0" "$kind seen on r1, r2, the free port and lan's CPU"
	done
	pair
	check chip_soon r2 "c.traps.ipv4_vrrp.packets >= 5 and c.traps.ipv6_vrrp.packets >= 5" 10000
	check chip_holds lan "not [n for n, t in dict.items(c.traps) if 'vrrp' in n and t.packets + t.policed]"
	check swept
}

# Broken if anything made the switch a router for what it only passes on.
it_has_no_router() {
	pair
	check chip_holds lan "not macs() and not [r for r in d.rifs if r.enabled is not False]"
	check fh_holds lan "d == []" vmac
	check fh_holds lan "not [r for r in d if r.state == 'offload']" rif
	check_status 0 fh lan diff
	check in_step lan
	check swept
}

# moved WHAT COMMAND...: r1 is active, and routes in its chip, until the command; then r2; prints, as r2 takes over, when its first frame with the virtual MAC came,
# when the LAN's chip had it there, and when r2's own chip took it; and what a host's pings to the virtual address felt.
moved() {
	local what=$1 learnt accepted silence
	shift
	pair
	check answers $VIP4
	routed_by 1
	check watched r2
	check pings h $VIP4 0.002
	mark r2
	start learnt lan "$PY" -ISB "$LIB/timeline.py" when "$(chip_socket lan)" "[r.port for r in d.fdb if r.mac == '$V5'] == [2]"
	check eventually 5000 grep -q asking "$RUN/learnt.log"
	"$@"
	check eventually 20000 grep -q dump "$RUN/learnt.log"
	check active r2 && check active6 r2
	check lan_sends $V5 2 && check lan_sends $W5 2
	pings_end
	unwatched r2
	routed_by 2
	{ events r2; grep dump "$RUN/learnt.log"; } >"$RUN/events"
	learnt=$(ms_between "wire $V5 > " " dump " <"$RUN/events")
	accepted=$(ms_between "wire $V5 > " "chip SFD add mac $V5" <"$RUN/events")
	silence=$(json d.longest_silence_ms <<<"$PINGS")
	note "$what: from r2's first frame to the LAN's chip ${learnt:-?} ms, to r2's own chip ${accepted:-?} ms; \
longest silence of a ping each 2 ms $silence ms, $(json d.lost <<<"$PINGS") of $(json d.sent <<<"$PINGS") lost"
	check holds "max(map(abs, d)) < 2000" <<<"[${learnt:-9999}, ${accepted:-9999}]"
	check wrote r2 "^SFD add mac $V5" 1
	SILENCE=$silence
}
# Broken if the switch learnt late, from anything but the first frame, or r2's chip came long after.
virtual_mac_moves_with_the_first_frame() {
	moved "SIGTERM" keepalived_off r1
	# The skew of 61 ms until r2's turn, and what a busy machine adds.
	check within "${SILENCE%.*}" 5000
	check swept
}
# Broken if the dead router's chip, which goes on routing, were cut off before the other one is there.
gap_of_a_crash() {
	moved "kill -9" keepalived_killed r1
	check active r1
	check within "${SILENCE%.*}" 5000
	check swept
}
gap_of_a_pulled_cable() {
	moved "cable" ip -n lan link set swp1 down
	check fh r1 wait vmac dev $DEV4 state held timeout 20
	check within "${SILENCE%.*}" 5000
	check ip -n lan link set swp1 up
	check active r1 && check backup r2 && check lan_sends $V5 1
	check swept
}

# Broken if the switch's own agent were needed for what the chip does, or forgot on its start what the chip had learnt.
restart_of_its_agent_is_not_felt() {
	local records
	pair
	check answers $VIP4
	check pings h $VIP4 0.005
	records=$(chip lan "sorted((r.mac, r.port) for r in d.fdb if r.mac in ('$V5', '$W5'))")
	mark lan
	stop firsthopd-lan KILL
	check_eq "$(chip lan "sorted((r.mac, r.port) for r in d.fdb if r.mac in ('$V5', '$W5'))")" "$records" "records"
	agent lan
	check_eq "$(chip lan "sorted((r.mac, r.port) for r in d.fdb if r.mac in ('$V5', '$W5'))")" "$records" "records"
	pings_end
	note "$PINGS"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost"
	check wrote lan . 0
	# And a hand-over while there is none.
	stop firsthopd-lan KILL
	check keepalived_off r1
	check active r2 && check lan_sends $V5 2 && check answers $VIP4
	agent lan
	check lan_sends $V5 2
	check swept
}

# Broken if a switch that is on the LAN itself kept the advertisements from the others, or they came twice.
with_an_address_it_hears_and_still_floods() {
	check ip -n lan addr add 192.0.2.3/24 dev br0
	check fh lan wait rif dev br0 state offload timeout 10
	check_eq "$(reaches advert4 vrid=9)" "swp1=1 swp1=1 h4=1 swp3=1 ipv4_vrrp+1" "seen on r1, r2, the free port and lan's CPU; traps"
	check ip -n lan addr del 192.0.2.3/24 dev br0
	check fh lan wait synced timeout 10
	check_eq "$(reaches advert4 vrid=9)" "swp1=1 swp1=1 h4=1 swp3=0" "without the address"
}

# second_port: r1's swp2 is on the LAN as well, at lan's port 5; first_port undoes it.
second_port() {
	ip -n lan link set h5 netns b && ip -n b link add br5 type bridge mcast_snooping 0 && ip -n b link set br5 up &&
		ip -n b link set h5 master br5 up && ip -n b link set e1 master br5 && eventually 5000 carrier lan swp5 &&
		ip -n r1 addr flush dev swp2 scope global && ip -n r1 addr add 192.0.2.4/24 dev swp2 && fh r1 wait rif dev swp2 state offload timeout 10
	FID1=$(fh r1 -j rif dev swp1 | json 'd[0].fid') FID2=$(fh r1 -j rif dev swp2 | json 'd[0].fid')
}
# to_host MAC [PORTS]: how often a frame of the host's for that MAC reaches the CPU through r1's two ports.
to_host() {
	ask send h:h3 echo4 "mac=$OTHER" "dst_mac=$1" src=192.0.2.77 dst=$VIP4 "to=${2:-r1:swp1,r1:swp2},r2:swp1" "socket=$(chip_socket r1)" |
		sed 's/ [a-z].*_vrrp+[0-9]*//g; s/+[0-9]*//g'
}

# Broken if a MAC of one port's router were another port's, or what comes back from the LAN were learnt, routed or looped.
two_ports_of_one_router() {
	second_port || fail "no second port"
	check keepalived_on r1 "$(vr4 150; LOWER=swp2 instance second 7 150 192.0.2.253/24 'use_vmac vrrp7')"
	check active r1
	check fh r1 wait vmac dev vrrp7 state offload timeout 20
	check chip_holds r1 "'$V5' in macs($FID1) and '$V5' not in macs($FID2) and '$V7' in macs($FID2) and '$V7' not in macs($FID1)"
	check lan_sends $V5 1 && check lan_sends $V7 5
	check_eq "$(to_host $V5)" "swp1=1 swp2=0 swp1=0 local_route" "of $V5, seen on r1's two ports and r2's"
	check_eq "$(to_host $V7)" "swp1=0 swp2=1 swp1=0 local_route" "of $V7, seen on r1's two ports and r2's"
	# Each port hears the other one's advertisements, whose source is one of this router's own MACs.
	check_eq "$(frames probe r1:vrrp5 r1:swp2 r2:swp1 r1:swp1~ advert4 vrid=5 src=192.0.2.1 prio=149)" "1 1 0" \
		"an advertisement of swp1's, seen on swp2, on r2 and on swp1"
	check chip_holds r1 "not [r for r in d.fdb if r.mac in ('$V5', '$V7') and r.action != 'forward_ip_router']"
	check swept
}

# Broken if a router could not take over from itself by its other port: the MAC is in one of its two interfaces at a time.
one_router_as_its_own_backup() {
	check keepalived_on r1 "$(vr4 150; LOWER=swp2 instance second 5 100 $VIP4/24 'use_vmac vrrp5b')"
	check active r1
	check fh r1 wait vmac dev vrrp5b state held timeout 20
	check chip_holds r1 "'$V5' in macs($FID1) and '$V5' not in macs($FID2)"
	check lan_sends $V5 1
	check ip -n lan link set swp1 down
	check fh r1 wait vmac dev vrrp5b state offload timeout 20
	check chip_soon r1 "'$V5' in macs($FID2) and '$V5' not in macs($FID1)"
	check lan_sends $V5 5
	check_eq "$(to_host $V5 r1:swp2)" "swp2=1 swp1=0 local_route" "of $V5, seen on r1's second port and r2's"
	check ip -n lan link set swp1 up
	check active r1
	check fh r1 wait vmac dev vrrp5b state held timeout 20
	check lan_sends $V5 1
	check swept
}

routers
# The host keeps to the virtual MAC: Linux tells it the MAC of its port too, when it asks for the host with the virtual address
# (arp_announce), and then forwards what comes by mistake.
ip -n h neigh replace $VIP4 lladdr $V5 dev h3 nud permanent
host w4 lan 4
on w4 sh -c "echo 1 >/proc/sys/net/ipv6/conf/h4/disable_ipv6"
eventually 5000 carrier lan swp4 || give_up "swp4 of lan has no carrier"
tests_run "$@"
