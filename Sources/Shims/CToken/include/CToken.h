// Keys on PKCS#11 tokens (version 2.40, and EdDSA of 3.0), by libp11-kit. For one thread.

#pragma once

#include <stddef.h>
#include <stdint.h>

/// The result of a call.
enum {
    BOURSE_TOKEN_DONE = 0,
    /// No URI of RFC 7512, or one without module-path, token or serial, and object or id.
    BOURSE_TOKEN_NO_URI = 1,
    /// The module cannot be loaded.
    BOURSE_TOKEN_NO_MODULE = 2,
    /// No token matches the URI.
    BOURSE_TOKEN_ABSENT = 3,
    /// Several tokens match it.
    BOURSE_TOKEN_SEVERAL = 4,
    /// The token has no key of this kind that matches it.
    BOURSE_TOKEN_NO_KEY = 5,
    /// Several keys match it.
    BOURSE_TOKEN_SEVERAL_KEYS = 6,
    /// The module's function failed; its CK_RV is beside.
    BOURSE_TOKEN_FAILED = 7,
};

/// A session with a token.
typedef struct bourse_token bourse_token;

/// Loads the URI's module and opens a session with its token. Nothing else of the module's is
/// touched. The result is closed with `bourse_token_close`.
int bourse_token_open(const char *uri, bourse_token **token, unsigned long *rv);
/// Ends the session, and unloads the module. Does nothing for NULL.
void bourse_token_close(bourse_token *token);
/// The label that the URI's object names; NULL where it names none. Lives as long as the session.
const char *bourse_token_label(const bourse_token *token);
/// Logs in as the token's user. A token counts wrong PINs: nothing is tried where one more would
/// lock it, as if it were locked.
int bourse_token_login(bourse_token *token, const void *pin, size_t count, unsigned long *rv);
/// The public key, 32 bytes, of the Ed25519 key that the URI names.
int bourse_token_public_key(bourse_token *token, uint8_t *key32, unsigned long *rv);
/// Signs by Ed25519 with the private key that the URI names: 64 bytes.
int bourse_token_sign(
    bourse_token *token, const void *bytes, size_t count, uint8_t *signature64, unsigned long *rv);
/// Whether the private RSA key that the URI names never leaves the token, and has 2,048 bits.
int bourse_token_guards(bourse_token *token, int *guards, unsigned long *rv);
/// Encrypts with the public RSA key that the URI names, by OAEP with SHA-1 (which all tokens
/// know). `*outCount` is the room in `out`, and then what was written.
int bourse_token_encrypt(
    bourse_token *token, const void *bytes, size_t count, uint8_t *out, size_t *outCount,
    unsigned long *rv);
/// Decrypts what `bourse_token_encrypt` gave, with the private key.
int bourse_token_decrypt(
    bourse_token *token, const void *bytes, size_t count, uint8_t *out, size_t *outCount,
    unsigned long *rv);
