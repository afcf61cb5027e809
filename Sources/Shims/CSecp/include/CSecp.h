// The curve secp256k1 by libsecp256k1. Each function returns 1, or 0 where it cannot be done.

#pragma once

#include <stdint.h>

/// The compressed public key, 33 bytes, of a private key of 32; 0: it is zero or above the order.
int bourse_secp_public(const uint8_t *key32, uint8_t *public33);
/// Adds a tweak to a private key in place; 0: the tweak is above the order, or the sum is zero.
int bourse_secp_add_to_private(uint8_t *key32, const uint8_t *tweak32);
/// Adds a tweak's point to a public key in place; 0: as above, or it is no point of the curve.
int bourse_secp_add_to_public(uint8_t *public33, const uint8_t *tweak32);
/// The output key of BIP341: the even point of a public key's x, with a tweak's point added; 32
/// bytes.
int bourse_secp_output_key(const uint8_t *public33, const uint8_t *tweak32, uint8_t *output32);
/// A compressed public key's point as 65 bytes, 4 and x and y; 0: it is no point of the curve.
int bourse_secp_point(const uint8_t *public33, uint8_t *point65);
/// Signs a digest by ECDSA with the nonce of RFC 6979: r and s, 64 bytes, with s in the lower half
/// of the order, and which of the points with this r it was, 0 to 3. 32 random bytes blind the
/// computation and do not change its result. 0: the key is none.
int bourse_secp_sign(
    const uint8_t *key32, const uint8_t *digest32, const uint8_t *blind32, uint8_t *signature64,
    int *recovery);
/// The compressed public key of a signature of a digest; 0: it is nobody's.
int bourse_secp_recover(
    const uint8_t *signature64, int recovery, const uint8_t *digest32, uint8_t *public33);
