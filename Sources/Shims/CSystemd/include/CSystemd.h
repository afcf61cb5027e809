// libsystemd's notification call: sd_notify(3) without its variadic siblings.
#ifndef BOURSE_CSYSTEMD_H
#define BOURSE_CSYSTEMD_H

#include <stdint.h>

/// sd_notify(3): sends `state` to the service manager; 0 when there is none, negative errno on
/// failure.
int bourse_sd_notify(const char *_Nonnull state);

/// sd_watchdog_enabled(3): the watchdog's period in microseconds, or 0 when there is none.
uint64_t bourse_sd_watchdog_usec(void);

/// sd_listen_fds(3): how many descriptors were passed, the first is 3; unsets the environment.
int bourse_sd_listen_fds(void);

#endif
