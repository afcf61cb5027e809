// A PKCS#11 module in front of SoftHSM2 that says of one function that it gave another length, or
// another count, than it did: LYING_FUNCTION names it, LYING_LENGTH is what it says.

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST list;

static void lie(const char *function, CK_ULONG *length) {
    const char *named = getenv("LYING_FUNCTION"), *said = getenv("LYING_LENGTH");
    if (named && said && strcmp(named, function) == 0) *length = strtoul(said, NULL, 0);
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count) {
    CK_RV result = real->C_GetSlotList(present, slots, count);
    if (result == CKR_OK && slots) lie("GetSlotList", count);
    return result;
}

static CK_RV find_objects(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most, CK_ULONG *count) {
    CK_RV result = real->C_FindObjects(session, objects, most, count);
    if (result == CKR_OK) lie("FindObjects", count);
    return result;
}

static CK_RV get_attribute_value(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *wanted, CK_ULONG count) {
    CK_RV result = real->C_GetAttributeValue(session, object, wanted, count);
    for (CK_ULONG i = 0; result == CKR_OK && i < count; i++) {
        if (wanted[i].type == CKA_EC_POINT) lie("EC_POINT", &wanted[i].ulValueLen);
        if (wanted[i].type == CKA_EC_PARAMS) lie("EC_PARAMS", &wanted[i].ulValueLen);
    }
    return result;
}

static CK_RV sign(
    CK_SESSION_HANDLE session, CK_BYTE *bytes, CK_ULONG count, CK_BYTE *out, CK_ULONG *length) {
    CK_RV result = real->C_Sign(session, bytes, count, out, length);
    if (result == CKR_OK) lie("Sign", length);
    return result;
}

static CK_RV encrypt(
    CK_SESSION_HANDLE session, CK_BYTE *bytes, CK_ULONG count, CK_BYTE *out, CK_ULONG *length) {
    CK_RV result = real->C_Encrypt(session, bytes, count, out, length);
    if (result == CKR_OK) lie("Encrypt", length);
    return result;
}

static CK_RV decrypt(
    CK_SESSION_HANDLE session, CK_BYTE *bytes, CK_ULONG count, CK_BYTE *out, CK_ULONG *length) {
    CK_RV result = real->C_Decrypt(session, bytes, count, out, length);
    if (result == CKR_OK) lie("Decrypt", length);
    return result;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out) {
    void *module = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;
    if (module) get = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
    if (!get || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
    list = *real;
    list.C_GetFunctionList = C_GetFunctionList;
    list.C_GetSlotList = get_slot_list;
    list.C_FindObjects = find_objects;
    list.C_GetAttributeValue = get_attribute_value;
    list.C_Sign = sign;
    list.C_Encrypt = encrypt;
    list.C_Decrypt = decrypt;
    *out = &list;
    return CKR_OK;
}
