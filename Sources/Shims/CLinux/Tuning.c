#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

int bourse_affinity_get(int thread, uint64_t *words, size_t count) {
    memset(words, 0, count * sizeof *words);
    int r = sched_getaffinity(thread, count * sizeof *words, (cpu_set_t *)words);
    return r < 0 ? -errno : 0;
}

int bourse_affinity_set(int thread, const uint64_t *words, size_t count) {
    int r = sched_setaffinity(thread, count * sizeof *words, (const cpu_set_t *)words);
    return r < 0 ? -errno : 0;
}
