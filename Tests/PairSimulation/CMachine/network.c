// Sockets between the hosts: a TCP socket here is a Unix socket with an abstract name, and what
// passes between two hosts waits on its way.
#include "machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/un.h>

enum { CONNECTIONS_MAX = 1024, CHUNK = 65536 };

struct chunk {
    struct chunk *next;
    int64_t due;
    size_t count, sent;
    unsigned char bytes[];
};

struct way {
    struct chunk *first, *last;
    int64_t arrives;
    int has_ended, is_told;
};

struct connection {
    int is_used;
    int host[2];  // of the one that connected, and of the one that listens
    int fd[2];    // our ends towards them; -1: none
    int64_t connects;
    struct sockaddr_un name;
    socklen_t name_size;
    struct way way[2];  // from host[0], from host[1]
};

static struct connection connections[CONNECTIONS_MAX];
static int is_cut[HOSTS][HOSTS];
static int64_t delay_least = 100000, delay_most = 300000;
static unsigned char is_inet[FDS_MAX];

void machine_cut(int from, int cut) { is_cut[from][1 - from] = cut; machine_io_moved = 1; }
void machine_delay(int64_t least, int64_t most) { delay_least = least; delay_most = most; }

static void own(int fd) {
    if (fd >= 0 && fd < FDS_MAX) machine_owner[fd] = (short)machine_process();
}

static void close_end(struct connection *c, int end) {
    if (c->fd[end] >= 0) REAL(close)(c->fd[end]);
    c->fd[end] = -1;
    machine_io_moved = 1;
}

static void forget(struct connection *c) {
    close_end(c, 0);
    close_end(c, 1);
    for (int i = 0; i < 2; i++)
        while (c->way[i].first) {
            struct chunk *next = c->way[i].first->next;
            free(c->way[i].first);
            c->way[i].first = next;
        }
    memset(c, 0, sizeof *c);
}

void machine_reset_connections(void) {
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i].is_used) forget(&connections[i]);
}

/// The power is gone: the other side hears nothing more, not even that it is over.
void network_close_host(int host) {
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &connections[i];
        if (!c->is_used) continue;
        for (int end = 0; end < 2; end++)
            if (c->host[end] == host) {
                close_end(c, end);
                c->way[end].is_told = 1;
            }
    }
}

static int64_t take(struct connection *c, int from) {
    struct way *way = &c->way[from];
    if (way->has_ended || c->fd[from] < 0 || is_cut[c->host[from]][c->host[1 - from]])
        return INT64_MAX;
    while (1) {
        static unsigned char bytes[CHUNK];
        ssize_t n = REAL(recv)(c->fd[from], bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0) return INT64_MAX;
        if (n == 0) {
            way->has_ended = 1;
            return INT64_MAX;
        }
        int64_t due = machine_now() + machine_between(delay_least, delay_most);
        if (due < way->arrives) due = way->arrives;
        way->arrives = due;
        struct chunk *chunk = malloc(sizeof *chunk + (size_t)n);
        *chunk = (struct chunk){.due = due, .count = (size_t)n};
        memcpy(chunk->bytes, bytes, (size_t)n);
        if (way->last) way->last->next = chunk; else way->first = chunk;
        way->last = chunk;
        machine_io_moved = 1;
    }
}

static int64_t give(struct connection *c, int from) {
    struct way *way = &c->way[from];
    int to = 1 - from;
    while (way->first) {
        struct chunk *chunk = way->first;
        if (is_cut[c->host[from]][c->host[to]]) return INT64_MAX;
        if (chunk->due > machine_now()) return chunk->due;
        if (c->fd[to] < 0) {
            if (c->connects) return INT64_MAX;
            chunk->sent = chunk->count;
        } else {
            size_t count = chunk->count - chunk->sent;
            // A part of it now, the rest a little later: readers see any border.
            int is_part = count > 1 && machine_random() % 8 == 0;
            if (is_part) count = 1 + machine_random() % (count - 1);
            ssize_t n = REAL(send)(
                c->fd[to], chunk->bytes + chunk->sent, count, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN) return machine_now() + 1000000;
            if (n < 0) {
                chunk->sent = chunk->count;
            } else {
                chunk->sent += (size_t)n;
                machine_io_moved = 1;
                if (is_part) {
                    chunk->due = machine_now() + 20000;
                    return chunk->due;
                }
            }
        }
        if (chunk->sent < chunk->count) continue;
        way->first = chunk->next;
        if (!way->first) way->last = NULL;
        free(chunk);
    }
    if (way->has_ended && !way->is_told && !c->connects) {
        way->is_told = 1;
        if (c->fd[to] >= 0) shutdown(c->fd[to], SHUT_WR);
        machine_io_moved = 1;
    }
    return INT64_MAX;
}

static int64_t join(struct connection *c) {
    if (!c->connects) return INT64_MAX;
    if (is_cut[c->host[0]][c->host[1]] || is_cut[c->host[1]][c->host[0]]) return INT64_MAX;
    if (c->connects > machine_now()) return c->connects;
    c->connects = 0;
    machine_io_moved = 1;
    int fd = REAL(socket)(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && REAL(connect)(fd, (struct sockaddr *)&c->name, c->name_size) == 0) {
        c->fd[1] = fd;
        return INT64_MAX;
    }
    if (fd >= 0) REAL(close)(fd);
    forget(c);
    return INT64_MAX;
}

int64_t network_turn(void) {
    int64_t next = INT64_MAX;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &connections[i];
        if (!c->is_used) continue;
        int64_t due = join(c);
        if (due < next) next = due;
        for (int from = 0; from < 2 && c->is_used; from++) {
            take(c, from);
            due = give(c, from);
            if (due < next) next = due;
        }
        int is_over = c->is_used && !c->connects && c->way[0].is_told && c->way[1].is_told;
        if (is_over) forget(c);
    }
    return next;
}

// MARK: Calls

static int name(const struct sockaddr *address, struct sockaddr_un *named, socklen_t *size) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    unsigned last = ntohl(in->sin_addr.s_addr) & 255;
    memset(named, 0, sizeof *named);
    named->sun_family = AF_UNIX;
    int n = snprintf(named->sun_path + 1, sizeof named->sun_path - 1, "bourse-%d-%u-%u",
        getpid(), last, ntohs(in->sin_port));
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return (int)last - 1;
}

static int inet(int fd) { return fd >= 0 && fd < FDS_MAX && is_inet[fd]; }

int socket(int domain, int type, int protocol) {
    if (!machine_is_on) return REAL(socket)(domain, type, protocol);
    int fd = REAL(socket)(domain == AF_INET ? AF_UNIX : domain, type, 0);
    own(fd);
    if (fd >= 0 && fd < FDS_MAX) is_inet[fd] = domain == AF_INET;
    return fd;
}

int bind(int fd, const struct sockaddr *address, socklen_t size) {
    if (!machine_is_on || !inet(fd)) return REAL(bind)(fd, address, size);
    struct sockaddr_un named;
    name(address, &named, &size);
    return REAL(bind)(fd, (struct sockaddr *)&named, size);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
    if (machine_is_on && level == IPPROTO_TCP) return 0;
    return REAL(setsockopt)(fd, level, option, value, size);
}

int connect(int fd, const struct sockaddr *address, socklen_t size) {
    if (machine_is_on) machine_io_moved = 1;
    if (!machine_is_on) return REAL(connect)(fd, address, size);
    if (!inet(fd)) {
        // Who waits for room in a listener's queue waits here.
        int flags = fcntl(fd, F_GETFL);
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        int result = REAL(connect)(fd, address, size);
        while (result < 0 && errno == EAGAIN && !(flags & O_NONBLOCK)) {
            machine_block(machine_now() + 1000000);
            result = REAL(connect)(fd, address, size);
        }
        int code = errno;
        fcntl(fd, F_SETFL, flags);
        errno = code;
        return result;
    }
    struct connection *c = NULL;
    for (int i = 0; i < CONNECTIONS_MAX && !c; i++)
        if (!connections[i].is_used) c = &connections[i];
    int ends[2];
    if (!c || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) abort();
    dup2(ends[0], fd);
    REAL(close)(ends[0]);
    memset(c, 0, sizeof *c);
    c->is_used = 1;
    c->fd[0] = ends[1];
    c->fd[1] = -1;
    c->host[0] = machine_host();
    c->host[1] = name(address, &c->name, &c->name_size);
    c->connects = machine_now() + machine_between(delay_least, delay_most);
    return 0;
}

int accept(int fd, struct sockaddr *address, socklen_t *size) {
    int accepted = REAL(accept)(fd, address, size);
    if (machine_is_on) own(accepted);
    return accepted;
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
    int accepted = REAL(accept4)(fd, address, size, flags);
    if (machine_is_on) own(accepted);
    return accepted;
}

int eventfd(unsigned value, int flags) {
    int fd = REAL(eventfd)(value, flags);
    if (machine_is_on) own(fd);
    return fd;
}

int epoll_create1(int flags) {
    int fd = REAL(epoll_create1)(flags);
    if (machine_is_on) own(fd);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, mode_t);
    va_end(list);
    int fd = REAL(open)(path, flags, mode);
    if (machine_is_on) own(fd);
    return fd;
}

int close(int fd) {
    if (machine_is_on && fd >= 0 && fd < FDS_MAX) {
        machine_owner[fd] = 0;
        machine_io_moved = 1;
    }
    return REAL(close)(fd);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    if (machine_is_on) machine_io_moved = 1;
    return REAL(send)(fd, bytes, count, flags);
}

ssize_t recv(int fd, void *bytes, size_t count, int flags) {
    if (machine_is_on) machine_io_moved = 1;
    return REAL(recv)(fd, bytes, count, flags);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (machine_is_on) machine_io_moved = 1;
    return REAL(write)(fd, bytes, count);
}
