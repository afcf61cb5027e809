// What the parts of the machine share.
#ifndef MACHINE_H
#define MACHINE_H
#define _GNU_SOURCE
#include "CMachine.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/// The function of that name behind the one here.
#define REAL(name) \
    ({ \
        static __typeof__(&name) found; \
        if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
        found; \
    })

enum { FDS_MAX = 16384, HOSTS = 2 };

/// Whether calls are simulated now: the machine runs a thread of its own.
extern int machine_is_on;
extern int machine_io_moved;
/// The process that a descriptor belongs to; 0: none.
extern short machine_owner[FDS_MAX];
int machine_host(void);
void machine_block(int64_t until);
void machine_advance(int64_t nanos);
int64_t machine_between(int64_t least, int64_t most);

void network_close_host(int host);
/// Moves bytes that are due; gives when there is more to do.
int64_t network_turn(void);

void disk_begin(const char *root);
void disk_power_cut(int host);
#endif
