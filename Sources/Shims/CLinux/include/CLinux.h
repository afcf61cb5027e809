// What Swift cannot import or generate by itself: prefetch, CRC32C instructions, GNU extensions,
// variadic calls and macros. Calls return their result, or the negative errno.
#ifndef BOURSE_CLINUX_H
#define BOURSE_CLINUX_H

#include <stddef.h>
#include <stdint.h>

/// Asks the processor to load the cache line at `p`; never faults.
static inline void bourse_prefetch(const void *_Nullable p) { __builtin_prefetch(p, 1, 3); }

/// Hints to the processor that this is a spin loop.
static inline void bourse_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/// Whether this processor has CRC32C instructions (SSE4.2, or ARMv8 with CRC).
int bourse_crc32c_is_fast(void);
/// CRC32C over `count` bytes, going on from `crc`, by instruction. Only where `is_fast`.
uint32_t bourse_crc32c_fast(uint32_t crc, const void *_Nullable bytes, size_t count);
/// The same by table, on any processor.
uint32_t bourse_crc32c_table(uint32_t crc, const void *_Nullable bytes, size_t count);

/// getrandom(2), repeated until `count` bytes are there; 0 or negative errno.
int bourse_random(void *_Nonnull bytes, size_t count);

/// pidfd_open(2) of the process that listens where this Unix socket is connected to, with its
/// number in `process`; -ESRCH where the other side has closed the connection.
int bourse_peer_process(int socket, int *_Nonnull process);

/// mremap(2): moves the pages of a private anonymous mapping over those at `to`; zeros stay behind.
int bourse_move_pages(void *_Nonnull from, size_t count, void *_Nonnull to);

/// fallocate(2): takes disk space without changing the file's length where `keepSize`.
int bourse_allocate(int fd, int keepSize, int64_t offset, int64_t count);
/// fdatasync(2).
int bourse_sync_data(int fd);
/// open(2) for reading with O_DIRECT, closed on exec.
int bourse_open_direct(const char *_Nonnull path);
/// renameat2(2) with RENAME_EXCHANGE.
int bourse_exchange(const char *_Nonnull one, const char *_Nonnull other);
/// pwritev(2) of two pieces, as far as the kernel took them in one call.
int64_t bourse_write_two(
    int fd, const void *_Nullable first, size_t firstCount, const void *_Nullable second,
    size_t secondCount, int64_t offset);

/// readdir(3): the next entry's name; 1, 0 at the end, or negative errno.
int bourse_directory_next(void *_Nonnull directory, char *_Nonnull name, size_t capacity);
/// opendir(3), or NULL with errno set.
void *_Nullable bourse_directory_open(const char *_Nonnull path);
/// closedir(3).
void bourse_directory_close(void *_Nonnull directory);

/// FUTEX_WAIT on a 32-bit word within this process, at most `nanos` (negative: for ever).
int bourse_futex_wait(const void *_Nonnull word, uint32_t expected, int64_t nanos);
/// FUTEX_WAKE of one waiter within this process.
int bourse_futex_wake(const void *_Nonnull word);

/// eventfd(2), non-blocking, closed on exec.
int bourse_eventfd(void);
/// signalfd(2) for a set of signals as bits (bit n is signal n), which it also blocks;
/// non-blocking.
int bourse_signalfd(uint64_t signals);
/// Blocks signals (bits as above) for the calling thread and those it makes.
int bourse_block_signals(uint64_t signals);
/// Reads one signal's number from a signalfd; 0 when none waits.
int bourse_signalfd_read(int fd);

/// epoll_create1(2), closed on exec.
int bourse_epoll_create(void);
/// EPOLL_CTL_ADD (1), DEL (2), MOD (3) with `events`, and a number that epoll_wait(2) returns.
int bourse_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token);
/// epoll_wait(2): fills up to `capacity` tokens and events; `milliseconds` negative: for ever.
int bourse_epoll_wait(
    int epoll, uint64_t *_Nonnull tokens, uint32_t *_Nonnull events, int capacity,
    int milliseconds);

/// SO_PEERCRED of a Unix socket.
int bourse_peer_credentials(
    int fd, int32_t *_Nonnull pid, uint32_t *_Nonnull uid, uint32_t *_Nonnull gid);
/// pipe2(2), closed on exec.
int bourse_pipe(int *_Nonnull reading, int *_Nonnull writing);
/// SO_PEERGROUPS of a Unix socket: how many there are; the first `capacity` of them in `groups`
/// where they all fit, else none.
int bourse_peer_groups(int fd, uint32_t *_Nonnull groups, int capacity);
/// memfd_create(2), closed on exec.
int bourse_memory_file(const char *_Nonnull name);

/// Names the calling thread (at most 15 bytes are shown).
int bourse_thread_name(const char *_Nonnull name);
/// Pins the calling thread to one processor.
int bourse_thread_pin(int cpu);
/// gettid(2).
int bourse_thread_id(void);
/// Makes the calling thread's I/O idle class (ioprio_set(2)): it waits for all others.
int bourse_idle_io(void);

/// Makes the process undumpable: PR_SET_DUMPABLE, prctl(2).
int bourse_hide_memory(void);

/// sched_getaffinity(2): bit n of word n / 64 is processor n.
int bourse_affinity_get(int thread, uint64_t *_Nonnull words, size_t count);
/// sched_setaffinity(2), in the same form.
int bourse_affinity_set(int thread, const uint64_t *_Nonnull words, size_t count);

/// ETHTOOL_GCHANNELS: most rx, tx, other, combined, then how many there are of each.
int bourse_channels_get(const char *_Nonnull interface, uint32_t *_Nonnull values);
/// ETHTOOL_SCHANNELS, in the same form.
int bourse_channels_set(const char *_Nonnull interface, const uint32_t *_Nonnull values);

/// What SIOCETHTOOL reports of a network interface, by topic, as lines `key value`: `channels`,
/// `rings`, `coalesce`, `features`, `rss` (a line a queue: it, and its entries of the table),
/// `stats` or `timestamping`. Returns the bytes written before the final zero.
int bourse_ethtool(
    const char *_Nonnull interface, const char *_Nonnull topic, char *_Nonnull bytes,
    size_t capacity);
/// adjtimex(2), reading only, as lines `key value`; the same result.
int bourse_clock_discipline(char *_Nonnull bytes, size_t capacity);

/// Gives an interface an address that lives for `seconds`, or renews it: 1: it is new, 0: renewed.
int bourse_address_add(
    const char *_Nonnull interface, const char *_Nonnull address, int prefix, uint32_t seconds);
/// Takes it from the interface: 1, or 0 where it has none.
int bourse_address_remove(
    const char *_Nonnull interface, const char *_Nonnull address, int prefix);
/// Ends the TCP connections that this host has open from an address by resets to their peers, for
/// about so long at most: how many; -errno where none could be ended.
int bourse_connections_end(const char *_Nonnull address, uint32_t milliseconds);
/// Whether an interface of this host has an address: 1 or 0.
int bourse_address_exists(const char *_Nonnull address);
/// Announces to the network that this interface has an address: gratuitous ARP (RFC 5227) or an
/// unsolicited neighbour advertisement (RFC 4861). Nothing where it is no Ethernet.
int bourse_address_announce(const char *_Nonnull interface, const char *_Nonnull address);

/// fflush(3) of standard output: 0, or the negative errno of the first write that failed. Of one
/// thread.
int bourse_output_flush(void);

#endif
