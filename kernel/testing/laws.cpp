#include "kernel/testing/laws.h"

#include <algorithm>

#include "kernel/base/varint.h"
#include "kernel/runtime/any_value.h"

namespace gantry::testing {
namespace {

constexpr std::size_t places_max = 20;  // of the log where a snapshot is tried

class StringOut final : public state::Out {
   public:
    StringOut(std::string& to, state::Form form) : Out(nullptr, form), to_(to) {}
    void write(void const* bytes, std::size_t size) override { to_.append(static_cast<char const*>(bytes), size); }

   private:
    std::string& to_;
};
class StringIn final : public state::In {
   public:
    StringIn(std::string_view from, state::Form form) : In(nullptr, form), from_(from) {}
    bool read(void* bytes, std::size_t size) override {
        if (size > from_.size()) return false;
        std::copy_n(from_.data(), size, static_cast<char*>(bytes));
        from_.remove_prefix(size);
        return true;
    }
    std::uint64_t left() const override { return from_.size(); }

   private:
    std::string_view from_;
};

// A list says up to where it shows the log: that is another place in words after a restart.
std::string without_position(std::string body) {
    auto const at = body.rfind(",\"position\":\"");
    if (at == body.npos) return body;
    return body.erase(at, body.find('"', at + 13) + 1 - at);
}

}  // namespace

void Laws::check() {
    if (::testing::Test::HasFatalFailure() || !bench_.host_ || !bench_.host_->ready()) return;
    routes_are_described();
    events_survive();
    folds_are_equal();
    reads_are_steady();
    secrets_stay_out();
}

void Laws::fold(void* state, log::Position after, log::Position until) {
    std::unique_ptr<codec::EventReader> reader;
    auto scanned = bench_.log_->scan(after, [&](log::BatchView const& batch) {
        if (batch.count == 0 || batch.first > until) return true;
        if (!reader) reader = *codec::make_event_reader(batch.schemas, *bench_.decl_.event, bench_.decl_.renames);
        auto folded = bench_.decl_.replay(state, {&batch, 1}, *reader, nullptr, after);
        EXPECT_TRUE(folded) << folded.error().detail;
        return folded.has_value();
    });
    EXPECT_TRUE(scanned);
}

Laws::Folded Laws::through_a_snapshot(void const* state, state::Form form) {
    std::string bytes;
    StringOut out(bytes, form);
    auto const& ops = bench_.decl_.state;
    (form == state::Form::portable ? ops.save_portable : ops.save)(state, out);
    auto loaded = ops.create();
    StringIn in(bytes, form);
    bool const good = (form == state::Form::portable ? ops.load_portable : ops.load)(loaded.get(), in);
    EXPECT_TRUE(good && in.left() == 0) << "law 1: a saved state can't be loaded";
    return loaded;
}

void Laws::folds_are_equal() {
    auto const& ops = bench_.decl_.state;
    auto const live = bench_.host_->digest();
    std::vector<log::Position> ends{0};
    auto scanned = bench_.log_->scan(0, [&](log::BatchView const& batch) {
        if (batch.count > 0) ends.push_back(batch.last());
        return true;
    });
    EXPECT_TRUE(scanned);
    std::size_t const step = std::max<std::size_t>(1, ends.size() / places_max);
    for (std::size_t i = 0; i < ends.size(); i += step) {
        auto folded = ops.create();
        fold(folded.get(), 0, ends[i]);
        for (auto form : {state::Form::as_they_lie, state::Form::portable}) {
            auto loaded = through_a_snapshot(folded.get(), form);
            EXPECT_EQ(ops.digest(loaded.get()), ops.digest(folded.get())) << "law 1: what was saved at " << ends[i] << " is another state";
            fold(loaded.get(), ends[i], ends.back());
            EXPECT_EQ(ops.digest(loaded.get()), live) << "law 1: folding on from what was saved at " << ends[i] << " gives another state";
        }
    }
}

void Laws::events_survive() {
    for (auto const& event : bench_.written_after(0)) {
        auto const& type = bench_.decl_.event->alternatives[event.type].type();
        runtime::AnyValue value(type);
        ByteReader in(event.payload);
        std::string again;
        bool const read = codec::decode_binary(type, value.get(), in) && in.done();
        if (read) codec::encode_binary(type, value.get(), again);
        EXPECT_TRUE(read && again == event.payload) << "law 2: an event changes when it is read and written: " << bench_.shown({event});
    }
}

void Laws::reads_are_steady() {
    auto const reads = bench_.reads_;
    std::vector<std::string> before;
    auto tell = [&](BenchOfOne::Asked const& read, std::string_view caller) {
        bench_.caller_ = caller;
        auto reply = bench_.ask("GET", read.target, {});
        return std::to_string(reply.status) + " " + without_position(reply.body);
    };
    for (auto const& read : reads) {
        before.push_back(tell(read, read.caller));
        EXPECT_EQ(tell(read, read.caller), before.back()) << "law 4: GET " << read.target << " is told differently twice";
        EXPECT_LT(tell(read, "u_nobody"), "500") << "law 4: GET " << read.target << " fails for a stranger";
    }
    bench_.restart();
    for (std::size_t i = 0; i < reads.size(); ++i)
        EXPECT_EQ(tell(reads[i], reads[i].caller), before[i]) << "law 3: GET " << reads[i].target << " after a restart";
}

void Laws::routes_are_described() {
    for (auto const& route : bench_.decl_.routes)
        EXPECT_FALSE(route.doc.empty()) << "law 5: " << route.verb << ' ' << route.path << " has no line of documentation";
}

void Laws::secrets_stay_out() {
    for (auto const& event : bench_.written_after(0))
        for (auto const& secret : bench_.secrets_)
            EXPECT_EQ(event.payload.find(secret), std::string::npos) << "law 6: a secret is in the log: " << bench_.shown({event});
}

}  // namespace gantry::testing
