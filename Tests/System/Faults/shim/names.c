// Names: open, close, rename, unlink. What goes with a name is kept until a sync of its directory.
#include "shim.h"

#include <stdarg.h>

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
