#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
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
