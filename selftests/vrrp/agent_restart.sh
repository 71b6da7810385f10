#!/bin/bash
# firsthopd ends, stands still or starts while keepalived hands a virtual router over. Is every chip right afterwards, is none of the
# backups attracted, and does the virtual router that did not move lose nothing?

ALL_TESTS="
	backups_agent_starts_anew
	new_active_has_no_agent
	former_active_has_no_agent
	killed_at_any_moment
	both_killed_and_the_other_way_round
	new_active_stands_still
	former_active_stands_still
	there_and_back_while_it_stands_still
	crash_of_daemon_and_agent
	nothing_is_left
"
. "$(dirname "$0")/../lib/lib.sh"
. "$LIB/routers.sh"
needs_daemon keepalived keepalived

# Two virtual routers that share the load: the gateway with VRID 5 is r1's and moves; the one with VRID 7 is r2's and stays.
V7=00:00:5e:00:01:07 STAYS=192.0.2.253
conf() { vr4 "$1"; instance stays 7 "$2" $STAYS/24 "use_vmac vrrp7"; }
shared() {
	check keepalived_on r1 "$(conf 150 100)"
	check active r1
	check keepalived_on r2 "$(conf 100 150)"
	home
}
# home: VRID 5 at r1, 7 at r2, in both chips and the LAN's. away: both at r2; r1 has keepalived no more, or is a backup.
home() {
	check active r1 && check backup r2
	check active r2 vrrp7 $V7 $STAYS && check backup r1 vrrp7 $V7 $STAYS
	check lan_sends $V5 1 && check lan_sends $V7 2
	check answers $VIP4 && check answers $STAYS $V7
	check in_step r1 r2
}
away() {
	check active r2 && check active r2 vrrp7 $V7 $STAYS
	check leaves_alone r1 $V5 && check leaves_alone r1 $V7 $STAYS
	check lan_sends $V5 2 && check lan_sends $V7 2
	check answers $VIP4
	check in_step r1 r2
}
# undisturbed COMMAND...: nothing is lost meanwhile of what goes to the virtual router that stays, and its record is not written.
undisturbed() {
	check pings h $STAYS 0.005
	"$@"
	pings_end
	note "of what stays: $(json "f'{d.sent} sent, {d.lost} lost, longest silence {d.longest_silence_ms} ms'" <<<"$PINGS")"
	check_eq "$(json d.lost <<<"$PINGS")" 0 "pings lost to the virtual router that did not move"
	check wrote r2 "^SFD .* mac $V7" 0
	check wrote r2 "^RITR delete" 0 && check wrote r1 "^RITR delete" 0
}
# Which kernel has the address of VRID 5: what its keepalived decided, whoever of us knows.
r2_has_address() { ip -n r2 addr show dev $DEV4 | grep -q "$VIP4"; }
r1_has_address() { ip -n r1 addr show dev $DEV4 2>/dev/null | grep -q "$VIP4"; }
r2_has_none() { ! r2_has_address; }
back_home() {
	check keepalived_on r1 "$(conf 150 100)"
	home
}

# Broken if a start, which sees the backup's device and the port's filters for the first time, put a backup into the chip.
backups_agent_starts_anew() {
	local signal
	shared
	mark r1 && mark r2
	restarts() {
		for signal in KILL TERM; do
			stop firsthopd-r2 $signal
			check leaves_alone r2 $V5
			agent r2
			stop firsthopd-r1 $signal
			agent r1
		done
	}
	undisturbed restarts
	check wrote r1 . 0 && check wrote r2 . 0
	home
	check swept
}

# Broken if what happened while there was no agent were missed, or the first thing that it does after its start touched the rest.
new_active_has_no_agent() {
	shared
	mark r1 && mark r2
	takes_over() {
		stop firsthopd-r2 KILL
		check keepalived_off r1
		check eventually 20000 r2_has_address
		check leaves_alone r1 $V5
		agent r2
		check active r2
	}
	undisturbed takes_over
	away
	check wrote r2 "^SFD add mac $V5" 1 && check wrote r2 "^SFD" 1
	check wrote r1 "^SFD remove mac $V5" 1 && check wrote r1 "^SFD" 1
	check swept
}

# Broken if the MAC of a router that is active no more stayed in its chip because nobody was there when it gave up.
former_active_has_no_agent() {
	shared
	mark r1 && mark r2
	gives_up() {
		stop firsthopd-r1 KILL
		check keepalived_off r1
		check active r2
		check takes r1 $V5 # nobody told its chip
		agent r1
	}
	undisturbed gives_up
	away
	check wrote r1 "^SFD remove mac $V5" 1 && check wrote r1 "^SFD" 1
	check swept
}

# Broken if a crash between two writes, or between a message and its write, were not made good by the next start.
killed_at_any_moment() {
	local delay
	shared
	mark r1 && mark r2
	at_moments() {
		for delay in 0 0.03 0.07 0.15; do
			kill -TERM "${PID[keepalived-r1]}"
			pause $delay
			stop firsthopd-r2 KILL
			stop firsthopd-r1 KILL
			stop keepalived-r1
			check eventually 20000 r2_has_address
			agent r1
			agent r2
			away
			kill -KILL "${PID[firsthopd-r2]}"
			back_home_without r2
		done
	}
	# back_home_without NS: VRID 5 goes back while the agent of NS is dead; it starts when the kernel has it.
	back_home_without() {
		check keepalived_on r1 "$(conf 150 100)"
		check eventually 20000 r1_has_address
		wait "${PID[firsthopd-$1]}" 2>/dev/null
		agent "$1"
		home
	}
	undisturbed at_moments
	check swept
}

# Broken if two starts at once, each with a view of its own, left the MAC in both chips or in none.
both_killed_and_the_other_way_round() {
	shared
	mark r1 && mark r2
	both() {
		stop firsthopd-r1 KILL
		stop firsthopd-r2 KILL
		check keepalived_off r1
		check eventually 20000 r2_has_address
		agent r2
		agent r1
		away
		stop firsthopd-r1 KILL
		stop firsthopd-r2 KILL
		check keepalived_on r1 "$(conf 150 100)"
		check eventually 20000 r1_has_address
		agent r1
		agent r2
		home
	}
	undisturbed both
	check wrote r1 "^SFD add mac $V5" 1 && check wrote r1 "^SFD remove mac $V5" 1
	check wrote r2 "^SFD add mac $V5" 1 && check wrote r2 "^SFD remove mac $V5" 1
	check swept
}

# Broken if messages that waited were not read to their end, or lost ones not noticed.
new_active_stands_still() {
	shared
	mark r1 && mark r2
	stands() {
		kill -STOP "${PID[firsthopd-r2]}"
		check keepalived_off r1
		check eventually 20000 r2_has_address
		check leaves_alone r2 $V5
		kill -CONT "${PID[firsthopd-r2]}"
	}
	undisturbed stands
	away
	check wrote r2 "^SFD add mac $V5" 1 && check wrote r2 "^SFD" 1
	check swept
}
former_active_stands_still() {
	shared
	mark r1 && mark r2
	stands() {
		kill -STOP "${PID[firsthopd-r1]}"
		check keepalived_off r1
		check active r2
		check takes r1 $V5
		kill -CONT "${PID[firsthopd-r1]}"
	}
	undisturbed stands
	away
	check wrote r1 "^SFD remove mac $V5" 1 && check wrote r1 "^SFD" 1
	check swept
}

# Broken if it acted on each message that waited instead of on how it ends: what is right in the chip is not written.
there_and_back_while_it_stands_still() {
	shared
	mark r1 && mark r2
	stands() {
		kill -STOP "${PID[firsthopd-r1]}" "${PID[firsthopd-r2]}"
		for _ in 1 2 3; do
			check ip -n r1 link set $DEV4 down
			check eventually 20000 r2_has_address
			check ip -n r1 link set $DEV4 up
			check eventually 20000 r1_has_address
		done
		# r2's daemon hears r1's before it lets go
		check eventually 20000 r2_has_none
		kill -CONT "${PID[firsthopd-r1]}" "${PID[firsthopd-r2]}"
	}
	undisturbed stands
	home
	check wrote r1 . 0 && check wrote r2 . 0
	check swept
}

# Broken if what a crash of both leaves were taken for anything but what the kernel says: the address is there, so the MAC is.
crash_of_daemon_and_agent() {
	shared
	mark r1 && mark r2
	crash() {
		check keepalived_killed r1
		stop firsthopd-r1 KILL
		check active r2
		agent r1
		check active r1 && check wrote r1 . 0
		check lan_sends $V5 2 && check answers $VIP4
		back_home
	}
	undisturbed crash
	check swept
}

nothing_is_left() {
	local ns
	check in_step r1 r2 lan
	for ns in r1 r2; do check chip_holds $ns "len(macs()) == 2 and not any(r.vrrp_id_ipv4 or r.vrrp_id_ipv6 for r in d.rifs)"; done
}

routers
# The host keeps to the virtual MAC: Linux tells it the MAC of its port too, when it asks for the host with the virtual address
# (arp_announce), and then forwards what comes by mistake.
ip -n h neigh replace $STAYS lladdr $V7 dev h3 nud permanent
tests_run "$@"
