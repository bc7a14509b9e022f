if [ ! -d {dir}/git ]; then
	mkdir {dir}/git
	git init -q -b main {dir}/work
	git -C {dir}/work -c user.name=drill -c user.email=drill@localhost commit -q --allow-empty -m one
	git clone -q --bare {dir}/work {dir}/git/repo.git
	git -C {dir}/git/repo.git update-server-info
fi
exec /usr/bin/python3 -u -m http.server -b {server} -d {dir}/git {port}
