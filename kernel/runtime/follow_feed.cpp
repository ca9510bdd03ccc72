#include <fmt/format.h>

#include <charconv>
#include <deque>
#include <mutex>

#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/runtime/follow_source.h"

namespace gantry::runtime {
namespace {

namespace client = gantry::client;
constexpr int page_items = 1000;
constexpr codec::JsonLimits lenient{.lenient = true};

// An event of the feed as a follower reads it.
struct FedEvent {
    std::string id, type;
    std::optional<std::string> subject, gantrycaller;
    Time time;
    codec::RawJson data;
    BOOST_DESCRIBE_CLASS(FedEvent, (), (id, type, subject, gantrycaller, time, data), (), ())
};
struct FedPage {
    std::vector<FedEvent> items;
    std::string next, position;
    BOOST_DESCRIBE_CLASS(FedPage, (), (items, next, position), (), ())
};
struct FedGap {
    std::string reason, next;
    BOOST_DESCRIBE_CLASS(FedGap, (), (reason, next), (), ())
};

struct FedPlace {
    log::Incarnation incarnation = 0;
    Position position = 0;
};
std::optional<FedPlace> place_in(std::string_view text) {
    auto const dot = text.find('.');
    if (dot == text.npos) return {};
    auto const incarnation = log::parse_incarnation(text.substr(0, dot));
    FedPlace place;
    auto const [end, error] = std::from_chars(text.data() + dot + 1, text.data() + text.size(), place.position);
    if (!incarnation || error != std::errc() || end != text.data() + text.size()) return {};
    return place.incarnation = *incarnation, place;
}

// One request at a time, whose answer waits here until the follower's thread comes for it.
class Fetch {
   public:
    Fetch(client::Session& session, std::function<void()> wake)
        : session_(session), mail_(std::make_shared<Mail>()), wake_(std::move(wake)) {}

    // The answer to exactly this request; it is sent when none like it was.
    std::optional<client::Reply> get(std::string const& target) {
        {
            std::lock_guard lock(mail_->mutex);
            if (mail_->target == target) return std::exchange(mail_->reply, std::nullopt);
            mail_->target = target, mail_->reply.reset();
        }
        client::Request request{.target = target};
        session_.send_async(std::move(request), [mail = mail_, target, wake = wake_](client::Reply reply) {
            {
                std::lock_guard lock(mail->mutex);
                if (mail->target != target) return;
                mail->reply = std::move(reply);
            }
            wake();
        });
        return {};
    }
    // The next `get` asks anew.
    void forget() {
        std::lock_guard lock(mail_->mutex);
        mail_->target.clear(), mail_->reply.reset();
    }

   private:
    struct Mail {
        std::mutex mutex;
        std::string target;
        std::optional<client::Reply> reply;
    };
    client::Session& session_;
    std::shared_ptr<Mail> mail_;
    std::function<void()> wake_;
};

class FeedSource final : public FollowSource {
   public:
    FeedSource(std::string url, FollowDecl const& decl, std::string follower, std::function<void()> const& wake, Duration wait)
        : url_(std::move(url)), decl_(decl), wait_(wait), session_(url_, options(wait)), pages_(session_, wake), single_(session_, wake) {
        session_.set_header("Gantry-Follower", std::move(follower));
        if (decl.takes_all) return;
        for (std::size_t i = 0; i < decl.handlers.size(); ++i)
            if (decl.handlers[i].function) types_.append(types_.empty() ? "&type=" : ",").append(decl.event->alternatives[i].name);
    }

    Place place() const override { return place_; }
    bool ready() const override { return true; }
    std::string where() const override { return url_; }
    std::optional<Time> time_behind(Position after) const override {
        return after < place_.durable && !items_.empty() ? std::optional(items_.back().time) : std::nullopt;
    }

    Result<std::optional<Chunk>> read(log::Incarnation known, Position after) override {
        if (known == 0 && place_.incarnation == 0) {
            TRY_ASSIGN(bool there, ask(pages_, fmt::format("{}?limit=1", path())));
            if (!there) return std::nullopt;
        }
        auto const history = known == 0 ? place_.incarnation : known;
        auto const from = fmt::format("{}.{}", log::incarnation_text(history), after);
        auto const target = fmt::format("{}?after={}&limit={}&wait={}{}", path(), from, page_items, format_duration(wait_), types_);
        TRY_ASSIGN(bool there, ask(pages_, target));
        if (!there) return std::nullopt;
        return chunk();
    }

    Result<std::optional<Chunk>> read_one(log::Incarnation known, Position position) override {
        auto const target = fmt::format("{}?after={}.{}&limit=1", path(), log::incarnation_text(known), position - 1);
        TRY_ASSIGN(bool there, ask(single_, target));
        if (!there) return std::nullopt;
        TRY_ASSIGN(auto found, chunk());
        if (!found || found->items.empty() || found->items.front().position != position)
            return fail(410, "position_gone", fmt::format("{} doesn't tell event {} any more", decl_.source, position));
        return found;
    }

   private:
    static client::Options options(Duration wait) {
        client::Options options;
        options.retries = 0;  // the follower backs off itself, and says so
        options.total_timeout_ms = wait.us / 1000 + 30'000;
        return options;
    }
    std::string path() const { return fmt::format("/{}/v1/events", decl_.source); }

    // Fills page_; false: the answer is on its way.
    Result<bool> ask(Fetch& fetch, std::string const& target) {
        auto reply = fetch.get(target);
        if (!reply) return false;
        fetch.forget();
        if (!reply->ok()) return std::unexpected(problem_of(*reply));
        page_ = {};
        TRY_VOID(codec::decode_json(codec::type_of<FedPage>(), &page_, reply->body, false, lenient));
        auto const at = place_in(page_.position);
        if (!at) return fail(502, "protocol_error", "the answer is no page of a feed");
        place_ = {at->incarnation, place_.incarnation == at->incarnation ? place_.begin : 1, at->position};
        return true;
    }
    static Problem problem_of(client::Reply const& reply) {
        Problem problem{reply.status ? reply.status : 502, reply.error->code, reply.error->detail};
        if (problem.code == "after_ahead") problem.code = "source_ahead", problem.status = 410;
        int seconds = 0;
        auto const wait = reply.header("Retry-After");
        if (std::from_chars(wait.data(), wait.data() + wait.size(), seconds).ec == std::errc()) problem.retry_after_s = seconds;
        return problem;
    }

    // Of page_.
    Result<std::optional<Chunk>> chunk() {
        items_.clear(), problems_.clear();
        for (auto const& event : page_.items) {
            if (event.type == "gantry.gap") return std::unexpected(gap(event));
            TRY_VOID(add(event));
        }
        auto const next = place_in(page_.next);
        if (!next) return fail(502, "protocol_error", "the answer is no page of a feed");
        return Chunk{items_, next->position, next->incarnation};
    }
    Problem gap(FedEvent const& event) {
        FedGap gap;
        bool const read = codec::decode_json(codec::type_of<FedGap>(), &gap, event.data.text, false, lenient).has_value();
        auto const next = place_in(read ? gap.next : event.id);
        if (next) place_.begin = next->position + 1;
        if (gap.reason == "retention")
            return {410, "source_gap", fmt::format("{} keeps events from {} on, and older ones are needed", decl_.source, place_.begin)};
        return {410, "source_history", fmt::format("{} has another history now: say where in it to go on", decl_.source)};
    }

    Result<void> add(FedEvent const& event) {
        auto const place = place_in(event.id);
        if (!place) return fail(502, "protocol_error", "an event of the feed has no position");
        FollowItem item{.position = place->position, .time = event.time};
        if (event.gantrycaller) item.caller = *event.gantrycaller;
        auto read = decode(event, item);
        if (!read) item.event = nullptr, item.unreadable = &problems_.emplace_back(std::move(read.error()));
        if (read && !item.event) return {};
        items_.push_back(item);
        return {};
    }
    Result<void> decode(FedEvent const& event, FollowItem& item) {
        std::string_view name = event.type;
        name.remove_prefix(std::min(name.size(), decl_.source.size() + 1));
        for (auto const& r : decl_.renames)
            if (r.record.empty() && r.from == name) name = r.to;
        auto const& kinds = decl_.event->alternatives;
        auto const kind = std::ranges::find(kinds, name, &codec::Alternative::name);
        if (kind == kinds.end()) {
            if (!decl_.takes_all) return {};
            return fail(500, "event_type_unknown", fmt::format("event type \"{}\" is unknown to this release", event.type));
        }
        item.alternative = std::uint32_t(kind - kinds.begin());
        if (!decl_.handlers[item.alternative].function) return {};
        codec::AnyValue borrowed(*decl_.event);
        void* const record = decl_.event->ops.choose(borrowed.get(), item.alternative);
        if (auto r = codec::decode_json(kind->type(), record, event.data.text, false, lenient); !r) {
            Problem problem{500, "event_unreadable",
                            fmt::format("an event of type \"{}\" has another shape than this release knows", event.type)};
            for (auto const& fault : r.error().faults) problem.detail += fmt::format("; {}: {}", fault.pointer, fault.detail);
            return std::unexpected(std::move(problem));
        }
        if (values_.size() <= items_.size()) values_.emplace_back(*decl_.event);
        decl_.event->ops.assign(values_[items_.size()].get(), borrowed.get());  // a copy owns its texts
        item.event = values_[items_.size()].get();
        return {};
    }

    std::string url_;
    FollowDecl const& decl_;
    Duration wait_;
    std::string types_;
    Place place_;
    FedPage page_;
    std::vector<FollowItem> items_;
    std::deque<codec::AnyValue> values_;
    std::deque<Problem> problems_;
    client::Session session_;
    Fetch pages_, single_;
};

}  // namespace

std::unique_ptr<FollowSource> follow_feed(std::string url, FollowDecl const& decl, std::string follower, std::function<void()> wake,
                                          Duration wait) {
    return std::make_unique<FeedSource>(std::move(url), decl, std::move(follower), std::move(wake), wait);
}

}  // namespace gantry::runtime
