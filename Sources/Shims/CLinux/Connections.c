// Ends TCP connections from outside: sock_diag(7).

#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/// States of a connection that somebody may still send on; a listener is none.
#define CONNECTED                                                                              \
    (1u << TCP_ESTABLISHED | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 |    \
     1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)

struct list {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
    struct nlattr attribute;
    // One condition on the local address.
    struct inet_diag_bc_op op;
    unsigned char condition[sizeof(struct inet_diag_hostcond) + 16];
};

struct end {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

static int diagnosis(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    struct timeval limit = {.tv_sec = 1};
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static ssize_t receive(int fd, void *reply, size_t size) {
    ssize_t n;
    do {
        n = recv(fd, reply, size, 0);
    } while (n < 0 && errno == EINTR);
    return n;
}

/// Ends the connection of this identity: 1, 0 where it is gone already, or -errno.
static int end(int fd, const struct inet_diag_msg *found) {
    struct end request = {
        .header = {
            .nlmsg_len = sizeof request, .nlmsg_type = SOCK_DESTROY,
            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .body = {
            .sdiag_family = found->idiag_family, .sdiag_protocol = IPPROTO_TCP,
            .id = found->id}};
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        unsigned char rest[512];
    } reply;
    if (send(fd, &request, sizeof request, 0) < 0) return -errno;
    ssize_t n = receive(fd, &reply, sizeof reply);
    if (n < 0) return -errno;
    if ((size_t)n < sizeof reply.header + sizeof reply.error ||
        reply.header.nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    if (reply.error.error == 0) return 1;
    return reply.error.error == -ENOENT ? 0 : reply.error.error;
}

/// Ends what one reply lists: how many it ended, or -errno; `*isLast` at the list's end.
static int endListed(int fd, unsigned char *reply, ssize_t size, int *isLast) {
    int count = 0;
    for (struct nlmsghdr *item = (struct nlmsghdr *)reply; NLMSG_OK(item, (size_t)size);
         item = NLMSG_NEXT(item, size)) {
        if (item->nlmsg_type == NLMSG_DONE) {
            *isLast = 1;
            return count;
        }
        if (item->nlmsg_type == NLMSG_ERROR) {
            struct nlmsgerr *error = NLMSG_DATA(item);
            return item->nlmsg_len < NLMSG_LENGTH(sizeof *error) || error->error == 0
                ? -EPROTO : error->error;
        }
        if (item->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return -EPROTO;
        int status = end(fd, NLMSG_DATA(item));
        if (status < 0) return status;
        count += status;
    }
    return count;
}

/// Ends the connections that sockets of `family` have from an address: how many, or -errno.
static int endAll(
    int family, const unsigned char *address, unsigned char size, const struct timespec *deadline) {
    const struct inet_diag_hostcond condition = {
        .family = size == 16 ? AF_INET6 : AF_INET, .prefix_len = (unsigned char)(8 * size),
        .port = -1};
    unsigned length = (unsigned)(sizeof(struct inet_diag_bc_op) + sizeof condition + size);
    struct list request = {
        .header = {
            .nlmsg_len = (unsigned)offsetof(struct list, op) + length,
            .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {
            .sdiag_family = (unsigned char)family, .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = CONNECTED},
        .attribute = {
            .nla_type = INET_DIAG_REQ_BYTECODE, .nla_len = (unsigned short)(NLA_HDRLEN + length)},
        // Where to go on from here: behind the condition, which takes the socket, or beyond the end.
        .op = {
            .code = INET_DIAG_BC_S_COND, .yes = (unsigned char)length,
            .no = (unsigned short)(length + 4)}};
    memcpy(request.condition, &condition, sizeof condition);
    memcpy(request.condition + sizeof condition, address, size);
    _Alignas(struct nlmsghdr) unsigned char reply[32768];
    int listing = diagnosis(), ending = diagnosis(), count = 0, isLast = 0;
    if (listing < 0 || ending < 0 || send(listing, &request, request.header.nlmsg_len, 0) < 0)
        count = -errno;
    while (count >= 0 && !isLast) {
        ssize_t n = receive(listing, reply, sizeof reply);
        int status = n < 0 ? -errno : endListed(ending, reply, n, &isLast);
        count = status < 0 ? status : count + status;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > deadline->tv_sec ||
            (now.tv_sec == deadline->tv_sec && now.tv_nsec > deadline->tv_nsec))
            break;
    }
    if (listing >= 0) close(listing);
    if (ending >= 0) close(ending);
    return count;
}

int bourse_connections_end(const char *text, uint32_t milliseconds) {
    unsigned char address[16];
    int isIPv6 = strchr(text, ':') != NULL;
    if (inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, address) != 1) return -EINVAL;
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_nsec += (long)milliseconds * 1000000;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    // A listener for both families has connections of IPv4 as well.
    int count = endAll(AF_INET6, address, isIPv6 ? 16 : 4, &deadline);
    if (count < 0 || isIPv6) return count;
    int more = endAll(AF_INET, address, 4, &deadline);
    return more < 0 ? more : count + more;
}
