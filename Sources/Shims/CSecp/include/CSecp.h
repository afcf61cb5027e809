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
