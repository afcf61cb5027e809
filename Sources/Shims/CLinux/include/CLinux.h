// What Swift cannot import or generate by itself: prefetch, CRC32C instructions, variadic calls.
#ifndef BOURSE_CLINUX_H
#define BOURSE_CLINUX_H

#include <stddef.h>
#include <stdint.h>

/// Asks the processor to load the cache line at `p`; never faults.
static inline void bourse_prefetch(const void *_Nullable p) { __builtin_prefetch(p, 1, 3); }

#endif
