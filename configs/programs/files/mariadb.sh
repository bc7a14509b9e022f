# A database on a disk of its own, made once.
if [ ! -d {dir}/db ]; then
	mkdir {dir}/db
	mount -t tmpfs -o size=512m,mode=755 none {dir}/db
	chown mysql:mysql {dir}/db
	mariadb-install-db --no-defaults --user=mysql --datadir={dir}/db --skip-test-db --auth-root-authentication-method=normal >/dev/null 2>&1 || exit
	printf "create user root@'%%' identified by '';\ngrant all on *.* to root@'%%';\n" >{dir}/grant.sql
fi
exec mariadbd --no-defaults --user=mysql --datadir={dir}/db --bind-address={server} --port={port} --socket={dir}/db/sock --skip-name-resolve --innodb-log-file-size=8M --innodb-buffer-pool-size=16M --init-file={dir}/grant.sql
