#!/bin/bash
# The trap service on a simulated switch: what passed and what was dropped, over time, as text and as JSON.

ALL_TESTS="
	groups_and_policers_are_devlinks
	json_is_as_documented
	monitor_counts_advertisements
	monitor_names_the_policer_that_dropped
	monitor_says_what_it_is_not
	drops_raise_a_status
	silence_is_told_to_backups
	reset_is_no_negative_rate
"
. "$(dirname "$0")/lib/lib.sh"

# Broken if a script written for `devlink -j trap group` or `policer` could not read the client.
groups_and_policers_are_devlinks() {
	check fh_holds r1 "[(g.policer, g.traps) for h in d.trap_group.values() for g in h if g.name == 'vrrp'] == [(11, ['ipv4_vrrp', 'ipv6_vrrp'])]" \
		trap group
	check fh_holds r1 "[(p.rate, p.burst, p.groups) for h in d.trap_policer.values() for p in h if p.policer == 11] == [(1024, 1024, ['vrrp'])]" \
		trap policer
	check fh_holds r1 "[len(h) for h in d.trap_policer.values()] == [1]" trap policer show hwsim/0 policer 11
	check_status 2 fh r1 trap show hwsim/9 trap ipv4_vrrp
}

# Broken if docs/json.md showed members that are not there, or left some out.
json_is_as_documented() {
	fh r1 -js trap group >"$RUN/out"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "trap group" "$RUN/out"
	fh r1 -js trap policer >"$RUN/out"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "trap policer" "$RUN/out"
}

# monitor ARGUMENT...: `trap monitor` in the background, which has begun when this returns.
monitor() {
	: >"$RUN/monitor.log"
	: >"$RUN/monitor.err" # now: what the last one said would be taken for this one's word
	ip netns exec r1 "$FIRSTHOP" "$@" >"$RUN/monitor.log" 2>"$RUN/monitor.err" &
	PID[monitor]=$!
	eventually 3000 grep -q "^firsthop: note" "$RUN/monitor.err" || fail "the monitor did not begin"
}
# told EXPR: it holds of some line e.
told() { "$PY" -ISB -c 'import json, sys; print(json.dumps([json.loads(l) for l in open(sys.argv[1]) if l.endswith("\n")]))' "$RUN/monitor.log" |
	holds "[e for e in d if $1]"; }
advertise() { frames send h1:h1 "${1:-1}" advert4 vrid=9 ttl=255; }

# Broken if a line said another number than the chip counted, or a trap that was not asked for were told.
monitor_counts_advertisements() {
	local before
	before=$(chip r1 "(c.traps.get('ipv4_vrrp') or {}).get('packets', 0)")
	monitor -j trap monitor trap ipv4_vrrp
	check advertise 7
	check eventually 5000 told "e.name == 'ipv4_vrrp' and e.event == 'packets' and e.count == $before + 7 and e.handle == 'hwsim/0'"
	check told "e.object == 'trap' and e.more <= 7 and e.group == 'vrrp'"
	! told "e.object == 'trap' and e.name != 'ipv4_vrrp'" 2>/dev/null || fail "others were told"
	tail -n 1 "$RUN/monitor.log" >"$RUN/out"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "trap monitor" "$RUN/out"
	stop monitor
}

# Broken if drops went unseen, or their policer's traps were left to be guessed.
monitor_names_the_policer_that_dropped() {
	local hex
	hex=$(frames build advert4 vrid=9 ttl=255)
	monitor -j trap monitor policer 11
	blast h1 h1 "$hex" 8000 8000 >/dev/null || fail "blast"
	check eventually 5000 told "e.object == 'policer' and e.name == '11' and e.event == 'drops' and e.traps == ['ipv4_vrrp', 'ipv6_vrrp']"
	check eventually 5000 told "e.event == 'trap_policed'"
	stop monitor
	check_eq "$(fh r1 -js trap policer show hwsim/0 policer 11 | json "d.trap_policer['hwsim/0'][0].stats.rx.dropped")" \
		"$(chip r1 "c.policers['11'].dropped")" "drops"
}

# Broken if somebody waited for packets in a monitor that counts.
monitor_says_what_it_is_not() {
	monitor trap monitor
	check grep -q "counted.*not captured" <(tr '\n' ' ' <"$RUN/monitor.err")
	check grep -q "NET_DM" "$RUN/monitor.err"
	check advertise
	check eventually 5000 grep -qE "^hwsim/0 trap ipv4_vrrp packets \+1 .*total" "$RUN/monitor.log"
	stop monitor
}

# Broken if lost advertisements were nowhere in what is looked at first.
drops_raise_a_status() {
	check fh_holds r1 "[p for p in d.policers if p.device == 'hwsim/0' and 'trap_policed' in p.reasons and p.dropped > 0]" status
	check grep -q "trap_policed" <(fh r1 doctor)
	check fh_holds r1 "{t.get('reason') for h in d.trap.values() for t in h if 'vrrp' in t.name} == {'trap_policed'}" trap
}

silent() { fh_holds r1 "[p for p in d.policers if ('vrrp_silent' in p.reasons) is $1]" status; }

# Broken if a backup that hears nothing were not told of, or one that does were.
silence_is_told_to_backups() {
	check silent False
	check macvlan r1 swp1 backup 00:00:5e:00:01:09
	monitor -j trap monitor
	# nothing for four intervals of a second
	check eventually 15000 silent True
	check eventually 5000 told "e.event == 'vrrp_silent'"
	check advertise
	check eventually 5000 silent False
	stop monitor
	check ip -n r1 link del backup
}

# Broken if a chip that lost its counters had a negative or absurd rate.
reset_is_no_negative_rate() {
	local anew="[s for s in [t.stats for t in d.trap['hwsim/0']] if s.resets >= 1 and s.since_count == 0 and s.get('rate', 0) >= 0]"
	check advertise
	check fh_holds r1 "[t for t in d.trap['hwsim/0'] if t.stats.rx.packets > 0 and t.stats.resets == 0]" -s trap show trap ipv4_vrrp
	check on r1 "$HWSIM" reset
	check fh r1 wait synced timeout 10
	check eventually 5000 fh_holds r1 "$anew" -s trap show trap ipv4_vrrp
}

switch r1
host h1 r1 1 192.0.2.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 link set swp1 up
agent r1
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
tests_run "$@"
