#!/bin/bash
# The daemon as a user of its own with CAP_NET_ADMIN alone: does everything work, is told what lacks with less, and does it keep to what
# agent/dist/firsthopd.service lets it do: no program started, no socket of the Internet, no file outside of its directories?

ALL_TESTS="
	one_capability_is_enough
	it_keeps_to_itself
	missing_capabilities_are_told
	raw_sockets_are_for_the_watch
	who_may_ask
	service_file_is_sound
	the_service_manager_is_told
	system_calls_are_allowed
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/ask.sh"

# No user of the machine has these numbers.
WHO=65511 GROUP=65512 STRANGER=65513
V5=00:00:5e:00:01:05
UNIT=$ROOT/agent/dist/firsthopd.service

# daemon CAPABILITIES [COMMAND...]: as the service manager starts it; the command starts setpriv.
daemon() {
	local capabilities=$1 which
	shift
	which=${capabilities:+,$capabilities}
	start firsthopd-r1 r1 env XDG_RUNTIME_DIR=/run "$@" setpriv --reuid $WHO --regid $GROUP --clear-groups --no-new-privs \
		--bounding-set="-all$which" --inh-caps="-all$which" --ambient-caps="-all$which" "$RUN/bin/firsthopd"
	eventually 10000 fh r1 wait synced timeout 5
}
as() { setpriv --reuid "$1" --regid "$2" --clear-groups "${@:3}"; }
# capabilities: of the process, as the kernel has them.
capabilities() { sed -n 's/^CapEff:\s*//p' "/proc/$(daemon_pid)/status"; }
daemon_pid() { sed -n 's/^\([0-9]*\) .*/\1/p' <<<"$(grep -l "^$RUN/bin/firsthopd" /proc/[0-9]*/cmdline 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1 /' | tail -n 1)"; }

# Broken if anything needed more: of the chip, of the kernel's bridges, of the queue for events.
one_capability_is_enough() {
	check daemon +net_admin "${TRACE[@]}"
	check_eq "$(capabilities)" 0000000000001000 "capabilities"
	check fh r1 wait rif dev swp1 state offload timeout 5
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check chip_soon r1 "'$V5' in macs()"
	check fh_holds r1 'd.netlink.receive_buffer == 33554432' status
	ip -n r1 link add br0 type bridge
	ip -n r1 link set swp2 master br0
	ip -n r1 link set br0 up
	ip -n r1 addr add 203.0.113.1/24 dev br0
	macvlan r1 br0 vrrp7 00:00:5e:00:01:07 203.0.113.254/24
	check fh r1 wait vmac dev vrrp7 state offload timeout 5
	check eventually 3000 bridge_owns r1 br0 00:00:5e:00:01:07
	check fh_holds r1 "d.liveness.watch == 'off' and 'CAP_NET_RAW' in d.liveness.reason" status
	check kill -HUP "$(daemon_pid)"
	check eventually 3000 grep -q "Configuration read again" "$RUN/firsthopd-r1.log"
	check_status 0 fh r1 diff
	check on r1 "$HWSIM" reset
	check chip_soon r1 "'$V5' in macs()" 5000
	fh r1 doctor >"$RUN/doctor"
}

# Broken if it started a program, spoke to the Internet, or wrote outside of its own directories.
it_keeps_to_itself() {
	[ -n "${TRACE[*]}" ] || { skip "strace is not installed"; return; }
	kill -TERM "$(daemon_pid)"
	wait "${PID[firsthopd-r1]}"
	"$PY" -ISB - "$RUN/calls" "$RUN/bin/firsthopd" >"$RUN/told" 2>&1 <<-'END'
		import collections, re, sys
		lines = [re.sub(r"^\d+ +", "", line) for line in open(sys.argv[1], errors="replace")]
		begin = next(at for at, line in enumerate(lines) if line.startswith(f'execve("{sys.argv[2]}"') and line.rstrip().endswith("= 0"))
		lines = lines[begin + 1 :]
		own = ("/run/firsthop/r1", "/run/hwsim/r1", "/dev/null")
		bad, counted = [], collections.Counter()
		for line in lines:
		    name = line.split("(", 1)[0]
		    if not name.isidentifier():
		        continue
		    counted[name] += 1
		    path = (re.search(r'"([^"]*)"', line) or [None, ""])[1]
		    writes = name in ("unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "chmod", "fchmodat", "chown", "truncate", "symlink", "link", "mknod")
		    opens = name in ("open", "openat", "creat") and re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", line)
		    if (writes or opens) and " = -1 EEXIST" not in line and not path.startswith(own):
		        bad.append(line.strip())
		    if name in ("execve", "execveat", "fork", "vfork", "ptrace", "setns", "unshare", "mount", "setuid", "setresuid", "capset"):
		        bad.append(line.strip())
		    if name in ("clone", "clone3") and "CLONE_THREAD" not in line:
		        bad.append(line.strip())
		    if name == "socket" and not re.match(r"socket\(AF_(UNIX|NETLINK|PACKET)\b", line):
		        bad.append(line.strip())
		print(sum(counted.values()), "system calls of", len(counted), "kinds,", counted["listen"], "listening socket")
		print(*sorted(counted), file=open(sys.argv[1] + ".names", "w"))
		sys.exit("\n".join(bad[:10]) if bad or counted["listen"] != 1 or len(counted) < 20 else 0)
	END
	# shellcheck disable=SC2181 # of what ends with END
	[ $? = 0 ] || fail "it does what it should not: $(cat "$RUN/told")"
	note "$(head -n 1 "$RUN/told")"
	# Who is traced is that program.
	check grep -q execve "$RUN/calls"
}

# Broken if somebody who gave it nothing were not told what does not work, or if what needs nothing stopped.
missing_capabilities_are_told() {
	stop_daemon
	ip -n r1 addr add 198.51.100.1/24 dev swp3
	check daemon ""
	check_eq "$(capabilities)" 0000000000000000 "capabilities"
	check fh r1 wait rif dev swp3 state offload timeout 5
	check chip_soon r1 "'$V5' in macs()"
	check grep -q "CAP_NET_ADMIN" "$RUN/firsthopd-r1.log"
	fh r1 doctor >"$RUN/doctor"
	check grep -q CAP_NET_ADMIN "$RUN/doctor"
	check grep -q CAP_NET_RAW "$RUN/doctor"
	note "$(grep CAP_NET "$RUN/doctor" | head -n 2 | tr -s ' \n' ' ')"
}

# Broken if the watch needed more than its capability, or that capability were of use to something else.
raw_sockets_are_for_the_watch() {
	stop_daemon
	check daemon +net_admin,+net_raw
	check_eq "$(capabilities)" 0000000000003000 "capabilities"
	check fh_holds r1 "d.liveness.watch == 'on'" status
	check_status 0 fh r1 diff
}
stop_daemon() {
	kill -TERM "$(daemon_pid)" 2>/dev/null
	wait "${PID[firsthopd-r1]}"
}

# Broken if the directory's group did not decide who may ask.
who_may_ask() {
	local socket=/run/firsthop/r1/firsthop.sock
	check as $STRANGER $GROUP "$RUN/bin/firsthop" --socket $socket status
	check_status 4 as $STRANGER $STRANGER "$RUN/bin/firsthop" --socket $socket status
	check fh r1 status
}

# unit: the service file with the paths of this machine.
unit() { sed "s|/usr/bin/firsthopd|$RUN/bin/firsthopd|" "$UNIT" >"$RUN/firsthopd.service"; }

# Broken if the service manager did not understand the file, or it granted more than it has to.
service_file_is_sound() {
	local level
	command -v systemd-analyze >/dev/null || { skip "systemd-analyze is not installed"; return; }
	unit
	systemd-analyze verify --man=no "$RUN/firsthopd.service" >"$RUN/verify" 2>&1
	check_eq "$(grep firsthopd "$RUN/verify")" "" "complaints"
	level=$(systemd-analyze security --offline=true --no-pager "$RUN/firsthopd.service" 2>&1 | sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p')
	note "exposure level $level"
	check awk -v level="${level:-10}" 'BEGIN { exit !(level <= 2.0) }'
}

# told COUNT WORD: the service manager has heard it so often.
told() { [ "$(grep -c "$2" "$RUN/told")" -ge "$1" ]; }

# Broken if the service manager waited for ever, killed a daemon whose loop turns, or showed what is past.
the_service_manager_is_told() {
	cat >"$RUN/manager.py" <<-'END'
		import os, socket, sys
		sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		sock.bind(sys.argv[1])
		os.chmod(sys.argv[1], 0o777)
		print("listening")
		while True:
		    print(sock.recv(4096).decode())
	END
	start manager r1 "$PY" -ISBu "$RUN/manager.py" "$RUN/notify"
	check eventually 5000 [ -S "$RUN/notify" ]
	[ -z "${PID[firsthopd-r1]:-}" ] || stop firsthopd-r1
	ln -sfn "$RUN/manager.log" "$RUN/told"
	check daemon +net_admin NOTIFY_SOCKET="$RUN/notify" WATCHDOG_USEC=400000
	check eventually 2000 told 1 '^READY=1$'
	check eventually 2000 told 1 '^STATUS=In step with the kernel and with hwsim/0$'
	check eventually 5000 told 3 '^WATCHDOG=1$'
	kill -STOP "${PID[hwsim-r1]}"
	ip -n r1 link set swp2 mtu 1400
	ip -n r1 addr add 198.51.100.1/24 dev swp2
	check eventually 5000 told 1 '^STATUS=.*\(pending\|answer\)'
	kill -CONT "${PID[hwsim-r1]}"
	check eventually 10000 told 2 '^STATUS=In step'
	ip -n r1 addr del 198.51.100.1/24 dev swp2
	ip -n r1 link set swp2 mtu 1500
	stop firsthopd-r1
	stop manager
}

# Broken if the filter of the service file stopped the daemon: what it calls, which was recorded above, must be let through.
system_calls_are_allowed() {
	local groups
	command -v systemd-analyze >/dev/null || { skip "systemd-analyze is not installed"; return; }
	[ -s "$RUN/calls.names" ] || { skip "no system calls were recorded"; return; }
	groups() { systemd-analyze syscall-filter --no-pager "$@" | sed -n 's/^ \+\([@a-z0-9_-]*\)$/\1/p'; }
	# expanded GROUP...: the calls in them, through groups of groups.
	expanded() {
		local one
		for one; do
			case $one in
			@*)
				# shellcheck disable=SC2046 # several
				expanded $(groups "$one")
				;;
			*) echo "$one" ;;
			esac
		done
	}
	groups=$(sed -n 's/^SystemCallFilter=~//p' "$UNIT")
	tr ' ' '\n' <"$RUN/calls.names" | sort -u >"$RUN/used"
	expanded @system-service | sort -u >"$RUN/let"
	expanded $groups | sort -u >"$RUN/kept"
	check [ "$(wc -l <"$RUN/let")" -gt 200 ]
	check [ "$(wc -l <"$RUN/kept")" -gt 50 ]
	check_eq "$(comm -23 "$RUN/used" "$RUN/let" | tr '\n' ' ')" "" "calls that are not let through"
	check_eq "$(comm -12 "$RUN/used" "$RUN/kept" | tr '\n' ' ')" "" "calls that are kept from it"
}

[ "$FH_ROOT" = yes ] || unable "needs the machine's root, to be somebody else"
command -v setpriv >/dev/null || unable "setpriv is not installed"
TRACE=()
! strace -qq -o /dev/null true 2>/dev/null || TRACE=(strace -f -qq -s 200 -o "$RUN/calls")
chmod 755 "$RUN"
mkdir -p "$RUN/bin"
cp "$FIRSTHOPD" "$FIRSTHOP" "$RUN/bin/"
switch r1
# What sysusers.d, tmpfiles.d and the service manager do; and the simulator is this user's too.
mkdir -p /run/firsthop/r1
chown -R $WHO:$GROUP /run/firsthop /run/hwsim
chmod 750 /run/firsthop/r1
chmod 755 /run/firsthop
host h1 r1 1 192.0.2.10/24
for port in 2 3; do ip -n r1 link set h$port up; done
for port in 1 2 3; do ip -n r1 link set swp$port up; done
ip -n r1 addr add 192.0.2.1/24 dev swp1
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
tests_run "$@"
