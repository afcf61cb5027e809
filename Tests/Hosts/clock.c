// Preloaded into a host's daemons, as hosts share the machine's clock: adds what is in a file, a
// 64-bit number of nanoseconds, to CLOCK_REALTIME.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int (*real)(clockid_t, struct timespec *);
static const volatile int64_t *offset;

__attribute__((constructor)) static void begin(void) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int file = open("/srv/clock/offset", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!real) begin();
    int result = real(clock, time);
    if (result != 0 || clock != CLOCK_REALTIME || !offset || *offset == 0) return result;
    int64_t nanos = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + *offset;
    *time = (struct timespec){nanos / 1000000000, nanos % 1000000000};
    return 0;
}
