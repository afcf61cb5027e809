#define _GNU_SOURCE
#include "CSecp.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>

#include <secp256k1_schnorrsig.h>

static const secp256k1_context *verifying(void) { return secp256k1_context_static; }

/// A context of its own for each secret: nobody shares its blinding, and few are made. NULL: there
/// is no memory, or the kernel gives no random bytes.
static secp256k1_context *blinded(void) {
    uint8_t seed[32];
    // Up to 256 bytes come whole, once the kernel's generator has started.
    ssize_t count = TEMP_FAILURE_RETRY(getrandom(seed, sizeof seed, 0));
    if (count != (ssize_t)sizeof seed) return NULL;
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (context && !secp256k1_context_randomize(context, seed)) {
        secp256k1_context_destroy(context);
        context = NULL;
    }
    explicit_bzero(seed, sizeof seed);
    return context;
}

static int written(const secp256k1_pubkey *key, uint8_t *public33) {
    size_t count = 33;
    return secp256k1_ec_pubkey_serialize(
        verifying(), public33, &count, key, SECP256K1_EC_COMPRESSED) && count == 33;
}

int bourse_secp_public(const uint8_t *key32, uint8_t *public33) {
    secp256k1_context *context = blinded();
    if (!context) return 0;
    secp256k1_pubkey key;
    int ok = secp256k1_ec_pubkey_create(context, &key, key32) && written(&key, public33);
    secp256k1_context_destroy(context);
    return ok;
}

int bourse_secp_add_to_private(uint8_t *key32, const uint8_t *tweak32) {
    return secp256k1_ec_seckey_tweak_add(verifying(), key32, tweak32);
}

int bourse_secp_add_to_public(uint8_t *public33, const uint8_t *tweak32) {
    secp256k1_pubkey key;
    return secp256k1_ec_pubkey_parse(verifying(), &key, public33, 33)
        && secp256k1_ec_pubkey_tweak_add(verifying(), &key, tweak32) && written(&key, public33);
}

int bourse_secp_output_key(const uint8_t *public33, const uint8_t *tweak32, uint8_t *output32) {
    secp256k1_pubkey key, tweaked;
    secp256k1_xonly_pubkey internal, output;
    return secp256k1_ec_pubkey_parse(verifying(), &key, public33, 33)
        && secp256k1_xonly_pubkey_from_pubkey(verifying(), &internal, NULL, &key)
        && secp256k1_xonly_pubkey_tweak_add(verifying(), &tweaked, &internal, tweak32)
        && secp256k1_xonly_pubkey_from_pubkey(verifying(), &output, NULL, &tweaked)
        && secp256k1_xonly_pubkey_serialize(verifying(), output32, &output);
}

int bourse_secp_point(const uint8_t *public33, uint8_t *point65) {
    secp256k1_pubkey key;
    size_t count = 65;
    return secp256k1_ec_pubkey_parse(verifying(), &key, public33, 33)
        && secp256k1_ec_pubkey_serialize(
            verifying(), point65, &count, &key, SECP256K1_EC_UNCOMPRESSED) && count == 65;
}

int bourse_secp_sign(
    const uint8_t *key32, const uint8_t *digest32, uint8_t *signature64, int *recovery) {
    secp256k1_context *context = blinded();
    if (!context) return 0;
    secp256k1_ecdsa_recoverable_signature signature;
    int ok = secp256k1_ecdsa_sign_recoverable(context, &signature, digest32, key32, NULL, NULL)
        && secp256k1_ecdsa_recoverable_signature_serialize_compact(
            context, signature64, recovery, &signature);
    secp256k1_context_destroy(context);
    return ok;
}

int bourse_secp_recover(
    const uint8_t *signature64, int recovery, const uint8_t *digest32, uint8_t *public33) {
    secp256k1_ecdsa_recoverable_signature signature;
    secp256k1_pubkey key;
    // The library ends the process at another number.
    return recovery >= 0 && recovery <= 3
        && secp256k1_ecdsa_recoverable_signature_parse_compact(
            verifying(), &signature, signature64, recovery)
        && secp256k1_ecdsa_recover(verifying(), &key, &signature, digest32)
        && written(&key, public33);
}

int bourse_secp_sign_ecdsa(
    const uint8_t *key32, const uint8_t *hash32, uint8_t *der72, size_t *count) {
    secp256k1_context *context = blinded();
    if (!context) return 0;
    secp256k1_ecdsa_signature signature;
    secp256k1_pubkey key;
    *count = 72;
    // A fault of the machine while it signs can give the key away: what does not verify stays here.
    int ok = secp256k1_ec_pubkey_create(context, &key, key32)
        && secp256k1_ecdsa_sign(
            context, &signature, hash32, key32, secp256k1_nonce_function_rfc6979, NULL)
        && secp256k1_ecdsa_verify(verifying(), &signature, hash32, &key)
        && secp256k1_ecdsa_signature_serialize_der(verifying(), der72, count, &signature);
    secp256k1_context_destroy(context);
    if (!ok) explicit_bzero(der72, 72);
    return ok;
}

int bourse_secp_verify_ecdsa(
    const uint8_t *public_key, size_t public_count, const uint8_t *hash32, const uint8_t *der,
    size_t count) {
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature signature;
    // Normalising returns 1 for a high S.
    return secp256k1_ec_pubkey_parse(verifying(), &key, public_key, public_count)
        && secp256k1_ecdsa_signature_parse_der(verifying(), &signature, der, count)
        && !secp256k1_ecdsa_signature_normalize(verifying(), NULL, &signature)
        && secp256k1_ecdsa_verify(verifying(), &signature, hash32, &key);
}

int bourse_secp_sign_schnorr(
    const uint8_t *key32, const uint8_t *tweak32, const uint8_t *hash32, const uint8_t *random32,
    uint8_t *signature64) {
    secp256k1_context *context = blinded();
    if (!context) return 0;
    secp256k1_keypair pair;
    secp256k1_xonly_pubkey key;
    int ok = secp256k1_keypair_create(context, &pair, key32)
        && (!tweak32 || secp256k1_keypair_xonly_tweak_add(context, &pair, tweak32))
        && secp256k1_keypair_xonly_pub(context, &key, NULL, &pair)
        && secp256k1_schnorrsig_sign32(context, signature64, hash32, &pair, random32)
        && secp256k1_schnorrsig_verify(verifying(), signature64, hash32, 32, &key);
    explicit_bzero(&pair, sizeof pair);
    secp256k1_context_destroy(context);
    if (!ok) explicit_bzero(signature64, 64);
    return ok;
}

int bourse_secp_verify_schnorr(
    const uint8_t *key32, const uint8_t *hash32, const uint8_t *signature64) {
    secp256k1_xonly_pubkey key;
    return secp256k1_xonly_pubkey_parse(verifying(), &key, key32)
        && secp256k1_schnorrsig_verify(verifying(), signature64, hash32, 32, &key);
}
