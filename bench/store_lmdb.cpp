#include <lmdb.h>

#include "bench/store.h"
#include "bench/tool.h"

namespace gantry::bench {
namespace {

class Lmdb final : public Store {
   public:
    explicit Lmdb(std::string const& directory) {
        ok(mdb_env_create(&env_));
        ok(mdb_env_set_mapsize(env_, std::size_t(8) << 30));
        ok(mdb_env_open(env_, directory.c_str(), 0, 0600));
        MDB_txn* t = begin(0);
        ok(mdb_dbi_open(t, nullptr, MDB_CREATE | MDB_INTEGERKEY, &events_));
        MDB_stat stat{};
        ok(mdb_stat(t, events_, &stat));
        position_ = stat.ms_entries;
        ok(mdb_txn_commit(t));
    }
    ~Lmdb() override { mdb_env_close(env_); }
    std::string sync_mode() const override { return "synced a transaction (default), MDB_APPEND"; }

    void append(std::span<std::string const> batch) override {
        MDB_txn* t = begin(0);
        for (auto& record : batch) {
            ++position_;
            MDB_val key{sizeof position_, &position_}, value{record.size(), const_cast<char*>(record.data())};
            ok(mdb_put(t, events_, &key, &value, MDB_APPEND));
        }
        ok(mdb_txn_commit(t));
    }
    void replay(Visitor const& visit) override {
        MDB_txn* t = begin(MDB_RDONLY);
        MDB_cursor* cursor = nullptr;
        ok(mdb_cursor_open(t, events_, &cursor));
        for (MDB_val key, value; mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0;) {
            visit({static_cast<char const*>(value.mv_data), value.mv_size});
        }
        mdb_cursor_close(cursor);
        mdb_txn_abort(t);
    }

   private:
    static void ok(int rc) {
        if (rc != 0) die(fmt::format("lmdb: {}", mdb_strerror(rc)));
    }
    MDB_txn* begin(unsigned flags) {
        MDB_txn* t = nullptr;
        ok(mdb_txn_begin(env_, nullptr, flags, &t));
        return t;
    }

    MDB_env* env_ = nullptr;
    MDB_dbi events_ = 0;
    std::uint64_t position_ = 0;
};

}  // namespace

std::unique_ptr<Store> open_lmdb(std::string const& directory, int) { return std::make_unique<Lmdb>(directory); }

}  // namespace gantry::bench
