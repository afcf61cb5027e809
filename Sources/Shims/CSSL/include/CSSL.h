// The few calls of libssl (OpenSSL 3) that are used, for TLS 1.3 with certificates on both sides.
#ifndef BOURSE_CSSL_H
#define BOURSE_CSSL_H

#include <stddef.h>
#include <stdint.h>

/// What a certificate's chain, key and authority are read from: paths of PEM files; certificate and
/// key are empty for a client that has none. Returns a context for `bourse_tls_new`, or null:
/// `step` is then what failed: 0 memory, 1 the authority, 2 the certificate, 3 the key, 4 that the
/// key is the certificate's; and `reason` is why.
void *_Nullable bourse_tls_context(
    const char *_Nonnull authority, const char *_Nonnull certificate, const char *_Nonnull key,
    int *_Nonnull step, char *_Nonnull reason, size_t reasonSize);
/// Frees the context; connections made of it keep what they need.
void bourse_tls_context_free(void *_Nonnull context);

/// A connection over a stream socket that does not block; null without memory. Each of the `names`,
/// one after the other with a zero byte behind each, is a DNS name that the peer's certificate may
/// have; one that begins with a dot is the end of names. A server without names asks the client for
/// no certificate; one whose first name begins with a dot takes certificates for any purpose.
void *_Nullable bourse_tls_new(
    void *_Nonnull context, int socket, int isServer, const char *_Nonnull names);
/// Frees the connection; the socket stays open.
void bourse_tls_free(void *_Nonnull tls);

/// The result of a call.
enum bourse_tls_status {
    /// Done.
    bourse_tls_done = 0,
    /// Again when there is something to read.
    bourse_tls_wants_read = 1,
    /// Again when there is room to write.
    bourse_tls_wants_write = 2,
    /// The peer has ended the stream.
    bourse_tls_ended = 3,
    /// The connection ended without the end of the stream.
    bourse_tls_cut = 4,
    /// A system call failed: errno(3).
    bourse_tls_system = 5,
    /// TLS failed: `bourse_tls_reason`.
    bourse_tls_failed = 6,
};

/// Shakes hands.
int bourse_tls_handshake(void *_Nonnull tls);
/// Reads at most `count` bytes, which must be above 0.
int bourse_tls_read(
    void *_Nonnull tls, void *_Nonnull bytes, size_t count, size_t *_Nonnull taken);
/// Writes some of `count` bytes, which must be above 0.
int bourse_tls_write(
    void *_Nonnull tls, const void *_Nonnull bytes, size_t count, size_t *_Nonnull taken);
/// Ends the stream: nothing more will be written.
int bourse_tls_end(void *_Nonnull tls);

/// Why the last call failed: the code of the certificate's check (X509_V_ERR_…; 0: passed), the
/// alert that came from the peer (RFC 8446, 6; -1: none), and words.
void bourse_tls_reason(
    void *_Nonnull tls, int *_Nonnull check, int *_Nonnull alert, char *_Nonnull reason,
    size_t reasonSize);
/// When the peer's certificate begins to be valid, seconds since 1970; INT64_MIN: not known.
int64_t bourse_tls_peer_made(void *_Nonnull tls);
/// The one of the names that the peer's certificate has; empty before the handshake is done.
void bourse_tls_peer(void *_Nonnull tls, char *_Nonnull name, size_t nameSize);

#endif
