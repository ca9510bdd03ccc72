#include <fmt/format.h>

#include <deque>

#include "kernel/base/varint.h"
#include "kernel/codec/any_value.h"
#include "kernel/runtime/follow_source.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t items_max = 256;      // of a turn
constexpr std::size_t examined_max = 4096;  // events that one call looks at in search of those that are taken

class LogSource final : public FollowSource {
   public:
    LogSource(Host& source, FollowDecl const& decl, std::function<void()> wake, ForkOf fork)
        : host_(source), decl_(decl), fork_(std::move(fork)), listener_(source.on_progress(std::move(wake))) {}
    ~LogSource() override { host_.stop_listening(listener_); }

    Place place() const override {
        auto const status = host_.log().status();
        return {status.incarnation, status.begin, status.durable};
    }
    bool ready() const override { return host_.ready(); }
    std::string where() const override { return "this process"; }

    std::optional<Time> time_behind(Position after) const override {
        std::optional<Time> time;
        auto found = host_.log().find(after + 1, [&](log::BatchView const& batch) { return time = batch.time, false; });
        return found ? time : std::nullopt;
    }

    Result<std::optional<Chunk>> read(log::Incarnation known, Position after) override {
        auto const place = this->place();
        TRY_VOID(check(place, known, after));
        items_.clear(), problems_.clear();
        if (at_ != after || known != incarnation_) reader_.reset(), run_ = {};
        incarnation_ = place.incarnation, at_ = after;
        auto upto = after;
        for (bool fresh = false; upto == after;) {
            TRY_ASSIGN(bool more, find_run(after, fresh));
            if (!more) return std::nullopt;
            for (std::size_t examined = 0; !run_.empty() && items_.size() < items_max && examined < examined_max;) {
                if (run_.front().count > 0) TRY_VOID(take(run_.front(), upto, examined));
                if (run_.front().count == 0 || upto == run_.front().last()) run_ = run_.subspan(1), events_ = {};
            }
        }
        at_ = upto;
        return Chunk{items_, upto, incarnation_};
    }

    Result<std::optional<Chunk>> read_one(log::Incarnation known, Position position) override {
        TRY_VOID(check(place(), known, position - 1));
        reader_.reset();
        items_.clear(), problems_.clear();
        copy_.clear();
        Result<void> taken;
        TRY_VOID(host_.log().find(position, [&](log::BatchView const& batch) {
            // What is found lives during the visit alone.
            for (auto view : {batch.events, batch.caller}) copy_.emplace_back(view);
            auto kept = batch;
            kept.events = copy_[0], kept.caller = copy_[1];
            Position at = position - 1;
            std::size_t examined = 0;
            events_ = {}, only_ = position;
            taken = take(kept, at, examined);
            only_ = 0;
            return false;
        }));
        TRY_VOID(taken);
        return Chunk{items_, position, host_.log().status().incarnation};
    }

   private:
    Result<void> check(Place const& place, log::Incarnation known, Position after) const {
        if (known != 0 && known != place.incarnation) {
            auto const fork = fork_ ? fork_(known) : std::nullopt;
            if (!fork || after > *fork)
                return fail(410, "source_history",
                            fmt::format("{} has another history now, {}: say where in it to go on", decl_.source,
                                        log::incarnation_text(place.incarnation)));
        }
        if (after + 1 < place.begin)
            return fail(410, "source_gap",
                        fmt::format("{} keeps events from {} on, and the next one needed is {}", decl_.source, place.begin, after + 1));
        if (after > place.durable)
            return fail(410, "source_ahead", fmt::format("{} ends at {}, and {} were taken from it", decl_.source, place.durable, after));
        return {};
    }

    // A run behind `after`, or the rest of one; false: there is none. `fresh`: the log was asked anew for this.
    Result<bool> find_run(Position after, bool& fresh) {
        while (run_.empty() || !reader_) {
            if (!reader_) {
                if (fresh) return false;
                TRY_ASSIGN(reader_, host_.log().read_on(after));
                fresh = true;
            }
            events_ = {};
            TRY_ASSIGN(run_, reader_->next());
            if (run_.empty()) reader_.reset();
        }
        return true;
    }

    Result<void> take(log::BatchView const& batch, Position& upto, std::size_t& examined) {
        TRY_VOID(know(batch));
        if (events_.position() == nullptr) events_ = ByteReader(batch.events), next_ = batch.first;
        for (; next_ <= batch.last() && items_.size() < items_max && examined < examined_max; ++next_) {
            auto const number = std::uint32_t(events_.varint());
            auto const payload = events_.string();
            if (next_ <= upto) continue;
            upto = next_, ++examined;
            add(batch, number, payload);
            if (only_ == next_) break;
        }
        return {};
    }

    void add(log::BatchView const& batch, std::uint32_t number, std::string_view payload) {
        auto const today = reader_of_events_->today(number);
        if (today == codec::EventReader::none || !decl_.handlers[today].function) return;  // one that is unknown is marked ignorable
        if (items_.size() == values_.size()) values_.emplace_back(*decl_.event);
        FollowItem item{next_, batch.time, batch.caller, today, values_[items_.size()].get()};
        void* const event = values_[items_.size()].get();
        Result<void> read;
        if (!reader_of_events_->identical(number))
            read = reader_of_events_->decode(number, payload, event, host_.sealer());
        else if (!decl_.decode(event, today, payload, host_.sealer()))
            read = fail(500, "event_unreadable", fmt::format("event {} can't be decoded by its own schema", next_));
        if (!read) item.event = nullptr, item.unreadable = &problems_.emplace_back(std::move(read.error()));
        items_.push_back(item);
    }

    Result<void> know(log::BatchView const& batch) {
        if (reader_of_events_ && reader_id_ == batch.schemas_id) return {};
        TRY_ASSIGN(reader_of_events_, codec::make_event_reader(batch.schemas, *decl_.event, decl_.renames));
        reader_id_ = batch.schemas_id;
        return {};
    }

    Host& host_;
    FollowDecl const& decl_;
    ForkOf fork_;
    std::uint64_t listener_;
    std::unique_ptr<log::Log::Reader> reader_;
    std::span<log::BatchView const> run_;
    ByteReader events_;  // of the run's first batch, at event next_
    Position next_ = 0;
    Position at_ = 0;  // where the reader stands
    Position only_ = 0;
    log::Incarnation incarnation_ = 0;
    std::unique_ptr<codec::EventReader> reader_of_events_;
    std::uint64_t reader_id_ = 0;
    std::deque<codec::AnyValue> values_;
    std::vector<FollowItem> items_;
    std::deque<Problem> problems_;
    std::vector<std::string> copy_;
};

}  // namespace

bool needs_operator(Problem const& problem) {
    return problem.code == "source_gap" || problem.code == "source_history" || problem.code == "source_ahead";
}

std::unique_ptr<FollowSource> follow_log(Host& source, FollowDecl const& decl, std::function<void()> wake, ForkOf fork) {
    return std::make_unique<LogSource>(source, decl, std::move(wake), std::move(fork));
}

}  // namespace gantry::runtime
