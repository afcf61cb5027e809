// Ends TCP connections from outside: sock_diag(7).

#define _GNU_SOURCE
#include "CLinux.h"
#include "Receive.h"

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

/// States in which this host's side still has something to say: in others there is nothing to end,
/// or the kernel has the socket for itself.
#define CONNECTED (1u << TCP_ESTABLISHED | 1u << TCP_SYN_RECV | 1u << TCP_CLOSE_WAIT)

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
    ssize_t n = bourse_receive(fd, &reply, sizeof reply);
    if (n < 0) return -errno;
    if ((size_t)n < sizeof reply.header + sizeof reply.error ||
        reply.header.nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    if (reply.error.error == 0) return 1;
    return reply.error.error == -ENOENT ? 0 : reply.error.error;
}

/// What was ended, and what hindered that first.
struct result {
    int count;
    int error;
};

/// Ends what one reply lists; whether the list goes on.
static int endListed(int fd, unsigned char *reply, ssize_t size, struct result *result) {
    for (struct nlmsghdr *item = (struct nlmsghdr *)reply; NLMSG_OK(item, (int)size);
         item = NLMSG_NEXT(item, size)) {
        int status;
        if (item->nlmsg_type == NLMSG_DONE) return 0;
        if (item->nlmsg_type == NLMSG_ERROR) {
            struct nlmsgerr *error = NLMSG_DATA(item);
            int isWhole = item->nlmsg_len >= NLMSG_LENGTH(sizeof *error);
            if (!result->error) result->error = isWhole ? error->error : -EPROTO;
            return 0;
        }
        if (item->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            status = -EPROTO;
        else
            status = end(fd, NLMSG_DATA(item));
        if (status > 0) result->count += status;
        if (status < 0 && !result->error) result->error = status;
    }
    return 1;
}

static int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/// Ends the connections that sockets of `family` have from an address, about until the deadline.
static void endAll(
    int family, const unsigned char *address, unsigned char size, int64_t deadline,
    struct result *result) {
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
            .nla_type = INET_DIAG_REQ_BYTECODE,
            .nla_len = (unsigned short)(NLA_HDRLEN + length)},
        // Where to go on from here: behind the condition, which takes the socket, or beyond.
        .op = {
            .code = INET_DIAG_BC_S_COND, .yes = (unsigned char)length,
            .no = (unsigned short)(length + 4)}};
    memcpy(request.condition, &condition, sizeof condition);
    memcpy(request.condition + sizeof condition, address, size);
    _Alignas(struct nlmsghdr) unsigned char reply[32768];
    int listing = diagnosis(), ending = diagnosis(), goesOn = 1;
    if (listing < 0 || ending < 0 || send(listing, &request, request.header.nlmsg_len, 0) < 0) {
        result->error = -errno;
        goesOn = 0;
    }
    while (goesOn && milliseconds() < deadline) {
        ssize_t n = bourse_receive(listing, reply, sizeof reply);
        if (n < 0) {
            if (!result->error) result->error = -errno;
            break;
        }
        goesOn = endListed(ending, reply, n, result);
    }
    if (listing >= 0) close(listing);
    if (ending >= 0) close(ending);
}

int bourse_connections_end(const char *text, uint32_t limit) {
    unsigned char address[16];
    int isIPv6 = strchr(text, ':') != NULL;
    if (inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, address) != 1) return -EINVAL;
    int64_t deadline = milliseconds() + limit;
    struct result own = {0}, both = {0};
    if (!isIPv6) endAll(AF_INET, address, 4, deadline, &own);
    // A listener for both families has connections of IPv4 as well. A host may have no IPv6.
    endAll(AF_INET6, address, isIPv6 ? 16 : 4, deadline, &both);
    if (!isIPv6 && both.error == -ENOENT) both.error = 0;
    int count = own.count + both.count, error = own.error ? own.error : both.error;
    return count == 0 && error ? error : count;
}
