#define _GNU_SOURCE
#include "CSSL.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/// An SSL, and why its last call failed.
struct connection {
    SSL *ssl;
    int alert;
    char reason[160];
};

// A BIO of our own: OpenSSL's writes by write(2), which raises SIGPIPE.

static int socket_write(BIO *bio, const char *bytes, int count) {
    BIO_clear_retry_flags(bio);
    const int fd = *(int *)BIO_get_data(bio);
    ssize_t n = TEMP_FAILURE_RETRY(send(fd, bytes, (size_t)count, MSG_NOSIGNAL));
    if (n < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
    return (int)n;
}

static int socket_read(BIO *bio, char *bytes, int count) {
    BIO_clear_retry_flags(bio);
    const int fd = *(int *)BIO_get_data(bio);
    ssize_t n = TEMP_FAILURE_RETRY(recv(fd, bytes, (size_t)count, 0));
    if (n < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
    if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default: return 0;
    }
}

static int socket_free(BIO *bio) {
    OPENSSL_free(BIO_get_data(bio));
    return 1;
}

static BIO_METHOD *method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_method(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (!method) return;
    BIO_meth_set_write(method, socket_write);
    BIO_meth_set_read(method, socket_read);
    BIO_meth_set_ctrl(method, socket_control);
    BIO_meth_set_destroy(method, socket_free);
}

static BIO *new_socket(int socket) {
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    int *number = bio ? OPENSSL_malloc(sizeof *number) : NULL;
    if (!number) {
        BIO_free(bio);
        return NULL;
    }
    *number = socket;
    BIO_set_data(bio, number);
    BIO_set_init(bio, 1);
    return bio;
}

static void words(char *reason, size_t size) {
    unsigned long error = ERR_peek_error();
    const char *text = error ? ERR_reason_error_string(error) : NULL;
    snprintf(reason, size, "%s", text ? text : "unknown reason");
    ERR_clear_error();
}

/// A key under a passphrase is refused; OpenSSL would ask the terminal for it.
static int no_passphrase(char *text, int size, int isWriting, void *data) {
    (void)text;
    (void)size;
    (void)isWriting;
    (void)data;
    return -1;
}

void *bourse_tls_context(
    const char *authority, const char *certificate, const char *key, int *step, char *reason,
    size_t reasonSize) {
    ERR_clear_error();
    *step = 0;
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context) goto failed;
    SSL_CTX_set_options(
        context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(
        context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Several records by one recv(2), instead of two calls for each.
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 65536);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1
        || SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1
        || SSL_CTX_set_num_tickets(context, 0) != 1 || SSL_CTX_set_max_early_data(context, 0) != 1)
        goto failed;
    *step = 1;
    if (SSL_CTX_load_verify_file(context, authority) != 1) goto failed;
    if (!*certificate) return context;
    *step = 2;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) goto failed;
    *step = 3;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) *step = 4;
        goto failed;
    }
    *step = 4;
    if (SSL_CTX_check_private_key(context) != 1) goto failed;
    return context;
failed:
    words(reason, reasonSize);
    SSL_CTX_free(context);
    return NULL;
}

void bourse_tls_context_free(void *context) { SSL_CTX_free(context); }

void *bourse_tls_new(void *context, int socket, int isServer, const char *names) {
    ERR_clear_error();
    struct connection *made = OPENSSL_zalloc(sizeof *made);
    SSL *ssl = made ? SSL_new(context) : NULL;
    BIO *bio = ssl ? new_socket(socket) : NULL;
    int isMade = bio != NULL;
    if (isMade) {
        SSL_set_bio(ssl, bio, bio);
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
        for (const char *name = names; isMade && *name; name += strlen(name) + 1)
            isMade = SSL_add1_host(ssl, name) == 1;
    }
    if (!isMade) {
        SSL_free(ssl);
        OPENSSL_free(made);
        ERR_clear_error();
        return NULL;
    }
    if (isServer) {
        SSL_set_accept_state(ssl);
        if (!*names) SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        // Whose certificate has a name of a role is a client of this server's and of no other's.
        if (*names == '.' && SSL_set_purpose(ssl, X509_PURPOSE_ANY) != 1) {
            SSL_free(ssl);
            OPENSSL_free(made);
            return NULL;
        }
    } else {
        SSL_set_connect_state(ssl);
        // The server may have several certificates and picks by this.
        SSL_set_tlsext_host_name(ssl, names);
    }
    made->ssl = ssl;
    made->alert = -1;
    return made;
}

void bourse_tls_free(void *tls) {
    struct connection *connection = tls;
    SSL_free(connection->ssl);
    OPENSSL_free(connection);
}

static int status(struct connection *connection, int result, int systemError) {
    if (result == 1) return bourse_tls_done;
    int error = SSL_get_error(connection->ssl, result);
    switch (error) {
    case SSL_ERROR_WANT_READ: return bourse_tls_wants_read;
    case SSL_ERROR_WANT_WRITE: return bourse_tls_wants_write;
    case SSL_ERROR_ZERO_RETURN: return bourse_tls_ended;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        errno = systemError;
        return systemError ? bourse_tls_system : bourse_tls_cut;
    }
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return bourse_tls_cut;
    }
    connection->alert = reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255
        ? reason - SSL_AD_REASON_OFFSET
        : -1;
    words(connection->reason, sizeof connection->reason);
    return bourse_tls_failed;
}

/// Before a call: clears the errors and errno(3) of earlier ones.
static SSL *begin(struct connection *connection) {
    ERR_clear_error();
    errno = 0;
    return connection->ssl;
}

int bourse_tls_handshake(void *tls) {
    int result = SSL_do_handshake(begin(tls));
    return status(tls, result, errno);
}

int bourse_tls_read(void *tls, void *bytes, size_t count, size_t *taken) {
    int result = SSL_read_ex(begin(tls), bytes, count, taken);
    return status(tls, result, errno);
}

int bourse_tls_write(void *tls, const void *bytes, size_t count, size_t *taken) {
    int result = SSL_write_ex(begin(tls), bytes, count, taken);
    return status(tls, result, errno);
}

int bourse_tls_end(void *tls) {
    int result = SSL_shutdown(begin(tls));
    return status(tls, result >= 0 ? 1 : result, errno);
}

void bourse_tls_reason(void *tls, int *check, int *alert, char *reason, size_t reasonSize) {
    struct connection *connection = tls;
    long result = SSL_get_verify_result(connection->ssl);
    *check = (int)result;
    *alert = connection->alert;
    snprintf(
        reason, reasonSize, "%s",
        result == X509_V_OK ? connection->reason : X509_verify_cert_error_string(result));
}

int64_t bourse_tls_peer_made(void *tls) {
    X509 *peer = SSL_get0_peer_certificate(((struct connection *)tls)->ssl);
    struct tm time = {0};
    if (!peer || ASN1_TIME_to_tm(X509_get0_notBefore(peer), &time) != 1) return INT64_MIN;
    return timegm(&time);
}

void bourse_tls_peer(void *tls, char *name, size_t nameSize) {
    const char *found = SSL_get0_peername(((struct connection *)tls)->ssl);
    snprintf(name, nameSize, "%s", found ? found : "");
}
