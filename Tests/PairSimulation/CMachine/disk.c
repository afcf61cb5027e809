// The hosts' disks: real files. What is written is noted with what was there before, until it is
// synced; a power cut takes some of it back.
#include "machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct undo {
    struct undo *next;
    uint64_t number;
    ino_t inode;
    int host;
    char path[160];
    off_t offset, size;
    size_t count;
    unsigned char before[];
};

static struct undo *newest;
static char root[128];
static size_t root_size;
static int64_t least[HOSTS] = {100000, 100000}, most[HOSTS] = {2000000, 2000000}, hangs[HOSTS];
static int fails[HOSTS];
static uint64_t lost, made;

void disk_begin(const char *path) {
    snprintf(root, sizeof root, "%s/", path);
    root_size = strlen(root);
}

void machine_disk(int host, int64_t l, int64_t m, int64_t until) {
    least[host] = l;
    most[host] = m;
    hangs[host] = until;
}

void machine_disk_fails(int host, int code) { fails[host] = code; }
uint64_t machine_lost_writes(void) { return lost; }

/// The host whose disk a file is on, its path and inode; -1: none.
static int host_of(int fd, char path[160], struct stat *status) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 159);
    if (n <= 0) return -1;
    path[n] = 0;
    if (strncmp(path, root, root_size) != 0 || fstat(fd, status) < 0) return -1;
    return path[root_size] - '0';
}

static int fails_now(int host, off_t end, off_t size) {
    if (!fails[host] || (fails[host] == ENOSPC && end <= size)) return 0;
    errno = fails[host];
    return 1;
}

/// Notes what a write changes; -1 and errno where it fails.
static int note(int fd, size_t count, off_t offset) {
    char path[160];
    struct stat status;
    int host = host_of(fd, path, &status);
    if (host < 0) return 0;
    if (fails_now(host, offset + (off_t)count, status.st_size)) return -1;
    struct undo *undo = malloc(sizeof *undo + count);
    undo->next = newest;
    undo->number = ++made;
    undo->inode = status.st_ino;
    undo->host = host;
    strcpy(undo->path, path);
    undo->offset = offset;
    undo->size = status.st_size;
    ssize_t n = REAL(pread)(fd, undo->before, count, offset);
    undo->count = n < 0 ? 0 : (size_t)n;
    newest = undo;
    return 0;
}

/// What was written to a file up to that write is on the disk.
static void forget(ino_t inode, uint64_t number) {
    for (struct undo **at = &newest; *at;) {
        struct undo *undo = *at;
        if (undo->inode != inode || undo->number > number) {
            at = &undo->next;
            continue;
        }
        *at = undo->next;
        free(undo);
    }
}

static uint64_t mixed(uint64_t z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/// A number for a file's name: an inode's is another in each run.
static uint64_t named(const char *path) {
    const char *name = strrchr(path, '/');
    uint64_t hash = 0xCBF29CE484222325u;
    for (const char *at = name ? name : path; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001B3u;
    return hash;
}

/// A sector is on the disk as some write left it, with all before that one: it is written as a
/// whole, and from a cache that has all writes so far. Which write that is, is drawn for each.
void disk_power_cut(int host) {
    uint64_t first = UINT64_MAX, salt = machine_random();
    int is_all_lost = machine_random() % 3 == 0;
    for (struct undo *undo = newest; undo; undo = undo->next)
        if (undo->host == host && undo->number < first) first = undo->number;
    for (struct undo **at = &newest; *at;) {
        struct undo *undo = *at;
        if (undo->host != host) {
            at = &undo->next;
            continue;
        }
        int fd = REAL(open)(undo->path, O_RDWR | O_CLOEXEC);
        struct stat status;
        int is_there = fd >= 0 && fstat(fd, &status) == 0 && status.st_ino == undo->inode;
        for (size_t done = 0; is_there && done < undo->count;) {
            uint64_t offset = (uint64_t)undo->offset + done, sector = offset / 512;
            size_t count = 512 - offset % 512;
            if (count > undo->count - done) count = undo->count - done;
            uint64_t kept = first + mixed(salt ^ mixed(sector ^ mixed(named(undo->path))))
                % (made - first + 2);
            if (is_all_lost || undo->number >= kept) {
                if (REAL(pwrite)(fd, undo->before + done, count, (off_t)offset) < 0) abort();
                lost++;
            }
            done += count;
        }
        if (fd >= 0) REAL(close)(fd);
        *at = undo->next;
        free(undo);
    }
    fails[host] = 0;
    hangs[host] = 0;
}

void machine_copy_durable(const char *from, const char *to) {
    enum { FILES_MAX = 64 };
    static char bytes[1 << 16];
    struct { ino_t inode; int fd; } files[FILES_MAX];
    int count = 0, was_on = machine_is_on;
    machine_is_on = 0;
    mkdir(to, 0700);
    DIR *directory = opendir(from);
    for (struct dirent *entry; directory && count < FILES_MAX && (entry = readdir(directory));) {
        char path[512];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", from, entry->d_name);
        if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode)) continue;
        int source = open(path, O_RDONLY | O_CLOEXEC);
        snprintf(path, sizeof path, "%s/%s", to, entry->d_name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        for (ssize_t n; (n = read(source, bytes, sizeof bytes)) > 0;)
            if (write(fd, bytes, (size_t)n) != n) abort();
        close(source);
        files[count].inode = status.st_ino;
        files[count++].fd = fd;
    }
    if (directory) closedir(directory);
    for (struct undo *undo = newest; undo; undo = undo->next)
        for (int i = 0; i < count; i++)
            if (files[i].inode == undo->inode
                && pwrite(files[i].fd, undo->before, undo->count, undo->offset) < 0) abort();
    for (int i = 0; i < count; i++) close(files[i].fd);
    machine_is_on = was_on;
}

// MARK: Calls

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    if (machine_is_on && note(fd, count, offset) < 0) return -1;
    return REAL(pwrite)(fd, bytes, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    size_t all = 0;
    for (int i = 0; i < count; i++) all += pieces[i].iov_len;
    if (machine_is_on && note(fd, all, offset) < 0) return -1;
    return REAL(pwritev)(fd, pieces, count, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t count) {
    char path[160];
    struct stat status;
    int host = machine_is_on ? host_of(fd, path, &status) : -1;
    if (host >= 0 && fails_now(host, offset + count, status.st_size)) return -1;
    return REAL(fallocate)(fd, mode, offset, count);
}

/// Waits for as long as the disk takes.
int fdatasync(int fd) {
    char path[160];
    struct stat status;
    int host = machine_is_on ? host_of(fd, path, &status) : -1;
    if (host < 0) return REAL(fdatasync)(fd);
    int64_t until = machine_now() + machine_between(least[host], most[host]);
    if (until < hangs[host]) until = hangs[host];
    // What is written meanwhile may be on the disk or not.
    uint64_t before = made;
    machine_block(until);
    if (fails[host] && fails[host] != ENOSPC) {
        errno = fails[host];
        return -1;
    }
    forget(status.st_ino, before);
    return 0;
}

/// At once: locks are held meanwhile.
int fsync(int fd) {
    char path[160];
    struct stat status;
    int host = machine_is_on ? host_of(fd, path, &status) : -1;
    if (host < 0) return REAL(fsync)(fd);
    if (fails[host] && fails[host] != ENOSPC) {
        errno = fails[host];
        return -1;
    }
    machine_advance(machine_between(least[host], most[host]) / 10);
    forget(status.st_ino, made);
    return 0;
}
