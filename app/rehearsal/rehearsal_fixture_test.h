#pragma once
// A service whose events are counted, and its log on a disk; and the same with a fold that errs from an event on.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>

#include "app/rehearsal/rehearser.h"
#include "kernel/codec/schema.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "kernel/service.h"

namespace gantry::tally {

struct Counted {
    Str name;
    std::uint32_t by = 0;
};
RECORD(Counted, name, by);
using Event = std::variant<Counted>;

struct Row {
    Str name;
    std::uint64_t sum = 0;
};
RECORD(Row, name, sum);

inline constexpr log::Position never = ~log::Position{0};

// `errs_at`: the event that is folded wrongly. `mends_at`: the one that hides it again.
template <log::Position errs_at, log::Position mends_at = never>
struct State {
    Table<Str, Row> rows;
    void apply(Counted const& e, At const& at) {
        auto const extra = at.position == errs_at ? 1 : at.position == mends_at ? -1 : 0;
        auto const* row = rows.find(Str("all"));
        rows.put(Str("all"), Row{"all", (row ? row->sum : 0) + e.by + std::uint64_t(extra)});
    }
    BOOST_DESCRIBE_CLASS(State, (), (rows), (), ())
};

struct ByName {
    Str name;
};
RECORD(ByName, name);
struct Listing {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
};
RECORD(Listing, limit);

template <class S>
struct ServiceOf {
    using State = S;
    using Event = tally::Event;
    static constexpr std::string_view name = "tally";
    static Result<Row> show(State const& s, ByName const& in, Ctx const&) {
        if (auto* row = s.rows.find(in.name)) return *row;
        return fail(404, "row_not_found", "there is no such row");
    }
    static Result<Page<Row>> list(State const& s, Listing const&, Ctx const&) {
        Page<Row> page;
        s.rows.walk(nullptr, [&](Str const&, Row const& row) { return page.items.push_back(row), true; });
        return page;
    }
    static std::vector<Route> routes() {
        return {route<ServiceOf>(V1, "GET", "/rows", &list, open_to_all, Doc{"All rows."}),
                route<ServiceOf>(V1, "GET", "/rows/{name}", &show, open_to_all, Doc{"One row."})};
    }
};
// All have the shape of the first one, whatever their types are called.
template <log::Position errs_at = never, log::Position mends_at = never>
runtime::ServiceDecl service() {
    auto decl = runtime::declare<ServiceOf<State<errs_at, mends_at>>>();
    decl.state.fingerprint = 17;
    return decl;
}

}  // namespace gantry::tally

namespace gantry::app::rehearsal {

class TallyTest : public testing::Test {
   protected:
    TallyTest() : path_((std::filesystem::temp_directory_path() / "gantry-rehearsal-XXXXXX").string()) {
        EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    }
    ~TallyTest() override { std::filesystem::remove_all(path_); }
    std::string log_directory() const { return path_ + "/main/tally/log"; }
    // Batches of three events, one a minute.
    void write(int batches) const {
        ManualClock clock;
        clock.set_wall(Time{1'772'359'200'000'000});
        log::Committer committer;
        log::Options options;
        options.segment_bytes_min = 8 << 10, options.segment_bytes_max = 8 << 10, options.batch_bytes_max = 4 << 10;
        auto log =
            log::FileLog::open(log::system_disk(), committer, log_directory(), options,
                               codec::encode_event_schema(codec::type_of<tally::Event>()), clock, system_random(), log::ClockAhead::accept);
        ASSERT_TRUE(log) << log.error().detail << log.error().cause;
        for (int i = 0; i < batches; ++i) {
            std::string events, payload;
            codec::put(payload, tally::Counted{"x", 1});
            for (int event = 0; event < 3; ++event) put_varint(events, 0), put_string(events, payload);
            log::BatchView batch;
            batch.count = 3, batch.events = events, batch.time = clock.wall(), batch.caller = "u_ann";
            ASSERT_TRUE((*log)->append(batch));
            clock.advance(Duration::seconds(60));
        }
        ASSERT_TRUE((*log)->wait_durable());
        ASSERT_TRUE((*log)->close());
    }
    std::unique_ptr<Rehearser> side(runtime::ServiceDecl decl) const {
        auto opened = Rehearser::open(std::move(decl), {log_directory(), path_ + "/main"}, "1.2.3");
        EXPECT_TRUE(opened) << opened.error().detail;
        return opened ? std::move(*opened) : nullptr;
    }
    std::string path_;
};

}  // namespace gantry::app::rehearsal
