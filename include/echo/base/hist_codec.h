/* SPDX-License-Identifier: MIT
 * hist_codec: a histogram as other tools read it: HdrHistogram's compressed encoding V2, in base64,
 * as in .hlog files. It merges exactly: nothing but the exact minimum, maximum and mean is lost.
 */
#ifndef ECHO_HIST_CODEC_H
#define ECHO_HIST_CODEC_H

struct hist;

/* The histogram as one line of base64; the caller's to free. NULL: no memory. */
char *hist_codec_encode(const struct hist *h);

/* Reads such a text. *h is a new histogram with the same counters; its minimum, maximum and sum are
 * those of the counters, since the encoding has no others. Returns 0, -EINVAL when it is none, or
 * -ENOMEM. */
int hist_codec_decode(const char *text, struct hist **h);

#endif
