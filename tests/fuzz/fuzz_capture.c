/* SPDX-License-Identifier: MIT
 * fuzz_capture: any bytes as a capture, and any question about it. The first line is the question;
 * what follows, if the second byte is odd, are the frames alone, so that what lies behind
 * libpcap's own checks is reached: two bytes of length, and the frame.
 *
 * reads: src/echodrill/verdict/capture.c src/echodrill/rig/frame.c
 */
#include <string.h>
#include <unistd.h>

#include "echodrill/rig/frame.h"
#include "echodrill/stage/timeline.h"
#include "echodrill/verdict/capture.h"
#include "lib/fuzz.h"

enum { FRAMES_MAX = 64, FILE_MAX = 1 << 16, TOLD_MAX = 32 };

struct file_head {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, digits, snap, link;
};
struct frame_head {
	uint32_t s, us, caplen, len;
};

/* A frame in memory of its own, so that nothing beyond its end is read unseen. */
static void read_tight(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct frame f;

	FUZZ_CHECK(copy);
	memcpy(copy, data, len);
	FUZZ_CHECK(frame_read(&f, copy, len) == (f.kind != FRAME_OTHER));
	free(copy);
}

/* A whole file (pcap-savefile(5)) of frames. Returns its length. */
static size_t make_file(struct fuzz_input *in, uint8_t file[FILE_MAX])
{
	const struct file_head head = { 0xa1b2c3d4, 2, 4, 0, 0, 65536, 1 };
	size_t len = sizeof(head);

	memcpy(file, &head, sizeof(head));
	for (uint32_t n = 1; n <= FRAMES_MAX && in->at < in->end; n++) {
		struct frame_head f = { .s = n, .caplen = fuzz_byte(in), .len = fuzz_byte(in) };

		if (f.caplen > (size_t)(in->end - in->at))
			f.caplen = (uint32_t)(in->end - in->at);
		f.len += f.caplen;
		if (len + sizeof(f) + f.caplen > FILE_MAX)
			break;
		read_tight(in->at, f.caplen);
		memcpy(file + len, &f, sizeof(f));
		memcpy(file + len + sizeof(f), in->at, f.caplen);
		len += sizeof(f) + f.caplen;
		in->at += f.caplen;
	}
	return len;
}

static void see_frame(void *arg, const struct frame *f, int64_t t_ns)
{
	char words[64];

	(void)t_ns;
	FUZZ_CHECK(strlen(frame_words(f, words)) < sizeof(words));
	*(unsigned *)arg += capture_to_server(f);
}

static void ask(int fd, const char *question)
{
	static struct timeline t;
	const struct capture_span all = { INT64_MIN, INT64_MAX };
	int64_t first = 0, last = 0, count;
	unsigned n = 0;

	count = capture_count(fd, question, &all, &first, &last);
	FUZZ_CHECK((capture_check(question) < 0) == (count == -22));
	(void)capture_heard(fd, INT64_MAX, &first, &last);
	capture_each(fd, see_frame, &n);
	t.count = t.lost = 0;
	(void)capture_tell(fd, &t, "client", TOLD_MAX);
	FUZZ_CHECK(t.count <= TOLD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t file[FILE_MAX];
	struct fuzz_input in = { data, data + len };
	char *question = fuzz_part(&in, NULL), name[FUZZ_NAME_MAX];
	const bool frames = fuzz_byte(&in) % 2;
	const size_t size = frames ? make_file(&in, file) : (size_t)(in.end - in.at);
	const unsigned before = fuzz_open_files();
	const int fd = fuzz_file(frames ? file : in.at, size, name);

	question[strcspn(question, "\n")] = '\0';
	ask(fd, question);
	close(fd);
	FUZZ_CHECK(fuzz_open_files() == before);
	free(question);
	return 0;
}
