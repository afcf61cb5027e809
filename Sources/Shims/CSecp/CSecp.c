#include "CSecp.h"

#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>

static const secp256k1_context *verifying(void) { return secp256k1_context_static; }

static int written(const secp256k1_pubkey *key, uint8_t *public33) {
    size_t count = 33;
    return secp256k1_ec_pubkey_serialize(
        verifying(), public33, &count, key, SECP256K1_EC_COMPRESSED) && count == 33;
}

int bourse_secp_public(const uint8_t *key32, uint8_t *public33) {
    // A context of its own for each secret: nobody shares its blinding, and few are made.
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
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
    const uint8_t *key32, const uint8_t *digest32, const uint8_t *blind32, uint8_t *signature64,
    int *recovery) {
    // A context of its own for each secret, as above.
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (!context) return 0;
    secp256k1_ecdsa_recoverable_signature signature;
    int ok = secp256k1_context_randomize(context, blind32)
        && secp256k1_ecdsa_sign_recoverable(context, &signature, digest32, key32, NULL, NULL)
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
