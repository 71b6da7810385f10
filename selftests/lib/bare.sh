#!/bin/bash
# Prints the path of a bare Debian of the machine's own release, or Ubuntu: what is installed there has only what it says that it needs. It is
# made once, with debootstrap, in some 30 s, and kept beside the kernels (selftests/uml/build).
#
# Exit code 4, and a reason, where there can be none: no root, no debootstrap, no network, no right to make devices.

set -u
no() { echo "bare.sh: $*" >&2; exit 4; }
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C
[ "$(id -u)" = 0 ] || no "not root"
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$release" ] || no "the machine's release has no name"
root=${FIRSTHOP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/firsthop}/bare/$release
if [ ! -e "$root" ]; then
	command -v debootstrap >/dev/null || no "debootstrap is not installed"
	# From where the machine's own packages are.
	mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n "s/^$release //p" | head -n 1)
	mkdir -p "${root%/*}" && part=$(mktemp -d -p "${root%/*}") || no "${root%/*} can't be written"
	trap 'rm -rf "$part"' EXIT
	trap 'exit 130' INT TERM HUP
	chmod 755 "$part"
	timeout 150 debootstrap --variant=minbase --include=adduser,init-system-helpers "$release" "$part" ${mirror:+"$mirror"} >"$part.log" 2>&1 ||
		no "debootstrap: $(tail -n 1 "$part.log")"
	rm -rf "$part.log" "$part"/var/cache/apt/archives/*.deb "$part"/var/lib/apt/lists/*
	mv -T "$part" "$root" || no "$root can't be written"
fi
echo "$root"
