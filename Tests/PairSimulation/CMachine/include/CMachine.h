// Two hosts in one thread: threads, clocks, sockets between hosts and unsynced writes are simulated
// beneath the unmodified code, at the calls of libc that it makes. Everything is decided by a seed.
//
// A simulated thread is a stack of its own (ucontext(3)), which runs until a call that waits:
// poll(2), epoll_wait(2), futex(2), nanosleep(2), fdatasync(2), sched_yield(2), pthread_join(3).
// Which one goes on next is drawn by the seed. Time stands still meanwhile; when all wait, it goes
// on to the next deadline.
#ifndef BOURSE_CMACHINE_H
#define BOURSE_CMACHINE_H

#include <stddef.h>
#include <stdint.h>

/// Begins a simulation in this process: from here on its calls are simulated. `root`: the directory
/// of the hosts' disks, `root/0` and `root/1`. Once a process.
void machine_begin(uint64_t seed, const char *_Nonnull root);
/// Runs until `machine_end` is called. Gives 0, or why it stopped: 1 all wait for ever, 2 too many
/// switches.
int machine_run(uint64_t switches_max);
/// Ends the run when the calling thread waits next.
void machine_end(void);
/// Ends the simulation of calls: they are real again.
void machine_leave(void);

/// Starts a thread of process `process`, a number of the caller's from 1 to 4095, on `host` (0, 1, or
/// 2: on neither).
void machine_spawn(
    int process, int host, void (*_Nonnull body)(void *_Nullable), void *_Nullable context);
/// The process of the calling thread.
int machine_process(void);
/// Ends a process: its threads never go on, its descriptors are closed. The calling thread may be
/// one of them: then this does not return.
void machine_kill(int process);
/// The threads of a process stand still until that time.
void machine_pause(int process, int64_t until);

/// CLOCK_BOOTTIME now, ns.
int64_t machine_now(void);
/// Adds to a host's CLOCK_REALTIME.
void machine_set_clock(int host, int64_t nanos);
/// A number drawn by the seed.
uint64_t machine_random(void);
/// Sleeps until that time, or an earlier one that `machine_alarm` names. For one thread.
void machine_sleep_until(int64_t until);
/// Ends that sleep at this time at the latest.
void machine_alarm(int64_t at);

/// Whether bytes pass from a host to the other; what does not pass waits.
void machine_cut(int from, int is_cut);
/// How long bytes take between hosts, ns.
void machine_delay(int64_t least, int64_t most);
/// Ends all connections between the hosts.
void machine_reset_connections(void);
/// How long fdatasync(2) takes on a host, ns, and until when it hangs.
void machine_disk(int host, int64_t least, int64_t most, int64_t hangs_until);
/// The next syncs and writes of files fail with this errno; 0: none does. ENOSPC: only what needs
/// more space fails.
void machine_disk_fails(int host, int code);
/// The power of a host is cut: all its processes end, what was written and not synced is kept,
/// lost, or torn, and its peer hears nothing more of its connections.
void machine_power_cut(int host);
/// Copies the files of a directory as a power cut now would leave them at the worst: without all
/// that is not synced.
void machine_copy_durable(const char *_Nonnull from, const char *_Nonnull to);
/// Writes that were lost or torn by power cuts so far.
uint64_t machine_lost_writes(void);
/// Context switches so far.
uint64_t machine_switches(void);
/// fork(2).
int machine_fork(void);
/// Starts this program again where addresses or hashes are drawn anew by each process, so that they
/// are not.
void machine_make_repeatable(char *_Nullable *_Nonnull arguments);
/// Prints the threads and what they wait for.
void machine_print(void);

#endif
