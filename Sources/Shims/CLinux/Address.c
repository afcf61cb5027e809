// Addresses of network interfaces with a lifetime, and their announcement: rtnetlink(7), packet(7).

#define _GNU_SOURCE
#include "CLinux.h"
#include "Receive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/// An address as the kernel takes it.
struct address {
    int family;
    unsigned char bytes[16];
    unsigned char size;
};

static int parse(const char *text, struct address *address) {
    address->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    address->size = address->family == AF_INET6 ? 16 : 4;
    return inet_pton(address->family, text, address->bytes) == 1 ? 0 : -EINVAL;
}

struct request {
    struct nlmsghdr header;
    struct ifaddrmsg body;
    unsigned char attributes[128];
};

static void append(struct request *request, unsigned short kind, const void *data, size_t size) {
    struct rtattr *attribute =
        (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = kind;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), data, size);
    request->header.nlmsg_len =
        NLMSG_ALIGN(request->header.nlmsg_len) + (unsigned)RTA_ALIGN(attribute->rta_len);
}

/// Sends a request and waits, at most a second, for the kernel's answer: 0 or -errno.
static int ask(struct request *request) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    struct timeval limit = {.tv_sec = 1};
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        unsigned char rest[512];
    } reply;
    int status = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        send(fd, request, request->header.nlmsg_len, 0) < 0) {
        status = -errno;
    } else {
        ssize_t n = bourse_receive(fd, &reply, sizeof reply);
        if (n < 0)
            status = -errno;
        else if ((size_t)n < sizeof reply.header + sizeof reply.error ||
                 reply.header.nlmsg_type != NLMSG_ERROR)
            status = -EPROTO;
        else
            status = reply.error.error;
    }
    close(fd);
    return status;
}

static int change(
    unsigned interface, const struct address *address, int prefix, uint32_t seconds,
    unsigned short kind, unsigned short flags) {
    struct request request = {
        .header = {
            .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)), .nlmsg_type = kind,
            .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags)},
        .body = {
            .ifa_family = (unsigned char)address->family, .ifa_prefixlen = (unsigned char)prefix,
            .ifa_index = interface}};
    append(&request, IFA_LOCAL, address->bytes, address->size);
    append(&request, IFA_ADDRESS, address->bytes, address->size);
    if (kind == RTM_NEWADDR) {
        // Deprecated at once where the kernel chooses sources by that: this host calls others from
        // its own address.
        int isIPv6 = address->family == AF_INET6;
        struct ifa_cacheinfo life = {
            .ifa_prefered = isIPv6 ? 0 : seconds, .ifa_valid = seconds};
        append(&request, IFA_CACHEINFO, &life, sizeof life);
        // The record decides who has it, not a search for duplicates, which takes a second.
        uint32_t noSearch = IFA_F_NODAD;
        if (isIPv6) append(&request, IFA_FLAGS, &noSearch, sizeof noSearch);
    }
    return ask(&request);
}

int bourse_address_add(
    const char *interface, const char *text, int prefix, uint32_t seconds) {
    struct address address;
    int status = parse(text, &address);
    if (status < 0) return status;
    unsigned index = if_nametoindex(interface);
    if (!index) return -errno;
    status = change(index, &address, prefix, seconds, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    if (status == 0) return 1;
    if (status != -EEXIST) return status;
    return change(index, &address, prefix, seconds, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
}

int bourse_address_remove(const char *interface, const char *text, int prefix) {
    struct address address;
    int status = parse(text, &address);
    if (status < 0) return status;
    unsigned index = if_nametoindex(interface);
    if (!index) return -errno;
    status = change(index, &address, prefix, 0, RTM_DELADDR, 0);
    if (status == 0) return 1;
    return status == -EADDRNOTAVAIL ? 0 : status;
}

/// netdevice(7). A socket can be bound to any address where net.ipv4.ip_nonlocal_bind is set, as load
/// balancers want it.
static int isListed(int fd, const struct address *address) {
    struct ifreq found[256];
    struct ifconf list = {.ifc_len = sizeof found, .ifc_req = found};
    if (ioctl(fd, SIOCGIFCONF, &list) < 0) return -errno;
    for (size_t i = 0; i < (size_t)list.ifc_len / sizeof *found; i++) {
        const struct sockaddr_in *one = (const struct sockaddr_in *)&found[i].ifr_addr;
        if (memcmp(&one->sin_addr, address->bytes, 4) == 0) return 1;
    }
    return 0;
}

int bourse_address_exists(const char *text) {
    struct address address;
    int status = parse(text, &address);
    if (status < 0) return status;
    int fd = socket(address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (address.family == AF_INET) {
        status = isListed(fd, &address);
    } else {
        struct sockaddr_in6 name = {.sin6_family = AF_INET6};
        memcpy(&name.sin6_addr, address.bytes, 16);
        if (bind(fd, (struct sockaddr *)&name, sizeof name) == 0)
            status = 1;
        else
            status = errno == EADDRNOTAVAIL ? 0 : -errno;
    }
    close(fd);
    return status;
}

/// RFC 5227, 2.3: an announcement that asks for the address itself.
static size_t arp(unsigned char *packet, const unsigned char *mac, const struct address *address) {
    static const unsigned char head[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    memcpy(packet, head, 8);
    memcpy(packet + 8, mac, 6);
    memcpy(packet + 14, address->bytes, 4);
    memset(packet + 18, 0, 6);
    memcpy(packet + 24, address->bytes, 4);
    return 28;
}

/// RFC 4861, 7.2.6: an unsolicited neighbour advertisement that overrides, to all nodes.
static size_t advertisement(
    unsigned char *packet, const unsigned char *mac, const struct address *address) {
    static const unsigned char allNodes[16] = {0xff, 2, [15] = 1};
    unsigned char *body = packet + 40;
    memset(packet, 0, 72);
    packet[0] = 0x60;
    packet[5] = 32;  // The length behind the header.
    packet[6] = 58;  // ICMPv6.
    packet[7] = 255;
    memcpy(packet + 8, address->bytes, 16);
    memcpy(packet + 24, allNodes, 16);
    body[0] = 136;
    body[4] = 0x20;  // Override.
    memcpy(body + 8, address->bytes, 16);
    body[24] = 2;  // Target link-layer address, of 8 bytes.
    body[25] = 1;
    memcpy(body + 26, mac, 6);
    uint32_t sum = 32 + 58;
    for (int i = 8; i < 72; i += 2) sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    body[2] = (unsigned char)(~sum >> 8);
    body[3] = (unsigned char)~sum;
    return 72;
}

int bourse_address_announce(const char *interface, const char *text) {
    static const unsigned char macs[2][6] = {
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x33, 0x33, 0, 0, 0, 1}};
    struct address address;
    int status = parse(text, &address);
    if (status < 0) return status;
    int isIPv6 = address.family == AF_INET6;
    struct ifreq asked = {0};
    if (strlen(interface) >= sizeof asked.ifr_name) return -EINVAL;
    strcpy(asked.ifr_name, interface);
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    unsigned char packet[72];
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(isIPv6 ? ETH_P_IPV6 : ETH_P_ARP),
        .sll_ifindex = (int)if_nametoindex(interface), .sll_halen = 6};
    memcpy(to.sll_addr, macs[isIPv6], 6);
    if (!to.sll_ifindex || ioctl(fd, SIOCGIFHWADDR, &asked) < 0) {
        status = -errno;
    } else if (asked.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
        const unsigned char *mac = (const unsigned char *)asked.ifr_hwaddr.sa_data;
        size_t size =
            isIPv6 ? advertisement(packet, mac, &address) : arp(packet, mac, &address);
        if (sendto(fd, packet, size, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) < 0)
            status = -errno;
    }
    close(fd);
    return status;
}
