#!/bin/bash
# Traps: do advertisements reach the CPU, once, through a policer of the promised size?

ALL_TESTS="
	profile_is_in_the_chip
	client_speaks_devlinks_language
	advert_ipv4_is_seen_once
	advert_ipv6_is_seen_once
	odd_adverts_are_trapped_too
	multicast_of_others_is_no_advert
	vrrp_policer_has_its_size
	client_counts_what_the_chip_counted
"
. "$(dirname "$0")/lib/lib.sh"

LAST_ADVERT=0
past() { [ "$(now_ms)" -ge "$1" ]; }
trapped() { chip r1 "(c.traps.get('$1') or {}).get('packets', 0)"; }

# Broken if VRRP shared a group or policer with other traffic, or the policer were too small for 255 routers.
profile_is_in_the_chip() {
	check chip_holds r1 "{t.action for t in d.traps if t.name in ('ipv4_vrrp', 'ipv6_vrrp')} == {'trap'}"
	check chip_holds r1 "len({t.group for t in d.traps if t.name in ('ipv4_vrrp', 'ipv6_vrrp')}) == 1"
	check chip_holds r1 "[(p.rate, p.burst) for p in d.policers if p.pid in [g.policer for g in d.trap_groups if g.group in
		[t.group for t in d.traps if t.name == 'ipv4_vrrp']]] == [(1024, 1024)]"
	check chip_holds r1 "len({t.name for t in d.traps if t.action == 'trap' and t.group in
		[u.group for u in d.traps if u.name == 'ipv4_vrrp']}) == 2"
}

# Broken if scripts written for `devlink -j trap` could not read the client's answer.
client_speaks_devlinks_language() {
	check fh_holds r1 "[t for h in d.trap.values() for t in h if t.name == 'ipv4_vrrp' and t.type == 'control'
		and t.group == 'vrrp' and t.action == 'trap']" trap
	check fh_holds r1 "list(d.trap) and all(h.startswith('hwsim/') for h in d.trap)" trap
}

# seen_once KIND TRAP KEYS...: on swp1 exactly once, on no other port, and the trap counts one more.
seen_once() {
	local kind=$1 trap=$2 before
	shift 2
	before=$(trapped "$trap")
	LAST_ADVERT=$(now_ms)
	check_eq "$(frames probe h1:h1 r1:swp1 r1:swp2~ h2:h2~ h1:h1~ "$kind" "$@")" "1 0 0 0" "seen on swp1 swp2 h2 h1"
	check_eq "$(trapped "$trap")" $((before + 1)) "counter of $trap"
}

# Broken if an advertisement with our own virtual MAC as source and TTL 1 were dropped or doubled: two masters must meet.
advert_ipv4_is_seen_once() { seen_once advert4 ipv4_vrrp vrid=5 ttl=1; }
advert_ipv6_is_seen_once() { seen_once advert6 ipv6_vrrp vrid=5 ttl=1; }

# Broken if the chip judged what only the daemon may judge: unknown VRID, priority 0, other source MAC or address.
odd_adverts_are_trapped_too() {
	seen_once advert4 ipv4_vrrp vrid=99 prio=0
	seen_once advert4 ipv4_vrrp vrid=5 mac="$(mac_of h1 h1)"
	seen_once advert6 ipv6_vrrp vrid=200 src=fe80::77
}

# Broken if any multicast passed for an advertisement.
multicast_of_others_is_no_advert() {
	local before
	before=$(trapped ipv4_vrrp)
	check frames send h1:h1 3 udp4 mac="$(mac_of h1 h1)" dst_mac=01:00:5e:00:00:12 src=192.0.2.10 dst=224.0.0.18 ttl=1
	check frames probe h1:h1 r1:swp1 lldp text=after
	check_eq "$(trapped ipv4_vrrp)" "$before" "counter of ipv4_vrrp"
}

# Broken if the policer let through more or less than burst + rate x time, or lost count: 5 s at 5,000 a second pass
# 1,024 + 5 x 1,024 = 6,144. A busy machine may need longer to send; what may pass follows from the time it took.
vrrp_policer_has_its_size() {
	local hex before policed sent millis expected passed dropped line
	hex=$(frames build advert4 vrid=5 ttl=255)
	# A level of the bucket is not shown: it is full when a second has passed since the last advertisement.
	check eventually 3000 past $((LAST_ADVERT + 1100))
	before=$(trapped ipv4_vrrp)
	policed=$(chip r1 "c.traps.ipv4_vrrp.policed")
	line=$(blast h1 h1 "$hex" 5000 25000) || fail "blast: $line"
	note "$line"
	sent=$(sed -n 's/^sent \([0-9]*\) .*/\1/p' <<<"$line")
	check chip_soon r1 "c.traps.ipv4_vrrp.packets + c.traps.ipv4_vrrp.policed - $before - $policed == ${sent:-0}" 3000
	passed=$(($(trapped ipv4_vrrp) - before))
	dropped=$(($(chip r1 "c.traps.ipv4_vrrp.policed") - policed))
	note "sent ${sent:-?}, passed $passed, policed $dropped"
	check_eq $((passed + dropped)) "${sent:-?}" "passed + policed"
	millis=$(sed -n 's/^sent [0-9]* in \([0-9]*\)\.\([0-9]*\) s.*/\1\2/p' <<<"$line")
	expected=$((1024 + 1024 * ${millis:-0} / 1000))
	[ $((passed * 100)) -ge $((expected * 98)) ] && [ $((passed * 100)) -le $((expected * 102)) ] ||
		fail "passed $passed, not $expected +- 2 %"
}

# Broken if `firsthop -s trap` showed other numbers than the chip.
client_counts_what_the_chip_counted() {
	check fh_holds r1 "[t.stats.rx.packets for h in d.trap.values() for t in h if t.name == 'ipv4_vrrp'] == [$(trapped ipv4_vrrp)]" \
		-s trap
}

switch r1
host h1 r1 1 192.0.2.10/24
host h2 r1 2 198.51.100.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 198.51.100.1/24 dev swp2
ip -n r1 link set swp1 up
ip -n r1 link set swp2 up
agent r1
macvlan r1 swp1 vrrp5 00:00:5e:00:01:05 192.0.2.254/24
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
fh r1 wait synced timeout 5 >/dev/null || give_up "not in sync"
tests_run "$@"
