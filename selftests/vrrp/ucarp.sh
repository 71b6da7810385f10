#!/bin/bash
# Daemons that need no macvlan: ucarp, whose scripts put the address on the port, and vrrpd, which gives the port the virtual MAC
# (its system calls; selftests/vrrpd.sh is about them). Do two routers' chips and the LAN between follow the change of roles?

ALL_TESTS="
	ucarp_address_alone_decides
	ucarp_orderly_end_hands_over
	ucarp_killed_keeps_its_address
	vrrpd_hands_the_mac_over
	vrrpd_keeps_connections_to_the_primary_address
	nothing_is_left
"
. "$(dirname "$0")/../lib/lib.sh"
. "$LIB/routers.sh"

# ucarp_on NS NUMBER SKEW: intervals of a second, for which ucarp has no smaller.
ucarp_on() {
	cat >"$RUN/up" <<-'END'
		#!/bin/sh
		ip addr add "$2/32" dev "$1"
	END
	cat >"$RUN/down" <<-'END'
		#!/bin/sh
		ip addr del "$2/32" dev "$1"
	END
	chmod +x "$RUN/up" "$RUN/down"
	start "ucarp-$1" "$1" ucarp --interface=swp1 --srcip=192.0.2."$2" --vhid=5 --pass=firsthop --addr=$VIP4 --advbase=1 --advskew="$3" \
		--deadratio=2 --upscript="$RUN/up" --downscript="$RUN/down" --neutral --shutdown
}
ucarp_there() { command -v ucarp >/dev/null && [ "$FH_ROOT" = yes ] || { skip "ucarp is not installed, or this is not the machine's root"; false; }; }
# local_at NS, elsewhere NS: whether the router of NS takes the virtual address for its own when it comes to its port's MAC.
local_at() { [[ $(arrives "$1" "$(mac_of "$1" swp1)" $VIP4) == *local_route* ]]; }
elsewhere() { chip_holds "$1" "not [r for r in d.routes if r.prefix == '$VIP4/32']" && ! local_at "$1"; }
pair() {
	check ucarp_on r1 1 0
	check eventually 30000 local_at r1
	check ucarp_on r2 2 20
	check eventually 10000 grep -q "BACKUP" "$RUN/ucarp-r2.log"
	check elsewhere r2
}

# Broken if a virtual address without a virtual MAC needed one, or CARP's advertisements, of VRRP's protocol and group, were lost.
ucarp_address_alone_decides() {
	ucarp_there || return
	mark r1 && mark r2
	pair
	check chip_soon r2 "c.traps.ipv4_vrrp.packets >= 2" 20000
	check elsewhere r2
	check answers $VIP4 "$OWN1"
	check wrote r1 . 0 && check wrote r2 . 0
	check swept
}

# Broken if the former active's chip went on giving the address to its CPU, or the new one did not.
ucarp_orderly_end_hands_over() {
	ucarp_there || return
	mark r1 && mark r2
	pair
	stop ucarp-r1
	check eventually 30000 local_at r2
	check in_step r1 r2
	check elsewhere r1
	check answers $VIP4 "$OWN2"
	check wrote r1 . 0 && check wrote r2 . 0
	check_eq "$(routes_written r1 | grep -c "delete .* $VIP4/32")" 1 "deletions of the route in r1"
	check swept
}

# Broken if a crash were taken for an end: the kernel still has the address.
ucarp_killed_keeps_its_address() {
	ucarp_there || return
	pair
	stop ucarp-r1 KILL
	check eventually 30000 local_at r2
	check local_at r1
	check answers $VIP4 "$OWN2"
	check swept
}

# master NS, slave NS OWN-MAC: vrrpd's system calls.
master() { on "$1" "$PY" -ISB "$LIB/vrrpd.py" master swp1 $V5 $VIP4/24; }
slave() { on "$1" "$PY" -ISB "$LIB/vrrpd.py" backup swp1 $V5 $VIP4/24 "$2"; }
# has_it NS OWN, lacks_it NS OWN: the port's chip serves the virtual MAC beside its own, or its own alone; in the same interface.
has_it() { chip_soon "$1" "rif('$V5').rif == $3 and '$V5' in macs() and '$2' in macs()" 10000 && takes "$1" $V5; }
lacks_it() { chip_soon "$1" "rif('$2').rif == $3 and '$V5' not in macs() and '$2' in macs()" 10000 && leaves_alone "$1" $V5; }

# Broken if the MAC of a port that moves from one router to the other stayed, was late, or cost an interface.
vrrpd_hands_the_mac_over() {
	mark r1 && mark r2
	for _ in 1 2; do
		check slave_if_master r2 "$OWN2"
		check master r1
		check has_it r1 "$OWN1" "$RIF1" && check lacks_it r2 "$OWN2" "$RIF2" && check lan_sends $V5 1
		check slave r1 "$OWN1"
		check master r2
		check has_it r2 "$OWN2" "$RIF2" && check lacks_it r1 "$OWN1" "$RIF1" && check lan_sends $V5 2
		check answers $VIP4
	done
	check slave r2 "$OWN2"
	check lacks_it r2 "$OWN2" "$RIF2"
	check wrote r1 "^RITR delete" 0 && check wrote r2 "^RITR delete" 0
	check wrote r1 "^SFD remove mac $OWN1" 0 && check wrote r2 "^SFD remove mac $OWN2" 0
	check in_step r1 r2
}
slave_if_master() { [ "$(mac_of "$1" swp1)" != $V5 ] || slave "$1" "$2"; }

# heard NS MAC: Linux ignores frames that are not for the MAC that a netdev has, whatever its filters are; so it must be told.
heard() {
	on "$1" tc qdisc replace dev swp1 clsact 2>/dev/null &&
		on "$1" tc filter add dev swp1 ingress protocol all flower dst_mac "$2" action skbedit ptype host 2>/dev/null ||
		on "$1" nft "table netdev heard { chain in { type filter hook ingress device swp1 priority 0
			ether daddr $2 meta pkttype set host; }; }" 2>/dev/null
}
# Broken if a change of roles, by which the port's MAC changes, broke what hosts have with its primary address by the former one.
vrrpd_keeps_connections_to_the_primary_address() {
	heard r1 "$OWN1" || { skip "this kernel can't be told to hear a second MAC (neither tc flower nor nft)"; return; }
	start server r1 "$PY" -ISB "$LIB/tcp.py" serve 192.0.2.1 7000
	check eventually 5000 grep -q listening "$RUN/server.log"
	check ip -n h neigh replace 192.0.2.1 lladdr "$OWN1" dev h3 nud permanent
	start talk h "$PY" -ISB "$LIB/tcp.py" talk 192.0.2.1 7000
	check eventually 5000 grep -q connected "$RUN/talk.log"
	for _ in 1 2 3 4; do
		check master r1
		check has_it r1 "$OWN1" "$RIF1"
		check slave r1 "$OWN1"
		check lacks_it r1 "$OWN1" "$RIF1"
	done
	stop talk INT
	note "$(tail -n 1 "$RUN/talk.log")"
	check holds "d.sent > 20 and d.received == d.sent and d.broken is None" <<<"$(tail -n 1 "$RUN/talk.log")"
	check ip -n h neigh del 192.0.2.1 dev h3
}

nothing_is_left() {
	local ns
	check in_step r1 r2 lan
	for ns in r1 r2; do check chip_holds $ns "len(macs()) == 2 and not any(r.vrrp_id_ipv4 or r.vrrp_id_ipv6 for r in d.rifs)"; done
	check chip_holds lan "not macs() and not [r for r in d.rifs if r.enabled is not False]"
}

routers
tests_run "$@"
