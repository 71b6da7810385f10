/* Lets a program talk to a kernel that is played, or listened to, by another program: preloaded (LD_PRELOAD) into an unmodified
 * program, it makes each of its rtnetlink sockets a connection to the SOCK_SEQPACKET socket $FH_KERNEL instead.
 *
 * What the program sends goes through as it is. What a Unix socket does not know is said in its place: addresses (the kernel's port
 * is 0, the program's 4242), options of netlink. Which multicast groups the program joins is told the other end: 4 octets a group, and
 * 0 for NETLINK_GET_STRICT_CHK. The kernel answers while a request is sent, and fills in the next part of a dump while one is read, so
 * that a program never finds nothing in the middle of an answer: here it waits for it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKETS = 4096, PORT = 4242 };
static unsigned char ours[SOCKETS], answering[SOCKETS];

#define real(name) ({ static __typeof__(&name) known; if (!known) known = (__typeof__(&name))dlsym(RTLD_NEXT, #name); known; })

static int is_ours(int fd)
{
	return fd >= 0 && fd < SOCKETS && ours[fd];
}

static void join(int fd, uint32_t group)
{
	real(send)(fd, &group, sizeof(group), MSG_NOSIGNAL);
}

int socket(int domain, int type, int protocol)
{
	const char *path = getenv("FH_KERNEL");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);
	int size = 64 << 20, fd;

	if (domain != AF_NETLINK || protocol != NETLINK_ROUTE || !path)
		return real(socket)(domain, type, protocol);
	fd = real(socket)(AF_UNIX, SOCK_SEQPACKET | (flags & SOCK_CLOEXEC), 0);
	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	if (fd < 0 || fd >= SOCKETS || connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	real(setsockopt)(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (flags & SOCK_NONBLOCK)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	ours[fd] = 1;
	answering[fd] = 0;
	return fd;
}

int close(int fd)
{
	if (is_ours(fd))
		ours[fd] = 0;
	return real(close)(fd);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	if (!is_ours(fd))
		return real(bind)(fd, address, length);
	for (uint32_t group = 1, groups = ((const struct sockaddr_nl *)address)->nl_groups; groups; group++, groups >>= 1)
		if (groups & 1)
			join(fd, group);
	return 0;
}

static void fill(void *name, socklen_t *length, uint32_t port)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_pid = port };

	if (!name || !length)
		return;
	memcpy(name, &address, *length < sizeof(address) ? *length : sizeof(address));
	*length = sizeof(address);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
	if (!is_ours(fd))
		return real(getsockname)(fd, address, length);
	fill(address, length, PORT);
	return 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (!is_ours(fd) || level != SOL_NETLINK)
		return real(setsockopt)(fd, level, option, value, length);
	if (option == NETLINK_ADD_MEMBERSHIP)
		join(fd, *(const uint32_t *)value);
	if (option == NETLINK_GET_STRICT_CHK)
		join(fd, 0);
	return 0;
}

/* What is sent: will there be an answer? */
static void asked(int fd, const struct nlmsghdr *request, size_t length)
{
	if (length >= sizeof(*request) && (request->nlmsg_type % 4 == 2 || request->nlmsg_flags & NLM_F_ACK))
		answering[fd] = 1;
}

static void await(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (answering[fd])
		poll(&wait, 1, -1);
}

/* What is read: was it the end of the answer? */
static void answered(int fd, const char *data, ssize_t length, int flags)
{
	const struct nlmsghdr *last = (const void *)data;

	if (flags & MSG_PEEK || length < (ssize_t)sizeof(*last))
		return;
	for (const struct nlmsghdr *next = last; NLMSG_OK(next, length); next = NLMSG_NEXT(next, length))
		last = next;
	if (last->nlmsg_type == NLMSG_DONE || last->nlmsg_type == NLMSG_ERROR || !(last->nlmsg_flags & NLM_F_MULTI))
		answering[fd] = 0;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	socklen_t space = message->msg_namelen;
	ssize_t got;

	if (!is_ours(fd))
		return real(recvmsg)(fd, message, flags);
	await(fd);
	got = real(recvmsg)(fd, message, flags);
	if (got < 0)
		return got;
	message->msg_namelen = space;
	fill(message->msg_name, &message->msg_namelen, 0);
	if ((size_t)got <= message->msg_iov->iov_len)
		answered(fd, message->msg_iov->iov_base, got, flags);
	return got;
}

ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
	ssize_t got;

	if (!is_ours(fd))
		return real(recvfrom)(fd, buffer, size, flags, address, length);
	await(fd);
	got = real(recvfrom)(fd, buffer, size, flags, NULL, NULL);
	if (got < 0)
		return got;
	fill(address, length, 0);
	if ((size_t)got <= size)
		answered(fd, buffer, got, flags);
	return got;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	return recvfrom(fd, buffer, size, flags, NULL, NULL);
}

/* A connected socket is sent to without an address. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct msghdr plain = *message;

	if (!is_ours(fd))
		return real(sendmsg)(fd, message, flags);
	plain.msg_name = NULL;
	plain.msg_namelen = 0;
	plain.msg_control = NULL;
	plain.msg_controllen = 0;
	asked(fd, plain.msg_iov->iov_base, plain.msg_iov->iov_len);
	return real(sendmsg)(fd, &plain, flags);
}

ssize_t sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *address, socklen_t length)
{
	if (!is_ours(fd))
		return real(sendto)(fd, buffer, size, flags, address, length);
	asked(fd, buffer, size);
	return real(sendto)(fd, buffer, size, flags, NULL, 0);
}

ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
	return sendto(fd, buffer, size, flags, NULL, 0);
}
