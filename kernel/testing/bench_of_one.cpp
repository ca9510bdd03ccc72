#include "kernel/testing/bench_of_one.h"

#include <algorithm>

#include "kernel/base/varint.h"
#include "kernel/codec/random_value.h"
#include "kernel/codec/schema.h"
#include "kernel/runtime/any_value.h"
#include "kernel/testing/laws.h"

namespace gantry::testing {

using runtime::AnyValue;

BenchOfOne::BenchOfOne(runtime::ServiceDecl decl, void const* settings) : decl_(std::move(decl)), settings_(settings) {
    if (!settings_ && decl_.settings) settings_ = default_settings_.emplace(*decl_.settings).get();
    restart();
}
BenchOfOne::~BenchOfOne() = default;

void BenchOfOne::restart() {
    routes_.reset(), host_.reset();
    log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{}, codec::encode_event_schema(*decl_.event));
    runtime::Host::Parts parts{*log_, clock_, random_};
    parts.settings = settings_;
    host_ = std::make_unique<runtime::Host>(decl_, std::move(parts));
    auto started = host_->start();
    ASSERT_TRUE(started) << started.error().detail << started.error().cause;
    std::array<runtime::Host*, 1> hosts{host_.get()};
    routes_ = std::make_unique<runtime::RouteTable>(hosts);
}

Reply BenchOfOne::ask(std::string_view verb, std::string_view target, std::string_view body) {
    auto const cut = std::min(target.find('?'), target.size());
    auto const path = target.substr(0, cut), query = target.substr(std::min(cut + 1, target.size()));
    auto match = routes_->match(verb, path);
    Reply reply;
    if (!match.target)
        return reply.status = match.allowed.empty() ? 404 : 405,
               reply.code = match.allowed.empty() ? "route_not_found" : "method_not_allowed", reply;
    auto const before = host_->applied();
    auto bind = [&](codec::Type const& type, void* out) -> Result<void> {
        TRY_VOID(runtime::bind_request(match, query, body, false, type, out));
        if (type.has_secret) keep_secrets(type, out);
        return {};
    };
    Viewer const viewer{Str(caller_)};
    std::optional<Result<runtime::Answer>> told;
    host_->call(*match.target->route, viewer, bind, [&](Result<runtime::Answer> answer) { told = std::move(answer); });
    if (!told) return ADD_FAILURE() << verb << ' ' << target << " was not answered", reply;
    if (*told)
        reply.status = (*told)->status, reply.body = (*told)->body;
    else
        reply.status = told->error().status, reply.code = told->error().code, reply.body = told->error().detail;
    if (!*told)
        for (auto const& fault : told->error().faults) reply.body += "\n" + fault.pointer + ": " + fault.detail;
    reply.wrote = written_after(before);
    if (!*told || !match.target->route->command)
        EXPECT_TRUE(reply.wrote.empty()) << verb << ' ' << target << " was refused or reads, and wrote";
    Asked asked{caller_, std::string(target)};
    if (!match.target->route->command && std::ranges::find(reads_, asked) == reads_.end()) reads_.push_back(std::move(asked));
    return reply;
}

std::vector<EncodedEvent> BenchOfOne::written_after(log::Position position) const {
    std::vector<EncodedEvent> out;
    auto scanned = log_->scan(position, [&](log::BatchView const& batch) {
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            auto const type = std::uint32_t(in.varint());
            auto const payload = in.string();
            if (batch.first + i > position) out.push_back({type, std::string(payload)});
        }
        return true;
    });
    EXPECT_TRUE(scanned);
    return out;
}

void BenchOfOne::record(std::vector<EncodedEvent> const& events) {
    std::string bytes;
    for (auto const& e : events) put_varint(bytes, e.type), put_string(bytes, e.payload);
    log::BatchView batch;
    batch.count = std::uint32_t(events.size()), batch.events = bytes, batch.caller = caller_;
    batch.time = std::max(clock_.wall(), log_->status().last_time);
    ASSERT_TRUE(log_->append(batch));
    restart();
}

void BenchOfOne::tick() {
    auto ticked = host_->tick(Viewer{Str("gantry"), true});
    EXPECT_TRUE(ticked) << ticked.error().detail;
}

std::string BenchOfOne::shown(std::vector<EncodedEvent> const& events) const {
    std::string out;
    for (auto const& e : events) {
        auto const& alternative = decl_.event->alternatives[e.type];
        AnyValue value(alternative.type());
        ByteReader in(e.payload);
        out += "  " + std::string(alternative.name) + " ";
        if (codec::decode_binary(alternative.type(), value.get(), in)) codec::encode_json(alternative.type(), value.get(), out);
        out += '\n';
    }
    return out.empty() ? "  nothing\n" : out;
}

void BenchOfOne::expect_wrote(Reply const& reply, std::vector<EncodedEvent> const& expected) {
    EXPECT_TRUE(reply.wrote == expected) << "wrote\n" << shown(reply.wrote) << "instead of\n" << shown(expected);
}

void BenchOfOne::keep_secrets(codec::Type const& type, void const* value) {
    for (auto const& field : type.fields) {
        auto const& t = field.type();
        auto const* at = static_cast<char const*>(value) + field.offset;
        if (t.kind != codec::Kind::secret || t.element().kind != codec::Kind::text) continue;
        auto text = t.element().ops.text(t.ops.inner(at));
        if (text.size() >= 4) secrets_.emplace_back(text);  // shorter ones are in anything
    }
}

void BenchOfOne::random_commands(std::uint64_t seed, int count) {
    SeededRandom random(seed);
    std::vector<runtime::Target const*> commands;
    for (auto const& target : routes_->targets())
        if (target.route->command) commands.push_back(&target);
    for (int i = 0; i < count && !commands.empty(); ++i) {
        std::vector<Asked> known = reads_;
        auto const& target = *commands[random.below(commands.size())];
        auto const& type = *target.route->input;
        AnyValue input(type);
        codec::random_value(type, input.get(), random, {.items_max = 4, .for_json = true});
        Viewer const viewer{Str(random.chance(0.5) ? "u_ann" : "u_bob")};
        auto bind = [&](codec::Type const& t, void* out) { return t.ops.assign(out, input.get()), Result<void>(); };
        host_->call(*target.route, viewer, bind, [&](Result<runtime::Answer> answer) {
            if (!answer)
                EXPECT_LT(answer.error().status, 500) << target.path << " " << answer.error().cause << " seed " << seed << " command " << i;
        });
        clock_.advance(Duration::seconds(std::int64_t(random.below(100))));
    }
}

void BenchOfOne::check_laws() { Laws(*this).check(); }

}  // namespace gantry::testing
