// A release that records a new type of event, and the one before it, on the same log.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/upgrade.h"
#include "kernel/service.h"

namespace gantry {
namespace {

struct Added {
    Str word;
};
RECORD(Added, word);
struct Removed {
    Str word;
};
RECORD(Removed, word);
struct Word {
    Str word;
};
RECORD(Word, word);
struct Count {
    std::int64_t words = 0;
};
RECORD(Count, words);
struct Nothing {};
EMPTY_RECORD(Nothing);

// What both releases have, and what the newer one adds.
template <bool Newer>
struct WordsState {
    Table<Str, Word> words;
    void apply(Added const& e) { words.put(e.word, {e.word}); }
    void apply(Removed const& e) { words.erase(e.word); }
    BOOST_DESCRIBE_CLASS(WordsState, (), (words), (), ())
};

template <bool Newer>
struct Words {
    using State = WordsState<Newer>;
    using Event = std::conditional_t<Newer, std::variant<Added, Removed>, std::variant<Added>>;
    static constexpr std::string_view name = "words";
    struct Settings {
        Duration keep = Duration::days(36500);
        BOOST_DESCRIBE_CLASS(Settings, (), (keep), (), ())
        static constexpr bool has_defaults = true;
    };
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs() { return {{"keep", "How long."}}; }
    static std::optional<Duration> retention(Settings const& s) { return s.keep; }
    static Result<Emit<Word, Event>> add(State const&, Word const& in, Ctx const&) { return Emit<Word, Event>{{Added{in.word}}, in}; }
    static Result<Emit<Word, Event>> remove(State const&, Word const& in, Ctx const&) {
        Emit<Word, Event> emit{{Added{"beside"}}, in};
        if constexpr (Newer) emit.events.push_back(Removed{in.word});
        return emit;
    }
    static Result<Count> count(State const& s, Nothing const&, Ctx const&) { return Count{std::int64_t(s.words.size())}; }
    static std::vector<Route> routes() {
        return {route<Words>(V1, "POST", "/added", &add, open_to_all, Doc{"Add a word."}),
                route<Words>(V1, "POST", "/removed", &remove, open_to_all, Doc{"Remove a word."}),
                route<Words>(V1, "GET", "/count", &count, open_to_all, Doc{"How many there are."})};
    }
};

class UpgradeTest : public ::testing::Test {
   protected:
    struct Life {
        std::unique_ptr<log::MemoryLog> log;
        std::unique_ptr<runtime::Host> host;
    };
    template <bool Newer>
    Result<void> start() {
        life_ = {};
        auto decl = runtime::declare<Words<Newer>>();
        life_.log = std::make_unique<log::MemoryLog>(store_, clock_, random_, options_, codec::encode_event_schema(*decl.event));
        settings_ = {keep_};
        runtime::Host::Parts parts{*life_.log, clock_, random_};
        parts.settings = &settings_;
        life_.host = std::make_unique<runtime::Host>(std::move(decl), std::move(parts));
        return life_.host->start();
    }
    Result<runtime::Answer> call(int route, std::string const& word = "x") {
        Result<runtime::Answer> told = fail(500, "not_told");
        auto const body = fmt::format(R"({{"word":"{}"}})", word);
        auto fill = [&](codec::Type const& type, void* out) {
            return type.fields.empty() ? Result<void>() : codec::decode_json(type, out, body);
        };
        life_.host->call(life_.host->decl().routes[std::size_t(route)], viewer_, fill,
                         [&](Result<runtime::Answer> a) { told = std::move(a); });
        return told;
    }
    std::string count() { return call(2)->body; }
    static constexpr int add = 0, remove = 1;
    ManualClock clock_;
    SeededRandom random_{1};
    Viewer viewer_{Str("u_ann")};
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    log::Options options_{};
    Duration keep_ = Duration::days(36500);
    Words<true>::Settings settings_;
    Life life_;
};

TEST_F(UpgradeTest, ANewLogHasNothingToFinish) {
    ASSERT_TRUE(start<true>());
    EXPECT_TRUE(life_.host->unfinished().empty());
    EXPECT_TRUE(call(remove));
    ASSERT_TRUE(start<true>());
    EXPECT_TRUE(call(remove));
}

TEST_F(UpgradeTest, BeforeItIsFinishedTheOldReleaseStillStarts) {
    ASSERT_TRUE(start<false>());
    EXPECT_TRUE(call(add, "a"));
    ASSERT_TRUE(start<true>());
    EXPECT_EQ(life_.host->unfinished(), std::vector<std::string_view>{"removed"});
    EXPECT_TRUE(call(add, "b"));
    auto const before = life_.host->applied();
    auto refused = call(remove, "a");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 503);
    EXPECT_EQ(refused.error().code, "upgrade_unfinished");
    EXPECT_NE(refused.error().detail.find("'removed'"), std::string::npos);
    EXPECT_EQ(life_.host->applied(), before) << "nothing of it is recorded, what the old one knows neither";
    EXPECT_EQ(count(), R"({"words":2})");
    ASSERT_TRUE(start<false>());
    EXPECT_TRUE(call(add, "c"));
    EXPECT_EQ(count(), R"({"words":3})");
    ASSERT_TRUE(start<true>());
    EXPECT_EQ(count(), R"({"words":3})");
    EXPECT_EQ(life_.host->unfinished().size(), 1u);
}

TEST_F(UpgradeTest, OnceFinishedItRecordsAndTheOldReleaseSaysWhyItCantStart) {
    ASSERT_TRUE(start<false>());
    EXPECT_TRUE(call(add, "a"));
    ASSERT_TRUE(start<true>());
    ASSERT_TRUE(life_.host->finish_upgrade());
    EXPECT_TRUE(life_.host->unfinished().empty());
    ASSERT_TRUE(start<false>()) << "nothing of the new type is there yet";
    ASSERT_TRUE(start<true>());
    EXPECT_TRUE(life_.host->unfinished().empty()) << "it is recorded";
    EXPECT_TRUE(call(remove, "a"));
    EXPECT_EQ(count(), R"({"words":1})");
    auto old = start<false>();
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().code, "event_type_unknown");
    EXPECT_NE(old.error().detail.find("\"removed\" is unknown to this program, a newer one recorded it"), std::string::npos);
    ASSERT_TRUE(start<true>());
    EXPECT_EQ(count(), R"({"words":1})");
}

TEST_F(UpgradeTest, AnUnfinishedOneStaysSoWhenTheOldEventsAreCutAway) {
    options_.segment_bytes_min = options_.segment_bytes_max = 4096;
    keep_ = Duration::hours(4);
    ASSERT_TRUE(start<false>());
    EXPECT_TRUE(call(add, "a"));
    ASSERT_TRUE(start<true>());
    for (int i = 0; i < 400; ++i) {
        ASSERT_TRUE(call(add, fmt::format("w{}", i)));
        clock_.advance(Duration::seconds(120));
        ASSERT_TRUE(life_.host->keep_house());
    }
    ASSERT_GT(life_.log->status().begin, 2u) << "what the old release wrote is gone";
    ASSERT_TRUE(start<true>());
    EXPECT_EQ(life_.host->unfinished().size(), 1u);
    ASSERT_TRUE(start<false>());
}

TEST(Agreed, DamageIsSaid) {
    std::vector<std::string> const names{"added", "removed"};
    auto const note = runtime::write_agreed(names);
    EXPECT_EQ(runtime::read_agreed(note).value(), names);
    for (std::size_t n = 0; n < note.size(); ++n) EXPECT_EQ(runtime::read_agreed(note.substr(0, n)).error().code, "log_damaged") << n;
    EXPECT_FALSE(runtime::read_agreed(note + "x"));
    EXPECT_FALSE(runtime::read_agreed("\2" + note.substr(1)));
}

}  // namespace
}  // namespace gantry
