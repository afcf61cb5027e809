// TLS between the hosts: the calls of libssl that CSSL makes, without certificates and ciphers,
// which the tests of replication have. Bytes pass as they are.
#include "machine.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

struct ssl_st { BIO *bio; int error; int is_server; char peer[64]; };

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method) { (void)method; return malloc(1); }
void SSL_CTX_free(SSL_CTX *context) { free(context); }
uint64_t SSL_CTX_set_options(SSL_CTX *c, uint64_t options) { (void)c; return options; }
long SSL_CTX_ctrl(SSL_CTX *c, int command, long l, void *p) { (void)c, (void)command, (void)l, (void)p; return 1; }
void SSL_CTX_set_verify(SSL_CTX *c, int mode, SSL_verify_cb callback) { (void)c, (void)mode, (void)callback; }
void SSL_CTX_set_default_passwd_cb(SSL_CTX *c, pem_password_cb *callback) { (void)c, (void)callback; }
void SSL_CTX_set_default_read_buffer_len(SSL_CTX *c, size_t count) { (void)c, (void)count; }
int SSL_CTX_set_num_tickets(SSL_CTX *c, size_t count) { (void)c, (void)count; return 1; }
int SSL_CTX_set_max_early_data(SSL_CTX *c, uint32_t count) { (void)c, (void)count; return 1; }
int SSL_CTX_load_verify_file(SSL_CTX *c, const char *path) { (void)c, (void)path; return 1; }
int SSL_CTX_use_certificate_chain_file(SSL_CTX *c, const char *path) { (void)c, (void)path; return 1; }
int SSL_CTX_use_PrivateKey_file(SSL_CTX *c, const char *path, int type) { (void)c, (void)path, (void)type; return 1; }
int SSL_CTX_check_private_key(const SSL_CTX *c) { (void)c; return 1; }

SSL *SSL_new(SSL_CTX *context) { (void)context; return calloc(1, sizeof(struct ssl_st)); }
void SSL_free(SSL *ssl) {
    if (ssl && ssl->bio) BIO_free(ssl->bio);
    free(ssl);
}
void SSL_set_bio(SSL *ssl, BIO *reads, BIO *writes) { (void)writes; ssl->bio = reads; }
void SSL_set_hostflags(SSL *ssl, unsigned flags) { (void)ssl, (void)flags; }
int SSL_add1_host(SSL *ssl, const char *name) { return snprintf(ssl->peer, sizeof ssl->peer, "%s", name) > 0; }
void SSL_set_accept_state(SSL *ssl) { ssl->is_server = 1; }
void SSL_set_connect_state(SSL *ssl) { ssl->is_server = 0; }
void SSL_set_verify(SSL *ssl, int mode, SSL_verify_cb callback) { (void)ssl, (void)mode, (void)callback; }
long SSL_ctrl(SSL *ssl, int command, long l, void *p) { (void)ssl, (void)command, (void)l, (void)p; return 1; }
int SSL_do_handshake(SSL *ssl) { (void)ssl; return 1; }
int SSL_get_error(const SSL *ssl, int result) { return result > 0 ? SSL_ERROR_NONE : ssl->error; }
long SSL_get_verify_result(const SSL *ssl) { (void)ssl; return X509_V_OK; }
X509 *SSL_get0_peer_certificate(const SSL *ssl) { (void)ssl; return NULL; }
int SSL_set_purpose(SSL *ssl, int purpose) { (void)ssl, (void)purpose; return 1; }
const char *SSL_get0_peername(SSL *ssl) { return ssl->peer; }
int SSL_shutdown(SSL *ssl) { (void)ssl; return 1; }

int SSL_read_ex(SSL *ssl, void *bytes, size_t count, size_t *taken) {
    int n = BIO_read(ssl->bio, bytes, (int)(count > 1 << 20 ? 1 << 20 : count));
    if (n > 0) {
        *taken = (size_t)n;
        return 1;
    }
    ssl->error = BIO_should_retry(ssl->bio) ? SSL_ERROR_WANT_READ : SSL_ERROR_ZERO_RETURN;
    return 0;
}

int SSL_write_ex(SSL *ssl, const void *bytes, size_t count, size_t *taken) {
    int n = BIO_write(ssl->bio, bytes, (int)(count > 1 << 20 ? 1 << 20 : count));
    if (n > 0) {
        *taken = (size_t)n;
        return 1;
    }
    ssl->error = BIO_should_retry(ssl->bio) ? SSL_ERROR_WANT_WRITE : SSL_ERROR_ZERO_RETURN;
    return 0;
}
