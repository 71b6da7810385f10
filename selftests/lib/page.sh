# shellcheck shell=bash
#
# Runs the steps of a page (book.py) one after the other in this shell, as its reader would.
#
#   page.sh STEPS FIRST DIRECTORY      from the FIRST step on, counted from 0; output is kept in DIRECTORY
#
# A command in the background has said `ready`, or that it listens, when the next one begins. `ip netns exec NAME bash` is a shell
# there, into which the rest of the page is typed. What is shown has to be printed within ten seconds. Exit code 1: something failed, at the
# line of the page that is in DIRECTORY/line. The names here begin with page_, as the page's commands may use any other.

page_steps=$1 page_first=$2 page_work=$3
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
mapfile -d '' -t page_field <"$page_steps"

page_failed() {
	printf ': %s\n' "${page_text%%$'\n'*}"
	head -n 40 "$page_work/output"
	exit 1
}
page_soon() {
	local end=$((SECONDS + 10))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.05 <>"$page_work/never" || :
	done
}
page_shows() { eval "$page_text" </dev/null 2>&1 | "$FH_PYTHON" -ISB "$FH_LIB/guide.py" same "$page_output" >"$page_work/output" 2>&1; }
page_says_ready() { grep -qE '^ready$|listening' "$page_work/background-$page_at"; }

# page_has THING: of what a machine or its kernel may be without.
page_has() {
	case $1 in
	nft) nft 'table netdev probe { chain in { type filter hook ingress device lo priority 0; }; }' && nft delete table netdev probe ;;
	flower) unshare --net sh -c 'tc qdisc add dev lo clsact && tc filter add dev lo ingress protocol all flower action pass' ;;
	ipvlan) unshare --net sh -c 'ip link add base type veth peer name other && ip link add link base name probe type ipvlan mode l2' ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}

[ -e "$page_work/never" ] || mkfifo "$page_work/never"
for ((page_at = page_first * 5; page_at < ${#page_field[@]}; page_at += 5)); do
	page_kind=${page_field[page_at]} page_needs=${page_field[page_at + 1]} page_line=${page_field[page_at + 2]}
	page_text=${page_field[page_at + 3]} page_output=${page_field[page_at + 4]}
	if [ -n "$page_needs" ] && ! page_has "$page_needs"; then
		echo "line $page_line: not run, there is no $page_needs here"
		continue
	fi
	echo "$page_line" >"$page_work/line"
	case $page_kind in
	run) eval "$page_text" >"$page_work/output" 2>&1 </dev/null || page_failed ;;
	shown) page_soon page_shows || page_failed ;;
	file) printf %s "$page_output" >"$page_text" ;;
	background)
		eval "$page_text" >"$page_work/background-$page_at" 2>&1 </dev/null
		page_soon page_says_ready || { cp "$page_work/background-$page_at" "$page_work/output"; page_failed; }
		;;
	enter)
		eval "$page_text \"\$0\" \"\$page_steps\" $((page_at / 5 + 1)) \"\$page_work\""
		exit
		;;
	esac
done
