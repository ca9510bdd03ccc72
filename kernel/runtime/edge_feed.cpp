#include "kernel/runtime/edge_feed.h"

#include <fmt/format.h>

#include <array>

#include "kernel/runtime/deadline.h"
#include "kernel/runtime/edge_asked.h"
#include "kernel/runtime/edge_lane.h"
#include "kernel/runtime/reply.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t turn_bytes = 128 << 10;  // of text: what an IO thread writes before it lets others have their turn
constexpr std::array<state::KeyHash, 1> watched{Watch::everything};

std::unexpected<Problem> invalid(std::string_view name, std::string detail) {
    Problem problem{400, "request_invalid", "the request has a fault: see errors"};
    problem.faults.push_back({std::string(name), std::move(detail)});
    return std::unexpected(std::move(problem));
}

}  // namespace

Edge::Feed::Feed(Edge& edge, Asked const& asked)
    : edge_(edge),
      host_(*asked.match.target->host),
      io_thread_(asked.io_thread),
      caller_(asked.caller),
      encoder_(host_, asked.caller->viewer) {}

Result<std::shared_ptr<Edge::Feed>> Edge::Feed::make(Edge& edge, Asked const& asked) {
    auto feed = std::shared_ptr<Feed>(new Feed(edge, asked));
    TRY_VOID(bind_request(asked.match, asked.query, asked.body, true, codec::type_of<FeedInput>(), &feed->input_));
    if (!asked.as_of.empty()) return invalid("?as_of", "a feed is of all times: use after");
    auto& input = feed->input_;
    if (input.wait.us < 0 || input.wait > wait_max) return invalid("?wait", "expected at most 60s");
    // A page that waits is to be there before its deadline.
    if (asked.deadline_us != 0) input.wait = std::min(input.wait, Duration{until_deadline(asked.deadline_us, wait_max).us * 9 / 10});
    TRY_VOID(feed->encoder_.filter(input));
    if (!asked.head.header("Gantry-Follower").empty()) feed->encoder_.tell_callers();
    auto const accept = asked.head.header("Accept");
    bool const lines = accept.find("application/x-ndjson") != accept.npos;
    feed->endless_ = asked.live != LiveForm::none;
    if (lines)
        feed->form_ = Form::lines;
    else if (feed->endless_)
        feed->form_ = Form::stream;
    else if (accept.find("application/cloudevents-batch+json") != accept.npos)
        feed->form_ = Form::batch;
    feed->request_id_ = asked.request_id;
    auto const seen = asked.head.header("Last-Event-ID");
    if (feed->form_ == Form::stream && !seen.empty()) input.after = std::string(seen);
    TRY_ASSIGN(feed->began_at_, feed->encoder_.begin_behind(input.after.value_or(""), feed->frame(), feed->text_));
    return feed;
}

FeedEncoder::Frame Edge::Feed::frame() const {
    if (form_ == Form::lines) return FeedEncoder::Frame::lines;
    return form_ == Form::stream ? FeedEncoder::Frame::sse : FeedEncoder::Frame::array;
}

void Edge::Feed::open(http::Deferred deferred) {
    deferred_ = std::move(deferred);
    if (!is_page()) {
        auto response = deferred_.response();
        response.begin(200).header("Content-Type", form_ == Form::stream ? "text/event-stream" : "application/x-ndjson");
        response.header("Cache-Control", "no-store").header("X-Accel-Buffering", "no");
        out_ = response.stream();
        if (form_ == Form::stream) out_.heartbeat_every(heartbeat);
        out_.on_drained([weak = weak_from_this()] {
            if (auto self = weak.lock()) self->more_room_ = true, self->step();
        });
        out_.on_cancel([weak = weak_from_this()] {
            if (auto self = weak.lock()) self->finish();
        });
    } else {
        deferred_.on_cancel([weak = weak_from_this()] {
            if (auto self = weak.lock()) self->finish();
        });
    }
    if (!done_) edge_.lane(io_thread_).feeds.insert(shared_from_this()), step();
}

void Edge::Feed::step() {
    if (done_ || !more_room_ || watcher_ != 0 || waits_for_rights_) return;
    bool const more = turn();
    if (done_) return;
    auto const rights_at = encoder_.rights_at();
    if (rights_at <= host_.durable()) return go_on(more);
    waits_for_rights_ = true;
    host_.when_durable(rights_at, edge_.options_.threads ? io_thread_ : -1, [weak = weak_from_this(), more](Result<Answer>) {
        auto self = weak.lock();
        if (self) self->later([self = self.get(), more] { self->waits_for_rights_ = false, self->go_on(more); });
    });
}

void Edge::Feed::go_on(bool more) {
    if (done_) return;
    if (!is_page()) write();
    if (more && more_room_) later([this] { step(); });
    if (!more) at_end();
}

Result<std::span<log::BatchView const>> Edge::Feed::next_run() {
    if (!reader_) {
        TRY_ASSIGN(reader_, host_.log().read_on(encoder_.position()));
    }
    return reader_->next();
}

// Appends to text_ until it is enough for now.
bool Edge::Feed::turn() {
    while (text_.size() < turn_bytes || is_page()) {
        if (is_page() && encoder_.count() >= std::uint64_t(input_.limit)) return false;
        if (is_page() && encoder_.position() > began_at_ + examined_max)
            return why_ = fmt::format("looked at {} events: go on with next", examined_max), false;
        if (run_.empty()) {
            auto run = next_run();
            if (!run && run.error().code == "position_gone") {
                // It was cut while this was read.
                reader_.reset();
                encoder_.gap("retention", host_.position_text(encoder_.position()), host_.log().status().begin - 1, frame(), text_);
                continue;
            }
            if (!run) return fail_with(run.error()), false;
            if (run->empty()) return reader_.reset(), complete_ = true, false;
            run_ = *run;
        }
        auto const room = is_page() ? std::uint64_t(input_.limit) - encoder_.count() : ~std::uint64_t{0} >> 1;
        auto taken = encoder_.take(run_.front(), frame(), room, text_);
        if (!taken) return fail_with(taken.error()), false;
        if (*taken) run_ = run_.subspan(1);
    }
    return true;
}

void Edge::Feed::at_end() {
    if (is_page()) {
        if (complete_ && encoder_.count() == 0 && input_.wait.us > 0) return park();
        return answer_page(), finish();
    }
    if (endless_) return park();
    out_.end();
    finish();
}

void Edge::Feed::park() {
    auto& lane = edge_.lane(io_thread_);
    watcher_ = lane.next_watcher();
    lane.parked_feeds[watcher_] = weak_from_this();
    host_.watch().add({io_thread_, watcher_}, watched);
    // Once: what the viewer may not see wakes it, and must not make it wait longer.
    if (is_page() && edge_.options_.threads && !std::exchange(timed_, true))
        waiting_ = edge_.options_.threads->after(io_thread_, input_.wait, [weak = weak_from_this()] {
            auto self = weak.lock();
            if (!self || self->done_) return;
            self->input_.wait = {};
            if (self->watcher_ == 0) return;  // it reads, and answers at the end
            self->unpark();
            self->at_end();
        });
    // What came between the end of reading and now, also if it isn't durable yet.
    auto const ahead = host_.applied_by_all();
    if (ahead <= encoder_.position()) return;
    host_.when_durable(ahead, edge_.options_.threads ? io_thread_ : -1, [weak = weak_from_this(), watcher = watcher_](Result<Answer>) {
        auto self = weak.lock();
        if (!self) return;
        self->later([weak, watcher] {
            if (auto still = weak.lock(); still && still->watcher_ == watcher) still->wake();
        });
    });
}

void Edge::Feed::unpark() {
    if (watcher_ == 0) return;
    host_.watch().remove({io_thread_, watcher_}, watched);
    edge_.lane(io_thread_).parked_feeds.erase(watcher_);
    watcher_ = 0;
}

void Edge::Feed::wake() {
    if (done_) return;
    unpark();
    complete_ = false;
    step();
}

void Edge::Feed::later(std::function<void()> task) {
    if (!edge_.options_.threads) return task();
    edge_.options_.threads->post(io_thread_, [self = shared_from_this(), task = std::move(task)] {
        if (!self->done_) task();
    });
}

void Edge::Feed::write() {
    if (!text_.empty()) more_room_ = out_.write(text_);
    text_.clear();
}

void Edge::Feed::answer_page() {
    auto response = deferred_.response();
    auto const next = host_.position_text(encoder_.position()), now = host_.position_text(host_.durable());
    response.begin(200).header("Cache-Control", "no-store").header("Gantry-Position", now).header("Gantry-Next", next);
    response.header("Content-Type", form_ == Form::batch ? "application/cloudevents-batch+json" : "application/json");
    response.body_with([&](std::string& out) {
        if (form_ == Form::batch) return void(out.append("[").append(text_).append("]"));
        out.append(R"({"items":[)").append(text_).append(R"(],"next":")").append(next);
        out.append(R"(","complete":)").append(complete_ ? "true" : "false");
        if (why_) out.append(R"(,"why":")").append(*why_).append("\"");
        out.append(R"(,"position":")").append(now).append("\"}");
    });
    auto answered = std::move(deferred_);
}

void Edge::Feed::finish() {
    if (std::exchange(done_, true)) return;
    unpark();
    waiting_.cancel();
    reader_.reset();
    edge_.lane(io_thread_).feeds.erase(shared_from_this());
}

void Edge::Feed::fail_with(Problem const& problem) {
    if (is_page()) {
        write_problem(deferred_.response(), problem, request_id_, {});
        auto answered = std::move(deferred_);
    }
    // A stream is broken off: dropping the writer cuts the connection, so that nobody takes it for whole.
    finish();
    auto broken = std::move(out_);
}

void Edge::Feed::drop_if_ended() {
    if (done_ || !caller_->is_ended()) return;
    unpark();
    if (is_page()) return fail_with(caller_ended());
    if (form_ == Form::stream) {
        std::string told;
        http::append_problem_json(told, caller_ended(), {}, {});
        out_.event("problem", {}, told);
    }
    out_.end();
    finish();
}

void Edge::Feed::move() {
    if (done_) return;
    unpark();
    if (is_page() && waits_for_rights_) return fail_with({503, "stopping", "the server is being stopped: try again", {}, {}, 1});
    if (is_page()) return input_.wait = {}, complete_ = true, at_end();
    if (form_ == Form::stream) {
        auto const wait_ms = edge_.options_.random->next() % move_within_ms;
        out_.write(fmt::format("retry: {0}\nevent: moved\ndata: {{\"retry_ms\":{0}}}\n\n", wait_ms));
    }
    out_.end();
    finish();
}

}  // namespace gantry::runtime
