// LD_PRELOAD: fdatasync(2) of a segment fails with EIO once, when the file $FAIL_SYNC is there, and
// succeeds ever after, as Linux does it: the page is clean then, and not on the disk.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    const char *order = getenv("FAIL_SYNC");
    if (order && strstr(path, ".seg") && unlink(order) == 0) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}
