#include "CNetSNMP.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/large_fd_set.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <net-snmp/agent/agent_callbacks.h>

// From agentx/protocol.h, which is not installed: RFC 2741, section 6.1.
#define AGENTX_NOTIFY 12
// How long the master agent has to answer a notification before it counts as not taken. A stream
// loses nothing, so nothing is repeated meanwhile.
#define NOTIFY_SECONDS 30
// The same for everything else, such as the ping.
#define PING_SECONDS 5

static bourse_snmp_callbacks calls;
static netsnmp_session *master;

// Names are 32-bit numbers (RFC 2578, 3.5); the library keeps each in an unsigned long.
static size_t widen(oid *to, const uint32_t *from, size_t count) {
    if (count > MAX_OID_LEN) count = MAX_OID_LEN;
    for (size_t i = 0; i < count; i++) to[i] = from[i];
    return count;
}

// --- the tree ---

static int answer(
    netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
    netsnmp_agent_request_info *info, netsnmp_request_info *requests) {
    (void)handler;
    (void)registration;
    for (netsnmp_request_info *request = requests; request; request = request->next) {
        if (request->processed) continue;
        netsnmp_variable_list *variable = request->requestvb;
        uint32_t name[MAX_OID_LEN];
        size_t count = variable->name_length;
        for (size_t i = 0; i < count; i++) name[i] = (uint32_t)variable->name[i];
        int isNext = info->mode == MODE_GETNEXT;
        if (isNext || info->mode == MODE_GET) {
            // Behind the last one the library continues with the owner of the next part of the
            // tree.
            if (!calls.answer(calls.context, variable, isNext, name, count) && !isNext)
                netsnmp_set_request_error(info, request, SNMP_NOSUCHINSTANCE);
        } else {
            netsnmp_set_request_error(info, request, SNMP_ERR_NOTWRITABLE);
        }
    }
    return SNMP_ERR_NOERROR;
}

// --- the session with the master agent ---

static int session_began(int major, int minor, void *session, void *own) {
    (void)major;
    (void)minor;
    (void)own;
    master = session;
    // A stream loses nothing: what is repeated would arrive twice.
    master->retries = 0;
    master->timeout = PING_SECONDS * 1000000L;
    calls.session(calls.context, 1);
    return 0;
}

static int session_ended(int major, int minor, void *session, void *own) {
    (void)major;
    (void)minor;
    (void)session;
    (void)own;
    master = NULL;
    calls.session(calls.context, 0);
    return 0;
}

// The library reads its environment: it must load no modules and write nowhere else.
static void prepare(const char *folder) {
    setenv("MIBS", "", 1);
    setenv("SNMPCONFPATH", folder, 1);
    setenv("SNMP_PERSISTENT_DIR", folder, 1);
    snmp_enable_stderrlog();
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_ALARM_DONT_USE_SIG, 1);
}

void bourse_snmp_start_manager(const char *name, const char *folder) {
    prepare(folder);
    init_snmp(name);
}

int bourse_snmp_start(
    const char *name, const char *folder, const char *agentx, int seconds, const uint32_t *root,
    size_t count, bourse_snmp_callbacks callbacks) {
    calls = callbacks;
    prepare(folder);
    netsnmp_enable_subagent();
    // The caller reports once that the master is away, not at each attempt.
    netsnmp_ds_set_boolean(
        NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS, 1);
    netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, agentx);
    if (init_agent(name) != 0) return -1;
    // Not before: init_agent() sets its own default.
    netsnmp_ds_set_int(
        NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL, seconds);
    snmp_register_callback(
        SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START, session_began, NULL);
    snmp_register_callback(
        SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP, session_ended, NULL);
    oid base[MAX_OID_LEN];
    size_t length = widen(base, root, count);
    netsnmp_handler_registration *registration = netsnmp_create_handler_registration(
        name, answer, base, length, HANDLER_CAN_RONLY);
    if (!registration || netsnmp_register_handler(registration) != MIB_REGISTERED_OK) return -1;
    init_snmp(name);
    return 0;
}

void bourse_snmp_stop(const char *name) { snmp_shutdown(name); }

int bourse_snmp_wait(int milliseconds, const int *descriptors, size_t count) {
    int top = 0;
    int block = 0;
    netsnmp_large_fd_set set;
    netsnmp_large_fd_set_init(&set, FD_SETSIZE);
    struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
    snmp_select_info2(&top, &set, &time, &block);
    for (size_t i = 0; i < count; i++) {
        netsnmp_large_fd_setfd(descriptors[i], &set);
        if (descriptors[i] >= top) top = descriptors[i] + 1;
    }
    int ready = netsnmp_large_fd_set_select(top, &set, NULL, NULL, &time);
    int result = 0;
    if (ready < 0 && errno != EINTR) result = -1;
    if (ready > 0) {
        for (size_t i = 0; i < count; i++) {
            if (!netsnmp_large_fd_is_set(descriptors[i], &set)) continue;
            netsnmp_large_fd_clr(descriptors[i], &set);
            result = 1;
        }
        snmp_read2(&set);
    }
    int error = errno;
    netsnmp_large_fd_set_cleanup(&set);
    snmp_timeout();
    run_alarms();
    netsnmp_check_outstanding_agent_requests();
    errno = error;
    return result;
}

// --- variables ---

void bourse_snmp_set_name(void *variable, const uint32_t *name, size_t count) {
    oid wide[MAX_OID_LEN];
    size_t length = widen(wide, name, count);
    snmp_set_var_objid(variable, wide, length);
}

void bourse_snmp_set_number(void *variable, int type, uint64_t value) {
    if (type == ASN_COUNTER64) {
        struct counter64 parts = {.high = value >> 32, .low = value & 0xFFFFFFFF};
        snmp_set_var_typed_value(variable, (u_char)type, &parts, sizeof parts);
    } else {
        long number = type == ASN_INTEGER ? (long)(int32_t)value : (long)(uint32_t)value;
        snmp_set_var_typed_value(variable, (u_char)type, &number, sizeof number);
    }
}

void bourse_snmp_set_octets(void *variable, const uint8_t *bytes, size_t count) {
    snmp_set_var_typed_value(variable, ASN_OCTET_STR, bytes ? (const char *)bytes : "", count);
}

void bourse_snmp_set_object_id(void *variable, const uint32_t *value, size_t count) {
    oid wide[MAX_OID_LEN];
    size_t length = widen(wide, value, count);
    snmp_set_var_typed_value(variable, ASN_OBJECT_ID, wide, length * sizeof(oid));
}

// --- notifications ---

void *bourse_snmp_notification(const uint32_t *name, size_t count) {
    static const uint32_t trapName[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
    netsnmp_pdu *pdu = snmp_pdu_create(AGENTX_NOTIFY);
    if (!pdu) return NULL;
    void *variable =
        bourse_snmp_notification_add(pdu, trapName, sizeof trapName / sizeof trapName[0]);
    if (!variable) {
        snmp_free_pdu(pdu);
        return NULL;
    }
    bourse_snmp_set_object_id(variable, name, count);
    return pdu;
}

void *bourse_snmp_notification_add(void *notification, const uint32_t *name, size_t count) {
    netsnmp_pdu *pdu = notification;
    oid wide[MAX_OID_LEN];
    size_t length = widen(wide, name, count);
    return snmp_pdu_add_variable(pdu, wide, length, ASN_NULL, NULL, 0);
}

static int notified(
    int operation, netsnmp_session *session, int request, netsnmp_pdu *pdu, void *token) {
    (void)session;
    (void)request;
    int isTaken =
        operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu && pdu->errstat == 0;
    calls.delivered(calls.context, (uint64_t)(uintptr_t)token, isTaken);
    return 1;
}

int bourse_snmp_notification_send(void *notification, uint64_t token) {
    netsnmp_pdu *pdu = notification;
    if (master) {
        pdu->version = master->version;
        pdu->sessid = master->sessid;
        pdu->time = NOTIFY_SECONDS;
        pdu->flags |= UCD_MSG_FLAG_PDU_TIMEOUT;
        if (snmp_async_send(master, pdu, notified, (void *)(uintptr_t)token)) return 1;
    }
    snmp_free_pdu(pdu);
    return 0;
}

// --- sessions with other agents ---

typedef struct {
    netsnmp_session *session;
    bourse_snmp_target_callbacks calls;
    // Whether the other agent's engine is known, and with it the user's keys there.
    int isKnown;
} target;

void *bourse_snmp_target_open(
    const char *peer, const char *user, const char *authProtocol, const char *authPassphrase,
    const char *privProtocol, const char *privPassphrase,
    bourse_snmp_target_callbacks callbacks) {
    netsnmp_session session;
    snmp_sess_init(&session);
    session.version = SNMP_VERSION_3;
    session.peername = (char *)peer;
    session.timeout = 2000000L;
    session.retries = 1;
    session.securityModel = SNMP_SEC_MODEL_USM;
    session.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
    session.securityName = (char *)user;
    session.securityNameLen = strlen(user);
    int auth = usm_lookup_auth_type(authProtocol);
    int priv = usm_lookup_priv_type(privProtocol);
    if (auth <= 0 || priv <= 0) return NULL;
    session.securityAuthProto = sc_get_auth_oid(auth, &session.securityAuthProtoLen);
    session.securityPrivProto = sc_get_priv_oid(priv, &session.securityPrivProtoLen);
    session.securityAuthKeyLen = USM_AUTH_KU_LEN;
    session.securityPrivKeyLen = USM_PRIV_KU_LEN;
    target *made = NULL;
    if (session.securityAuthProto && session.securityPrivProto
        && generate_Ku(session.securityAuthProto, (u_int)session.securityAuthProtoLen,
               (const u_char *)authPassphrase, strlen(authPassphrase), session.securityAuthKey,
               &session.securityAuthKeyLen) == SNMPERR_SUCCESS
        && generate_Ku(session.securityAuthProto, (u_int)session.securityAuthProtoLen,
               (const u_char *)privPassphrase, strlen(privPassphrase), session.securityPrivKey,
               &session.securityPrivKeyLen) == SNMPERR_SUCCESS)
        made = calloc(1, sizeof *made);
    if (made) {
        made->calls = callbacks;
        made->session = snmp_open(&session);
        if (!made->session) {
            free(made);
            made = NULL;
        }
    }
    explicit_bzero(session.securityAuthKey, sizeof session.securityAuthKey);
    explicit_bzero(session.securityPrivKey, sizeof session.securityPrivKey);
    return made;
}

void bourse_snmp_target_close(void *opened) {
    target *to = opened;
    netsnmp_session *own = to->session;
    // The library would keep the keys for the next session, even if the passphrases have changed.
    struct usmUser *user = to->isKnown
        ? usm_get_user(own->securityEngineID, own->securityEngineIDLen, own->securityName)
        : NULL;
    if (user) {
        usm_remove_user(user);
        usm_free_user(user);
    }
    snmp_close(own);
    free(to);
}

int bourse_snmp_target_is_known(void *opened) { return ((target *)opened)->isKnown; }

void *bourse_snmp_question(int rows) {
    netsnmp_pdu *pdu = snmp_pdu_create(rows > 0 ? SNMP_MSG_GETBULK : SNMP_MSG_GET);
    if (pdu && rows > 0) {
        pdu->non_repeaters = 0;
        pdu->max_repetitions = rows;
    }
    return pdu;
}

void bourse_snmp_question_add(void *question, const uint32_t *name, size_t count) {
    oid wide[MAX_OID_LEN];
    size_t length = widen(wide, name, count);
    snmp_add_null_var(question, wide, length);
}

static void give(target *from, netsnmp_variable_list *variable) {
    uint32_t name[MAX_OID_LEN];
    size_t count = variable->name_length;
    for (size_t i = 0; i < count; i++) name[i] = (uint32_t)variable->name[i];
    int type = BOURSE_SNMP_NOTHING;
    uint64_t number = 0;
    const uint8_t *bytes = NULL;
    size_t byteCount = 0;
    switch (variable->type) {
        case ASN_INTEGER: number = (uint64_t)(int64_t)*variable->val.integer; break;
        case ASN_COUNTER:
        case ASN_GAUGE:
        case ASN_TIMETICKS: number = (uint32_t)*variable->val.integer; break;
        case ASN_COUNTER64:
            number = (uint64_t)(uint32_t)variable->val.counter64->high << 32
                | (uint32_t)variable->val.counter64->low;
            break;
        case ASN_OCTET_STR:
            bytes = variable->val.string;
            byteCount = variable->val_len;
            break;
        default: goto nothing;
    }
    type = variable->type;
nothing:
    from->calls.value(from->calls.context, name, count, type, number, bytes, byteCount);
}

static int heard(
    int operation, netsnmp_session *session, int request, netsnmp_pdu *pdu, void *asked) {
    (void)session;
    (void)request;
    target *from = asked;
    int result = BOURSE_SNMP_TIMED_OUT;
    if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu) {
        if (!from->isKnown) {
            netsnmp_session *own = from->session;
            result = BOURSE_SNMP_REFUSED;
            if (own->securityEngineIDLen > 0) {
                if (own->contextEngineIDLen == 0) {
                    own->contextEngineID =
                        netsnmp_memdup(own->securityEngineID, own->securityEngineIDLen);
                    if (own->contextEngineID) own->contextEngineIDLen = own->securityEngineIDLen;
                }
                from->isKnown = create_user_from_session(own) == SNMPERR_SUCCESS;
                if (from->isKnown) result = BOURSE_SNMP_ASK_AGAIN;
            }
        } else if (pdu->command == SNMP_MSG_RESPONSE && pdu->errstat == SNMP_ERR_NOERROR) {
            for (netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable) give(from, v);
            result = BOURSE_SNMP_ANSWERED;
        } else {
            result = BOURSE_SNMP_REFUSED;
        }
    }
    from->calls.answered(from->calls.context, result);
    return 1;
}

int bourse_snmp_target_ask(void *opened, void *question) {
    target *to = opened;
    netsnmp_pdu *pdu = question;
    if (!to->isKnown) {
        // To learn the other agent's engine: a question without a user, answered by a report
        // (RFC 3414, section 4).
        snmp_free_pdu(pdu);
        pdu = snmp_pdu_create(SNMP_MSG_GET);
        if (!pdu) return 0;
        pdu->version = SNMP_VERSION_3;
        pdu->securityName = strdup("");
        pdu->securityNameLen = 0;
        pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
        pdu->securityModel = SNMP_SEC_MODEL_USM;
    }
    // The library's own question for the engine would block until it is answered; opening a session
    // takes this flag away.
    to->session->flags |= SNMP_FLAGS_DONT_PROBE;
    if (snmp_async_send(to->session, pdu, heard, to)) return 1;
    snmp_free_pdu(pdu);
    return 0;
}
