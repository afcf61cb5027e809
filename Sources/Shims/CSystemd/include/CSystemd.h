// libsystemd's calls without variadics, structures and macros: sd_notify(3), and sd-bus(3) as far
// as units of the system's manager go. Calls return 0 or more, or the negative errno.
#ifndef BOURSE_CSYSTEMD_H
#define BOURSE_CSYSTEMD_H

#include <stddef.h>
#include <stdint.h>

/// sd_notify(3): sends `state` to the service manager; 0 when there is none, negative errno on
/// failure.
int bourse_sd_notify(const char *_Nonnull state);

/// sd_watchdog_enabled(3): the watchdog's period in microseconds, or 0 when there is none.
uint64_t bourse_sd_watchdog_usec(void);

/// sd_listen_fds(3): how many descriptors were passed, the first is 3; unsets the environment.
int bourse_sd_listen_fds(void);

/// A connection to the system bus whose every call takes at most `timeoutMicros`; one thread uses
/// it. Closed by `bourse_bus_close`, whatever other calls returned.
int bourse_bus_open(uint64_t timeoutMicros, void *_Nullable *_Nonnull bus);
/// Ends the connection.
void bourse_bus_close(void *_Nonnull bus);

/// A property of a unit that is a text, cut to `capacity`; `isService` asks the Service interface,
/// else it is Unit.
int bourse_bus_text(
    void *_Nonnull bus, const char *_Nonnull unit, int isService, const char *_Nonnull property,
    char *_Nonnull text, size_t capacity);
/// A property of a unit that is a number of this D-Bus type, `u` or `t`.
int bourse_bus_number(
    void *_Nonnull bus, const char *_Nonnull unit, int isService, const char *_Nonnull property,
    char type, uint64_t *_Nonnull number);

/// A property of the manager itself that is a number of 64 bits.
int bourse_bus_manager_number(
    void *_Nonnull bus, const char *_Nonnull property, uint64_t *_Nonnull number);
/// Sets one.
int bourse_bus_set_manager_number(
    void *_Nonnull bus, const char *_Nonnull property, uint64_t number);

/// Has the manager send signals: once a connection.
int bourse_bus_subscribe(void *_Nonnull bus);
/// Reports changes of a unit through `changed`; at most 64 units.
int bourse_bus_watch(void *_Nonnull bus, const char *_Nonnull unit);
/// Waits up to `waitMicros` for something to change; returns the bits of the units that did, in the
/// order in which they were watched.
int bourse_bus_changed(void *_Nonnull bus, uint64_t waitMicros, uint64_t *_Nonnull units);
/// `StartUnit`, `StopUnit` or `RestartUnit`, waited for: its result (`done`, `failed`, `timeout` …)
/// goes to `result`.
int bourse_bus_job(
    void *_Nonnull bus, const char *_Nonnull method, const char *_Nonnull unit,
    uint64_t waitMicros, char *_Nonnull result, size_t capacity);

#endif
