#include "CSystemd.h"
#include <systemd/sd-daemon.h>

int bourse_sd_notify(const char *state) { return sd_notify(0, state); }

uint64_t bourse_sd_watchdog_usec(void) {
    uint64_t usec = 0;
    return sd_watchdog_enabled(0, &usec) > 0 ? usec : 0;
}

int bourse_sd_listen_fds(void) { return sd_listen_fds(1); }
