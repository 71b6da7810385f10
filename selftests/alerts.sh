#!/bin/bash
# Alerting rules and the dashboard: can Prometheus read them, do they fire when they should and only then, and is all there that they name?

ALL_TESTS="
	rules_fire_when_they_should
	they_name_what_there_is
	what_the_dashboard_asks_is_understood
	one_prometheus_for_ten_switches
"
. "$(dirname "$0")/lib/lib.sh"

DIST=$ROOT/agent/dist
RULES=$DIST/firsthop.rules.yaml DASHBOARD=$DIST/firsthop.dashboard.json
SWITCHES=10

# Broken if a rule could not be read, never fired, or fired on a switch that is well.
rules_fire_when_they_should() {
	local name
	check promtool check rules "$RULES"
	check promtool test rules "$LIB/alerts.test.yaml"
	for name in $(sed -n 's/^ *- alert: //p' "$RULES"); do
		check grep -q "alertname=\"$name\"" "$LIB/alerts.test.yaml"
	done
}

# Broken if a metric, or a chapter of the documentation, had changed its name and these had not.
they_name_what_there_is() {
	local name url file chapter
	for name in $(grep -ohE 'firsthop_[a-z_]+' "$RULES" "$DASHBOARD" | sed -E 's/_(total|info)$//' | sort -u); do
		grep -q "\`$name\`" "$ROOT/docs/metrics.md" || fail "$name is no metric"
	done
	for url in $(sed -n 's|.*"file:///usr/share/doc/firsthop/\(.*\)"|\1|p' "$RULES" | sort -u); do
		file=$ROOT/docs/${url%%#*} chapter=''
		[[ $url != *'#'* ]] || chapter=${url#*#}
		check [ -s "$file" ]
		[ -z "$chapter" ] || sed -n 's/^##* //p' "$file" | tr 'A-Z ' 'a-z-' | grep -qx "$chapter" || fail "$url is not there"
	done
}

# Broken if Prometheus did not understand a panel's question.
what_the_dashboard_asks_is_understood() {
	"$PY" -ISB - "$DASHBOARD" >"$RUN/asked.yaml" <<'END'
import json, sys

dashboard = json.load(open(sys.argv[1]))
panels = dashboard["panels"]
assert len({panel["id"] for panel in panels}) == len(panels)
asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
assert asked
print("groups:\n  - name: asked\n    rules:")
for number, expr in enumerate(asked):
    expr = expr.replace("$__rate_interval", "1m").replace("$instance", ".*")
    print(f"      - record: asked:{number}\n        expr: {json.dumps(expr)}")
END
	check promtool check rules "$RUN/asked.yaml"
}

# ready: Prometheus answers. answer QUERY: the samples' value for each instance, sorted.
ready() { on monitor "$PY" -ISB "$LIB/prometheus.py" ready; }
answer() { on monitor "$PY" -ISB "$LIB/prometheus.py" query "$1"; }
says() { [ "$(answer "$1")" = "$2" ]; }

# Broken if what docs/operator.md says about fleets did not work: exporters on the management network, one Prometheus that has their targets.
one_prometheus_for_ten_switches() {
	local n all=''
	command -v prometheus >/dev/null 2>&1 || { skip "prometheus is not installed"; return; }
	namespace monitor
	on monitor ip link add br0 type bridge
	on monitor ip addr add 10.9.0.1/24 dev br0
	on monitor ip link set br0 up
	for ((n = 1; n <= SWITCHES; n++)); do
		switch "s$n"
		ip -n "s$n" link add mgmt0 type veth peer name "m$n" netns monitor
		ip -n "s$n" addr add "10.9.0.$((10 + n))/24" dev mgmt0
		ip -n "s$n" link set mgmt0 up
		on monitor ip link set "m$n" master br0 up
		ip -n "s$n" addr add 192.0.2.1/24 dev swp1
		ip -n "s$n" link set swp1 up
		agent "s$n"
		start "exporter-s$n" "s$n" "$BIN/firsthop-exporter" -n "s$n" --listen "10.9.0.$((10 + n)):9983"
		all+="10.9.0.$((10 + n)):9983 1"$'\n'
	done
	{
		echo "global: { scrape_interval: 1s, evaluation_interval: 1s }"
		echo "rule_files: [$RULES]"
		echo "scrape_configs: [{ job_name: firsthop, file_sd_configs: [{ files: [switches.yaml] }] }]"
	} >"$RUN/prometheus.yaml"
	for ((n = 1; n <= SWITCHES; n++)); do echo "- targets: [\"10.9.0.$((10 + n)):9983\"]"; done >"$RUN/switches.yaml"
	check promtool check config "$RUN/prometheus.yaml"
	start prometheus monitor prometheus --config.file="$RUN/prometheus.yaml" --storage.tsdb.path="$RUN/tsdb" \
		--web.listen-address=127.0.0.1:9090
	check eventually 20000 ready
	all=$(sort <<<"${all%$'\n'}")
	check eventually 20000 says firsthop_synced "$all"
	check_eq "$(answer 'firsthop_rifs{state="offload"}')" "$all" "router interfaces"
	check_eq "$(answer 'count by (instance) (ALERTS)')" "" "alerts"
	stop firsthopd-s3 KILL
	check eventually 20000 says 'ALERTS{alertname="FirsthopDown"}' "10.9.0.13:9983 1"
	check_eq "$(answer 'count by (instance) (ALERTS)')" "10.9.0.13:9983 1" "others"
}

command -v promtool >/dev/null 2>&1 || unable "promtool is not installed (Debian: prometheus)"
tests_run "$@"
