/* Stamps what a failover consists of with the time of day, in nanoseconds: one line an event on standard output.
 *
 *   stamp netlink                      what the kernel says of links and addresses of this network namespace
 *       NS addr add|del IFINDEX A.B.C.D
 *       NS link IFINDEX NAME oper N proto_down N
 *   stamp frames IFNAME MACPREFIX      VRRP advertisements that come in there, frames that go out there to a MAC with that prefix (5 octets)
 *       NS advert VRID PRIORITY
 *       NS out VRID
 *   stamp send IFNAME DST SRC DSTIP SRCIP US   an UDP packet every US microseconds, numbered
 *   stamp receive IFNAME               those packets
 *       NS packet NUMBER SENT
 *   stamp stalls CPU                   when a thread with real-time priority that wants to run every ms there did not for 2 ms or more
 *       NS stall FROM
 *
 * Frames have the kernel's time. Netlink has none: this program runs with real-time priority, so that it reads a message before
 * others do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;
static unsigned char buffer[1 << 16];
enum { IP = 14, UDP = 34, DATA = 42, LENGTH = 60, VRRP = 112 };
static const char MAGIC[] = { 'f', 'o' };

static void die(const char *what)
{
	fprintf(stderr, "stamp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static void big_buffer(int fd)
{
	int size = 64 << 20;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static void parse_mac(const char *text, unsigned char *mac, int octets)
{
	for (int i = 0; i < octets; i++)
		mac[i] = strtoul(text + 3 * i, NULL, 16);
}

/* ------------------------------------------------------------------------------------------------------------------ netlink */

static void address(struct nlmsghdr *head, int64_t when)
{
	struct ifaddrmsg *message = NLMSG_DATA(head);
	int left = IFA_PAYLOAD(head);
	char text[INET_ADDRSTRLEN] = "";
	if (message->ifa_family != AF_INET)
		return;
	for (struct rtattr *a = IFA_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFA_LOCAL)
			inet_ntop(AF_INET, RTA_DATA(a), text, sizeof(text));
	printf("%lld addr %s %u %s\n", (long long)when, head->nlmsg_type == RTM_NEWADDR ? "add" : "del", message->ifa_index, text);
}

static void link_state(struct nlmsghdr *head, int64_t when)
{
	struct ifinfomsg *message = NLMSG_DATA(head);
	int left = IFLA_PAYLOAD(head), oper = -1, proto_down = 0;
	const char *name = "?";
	for (struct rtattr *a = IFLA_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			name = RTA_DATA(a);
		else if (a->rta_type == IFLA_OPERSTATE)
			oper = *(unsigned char *)RTA_DATA(a);
		else if (a->rta_type == IFLA_PROTO_DOWN)
			proto_down = *(unsigned char *)RTA_DATA(a);
	}
	if (head->nlmsg_type == RTM_NEWLINK)
		printf("%lld link %d %s oper %d proto_down %d\n", (long long)when, message->ifi_index, name, oper, proto_down);
}

static void netlink(void)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		die("socket");
	big_buffer(fd);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
		int64_t when = now();
		if (got < 0 && errno == ENOBUFS) {
			printf("%lld lost\n", (long long)when);
			fflush(stdout);
			continue;
		}
		if (got < 0)
			die("recv");
		int left = got;
		for (struct nlmsghdr *head = (void *)buffer; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
			if (head->nlmsg_type == RTM_NEWADDR || head->nlmsg_type == RTM_DELADDR)
				address(head, when);
			else if (head->nlmsg_type == RTM_NEWLINK)
				link_state(head, when);
		}
		fflush(stdout);
	}
}

/* ------------------------------------------------------------------------------------------------------------------- frames */

static int packet_socket(const char *ifname, int protocol)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = if_nametoindex(ifname) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;
	if (fd < 0 || !at.sll_ifindex)
		die(ifname);
	big_buffer(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die(ifname);
	return fd;
}

static ssize_t receive_frame(int fd, int64_t *when, int *type)
{
	char control[256];
	struct sockaddr_ll from;
	struct iovec vector = { buffer, sizeof(buffer) };
	struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &vector, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &message, 0);
	if (got < 0)
		return errno == ENETDOWN || errno == EINTR ? 0 : (die("recvmsg"), 0);
	*when = now();
	*type = from.sll_pkttype;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec t;
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			*when = t.tv_sec * SECOND + t.tv_nsec;
		}
	return got;
}

static void frames(const char *ifname, const char *prefix)
{
	unsigned char mac[5];
	int fd = packet_socket(ifname, ETH_P_ALL), type;
	int64_t when;
	parse_mac(prefix, mac, 5);
	puts("ready");
	for (;;) {
		fflush(stdout);
		ssize_t got = receive_frame(fd, &when, &type);
		if (got < UDP)
			continue;
		size_t body = IP + 4 * (buffer[IP] & 15);
		if (type == PACKET_OUTGOING) {
			if (!memcmp(buffer, mac, 5))
				printf("%lld out %u\n", (long long)when, buffer[5]);
		} else if (buffer[12] == 8 && !buffer[13] && buffer[IP + 9] == VRRP && (size_t)got > body + 2) {
			printf("%lld advert %u %u\n", (long long)when, buffer[body + 1], buffer[body + 2]);
		}
	}
}

/* ------------------------------------------------------------------------------------------------------------------- probes */

static void send_probes(char **argument)
{
	unsigned char frame[LENGTH] = { 0 };
	int fd = packet_socket(argument[0], 0);
	int64_t interval = atoll(argument[5]) * 1000;
	struct timespec next;
	parse_mac(argument[1], frame, 6);
	parse_mac(argument[2], frame + 6, 6);
	frame[12] = 8;
	frame[IP] = 0x45;
	frame[IP + 3] = LENGTH - IP;
	frame[IP + 6] = 0x40;
	frame[IP + 8] = 64;
	frame[IP + 9] = 17;
	inet_pton(AF_INET, argument[4], frame + IP + 12);
	inet_pton(AF_INET, argument[3], frame + IP + 16);
	uint32_t sum = 0;
	for (int i = 0; i < 20; i += 2)
		sum += frame[IP + i] << 8 | frame[IP + i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[IP + 10] = sum >> 8;
	frame[IP + 11] = sum;
	frame[UDP + 1] = 9;
	frame[UDP + 3] = 9;
	frame[UDP + 5] = LENGTH - UDP;
	memcpy(frame + DATA, MAGIC, sizeof(MAGIC));
	puts("ready");
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (uint32_t number = 0;; number++) {
		int64_t sent = now();
		memcpy(frame + DATA + 2, &number, sizeof(number));
		memcpy(frame + DATA + 6, &sent, sizeof(sent));
		send(fd, frame, sizeof(frame), 0);
		next.tv_nsec += interval;
		next.tv_sec += next.tv_nsec / SECOND;
		next.tv_nsec %= SECOND;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

static void receive_probes(const char *ifname)
{
	int fd = packet_socket(ifname, ETH_P_IP), type;
	int64_t when, sent;
	uint32_t number;
	puts("ready");
	for (;;) {
		fflush(stdout);
		ssize_t got = receive_frame(fd, &when, &type);
		if (got < LENGTH || type == PACKET_OUTGOING || memcmp(buffer + DATA, MAGIC, sizeof(MAGIC)))
			continue;
		memcpy(&number, buffer + DATA + 2, sizeof(number));
		memcpy(&sent, buffer + DATA + 6, sizeof(sent));
		printf("%lld packet %u %lld\n", (long long)when, number, (long long)sent);
	}
}

/* ------------------------------------------------------------------------------------------------------------------- stalls */

static void stalls(int processor)
{
	cpu_set_t set;
	struct timespec pause = { 0, SECOND / 1000 };
	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	puts("ready");
	fflush(stdout);
	for (int64_t before = now(), after;; before = after) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		after = now();
		if (after - before >= 2 * SECOND / 1000) {
			printf("%lld stall %lld\n", (long long)after, (long long)before);
			fflush(stdout);
		}
	}
}

int main(int count, char **argument)
{
	struct sched_param priority = { .sched_priority = 10 };
	sched_setscheduler(0, SCHED_FIFO, &priority); /* as good as it can be had */
	if (count == 2 && !strcmp(argument[1], "netlink"))
		netlink();
	else if (count == 4 && !strcmp(argument[1], "frames"))
		frames(argument[2], argument[3]);
	else if (count == 8 && !strcmp(argument[1], "send"))
		send_probes(argument + 2);
	else if (count == 3 && !strcmp(argument[1], "receive"))
		receive_probes(argument[2]);
	else if (count == 3 && !strcmp(argument[1], "stalls"))
		stalls(atoi(argument[2]));
	fprintf(stderr, "usage: stamp netlink | frames IFNAME MACPREFIX | send IFNAME DST SRC DSTIP SRCIP US | receive IFNAME | stalls CPU\n");
	return 1;
}
