# Sourced after lib.sh by scripts that ask much. One Python process (wire.py) answers for the chip, for JSON and about frames: in
# User-Mode Linux, where a system call is dear, starting one for each question would take minutes. One question at a time: not
# for what runs in the background.
#
# shellcheck shell=bash

mkfifo "$RUN/ask" "$RUN/answer"
"$PY" -ISB "$LIB/wire.py" "$RUN/ask" "$RUN/answer" 2>"$RUN/wire.log" &
# shellcheck disable=SC2034,SC2154 # lib.sh declares it, and looks at it
PID[wire]=$!
exec 8>"$RUN/ask" 9<"$RUN/answer"

# ask VERB FIELD...: the answer on stdout, if there is one.
ask() {
	local answer status
	{ printf '%s\x1f' "$@" && printf '\0'; } >&8
	IFS= read -rd '' -t 60 answer <&9 || { echo "wire.py does not answer"; return 2; }
	status=${answer%% *} answer=${answer#* }
	[ -z "$answer" ] || printf '%s\n' "$answer"
	return "$status"
}
# The same as in lib.sh, but through that process.
json() { ask value "$1" "$(cat)"; }
holds() { ask doc "$1" "$(cat)"; }
chip() { ask chip "$(chip_socket "$1")" "$2"; }
chip_holds() { ask test "$(chip_socket "$1")" "$2"; }
chip_soon() { ask wait "$(chip_socket "$1")" "$2" "${3:-2000}"; }
fh_holds() {
	local ns=$1 expression=$2
	shift 2
	ask doc "$expression" "$(fh "$ns" -j "$@")" || return
	says_why_if "$ns" "$expression"
}
