/* Sends one Ethernet frame many times at a steady rate: the load of the policer and transit tests.
 *
 *   blast IFNAME HEX RATE COUNT
 *
 * Prints `sent N in S.SSS s, late L`: N frames that the kernel took, L how often the sender was more than 20 ms behind its
 * schedule (then it does not catch up in one burst: it moves the schedule). Frames that the kernel refuses for want of
 * buffers are tried again, so that N = COUNT unless an error ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, FRAME_MAX = 2048 };
static const int64_t SECOND = 1000000000, BEHIND = 20000000;

static void die(const char *what)
{
	fprintf(stderr, "blast: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static void sleep_until(int64_t at)
{
	struct timespec t = { .tv_sec = at / SECOND, .tv_nsec = at % SECOND };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static size_t parse_hex(const char *hex, unsigned char *out)
{
	size_t n = 0;
	unsigned byte;
	for (; hex[0] && hex[1] && n < FRAME_MAX; hex += 2, n++) {
		if (sscanf(hex, "%2x", &byte) != 1)
			break;
		out[n] = (unsigned char)byte;
	}
	return *hex ? 0 : n;
}

int main(int argc, char **argv)
{
	unsigned char frame[FRAME_MAX];
	size_t length;
	if (argc != 5 || (length = parse_hex(argv[2], frame)) < 14) {
		fprintf(stderr, "usage: blast IFNAME HEX RATE COUNT\n");
		return 1;
	}
	int64_t rate = atoll(argv[3]), count = atoll(argv[4]), sent = 0, late = 0;
	if (rate < 1 || count < 1) {
		fprintf(stderr, "blast: rate and count are at least 1\n");
		return 1;
	}
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("socket");
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(argv[1]),
		.sll_halen = 6,
	};
	if (!to.sll_ifindex)
		die(argv[1]);
	struct iovec piece = { .iov_base = frame, .iov_len = length };
	struct mmsghdr batch[BATCH];
	memset(batch, 0, sizeof(batch));
	for (int i = 0; i < BATCH; i++) {
		batch[i].msg_hdr.msg_iov = &piece;
		batch[i].msg_hdr.msg_iovlen = 1;
		batch[i].msg_hdr.msg_name = &to;
		batch[i].msg_hdr.msg_namelen = sizeof(to);
	}
	/* A batch is at most 1 ms of traffic, so that slow rates are smooth. */
	int64_t per_batch = rate / 1000 < 1 ? 1 : rate / 1000 > BATCH ? BATCH : rate / 1000;
	int64_t begin = now(), schedule = begin, scheduled_from = 0;
	while (sent < count) {
		int64_t due = schedule + (sent - scheduled_from) * SECOND / rate, t = now();
		if (t < due) {
			sleep_until(due);
		} else if (t - due > BEHIND) {
			late++;
			schedule = t;
			scheduled_from = sent;
		}
		int64_t want = count - sent < per_batch ? count - sent : per_batch;
		int n = sendmmsg(fd, batch, (unsigned)want, 0);
		if (n < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)) {
			sleep_until(now() + 100000);
			continue;
		}
		if (n < 0)
			die("sendmmsg");
		sent += n;
	}
	printf("sent %lld in %.3f s, late %lld\n", (long long)sent, (double)(now() - begin) / 1e9, (long long)late);
	return 0;
}
