#!/bin/bash
# The kernel drops events when nobody reads them in time. Does the daemon say so, go on answering, and come to the chip of a fresh
# start, without taking away what never changed? The queue is 64 KiB here, where it is 16 MiB, and the daemon is stopped (SIGSTOP)
# while 4,000 links and addresses change. What keepalived and FRR make of the same loss is printed beside it.

ALL_TESTS="
	the_queue_is_as_configured
	lost_events_leave_the_right_chip
	reads_go_on_and_are_marked
	losses_again_and_again
	others_beside_it
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

CHANGES=4000
# vrrp5, which does not change; vrrp7 on swp3, keepalived's vrrp8 there, and FRR's vrrp9.
V5=00:00:5e:00:01:05 V7=00:00:5e:00:01:07 V8=00:00:5e:00:01:08 V9=00:00:5e:00:01:09
# batch NAME: gives the commands of $RUN/NAME. `changes` and `back` go from one state to the other, whichever test runs first.
AT=back
batch() {
	[ "$1" != "$AT" ] || { fail "the state is $AT already"; return; }
	[ "$1" = before ] || AT=$1
	ip -n r1 -batch "$RUN/$1"
}
from() { [ "$1" = "$AT" ] || { check batch "$1" && check fh r1 wait synced timeout 10; }; }
hex() { printf '02:00:00:%s:%02x:%02x' "$1" $(($2 >> 8)) $(($2 & 255)); }

# What is there before: forty routers on swp1 that are no VRRP's, addresses on swp2, one virtual router on swp3, VLANs of swp4 where
# the kernel has them.
before() {
	local n
	for ((n = 1; n <= 40; n++)); do
		echo "link add old$n link swp1 address $(hex aa "$n") type macvlan mode private"
		echo "link set old$n addrgenmode none up"
		echo "addr add 192.0.2.$((100 + n))/32 dev old$n"
	done
	for ((n = 1; n <= 30; n++)); do echo "addr add 198.51.100.$((100 + n))/32 dev swp2"; done
	[ -z "$VLANS" ] || for ((n = 10; n < 20; n++)); do
		echo "link add link swp4 name swp4.$n type vlan id $n"
		echo "link set swp4.$n addrgenmode none up"
		echo "addr add 10.4.$n.1/24 dev swp4.$n"
	done
}
# What changes: deletions first, which nothing that comes later says again, and swp3 last.
changes() {
	local n
	for ((n = 1; n <= 20; n++)); do echo "link del old$n"; done
	for ((n = 21; n <= 30; n++)); do echo "addr del 192.0.2.$((100 + n))/32 dev old$n"; done
	for ((n = 1; n <= 15; n++)); do echo "addr del 198.51.100.$((100 + n))/32 dev swp2"; done
	[ -z "$VLANS" ] || for ((n = 10; n < 15; n++)); do echo "link del swp4.$n"; done
	echo "link set swp2 mtu 9000"
	for ((n = 1; n <= 30; n++)); do
		echo "link add new$n link swp1 address $(hex bb "$n") type macvlan mode private"
		echo "link set new$n addrgenmode none up"
		echo "addr add 192.0.2.$((150 + n))/32 dev new$n"
	done
}
# filled COMMAND: its lines, then addresses that come and go until all are CHANGES with the last one, which is swp3's.
filled() {
	"$1" >"$RUN/some"
	cat "$RUN/some"
	awk -v many=$((CHANGES - 1 - $(wc -l <"$RUN/some"))) 'BEGIN {
		if (many % 2) { print "link set swp4 alias odd"; many-- }
		for (i = 0; i < many; i++) printf "addr %s 10.9.%d.%d/32 dev swp4\n", i % 2 ? "del" : "add", i / 2 / 250, i / 2 % 250 + 1
	}'
	echo "link set swp3 $2"
}
# back: as before, with other losses.
back() {
	local n
	for ((n = 1; n <= 30; n++)); do echo "link del new$n"; done
	echo "link set swp2 mtu 1500"
	for ((n = 21; n <= 30; n++)); do echo "addr add 192.0.2.$((100 + n))/32 dev old$n"; done
	for ((n = 1; n <= 15; n++)); do echo "addr add 198.51.100.$((100 + n))/32 dev swp2"; done
	for ((n = 1; n <= 20; n++)); do
		echo "link add old$n link swp1 address $(hex aa "$n") type macvlan mode private"
		echo "link set old$n addrgenmode none up"
		echo "addr add 192.0.2.$((100 + n))/32 dev old$n"
	done
	[ -z "$VLANS" ] || for ((n = 10; n < 15; n++)); do
		echo "link add link swp4 name swp4.$n type vlan id $n"
		echo "link set swp4.$n addrgenmode none up"
		echo "addr add 10.4.$n.1/24 dev swp4.$n"
	done
}

# watched: loss.py and pings of the virtual router that does not change, until unwatched, which leaves what was seen in $SEEN.
watched() {
	FROM=$(chip_tool count "$RUN/emad.pcap")
	start loss r1 "$PY" -ISB "$LIB/loss.py" /run/firsthop/r1/firsthop.sock "$(chip_socket r1)" "$RUN/dump" $V5
	eventually 10000 grep -q watching "$RUN/loss.log" && pings h1 192.0.2.254 0.005
}
unwatched() {
	pings_end
	stop loss INT
	SEEN=$(tail -n 1 "$RUN/loss.log")
	note "$SEEN"
	note "$PINGS"
}
seen() { json "d.$1" <<<"$SEEN"; }

# What must hold whatever was lost: readers went on, the MAC stayed, and the chip is a fresh start's.
nothing_was_wrong() {
	check holds 'd.answers > 20 and d.overruns > 0 and d.dropped > 0 and d.resyncs > 0' <<<"$SEEN"
	check_eq "$(seen unmarked)" 0 "answers of a view with a hole, not marked stale"
	check_eq "$(seen without)" 0 "dumps without the MAC that did not change"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost"
	check_eq "$(chip_tool writes "$RUN/emad.pcap" "$FROM" | grep -c "SFD remove mac $V5 ")" 0 "removals of what did not change"
	check_eq "$(chip_tool writes "$RUN/emad.pcap" "$FROM" | grep -c "RALUE delete .*192.0.2.254/32")" 0 "its address withdrawn"
	check_status 0 fh r1 diff
	check same_as_a_fresh_start
}
same_as_a_fresh_start() {
	stop firsthopd-r1 TERM
	on r1 "$HWSIM" reset >/dev/null
	daemon
	on r1 "$HWSIM" dump -j >"$RUN/fresh"
	"$PY" -ISB "$LIB/held.py" same "$RUN/dump" "$RUN/fresh"
}
daemon() { agent r1 -c "$RUN/firsthop.toml"; }

# Broken if the key had no effect: then nothing would be lost below, and these tests would show nothing.
the_queue_is_as_configured() {
	# The kernel counts twice what was asked for.
	check fh_holds r1 'd.netlink.receive_buffer == 131072' status
	note "$(fh r1 status | grep ^netlink)"
}

# Broken if an overrun went unnoticed, if the view that has a hole were not marked, if a deletion that was lost left its entry in the
# chip, or if a hole in the view were taken for a deletion.
lost_events_leave_the_right_chip() {
	local began
	from back
	check watched || return
	kill -STOP "${PID[firsthopd-r1]}"
	check batch changes
	began=$(now_ms)
	kill -CONT "${PID[firsthopd-r1]}"
	check eventually 10000 fh_holds r1 'd.netlink.overruns > 0 and not d.stale' status
	check fh r1 wait synced timeout 10
	unwatched
	note "$(wc -l <"$RUN/changes") changes, $(seen dropped) events dropped; snapshot after $(($(seen resynced) - began)) ms, chip right after $(($(seen final) - began)) ms"
	within $(($(seen final) - $(seen resynced))) 1000 || fail "the chip was right $(($(seen final) - $(seen resynced))) ms after the snapshot"
	nothing_was_wrong
}

# Broken if reads stopped, or were taken for whole, while a snapshot has to wait: the second within a second does.
reads_go_on_and_are_marked() {
	local began
	check watched || return
	for _ in 1 2; do
		# the second soon after the snapshot of the first: an answer waits for a quarter of a second
		check fh r1 wait synced timeout 10
		kill -STOP "${PID[firsthopd-r1]}"
		check ip -n r1 -batch "$RUN/little"
		kill -CONT "${PID[firsthopd-r1]}"
	done
	began=$(now_ms)
	fh r1 vmac >/dev/null 2>"$RUN/note"
	check grep -q "note: stale_view" "$RUN/note"
	check fh r1 wait synced timeout 10
	note "the view was stale for $(($(now_ms) - began)) ms"
	unwatched
	check holds 'd.stale > 1' <<<"$SEEN"
	nothing_was_wrong
}

# Broken if a loss while the snapshot of the one before is taken were forgotten, or the daemon never got through.
losses_again_and_again() {
	local began changing stops=0
	from changes
	check watched || return
	batch back &
	changing=$! AT=back
	while kill -0 $changing 2>/dev/null; do
		kill -STOP "${PID[firsthopd-r1]}"
		pause 0.6
		kill -CONT "${PID[firsthopd-r1]}"
		pause 0.01
		stops=$((stops + 1))
	done
	wait $changing || fail "not all changes were made"
	began=$(now_ms)
	check eventually 10000 fh_holds r1 'd.netlink.overruns > 0 and not d.stale' status
	check fh r1 wait synced timeout 10
	unwatched
	note "$(wc -l <"$RUN/back") changes, $(seen dropped) events dropped in $stops stops; chip right after $(($(seen final) - began)) ms"
	# Snapshots are a second apart.
	within $(($(seen final) - began)) 2000 || fail "the chip was right $(($(seen final) - began)) ms after the last change"
	nothing_was_wrong
}

# ---------------------------------------------------------------------------------------------------------------- others

FRR=/usr/lib/frr
keepalived_on_swp3() {
	cat >"$RUN/keepalived.conf" <<-END
		global_defs {
		 vrrp_version 3
		 vrrp_netlink_monitor_rcv_bufs 65536
		 vrrp_netlink_monitor_rcv_bufs_force yes
		}
		vrrp_instance one {
		 interface swp3
		 state MASTER
		 virtual_router_id 8
		 priority 200
		 advert_int 0.2
		 use_vmac vrrp8
		 virtual_ipaddress {
		  203.0.113.8/32
		 }
		}
	END
	start keepalived r1 env TMPDIR="$RUN" keepalived --dont-fork --log-console --vrrp --log-detail \
		--use-file "$RUN/keepalived.conf" --pid "$RUN/keepalived.pid" --vrrp_pid "$RUN/keepalived.vrrp.pid"
	eventually 20000 test -s "$RUN/keepalived.vrrp.pid"
}
frr_on_swp3() {
	mkdir -p "$RUN/frr" && chmod 755 /run "$RUN"
	echo "hostname r1" >"$RUN/frr/zebra.conf"
	printf 'interface swp3\n vrrp 9 version 3\n vrrp 9 priority 200\n vrrp 9 advertisement-interval 200\n vrrp 9 ip 203.0.113.9\n' >"$RUN/frr/vrrpd.conf"
	chown -R frr:frr "$RUN/frr"
	ip -n r1 link add vrrp9 link swp3 address $V9 type macvlan mode bridge && ip -n r1 link set vrrp9 addrgenmode random &&
		ip -n r1 addr add 203.0.113.9/32 dev vrrp9 && ip -n r1 link set vrrp9 up || return
	start zebra r1 $FRR/zebra -u frr -g frr -s 65536 -f "$RUN/frr/zebra.conf" -i "$RUN/frr/zebra.pid" -z "$RUN/frr/zserv" \
		--vty_socket "$RUN/frr" --log stdout
	eventually 20000 on r1 grep -q " 00010000 .* $RUN/frr/zserv" /proc/net/unix || return
	start vrrpd r1 $FRR/vrrpd -u frr -g frr -f "$RUN/frr/vrrpd.conf" -i "$RUN/frr/vrrpd.pid" -z "$RUN/frr/zserv" --vty_socket "$RUN/frr" --log stdout
	eventually 20000 sh -c "vtysh --vty_socket $RUN/frr -c 'show vrrp json' | grep -q Master"
}
vty() { vtysh --vty_socket "$RUN/frr" -c "$1"; }

# What each says: how many macvlans there are, how swp3 is, and the virtual routers on it.
row() { note "$(printf '%-18s %-9s %-38s %s' "$@")"; }
macvlans() { grep -cE '^(old|new|vrrp)[0-9]+$'; }
state_of() { fh r1 -j vmac dev "$1" | json "' '.join([d[0].state, d[0].reason or '']).strip() if d else 'unknown'"; }
ask_all() {
	local data
	row who macvlans swp3 "virtual router"
	row "the kernel" "$(ip -n r1 -o link show type macvlan | wc -l)" "$(ip -n r1 -j link show dev swp3 | json 'd[0].operstate')" -
	row firsthop "$(fh r1 -j vmac | json 'len(d)')" "$(fh r1 -j port dev swp3 | json "'up' if d[0].carrier else 'down'")" \
		"$(state_of vrrp8), $(state_of vrrp9)"
	if [ -n "${PID[keepalived]:-}" ]; then
		data=$(keepalived_data)
		row "$VERSION_OF_KEEPALIVED" "$(sed -n 's/^ Name = //p' <<<"$data" | macvlans)" \
			"$(awk '/^ Name = /{is = $3 == "swp3"} is && /State = /{sub(/^ *State = /, ""); print; exit}' <<<"$data")" \
			"$(sed -n 's/^ *State = \([A-Z]*\).*/\1/p' <<<"$data" | head -n 1)"
	fi
	if [ -n "${PID[zebra]:-}" ]; then
		row "$VERSION_OF_FRR" "$(vty 'show interface brief' | sed -n 's/^\(\S*\) \+\(up\|down\) .*/\1/p' | macvlans)" \
			"$(vty 'show interface swp3' | sed -n 's/^Interface swp3 is //p')" "$(vty 'show vrrp json' | json 'd[0].v4.status')"
	fi
}
# What keepalived knows, which it writes to a file when it is asked by a signal.
keepalived_data() {
	rm -f "$RUN/keepalived.data"
	kill -USR1 "$(cat "$RUN/keepalived.vrrp.pid")"
	eventually 5000 test -s "$RUN/keepalived.data" && pause 0.3
	cat "$RUN/keepalived.data"
}

# What is installed says that swp3 is down.
others_know() {
	[ -z "${PID[keepalived]:-}" ] || keepalived_data | awk '/^ Name = /{is = $3 == "swp3"} is && /State = .*not UP/{down = 1} END {exit !down}' || return
	[ -z "${PID[zebra]:-}" ] || vty 'show interface swp3' | grep -q "^Interface swp3 is down"
}

# Broken if firsthop believed what is not so any more. The other rows are those of the installed versions, and are not judged.
others_beside_it() {
	local name daemons=()
	[ "$FH_ROOT" = yes ] || { skip "keepalived and FRR need the machine's root"; return; }
	from back
	if command -v keepalived >/dev/null; then
		check keepalived_on_swp3 && daemons+=(keepalived.vrrp)
	fi
	if [ -x $FRR/vrrpd ]; then
		check frr_on_swp3 && daemons+=(frr/zebra)
	fi
	[ ${#daemons[@]} != 0 ] || { skip "neither keepalived nor FRR is installed"; return; }
	check eventually 20000 fh r1 wait vmac dev vrrp9 state offload timeout 10
	check fh r1 wait synced timeout 10
	check watched || return
	note "before"
	ask_all
	for name in "${daemons[@]}"; do kill -STOP "$(cat "$RUN/$name.pid")"; done
	kill -STOP "${PID[firsthopd-r1]}"
	check batch changes
	for name in "${daemons[@]}"; do kill -CONT "$(cat "$RUN/$name.pid")"; done
	kill -CONT "${PID[firsthopd-r1]}"
	check fh r1 wait vmac dev vrrp9 state held timeout 10
	check fh r1 wait synced timeout 10
	# The others get more time than a change takes them that they hear of.
	eventually 3000 others_know || :
	unwatched
	note "after"
	ask_all
	check fh_holds r1 "all(v.state == 'held' for v in d) and len(d) >= ${#daemons[@]}" vmac lower swp3
	check chip_holds r1 "not {'$V7', '$V8', '$V9'} & set(macs())"
	for name in vrrpd zebra keepalived; do [ -z "${PID[$name]:-}" ] || stop $name; done
	check fh r1 wait synced timeout 10
	on r1 "$HWSIM" dump -j >"$RUN/dump"
	nothing_was_wrong
}

VLANS=
if ip link add link lo name probe type vlan id 2 2>/dev/null; then
	ip link del probe
	VLANS=yes
fi
VERSION_OF_KEEPALIVED=$(keepalived --version 2>&1 | sed -n 's/^Keepalived v\([0-9.]*\).*/keepalived \1/p')
VERSION_OF_FRR=$($FRR/zebra --version 2>/dev/null | sed -n 's/^zebra version \([0-9.]*\).*/FRR \1/p')
printf '[netlink]\nreceive_buffer = 65536\n' >"$RUN/firsthop.toml"
namespace r1
# Without link-locals, which come a while after a port does.
on r1 sh -c 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
switch r1 --emad-pcap "$RUN/emad.pcap"
host h1 r1 1 192.0.2.10/24
for port in 2 3 4; do ip -n r1 link set h$port up; done
for port in 1 2 3 4; do ip -n r1 link set swp$port up; done
for port in 1 2 3 4; do eventually 5000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 198.51.100.1/24 dev swp2
ip -n r1 addr add 203.0.113.1/24 dev swp3
ip -n r1 addr add 10.9.255.1/24 dev swp4
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
macvlan r1 swp3 vrrp7 $V7 203.0.113.7/32
before >"$RUN/before"
filled changes down >"$RUN/changes"
filled back up >"$RUN/back"
grep " 10\.9\." "$RUN/changes" | head -n 400 >"$RUN/little"
batch before || give_up "the beginning can't be made"
ip -n h1 neigh replace 192.0.2.254 lladdr $V5 dev h1
daemon
tests_run "$@"
