// A disk that fails, beneath a process of its own choice (LD_PRELOAD): the calls by which a daemon
// changes what lies under one directory fail, fall short, lie or go astray where the control page
// says so, and each change is noted, with what was there before, until it is synced. After a kill
// the harness takes back what a power cut would have taken.
//
//   FAULTS_ROOT     the directory; files outside of it are none of this library's
//   FAULTS_CONTROL  a file with `struct control`, shared with the harness
//   FAULTS_LOG      where changes are noted
//   FAULTS_STORE    a directory that keeps what was unlinked or replaced
//
// The note of a change is written before the change, under one lock: a kill between the two leaves
// a note of nothing. Nothing is ever synced really; what counts as durable is in the notes.
//
// injector.py reads and writes the same layouts.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call {
    WRITE = 1, SYNC = 2, RENAME = 4, RESIZE = 8, OPEN = 16, MAP = 32, READ = 64, UNLINK = 128,
    LIST = 256, ANY = 0x1FF,
};

enum kind {  // of a file
    SEGMENT = 1, READY = 2, JOURNAL = 4, SNAPSHOT = 8, STATE = 16, DIRECTORY = 32,
};

enum effect {
    FAIL = 1,       // with errno `argument`
    SHORT = 2,      // only so many bytes are taken, in 1/256
    LOSE = 3,       // acknowledged, and never reaches the disk
    MISDIRECT = 4,  // reaches the disk `argument` bytes away
    ASTRAY = 5,     // reaches the disk in the file that was opened last before, same place
    FLIP = 6,       // bit `argument` of what is written or read is the other
    LIE = 7,        // a sync that does nothing and says that it did
    DIE = 8,        // SIGKILL before the call (argument 0) or after it (1)
};

struct rule {
    uint32_t effect, calls, kinds, armed;
    _Atomic int64_t skip, times, hits;
    int64_t argument;
};

enum { RULES = 8 };

struct control {
    uint64_t magic;
    _Atomic int64_t clock;      // added to the host's clock, ns
    _Atomic int64_t sync_nanos; // how long a sync takes
    int64_t reserved;
    struct rule rules[RULES];
};

enum note {
    N_WRITE = 1, N_RESIZE, N_SYNC_BEGIN, N_SYNC_END, N_SYNC_FAILED, N_CREATE, N_RENAME, N_UNLINK,
    N_EVICT,
    N_LOST, N_MAPPED, N_EXCHANGE,
};

struct entry {
    uint32_t magic, note;
    uint64_t inode, id;
    int64_t offset, count, size;  // size: of the file before
    uint32_t zeros, payload;      // zeros: what was there was zero, and is not in the payload
};

enum { MAGIC = 0x544C4146, DESCRIPTORS = 4096 };

struct file {
    _Atomic uint32_t kind;
    uint64_t inode;
    char path[512];
};

static struct control *control;
static struct file files[DESCRIPTORS];
static int log_file = -1, last_opened = -1;
static char root[512], store[512];
static size_t root_length;
static _Atomic uint64_t next_id = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name, type, ...) \
    static type (*real_##name)(__VA_ARGS__); \
    static void find_##name(void) { real_##name = dlsym(RTLD_NEXT, #name); }

REAL(openat, int, int, const char *, int, ...)
REAL(close, int, int)
REAL(pwrite, ssize_t, int, const void *, size_t, off_t)
REAL(write, ssize_t, int, const void *, size_t)
REAL(pread, ssize_t, int, void *, size_t, off_t)
REAL(ftruncate, int, int, off_t)
REAL(fallocate, int, int, int, off_t, off_t)
REAL(renameat, int, int, const char *, int, const char *)
REAL(renameat2, int, int, const char *, int, const char *, unsigned)
REAL(unlinkat, int, int, const char *, int)
REAL(mmap, void *, void *, size_t, int, int, int, off_t)
REAL(munmap, int, void *, size_t)
REAL(clock_gettime, int, clockid_t, struct timespec *)
REAL(opendir, DIR *, const char *)
REAL(fcntl, int, int, int, ...)

static void find_all(void) {
    static _Atomic int done;
    if (atomic_load(&done)) return;
    find_openat(); find_close(); find_pwrite(); find_write(); find_pread(); find_ftruncate();
    find_fallocate(); find_renameat(); find_renameat2(); find_unlinkat(); find_mmap();
    find_munmap(); find_clock_gettime(); find_opendir(); find_fcntl();
    atomic_store(&done, 1);
}

__attribute__((constructor)) static void begin(void) {
    find_all();
    const char *page = getenv("FAULTS_CONTROL"), *notes = getenv("FAULTS_LOG");
    const char *top = getenv("FAULTS_ROOT"), *keep = getenv("FAULTS_STORE");
    if (!page || !notes || !top || !keep) return;
    int fd = real_openat(AT_FDCWD, page, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *shared = real_mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    real_close(fd);
    if (shared == MAP_FAILED) return;
    log_file = real_openat(AT_FDCWD, notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    snprintf(root, sizeof root, "%s/", top);
    snprintf(store, sizeof store, "%s", keep);
    root_length = strlen(root);
    struct timespec now;
    real_clock_gettime(CLOCK_MONOTONIC, &now);
    next_id = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    control = shared;
}

// --- which file ---

static uint32_t kind_of(const char *path) {
    if (strncmp(path, root, root_length) != 0) return 0;
    const char *rest = path + root_length;
    if (!strncmp(rest, "run", 3) || !strncmp(rest, "log", 3) || !strncmp(rest, "history", 7) ||
        !strncmp(rest, "secrets", 7) || strstr(rest, "lock") || strstr(rest, "bourse.toml"))
        return 0;
    if (!strncmp(rest, "journal/", 8)) {
        if (strstr(rest, ".seg")) return SEGMENT;
        return !strncmp(rest + 8, "ready", 5) ? READY : JOURNAL;
    }
    return !strncmp(rest, "snapshots/", 10) ? SNAPSHOT : STATE;
}

static struct file *file_of(int fd) {
    if (!control || fd < 0 || fd >= DESCRIPTORS || !atomic_load(&files[fd].kind)) return NULL;
    return &files[fd];
}

static int64_t size_of(int fd) {
    struct stat status;
    return fstat(fd, &status) ? 0 : status.st_size;
}

static uint64_t inode_of(const char *path) {
    struct stat status;
    return stat(path, &status) ? 0 : status.st_ino;
}

static uint64_t inode_above(const char *path) {
    char above[512];
    snprintf(above, sizeof above, "%s", path);
    char *slash = strrchr(above, '/');
    if (slash) *slash = 0;
    return inode_of(above);
}

// --- notes ---

static void note(enum note what, uint64_t inode, uint64_t id, int64_t offset, int64_t count,
                 int64_t size, int zeros, const void *payload, size_t bytes) {
    struct entry entry = {
        .magic = MAGIC, .note = what, .inode = inode, .id = id, .offset = offset, .count = count,
        .size = size, .zeros = (uint32_t)zeros, .payload = (uint32_t)bytes,
    };
    struct iovec pieces[2] = {{&entry, sizeof entry}, {(void *)payload, bytes}};
    if (writev(log_file, pieces, bytes ? 2 : 1) < 0) abort();
}

/// Notes a change of `count` bytes at `offset`; what stands there goes along. Of a new size, that
/// size stands in the place of the id.
static uint64_t note_change(enum note what, int fd, uint64_t inode, int64_t offset, int64_t count,
                            int64_t new_size) {
    int64_t size = size_of(fd), old = size - offset;
    if (old > count) old = count;
    if (old < 0) old = 0;
    char *before = malloc(old ? (size_t)old : 1);
    ssize_t got = old ? real_pread(fd, before, (size_t)old, offset) : 0;
    if (got < 0) got = 0;
    int zeros = 1;
    for (ssize_t i = 0; i < got && zeros; i++) zeros = before[i] == 0;
    uint64_t id = what == N_RESIZE ? (uint64_t)new_size : next_id++;
    note(what, inode, id, offset, count, size, zeros, before, zeros ? 0 : (size_t)got);
    free(before);
    return id;
}

// --- rules ---

/// The rule that this call meets, if any.
static struct rule *met(uint32_t call, uint32_t kind) {
    if (!control) return NULL;
    for (int i = 0; i < RULES; i++) {
        struct rule *rule = &control->rules[i];
        if (!rule->armed || !(rule->calls & call) || !(rule->kinds & kind)) continue;
        if (rule->skip-- > 0) continue;
        if (rule->times-- <= 0) continue;
        rule->hits++;
        return rule;
    }
    return NULL;
}

/// Gives 1 where the call fails, with errno set.
static int fails(struct rule *rule) {
    if (!rule) return 0;
    if (rule->effect == DIE && rule->argument == 0) kill(getpid(), SIGKILL);
    if (rule->effect != FAIL) return 0;
    errno = (int)rule->argument;
    return 1;
}

static void dies(struct rule *rule) {
    if (rule && rule->effect == DIE) kill(getpid(), SIGKILL);
}

// --- open, close ---

static void remember(int fd, const char *path) {
    if (!control || fd < 0 || fd >= DESCRIPTORS) return;
    struct file *file = &files[fd];
    atomic_store(&file->kind, 0);
    char whole[512];
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else if (getcwd(whole, sizeof whole)) {
        size_t n = strlen(whole);
        snprintf(whole + n, sizeof whole - n, "/%s", path);
    }
    uint32_t kind = kind_of(whole);
    // The root itself has no slash behind it; its names are made durable as any directory's.
    if (strlen(whole) + 1 == root_length && !strncmp(whole, root, root_length - 1)) kind = STATE;
    struct stat status;
    if (!kind || fstat(fd, &status)) return;
    if (S_ISDIR(status.st_mode)) kind = DIRECTORY;
    file->inode = status.st_ino;
    memcpy(file->path, whole, sizeof whole);
    atomic_store(&file->kind, kind);
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
    find_all();
    uint32_t kind = control && path[0] == '/' ? kind_of(path) : 0;
    if (!kind) {
        int fd = real_openat(at, path, flags, mode);
        // A relative path may lead there as well.
        if (control && fd >= 0) remember(fd, path);
        return fd;
    }
    struct rule *rule = met(OPEN, kind);
    if (fails(rule)) return -1;
    // The page cache is where this works; what passes it by is seen in the notes.
    int direct = flags & O_DIRECT;
    flags &= ~O_DIRECT;
    pthread_mutex_lock(&lock);
    int is_new = (flags & O_CREAT) && faccessat(at, path, F_OK, 0) != 0;
    if ((flags & O_TRUNC) && !is_new) {
        int fd = real_openat(at, path, O_RDWR | O_CLOEXEC, 0);
        if (fd >= 0) {
            struct stat status;
            if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size > 0)
                note_change(N_RESIZE, fd, status.st_ino, 0, status.st_size, 0);
            real_close(fd);
        }
    }
    int fd = real_openat(at, path, flags, mode);
    if (fd >= 0) {
        remember(fd, path);
        struct file *file = file_of(fd);
        if (file && is_new)
            note(N_CREATE, file->inode, next_id++, 0, (int64_t)inode_above(path), 0, 0, path,
                 strlen(path));
        if (file && direct) note(N_EVICT, file->inode, next_id++, 0, 0, 0, 0, NULL, 0);
        if (file && atomic_load(&file->kind) == SEGMENT && (flags & O_ACCMODE) != O_RDONLY)
            last_opened = fd;
    }
    int code = errno;
    pthread_mutex_unlock(&lock);
    dies(rule);
    errno = code;
    return fd;
}

#define MODE \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...) { MODE return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) {
    MODE return open_any(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) {
    MODE return open_any(at, path, flags, mode);
}
int creat(const char *path, mode_t mode) {
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int fd) {
    find_all();
    if (fd >= 0 && fd < DESCRIPTORS) atomic_store(&files[fd].kind, 0);
    if (fd == last_opened) last_opened = -1;
    return real_close(fd);
}

DIR *opendir(const char *path) {
    find_all();
    if (control && !strncmp(path, root, root_length) && fails(met(LIST, DIRECTORY))) return NULL;
    return real_opendir(path);
}

// --- write ---

static ssize_t write_any(int fd, struct file *file, const void *bytes, size_t count, off_t offset) {
    struct rule *rule = met(WRITE, atomic_load(&file->kind));
    if (fails(rule)) return -1;
    uint32_t effect = rule ? rule->effect : 0;
    if (effect == SHORT && count > 1) {
        count = count * (size_t)rule->argument / 256;
        if (count == 0) count = 1;
    }
    char *changed = NULL;
    if (effect == FLIP && count) {
        changed = malloc(count);
        memcpy(changed, bytes, count);
        size_t bit = (size_t)rule->argument % (count * 8);
        changed[bit / 8] ^= (char)(1 << bit % 8);
        bytes = changed;
    }
    pthread_mutex_lock(&lock);
    ssize_t done;
    if (effect == MISDIRECT || effect == ASTRAY) {
        // The disk puts it elsewhere; the page cache shows it in its place until it is evicted.
        int other = effect == ASTRAY && last_opened >= 0 && last_opened != fd ? last_opened : fd;
        off_t where = offset + (off_t)(effect == MISDIRECT ? rule->argument : 0);
        if (where < 0) where = 0;
        int64_t id = (int64_t)note_change(N_WRITE, fd, file->inode, offset, (int64_t)count, 0);
        note(N_LOST, file->inode, (uint64_t)id, offset, (int64_t)count, where,
             0, bytes, count);
        if (other != fd) {
            struct file *second = file_of(other);
            if (second)
                note(N_LOST, second->inode, 0, where, (int64_t)count, where, 0, bytes, count);
        }
        done = real_pwrite(fd, bytes, count, offset);
    } else {
        uint64_t id = note_change(N_WRITE, fd, file->inode, offset, (int64_t)count, 0);
        if (effect == LOSE)
            note(N_LOST, file->inode, id, offset, (int64_t)count, -1, 0, NULL, 0);
        done = real_pwrite(fd, bytes, count, offset);
    }
    int code = errno;
    pthread_mutex_unlock(&lock);
    free(changed);
    dies(rule);
    errno = code;
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    find_all();
    struct file *file = file_of(fd);
    return file ? write_any(fd, file, bytes, count, offset) : real_pwrite(fd, bytes, count, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return pwrite(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    find_all();
    struct file *file = file_of(fd);
    if (!file) return real_write(fd, bytes, count);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    if (offset < 0) return real_write(fd, bytes, count);
    if (real_fcntl && real_fcntl(fd, F_GETFL) & O_APPEND) offset = size_of(fd);
    ssize_t done = write_any(fd, file, bytes, count, offset);
    if (done > 0) lseek(fd, offset + done, SEEK_SET);
    return done;
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    find_all();
    size_t total = 0, at = 0;
    for (int i = 0; i < count; i++) total += pieces[i].iov_len;
    char *whole = malloc(total ? total : 1);
    for (int i = 0; i < count; at += pieces[i].iov_len, i++)
        memcpy(whole + at, pieces[i].iov_base, pieces[i].iov_len);
    ssize_t done = pwrite(fd, whole, total, offset);
    int code = errno;
    free(whole);
    errno = code;
    return done;
}
ssize_t pwritev64(int fd, const struct iovec *p, int n, off64_t o) { return pwritev(fd, p, n, o); }
ssize_t pwritev2(int fd, const struct iovec *p, int n, off_t o, int flags) {
    ssize_t done = pwritev(fd, p, n, o);
    if (done >= 0 && flags & (RWF_DSYNC | RWF_SYNC) && fdatasync(fd)) return -1;
    return done;
}

// --- read ---

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
    find_all();
    struct file *file = file_of(fd);
    struct rule *rule = file ? met(READ, atomic_load(&file->kind)) : NULL;
    if (fails(rule)) return -1;
    if (rule && rule->effect == SHORT && count > 1) {
        count = count * (size_t)rule->argument / 256;
        if (count == 0) count = 1;
    }
    ssize_t done = real_pread(fd, bytes, count, offset);
    if (rule && rule->effect == FLIP && done > 0) {
        size_t bit = (size_t)rule->argument % ((size_t)done * 8);
        ((char *)bytes)[bit / 8] ^= (char)(1 << bit % 8);
    }
    return done;
}
ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
    return pread(fd, bytes, count, offset);
}

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

// --- sizes ---

int ftruncate(int fd, off_t size) {
    find_all();
    struct file *file = file_of(fd);
    if (!file) return real_ftruncate(fd, size);
    struct rule *rule = met(RESIZE, atomic_load(&file->kind));
    if (fails(rule)) return -1;
    pthread_mutex_lock(&lock);
    int64_t old = size_of(fd);
    note_change(N_RESIZE, fd, file->inode, size < old ? size : old, size < old ? old - size : 0,
                size);
    int result = real_ftruncate(fd, size);
    int code = errno;
    pthread_mutex_unlock(&lock);
    dies(rule);
    errno = code;
    return result;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int fallocate(int fd, int mode, off_t offset, off_t count) {
    find_all();
    struct file *file = file_of(fd);
    if (!file) return real_fallocate(fd, mode, offset, count);
    struct rule *rule = met(RESIZE, atomic_load(&file->kind));
    if (fails(rule)) return -1;
    pthread_mutex_lock(&lock);
    // Without PUNCH_HOLE and its kin, which would change what is there, it only lengthens.
    int64_t old = size_of(fd), end = offset + count;
    int64_t new = mode & FALLOC_FL_KEEP_SIZE || end < old ? old : end;
    if (mode & ~FALLOC_FL_KEEP_SIZE) note_change(N_RESIZE, fd, file->inode, offset, count, new);
    else note_change(N_RESIZE, fd, file->inode, old, 0, new);
    int result = real_fallocate(fd, mode, offset, count);
    int code = errno;
    pthread_mutex_unlock(&lock);
    dies(rule);
    errno = code;
    return result;
}
int fallocate64(int fd, int mode, off64_t offset, off64_t count) {
    return fallocate(fd, mode, offset, count);
}
int posix_fallocate(int fd, off_t offset, off_t count) {
    return fallocate(fd, 0, offset, count) ? errno : 0;
}

int posix_fallocate64(int fd, off64_t offset, off64_t count) {
    return posix_fallocate(fd, offset, count);
}

// --- names ---

/// Keeps the file at `path` in the store before its name goes; gives where it is kept.
static void keep(const char *path, uint64_t id, char *kept, size_t room) {
    snprintf(kept, room, "%s/%llu", store, (unsigned long long)id);
    if (linkat(AT_FDCWD, path, AT_FDCWD, kept, 0)) kept[0] = 0;
}

int rename(const char *old, const char *new) {
    find_all();
    uint32_t kind = control ? kind_of(new) | kind_of(old) : 0;
    if (!kind) return real_renameat(AT_FDCWD, old, AT_FDCWD, new);
    struct rule *rule = met(RENAME, kind);
    if (fails(rule)) return -1;
    pthread_mutex_lock(&lock);
    uint64_t id = next_id++;
    char both[1800], kept[560] = "";
    if (!access(new, F_OK)) keep(new, id, kept, sizeof kept);
    int length = snprintf(both, sizeof both, "%s\n%s\n%s", old, new, kept);
    note(N_RENAME, inode_of(old), id, (int64_t)inode_above(old), (int64_t)inode_above(new), 0, 0,
         both, (size_t)length);
    int result = real_renameat(AT_FDCWD, old, AT_FDCWD, new);
    int code = errno;
    pthread_mutex_unlock(&lock);
    dies(rule);
    errno = code;
    return result;
}
int renameat(int from, const char *old, int to, const char *new) {
    if (from == AT_FDCWD && to == AT_FDCWD) return rename(old, new);
    find_all();
    return real_renameat(from, old, to, new);
}
static int exchange(const char *one, const char *other) {
    find_all();
    uint32_t kind = control ? kind_of(one) | kind_of(other) : 0;
    struct rule *rule = kind ? met(RENAME, kind) : NULL;
    if (fails(rule)) return -1;
    pthread_mutex_lock(&lock);
    char both[1200];
    int length = snprintf(both, sizeof both, "%s\n%s", one, other);
    if (kind)
        note(N_EXCHANGE, inode_of(one), 0, (int64_t)inode_above(one), (int64_t)inode_above(other),
             0, 0, both, (size_t)length);
    int result = real_renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
    int code = errno;
    pthread_mutex_unlock(&lock);
    dies(rule);
    errno = code;
    return result;
}
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    (void)from, (void)to;
    if (flags & RENAME_EXCHANGE) return exchange(old, new);
    if ((flags & RENAME_NOREPLACE) && !access(new, F_OK)) {
        errno = EEXIST;
        return -1;
    }
    return rename(old, new);
}

int unlink(const char *path) {
    find_all();
    uint32_t kind = control ? kind_of(path) : 0;
    if (!kind || access(path, F_OK)) return real_unlinkat(AT_FDCWD, path, 0);
    struct rule *rule = met(UNLINK, kind);
    if (fails(rule)) return -1;
    pthread_mutex_lock(&lock);
    uint64_t id = next_id++;
    char both[1200], kept[560];
    keep(path, id, kept, sizeof kept);
    int length = snprintf(both, sizeof both, "%s\n%s", path, kept);
    note(N_UNLINK, inode_of(path), id, 0, (int64_t)inode_above(path), 0, 0, both, (size_t)length);
    int result = real_unlinkat(AT_FDCWD, path, 0);
    int code = errno;
    pthread_mutex_unlock(&lock);
    dies(rule);
    errno = code;
    return result;
}
int unlinkat(int at, const char *path, int flags) {
    if (at == AT_FDCWD && flags == 0) return unlink(path);
    find_all();
    return real_unlinkat(at, path, flags);
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

// --- for the harness, by ctypes ---

static uint32_t table[256];

/// CRC32C (Castagnoli), written here so that no code of the product judges the product.
uint32_t faults_crc32c(const uint8_t *bytes, size_t count) {
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = i;
            for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
            table[i] = crc;
        }
    uint32_t crc = ~0u;
    for (size_t i = 0; i < count; i++) crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xFF];
    return ~crc;
}
