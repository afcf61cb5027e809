#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int bourse_affinity_get(int thread, uint64_t *words, size_t count) {
    memset(words, 0, count * sizeof *words);
    int r = sched_getaffinity(thread, count * sizeof *words, (cpu_set_t *)words);
    return r < 0 ? -errno : 0;
}

int bourse_affinity_set(int thread, const uint64_t *words, size_t count) {
    int r = sched_setaffinity(thread, count * sizeof *words, (const cpu_set_t *)words);
    return r < 0 ? -errno : 0;
}

/* RFC 826; a request for the sender's own address, RFC 5227 section 3. */
struct announcement {
    struct ether_header link;
    struct arphdr head;
    uint8_t sender[ETH_ALEN], address[4], target[ETH_ALEN], wanted[4];
} __attribute__((packed));

int bourse_announce(const char *interface, const uint8_t *address) {
    struct ifreq request;
    size_t length = strlen(interface);
    if (length == 0 || length >= sizeof request.ifr_name) return -ENODEV;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, interface, length);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int r = ioctl(fd, SIOCGIFHWADDR, &request);
    struct announcement all = {
        .link = {.ether_type = htons(ETHERTYPE_ARP)},
        .head = {htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), ETH_ALEN, 4, htons(ARPOP_REQUEST)},
    };
    memcpy(all.sender, request.ifr_hwaddr.sa_data, ETH_ALEN);
    memcpy(all.link.ether_shost, all.sender, ETH_ALEN);
    memset(all.link.ether_dhost, 0xFF, ETH_ALEN);
    memcpy(all.address, address, 4);
    memcpy(all.wanted, address, 4);
    if (r == 0) r = ioctl(fd, SIOCGIFINDEX, &request);
    if (r == 0) {
        struct sockaddr_ll to = {
            .sll_family = AF_PACKET, .sll_ifindex = request.ifr_ifindex, .sll_halen = ETH_ALEN};
        memset(to.sll_addr, 0xFF, ETH_ALEN);
        r = sendto(fd, &all, sizeof all, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) < 0;
    }
    int result = r == 0 ? 0 : -errno;
    close(fd);
    return result;
}

static int channels(const char *interface, struct ethtool_channels *all) {
    struct ifreq request;
    size_t length = strlen(interface);
    if (length == 0 || length >= sizeof request.ifr_name) return -ENODEV;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, interface, length);
    request.ifr_data = (char *)all;
    int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return -errno;
    int r = ioctl(socket_, SIOCETHTOOL, &request) < 0 ? -errno : 0;
    close(socket_);
    return r;
}

int bourse_channels_get(const char *interface, uint32_t *values) {
    struct ethtool_channels all = {.cmd = ETHTOOL_GCHANNELS};
    int r = channels(interface, &all);
    if (r < 0) return r;
    uint32_t found[8] = {
        all.max_rx, all.max_tx, all.max_other, all.max_combined,
        all.rx_count, all.tx_count, all.other_count, all.combined_count,
    };
    memcpy(values, found, sizeof found);
    return 0;
}

int bourse_channels_set(const char *interface, const uint32_t *values) {
    struct ethtool_channels all = {
        .cmd = ETHTOOL_SCHANNELS,
        .rx_count = values[4], .tx_count = values[5], .other_count = values[6],
        .combined_count = values[7],
    };
    return channels(interface, &all);
}
