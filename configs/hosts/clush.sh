#!/bin/bash
# One load from hosts that ssh reaches, a part on each, by ClusterShell; and one report of it here.
#
#   configs/hosts/clush.sh HOSTS SECONDS ECHOLOAD-OPTION... HOST:PORT...
#   configs/hosts/clush.sh client[1-8] 60 -c 100k -R 2M -d 30s server:7007
#
# HOSTS are a set of nodes as nodeset knows it: client[1-8], @clients. SECONDS are what the load may take in all, its
# start 10 s from now included: a host that is lost holds nobody up for longer. The lines of each part come here as they
# are written, over ssh, so that what is lost with a host is what it had not yet said; hosts need share nothing.
# ECHOLOAD is the program on the hosts, and here; AGENT is what takes a host and a command instead of ssh; START is how
# many seconds a start takes, if 10 are not enough. Files are left in echoload.XXXXXX of this folder.
#
# Exit code: that of echoload merge; 5 when parts are missing, which the report names.
set -u

die() { # message
	printf 'clush.sh: error: %s\n' "$1" >&2
	exit 2
}

[ $# -gt 2 ] || die 'clush.sh HOSTS SECONDS ECHOLOAD-OPTION... HOST:PORT...'
nodes=$1 limit=$2
shift 2
case $limit in '' | *[!0-9]*) die "'$limit' is not a number of seconds that the load may take in all" ;; esac
count=$(nodeset --count "$nodes") || die "'$nodes' is no set of nodes"
echoload=${ECHOLOAD:-echoload}
dir=$(mktemp -d echoload.XXXXXX) || exit 4

# clush knows the place of each host in the set, and echoload takes it from the variables of a launcher. What the shell
# of a host reads is quoted for it, and percent signs for clush.
printf -v options '%q ' --part auto --run-id "$dir" --start-at $(($(date +%s) + ${START:-10})) \
	--jsonl /dev/stdout -o quiet --progress never "$@"
printf -v remote '%q' "PMI_RANK=@ PMI_SIZE=$count $echoload ${options//%/%%}"
# all at once: those that wait for their turn would come too late
clush --worker=exec -w "$nodes" --fanout="$count" --command_timeout="$limit" -S \
	"${AGENT:-ssh} %host ${remote/@/%rank} >$dir/part.%rank.jsonl"
"$echoload" merge "$dir"/part.*.jsonl
