# A cluster below the drill's folder, made once; its owner is the package's user.
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
as='setpriv --reuid=postgres --regid=postgres --clear-groups --'
if [ ! -d {dir}/pg ]; then
	install -d -o postgres -g postgres -m 700 {dir}/pg
	$as "$bin/initdb" -N -A trust -D {dir}/pg >/dev/null || exit
	echo 'host all all 0.0.0.0/0 trust' >>{dir}/pg/pg_hba.conf
fi
exec $as "$bin/postgres" -D {dir}/pg -c listen_addresses={server} -c port={port} -c unix_socket_directories= -c fsync=off -c max_wal_size=32MB -c min_wal_size=32MB -c shared_buffers=16MB
