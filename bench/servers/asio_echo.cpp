/* SPDX-License-Identifier: MIT
 * asio_echo: an echo server as Asio's tutorial shows one, with its errors: a session keeps itself
 * alive while it reads some, and then writes all of it. Standalone Asio, one thread. Leaves out
 * limits, timeouts, statistics and an orderly end.
 */
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>

#include <asio.hpp>
#include <sys/resource.h>

using asio::ip::tcp;

namespace
{

class session : public std::enable_shared_from_this<session>
{
      public:
	explicit session(tcp::socket socket) : socket_(std::move(socket))
	{
	}

	/* The end of input is an error too; all was written then, and the socket closes with us. */
	void read()
	{
		auto self = shared_from_this();

		socket_.async_read_some(asio::buffer(buffer_),
					[self](std::error_code error, std::size_t n) {
						if (!error)
							self->write(n);
					});
	}

      private:
	void write(std::size_t n)
	{
		auto self = shared_from_this();

		asio::async_write(socket_, asio::buffer(buffer_, n),
				  [self](std::error_code error, std::size_t) {
					  if (!error)
						  self->read();
				  });
	}

	tcp::socket socket_;
	char buffer_[64 << 10];
};

class server
{
      public:
	server(asio::io_context &io, unsigned short port)
	    : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), port)), pause_(io)
	{
		acceptor_.set_option(tcp::no_delay(true)); /* what is accepted inherits it */
		std::printf("listening 127.0.0.1:%u\n", acceptor_.local_endpoint().port());
		std::fflush(stdout);
		accept();
	}

      private:
	void accept()
	{
		acceptor_.async_accept([this](std::error_code error, tcp::socket socket) {
			if (error) {
				wait();
				return;
			}
			std::make_shared<session>(std::move(socket))->read();
			accept();
		});
	}

	/* Out of descriptors the next accept would fail at once. */
	void wait()
	{
		pause_.expires_after(std::chrono::milliseconds(10));
		pause_.async_wait([this](std::error_code) { accept(); });
	}

	tcp::acceptor acceptor_;
	asio::steady_timer pause_;
};

} // namespace

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc != 2) {
		std::fprintf(stderr, "usage: asio_echo PORT\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	try {
		asio::io_context io(1);
		server s(io, static_cast<unsigned short>(std::atoi(argv[1])));

		io.run();
	} catch (const std::exception &e) {
		std::fprintf(stderr, "asio_echo: port %s: %s\n", argv[1], e.what());
		return 4;
	}
	return 0;
}
