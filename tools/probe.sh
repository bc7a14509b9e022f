#!/bin/sh
# Writes config.h to stdout: which liburing features the headers offer. Only headers are asked, nothing is
# run: what the running kernel can do is found out by each backend's probe().
set -eu

compiles() { # statement
	printf '#include <liburing.h>\nint main(void) { %s; return 0; }\n' "$1" |
		${CC:-cc} -D_GNU_SOURCE -Werror=implicit-function-declaration -x c -fsyntax-only - 2>/dev/null
}

has() { # name, statement
	if compiles "$2"; then echo "#define $1 1"; else echo "/* no $1 */"; fi
}

for header in liburing.h seccomp.h cap-ng.h; do
	if ! printf '#include <%s>\n' "$header" | ${CC:-cc} -D_GNU_SOURCE -x c -fsyntax-only - 2>/dev/null; then
		echo "$0: ${CC:-cc} finds no $header; tools/deps installs what building needs" >&2
		exit 4
	fi
done
has HAVE_SETUP_BUF_RING 'int r; io_uring_setup_buf_ring(0, 0, 0, 0, &r)'
has HAVE_BUNDLE 'return IORING_RECVSEND_BUNDLE'
has HAVE_BUF_RING_INC 'return IOU_PBUF_RING_INC'
has HAVE_RECV_MULTISHOT 'io_uring_prep_recv_multishot(0, 0, 0, 0, 0)'
