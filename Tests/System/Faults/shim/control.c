// The start, the rules, the notes, and which files they are for.
#include "shim.h"

#include <dlfcn.h>
#include <signal.h>

struct control *control;
struct file files[DESCRIPTORS];
char root[512], store[512];
size_t root_length;
int last_opened = -1;
_Atomic uint64_t next_id = 1;
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_file = -1;

#define DEFINE(name, type, ...) type (*real_##name)(__VA_ARGS__);
CALLS(DEFINE)

void find_all(void) {
    static _Atomic int done;
    if (atomic_load(&done)) return;
#define FIND(name, ...) real_##name = dlsym(RTLD_NEXT, #name);
    CALLS(FIND)
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

uint32_t kind_of(const char *path) {
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

struct file *file_of(int fd) {
    if (!control || fd < 0 || fd >= DESCRIPTORS || !atomic_load(&files[fd].kind)) return NULL;
    return &files[fd];
}

int64_t size_of(int fd) {
    struct stat status;
    return fstat(fd, &status) ? 0 : status.st_size;
}

uint64_t inode_of(const char *path) {
    struct stat status;
    return stat(path, &status) ? 0 : status.st_ino;
}

uint64_t inode_above(const char *path) {
    char above[512];
    snprintf(above, sizeof above, "%s", path);
    char *slash = strrchr(above, '/');
    if (slash) *slash = 0;
    return inode_of(above);
}

// --- notes ---

void note(enum note what, uint64_t inode, uint64_t id, int64_t offset, int64_t count, int64_t size,
          int zeros, const void *payload, size_t bytes) {
    struct entry entry = {
        .magic = MAGIC, .note = what, .inode = inode, .id = id, .offset = offset, .count = count,
        .size = size, .zeros = (uint32_t)zeros, .payload = (uint32_t)bytes,
    };
    struct iovec pieces[2] = {{&entry, sizeof entry}, {(void *)payload, bytes}};
    if (writev(log_file, pieces, bytes ? 2 : 1) < 0) abort();
}

uint64_t note_change(enum note what, int fd, uint64_t inode, int64_t offset, int64_t count,
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

struct rule *met(uint32_t call, uint32_t kind) {
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

int fails(struct rule *rule) {
    if (!rule) return 0;
    if (rule->effect == DIE && rule->argument == 0) kill(getpid(), SIGKILL);
    if (rule->effect != FAIL) return 0;
    errno = (int)rule->argument;
    return 1;
}

void dies(struct rule *rule) {
    if (rule && rule->effect == DIE) kill(getpid(), SIGKILL);
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
