#define P11_KIT_FUTURE_UNSTABLE_API
#include "CToken.h"

#include <stdlib.h>
#include <string.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

struct bourse_token {
    P11KitUri *uri;
    CK_FUNCTION_LIST *module;
    int isInitialized;
    CK_SESSION_HANDLE session;
    CK_FLAGS flags;
    char *label;
};

enum { SLOTS_MAX = 64, ATTRIBUTES_MAX = 8 };

static int failed(CK_RV result, unsigned long *rv) {
    *rv = result;
    return result == CKR_OK ? BOURSE_TOKEN_DONE : BOURSE_TOKEN_FAILED;
}

// The one slot whose token fits.
static int find_slot(bourse_token *token, CK_SLOT_ID *slot, unsigned long *rv) {
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_RV result = token->module->C_GetSlotList(CK_TRUE, slots, &count);
    if (result != CKR_OK) return failed(result, rv);
    if (count > SLOTS_MAX) return failed(CKR_GENERAL_ERROR, rv);
    int found = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        if (token->module->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;
        if (!p11_kit_uri_match_token_info(token->uri, &info)) continue;
        *slot = slots[i];
        token->flags = info.flags;
        found++;
    }
    if (found == 1) return BOURSE_TOKEN_DONE;
    return found == 0 ? BOURSE_TOKEN_ABSENT : BOURSE_TOKEN_SEVERAL;
}

// Whether a URI names a module, a token and an object.
static int is_whole(P11KitUri *uri) {
    CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);
    // p11-kit leaves what the URI does not name full of zeros.
    int hasToken = info
        && ((info->label[0] != 0 && info->label[0] != ' ')
            || (info->serialNumber[0] != 0 && info->serialNumber[0] != ' '));
    return p11_kit_uri_get_module_path(uri) && hasToken && !p11_kit_uri_any_unrecognized(uri)
        && (p11_kit_uri_get_attribute(uri, CKA_LABEL) || p11_kit_uri_get_attribute(uri, CKA_ID));
}

int bourse_token_open(const char *uri, bourse_token **out, unsigned long *rv) {
    *rv = CKR_OK;
    *out = NULL;
    bourse_token *token = calloc(1, sizeof *token);
    if (!token) return failed(CKR_HOST_MEMORY, rv);
    token->session = CK_INVALID_HANDLE;
    token->uri = p11_kit_uri_new();
    int result = BOURSE_TOKEN_NO_URI;
    if (!token->uri || p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, token->uri) != P11_KIT_URI_OK
        || !is_whole(token->uri))
        goto out;
    CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(token->uri, CKA_LABEL);
    if (label) {
        token->label = strndup(label->pValue, label->ulValueLen);
        if (!token->label) {
            result = failed(CKR_HOST_MEMORY, rv);
            goto out;
        }
    }
    result = BOURSE_TOKEN_NO_MODULE;
    token->module = p11_kit_module_load(p11_kit_uri_get_module_path(token->uri), 0);
    if (!token->module) goto out;
    CK_RV started = p11_kit_module_initialize(token->module);
    if (started != CKR_OK) {
        result = failed(started, rv);
        goto out;
    }
    token->isInitialized = 1;
    CK_SLOT_ID slot = 0;
    result = find_slot(token, &slot, rv);
    if (result != BOURSE_TOKEN_DONE) goto out;
    result = failed(
        token->module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &token->session), rv);
    if (result == BOURSE_TOKEN_DONE) {
        *out = token;
        return result;
    }
    token->session = CK_INVALID_HANDLE;
out:
    bourse_token_close(token);
    return result;
}

void bourse_token_close(bourse_token *token) {
    if (!token) return;
    // Closing the last session logs out as well.
    if (token->session != CK_INVALID_HANDLE) token->module->C_CloseSession(token->session);
    if (token->isInitialized) p11_kit_module_finalize(token->module);
    if (token->module) p11_kit_module_release(token->module);
    if (token->uri) p11_kit_uri_free(token->uri);
    free(token->label);
    free(token);
}

const char *bourse_token_label(const bourse_token *token) { return token->label; }

int bourse_token_login(bourse_token *token, const void *pin, size_t count, unsigned long *rv) {
    // A wrong PIN now would lock it.
    if (token->flags & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY))
        return failed(CKR_PIN_LOCKED, rv);
    return failed(
        token->module->C_Login(
            token->session, CKU_USER, (CK_UTF8CHAR *)pin, (CK_ULONG)count), rv);
}

// The one object of a class and a type that fits the URI's label and id.
static int find_key(
    bourse_token *token, CK_OBJECT_CLASS class, CK_KEY_TYPE type, CK_OBJECT_HANDLE *key,
    unsigned long *rv) {
    CK_ATTRIBUTE wanted[ATTRIBUTES_MAX] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_KEY_TYPE, &type, sizeof type},
    };
    CK_ULONG count = 2;
    CK_ATTRIBUTE_TYPE names[] = {CKA_LABEL, CKA_ID};
    for (int i = 0; i < 2; i++) {
        CK_ATTRIBUTE *named = p11_kit_uri_get_attribute(token->uri, names[i]);
        if (named) wanted[count++] = *named;
    }
    CK_RV result = token->module->C_FindObjectsInit(token->session, wanted, count);
    if (result != CKR_OK) return failed(result, rv);
    CK_OBJECT_HANDLE found[2];
    CK_ULONG keys = 0;
    result = token->module->C_FindObjects(token->session, found, 2, &keys);
    token->module->C_FindObjectsFinal(token->session);
    if (result != CKR_OK) return failed(result, rv);
    if (keys == 0) return BOURSE_TOKEN_NO_KEY;
    if (keys > 1) return BOURSE_TOKEN_SEVERAL_KEYS;
    *key = found[0];
    return BOURSE_TOKEN_DONE;
}

int bourse_token_public_key(bourse_token *token, uint8_t *key32, unsigned long *rv) {
    *rv = CKR_OK;
    CK_OBJECT_HANDLE key;
    int result = find_key(token, CKO_PUBLIC_KEY, CKK_EC_EDWARDS, &key, rv);
    if (result != BOURSE_TOKEN_DONE) return result;
    uint8_t point[64], params[64];
    CK_ATTRIBUTE wanted[] = {
        {CKA_EC_POINT, point, sizeof point},
        {CKA_EC_PARAMS, params, sizeof params},
    };
    CK_RV got = token->module->C_GetAttributeValue(token->session, key, wanted, 2);
    if (got != CKR_OK) return failed(got, rv);
    // Either curve of RFC 8032 has this key type: the name of PKCS#11 2.40 or the OID of RFC 8410.
    static const uint8_t name[] = "\x13\x0c" "edwards25519";
    static const uint8_t oid[] = {0x06, 0x03, 0x2B, 0x65, 0x70};
    CK_ULONG length = wanted[1].ulValueLen;
    int isOurs = (length == sizeof name - 1 && memcmp(params, name, length) == 0)
        || (length == sizeof oid && memcmp(params, oid, length) == 0);
    if (!isOurs) return BOURSE_TOKEN_NO_KEY;
    // Tokens differ in whether they wrap the point into an OCTET STRING.
    const uint8_t *bytes = point;
    length = wanted[0].ulValueLen;
    if (length == 34 && point[0] == 0x04 && point[1] == 32) {
        bytes += 2;
        length -= 2;
    }
    if (length != 32) return BOURSE_TOKEN_NO_KEY;
    memcpy(key32, bytes, 32);
    return BOURSE_TOKEN_DONE;
}

int bourse_token_sign(
    bourse_token *token, const void *bytes, size_t count, uint8_t *signature64, unsigned long *rv) {
    *rv = CKR_OK;
    CK_OBJECT_HANDLE key;
    int result = find_key(token, CKO_PRIVATE_KEY, CKK_EC_EDWARDS, &key, rv);
    if (result != BOURSE_TOKEN_DONE) return result;
    CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};
    CK_RV done = token->module->C_SignInit(token->session, &mechanism, key);
    CK_ULONG length = 64;
    if (done == CKR_OK) {
        done = token->module->C_Sign(
            token->session, (CK_BYTE *)bytes, (CK_ULONG)count, signature64, &length);
    }
    return failed(done == CKR_OK && length != 64 ? CKR_GENERAL_ERROR : done, rv);
}

// What a module says it wrote is believed only where it has room.
static int written(CK_RV done, CK_ULONG length, size_t *outCount, unsigned long *rv) {
    if (done == CKR_OK && length > *outCount) done = CKR_GENERAL_ERROR;
    *outCount = done == CKR_OK ? length : 0;
    return failed(done, rv);
}

int bourse_token_guards(bourse_token *token, int *guards, unsigned long *rv) {
    *rv = CKR_OK;
    *guards = 0;
    CK_OBJECT_HANDLE key;
    int result = find_key(token, CKO_PRIVATE_KEY, CKK_RSA, &key, rv);
    if (result != BOURSE_TOKEN_DONE) return result;
    CK_BBOOL isSensitive = CK_FALSE, isExtractable = CK_TRUE;
    CK_ATTRIBUTE wanted[] = {
        {CKA_SENSITIVE, &isSensitive, sizeof isSensitive},
        {CKA_EXTRACTABLE, &isExtractable, sizeof isExtractable},
    };
    CK_RV got = token->module->C_GetAttributeValue(token->session, key, wanted, 2);
    if (got != CKR_OK) return failed(got, rv);
    CK_OBJECT_HANDLE public;
    result = find_key(token, CKO_PUBLIC_KEY, CKK_RSA, &public, rv);
    if (result != BOURSE_TOKEN_DONE) return result;
    CK_ULONG bits = 0;
    CK_ATTRIBUTE modulus = {CKA_MODULUS_BITS, &bits, sizeof bits};
    got = token->module->C_GetAttributeValue(token->session, public, &modulus, 1);
    if (got != CKR_OK) return failed(got, rv);
    *guards = isSensitive == CK_TRUE && isExtractable == CK_FALSE && bits >= 2048;
    return BOURSE_TOKEN_DONE;
}

static CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};

// Encrypts or decrypts with the key of a class: a module's functions for both take the same.
static int by_oaep(
    bourse_token *token, CK_OBJECT_CLASS class, CK_C_EncryptInit start, CK_C_Encrypt run,
    const void *bytes, size_t count, uint8_t *out, size_t *outCount, unsigned long *rv) {
    *rv = CKR_OK;
    CK_OBJECT_HANDLE key;
    int result = find_key(token, class, CKK_RSA, &key, rv);
    if (result != BOURSE_TOKEN_DONE) return result;
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep};
    CK_RV done = start(token->session, &mechanism, key);
    CK_ULONG length = (CK_ULONG)*outCount;
    if (done == CKR_OK)
        done = run(token->session, (CK_BYTE *)bytes, (CK_ULONG)count, out, &length);
    return written(done, length, outCount, rv);
}

int bourse_token_encrypt(
    bourse_token *token, const void *bytes, size_t count, uint8_t *out, size_t *outCount,
    unsigned long *rv) {
    return by_oaep(
        token, CKO_PUBLIC_KEY, token->module->C_EncryptInit, token->module->C_Encrypt, bytes, count,
        out, outCount, rv);
}

int bourse_token_decrypt(
    bourse_token *token, const void *bytes, size_t count, uint8_t *out, size_t *outCount,
    unsigned long *rv) {
    return by_oaep(
        token, CKO_PRIVATE_KEY, token->module->C_DecryptInit, token->module->C_Decrypt, bytes,
        count, out, outCount, rv);
}
