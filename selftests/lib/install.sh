#!/bin/bash
# Which tools does a target need, and are they there? Installs only what is missing, and says so.
#
#   install.sh build         a C linker for Rust; says what to do when Rust itself is missing
#   install.sh test          ... and what the network namespace scripts use, VRRP daemons among them
#   install.sh demo          ... and keepalived, if it can be had; the demo has a fallback without it
#   install.sh book          ... and Python
#   install.sh fuzz          a C++ compiler for libFuzzer
#   install.sh uml           what compiles a kernel, without Rust
#
# As root on a Debian-like machine it uses apt-get; otherwise it names what is missing and exits 1
# (a VRRP daemon alone is never a reason to fail). No service is started: the scripts run the daemons themselves.

set -u
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive

say() { printf '%s\n' "install: $*"; }

missing=() optional=()
# need COMMAND PACKAGE: required. want COMMAND PACKAGE: used when there.
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
want() { command -v "$1" >/dev/null 2>&1 || optional+=("$2"); }
# Debian has an interpreter without most of its library, which a minimal installation may have.
need_python() { python3 -c 'import ctypes, json' 2>/dev/null || missing+=(python3); }
want_daemons() { want keepalived keepalived; want /usr/lib/frr/vrrpd frr; want ucarp ucarp; want bird bird2; }

case "${1:-test}" in
build) ;;
book) need python3 python3 ;;
fuzz) need g++ g++ ;;
uml) need make make; need flex flex; need bison bison; need bc bc; need xz xz-utils; need perl perl-base ;;
test) need_python; need ip iproute2; need unshare util-linux; need sysctl procps; want setcap libcap2-bin; want_daemons; want nft nftables; want mandoc mandoc; want promtool prometheus; want lintian lintian; want shellcheck shellcheck; want debootstrap debootstrap; want strace strace; want valgrind valgrind ;;
demo) need_python; need ip iproute2; need unshare util-linux; want keepalived keepalived ;;
*) say "unknown set '$1': build, test, demo, book, fuzz or uml"; exit 1 ;;
esac
need gcc gcc
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)

# Debian 12's own Rust, for example, is too old; Cargo would only complain of what it can't read.
rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml")
if [ "${1:-test}" != uml ]; then
	found=$(cargo --version 2>/dev/null | cut -d' ' -f2)
	if [ -z "$found" ] && [ -x "$HOME/.cargo/bin/cargo" ]; then
		say "cargo is in ~/.cargo/bin, which is not on PATH: add it (. ~/.cargo/env)"
		exit 1
	elif [ "$(printf '%s\n' "$rust" "${found:-0}" | sort -V | head -n 1)" != "$rust" ]; then
		say "Rust $rust or newer is missing${found:+ (there is $found)}: install it with rustup, https://rustup.rs, then run this again"
		exit 1
	fi
fi

if [ $((${#missing[@]} + ${#optional[@]})) = 0 ]; then
	say "nothing to install, everything is there"
	exit 0
fi

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

if ! may_install; then
	[ ${#optional[@]} = 0 ] || say "not there, done without: ${optional[*]}"
	[ ${#missing[@]} = 0 ] && exit 0
	say "missing: ${missing[*]}; not root with apt-get here, so please install them"
	exit 1
fi

apt_get() { apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
updated=
update() {
	[ -z "$updated" ] || return 1
	updated=1
	say "apt-get update (package lists are missing or old)"
	apt_get update || say "apt-get update failed; going on with the lists that are there"
}
# While packages are installed, Debian's own switch says that no service is to be started; an administrator's is left alone.
policy=/usr/sbin/policy-rc.d ours=
keep_services_off() {
	[ ! -e $policy ] || return 0
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && ours=1
}
trap '[ -z "$ours" ] || rm -f $policy' EXIT
trap 'exit 130' INT TERM HUP

# install PACKAGE...: with one more try after an update of the lists.
install_packages() {
	local candidate
	keep_services_off
	candidate=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p')
	case "$candidate" in '' | '(none)') update ;; esac
	say "apt-get install $*"
	apt_get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return 0
	update && apt_get install -y --no-install-recommends "$@" >/dev/null && return 0
	return 1
}

if [ ${#missing[@]} != 0 ] && ! install_packages "${missing[@]}"; then
	say "could not install: ${missing[*]}"
	exit 1
fi
# One by one: what can't be had does not cost the others.
for package in "${optional[@]}"; do
	install_packages "$package" || say "could not install $package; done without"
done
exit 0
