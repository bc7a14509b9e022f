#!/bin/sh
# A CI job: the client of a service of yours must notice every fault that matters, or the job fails. A fault that you
# know of, and live with, stands in KNOWN. TAP goes to probe.tap, for whoever collects test results.
#
# Copy it and set these: commands of a shell, in which {server} and {port} are replaced, and the line for the client's
# input that makes it ask ("" for a client that asks by itself and ends).
set -u
: "${ECHODRILL:=echodrill}"
: "${SERVICE:?the command of your server}" "${CLIENT:?the command of your client}"
: "${REQUEST:=}" "${KNOWN:=}"

set -- --server "$SERVICE" --client "$CLIENT"
[ -z "$REQUEST" ] || set -- "$@" --request "$REQUEST"
# shellcheck disable=SC2086  # a command with its options
$ECHODRILL "$@" -o tap probe >probe.tap
code=$?
[ $code -le 1 ] || exit $code # 5: this machine was too busy to say; 77: it has no namespaces

failed=0
# shellcheck disable=SC2013  # names have no blanks
for name in $(sed -n 's/^not ok [0-9]* - \([^ ]*\).*/\1/p' probe.tap); do
	case " $KNOWN " in
	*" $name "*) continue ;;
	esac
	echo "never noticed: $name"
	failed=1
done
exit $failed
