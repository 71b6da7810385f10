#!/bin/bash
# Metrics for collectors: over HTTP on the loopback, in a file, by a process that may do nothing but ask the daemon.

ALL_TESTS="
	a_collector_reads_them
	a_daemon_that_is_away_is_told
	others_do_not_get_in_the_way
	a_file_is_whole
	no_right_is_needed
	service_file_is_sound
"
. "$(dirname "$0")/lib/lib.sh"

EXPORTER=$BIN/firsthop-exporter WHO=65514
# scrape [PATH]: the body of the answer; the head goes to $RUN/head.
scrape() {
	on r1 "$PY" -ISB - "${1:-/metrics}" "$RUN/head" <<-'END'
		import socket, sys
		path, head = sys.argv[1:]
		with socket.create_connection(("127.0.0.1", 9983), timeout=10) as sock:
		    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
		    text = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
		lines, _, body = text.partition("\r\n\r\n")
		first, *fields = lines.split("\r\n")
		fields = dict(field.split(": ", 1) for field in fields)
		assert int(fields["Content-Length"]) == len(body)
		with open(head, "w") as file:
		    print(first.split()[1], fields["Content-Type"], file=file)
		sys.stdout.write(body)
	END
}
says() { [[ $(scrape) == *"$1"$'\n'* ]]; }
# exporter [OPTION...]: it listens when this returns.
exporter() {
	start exporter r1 "$@"
	eventually 5000 grep -q listening "$RUN/exporter.log"
}
# told FILE: the families that it has, and what does not change between two looks.
told() { sed -n '/^# TYPE/p; /^firsthop_\(build\|resource\|rifs\|vmacs\)/p' "$1"; }

is_fresh() { [ -z "$(find "$1" -mmin +30)" ]; }

# Broken if Prometheus could not read them, or read something else than `firsthop metrics` says.
a_collector_reads_them() {
	check exporter "$EXPORTER" -n r1
	scrape >"$RUN/scraped"
	check_eq "$(cat "$RUN/head")" "200 application/openmetrics-text; version=1.0.0; charset=utf-8" "head"
	fh r1 metrics >"$RUN/printed"
	check_eq "$(told "$RUN/scraped")" "$(told "$RUN/printed")" "metrics"
	check grep -qx 'firsthop_vmacs{state="offload"} 1' "$RUN/scraped"
	check_eq "$(tail -n 1 "$RUN/scraped")" "# EOF" "the end"
	scrape /nothing >/dev/null
	check_eq "$(cut -d' ' -f1 "$RUN/head")" 404 "another path"
}

# Broken if a dead daemon looked like one that is well, or the exporter had to be started again after it.
a_daemon_that_is_away_is_told() {
	stop firsthopd-r1 KILL
	check says "firsthop_up 0"
	check_eq "$(scrape | grep -c '^firsthop_')" 2 "samples without a daemon"
	agent r1
	check says "firsthop_up 1"
	check says "firsthop_synced 1"
}

# Broken if somebody who asks for nothing, or never ends, kept collectors away.
others_do_not_get_in_the_way() {
	local told
	told=$(on r1 "$PY" -ISB - 2>&1 <<-'END'
		import socket, time
		socks = [socket.create_connection(("127.0.0.1", 9983)) for _ in range(10)]
		for sock in socks[:5]:
		    sock.sendall(b"GET /metrics HTTP/1.1\r\n")
		for sock in socks[5:8]:
		    try:
		        sock.sendall(b"x" * (1 << 20))
		    except ConnectionError:
		        pass
		begun = time.monotonic()
		with socket.create_connection(("127.0.0.1", 9983)) as sock:
		    sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
		    text = b"".join(iter(lambda: sock.recv(65536), b""))
		assert text.endswith(b"# EOF\n"), text[-100:]
		assert time.monotonic() - begun < 4
	END
	) || fail "$told"
	check alive exporter
	stop exporter TERM
}

# Broken if node_exporter could read half a page, or an old one for ever.
a_file_is_whole() {
	local n bad=0
	rm -f "$RUN/firsthop.prom"
	start writer r1 "$EXPORTER" -n r1 --textfile "$RUN/firsthop.prom" --interval 1
	check eventually 5000 [ -s "$RUN/firsthop.prom" ]
	touch -d '1 hour ago' "$RUN/firsthop.prom"
	for ((n = 0; n < 300; n++)); do
		[ "$(tail -n 1 "$RUN/firsthop.prom")" = "# EOF" ] || bad=$((bad + 1))
	done
	check_eq $bad 0 "pages without their end"
	check eventually 5000 is_fresh "$RUN/firsthop.prom"
	stop writer TERM
	check_status 2 on r1 "$EXPORTER" -n r1 --textfile /nonexistent/file
	check_status 1 "$EXPORTER" --interval 3
	check_status 1 "$EXPORTER" --listen nowhere
}

# Broken if it needed any right but to reach the daemon's socket.
no_right_is_needed() {
	mkdir -p "$RUN/bin"
	cp "$EXPORTER" "$RUN/bin/"
	chmod 755 "$RUN" "$RUN/bin" 2>/dev/null
	check exporter setpriv --reuid $WHO --regid $WHO --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
		"$RUN/bin/firsthop-exporter" --socket /run/firsthop/r1/firsthop.sock
	check says "firsthop_up 1"
	stop exporter TERM
}

# Broken if the service manager could not read the unit, or it had rights that nothing needs.
service_file_is_sound() {
	local level unit=$RUN/firsthop-exporter.service
	command -v systemd-analyze >/dev/null || { skip "systemd-analyze is not installed"; return; }
	sed "s|/usr/bin/firsthop-exporter|$EXPORTER|" "$ROOT/agent/dist/firsthop-exporter.service" >"$unit"
	systemd-analyze verify --man=no "$unit" >"$RUN/verify" 2>&1
	check_eq "$(grep firsthop-exporter "$RUN/verify")" "" "complaints"
	level=$(systemd-analyze security --offline=true --no-pager "$unit" 2>&1 | sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p')
	note "exposure level $level"
	check awk -v level="${level:-10}" 'BEGIN { exit !(level <= 1.1) }'
}

switch r1
host h1 r1 1 192.0.2.10/24
ip -n r1 link set lo up
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 link set swp1 up
macvlan r1 swp1 vrrp5 00:00:5e:00:01:05 192.0.2.254/24
agent r1
eventually 5000 carrier r1 swp1 || give_up "swp1 has no carrier"
fh r1 wait vmac dev vrrp5 state offload timeout 5 || give_up "vrrp5 is not in the chip"
tests_run "$@"
