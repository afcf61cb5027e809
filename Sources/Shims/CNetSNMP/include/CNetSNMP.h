// libnetsnmp and libnetsnmpagent without their variadics, macros and fd_set: an AgentX subagent,
// its loop, and sessions with other agents. Neither library is thread-safe: one thread makes every
// call, and every callback comes on it from within `bourse_snmp_wait`.
#ifndef BOURSE_CNETSNMP_H
#define BOURSE_CNETSNMP_H

#include <stddef.h>
#include <stdint.h>

/// Types of values, as ASN.1 tags.
enum {
    BOURSE_SNMP_NOTHING = 0x00,
    BOURSE_SNMP_INTEGER = 0x02,
    BOURSE_SNMP_OCTETS = 0x04,
    BOURSE_SNMP_OBJECT_ID = 0x06,
    BOURSE_SNMP_COUNTER32 = 0x41,
    BOURSE_SNMP_GAUGE32 = 0x42,
    BOURSE_SNMP_TIMETICKS = 0x43,
    BOURSE_SNMP_COUNTER64 = 0x46,
};

/// What a subagent calls back; `context` is what it was started with.
typedef struct {
    void *_Nullable context;
    /// Asks for the value of a name (`isNext`: of the first one behind it). Sets name and value of
    /// `variable` and returns 1, or returns 0: there is none.
    int (*_Nonnull answer)(
        void *_Nullable context, void *_Nonnull variable, int isNext,
        const uint32_t *_Nonnull name, size_t count);
    /// The session with the master agent began (1) or ended (0).
    void (*_Nonnull session)(void *_Nullable context, int isUp);
    /// The master agent took the notification with this token (1), or will not (0). May come for
    /// one that was lost with an ended session; its token is an old one then.
    void (*_Nonnull delivered)(void *_Nullable context, uint64_t token, int isTaken);
} bourse_snmp_callbacks;

/// Starts the library as the subagent `name` of the master agent at `agentx` (as
/// `/var/agentx/master` or `tcp:localhost:705`), with `root` as its part of the tree. Opens the
/// session, retries every `seconds` until it succeeds, and pings the master agent as often. No
/// configuration file is read, and no MIB. 0, or -1: the library refused. `folder` is the only
/// directory that the library may use.
int bourse_snmp_start(
    const char *_Nonnull name, const char *_Nonnull folder, const char *_Nonnull agentx,
    int seconds, const uint32_t *_Nonnull root, size_t count, bourse_snmp_callbacks callbacks);
/// Starts the library as the manager `name`, which is no subagent and only asks other agents.
void bourse_snmp_start_manager(const char *_Nonnull name, const char *_Nonnull folder);
/// Ends all sessions.
void bourse_snmp_stop(const char *_Nonnull name);

/// Handles what has come in and what is due; waits for it at most `milliseconds`, or until one of
/// `descriptors` is readable. 1 when one is, 0, or -1 with errno.
int bourse_snmp_wait(int milliseconds, const int *_Nonnull descriptors, size_t count);

/// Sets a variable's name.
void bourse_snmp_set_name(
    void *_Nonnull variable, const uint32_t *_Nonnull name, size_t count);
/// Sets a variable's value to a number of `type`.
void bourse_snmp_set_number(void *_Nonnull variable, int type, uint64_t value);
/// Sets a variable's value to octets.
void bourse_snmp_set_octets(
    void *_Nonnull variable, const uint8_t *_Nullable bytes, size_t count);
/// Sets a variable's value to an object identifier.
void bourse_snmp_set_object_id(
    void *_Nonnull variable, const uint32_t *_Nonnull value, size_t count);

/// A notification of this name, without variables; NULL: no memory.
void *_Nullable bourse_snmp_notification(const uint32_t *_Nonnull name, size_t count);
/// Adds a variable without a value to a notification; NULL: no memory.
void *_Nullable bourse_snmp_notification_add(
    void *_Nonnull notification, const uint32_t *_Nonnull name, size_t count);
/// Sends a notification to the master agent and returns 1; `delivered` reports the result. 0: there
/// is no session. It is freed either way.
int bourse_snmp_notification_send(void *_Nonnull notification, uint64_t token);

/// The result of a question to another agent.
enum {
    /// All its values were given.
    BOURSE_SNMP_ANSWERED = 0,
    /// Nobody answered in time.
    BOURSE_SNMP_TIMED_OUT = 1,
    /// The other agent refused, or does not know the user or the passphrases.
    BOURSE_SNMP_REFUSED = 2,
    /// The other agent's engine is known now; the question has to be asked again.
    BOURSE_SNMP_ASK_AGAIN = 3,
};

/// What a target calls back, from within `bourse_snmp_wait`; `context` is what it was opened with.
typedef struct {
    void *_Nullable context;
    /// A value: a number of `type`, or bytes. Types that are not above count as nothing.
    void (*_Nonnull value)(
        void *_Nullable context, const uint32_t *_Nonnull name, size_t count, int type,
        uint64_t number, const uint8_t *_Nullable bytes, size_t byteCount);
    /// The result of the question, after its values.
    void (*_Nonnull answered)(void *_Nullable context, int result);
} bourse_snmp_target_callbacks;

/// A session with another agent over SNMPv3 with authentication and privacy, which nothing is sent
/// on yet; NULL: an algorithm is not known, a passphrase has less than 8 bytes, or the address is
/// none. `peer` is an address and port, as `udp:10.0.0.5:161`. The library keeps no passphrase,
/// only keys made of them.
void *_Nullable bourse_snmp_target_open(
    const char *_Nonnull peer, const char *_Nonnull user, const char *_Nonnull authProtocol,
    const char *_Nonnull authPassphrase, const char *_Nonnull privProtocol,
    const char *_Nonnull privPassphrase, bourse_snmp_target_callbacks callbacks);
/// Ends a session; an open question is not answered any more.
void bourse_snmp_target_close(void *_Nonnull target);
/// Whether the other agent's engine is known; once it is, it stays so for the session.
int bourse_snmp_target_is_known(void *_Nonnull target);
/// Begins a question: for the values of names (0), or for up to `rows` values behind a name.
void *_Nullable bourse_snmp_question(int rows);
/// Adds a name to a question.
void bourse_snmp_question_add(
    void *_Nonnull question, const uint32_t *_Nonnull name, size_t count);
/// Sends a question, or first one for the other agent's engine; never waits. 1, and `answered` will
/// be called once, or 0. The question is freed either way. One at a time for a target.
int bourse_snmp_target_ask(void *_Nonnull target, void *_Nonnull question);

#endif
