// The tables of the history file. A file of an older version is emptied, and written anew from the
// log.
//
// Enumerations are their raw values in `Core/Terms`. Prices are ticks, quantities lots, times
// nanoseconds since 1970 on the log's clock. Amounts and sums have 128 bits: an INTEGER where they
// fit in 64, else their decimal digits as TEXT (the columns of type ANY).

import GRDB

/// The tables of the history file.
enum HistorySchema {
    /// The version this code writes and reads (`PRAGMA user_version`). A change of the tables is a
    /// new one.
    static var version: Int { 2 }

    /// The tables of every version so far.
    private static var names: [String] { ["cursor", "orders", "trades", "candles", "adjustments"] }

    private static var tables: String {
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

    /// Brings the file to this version and binds it to a journal. Gives the last record in it.
    static func prepare(_ db: Database, file: String, journal: String) throws -> UInt64 {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found <= version else {
            throw HistoryError.newerVersion(file: file, found: found, known: version)
        }
        let sequence = found == 0 ? nil : try cursor(db, file: file, journal: journal)
        if let sequence, found == version { return sequence }
        if found > 0 {
            for table in names { try db.execute(sql: "DROP TABLE \(table)") }
        }
        try db.execute(sql: tables)
        try db.execute(sql: "PRAGMA user_version = \(version)")
        try db.execute(
            sql: "INSERT INTO cursor (only, journal, sequence, time) VALUES (1, ?, 0, 0)",
            arguments: [journal])
        return 0
    }

    /// The last record in the file. Throws where it is of another journal.
    private static func cursor(
        _ db: Database, file: String, journal: String
    ) throws -> UInt64? {
        guard let row = try Row.fetchOne(db, sql: "SELECT journal, sequence FROM cursor") else {
            return nil
        }
        let bound: String = row["journal"]
        guard bound == journal else {
            throw HistoryError.otherJournal(file: file, found: bound, expected: journal)
        }
        return UInt64(row["sequence"] as Int64)
    }
}
