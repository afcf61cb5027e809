// CRC32C (Castagnoli polynomial 0x1EDC6F41, reflected 0x82F63B78; RFC 3720 appendix B.4).
#include "CLinux.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

int bourse_crc32c_is_fast(void) { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) uint32_t bourse_crc32c_fast(
    uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    uint64_t c = ~crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = _mm_crc32_u64(c, word);
    }
    uint32_t narrow = (uint32_t)c;
    for (; count > 0; p++, count--) narrow = _mm_crc32_u8(narrow, *p);
    return ~narrow;
}

#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>

// HWCAP_CRC32 of the kernel's hwcap.h.
int bourse_crc32c_is_fast(void) { return (getauxval(AT_HWCAP) & (1 << 7)) != 0; }

__attribute__((target("crc"))) uint32_t bourse_crc32c_fast(
    uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    uint32_t c = ~crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = __crc32cd(c, word);
    }
    for (; count > 0; p++, count--) c = __crc32cb(c, *p);
    return ~c;
}

#else

int bourse_crc32c_is_fast(void) { return 0; }
uint32_t bourse_crc32c_fast(uint32_t crc, const void *bytes, size_t count) {
    return bourse_crc32c_table(crc, bytes, count);
}

#endif

static uint32_t table[8][256];

// Before main, so that no call has to check whether the table is filled.
__attribute__((constructor)) static void makeTable(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
        table[0][n] = c;
    }
    for (uint32_t n = 0; n < 256; n++)
        for (int row = 1; row < 8; row++)
            table[row][n] = table[0][table[row - 1][n] & 255] ^ table[row - 1][n] >> 8;
}

uint32_t bourse_crc32c_table(uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    uint32_t c = ~crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint32_t low = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16
                            | (uint32_t)p[3] << 24);
        c = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255]
            ^ table[4][low >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]]
            ^ table[0][p[7]];
    }
    for (; count > 0; p++, count--) c = table[0][(c ^ *p) & 255] ^ c >> 8;
    return ~c;
}
