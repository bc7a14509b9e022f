# Runs a command on a host with these settings of net.ipv4: NAME=VALUE... -- COMMAND...
while [ "$1" != -- ]; do
	echo "${1#*=}" >"/proc/sys/net/ipv4/${1%%=*}" || exit
	shift
done
shift
exec "$@"
