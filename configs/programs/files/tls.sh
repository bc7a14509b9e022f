[ -e {dir}/tls.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=drill -days 2 -keyout {dir}/tls.pem -out {dir}/cert.pem 2>/dev/null
cat {dir}/cert.pem >>{dir}/tls.pem
exec openssl s_server -quiet -rev -accept {server}:{port} -cert {dir}/cert.pem -key {dir}/tls.pem
