#include "CSystemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

static const char manager[] = "org.freedesktop.systemd1";
static const char managerPath[] = "/org/freedesktop/systemd1";
static const char managerInterface[] = "org.freedesktop.systemd1.Manager";

enum { UNITS_MAX = 64 };

struct connection {
    sd_bus *bus;
    int count;
    uint64_t changed;
    struct watch {
        struct connection *owner;
        int index;
    } watches[UNITS_MAX];
    // The job that is waited for, and what became of it.
    char job[128];
    char result[32];
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void copy(char *to, size_t capacity, const char *from) {
    snprintf(to, capacity, "%s", from);
}

int bourse_bus_open(uint64_t timeoutMicros, void **bus) {
    struct connection *made = calloc(1, sizeof *made);
    if (!made) return -ENOMEM;
    int r = sd_bus_open_system(&made->bus);
    if (r >= 0) r = sd_bus_set_method_call_timeout(made->bus, timeoutMicros);
    if (r < 0) {
        bourse_bus_close(made);
        return r;
    }
    *bus = made;
    return 0;
}

void bourse_bus_close(void *bus) {
    struct connection *connection = bus;
    // Not flushed: that could wait for a bus that hangs.
    if (connection->bus) {
        sd_bus_close(connection->bus);
        sd_bus_unref(connection->bus);
    }
    free(connection);
}

static const char *interface(int isService) {
    return isService ? "org.freedesktop.systemd1.Service" : "org.freedesktop.systemd1.Unit";
}

/// The object of a unit; to be freed.
static int object(const char *unit, char **path) {
    return sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, path);
}

int bourse_bus_text(
    void *bus, const char *unit, int isService, const char *property, char *text,
    size_t capacity) {
    struct connection *connection = bus;
    char *path = NULL, *found = NULL;
    int r = object(unit, &path);
    if (r >= 0)
        r = sd_bus_get_property_string(
            connection->bus, manager, path, interface(isService), property, NULL, &found);
    if (r >= 0) copy(text, capacity, found);
    free(found);
    free(path);
    return r;
}

int bourse_bus_number(
    void *bus, const char *unit, int isService, const char *property, char type,
    uint64_t *number) {
    struct connection *connection = bus;
    char *path = NULL;
    uint32_t narrow = 0;
    int r = object(unit, &path);
    if (r >= 0)
        r = sd_bus_get_property_trivial(
            connection->bus, manager, path, interface(isService), property, NULL, type,
            type == 'u' ? (void *)&narrow : (void *)number);
    if (r >= 0 && type == 'u') *number = narrow;
    free(path);
    return r;
}

int bourse_bus_manager_number(void *bus, const char *property, uint64_t *number) {
    struct connection *connection = bus;
    return sd_bus_get_property_trivial(
        connection->bus, manager, managerPath, managerInterface, property, NULL, 't', number);
}

int bourse_bus_set_manager_number(void *bus, const char *property, uint64_t number) {
    struct connection *connection = bus;
    return sd_bus_set_property(
        connection->bus, manager, managerPath, managerInterface, property, NULL, "t", number);
}

static int onChange(sd_bus_message *message, void *data, sd_bus_error *error) {
    (void)message, (void)error;
    struct watch *watch = data;
    watch->owner->changed |= 1ULL << watch->index;
    return 0;
}

static int onJob(sd_bus_message *message, void *data, sd_bus_error *error) {
    (void)error;
    struct connection *connection = data;
    uint32_t number;
    const char *job, *unit, *result;
    if (sd_bus_message_read(message, "uoss", &number, &job, &unit, &result) >= 0
        && !strcmp(job, connection->job))
        copy(connection->result, sizeof connection->result, result);
    return 0;
}

int bourse_bus_subscribe(void *bus) {
    struct connection *connection = bus;
    return sd_bus_call_method(
        connection->bus, manager, managerPath, managerInterface, "Subscribe", NULL, NULL, NULL);
}

int bourse_bus_watch(void *bus, const char *unit) {
    struct connection *connection = bus;
    if (connection->count == UNITS_MAX) return -ENOSPC;
    struct watch *watch = &connection->watches[connection->count];
    *watch = (struct watch){.owner = connection, .index = connection->count};
    char *path = NULL;
    int r = object(unit, &path);
    if (r >= 0)
        r = sd_bus_match_signal(
            connection->bus, NULL, manager, path, "org.freedesktop.DBus.Properties",
            "PropertiesChanged", onChange, watch);
    free(path);
    if (r < 0) return r;
    connection->count++;
    return 0;
}

/// Processes what has come, at most 1,024 messages, and waits for more while `wanted` is zero.
static int turn(struct connection *connection, uint64_t waitMicros, const void *wanted, size_t n) {
    static const char nothing[sizeof(uint64_t)] = {0};
    uint64_t deadline = now() + waitMicros;
    for (int taken = 0; taken < 1024; taken++) {
        int r = sd_bus_process(connection->bus, NULL);
        if (r < 0) return r;
        if (r > 0) continue;
        if (memcmp(wanted, nothing, n) != 0) return 0;
        uint64_t time = now();
        if (time >= deadline) return 0;
        r = sd_bus_wait(connection->bus, deadline - time);
        if (r < 0 && r != -EINTR) return r;
    }
    return 0;
}

int bourse_bus_changed(void *bus, uint64_t waitMicros, uint64_t *units) {
    struct connection *connection = bus;
    int r = turn(
        connection, waitMicros, &connection->changed, sizeof connection->changed);
    *units = connection->changed;
    connection->changed = 0;
    return r;
}

int bourse_bus_job(
    void *bus, const char *method, const char *unit, uint64_t waitMicros, char *result,
    size_t capacity) {
    struct connection *connection = bus;
    uint64_t deadline = now() + waitMicros;
    sd_bus_message *reply = NULL;
    const char *job = NULL;
    connection->result[0] = 0;
    // Before the call: the job may be done before its answer is here.
    int r = sd_bus_match_signal(
        connection->bus, NULL, manager, managerPath, managerInterface, "JobRemoved", onJob,
        connection);
    if (r >= 0) r = bourse_bus_subscribe(connection);
    if (r >= 0)
        r = sd_bus_call_method(
            connection->bus, manager, managerPath, managerInterface, method, NULL, &reply, "ss",
            unit, "replace");
    if (r >= 0) r = sd_bus_message_read(reply, "o", &job);
    if (r >= 0) copy(connection->job, sizeof connection->job, job);
    sd_bus_message_unref(reply);
    while (r >= 0 && !connection->result[0]) {
        uint64_t time = now();
        if (time >= deadline) return -ETIMEDOUT;
        r = turn(connection, deadline - time, connection->result, 1);
    }
    if (r >= 0) copy(result, capacity, connection->result);
    return r;
}
