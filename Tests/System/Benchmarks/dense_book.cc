// A bound for the replay benchmark: the same event files on a book that does nothing but match. A
// dense array of ticks per symbol with a bitmap of those in use, orders in one pool found by a direct
// array of their ids, and no accounts, no money, no limits, no checks. Prints the totals that
// `boursectl bench replay` prints for the same file.
//
//   dense_book FILE [RUNS]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

struct Event {
    uint8_t kind, side;
    uint16_t symbol;
    uint32_t account;
    uint64_t order;
    int64_t price, quantity;
    uint64_t reserved;
};
static_assert(sizeof(Event) == 40);

enum Kind { limit, immediateOrCancel, market, cancel, replace };

struct Order {
    uint64_t id;
    int64_t price, open;
    uint32_t next, previous;
    uint16_t symbol;
    uint8_t side;
};

struct Level {
    uint32_t first = 0, last = 0;
};

struct Totals {
    uint64_t trades = 0, quantity = 0, checksum = 0xCBF29CE484222325;
    void take(uint64_t word) { checksum = (checksum ^ word) * 0x100000001B3; }
};

/// One side of one symbol. Ticks of bids are kept mirrored, so that the best is always the lowest.
struct Ladder {
    std::vector<Level> levels;
    std::vector<uint64_t> used;
    int64_t best = INT64_MAX;

    void size(int64_t ticks) {
        levels.resize(ticks);
        used.resize(ticks / 64 + 1);
    }
    void mark(int64_t tick) {
        used[tick >> 6] |= 1ull << (tick & 63);
        best = std::min(best, tick);
    }
    void clear(int64_t tick) {
        used[tick >> 6] &= ~(1ull << (tick & 63));
        if (tick != best) return;
        size_t word = tick >> 6;
        while (word < used.size() && used[word] == 0) word++;
        best = word == used.size() ? INT64_MAX : int64_t(word * 64 + __builtin_ctzll(used[word]));
    }
};

struct Book {
    std::vector<Ladder> ladders;  // two a symbol
    std::vector<Order> pool;
    std::vector<uint32_t> slots;  // by order id
    uint32_t free = 0;
    int64_t low, high;
    Totals totals;

    Book(int symbols, int64_t low, int64_t high, uint64_t ids, size_t orders) : low(low), high(high) {
        ladders.resize(2 * symbols);
        for (auto &ladder : ladders) ladder.size(high - low + 1);
        slots.resize(ids + 1);
        pool.reserve(orders + 2);
        pool.emplace_back();
    }

    int64_t tick(int side, int64_t price) const { return side == 0 ? high - price : price - low; }
    int64_t price(int side, int64_t tick) const { return side == 0 ? high - tick : tick + low; }
    Ladder &ladder(int symbol, int side) { return ladders[2 * (symbol - 1) + side]; }

    void unlink(uint32_t slot) {
        const Order &o = pool[slot];
        Ladder &l = ladder(o.symbol, o.side);
        int64_t at = tick(o.side, o.price);
        Level &level = l.levels[at];
        (o.previous ? pool[o.previous].next : level.first) = o.next;
        (o.next ? pool[o.next].previous : level.last) = o.previous;
        if (level.first == 0) l.clear(at);
    }

    void release(uint32_t slot) {
        slots[pool[slot].id] = 0;
        pool[slot].next = free;
        free = slot;
    }

    void link(uint32_t slot) {
        Order &o = pool[slot];
        Ladder &l = ladder(o.symbol, o.side);
        int64_t at = tick(o.side, o.price);
        Level &level = l.levels[at];
        o.next = 0;
        o.previous = level.last;
        if (level.last) {
            pool[level.last].next = slot;
        } else {
            level.first = slot;
            l.mark(at);
        }
        level.last = slot;
    }

    /// What is left of `open` after trading up to `bound`.
    int64_t take(uint64_t id, int symbol, int side, int64_t bound, int64_t open) {
        Ladder &l = ladder(symbol, 1 - side);
        while (open > 0 && l.best != INT64_MAX) {
            int64_t at = price(1 - side, l.best);
            if (side == 0 ? at > bound : at < bound) break;
            uint32_t slot = l.levels[l.best].first;
            Order &maker = pool[slot];
            int64_t lots = std::min(open, maker.open);
            totals.trades++;
            totals.quantity += uint64_t(lots);
            for (uint64_t word : {maker.id, id, uint64_t(at), uint64_t(lots)}) totals.take(word);
            open -= lots;
            maker.open -= lots;
            if (maker.open == 0) {
                unlink(slot);
                release(slot);
            }
        }
        return open;
    }

    void apply(const Event &e) {
        switch (e.kind) {
        case cancel:
            if (uint32_t slot = slots[e.order]) {
                unlink(slot);
                release(slot);
            }
            return;
        case replace: {
            uint32_t slot = slots[e.order];
            if (!slot) return;
            unlink(slot);
            Order &o = pool[slot];
            o.price = e.price;
            o.open = take(o.id, o.symbol, o.side, o.price, o.open);
            if (o.open > 0) {
                link(slot);
            } else {
                release(slot);
            }
            return;
        }
        default: {
            int64_t bound = e.kind == market ? (e.side == 0 ? INT64_MAX : INT64_MIN) : e.price;
            int64_t open = take(e.order, e.symbol, e.side, bound, e.quantity);
            if (open == 0 || e.kind != limit) return;
            uint32_t slot = free;
            if (slot) {
                free = pool[slot].next;
            } else {
                slot = uint32_t(pool.size());
                pool.emplace_back();
            }
            pool[slot] = Order{e.order, e.price, open, 0, 0, e.symbol, e.side};
            slots[e.order] = slot;
            link(slot);
        }
        }
    }
};

/// What this thread had of a CPU.
static double cpuSeconds() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

int main(int count, char **words) {
    if (count < 2) return fprintf(stderr, "usage: dense_book FILE [RUNS]\n"), 2;
    FILE *file = fopen(words[1], "rb");
    if (!file) return perror(words[1]), 1;
    std::vector<Event> events;
    for (Event e; fread(&e, sizeof e, 1, file) == 1;) events.push_back(e);
    fclose(file);
    int symbols = 1;
    int64_t low = INT64_MAX, high = 0;
    uint64_t ids = 0;
    for (const Event &e : events) {
        symbols = std::max(symbols, int(e.symbol));
        ids = std::max(ids, e.order);
        if (e.kind == market || e.kind == cancel) continue;
        low = std::min(low, e.price);
        high = std::max(high, e.price);
    }
    if (low > high || high - low > 4'000'000 || ids > 4 * events.size())
        return fprintf(stderr, "prices or order ids are too far apart for dense arrays\n"), 1;
    std::vector<double> rates;
    Totals totals;
    for (int run = 0; run < (count > 2 ? atoi(words[2]) : 1); run++) {
        Book book(symbols, low, high, ids, events.size());
        double start = cpuSeconds();
        for (const Event &e : events) book.apply(e);
        rates.push_back(events.size() / (cpuSeconds() - start));
        totals = book.totals;
    }
    std::sort(rates.begin(), rates.end());
    printf("events/s          %.0f\ntrades            %llu\ntraded quantity   %llu\n"
           "trade checksum    0x%016llx\n",
           rates.empty() ? 0 : rates[rates.size() / 2], (unsigned long long)totals.trades,
           (unsigned long long)totals.quantity, (unsigned long long)totals.checksum);
}
