#!/bin/bash
# Restarts of the chip: is it reprogrammed in full, and at once?

ALL_TESTS="
	power_cycle_is_noticed_and_repaired
	simulator_that_comes_back_is_programmed_within_1_s
	simulator_killed_again_and_again
	daemon_says_that_the_chip_is_away
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06
# Tables without what may differ between two programmings: chip indices, counters.
TABLES="[sorted((r.mac, r.mtu, r.vrrp_id_ipv4, r.port) for r in d.rifs if r.enabled is not False), macs(),
	sorted((r.prefix, r.action, r.trap) for r in d.routes), sorted((t.name, t.action, t.group) for t in d.traps),
	sorted((p.pid, p.rate, p.burst) for p in d.policers)]"

configure() {
	ip -n r1 link set h1 up
	ip -n r1 addr add 192.0.2.1/24 dev swp1
	ip -n r1 link set swp1 up
	macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
	macvlan r1 swp1 vrrp6 $V6 192.0.2.253/32
}

same_tables() { [ "$(chip r1 "$TABLES")" = "$BEFORE" ]; }

# Broken if a chip that lost its tables, while its ports stayed, were trusted to have them.
power_cycle_is_noticed_and_repaired() {
	local begin generation
	check chip_holds r1 "'$V5' in macs() and '$V6' in macs()"
	BEFORE=$(chip r1 "$TABLES") generation=$(chip r1 d.generation)
	begin=$(now_ms)
	check chip_tool request "$(chip_socket r1)" '{"request":"reset"}'
	check eventually 3000 same_tables
	note "$(($(now_ms) - begin)) ms"
	within $(($(now_ms) - begin)) 2000 || fail "took $(($(now_ms) - begin)) ms"
	check [ "$(chip r1 d.generation)" != "$generation" ]
	check fh r1 wait synced timeout 5
	check_status 0 fh r1 diff
}

# Broken if the daemon needed a restart or a long pause after the simulator's.
simulator_that_comes_back_is_programmed_within_1_s() {
	local begin
	BEFORE=$(chip r1 "$TABLES")
	stop hwsim-r1 TERM
	switch r1
	begin=$(now_ms)
	configure
	check eventually 5000 same_tables
	note "$(($(now_ms) - begin)) ms after it was ready, configuration included"
	within $(($(now_ms) - begin)) 1000 || fail "took $(($(now_ms) - begin)) ms"
	check fh r1 wait synced timeout 5
	check_status 0 fh r1 diff
}

# Broken if a connection that dies in any moment confused the daemon, or a reconnection waited longer each time.
simulator_killed_again_and_again() {
	local round begin
	for round in 1 2 3 4; do
		stop hwsim-r1 KILL
		switch r1
		begin=$(now_ms)
		configure
		check eventually 5000 same_tables
		within $(($(now_ms) - begin)) 1000 || fail "round $round took $(($(now_ms) - begin)) ms"
	done
	check fh r1 wait synced timeout 5
	check_status 0 fh r1 diff
	check alive firsthopd-r1
}

# Broken if the daemon hung, ended or claimed success while there is no chip.
daemon_says_that_the_chip_is_away() {
	stop hwsim-r1 KILL
	check eventually 3000 fh_holds r1 "not d.synced" status
	check_status 5 fh r1 wait synced timeout 0.2
	check alive firsthopd-r1
	switch r1
	configure
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check chip_holds r1 "'$V5' in macs()"
}

# Without link-locals, which come a while after a port does.
namespace r1
on r1 sh -c 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
switch r1
configure
agent r1
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
fh r1 wait vmac dev vrrp6 state offload timeout 5 >/dev/null || give_up "not in sync"
tests_run "$@"
