#!/usr/bin/env bash
# Installs the phones and exchanges of other people that tests/integration talks to. Debian-like
# systems, root. Does nothing where all of it is there.
#
#   tools/install_peers.sh              what the tests need
#   tools/install_peers.sh asterisk DIR Asterisk 22 from Debian sid, in a folder of its own (540 MB)
set -euo pipefail

asterisk() {
	local root=$1 mirror
	[ -x "$root/usr/sbin/asterisk" ] && return
	command -v debootstrap >/dev/null || install debootstrap
	mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | sort -u | head -1)
	debootstrap --variant=minbase \
		--include=asterisk,asterisk-modules,asterisk-core-sounds-en-wav sid "$root" "$mirror"
}

install() {
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ "${1:-}" = asterisk ]; then
	asterisk "${2:?a folder for it}"
	exit
fi

need=()
while read -r program package; do
	command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || need+=("$package")
done <<'PEERS'
sipp sip-tester
baresip baresip-core
kamailio kamailio
rtpengine rtpengine-daemon
chromium chromium
sox sox
iptables iptables
ip iproute2
openssl openssl
PEERS
compgen -G '/usr/lib/*/kamailio/modules/tls.so' >/dev/null || need+=(kamailio-tls-modules)
compgen -G '/usr/lib/*/libsrtp2.so.1' >/dev/null || need+=(libsrtp2-1)
compgen -G '/usr/include/libnetfilter_queue/*.h' >/dev/null || need+=(libnetfilter-queue-dev)
compgen -G '/usr/include/portaudio.h' >/dev/null || need+=(portaudio19-dev)
if [ "${#need[@]}" -gt 0 ]; then
	install "${need[@]}"
fi
