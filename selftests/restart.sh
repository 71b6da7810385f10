#!/bin/bash
# Restarts of the daemon: is a chip that is right left alone, and is only the difference written otherwise?

ALL_TESTS="
	synced_right_after_the_start_is_true
	killed_and_started_again_writes_nothing
	terminated_and_started_again_writes_nothing
	changes_meanwhile_are_written_and_nothing_else
	withdrawals_meanwhile_are_written
	killed_while_writing
	two_daemons_do_not_share_a_chip
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06 V7=00:00:5e:00:01:07
written() { chip_tool writes "$RUN/emad.pcap" "$1"; }
count() { chip_tool count "$RUN/emad.pcap"; }

# restart SIGNAL [COMMAND...]: pings the virtual address from before the end of the daemon until the next one is in sync;
# the command runs while there is no daemon.
restart() {
	local signal=$1
	shift
	check pings h1 192.0.2.254 0.005
	stop firsthopd-r1 "$signal"
	[ $# = 0 ] || "$@"
	agent r1
	pings_end
	note "$PINGS"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost"
}

# Broken if `wait synced` were satisfied before the daemon had reached the chip, or had written everything: the chip
# is empty at each of these starts.
synced_right_after_the_start_is_true() {
	local round
	for round in $(seq 1 10); do
		stop firsthopd-r1 KILL
		on r1 "$HWSIM" reset >/dev/null
		start firsthopd-r1 r1 "$FIRSTHOPD"
		check eventually 3000 test -S /run/firsthop/r1/firsthop.sock
		check eventually 5000 fh r1 wait synced timeout 5
		check chip_holds r1 "len(macs()) == 4 and rif('$(mac_of r1 swp1)').vrrp_id_ipv4 == 5" || return
	done
}

# Broken if a crash of the daemon cost a write, let alone traffic.
killed_and_started_again_writes_nothing() {
	local writes tables
	writes=$(chip r1 d.writes_total) tables=$(chip r1 "[d.rifs, d.fdb, d.routes, d.traps, d.policers]")
	restart KILL
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check_eq "$(chip r1 "[d.rifs, d.fdb, d.routes, d.traps, d.policers]")" "$tables" "tables"
	check_status 0 fh r1 diff
	check fh_holds r1 "{v.ifname: v.state for v in d} == {'vrrp5': 'offload', 'vrrp6': 'offload'}" vmac
}

# Broken if an orderly end withdrew what works.
terminated_and_started_again_writes_nothing() {
	local writes
	writes=$(chip r1 d.writes_total)
	restart TERM
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check_status 0 fh r1 diff
}

changes() {
	ip -n r1 link del vrrp6
	ip -n r1 link set swp2 mtu 9000
	macvlan r1 swp1 vrrp7 $V7 192.0.2.252/32
}

# Broken if a restart rewrote the world, or missed what happened meanwhile.
changes_meanwhile_are_written_and_nothing_else() {
	local from fid index mac
	fid=$(fh r1 -j rif dev swp1 | json 'd[0].fid') mac=$(mac_of r1 swp2)
	index=$(chip r1 "rif('$mac').rif")
	from=$(count)
	restart KILL changes
	written "$from" | sed 's/^/# /'
	check_eq "$(written "$from" | sort)" "$(sort <<-END
		SFD add mac $V7 fid $fid action forward_ip_router
		SFD remove mac $V6 fid $fid action forward_ip_router
		RALUE write vr 0 192.0.2.252/32
		RALUE delete vr 0 192.0.2.253/32
		RITR set rif $index mac $mac mtu 9000 vrrp4 0 vrrp6 0
	END
	)" "register writes"
	check_status 0 fh r1 diff
}

gone_meanwhile() {
	ip -n r1 link del vrrp7
	ip -n r1 addr flush dev swp2 scope global
	on r1 sh -c "echo 1 >/proc/sys/net/ipv6/conf/swp2/disable_ipv6"
}

# Broken if something that no kernel object stands behind any more stayed in the chip, routes included.
withdrawals_meanwhile_are_written() {
	local mac
	mac=$(mac_of r1 swp2)
	restart KILL gone_meanwhile
	check chip_holds r1 "'$V7' not in macs() and '$mac' not in macs() and rif('$mac').rif is None"
	check chip_holds r1 "not [r for r in d.routes if r.prefix.startswith(('198.51.100.', '192.0.2.252'))]"
	check_status 0 fh r1 diff
	on r1 sh -c "echo 0 >/proc/sys/net/ipv6/conf/swp2/disable_ipv6"
}

# Broken if a crash between two writes left something that the next start does not find.
killed_while_writing() {
	local round octet
	for round in 1 2 3 4 5; do
		for octet in $(seq 10 40); do
			ip -n r1 link add mv$octet link swp1 address 00:00:5e:00:01:"$(printf %02x "$octet")" type macvlan mode private
			ip -n r1 link set mv$octet up
			ip -n r1 addr add 192.0.2.$octet/32 dev mv$octet
			[ "$octet" != $((15 + round * 4)) ] || stop firsthopd-r1 KILL
		done
		for octet in $(seq 10 2 40); do ip -n r1 link del mv$octet; done
		agent r1
		check chip_holds r1 "len(macs()) == len(set(macs())) and len([m for m in macs() if m.startswith('00:00:5e:00:01')]) == 16"
		check chip_holds r1 "[r.prefix for r in d.routes if r.prefix == '192.0.2.11/32'] and not
			[r.prefix for r in d.routes if r.prefix == '192.0.2.10/32']"
		check_status 0 fh r1 diff
		for octet in $(seq 11 2 40); do ip -n r1 link del mv$octet; done
		check fh r1 wait synced timeout 5
	done
	check chip_holds r1 "macs($(fh r1 -j rif dev swp1 | json 'd[0].fid')) == sorted(['$(mac_of r1 swp1)', '$V5'])"
}

# Broken if two daemons fought over one chip: the second must end at once, say who owns it, and write nothing.
two_daemons_do_not_share_a_chip() {
	local writes
	writes=$(chip r1 d.writes_total)
	check_status 2 timeout 10 ip netns exec r1 "$FIRSTHOPD" --socket "$RUN/second.sock"
	on r1 timeout 10 "$FIRSTHOPD" --socket "$RUN/second.sock" 2>&1 | grep -q "${PID[firsthopd-r1]}" ||
		fail "the error does not name the owner's pid ${PID[firsthopd-r1]}"
	check_eq "$(chip r1 d.writes_total)" "$writes" "writes to the chip"
	check fh r1 wait synced timeout 5
}

switch r1 --emad-pcap "$RUN/emad.pcap"
host h1 r1 1 192.0.2.10/24
host h2 r1 2 198.51.100.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 198.51.100.1/24 dev swp2
ip -n r1 link set swp1 up
ip -n r1 link set swp2 up
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
macvlan r1 swp1 vrrp6 $V6 192.0.2.253/32
settled() { ! ip -n r1 -6 addr show tentative | grep -q inet6; }
# known for good, so that what the tests count is what they changed
ip -n r1 neigh replace 192.0.2.10 lladdr "$(mac_of h1 h1)" dev swp1 nud permanent
eventually 5000 settled || give_up "duplicate address detection does not end"
agent r1
tests_run "$@"
