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
//
//   control.c   the start, the rules, the notes, and which files they are for
//   names.c     open, close, rename, unlink
//   bytes.c     what is written, read and resized
//   sync.c      what is made durable, mapped files among it, and the clock
#ifndef SHIM_H
#define SHIM_H
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

// What these files share is hidden: a daemon may have the same names.
#pragma GCC visibility push(hidden)

extern struct control *control;
extern struct file files[DESCRIPTORS];
extern char root[512], store[512];
extern size_t root_length;
/// The segment that was opened last; -1: none is open.
extern int last_opened;
extern _Atomic uint64_t next_id;
extern pthread_mutex_t lock;

/// The calls that are taken over, as libc has them: `real_NAME`, after `find_all`.
#define CALLS(EACH) \
    EACH(openat, int, int, const char *, int, ...) \
    EACH(close, int, int) \
    EACH(pwrite, ssize_t, int, const void *, size_t, off_t) \
    EACH(write, ssize_t, int, const void *, size_t) \
    EACH(pread, ssize_t, int, void *, size_t, off_t) \
    EACH(ftruncate, int, int, off_t) \
    EACH(fallocate, int, int, int, off_t, off_t) \
    EACH(renameat, int, int, const char *, int, const char *) \
    EACH(renameat2, int, int, const char *, int, const char *, unsigned) \
    EACH(unlinkat, int, int, const char *, int) \
    EACH(mmap, void *, void *, size_t, int, int, int, off_t) \
    EACH(munmap, int, void *, size_t) \
    EACH(clock_gettime, int, clockid_t, struct timespec *) \
    EACH(opendir, DIR *, const char *) \
    EACH(fcntl, int, int, int, ...)
#define DECLARE(name, type, ...) extern type (*real_##name)(__VA_ARGS__);
CALLS(DECLARE)

void find_all(void);

/// The kind of a path; 0: it is none of this library's.
uint32_t kind_of(const char *path);
/// What is known of a descriptor; NULL: it is none of this library's.
struct file *file_of(int fd);
int64_t size_of(int fd);
uint64_t inode_of(const char *path);
/// The inode of the directory that holds `path`.
uint64_t inode_above(const char *path);

void note(enum note what, uint64_t inode, uint64_t id, int64_t offset, int64_t count, int64_t size,
          int zeros, const void *payload, size_t bytes);
/// Notes a change of `count` bytes at `offset`; what stands there goes along. Of a new size, that
/// size stands in the place of the id. Gives the note's id.
uint64_t note_change(enum note what, int fd, uint64_t inode, int64_t offset, int64_t count,
                     int64_t new_size);

/// The rule that this call meets, if any.
struct rule *met(uint32_t call, uint32_t kind);
/// Gives 1 where the call fails, with errno set.
int fails(struct rule *rule);
/// Ends the process where the rule says so of the time after the call.
void dies(struct rule *rule);

#pragma GCC visibility pop
#endif
