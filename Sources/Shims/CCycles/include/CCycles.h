// The processor's own cycle counter: the only clock that is fine enough for a step of the engine.
#ifndef BOURSE_CCYCLES_H
#define BOURSE_CCYCLES_H

#include <stdint.h>

#if defined(__x86_64__)
/// The time-stamp counter (RDTSC), constant in rate on all current processors.
static inline uint64_t bourse_cycles(void) { return __builtin_ia32_rdtsc(); }
#elif defined(__aarch64__)
/// The virtual counter (CNTVCT_EL0).
static inline uint64_t bourse_cycles(void) {
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
}
#endif

#endif
