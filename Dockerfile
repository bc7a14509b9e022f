# echod and echoload in a small image, for an ordinary user.
#
#   docker build -t echolab .                                    or podman, or buildah
#   docker run --rm -p 127.0.0.1:7007:7007 echolab               echod, until SIGTERM
#   docker run --rm --network host --entrypoint echoload echolab -c 64 -d 10s 127.0.0.1:7007
#
# Engines refuse io_uring by default: the programs say so, and use epoll.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN sh tools/deps --build && apt-get install -y -q --no-install-recommends git \
 && make -j"$(nproc)" build/release/echod build/release/echoload \
 && mkdir /out && cp build/release/echod build/release/echoload /out/ \
 && ldd /out/echo* | sed -n 's/.*=> \([^ ]*\) .*/\1/p' | sort -u | xargs -n 1 realpath \
  | while read -r lib; do dpkg-query -S "*$lib" || dpkg-query -S "*${lib#/usr}"; done \
  | sed 's/:.*//' | sort -u >/packages

FROM ${BASE}
COPY --from=build /packages /tmp/packages
RUN apt-get update -q && xargs apt-get install -y -q --no-install-recommends </tmp/packages \
 && rm -rf /var/lib/apt/lists/* /tmp/packages && useradd --system --no-create-home echolab
COPY --from=build /out/ /usr/bin/
USER echolab
EXPOSE 7007
STOPSIGNAL SIGTERM
ENTRYPOINT ["echod"]
CMD ["--listen", "0.0.0.0:7007"]
