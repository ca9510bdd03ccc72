#include "kernel/testing/laws.h"

#include <algorithm>
#include <set>

#include "kernel/base/varint.h"
#include "kernel/codec/any_value.h"
#include "kernel/runtime/openapi.h"
#include "kernel/state/in_memory.h"

namespace gantry::testing {
namespace {

// How many places of the log are tried as the place of a snapshot: all of a short one, fewer of a long one, since each costs a fold.
constexpr std::size_t places_min = 20, places_max = 200, folded_batches_max = 100'000;
constexpr std::size_t restarts_max = 12;                   // from snapshots, for law 3
constexpr std::size_t pasts_max = 8, past_reads_max = 20;  // for law 7

// A list says up to where it shows the log: that is another place in words after a restart.
std::string without_position(std::string body) {
    auto const at = body.rfind(",\"position\":\"");
    if (at == body.npos) return body;
    return body.erase(at, body.find('"', at + 13) + 1 - at);
}

// Whether a query parameter can hold it.
bool fits_a_query(codec::Type const& type) {
    using codec::Kind;
    switch (type.kind) {
        case Kind::map:
        case Kind::record:
        case Kind::variant:
        case Kind::raw_json: return false;
        case Kind::optional:
        case Kind::list:
        case Kind::secret:
        case Kind::personal: return fits_a_query(type.element());
        default: return true;
    }
}

}  // namespace

bool survives(codec::Type const& type, std::string_view payload) {
    codec::AnyValue value(type);
    ByteReader in(payload);
    if (!codec::decode_binary(type, value.get(), in) || !in.done()) return false;
    std::string again;
    codec::encode_binary(type, value.get(), again);
    return again == payload;
}

void Laws::check() {
    if (::testing::Test::HasFatalFailure() || !bench_.host_ || !bench_.host_->ready()) return;
    check_routes(bench_.decl_.routes);
    documents_are_whole();
    events_survive();
    folds_are_equal();
    secrets_stay_out();
    reads_are_steady();
}

void Laws::fold(void* state, log::Position after, log::Position until) {
    std::unique_ptr<codec::EventReader> reader;
    auto scanned = bench_.log_->scan(after, [&](log::BatchView const& batch) {
        if (batch.count == 0 || batch.first > until) return true;
        if (!reader) reader = *codec::make_event_reader(batch.schemas, *bench_.decl_.event, bench_.decl_.renames);
        auto folded = bench_.decl_.replay(state, {&batch, 1}, *reader, nullptr, after, until);
        EXPECT_TRUE(folded) << folded.error().detail;
        return folded.has_value();
    });
    EXPECT_TRUE(scanned);
}

Laws::Folded Laws::through_a_snapshot(void const* state, state::Form form) {
    std::string bytes;
    state::StringOut out(bytes, form);
    auto const& ops = bench_.decl_.state;
    (form == state::Form::portable ? ops.save_portable : ops.save)(state, out);
    auto loaded = ops.create();
    state::StringIn in(bytes, form);
    bool const good = (form == state::Form::portable ? ops.load_portable : ops.load)(loaded.get(), in);
    EXPECT_TRUE(good && in.left() == 0) << "law 1: a saved state can't be loaded";
    return loaded;
}

// Ends of batches, the beginning and the end of the log among them.
std::vector<log::Position> Laws::places() {
    std::vector<log::Position> ends{0};
    auto scanned = bench_.log_->scan(0, [&](log::BatchView const& batch) {
        if (batch.count > 0) ends.push_back(batch.last());
        return true;
    });
    EXPECT_TRUE(scanned);
    auto const wanted = std::clamp(folded_batches_max / ends.size(), places_min, places_max);
    auto const step = (ends.size() + wanted - 1) / wanted;
    std::vector<log::Position> out;
    for (std::size_t i = 0; i + 1 < ends.size(); i += step) out.push_back(ends[i]);
    out.push_back(ends.back());
    return out;
}

void Laws::folds_are_equal() {
    auto const& ops = bench_.decl_.state;
    auto const live = bench_.host_->digest();
    if (is_cut()) {
        bench_.restart();
        EXPECT_EQ(bench_.host_->digest(), live) << "law 1: folding what retention left, from its baseline on, gives another state";
        return;
    }
    auto const ends = places();
    auto folded = ops.create();
    log::Position at = 0;
    for (auto end : ends) {
        fold(folded.get(), at, end);
        at = end;
        for (auto form : {state::Form::as_they_lie, state::Form::portable}) {
            auto loaded = through_a_snapshot(folded.get(), form);
            EXPECT_EQ(ops.digest(loaded.get()), ops.digest(folded.get())) << "law 1: what was saved at " << end << " is another state";
            fold(loaded.get(), end, ends.back());
            EXPECT_EQ(ops.digest(loaded.get()), live) << "law 1: folding on from what was saved at " << end << " gives another state";
        }
    }
    EXPECT_EQ(ops.digest(folded.get()), live) << "law 1: folding the log from zero gives another state";
}

void Laws::events_survive() {
    for (auto const& event : bench_.written_after(0))
        EXPECT_TRUE(survives(bench_.decl_.event->alternatives[event.type].type(), event.payload))
            << "law 2: an event changes when it is read and written: " << bench_.shown({event});
}

std::string Laws::told(BenchOfOne::Asked const& read, std::string_view caller) {
    bench_.caller_ = caller;
    auto const reply = bench_.ask("GET", read.target, {});
    if (reply.status == 200) expect_no_secret(reply.body, "GET " + read.target + " tells it");
    return std::to_string(reply.status) + " " + without_position(reply.body);
}

void Laws::reads_are_as(std::vector<std::string> const& before, std::string const& when) {
    auto const reads = bench_.reads_;
    for (std::size_t i = 0; i < reads.size(); ++i)
        EXPECT_EQ(told(reads[i], reads[i].caller), before[i]) << "law 3: GET " << reads[i].target << " after a restart " << when;
}

void Laws::reads_are_steady() {
    auto const reads = bench_.reads_;  // which asking adds to
    std::vector<std::string> before;
    for (auto const& read : reads) {
        before.push_back(told(read, read.caller));
        EXPECT_EQ(told(read, read.caller), before.back()) << "law 4: GET " << read.target << " is told differently twice";
        EXPECT_LT(told(read, "u_nobody"), "500") << "law 4: GET " << read.target << " fails for a stranger";
    }
    bench_.reads_ = reads;
    the_past_stands();
    bench_.restart();
    reads_are_as(before, "from the log");
    auto const kept = bench_.snapshots_.list();
    auto const step = std::max<std::size_t>(1, (kept.size() + restarts_max - 1) / restarts_max);
    for (std::size_t i = 0; i < kept.size(); i += step) {
        bench_.snapshots_.offer(kept[i].position);
        bench_.start();
        reads_are_as(before, "from the snapshot at " + std::to_string(kept[i].position));
    }
    bench_.snapshots_.offer({});
}

// What was told of a moment when it was now is told of it later; here: by a fold of its own.
void Laws::the_past_stands() {
    if (is_cut()) return;
    auto const ends = places();
    auto const step = std::max<std::size_t>(1, ends.size() / pasts_max);
    auto const reads = bench_.reads_;
    for (std::size_t i = 0; i < ends.size(); i += step) {
        auto folded = runtime::Folded::empty(bench_.decl_);
        auto done = runtime::replay({bench_.decl_, *bench_.log_}, folded, ends[i], {});
        EXPECT_TRUE(done) << done.error().detail;
        for (std::size_t r = 0; r < std::min(reads.size(), past_reads_max); ++r) {
            bench_.caller_ = reads[r].caller;
            auto const target = reads[r].target;
            auto const as_of = "as_of=" + bench_.host_->position_text(ends[i]);
            auto const past = bench_.ask("GET", target + (target.find('?') == target.npos ? "?" : "&") + as_of, {});
            auto const now = bench_.read_of(folded, target);
            EXPECT_EQ(past.status, now.status) << "law 7: GET " << target << ' ' << as_of;
            EXPECT_EQ(past.body, now.body) << "law 7: GET " << target << ' ' << as_of;
        }
    }
}

void Laws::check_routes(std::vector<Route> const& routes) {
    for (auto const& route : routes) {
        EXPECT_FALSE(route.doc.empty()) << "law 5: " << route.verb << ' ' << route.path << " has no line of documentation";
        if (route.command || route.foreign) continue;
        for (auto const& field : route.input->fields)
            EXPECT_TRUE(fits_a_query(field.type())) << "law 5: " << route.verb << ' ' << route.path << " can't be given its " << field.name;
    }
}

void Laws::documents_are_whole() {
    std::set<Version> versions;
    for (auto const& route : bench_.decl_.routes) versions.insert(route.version);
    for (auto version : versions) {
        auto document = codec::from_json<codec::RawJson>(runtime::openapi(bench_.decl_, version, "1"));
        EXPECT_TRUE(document) << "law 5: the OpenAPI document is no JSON: " << (document ? "" : document.error().detail);
    }
}

void Laws::expect_no_secret(std::string_view in, std::string const& where) {
    for (auto const& secret : bench_.private_values_.secrets)
        EXPECT_EQ(in.find(secret), std::string::npos) << "law 6: a secret got out: " << where;
}

void Laws::secrets_stay_out() {
    auto const& found = bench_.private_values_;
    if (found.secrets.empty() && found.personal.empty()) return;
    // Writes Personal values as nothing: what is found all the same lies beside them.
    codec::Sealer const hide{[](std::string_view, std::string_view) { return std::string(); },
                             [](std::string_view, std::string_view) { return std::optional<std::string>(); }};
    for (auto const& event : bench_.written_after(0)) {
        auto const& type = bench_.decl_.event->alternatives[event.type].type();
        expect_no_secret(event.payload, "the log has it in " + bench_.shown({event}));
        codec::AnyValue value(type);
        ByteReader in(event.payload);
        std::string open;
        if (codec::decode_binary(type, value.get(), in)) codec::encode_binary(type, value.get(), open, &hide);
        for (auto const& personal : found.personal)
            EXPECT_EQ(open.find(personal), std::string::npos)
                << "law 6: a personal value is in the log unsealed: " << bench_.shown({event});
    }
    auto scanned = bench_.log_->scan(0, [&](log::BatchView const& batch) {
        if (batch.idempotency) expect_no_secret(batch.idempotency->reply, "the log has it in a stored reply");
        return true;
    });
    EXPECT_TRUE(scanned);
}

}  // namespace gantry::testing
