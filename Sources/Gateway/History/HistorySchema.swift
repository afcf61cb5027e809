// The tables of the history file, and how a file of an older version comes to them: custody's are
// added to one of version 2, which had none of it; any other is emptied, and written anew from the
// log.
//
// Enumerations are their raw values in `Core/Terms`. Prices are ticks, quantities lots, times
// nanoseconds since 1970 on the log's clock. Amounts and sums have 128 bits: an INTEGER where they
// fit in 64, else their decimal digits as TEXT (the columns of type ANY).

import GRDB

/// The tables of the history file.
enum HistorySchema {
    /// The version this code writes and reads. A change of the tables is a new one and a migration.
    static var version: Int { 3 }

    /// The version whose tables custody's are added to.
    private static var tradingVersion: Int { 2 }

    /// The tables of every version up to that.
    private static var names: [String] { ["cursor", "orders", "trades", "candles", "adjustments"] }

    private static var tradingTables: String {
        """
        CREATE TABLE cursor (
          only INTEGER PRIMARY KEY CHECK (only = 1),
          journal TEXT NOT NULL,      -- the journal's identity
          sequence INTEGER NOT NULL,  -- the last record that is in here
          time INTEGER NOT NULL       -- its time
        ) STRICT;

        CREATE TABLE orders (
          id INTEGER PRIMARY KEY,     -- in order of acceptance, so of created_time too
          account INTEGER NOT NULL, instrument INTEGER NOT NULL, client_id TEXT NOT NULL,
          side INTEGER NOT NULL, type INTEGER NOT NULL, time_in_force INTEGER NOT NULL,
          self_trade_prevention INTEGER NOT NULL, status INTEGER NOT NULL,
          is_working INTEGER NOT NULL, price INTEGER NOT NULL, stop_price INTEGER NOT NULL,
          quantity INTEGER NOT NULL, cum_qty INTEGER NOT NULL,
          prevented_quantity INTEGER NOT NULL, leaves_qty INTEGER NOT NULL,
          display_quantity INTEGER NOT NULL, quote_quantity ANY NOT NULL,
          cum_quote ANY NOT NULL, expire_time INTEGER NOT NULL,
          created_time INTEGER NOT NULL, updated_time INTEGER NOT NULL,
          working_time INTEGER NOT NULL, strategy_id INTEGER NOT NULL,
          strategy_type INTEGER NOT NULL,
          end_reason INTEGER          -- NULL while open, and when filled
        ) STRICT;
        CREATE INDEX orders_account ON orders (account, instrument, id);
        CREATE INDEX orders_client ON orders (account, client_id, id) WHERE client_id <> '';

        CREATE TABLE trades (
          instrument INTEGER NOT NULL, id INTEGER NOT NULL, time INTEGER NOT NULL,
          taker_side INTEGER NOT NULL, price INTEGER NOT NULL, quantity INTEGER NOT NULL,
          quote_amount ANY NOT NULL,
          maker_order INTEGER NOT NULL, maker_account INTEGER NOT NULL,
          maker_fee ANY NOT NULL, maker_fee_asset INTEGER NOT NULL,
          taker_order INTEGER NOT NULL, taker_account INTEGER NOT NULL,
          taker_fee ANY NOT NULL, taker_fee_asset INTEGER NOT NULL,
          PRIMARY KEY (instrument, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX trades_maker ON trades (maker_account, instrument, id);
        CREATE INDEX trades_taker ON trades (taker_account, instrument, id);
        CREATE INDEX trades_maker_order ON trades (maker_order);
        CREATE INDEX trades_taker_order ON trades (taker_order);

        CREATE TABLE candles (        -- one minute each; only those with a trade
          instrument INTEGER NOT NULL, open_time INTEGER NOT NULL,
          open INTEGER NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL,
          close INTEGER NOT NULL, volume ANY NOT NULL, quote_volume ANY NOT NULL,
          taker_buy_volume ANY NOT NULL, taker_buy_quote_volume ANY NOT NULL,
          first_trade INTEGER NOT NULL, last_trade INTEGER NOT NULL,
          trade_count INTEGER NOT NULL,
          PRIMARY KEY (instrument, open_time)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE adjustments (
          sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, account INTEGER NOT NULL,
          asset INTEGER NOT NULL, amount ANY NOT NULL, time INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX adjustments_account ON adjustments (account, sequence);
        """
    }

    private static var custodyTables: String {
        """
        CREATE TABLE deposits (
          id INTEGER PRIMARY KEY,     -- in the order in which they were seen, so of time too
          account INTEGER NOT NULL, asset INTEGER NOT NULL,
          network INTEGER NOT NULL,   -- 0: not said, as under rules 1
          txid TEXT NOT NULL, output INTEGER NOT NULL, amount ANY NOT NULL,
          state INTEGER NOT NULL,     -- `DepositState`
          confirmations INTEGER NOT NULL,
          time INTEGER NOT NULL, credited_time INTEGER,
          UNIQUE (txid, output, network, asset)
        ) STRICT;
        CREATE INDEX deposits_account ON deposits (account, id);

        CREATE TABLE withdrawals (
          id INTEGER PRIMARY KEY,     -- in the order of their requests, so of created_time too
          account INTEGER NOT NULL, asset INTEGER NOT NULL, network INTEGER NOT NULL,
          status INTEGER NOT NULL, amount ANY NOT NULL, fee ANY NOT NULL,
          address TEXT NOT NULL, tag TEXT NOT NULL, client_id TEXT NOT NULL,
          created_time INTEGER NOT NULL, updated_time INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX withdrawals_account ON withdrawals (account, id);
        CREATE INDEX withdrawals_client ON withdrawals (account, client_id)
          WHERE client_id <> '';

        CREATE TABLE payments (       -- the transactions that pay or paid a withdrawal
          withdrawal INTEGER NOT NULL, sequence INTEGER NOT NULL, txid TEXT NOT NULL,
          PRIMARY KEY (withdrawal, sequence)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX payments_transaction ON payments (txid);
        """
    }

    /// Brings a file to this version. Each migration sets `PRAGMA user_version` to its number:
    /// files written before there were migrations have nothing else.
    private static func migrator(journal: String) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("\(tradingVersion)") { db in
            let found = try userVersion(db)
            if found == tradingVersion { return }
            try begin(db, journal: journal, empties: found > 0)
        }
        migrator.registerMigration("\(version)") { db in
            // Of a deposit that was credited before, the file lacks the transaction.
            let count = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM (SELECT 1 FROM adjustments WHERE kind = 2 LIMIT 1)")
            if count != 0 { try begin(db, journal: journal, empties: true) }
            try db.execute(sql: custodyTables)
            try db.execute(sql: "PRAGMA user_version = \(version)")
        }
        return migrator
    }

    /// Makes the tables of version 2, with nothing in them, in place of what is there.
    private static func begin(_ db: Database, journal: String, empties: Bool) throws {
        if empties {
            for table in names { try db.execute(sql: "DROP TABLE \(table)") }
        }
        try db.execute(sql: tradingTables)
        try db.execute(sql: "PRAGMA user_version = \(tradingVersion)")
        try db.execute(
            sql: "INSERT INTO cursor (only, journal, sequence, time) VALUES (1, ?, 0, 0)",
            arguments: [journal])
    }

    /// Brings the file to this version and binds it to a journal. Returns the last record in it.
    /// Nothing is changed where the file is of a newer version or of another journal.
    ///
    /// Readers are not used: SQLite empties the log beside the file where the writer closes last.
    static func prepare(_ pool: DatabasePool, file: String, journal: String) throws -> UInt64 {
        try pool.writeWithoutTransaction { db in
            let found = try userVersion(db)
            guard found <= version else {
                throw HistoryError.newerVersion(file: file, found: found, known: version)
            }
            guard found > 0 else { return }
            let bound = try String.fetchOne(db, sql: "SELECT journal FROM cursor")
            guard let bound else {
                throw HistoryError.damaged(file: file, text: "its cursor is gone")
            }
            guard bound == journal else {
                throw HistoryError.otherJournal(file: file, found: bound, expected: journal)
            }
        }
        try migrator(journal: journal).migrate(pool)
        return try pool.writeWithoutTransaction { db in try HistoryReader(db: db).cursor() }
    }

    private static func userVersion(_ db: Database) throws -> Int {
        try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    }
}
