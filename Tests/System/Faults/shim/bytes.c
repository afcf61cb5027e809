// What is written, read and resized.
#include "shim.h"

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
