#include "CCrypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <pthread.h>

// EVP_sha256() is looked up by its name at each use, which takes longer than a short text's digest.
static EVP_MD *sha256;
static pthread_once_t sha256Once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void) { sha256 = EVP_MD_fetch(NULL, "SHA256", NULL); }

int bourse_sha256(const void *bytes, size_t count, uint8_t *digest) {
    pthread_once(&sha256Once, fetch_sha256);
    return EVP_Digest(bytes, count, digest, NULL, sha256 ? sha256 : EVP_sha256(), NULL);
}

static int hmac(
    const EVP_MD *digest, const void *key, size_t keyCount, const void *bytes, size_t count,
    uint8_t *code) {
    static const unsigned char empty[1];
    if (keyCount > INT_MAX) return 0;
    // A null key would ask HMAC to go on with an earlier one.
    return HMAC(digest, key ? key : empty, (int)keyCount, bytes, count, code, NULL) != NULL;
}

int bourse_hmac_sha256(
    const void *key, size_t keyCount, const void *bytes, size_t count, uint8_t *code) {
    return hmac(EVP_sha256(), key, keyCount, bytes, count, code);
}

int bourse_hmac_sha512(
    const void *key, size_t keyCount, const void *bytes, size_t count, uint8_t *code) {
    return hmac(EVP_sha512(), key, keyCount, bytes, count, code);
}

int bourse_ripemd160(const void *bytes, size_t count, uint8_t *digest) {
    return EVP_Digest(bytes, count, digest, NULL, EVP_ripemd160(), NULL);
}

int bourse_pbkdf2_sha512(
    const void *password, size_t passwordCount, const void *salt, size_t saltCount, int rounds,
    uint8_t *key) {
    if (passwordCount > INT_MAX || saltCount > INT_MAX) return 0;
    return PKCS5_PBKDF2_HMAC(
        password, (int)passwordCount, salt, (int)saltCount, rounds, EVP_sha512(), 64, key);
}

int bourse_equal(const void *a, const void *b, size_t count) {
    return CRYPTO_memcmp(a, b, count) == 0;
}

void bourse_cleanse(void *bytes, size_t count) {
    if (bytes) OPENSSL_cleanse(bytes, count);
}

int bourse_aes256gcm_seal(
    const uint8_t *key, const uint8_t *nonce12, const void *ad, size_t adCount, const void *bytes,
    size_t count, uint8_t *out, uint8_t *tag16) {
    if (adCount > INT_MAX || count > INT_MAX) return 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context) return 0;
    int n = 0, last = 0;
    int ok = EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce12) == 1
        && (adCount == 0 || EVP_EncryptUpdate(context, NULL, &n, ad, (int)adCount) == 1)
        && (count == 0 || EVP_EncryptUpdate(context, out, &n, bytes, (int)count) == 1)
        && EVP_EncryptFinal_ex(context, out + count, &last) == 1 && last == 0
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, tag16) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!ok) ERR_clear_error();
    return ok;
}

int bourse_aes256gcm_open(
    const uint8_t *key, const uint8_t *nonce12, const void *ad, size_t adCount, const void *bytes,
    size_t count, const uint8_t *tag16, uint8_t *out) {
    if (adCount > INT_MAX || count > INT_MAX) return 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context) return 0;
    int n = 0, last = 0;
    int ok = EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce12) == 1
        && (adCount == 0 || EVP_DecryptUpdate(context, NULL, &n, ad, (int)adCount) == 1)
        && (count == 0 || EVP_DecryptUpdate(context, out, &n, bytes, (int)count) == 1)
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, (void *)tag16) == 1
        && EVP_DecryptFinal_ex(context, out + count, &last) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!ok) {
        // Nothing of a message that was not authentic may be used.
        OPENSSL_cleanse(out, count);
        ERR_clear_error();
    }
    return ok;
}

int bourse_ed25519_verify(
    const uint8_t *key32, const void *bytes, size_t count, const uint8_t *signature64) {
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key32, 32);
    EVP_MD_CTX *context = key ? EVP_MD_CTX_new() : NULL;
    static const unsigned char empty[1];
    int ok = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1
        && EVP_DigestVerify(context, signature64, 64, bytes ? bytes : empty, count) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (!ok) ERR_clear_error();
    return ok;
}

int bourse_ed25519_public(const uint8_t *secret32, uint8_t *key32) {
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret32, 32);
    size_t size = 32;
    int ok = key && EVP_PKEY_get_raw_public_key(key, key32, &size) == 1 && size == 32;
    EVP_PKEY_free(key);
    if (!ok) ERR_clear_error();
    return ok;
}

int bourse_ed25519_sign(
    const uint8_t *secret32, const void *bytes, size_t count, uint8_t *signature64) {
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret32, 32);
    EVP_MD_CTX *context = key ? EVP_MD_CTX_new() : NULL;
    static const unsigned char empty[1];
    size_t size = 64;
    int ok = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1
        && EVP_DigestSign(context, signature64, &size, bytes ? bytes : empty, count) == 1
        && size == 64;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (!ok) ERR_clear_error();
    return ok;
}

int bourse_scrypt(
    const void *password, size_t passwordCount, const void *salt, size_t saltCount, uint64_t n,
    uint64_t r, uint64_t p, uint8_t *key32) {
    uint64_t memory = 128 * n * r + 128 * r * p + (1 << 20);
    int ok = EVP_PBE_scrypt(
        password ? password : "", passwordCount, salt, saltCount, n, r, p, memory, key32, 32) == 1;
    if (!ok) ERR_clear_error();
    return ok;
}

int bourse_ed25519_public_pem(const void *pem, size_t count, uint8_t *key32) {
    if (count > INT_MAX) return 0;
    BIO *source = BIO_new_mem_buf(pem, (int)count);
    EVP_PKEY *key = source ? PEM_read_bio_PUBKEY(source, NULL, NULL, NULL) : NULL;
    size_t size = 32;
    int ok = key && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519
        && EVP_PKEY_get_raw_public_key(key, key32, &size) == 1 && size == 32;
    EVP_PKEY_free(key);
    BIO_free(source);
    if (!ok) ERR_clear_error();
    return ok;
}
