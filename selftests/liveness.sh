#!/bin/bash
# The watch on advertisements: are routers that died, that are two, or that disagree told, and does nothing follow from it but
# what the operator asked for?

ALL_TESTS="
	own_advertisements_are_seen
	killed_daemon_leaves_an_orphan
	orphan_is_quoted
	restarted_daemon_clears_the_flag
	orphan_is_withdrawn_on_demand
	change_brings_an_orphan_back
	daemon_brings_an_orphan_back
	reload_brings_an_orphan_back
	second_active_router
	different_virtual_addresses
	different_intervals
	different_checksums
	wrong_checksum_decides_nothing
	missing_virtual_address
	small_policer
	authentication_header
	what_is_no_advertisement
	watch_can_be_turned_off
	no_permission_to_watch
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06 W5=00:00:5e:00:02:05 OURS=192.0.2.100

[ "$FH_ROOT" = yes ] || unable "keepalived needs root"
command -v keepalived >/dev/null || unable "keepalived is not installed"

# advertise NAME AT [KEY=VALUE...]: in the background until `stop NAME`.
advertise() {
	"$PY" -ISB "$LIB/adverts.py" "${@:2}" >"$RUN/$1.log" 2>&1 &
	PID[$1]=$!
}
# once AT [KEY=VALUE...]
once() { "$PY" -ISB "$LIB/adverts.py" "$@" count=1; }

# Active at once: priority 255 need not wait, but owns the address; so 150, and 0.4 s.
keepalived_start() {
	cat >"$RUN/keepalived.conf" <<-END
		global_defs {
		    router_id r1
		    vrrp_version 3
		}
		vrrp_instance four {
		    interface swp1
		    state BACKUP
		    virtual_router_id 5
		    priority 150
		    advert_int 0.1
		    use_vmac vrrp5
		    virtual_ipaddress {
		        192.0.2.254/24
		    }
		}
		vrrp_instance six {
		    interface swp1
		    state BACKUP
		    virtual_router_id 5
		    priority 150
		    advert_int 0.1
		    use_vmac vrrp5v6
		    virtual_ipaddress {
		        fe80::51/128
		        2001:db8:1::254/64
		    }
		}
	END
	start keepalived r1 keepalived --dont-fork --log-console --vrrp --log-detail \
		--use-file "$RUN/keepalived.conf" --pid "$RUN/keepalived.pid" --vrrp_pid "$RUN/vrrp.pid"
}
# Its parent would start a killed child again, and a child ends orderly when its parent is killed.
keepalived_kill() {
	kill -STOP "${PID[keepalived]}" && kill -KILL "$(cat "$RUN/vrrp.pid")" && kill -KILL "${PID[keepalived]}"
	wait "${PID[keepalived]}" 2>/dev/null
	rm -f "$RUN/keepalived.pid" "$RUN/vrrp.pid"
}
offloaded() { fh r1 wait vmac dev "$1" state offload timeout 8; }
active() { offloaded vrrp5 && offloaded vrrp5v6; }

# flags DEV 'FLAG', ...: exactly these, now.
flags() { fh_holds r1 "(d[0].liveness or {}).get('flags', []) == [$2]" vmac dev "$1"; }
# soon DEV FLAGS [MS]: within the limit (10 s).
soon() {
	eventually "${3:-10000}" flags "$1" "$2" && return
	fh r1 -d vmac dev "$1"
	return 1
}
evidence() { fh_holds r1 "any($2 for e in d[0].liveness.evidence or [])" vmac dev "$1"; }
counted() { fh_holds r1 "d.liveness.flags == $1" status; }
configure() { # TEXT: the daemon reads it again
	local before
	before=$(grep -c 'Configuration read again' "$RUN/firsthopd-r1.log")
	printf '%s\n' "$1" >"$RUN/firsthop.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	eventually 10000 eval "[ \$(grep -c 'Configuration read again' '$RUN/firsthopd-r1.log') -gt $before ]"
}

# Broken if advertisements of a daemon on macvlans were not seen below them, or were taken for another router's.
own_advertisements_are_seen() {
	keepalived_start
	check active
	check eventually 10000 fh_holds r1 "d[0].liveness.own.source == '$OURS' and d[0].liveness.own.mac == '$V5'
		and d[0].liveness.own.version == 3 and d[0].liveness.own.priority == 150
		and d[0].liveness.own.interval_ms == 100 and d[0].liveness.own.age_ms < 1000" vmac dev vrrp5
	check eventually 10000 fh_holds r1 "d[0].liveness.own.source.startswith('fe80::') and d[0].liveness.own.mac == '$W5'" \
		vmac dev vrrp5v6
	check fh_holds r1 "d[0].liveness.heard is None and d[0].liveness.flags == [] and d[0].role == 'active'" vmac dev vrrp5
	check eventually 5000 fh_holds r1 "d.liveness.watch == 'on' and d.liveness.advertisements > 2 and d.liveness.dropped == 0
		and d.liveness.flags == {}" status
	check fh_holds r1 "all(c.result == 'ok' for c in d if c.name == 'advertisements')" doctor
	check grep -q "sent $OURS priority 150 every 0.1 s" <(fh r1 -d vmac dev vrrp5)
}

# Broken if a daemon that was killed as the active router went unnoticed, or its MAC left the chip although nobody asked for it.
killed_daemon_leaves_an_orphan() {
	local begin
	start monitor r1 "$FIRSTHOP" -j monitor
	check eventually 10000 monitor_is_subscribed
	begin=$(now_ms)
	check keepalived_kill
	check soon vrrp5 "'orphan'"
	note "$(($(now_ms) - begin)) ms from before the signal to the answer"
	check soon vrrp5v6 "'orphan'"
	check counted "{'orphan': 2}"
	check chip_holds r1 "'$V5' in macs() and '$W5' in macs()"
	check fh_holds r1 "d[0].state == 'offload' and d[0].reason is None" vmac dev vrrp5
	# Four intervals of 100 ms after the last advertisement, whatever it took to ask.
	check grep -q 'level=warn .*swp1 VRID 5 ipv4: orphan: nothing was sent here for 0\.[4-9][0-9]* s' \
		"$RUN/firsthopd-r1.log"
}

# Broken if people were not told what the flag is made from.
orphan_is_quoted() {
	check evidence vrrp5 "e.startswith('orphan: nothing was sent here for') and e.endswith('once every 0.1 s before; the MAC is in the chip')"
	check fh_holds r1 "d.liveness.flags == ['orphan'] and d.liveness.own.source == '$OURS'" explain vrrp5
	check grep -q 'flag   : orphan: nothing was sent here' <(fh r1 explain vrrp5)
	check grep -qx '    flags orphan' <(fh r1 vmac dev vrrp5)
	check fh_holds r1 "sorted(e.split(':')[0] for e in d.liveness.evidence) == ['VRID 5 (ipv4)', 'VRID 5 (ipv6)']" explain swp1
	check fh_holds r1 "any(c.name == 'liveness' and c.result == 'warning' and c.text == 'orphan 2' for c in d)" doctor
	check grep -q 'flags orphan 2' <(fh r1 status)
	local wide object
	for object in "vmac dev vrrp5" status "explain vrrp5" "explain swp1" doctor; do
		fh r1 -j $object >"$RUN/out"
		check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" "${object%% *}" "$RUN/out"
	done
	wide=$({ fh r1 vmac; fh r1 -d vmac; fh r1 explain vrrp5; fh r1 status; } | grep -E '.{81}')
	check_eq "$wide" "" "lines of more than 80 columns"
}

# The flag appeared, and the last line about the macvlan is without it.
told_both() {
	grep '"ifname":"vrrp5"' "$RUN/monitor.log" >"$RUN/told" && grep -q '"flags":\["orphan"\]' "$RUN/told" &&
		tail -n 1 "$RUN/told" | holds "d.vmac.liveness is None and d.vmac.state == 'offload'"
}

# Broken if the flag stayed when the daemon is back, or a watcher was not told of both.
restarted_daemon_clears_the_flag() {
	keepalived_start
	check soon vrrp5 ""
	check soon vrrp5v6 ""
	check counted "{}"
	check eventually 10000 told_both
	# What changes with every advertisement is no change to watch.
	check_eq "$(grep -c age_ms "$RUN/monitor.log")" 0 "lines of monitor with ages"
	grep '"flags"' "$RUN/monitor.log" | head -n 1 >"$RUN/out"
	check "$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" monitor "$RUN/out"
	stop monitor
}

# Broken if `withdraw_orphans` left a dead router's MAC in the chip, or took out one whose daemon lives.
orphan_is_withdrawn_on_demand() {
	check active
	check configure $'[liveness]\nwithdraw_orphans = true'
	check flags vrrp5 ""
	check keepalived_kill
	check fh r1 wait vmac dev vrrp5 state held timeout 10
	check fh r1 wait vmac dev vrrp5v6 state held timeout 10
	check fh_holds r1 "d[0].reason == 'backup_policy' and d[0].role == 'backup' and d[0].liveness.flags == ['orphan']" vmac dev vrrp5
	check chip_soon r1 "'$V5' not in macs() and '$W5' not in macs() and not any(r.vrrp_id_ipv4 for r in d.rifs)"
	# the address goes on to be the kernel's own
	check chip_holds r1 "[r.action for r in d.routes if r.prefix == '192.0.2.254/32'] == ['ip2me']"
	check grep -q 'backup_policy' <(fh r1 explain vrrp5)
	check evidence vrrp5 "'the MAC was withdrawn' in e"
}

# Broken if an administrator could not bring a withdrawn MAC back by touching the macvlan, or it stayed though nobody advertises.
change_brings_an_orphan_back() {
	check chip_time r1 "'$V5' in macs()" ip -n r1 addr add 192.0.2.253/24 dev vrrp5
	check chip_soon r1 "'$V5' not in macs()" 5000
	check chip_holds r1 "'$W5' not in macs()"
	check chip_time r1 "'$V5' in macs()" ip -n r1 addr del 192.0.2.253/24 dev vrrp5
	check chip_soon r1 "'$V5' not in macs()" 5000
}

# Broken if a withdrawn MAC did not come back with its daemon.
daemon_brings_an_orphan_back() {
	keepalived_start
	check active
	check soon vrrp5 ""
	check chip_holds r1 "'$V5' in macs() and '$W5' in macs()"
}

# Broken if a withdrawn MAC stayed out of the chip when the operator does not want it any more.
reload_brings_an_orphan_back() {
	check keepalived_kill
	check fh r1 wait vmac dev vrrp5 state held timeout 10
	check configure ''
	check active
	check soon vrrp5 "'orphan'"
	keepalived_start
	check soon vrrp5 ""
	check active
}

# Broken if a second active router went unnoticed. Of equal priorities keepalived stays active with the higher address.
second_active_router() {
	advertise rival h1:h1 src=192.0.2.2 prio=150
	check soon vrrp5 "'two_actives'"
	check flags vrrp5v6 ""
	check evidence vrrp5 "'192.0.2.2 has advertised priority 150 for' in e and e.endswith('ours is 150')"
	check fh_holds r1 "[(h.source, h.priority, h.interval_ms) for h in d[0].liveness.heard] == [('192.0.2.2', 150, 100)]" vmac dev vrrp5
	stop rival
	check soon vrrp5 ""
	check counted "{}"
}

# A sane one takes back what it said before.
sane() { once h1:h1 src=192.0.2.2 prio=50 && soon "$1" ""; }

# Broken if two routers with one VRID for different things went unnoticed, or the order of addresses mattered.
different_virtual_addresses() {
	check once h1:h1 src=192.0.2.2 prio=50 vips=192.0.2.99,192.0.2.98
	check soon vrrp5 "'vrid_collision'"
	check evidence vrrp5 "e.endswith('192.0.2.2 advertises 192.0.2.98 192.0.2.99') and '$OURS advertises 192.0.2.254,' in e"
	check sane vrrp5
}

# Broken if routers that advertise at different intervals went unnoticed.
different_intervals() {
	check once h1:h1 src=192.0.2.2 prio=50 said=1
	check soon vrrp5 "'interval_mismatch'"
	check evidence vrrp5 "e.endswith('$OURS advertises every 0.1 s, 192.0.2.2 every 1 s')"
	check sane vrrp5
}

# Broken if two ways to compute a checksum went unnoticed: keepalived's covers a pseudo-header.
different_checksums() {
	check once h1:h1 src=192.0.2.2 prio=50 checksum=message
	check soon vrrp5 "'checksum_flavour'"
	check evidence vrrp5 "e.endswith('with a pseudo-header, 192.0.2.2 of the message alone')"
	check sane vrrp5
}

# Broken if a wrong checksum kept a second active router, or anything else, from being told.
wrong_checksum_decides_nothing() {
	advertise rival h1:h1 src=192.0.2.2 prio=150 checksum=wrong
	check soon vrrp5 "'two_actives'"
	stop rival
	check soon vrrp5 ""
	check sane vrrp5
}

# Broken if a router that advertises without its virtual address went unnoticed.
missing_virtual_address() {
	check macvlan r1 swp1 vrrp6 $V6
	advertise own r1:vrrp6 vrid=6 src=$OURS vips=192.0.2.253
	check soon vrrp6 "'vip_missing'"
	check evidence vrrp6 "'it advertises 192.0.2.253' in e"
	check fh_holds r1 "d[0].state == 'held' and d[0].reason in ('no_address', 'linklocal_only')" vmac dev vrrp6
	check ip -n r1 addr add 192.0.2.253/24 dev vrrp6
	check soon vrrp6 ""
	check fh_holds r1 "d[0].liveness.own.source == '$OURS'" vmac dev vrrp6
	stop own
	check soon vrrp6 "'orphan'"
	check ip -n r1 link del vrrp6
	check eventually 10000 counted "{}"
}

# Broken if a policer that loses advertisements went unnoticed. Two routers at 100 ms need 40 a second.
small_policer() {
	check configure 'vrrp_rate = 39'
	check eventually 10000 counted "{'policer_too_small': 1}"
	check soon vrrp5 "'policer_too_small'"
	check evidence vrrp5 "'2 virtual routers need 40 packets a second and a burst of 4; the policer has 39 and 1024' in e"
	check configure 'vrrp_rate = 40'
	check soon vrrp5 ""
	check configure ''
}

# Broken if RFC 2338's authentication header went unnoticed.
authentication_header() {
	check once h1:h1 src=192.0.2.2 proto=51
	check soon vrrp5 "'ah_seen'"
	check counted "{'ah_seen': 1}"
	check evidence vrrp5 "e.startswith('ah_seen: 1 packets') and e.endswith('protocol 51 from 192.0.2.2')"
	check once h1:h1 src=192.0.2.2 proto=51
	check eventually 10000 evidence vrrp5 "e.startswith('ah_seen: 2 packets')"
}

# Broken if something that a daemon ignores were taken for a router: a forwarded packet, CARP, noise.
what_is_no_advertisement() {
	local before
	before=$(fh r1 -j status | json 'd.liveness.advertisements')
	stop keepalived
	check fh r1 wait vmac dev vrrp5 state gone timeout 10
	before=$(fh r1 -j status | json 'd.liveness.advertisements')
	check once h1:h1 vrid=9 src=192.0.2.3 ttl=254
	check once h1:h1 vrid=0 src=192.0.2.3
	check once h1:h1 vrid=9 src=192.0.2.3 said=0
	# A good one behind them shows that they were read.
	check once h1:h1 vrid=9 src=192.0.2.3
	check eventually 10000 fh_holds r1 "d.liveness.advertisements == $before + 1" status
}

# Broken if the watch went on, or the daemon needed a restart.
watch_can_be_turned_off() {
	check configure $'[liveness]\nwatch = false'
	check fh_holds r1 "d.liveness.watch == 'off' and d.liveness.reason is None and d.liveness.flags == {}" status
	check configure ''
	check fh_holds r1 "d.liveness.watch == 'on'" status
	printf '[liveness]\nwatch = false\nwithdraw_orphans = true\n' >"$RUN/bad.toml"
	check_status 1 "$FIRSTHOPD" --check-config -c "$RUN/bad.toml"
}

# Broken if the daemon needed CAP_NET_RAW, or did not say that it lacks it.
no_permission_to_watch() {
	stop firsthopd-r1
	command -v setpriv >/dev/null || { skip "setpriv is not installed"; return; }
	start firsthopd-r1 r1 setpriv --bounding-set -net_raw --inh-caps -net_raw "$FIRSTHOPD"
	check eventually 10000 fh r1 wait synced timeout 5
	check fh_holds r1 "d.liveness.watch == 'off' and d.liveness.reason == 'CAP_NET_RAW is missing'" status
	check grep -q 'liveness off: CAP_NET_RAW is missing' <(fh r1 status)
	check fh_holds r1 "any(c.name == 'advertisements' and c.result == 'warning' and 'CAP_NET_RAW' in c.text for c in d)" doctor
	check macvlan r1 swp1 vrrp6 $V6 192.0.2.253/24
	check offloaded vrrp6
	check chip_holds r1 "'$V6' in macs()"
	check fh_holds r1 "d[0].liveness is None" vmac dev vrrp6
}

switch r1
host h1 r1 1 192.0.2.10/24
ip -n r1 link set swp1 up
ip -n r1 addr add $OURS/24 dev swp1
: >"$RUN/firsthop.toml"
agent r1 -c "$RUN/firsthop.toml"
fh r1 wait rif dev swp1 state offload timeout 5 || give_up "no router interface"

tests_run "$@"
