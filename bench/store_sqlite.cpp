#include <sqlite3.h>

#include "bench/store.h"
#include "bench/tool.h"

namespace gantry::bench {
namespace {

class Sqlite final : public Store {
   public:
    explicit Sqlite(std::string const& path) {
        ok(sqlite3_open(path.c_str(), &db_));
        run("PRAGMA journal_mode=WAL");
        run("PRAGMA synchronous=FULL");
        run("CREATE TABLE IF NOT EXISTS events(position INTEGER PRIMARY KEY, payload BLOB NOT NULL)");
        ok(sqlite3_prepare_v2(db_, "INSERT INTO events(payload) VALUES(?)", -1, &insert_, nullptr));
    }
    ~Sqlite() override { sqlite3_finalize(insert_), sqlite3_close(db_); }
    std::string sync_mode() const override { return "WAL, synchronous=FULL: synced a transaction"; }

    void append(std::span<std::string const> batch) override {
        run("BEGIN");
        for (auto& record : batch) {
            sqlite3_bind_blob(insert_, 1, record.data(), int(record.size()), SQLITE_STATIC);
            ok(sqlite3_step(insert_));
            sqlite3_reset(insert_);
        }
        run("COMMIT");
    }
    void replay(Visitor const& visit) override {
        sqlite3_stmt* select = nullptr;
        ok(sqlite3_prepare_v2(db_, "SELECT payload FROM events ORDER BY position", -1, &select, nullptr));
        while (ok(sqlite3_step(select)) == SQLITE_ROW) {
            auto* bytes = static_cast<char const*>(sqlite3_column_blob(select, 0));
            visit({bytes, std::size_t(sqlite3_column_bytes(select, 0))});
        }
        sqlite3_finalize(select);
    }

   private:
    int ok(int rc) {
        if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) die(fmt::format("sqlite: {}", sqlite3_errmsg(db_)));
        return rc;
    }
    void run(char const* sql) { ok(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

    sqlite3* db_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
};

}  // namespace

std::unique_ptr<Store> open_sqlite(std::string const& directory, int) { return std::make_unique<Sqlite>(directory + "/events.sqlite"); }

}  // namespace gantry::bench
