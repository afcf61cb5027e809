// What is made durable, mapped files among it, and the clock.
#include "shim.h"

// --- sync ---

static int sync_any(int fd) {
    find_all();
    struct file *file = file_of(fd);
    if (!file) return 0;
    uint64_t id = next_id++, inode = file->inode;
    uint32_t kind = atomic_load(&file->kind);
    note(N_SYNC_BEGIN, inode, id, 0, kind, 0, 0, NULL, 0);
    struct rule *rule = met(SYNC, kind);
    if (rule && rule->effect == LIE) return 0;
    int64_t nanos = control->sync_nanos;
    if (nanos > 0 && kind == SEGMENT) {
        struct timespec time = {nanos / 1000000000, nanos % 1000000000};
        nanosleep(&time, NULL);
    }
    if (fails(rule)) {
        int code = errno;
        // A call that was interrupted has lost nothing; an error has, and is reported only once.
        if (code != EINTR) note(N_SYNC_FAILED, inode, id, 0, kind, 0, 0, NULL, 0);
        errno = code;
        return -1;
    }
    note(N_SYNC_END, inode, id, 0, kind, 0, 0, NULL, 0);
    dies(rule);
    return 0;
}

int fdatasync(int fd) { return sync_any(fd); }
int fsync(int fd) { return sync_any(fd); }
int sync_file_range(int fd, off64_t offset, off64_t count, unsigned flags) {
    (void)fd, (void)offset, (void)count, (void)flags;
    return 0;  // it promises nothing
}
int posix_fadvise(int fd, off_t offset, off_t count, int advice) {
    (void)offset, (void)count;
    find_all();
    struct file *file = file_of(fd);
    if (file && advice == POSIX_FADV_DONTNEED)
        note(N_EVICT, file->inode, next_id++, 0, 0, 0, 0, NULL, 0);
    return 0;
}
int posix_fadvise64(int fd, off64_t o, off64_t n, int advice) {
    return posix_fadvise(fd, o, n, advice);
}

// --- mapped files: what a store leaves outlives the process, and the host once it is synced ---

enum { MAPPINGS = 16 };

static struct mapping {
    void *_Atomic address;
    size_t count;
    uint64_t inode;
    uint32_t kind;
} mappings[MAPPINGS];

void *mmap(void *address, size_t count, int protection, int flags, int fd, off_t offset) {
    find_all();
    struct file *file = fd >= 0 ? file_of(fd) : NULL;
    if (!file) return real_mmap(address, count, protection, flags, fd, offset);
    if (fails(met(MAP, atomic_load(&file->kind)))) return MAP_FAILED;
    void *mapped = real_mmap(address, count, protection, flags, fd, offset);
    int is_shared = (flags & MAP_TYPE) != MAP_PRIVATE && protection & PROT_WRITE;
    if (mapped == MAP_FAILED || !is_shared) return mapped;
    for (int i = 0; i < MAPPINGS; i++) {
        if (mappings[i].address) continue;
        mappings[i].count = count;
        mappings[i].inode = file->inode;
        mappings[i].kind = atomic_load(&file->kind);
        mappings[i].address = mapped;
        note(N_MAPPED, file->inode, next_id++, offset, (int64_t)count, 0, 0, mapped, count);
        break;
    }
    return mapped;
}

int munmap(void *address, size_t count) {
    find_all();
    for (int i = 0; i < MAPPINGS; i++)
        if (mappings[i].address == address) mappings[i].address = NULL;
    return real_munmap(address, count);
}

int msync(void *address, size_t count, int flags) {
    (void)count;
    for (int i = 0; i < MAPPINGS; i++) {
        struct mapping *mapping = &mappings[i];
        if (!control || !address || mapping->address != address) continue;
        struct rule *rule = met(SYNC, mapping->kind);
        if (rule && rule->effect == LIE) return 0;
        if (fails(rule)) return -1;
        if (flags & MS_SYNC)
            note(N_MAPPED, mapping->inode, next_id++, 0, (int64_t)mapping->count, 0, 0, address,
                 mapping->count);
        dies(rule);
        return 0;
    }
    return 0;
}

void *mmap64(void *address, size_t count, int protection, int flags, int fd, off64_t offset) {
    return mmap(address, count, protection, flags, fd, offset);
}

// --- time ---

int clock_gettime(clockid_t clock, struct timespec *time) {
    find_all();
    int result = real_clock_gettime(clock, time);
    int64_t shift = control && clock == CLOCK_REALTIME ? control->clock : 0;
    if (!result && shift) {
        __int128 nanos = (__int128)time->tv_sec * 1000000000 + time->tv_nsec + shift;
        time->tv_sec = (time_t)(nanos / 1000000000);
        time->tv_nsec = (long)(nanos % 1000000000);
    }
    return result;
}
