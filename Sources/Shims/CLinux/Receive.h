// recv(2), again while signals interrupt it.

#pragma once

#include <errno.h>
#include <sys/socket.h>

/// The count, or -1 with errno, which is not EINTR.
static inline ssize_t bourse_receive(int fd, void *bytes, size_t size) {
    ssize_t n;
    do {
        n = recv(fd, bytes, size, 0);
    } while (n < 0 && errno == EINTR);
    return n;
}
