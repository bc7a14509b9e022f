# Keys of its own; the client's lies beside them.
umask 077
# a login shell of root reads what is in its home, which may take its time: here nothing is
[ -e {dir}/host ] || mount -t tmpfs -o size=1m,mode=700 none "$(getent passwd root | cut -d: -f6)"
if [ ! -e {dir}/host ]; then
	ssh-keygen -q -t ed25519 -N '' -f {dir}/host
	ssh-keygen -q -t ed25519 -N '' -f {dir}/key
fi
mkdir -p -m 755 /run/sshd
exec /usr/sbin/sshd -D -e -f /dev/null -h {dir}/host -o ListenAddress={server}:{port} -o AuthorizedKeysFile={dir}/key.pub -o StrictModes=no -o UsePAM=no -o PermitRootLogin=prohibit-password -o PidFile=none
