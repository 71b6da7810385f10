# Completion of firsthop(1) for bash, with the names that the daemon knows. It belongs into bash-completion's directory
# (/usr/share/bash-completion/completions/firsthop), or is read by `. firsthop.bash`.
# shellcheck shell=bash

# _firsthop_column OBJECT N: what stands in that column now; nothing without a daemon.
_firsthop_column() { firsthop "${daemon[@]}" -br "$1" 2>/dev/null | awk -v n="$2" 'NR > 1 && $n != "-" { print $n }'; }

_firsthop() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} object='' verb='' at words=''
	local objects='rif vmac route neigh trap port resource status diff explain monitor wait doctor metrics check support'
	local -a daemon=()
	COMPREPLY=()
	for ((at = 1; at < COMP_CWORD; at++)); do
		case ${COMP_WORDS[at]} in
		-n | --netns | --socket | --state) daemon+=("${COMP_WORDS[at]}" "${COMP_WORDS[at + 1]}") && ((at++)) ;;
		--emad-pcap) ((at++)) ;;
		-*) ;;
		*) if [ -z "$object" ]; then object=${COMP_WORDS[at]}; elif [ -z "$verb" ]; then verb=${COMP_WORDS[at]}; fi ;;
		esac
	done
	# Objects may be shortened.
	if [ -n "$object" ]; then
		words=$(compgen -W "$objects" -- "$object")
		[[ $words == *$'\n'* ]] || object=$words
		words=''
	fi
	case $before in
	-n | --netns) words=$(ip netns list 2>/dev/null | cut -d' ' -f1) ;;
	--socket | --state | --emad-pcap) readarray -t COMPREPLY < <(compgen -f -- "$word") && return ;;
	dev)
		case $object-$verb in
		vmac-* | wait-v*) words=$(_firsthop_column vmac 1) ;;
		port-*) words=$(_firsthop_column port 1) ;;
		*) words=$(_firsthop_column rif 1) ;;
		esac
		;;
	table) words='main local default' ;;
	vrf) words=$(_firsthop_column rif 4 | grep -vx default | sort -u) ;;
	lower) words=$(_firsthop_column vmac 2 | sort -u) ;;
	vrid) words=$(_firsthop_column vmac 5 | sort -un) ;;
	state) words='offload pending failed refused held not_offloaded' ;;
	group) [ "$object" != trap ] || words=$(_firsthop_column trap 3 | sort -u) ;;
	timeout | policer) ;;
	*)
		case $object in
		'') words=$objects; [[ $word != -* ]] || words='-j -p -s -d -br -t -c -n --socket --state --emad-pcap --help --version' ;;
		rif | port) words='show dev help' ;;
		vmac) words='show dev lower vrid help' ;;
		route) if [ "$verb" = get ]; then words='table vrf'; else words='show get dev table vrf default help'; fi ;;
		neigh) words='show dev help' ;;
		trap)
			words='show group policer monitor trap help'
			if [ "$before" = trap ] && [ -n "$verb" ]; then words=$(_firsthop_column trap 1); fi
			;;
		explain) words="dev route $(_firsthop_column rif 1; _firsthop_column vmac 1)" ;;
		wait)
			case $verb in
			'') words='synced audited vmac rif help' ;;
			vmac | rif) words='dev state gone timeout' ;;
			*) words='timeout' ;;
			esac
			;;
		monitor) words='all kernel rif vmac hw help' ;;
		check | support) readarray -t COMPREPLY < <(compgen -f -- "$word") && return ;;
		diff) words='show --emad-pcap help' ;;
		*) words='show help' ;;
		esac
		;;
	esac
	readarray -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _firsthop firsthop
