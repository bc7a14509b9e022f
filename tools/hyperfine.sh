#!/bin/sh
# Times whole commands of echod and echoload with hyperfine, for every backend that runs here:
#
#   start     from exec until it says that it listens
#   storm     a new echoload makes 500 connections, echoes one message on each, closes them
#   teardown  from SIGTERM until it has gone, with 200 connections open
#
# usage: tools/hyperfine.sh [--runs N] [DIR]
#
# DIR (build/release/hyperfine) gets start.json, storm.json and teardown.json. ECHOLAB_BIN names the folder of the
# programs. Exit codes: 0 measured, 2 usage, 4 hyperfine or a program is missing.
set -eu

bin=${ECHOLAB_BIN:-build/release}
runs=20

die() { # code, message
	echo "tools/hyperfine.sh: $2" >&2
	exit "$1"
}

# --- one step: called by hyperfine with the folder of the run ------------------------------------------------------

# Starts echod. The pipes are opened for reading and writing, so that nobody waits for a second end.
server_start() { # backend
	"$bin/echod" --listen 127.0.0.1:0 --backend "$1" --shutdown close </dev/null 1<>"$work/out" 2<>"$work/err" &
	echo $! >"$work/server.pid"
	read -r line <"$work/err"
	case $line in
	*'listening on '*) ;;
	*) die 4 "$line" ;;
	esac
	line=${line#*listening on }
	echo "${line%%: *}" >"$work/addr"
}

# A program that has ended may stay a zombie for seconds, where process 1 takes its time: that is no matter here.
stop() { # name of a program whose pid is kept
	[ -s "$work/$1.pid" ] || return 0
	kill "$(cat "$work/$1.pid")" 2>/dev/null || :
	while [ -e "/proc/$(cat "$work/$1.pid")/exe" ]; do sleep 0.01; done
	rm -f "$work/$1.pid"
}

step() { # what, backend
	case $1 in
	start) server_start "$2" ;;
	stop) stop client && stop server ;;
	restart) step stop - && server_start "$2" ;;
	storm) # what takes its time is measured, not given up
		exec "$bin/echoload" -c 500 -n 500 -T 60s --connect-timeout 60s --stall 1h "$(cat "$work/addr")" >"$work/told" 2>&1
		;;
	hold) # a server with connections that stay
		step stop - && server_start "$2"
		"$bin/echoload" -c 200 -d 60s -w 0s -T 60s --stall 1h -o json -i "$(cat "$work/addr")" \
			</dev/null >/dev/null 2>&1 &
		echo $! >"$work/client.pid"
		sleep 0.3
		;;
	teardown)
		exec 3<"$work/out" # before it dies: afterwards nobody would open the other end
		kill -TERM "$(cat "$work/server.pid")"
		cat <&3 >/dev/null # ends when the server has
		;;
	esac
}

if [ "${1:-}" = --step ]; then
	work=$2
	step "$3" "$4"
	exit 0
fi

# --- the run ---------------------------------------------------------------------------------------------------

dir=
while [ $# -gt 0 ]; do
	case $1 in
	--runs) runs=${2:?--runs needs a number} && shift ;;
	--help) sed -n '/^[^#]/q; /^#!/d; s/^# \{0,1\}//p' "$0" && exit 0 ;;
	-*) die 2 "unknown option $1; see tools/hyperfine.sh --help" ;;
	*) dir=$1 ;;
	esac
	shift
done
dir=${dir:-$bin/hyperfine}
command -v hyperfine >/dev/null || die 4 'hyperfine is missing: sh tools/deps --bench'
if ! [ -x "$bin/echod" ] || ! [ -x "$bin/echoload" ]; then die 4 "no programs in $bin: make, or set ECHOLAB_BIN"; fi

mkdir -p "$dir"
work=$(mktemp -d)
mkfifo "$work/out" "$work/err"
trap 'step stop -; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

backends=
for b in io_uring epoll fork; do
	"$bin/echod" --backend $b --check >/dev/null 2>&1 && backends=$backends,$b
done
backends=${backends#,}
self="sh $0 --step $work"
export ECHOLAB_BIN="$bin"

# A file appears under its name when it is whole
measure() { # name, prepare, command
	echo "tools/hyperfine.sh: $1"
	hyperfine --style basic -N --runs "$runs" --warmup 1 -L backend "$backends" --prepare "$self $2 {backend}" \
		--export-json "$work/$1.json" --command-name "$1 {backend}" "$self $3 {backend}" 2>"$work/said" ||
		die 4 "$(cat "$work/said" "$work/told" 2>/dev/null)"
	mv "$work/$1.json" "$dir/$1.json"
}

measure start stop start
measure storm restart storm
measure teardown hold teardown
