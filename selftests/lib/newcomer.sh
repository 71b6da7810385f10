#!/bin/bash
# Installs, upgrades and purges the packages in a copy of a root file system. To be run in mount and network namespaces of its own.
#
#   newcomer.sh WORK FIRST LATER ROOT       directories: a place for the copy, the packages, those of a later version, and what is copied
#
# Exit code 0 and a last line `done`: all was as it should be. 4: there can be no such copy here. Else the last line says what was not.

set -eu
work=$1 first=$(realpath "$2") later=$(realpath "$3") lower=$(realpath "$4")
mkdir "$work/root"
{
	mount -t tmpfs -o mode=755 none "$work/root" &&
		cd "$work/root" &&
		mkdir upper work merged &&
		mount -t overlay overlay -o "lowerdir=$lower,upperdir=$PWD/upper,workdir=$PWD/work" merged &&
		mount -t proc proc merged/proc &&
		mount --rbind /dev merged/dev &&
		mount -t tmpfs none merged/run
} || exit 4
mkdir merged/packages
cp "$first"/*.deb merged/packages
mkdir merged/packages/later
cp "$later"/*.deb merged/packages/later
# Something to explain. Not from inside: a bare system has no ip.
ip link add d0 type bridge && ip addr add 192.0.2.1/24 dev d0 && ip link set d0 up

cat >merged/packages/steps.sh <<'END'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
cd /packages
fail() { echo "$*"; exit 1; }
# Everything but what dpkg and adduser write down about it.
files() { find /etc /usr /var /opt /srv -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/tmp -o -path /var/spool \) -prune -o -print | grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|^/var/lib/systemd' | sort; }
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
dpkg -P firsthop firsthop-hwsim >/dev/null 2>&1 || true
files >before

dpkg -i ./firsthop_*.deb ./firsthop-hwsim_*.deb
id firsthop
[ "$(stat -c %U:%a /usr/bin/firsthopd)" = root:755 ] || fail "mode of firsthopd"
man -w firsthop firsthop.toml hwsim >/dev/null || [ ! -x /usr/bin/man ] || fail "man pages"
firsthopd --check-config

echo "# as a newcomer would: start it, ask it"
install -d -o firsthop -g firsthop -m 750 /run/firsthop
firsthopd >daemon.log 2>&1 &
daemon=$!
for n in $(seq 100); do [ -S /run/firsthop/firsthop.sock ] && break; sleep 0.1; done
firsthop status
firsthop -j status | grep -q '"mode":"observe"' || fail "it writes without having been told to"
firsthop rif >/dev/null && firsthop vmac >/dev/null || fail "no answer"
firsthop explain d0 >explained || [ $? = 3 ] || fail "explain"
grep -q . explained || fail "nothing is explained"

echo "# upgraded"
before_id=$(id -u firsthop)
dpkg -i later/firsthop_*.deb
kill -0 $daemon || fail "the daemon ended"
[ "$(id -u firsthop)" = "$before_id" ] || fail "another user"
dpkg -s firsthop | grep -q '^Version: 0.1.1-1$' || fail "version"
kill $daemon && wait $daemon || fail "the end of the daemon: $?"

echo "# removed, installed again, purged"
dpkg -r firsthop
[ ! -e /usr/bin/firsthopd ] || fail "it is still there"
dpkg -i later/firsthop_*.deb
dpkg -P firsthop firsthop-hwsim
files >after
diff before after || fail "something is left, see above"
[ ! -e /run/firsthop ] || fail "/run/firsthop is left"
echo done
END
chroot merged bash /packages/steps.sh
