#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

/// A text of bounded size; a line that does not fit is left out.
struct text {
    char *bytes;
    size_t capacity;
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void line(struct text *text, const char *form, ...) {
    va_list values;
    va_start(values, form);
    int count = vsnprintf(
        text->bytes + text->count, text->capacity - text->count, form, values);
    va_end(values);
    if (count > 0 && text->count + (size_t)count < text->capacity)
        text->count += (size_t)count;
    else
        text->bytes[text->count] = 0;
}

/// SIOCETHTOOL on an interface.
static int ask(const char *interface, void *command) {
    struct ifreq request;
    size_t length = strlen(interface);
    if (length == 0 || length >= sizeof request.ifr_name) return -ENODEV;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, interface, length);
    request.ifr_data = command;
    int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return -errno;
    int r = ioctl(socket_, SIOCETHTOOL, &request) < 0 ? -errno : 0;
    close(socket_);
    return r;
}

static int channels(const char *interface, struct text *text) {
    struct ethtool_channels all = {.cmd = ETHTOOL_GCHANNELS};
    int r = ask(interface, &all);
    if (r < 0) return r;
    line(text, "rx %u\ntx %u\nother %u\ncombined %u\n", all.rx_count, all.tx_count,
        all.other_count, all.combined_count);
    line(text, "rx_max %u\ntx_max %u\nother_max %u\ncombined_max %u\n", all.max_rx, all.max_tx,
        all.max_other, all.max_combined);
    return 0;
}

static int rings(const char *interface, struct text *text) {
    struct ethtool_ringparam all = {.cmd = ETHTOOL_GRINGPARAM};
    int r = ask(interface, &all);
    if (r < 0) return r;
    line(text, "rx %u\ntx %u\nrx_max %u\ntx_max %u\n", all.rx_pending, all.tx_pending,
        all.rx_max_pending, all.tx_max_pending);
    return 0;
}

static int coalesce(const char *interface, struct text *text) {
    struct ethtool_coalesce all = {.cmd = ETHTOOL_GCOALESCE};
    int r = ask(interface, &all);
    if (r < 0) return r;
    line(text, "adaptive_rx %u\nadaptive_tx %u\n", all.use_adaptive_rx_coalesce ? 1 : 0,
        all.use_adaptive_tx_coalesce ? 1 : 0);
    line(text, "rx_usecs %u\ntx_usecs %u\n", all.rx_coalesce_usecs, all.tx_coalesce_usecs);
    return 0;
}

/// Maximum number of strings of a set that are read.
enum { STRINGS_MAX = 8192 };

/// The names of a set, ETH_GSTRING_LEN bytes each, to be freed; their number, or negative errno.
static int names(const char *interface, uint32_t set, struct ethtool_gstrings **found) {
    union {
        struct ethtool_sset_info head;
        uint32_t space[sizeof(struct ethtool_sset_info) / sizeof(uint32_t) + 1];
    } info = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << set}};
    int r = ask(interface, &info);
    if (r < 0) return r;
    uint32_t count = info.head.sset_mask == 0 ? 0 : info.head.data[0];
    if (count == 0) return -EOPNOTSUPP;
    if (count > STRINGS_MAX) return -E2BIG;
    // The kernel writes as many as the driver has now, not as many as were asked for.
    struct ethtool_gstrings *all = calloc(1, sizeof *all + (size_t)STRINGS_MAX * ETH_GSTRING_LEN);
    if (!all) return -ENOMEM;
    *all = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS, .string_set = set, .len = count};
    r = ask(interface, all);
    if (r == 0 && all->len > STRINGS_MAX) r = -E2BIG;
    if (r < 0) {
        free(all);
        return r;
    }
    *found = all;
    return (int)all->len;
}

static int features(const char *interface, struct text *text) {
    struct ethtool_gstrings *all = NULL;
    int count = names(interface, ETH_SS_FEATURES, &all);
    if (count < 0) return count;
    uint32_t blocks = ((uint32_t)count + 31) / 32;
    struct ethtool_gfeatures *values =
        calloc(1, sizeof *values + blocks * sizeof values->features[0]);
    int r = -ENOMEM;
    if (values) {
        *values = (struct ethtool_gfeatures){.cmd = ETHTOOL_GFEATURES, .size = blocks};
        r = ask(interface, values);
    }
    for (int n = 0; r == 0 && n < count; n++) {
        const char *name = (const char *)all->data + n * ETH_GSTRING_LEN;
        if (*name)
            line(text, "%.*s %u\n", ETH_GSTRING_LEN, name,
                values->features[n / 32].active >> (n % 32) & 1);
    }
    free(values);
    free(all);
    return r;
}

static int stats(const char *interface, struct text *text) {
    struct ethtool_gstrings *all = NULL;
    int count = names(interface, ETH_SS_STATS, &all);
    if (count < 0) return count;
    struct ethtool_stats *values =
        calloc(1, sizeof *values + (size_t)STRINGS_MAX * sizeof values->data[0]);
    int r = -ENOMEM;
    if (values) {
        *values = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = (uint32_t)count};
        r = ask(interface, values);
    }
    for (int n = 0; r == 0 && n < count; n++) {
        char name[ETH_GSTRING_LEN + 1];
        memcpy(name, all->data + n * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
        name[ETH_GSTRING_LEN] = 0;
        for (char *c = name; *c; c++)
            if (*c == ' ' || *c == '\t') *c = '_';
        if (*name) line(text, "%s %llu\n", name, (unsigned long long)values->data[n]);
    }
    free(values);
    free(all);
    return r;
}

static int rss(const char *interface, struct text *text) {
    struct ethtool_rxfh_indir size = {.cmd = ETHTOOL_GRXFHINDIR};
    int r = ask(interface, &size);
    if (r < 0) return r;
    if (size.size > 65536) return -E2BIG;
    struct ethtool_rxfh_indir *all = calloc(1, sizeof *all + size.size * sizeof all->ring_index[0]);
    if (!all) return -ENOMEM;
    all->cmd = ETHTOOL_GRXFHINDIR;
    all->size = size.size;
    r = ask(interface, all);
    // Rings are few: each is counted by a pass over the table.
    for (uint32_t ring = 0, seen = 0; r == 0 && seen < size.size && ring < 4096; ring++) {
        uint32_t entries = 0;
        for (uint32_t n = 0; n < size.size; n++) entries += all->ring_index[n] == ring;
        if (entries) line(text, "%u %u\n", ring, entries);
        seen += entries;
    }
    free(all);
    return r;
}

static int timestamping(const char *interface, struct text *text) {
    struct ethtool_ts_info all = {.cmd = ETHTOOL_GET_TS_INFO};
    int r = ask(interface, &all);
    if (r < 0) return r;
    line(text, "hardware_transmit %d\nhardware_receive %d\nhardware_raw %d\n",
        !!(all.so_timestamping & SOF_TIMESTAMPING_TX_HARDWARE),
        !!(all.so_timestamping & SOF_TIMESTAMPING_RX_HARDWARE),
        !!(all.so_timestamping & SOF_TIMESTAMPING_RAW_HARDWARE));
    line(text, "phc %d\n", all.phc_index);
    return 0;
}

int bourse_ethtool(const char *interface, const char *topic, char *bytes, size_t capacity) {
    static const struct {
        const char *name;
        int (*read)(const char *, struct text *);
    } topics[] = {
        {"channels", channels}, {"rings", rings}, {"coalesce", coalesce},
        {"features", features}, {"rss", rss}, {"stats", stats}, {"timestamping", timestamping},
    };
    struct text text = {bytes, capacity, 0};
    bytes[0] = 0;
    for (size_t n = 0; n < sizeof topics / sizeof *topics; n++)
        if (!strcmp(topics[n].name, topic)) {
            int r = topics[n].read(interface, &text);
            return r < 0 ? r : (int)text.count;
        }
    return -EINVAL;
}

int bourse_channels_get(const char *interface, uint32_t *values) {
    struct ethtool_channels all = {.cmd = ETHTOOL_GCHANNELS};
    int r = ask(interface, &all);
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
    return ask(interface, &all);
}

int bourse_clock_discipline(char *bytes, size_t capacity) {
    struct timex clock = {.modes = 0};
    int state = adjtimex(&clock);
    if (state < 0) return -errno;
    struct text text = {bytes, capacity, 0};
    bytes[0] = 0;
    long offset = clock.status & STA_NANO ? clock.offset : clock.offset * 1000;
    line(&text, "state %d\nstatus %d\n", state, clock.status);
    line(&text, "offset_ns %ld\nmaxerror_us %ld\nesterror_us %ld\n", offset, clock.maxerror,
        clock.esterror);
    // Parts per million with 16 bits behind the point.
    line(&text, "freq_ppb %ld\n", clock.freq * 1000 / 65536);
    return (int)text.count;
}
