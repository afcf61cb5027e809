// The few calls of libcrypto (OpenSSL 3, EVP) that are used, as plain functions: 1 is success.
#ifndef BOURSE_CCRYPTO_H
#define BOURSE_CCRYPTO_H

#include <stddef.h>
#include <stdint.h>

/// SHA-256 (FIPS 180-4) to 32 bytes.
int bourse_sha256(const void *_Nullable bytes, size_t count, uint8_t *_Nonnull digest);
/// HMAC-SHA256 (RFC 2104) to 32 bytes.
int bourse_hmac_sha256(
    const void *_Nullable key, size_t keyCount, const void *_Nullable bytes, size_t count,
    uint8_t *_Nonnull code);
/// HMAC-SHA512 (RFC 4231) to 64 bytes.
int bourse_hmac_sha512(
    const void *_Nullable key, size_t keyCount, const void *_Nullable bytes, size_t count,
    uint8_t *_Nonnull code);
/// RIPEMD-160 to 20 bytes.
int bourse_ripemd160(const void *_Nullable bytes, size_t count, uint8_t *_Nonnull digest);
/// PBKDF2 (RFC 8018) with HMAC-SHA512 to 64 bytes.
int bourse_pbkdf2_sha512(
    const void *_Nonnull password, size_t passwordCount, const void *_Nonnull salt,
    size_t saltCount, int rounds, uint8_t *_Nonnull key);
/// 1 when the bytes are the same; its time does not depend on them.
int bourse_equal(const void *_Nullable a, const void *_Nullable b, size_t count);
/// Overwrites memory in a way that is not optimised away.
void bourse_cleanse(void *_Nullable bytes, size_t count);
/// AES-256-GCM (SP 800-38D): `count` bytes of ciphertext to `out`, and a 16-byte tag.
int bourse_aes256gcm_seal(
    const uint8_t *_Nonnull key, const uint8_t *_Nonnull nonce12, const void *_Nullable ad,
    size_t adCount, const void *_Nullable bytes, size_t count, uint8_t *_Nonnull out,
    uint8_t *_Nonnull tag16);
/// The reverse; 0 when the tag is not that of key, nonce, associated data and ciphertext.
int bourse_aes256gcm_open(
    const uint8_t *_Nonnull key, const uint8_t *_Nonnull nonce12, const void *_Nullable ad,
    size_t adCount, const void *_Nullable bytes, size_t count, const uint8_t *_Nonnull tag16,
    uint8_t *_Nonnull out);
/// Ed25519 (RFC 8032): 1 when the 64-byte signature is of these bytes and this 32-byte key.
int bourse_ed25519_verify(
    const uint8_t *_Nonnull key32, const void *_Nullable bytes, size_t count,
    const uint8_t *_Nonnull signature64);
/// The public key of a 32-byte Ed25519 secret (RFC 8032, 5.1.5) to 32 bytes.
int bourse_ed25519_public(const uint8_t *_Nonnull secret32, uint8_t *_Nonnull key32);
/// The signature of these bytes by a 32-byte Ed25519 secret to 64 bytes.
int bourse_ed25519_sign(
    const uint8_t *_Nonnull secret32, const void *_Nullable bytes, size_t count,
    uint8_t *_Nonnull signature64);
/// scrypt (RFC 7914) to 32 bytes; 0 without the memory for it, 128 × n × r bytes.
int bourse_scrypt(
    const void *_Nullable password, size_t passwordCount, const void *_Nonnull salt,
    size_t saltCount, uint64_t n, uint64_t r, uint64_t p, uint8_t *_Nonnull key32);
/// 1 when the PEM text (RFC 7468) is an Ed25519 public key (RFC 8410), which goes to `key32`.
int bourse_ed25519_public_pem(
    const void *_Nullable pem, size_t count, uint8_t *_Nonnull key32);

#endif
