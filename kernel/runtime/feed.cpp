#include "kernel/runtime/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <set>

#include "kernel/base/varint.h"
#include "kernel/codec/json.h"
#include "kernel/runtime/follow_call.h"
#include "kernel/runtime/masking.h"

namespace gantry::runtime {
namespace {

bool is_scalar(codec::Type const& type) {
    using codec::Kind;
    switch (type.kind) {
        case Kind::list:
        case Kind::map:
        case Kind::record:
        case Kind::variant:
        case Kind::raw_json:
        case Kind::optional:
        case Kind::secret:
        case Kind::personal:
        case Kind::ref: return false;
        default: return true;
    }
}

// What an event happened to: its first member, if that is a scalar.
void append_subject(std::string& out, codec::Type const& record, void const* event) {
    if (record.fields.empty() || !is_scalar(record.fields[0].type())) return;
    codec::append_scalar(out, record.fields[0].type(), static_cast<char const*>(event) + record.fields[0].offset);
}

}  // namespace

std::string subject_of(codec::Type const& event_variant, void const* event) {
    std::string subject;
    append_subject(subject, event_variant.alternatives[event_variant.ops.index(event)].type(), event_variant.ops.inner(event));
    return subject;
}

void name_scopes(ServiceDecl& decl) {
    static std::mutex mutex;
    static std::set<std::string, std::less<>> names;
    std::lock_guard lock(mutex);
    for (auto& route : decl.routes)
        if (route.scope.starts_with(':')) route.scope = *names.insert(std::string(decl.name) + std::string(route.scope)).first;
}

RouteDecl feed_route() {
    return {.version = V1,
            .verb = "GET",
            .path = "/events",
            .page = true,
            .feed = true,
            .scope = ":read",
            .doc = "What was recorded, in order, as CloudEvents; also as application/x-ndjson and as text/event-stream.",
            .input = &codec::type_of<FeedInput>(),
            .reply = &codec::type_of<Page<CloudEvent>>()};
}

FeedEncoder::FeedEncoder(Host& host, Viewer viewer)
    : host_(host),
      viewer_(std::move(viewer)),
      event_(*host.decl().event),
      start_(fmt::format(R"({{"specversion":"1.0","id":"{}.)", host.incarnation())) {
    for (auto const& kind : host.decl().event->alternatives)
        kinds_.push_back(fmt::format(R"(","source":"/{}","type":"{}.{}")", host.decl().name, host.decl().name, kind.name));
}

Result<void> FeedEncoder::filter(FeedInput const& input) {
    subject_ = input.subject;
    auto const& decl = host_.decl();
    auto const& alternatives = decl.event->alternatives;
    for (std::string_view name : input.type) {
        if (name.starts_with(decl.name) && name.substr(decl.name.size()).starts_with('.')) name.remove_prefix(decl.name.size() + 1);
        auto found = std::ranges::find(alternatives, name, &codec::Alternative::name);
        if (found == alternatives.end()) {
            std::vector<std::string_view> known;
            for (auto const& a : alternatives) known.push_back(a.name);
            auto const near = codec::nearest(name, known);
            Problem problem{400, "request_invalid", "the request has a fault: see errors"};
            problem.faults.push_back(
                {"?type", near.empty() ? fmt::format("this service has no event type '{}'; it has {}", name, fmt::join(known, ", "))
                                       : fmt::format("this service has no event type '{}'; did you mean '{}'?", name, near)});
            return std::unexpected(std::move(problem));
        }
        types_.resize(alternatives.size());
        types_[std::size_t(found - alternatives.begin())] = true;
    }
    return {};
}

std::optional<Position> position_of(std::string_view text) {
    auto const dot = std::min(text.find('.'), text.size());
    auto const digits = text.substr(std::min(dot + 1, text.size()));
    Position position = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
    bool const number = error == std::errc() && end == digits.data() + digits.size();
    if (!number || !log::parse_incarnation(text.substr(0, dot))) return {};
    return position;
}

Result<Position> FeedEncoder::begin_behind(std::string_view after, Frame frame, std::string& out) {
    auto const status = host_.log().status();
    if (after.empty()) return position_ = status.begin - 1;
    auto const asked = position_of(after);
    if (!asked) {
        Problem problem{400, "request_invalid", "the request has a fault: see errors"};
        problem.faults.push_back({"?after", fmt::format("expected a position as an event's id or `next` gives it (\"{}\")",
                                                        host_.position_text(host_.durable()))});
        return std::unexpected(std::move(problem));
    }
    bool const ours = after.substr(0, std::min(after.find('.'), after.size())) == host_.incarnation();
    if (ours && *asked > status.durable)
        return fail(400, "after_ahead", fmt::format("after is ahead of this log, which is at {}", host_.position_text(status.durable)));
    position_ = *asked;
    if (!ours)
        gap("history", after, status.begin - 1, frame, out);
    else if (*asked + 1 < status.begin)
        gap("retention", after, status.begin - 1, frame, out);
    return *asked;
}

Result<void> FeedEncoder::know(log::BatchView const& batch) {
    if (batch.time != time_) time_ = batch.time, time_text_ = format_time(batch.time);
    if (reader_ && reader_id_ == batch.schemas_id) return {};
    TRY_ASSIGN(reader_, codec::make_event_reader(batch.schemas, *host_.decl().event, host_.decl().renames));
    reader_id_ = batch.schemas_id;
    return {};
}

Result<bool> FeedEncoder::decode(std::uint32_t number, std::string_view payload) {
    auto const& type = *host_.decl().event;
    if (reader_->identical(number)) {
        auto const today = reader_->today(number);
        ByteReader in(payload);
        if (!codec::decode_binary(type.alternatives[today].type(), type.ops.choose(event_.get(), today), in, host_.sealer(), true) ||
            !in.done())
            return fail(500, "event_unreadable", fmt::format("event {} can't be decoded by its own schema", position_));
        return true;
    }
    if (reader_->ignorable(number) && reader_->today(number) == codec::EventReader::none) return false;
    TRY_VOID(reader_->decode(number, payload, event_.get(), host_.sealer()));
    return true;
}

bool FeedEncoder::is_wanted(std::size_t alternative) {
    if (!types_.empty() && !types_[alternative]) return false;
    auto const& type = host_.decl().event->alternatives[alternative].type();
    subject_now_.clear();
    append_subject(subject_now_, type, host_.decl().event->ops.inner(event_.get()));
    return !subject_ || subject_now_ == *subject_;
}

bool FeedEncoder::is_visible() {
    if (host_.decl().keeps_back && host_.decl().keeps_back(event_.get())) return false;
    if (!host_.decl().may_see_event || viewer_.sees_all) return true;
    return host_.look(viewer_, rights_at_, [&](void const* state) { return host_.decl().may_see_event(state, event_.get(), viewer_); });
}

Result<bool> FeedEncoder::take(log::BatchView const& batch, Frame frame, std::uint64_t limit, std::string& out) {
    if (batch.count == 0) return true;
    TRY_VOID(know(batch));
    caller_ = batch.caller;
    auto const until = count_ + limit;
    ByteReader in(batch.events);
    for (std::uint32_t i = 0; i < batch.count; ++i) {
        auto const number = std::uint32_t(in.varint());
        auto const payload = in.string();
        if (batch.first + i <= position_) continue;
        if (count_ == until) return false;
        position_ = batch.first + i;
        TRY_ASSIGN(bool known, decode(number, payload));
        if (!known) continue;
        auto const alternative = host_.decl().event->ops.index(event_.get());
        if (masks_personal_)
            (void)mask(host_.decl().event->alternatives[alternative].type(),
                       const_cast<void*>(host_.decl().event->ops.inner(event_.get())));
        if (is_wanted(alternative) && is_visible()) append(position_, alternative, frame, out);
    }
    return true;
}

void FeedEncoder::begin_frame(std::string_view name, Position position, Frame frame, std::string& out) const {
    if (frame == Frame::array && count_ > 0) out += ',';
    if (frame != Frame::sse) return;
    if (!name.empty()) out.append("event: ").append(name).append("\n");
    out.append("id: ").append(host_.position_text(position)).append("\ndata: ");
}

void FeedEncoder::end_frame(Frame frame, std::string& out) {
    if (frame == Frame::lines) out += '\n';
    if (frame == Frame::sse) out += "\n\n";
}

void FeedEncoder::append(Position position, std::size_t alternative, Frame frame, std::string& out) {
    auto const& kind = host_.decl().event->alternatives[alternative];
    begin_frame({}, position, frame, out);
    fmt::format_int const digits(position);
    out.append(start_).append(digits.data(), digits.size()).append(kinds_[alternative]);
    if (!subject_now_.empty()) {
        out += R"(,"subject":)";
        codec::append_json_string(out, subject_now_);
    }
    out.append(R"(,"time":")").append(time_text_);
    if (tells_callers_ && !caller_.empty()) {
        out += R"(","gantrycaller":)";
        codec::append_json_string(out, caller_);
        out += R"(,"data":)";
    } else {
        out += R"(","data":)";
    }
    codec::encode_json(kind.type(), host_.decl().event->ops.inner(event_.get()), out);
    out += '}';
    end_frame(frame, out);
    ++count_;
}

void FeedEncoder::gap(std::string_view reason, std::string_view after, Position next, Frame frame, std::string& out) {
    auto const id = host_.position_text(next);
    begin_frame("gap", next, frame, out);
    fmt::format_to(std::back_inserter(out),
                   R"({{"specversion":"1.0","id":"{}","source":"/{}","type":"gantry.gap","time":"{}","data":{{"reason":"{}","after":)", id,
                   host_.decl().name, format_time(host_.now()), reason);
    codec::append_json_string(out, after);
    fmt::format_to(std::back_inserter(out), R"(,"next":"{}"}}}})", id);
    end_frame(frame, out);
    position_ = next;
    ++count_;
}

}  // namespace gantry::runtime
