// Threads and time.
#include "machine.h"

#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <linux/futex.h>
#include <ucontext.h>
#include <sched.h>

/// Swift's check that no two accesses overlap counts by thread, and here all are one.
extern _Bool _swift_disableExclusivityChecking __attribute__((weak));

enum { FIBERS_MAX = 4096, STACK = 1 << 20, PROCESSES = 4096 };
enum fiber_state { FREE, READY, WAITING, OVER, DEAD };

// A switch of stacks: what a call must keep, and where the stack is. swapcontext(3) also asks the
// kernel for the signals, which takes longer than all else here.
#if defined(__x86_64__)
typedef void *place;
void machine_switch(place *from, place to);
__asm__(
    ".text\n.globl machine_switch\n.type machine_switch,@function\nmachine_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n");

static void prepare(place *at, void *stack, size_t size, void (*body)(void)) {
    void **top = (void **)((char *)stack + size);
    top[-1] = NULL;
    top[-2] = (void *)body;
    for (int i = 3; i <= 8; i++) top[-i] = NULL;
    *at = &top[-8];
}
#else
typedef ucontext_t place;
static void machine_switch(place *from, place to) { swapcontext(from, &to); }

static void prepare(place *at, void *stack, size_t size, void (*body)(void)) {
    getcontext(at);
    at->uc_stack.ss_sp = stack;
    at->uc_stack.ss_size = size;
    at->uc_link = NULL;
    makecontext(at, body, 0);
}
#endif

struct fiber {
    enum fiber_state state;
    int process, host;
    place context;
    void *stack;
    int64_t deadline;
    const void *word;       // of a futex
    uint64_t joins;         // the thread whose end is awaited
    struct pollfd *polled;  // what poll(2) waits for
    int polled_count;
    int is_woken;
    void *(*body)(void *);
    void (*plain)(void *);
    void *argument;
    int saved_errno;
    uint64_t id;
};

int machine_is_on, machine_io_moved;
short machine_owner[FDS_MAX];
static struct fiber fibers[FIBERS_MAX];
static int fiber_count, current = -1, is_over, has_begun;
static place scheduler, nowhere;
static int64_t now = 1000000000000, paused_until[PROCESSES], clock_offset[HOSTS + 1];
static uint64_t random_state, switches, made;
static void *spare_stacks[FIBERS_MAX];
static int spare_count;

uint64_t machine_random(void) {
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int64_t machine_between(int64_t least, int64_t most) {
    return most <= least ? least : least + (int64_t)(machine_random() % (uint64_t)(most - least + 1));
}

int64_t machine_now(void) { return now; }
void machine_advance(int64_t nanos) { now += nanos; }
int machine_process(void) { return current < 0 ? 0 : fibers[current].process; }
int machine_host(void) { return current < 0 ? 0 : fibers[current].host; }
void machine_set_clock(int host, int64_t nanos) { clock_offset[host] += nanos; }
uint64_t machine_switches(void) { return switches; }

void machine_begin(uint64_t seed, const char *root) {
    random_state = seed * 0xD1342543DE82EF95u + 1;
    has_begun = 1;
    if (&_swift_disableExclusivityChecking) _swift_disableExclusivityChecking = 1;
    disk_begin(root);
}

void machine_leave(void) { machine_is_on = 0; }
void machine_end(void) { is_over = 1; }

// MARK: Switching

/// Lets the scheduler go on; comes back once this thread is chosen.
static void leave(void) {
    struct fiber *fiber = &fibers[current];
    fiber->saved_errno = errno;
    machine_is_on = 0;
    machine_switch(&fiber->context, scheduler);
    machine_is_on = 1;
    errno = fiber->saved_errno;
}

/// Waits until woken or until that time.
void machine_block(int64_t until) {
    struct fiber *fiber = &fibers[current];
    fiber->state = WAITING;
    fiber->deadline = until;
    fiber->is_woken = 0;
    leave();
    fiber->word = NULL;
    fiber->joins = 0;
    fiber->polled_count = 0;
}

static void wake(struct fiber *fiber) {
    fiber->state = READY;
    fiber->is_woken = 1;
}

static void finish(uint64_t id) {
    for (int i = 0; i < fiber_count; i++)
        if (fibers[i].state == WAITING && fibers[i].joins == id) wake(&fibers[i]);
}

static void enter(void) {
    machine_is_on = 1;
    struct fiber *fiber = &fibers[current];
    if (fiber->plain) fiber->plain(fiber->argument);
    else fiber->body(fiber->argument);
    fiber->state = OVER;
    finish(fiber->id);
    machine_is_on = 0;
    machine_switch(&nowhere, scheduler);
}

static int make(int process, int host) {
    int index = 0;
    while (index < fiber_count && fibers[index].state != FREE) index++;
    if (index == FIBERS_MAX) abort();
    if (index == fiber_count) fiber_count++;
    struct fiber *fiber = &fibers[index];
    memset(fiber, 0, sizeof *fiber);
    fiber->process = process;
    fiber->host = host;
    fiber->id = ++made << 12 | (uint64_t)index;
    fiber->stack = spare_count ? spare_stacks[--spare_count] : NULL;
    if (!fiber->stack)
        fiber->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    prepare(&fiber->context, fiber->stack, STACK, enter);
    fiber->state = READY;
    return index;
}

void machine_spawn(int process, int host, void (*body)(void *), void *context) {
    struct fiber *fiber = &fibers[make(process, host)];
    fiber->plain = body;
    fiber->argument = context;
}

void machine_kill(int process) {
    for (int i = 0; i < fiber_count; i++) {
        struct fiber *fiber = &fibers[i];
        if (fiber->process != process || fiber->state == FREE) continue;
        if (fiber->state == READY || fiber->state == WAITING) fiber->state = DEAD;
    }
    for (int fd = 3; fd < FDS_MAX; fd++)
        if (machine_owner[fd] == process) {
            machine_owner[fd] = 0;
            REAL(close)(fd);
        }
    paused_until[process] = 0;
    machine_io_moved = 1;
    if (current >= 0 && fibers[current].process == process) {
        fibers[current].state = DEAD;
        machine_is_on = 0;
        machine_switch(&nowhere, scheduler);
    }
}

void machine_pause(int process, int64_t until) { paused_until[process] = until; }

void machine_power_cut(int host) {
    network_close_host(host);
    for (int process = 1; process < PROCESSES; process++) {
        for (int i = 0; i < fiber_count; i++)
            if (fibers[i].process == process && fibers[i].host == host
                && (fibers[i].state == READY || fibers[i].state == WAITING)) {
                machine_kill(process);
                break;
            }
    }
    disk_power_cut(host);
}

// MARK: The scheduler

/// Makes those ready whose descriptors are.
static void look_at_descriptors(void) {
    static struct pollfd all[4 * FIBERS_MAX];
    static int owner[4 * FIBERS_MAX];
    int count = 0;
    for (int i = 0; i < fiber_count; i++) {
        struct fiber *fiber = &fibers[i];
        if (fiber->state != WAITING) continue;
        for (int k = 0; k < fiber->polled_count; k++) {
            all[count] = fiber->polled[k];
            owner[count++] = i;
        }
    }
    if (count == 0 || REAL(poll)(all, (nfds_t)count, 0) <= 0) return;
    for (int k = 0; k < count; k++)
        if (all[k].revents && fibers[owner[k]].state == WAITING) wake(&fibers[owner[k]]);
}

static int64_t next_network;

static int choose(void) {
    int ready = 0, chosen = -1;
    for (int i = 0; i < fiber_count; i++) {
        struct fiber *fiber = &fibers[i];
        if (fiber->state == WAITING && fiber->deadline <= now) fiber->state = READY;
        if (fiber->state == OVER) {
            spare_stacks[spare_count++] = fiber->stack;
            fiber->state = FREE;
        }
        // What is on its stack may be pointed at: it is left alone.
        if (fiber->state == DEAD) fiber->state = FREE;
        if (fiber->state != READY || paused_until[fiber->process] > now) continue;
        ready++;
        if (machine_random() % (unsigned)ready == 0) chosen = i;
    }
    return chosen;
}

/// Goes on to the next time at which something is due; 0: there is none.
static int pass_time(void) {
    int64_t next = next_network;
    for (int i = 0; i < fiber_count; i++) {
        struct fiber *fiber = &fibers[i];
        if (fiber->state != WAITING && fiber->state != READY) continue;
        int64_t due = fiber->state == READY ? now : fiber->deadline;
        if (paused_until[fiber->process] > due) due = paused_until[fiber->process];
        if (due < next) next = due;
    }
    if (next == INT64_MAX) return 0;
    if (next > now) now = next;
    return 1;
}

int machine_run(uint64_t switches_max) {
    while (!is_over) {
        if (machine_io_moved || now >= next_network) {
            machine_io_moved = 0;
            next_network = network_turn();
            look_at_descriptors();
        }
        int chosen = choose();
        if (chosen < 0) {
            if (!pass_time()) return 1;
            continue;
        }
        if (++switches > switches_max) return 2;
        now += machine_between(500, 3000);
        current = chosen;
        machine_switch(&scheduler, fibers[chosen].context);
        current = -1;
    }
    return 0;
}

void machine_print(void) {
    for (int i = 0; i < fiber_count; i++)
        if (fibers[i].state == READY || fibers[i].state == WAITING)
            fprintf(stderr, "thread %d of process %d, host %d: %s, due in %lld us, %d fds, word %p\n",
                i, fibers[i].process, fibers[i].host, fibers[i].state == READY ? "ready" : "waits",
                (long long)(fibers[i].deadline - now) / 1000, fibers[i].polled_count, fibers[i].word);
}

static int alarmed = -1;

void machine_sleep_until(int64_t until) {
    alarmed = current;
    machine_block(until);
    alarmed = -1;
}

void machine_alarm(int64_t at) {
    if (alarmed >= 0 && fibers[alarmed].state == WAITING && at < fibers[alarmed].deadline)
        fibers[alarmed].deadline = at;
}

int machine_fork(void) { return fork(); }

void machine_make_repeatable(char **arguments) {
    if (getenv("SWIFT_DETERMINISTIC_HASHING")) return;
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1);
    personality(ADDR_NO_RANDOMIZE);
    execv("/proc/self/exe", arguments);
}

// MARK: Calls

static int64_t after(int64_t nanos) {
    return nanos < 0 || nanos > INT64_MAX - now ? INT64_MAX : now + nanos;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!machine_is_on) return REAL(clock_gettime)(clock, time);
    now += 50;
    int64_t value = now;
    if (clock == CLOCK_REALTIME) value += 1700000000000000000 + clock_offset[machine_host()];
    time->tv_sec = value / 1000000000;
    time->tv_nsec = value % 1000000000;
    return 0;
}

int nanosleep(const struct timespec *time, struct timespec *left) {
    if (!machine_is_on) return REAL(nanosleep)(time, left);
    machine_block(after(time->tv_sec * 1000000000 + time->tv_nsec));
    return 0;
}

int usleep(useconds_t micros) {
    if (!machine_is_on) return REAL(usleep)(micros);
    machine_block(after((int64_t)micros * 1000));
    return 0;
}

int sched_yield(void) {
    if (!machine_is_on) return REAL(sched_yield)();
    machine_block(now + 1000);
    return 0;
}

long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (!machine_is_on || number != SYS_futex)
        return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    const uint32_t *word = (const uint32_t *)a[0];
    switch ((int)a[1] & ~FUTEX_PRIVATE_FLAG) {
    case FUTEX_WAIT: {
        if (*(const volatile uint32_t *)word != (uint32_t)a[2]) {
            errno = EAGAIN;
            return -1;
        }
        const struct timespec *limit = (const struct timespec *)a[3];
        fibers[current].word = word;
        machine_block(limit ? after(limit->tv_sec * 1000000000 + limit->tv_nsec) : INT64_MAX);
        if (fibers[current].is_woken) return 0;
        errno = ETIMEDOUT;
        return -1;
    }
    case FUTEX_WAKE: {
        long woken = 0;
        for (int i = 0; i < fiber_count && woken < a[2]; i++)
            if (fibers[i].state == WAITING && fibers[i].word == word) {
                wake(&fibers[i]);
                woken++;
            }
        return woken;
    }
    default:
        fprintf(stderr, "a lock is awaited while its holder waits\n");
        abort();
    }
}

int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    if (!machine_is_on) return REAL(pthread_create)(thread, attributes, body, argument);
    int index = make(fibers[current].process, fibers[current].host);
    fibers[index].body = body;
    fibers[index].argument = argument;
    *thread = (pthread_t)fibers[index].id;
    return 0;
}

int pthread_join(pthread_t thread, void **value) {
    if (!machine_is_on) return REAL(pthread_join)(thread, value);
    struct fiber *other = &fibers[thread & 4095];
    while (other->id == thread && (other->state == READY || other->state == WAITING)) {
        fibers[current].joins = thread;
        machine_block(INT64_MAX);
    }
    return 0;
}

int pthread_setname_np(pthread_t thread, const char *name) {
    return has_begun ? 0 : REAL(pthread_setname_np)(thread, name);
}

int poll(struct pollfd *entries, nfds_t count, int millis) {
    if (!machine_is_on) return REAL(poll)(entries, count, millis);
    int64_t until = after((int64_t)millis * 1000000);
    if (millis < 0) until = INT64_MAX;
    while (1) {
        int ready = REAL(poll)(entries, count, 0);
        if (ready != 0 || now >= until) {
            // Who only looks lets others run as well.
            if (millis == 0) machine_block(now + 1000);
            return ready;
        }
        fibers[current].polled = entries;
        fibers[current].polled_count = (int)count;
        machine_block(until);
    }
}

int epoll_wait(int epoll, struct epoll_event *events, int capacity, int millis) {
    if (!machine_is_on) return REAL(epoll_wait)(epoll, events, capacity, millis);
    int64_t until = millis < 0 ? INT64_MAX : after((int64_t)millis * 1000000);
    struct pollfd entry = {.fd = epoll, .events = POLLIN};
    while (1) {
        int ready = REAL(epoll_wait)(epoll, events, capacity, 0);
        if (ready != 0 || now >= until) {
            if (millis == 0) machine_block(now + 1000);
            return ready;
        }
        fibers[current].polled = &entry;
        fibers[current].polled_count = 1;
        machine_block(until);
    }
}

ssize_t getrandom(void *bytes, size_t count, unsigned flags) {
    if (!machine_is_on) return REAL(getrandom)(bytes, count, flags);
    for (size_t i = 0; i < count; i++) ((unsigned char *)bytes)[i] = (unsigned char)machine_random();
    return (ssize_t)count;
}
