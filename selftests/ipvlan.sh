#!/bin/bash
# ipvlans share the MAC of the port: is each mode and flag told from the others, does the chip take no MAC for any of them, and
# do frames go the way that the verdict says?

ALL_TESTS="
	l2_bridge l2_private l2_vepa
	l3_bridge l3_private l3_vepa
	l3s_bridge l3s_private l3s_vepa
	l3s_is_stateful
	one_sibling_changes_all
	child_elsewhere_is_foreign
	addresses_of_children_write_no_interface
	mac_of_the_port_is_every_childs
	two_namespaces_of_the_howto
	macvlan_and_ipvlan_exclude_one_another
	on_a_vlan_device_and_on_a_bridge
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

#   r1: swp1 192.0.2.1 ── c1 192.0.2.51, seen by the agent      h1: 192.0.2.10
#   n2: c2 192.0.2.52      n3: c3 192.0.2.53                     siblings that live elsewhere
watch() { "$PY" -ISB "$LIB/watch.py" "$@"; }
# mode MODE FLAG: of the port, said through c1.
mode() { ip -n r1 link set c1 type ipvlan mode "$1" "$2"; }
verdict() { fh_holds r1 "d[0].state == 'not_offloaded' and d[0].reason == '$2' and d[0].mac == '$OWN' and d[0].protocol == 'other'" vmac dev "$1"; }
explains() { fh r1 explain "$1" | tr -s '\n ' ' ' | grep -q -- "$2"; }
# The router interface answers, and whatever was sent before has been handled.
barrier() { frames exchange h1:h1 echo4 mac="$H1" dst_mac="$OWN" src=192.0.2.10 dst=192.0.2.1; }

# answers_arp: a host that asks for the child's address is told the port's MAC.
ARP_REPLY="kind == 'arp' and proto == 2 and sip == '192.0.2.52'"
answers_arp() {
	watch see h1:h1 "$ARP_REPLY and src == '$OWN'" 2 "$PY" -ISB "$LIB/frames.py" send h1:h1 1 arp mac="$H1" src=192.0.2.10 dst=192.0.2.52
}
no_arp() {
	check_eq "$(watch count h1:h1 "$ARP_REPLY" bash -c "
		'$PY' -ISB '$LIB/frames.py' send h1:h1 1 arp mac=$H1 src=192.0.2.10 dst=192.0.2.52 &&
		'$PY' -ISB '$LIB/frames.py' exchange h1:h1 echo4 mac=$H1 dst_mac=$OWN src=192.0.2.10 dst=192.0.2.1")" 0 "ARP answers for the child"
}
# A host with a route to the child through the port: the port's MAC, the child's address.
routed() { frames exchange h1:h1 echo4 mac="$H1" dst_mac="$OWN" src=192.0.2.10 dst=192.0.2.52; }

sibling_answers() { [ "$(on n2 "$PY" -ISB "$LIB/frames.py" ping 192.0.2.53 count=3 | tail -n 1 | json d.received)" = 3 ]; }
sends_to_sibling=(ip netns exec n2 "$PY" -ISB "$LIB/frames.py" ping 192.0.2.53 count=2)
ECHO="kind == 'ipv4' and sip == '192.0.2.52' and dip == '192.0.2.53'"
sibling_is_alone() {
	check_eq "$(watch count n3:c3 "$ECHO" "${sends_to_sibling[@]}")" 0 "frames at the sibling"
	check_eq "$(watch count h1:h1 "$ECHO" "${sends_to_sibling[@]}")" 0 "frames on the wire"
}
# On the wire with the port's MAC as its source, for whoever reflects; and not at the sibling.
sibling_is_outside() {
	check watch see h1:h1 "$ECHO and src == '$OWN' and dst == '$OWN'" 2 "${sends_to_sibling[@]}"
	check_eq "$(watch count n3:c3 "$ECHO" "${sends_to_sibling[@]}")" 0 "frames at the sibling"
}

# combination MODE FLAG: what holds of all is said here; the rest are three questions: ARP, route, sibling.
combination() {
	local mode=$1 flag=$2 reason=ipvlan_shares_mac
	[ "$flag" != vepa ] || reason=ipvlan_vepa_reflection
	check mode "$mode" "$flag"
	# Setting or clearing NOARP empties the child's neighbour table.
	ip -n n2 neigh replace 192.0.2.53 lladdr "$OWN" dev c2 nud permanent
	ip -n n3 neigh replace 192.0.2.52 lladdr "$OWN" dev c3 nud permanent
	check verdict c1 $reason
	check explains c1 "ipvlan $mode $flag over swp1"
	check chip_holds r1 "macs($FID) == ['$OWN']"
	check fh_holds r1 "d[0].state == 'offload'" rif dev swp1
	case $mode in
	l2)
		check answers_arp
		check explains c1 "reach it by ARP"
		;;
	l3)
		no_arp
		check explains c1 "by a route to swp1, not by ARP"
		;;
	l3s)
		no_arp
		check explains c1 "by a route to swp1, through its netfilter hooks"
		;;
	esac
	check routed
	case $flag in
	bridge) check sibling_answers ;;
	private) sibling_is_alone ;;
	vepa) sibling_is_outside ;;
	esac
	check_status 0 fh r1 diff
}

# Broken, each of the nine, if the chip took a MAC for the child or the verdict promised what frames do not do.
l2_bridge() { combination l2 bridge; }
l2_private() { combination l2 private; }
l2_vepa() { combination l2 vepa; }
l3_bridge() { combination l3 bridge; }
l3_private() { combination l3 private; }
l3_vepa() { combination l3 vepa; }
l3s_bridge() { combination l3s bridge; }
l3s_private() { combination l3s private; }
l3s_vepa() { combination l3s vepa; }

# Broken if frames for an l3s child passed by the connection tracking of the port's namespace, for which l3s is chosen.
l3s_is_stateful() {
	if ! on r1 nft 'table ip l3s { chain in { type filter hook input priority 0
			ip saddr 192.0.2.10 ct state new counter; }; }' 2>"$RUN/why"; then
		skip "no nft, or no connection tracking: $(head -n 1 "$RUN/why")"
		return
	fi
	check mode l3 bridge
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac="$OWN" src=192.0.2.10 dst=192.0.2.52 id=4711
	check sh -c "ip netns exec r1 nft list table ip l3s | grep -q 'packets 0 '"
	check mode l3s bridge
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac="$OWN" src=192.0.2.10 dst=192.0.2.52 id=4712
	check sh -c "ip netns exec r1 nft list table ip l3s | grep -q 'packets 1 '"
	check on r1 nft delete table ip l3s
}

# Broken if a child kept the verdict of a mode that its port no longer has: the kernel announces the change for one child only.
one_sibling_changes_all() {
	check mode l3 bridge
	check ip -n r1 link add c4 link swp1 type ipvlan mode l3 bridge
	check ip -n r1 link set c4 up # of a change of one that is down the kernel says nothing
	check verdict c1 ipvlan_shares_mac
	check verdict c4 ipvlan_shares_mac
	check ip -n r1 link set c4 type ipvlan mode l3 vepa
	check verdict c4 ipvlan_vepa_reflection
	check verdict c1 ipvlan_vepa_reflection
	check explains c1 "ipvlan l3 vepa over swp1"
	check ip -n r1 link set c1 type ipvlan mode l3 private
	check verdict c1 ipvlan_shares_mac
	check verdict c4 ipvlan_shares_mac
	check explains c4 "ipvlan l3 private over swp1"
	# A new child, too, sets the mode of all.
	check ip -n r1 link add c5 link swp1 type ipvlan mode l2 vepa
	check fh r1 wait synced timeout 5
	check_eq "$(fh r1 -j vmac | json "sorted({v.reason for v in d if v.lower == 'swp1'}) == ['$(
		ip -n r1 -d link show c1 | grep -q vepa && echo ipvlan_vepa_reflection || echo ipvlan_shares_mac)']")" true \
		"verdicts agree with the kernel's own words"
	check ip -n r1 link del c4
	check ip -n r1 link del c5
}

# Broken if a child in a container were taken for the container's own, or its port for a port of the container's.
child_elsewhere_is_foreign() {
	check mode l2 bridge
	check fh_holds r1 "not [v for v in d if v.ifname in ('c2', 'c3')]" vmac
	check agent n2 --observe
	check fh_holds n2 "[(v.state, v.reason) for v in d if v.ifname == 'c2'] == [('not_offloaded', 'foreign_netns')]" vmac
	check sh -c "'$FIRSTHOP' -n n2 explain c2 | tr -s '\n ' ' ' | grep -q 'over a device in another network namespace'"
	stop firsthopd-n2
	# Moved home again, it is one of the port's.
	check ip -n n3 link set c3 netns r1
	check verdict c3 ipvlan_shares_mac
	check ip -n r1 link set c3 netns n3
	check fh_holds r1 "not [v for v in d if v.ifname == 'c3']" vmac
	settle_child n3 c3 192.0.2.53
}

# Broken if addresses of a child, or the child's coming and going, touched the port's router interface.
addresses_of_children_write_no_interface() {
	local from
	from=$(chip_tool count "$RUN/emad.pcap")
	check ip -n r1 link add c6 link swp1 type ipvlan mode l2 bridge
	check ip -n r1 link set c6 up
	check ip -n r1 addr add 192.0.2.56/24 dev c6
	check fh r1 wait synced timeout 5
	check chip_holds r1 "macs($FID) == ['$OWN']"
	check ip -n r1 link del c6
	check fh r1 wait synced timeout 5
	check_eq "$(chip_tool writes "$RUN/emad.pcap" "$from" | grep -E "^(RITR|SFD)")" "" "writes of interfaces and MACs"
}

# Broken if a new MAC of the port were not the children's too.
mac_of_the_port_is_every_childs() {
	local new=02:11:22:33:44:01
	check ip -n r1 link set swp1 address $new
	check chip_soon r1 "rif('$new').rif is not None and '$new' in macs()"
	check fh_holds r1 "d[0].mac == '$new'" vmac dev c1
	check frames exchange h1:h1 echo4 mac="$H1" dst_mac=$new src=192.0.2.10 dst=192.0.2.52
	check ip -n r1 link set swp1 address "$OWN"
	check chip_soon r1 "macs($FID) == ['$OWN']" 3000
}

# Broken if the kernel's own example did not work on a port of the chip (Documentation/networking/ipvlan.rst, 8).
two_namespaces_of_the_howto() {
	local number
	for number in 0 1; do check ip netns add ns$number; done
	check ip -n r1 link add link swp2 ipvl0 type ipvlan mode l2
	check ip -n r1 link add link swp2 ipvl1 type ipvlan mode l2
	for number in 0 1; do
		check ip -n r1 link set dev ipvl$number netns ns$number
		check ip -n ns$number link set dev ipvl$number up
		check ip -n ns$number link set dev lo up
		ip -n ns$number -4 addr add 127.0.0.1 dev lo 2>/dev/null # newer kernels gave it already
		check ip -n ns$number -4 addr add 198.51.100.2$number/24 dev ipvl$number
		check ip -n ns$number -4 route add default via 198.51.100.1 dev ipvl$number
	done
	check_eq "$(on ns0 "$PY" -ISB "$LIB/frames.py" ping 198.51.100.21 count=5 | tail -n 1 | json d.lost)" 0 "pings lost between ns0 and ns1"
	check_eq "$(on h2 "$PY" -ISB "$LIB/frames.py" ping 198.51.100.20 count=5 | tail -n 1 | json d.lost)" 0 "pings lost from the wire"
	check_eq "$(on ns1 "$PY" -ISB "$LIB/frames.py" ping 198.51.100.10 count=5 | tail -n 1 | json d.lost)" 0 "pings lost to the wire"
	check fh_holds r1 "not [v for v in d if v.lower == 'swp2']" vmac
	check chip_holds r1 "macs() == sorted(['$OWN', '$(mac_of r1 swp2)'])"
	for number in 0 1; do check ip netns del ns$number; done
	check fh r1 wait synced timeout 5
	check_status 0 fh r1 diff
}

# Broken if a refusal of the kernel's were hidden, or left something behind.
macvlan_and_ipvlan_exclude_one_another() {
	local writes refusal
	check fh r1 wait synced timeout 5
	writes=$(chip r1 d.writes_total)
	refusal=$(ip -n r1 link add mv1 link swp1 type macvlan mode private 2>&1) && fail "a macvlan beside an ipvlan"
	check grep -q "Device or resource busy" <<<"$refusal"
	check fh r1 wait synced timeout 5
	check fh_holds r1 "not [v for v in d if v.ifname == 'mv1']" vmac
	check macvlan r1 swp3 mv3 00:00:5e:00:01:03
	refusal=$(ip -n r1 link add c7 link swp3 type ipvlan 2>&1) && fail "an ipvlan beside a macvlan"
	check grep -q "Device or resource busy" <<<"$refusal"
	check fh_holds r1 "{v.ifname: v.reason for v in d if v.lower == 'swp3'} == {'mv3': 'no_rif'}" vmac
	check ip -n r1 link add br9 type bridge
	refusal=$(ip -n r1 link set swp1 master br9 2>&1) && fail "a bridge port with ipvlans"
	check grep -q "Device or resource busy" <<<"$refusal"
	check verdict c1 ipvlan_shares_mac
	check ip -n r1 link del br9
	check ip -n r1 link del mv3
	check fh r1 wait synced timeout 5
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check barrier
}

# Broken if only ipvlans directly on a port were known.
on_a_vlan_device_and_on_a_bridge() {
	check ip -n r1 link add link swp3 name swp3.10 type vlan id 10
	check ip -n r1 link set swp3.10 up
	check ip -n r1 addr add 203.0.113.1/24 dev swp3.10
	check ip -n r1 link add c8 link swp3.10 type ipvlan mode l2 vepa
	check ip -n r1 link add br0 address 02:00:5e:10:00:b0 type bridge
	check ip -n r1 link set swp4 master br0
	check ip -n r1 link set br0 up
	check ip -n r1 addr add 203.0.114.1/24 dev br0
	check ip -n r1 link add c9 link br0 type ipvlan mode l3 bridge
	check fh r1 wait synced timeout 5
	check fh_holds r1 "{v.ifname: (v.lower, v.reason) for v in d if v.ifname in ('c8', 'c9')} ==
		{'c8': ('swp3.10', 'ipvlan_vepa_reflection'), 'c9': ('br0', 'ipvlan_shares_mac')}" vmac
	check fh_holds r1 "{r.ifname for r in d if r.state == 'offload'} == {'swp1', 'swp2', 'swp3.10', 'br0'}" rif
	check chip_holds r1 "len(macs()) == 4"
	check ip -n r1 link del c8
	check ip -n r1 link del c9
	check ip -n r1 link del br0
	check ip -n r1 link del swp3.10
	check fh r1 wait synced timeout 5
	check chip_holds r1 "len(macs()) == 2"
}

# settle_child NS NAME ADDRESS
settle_child() {
	ip -n "$1" link set "$2" up
	ip -n "$1" addr replace "$3/24" dev "$2"
}

namespace r1
for ns in r1 n2 n3; do
	namespace $ns
	on $ns sh -c "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
done
switch r1 --emad-pcap "$RUN/emad.pcap"
if ! ip -n r1 link add c1 link swp1 type ipvlan mode l2 bridge 2>"$RUN/why"; then
	unable "no ipvlan in this kernel: $(head -n 1 "$RUN/why")"
fi
host h1 r1 1 192.0.2.10/24
host h2 r1 2 198.51.100.10/24
for port in 1 2 3 4; do ip -n r1 link set swp$port up; done
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 198.51.100.1/24 dev swp2
OWN=$(mac_of r1 swp1) H1=$(mac_of h1 h1)
settle_child r1 c1 192.0.2.51
for number in 2 3; do
	ip -n r1 link add c$number link swp1 type ipvlan mode l2 bridge
	ip -n r1 link set c$number netns n$number
	settle_child n$number c$number 192.0.2.5$number
	# In the modes l3 and l3s the port's namespace finds the way; what it sends to a sibling is for a reflector.
	ip -n r1 neigh replace 192.0.2.5$number lladdr "$OWN" dev swp1 nud permanent
done
agent r1
FID=$(fh r1 -j rif dev swp1 | json 'd[0].fid')
for port in 1 2; do eventually 3000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
tests_run "$@"
