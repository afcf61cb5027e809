#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int result(int r) { return r < 0 ? -errno : r; }

int bourse_random(void *bytes, size_t count) {
    char *p = bytes;
    while (count > 0) {
        ssize_t n = TEMP_FAILURE_RETRY(getrandom(p, count, 0));
        if (n < 0) return -errno;
        p += n;
        count -= (size_t)n;
    }
    return 0;
}

int bourse_peer_process(int socket, int *process) {
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    int handle = result((int)syscall(SYS_pidfd_open, peer.pid, 0));
    if (handle < 0) return handle;
    // The number may have been reused; not while this connection is open.
    struct pollfd entry = {.fd = socket, .events = POLLRDHUP};
    if (poll(&entry, 1, 0) != 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        close(handle);
        return -ESRCH;
    }
    *process = peer.pid;
    return handle;
}

int bourse_move_pages(void *from, size_t count, void *to) {
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    // Before Linux 6.17 one call moves pages of one mapping only, mremap(2). Locking and the choice
    // of small pages split a mapping, at borders of huge pages.
    const size_t step = 2 << 20;
    for (size_t at = 0; at < count; at += step) {
        const size_t part = count - at < step ? count - at : step;
        if (mremap((char *)from + at, part, part, flags, (char *)to + at) == MAP_FAILED)
            return -errno;
    }
    return 0;
}

int bourse_allocate(int fd, int keepSize, int64_t offset, int64_t count) {
    const int mode = keepSize ? FALLOC_FL_KEEP_SIZE : 0;
    return result((int)TEMP_FAILURE_RETRY(fallocate(fd, mode, offset, count)));
}

int bourse_pipe(int *reading, int *writing) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

int bourse_sync_data(int fd) { return result(fdatasync(fd)); }

int bourse_open_direct(const char *path) {
    return result(open(path, O_RDONLY | O_CLOEXEC | O_DIRECT));
}

int bourse_exchange(const char *one, const char *other) {
    return result(renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE));
}

int64_t bourse_write_two(
    int fd, const void *first, size_t firstCount, const void *second, size_t secondCount,
    int64_t offset) {
    struct iovec pieces[2] = {
        {.iov_base = (void *)first, .iov_len = firstCount},
        {.iov_base = (void *)second, .iov_len = secondCount},
    };
    ssize_t n = TEMP_FAILURE_RETRY(pwritev(fd, pieces, 2, offset));
    return n < 0 ? -errno : n;
}

void *bourse_directory_open(const char *path) { return opendir(path); }

int bourse_directory_next(void *directory, char *name, size_t capacity) {
    errno = 0;
    struct dirent *entry = readdir(directory);
    if (!entry) return errno ? -errno : 0;
    size_t count = strlen(entry->d_name);
    if (count + 1 > capacity) return -ENAMETOOLONG;
    memcpy(name, entry->d_name, count + 1);
    return 1;
}

void bourse_directory_close(void *directory) { closedir(directory); }

int bourse_futex_wait(const void *word, uint32_t expected, int64_t nanos) {
    struct timespec limit = {.tv_sec = nanos / 1000000000, .tv_nsec = nanos % 1000000000};
    return result((int)syscall(
        SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nanos < 0 ? NULL : &limit, NULL, 0));
}

int bourse_futex_wake(const void *word) {
    return result((int)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
}

int bourse_eventfd(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

static sigset_t signalSet(uint64_t signals) {
    sigset_t set;
    sigemptyset(&set);
    for (int n = 1; n < 64; n++)
        if (signals >> n & 1) sigaddset(&set, n);
    return set;
}

int bourse_block_signals(uint64_t signals) {
    sigset_t set = signalSet(signals);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int bourse_signalfd(uint64_t signals) {
    sigset_t set = signalSet(signals);
    int r = bourse_block_signals(signals);
    return r < 0 ? r : result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int bourse_signalfd_read(int fd) {
    struct signalfd_siginfo info;
    ssize_t n = TEMP_FAILURE_RETRY(read(fd, &info, sizeof info));
    if (n < 0) return errno == EAGAIN ? 0 : -errno;
    return n == sizeof info ? (int)info.ssi_signo : 0;
}

int bourse_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

int bourse_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return result(epoll_ctl(epoll, operation, fd, &event));
}

int bourse_epoll_wait(
    int epoll, uint64_t *tokens, uint32_t *events, int capacity, int milliseconds) {
    struct epoll_event ready[64];
    int n = epoll_wait(epoll, ready, capacity < 64 ? capacity : 64, milliseconds);
    if (n < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        tokens[i] = ready[i].data.u64;
        events[i] = ready[i].events;
    }
    return n;
}

int bourse_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

int bourse_peer_groups(int fd, uint32_t *groups, int capacity) {
    socklen_t size = (socklen_t)capacity * sizeof *groups;
    // ERANGE has set the size that is needed.
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0 && errno != ERANGE)
        return -errno;
    return (int)(size / sizeof *groups);
}

int bourse_memory_file(const char *name) { return result(memfd_create(name, MFD_CLOEXEC)); }

int bourse_thread_name(const char *name) {
    char shown[16];
    strncpy(shown, name, sizeof shown - 1);
    shown[sizeof shown - 1] = 0;
    return -pthread_setname_np(pthread_self(), shown);
}

int bourse_thread_pin(int cpu) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return result(sched_setaffinity(0, sizeof set, &set));
}

int bourse_thread_id(void) { return (int)syscall(SYS_gettid); }

int bourse_hide_memory(void) { return result(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)); }

int bourse_output_flush(void) {
    // The first failure: the buffer is dropped with it, and a later flush has nothing to write.
    static int lost;
    errno = 0;
    if ((fflush(stdout) || ferror(stdout)) && !lost) lost = errno ? errno : EIO;
    return -lost;
}

int bourse_idle_io(void) {
    // IOPRIO_WHO_PROCESS is 1; class IDLE is 3, in the bits from 13 up.
    return result((int)syscall(SYS_ioprio_set, 1, 0, 3 << 13));
}
