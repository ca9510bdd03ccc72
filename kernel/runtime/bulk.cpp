#include "kernel/runtime/bulk.h"

#include <fmt/format.h>

#include <deque>

#include "kernel/codec/json.h"
#include "kernel/codec/split.h"
#include "kernel/runtime/deadline.h"
#include "kernel/runtime/edge_asked.h"
#include "kernel/runtime/host_group.h"
#include "kernel/runtime/reply.h"

namespace gantry::runtime {

bool is_array(std::string_view body) {
    auto first = body.find_first_not_of(" \t\r\n");
    return first != body.npos && body[first] == '[';
}

// The commands of one bulk, on its IO thread: results are told in the order of the commands, each when it is durable. Those that come
// together are decided and recorded together.
class Bulk : public std::enable_shared_from_this<Bulk> {
   public:
    using Asked = Edge::Asked;
    Bulk(Edge& edge, Asked const& asked, std::string_view counter, char separator)
        : edge_(edge),
          edge_alive_(edge.alive_),
          asked_(std::make_shared<Edge::AskedLater>(asked)),
          counter_(counter),
          separator_(separator) {
        auto const& target = *asked_->view().match.target;
        host_ = target.host, route_ = target.route;
        key_ = asked_->view().key();
        grouped_ = key_.empty() && HostGroup::takes(*route_);
    }
    virtual ~Bulk() = default;

   protected:
    // Where the next result is put, in order; `told` follows the last of several.
    virtual std::string& next_item() = 0;
    virtual void told() {}
    virtual void told_all() {}

    // It may be told only after end_group().
    void command(std::uint64_t n, std::string_view json) {
        if (!*edge_alive_) return refuse(n, {503, "stopping", "the server is being stopped: try again", {}, {}, 1});
        auto const& asked = asked_->view();
        if (is_past(asked.deadline_us)) return refuse(n, deadline_exceeded());
        std::string const key = key_.empty() ? std::string() : fmt::format("{}#{}", key_, n);
        auto bind = [&](codec::Type const& type, void* out) { return bind_request(asked.match, asked.query, json, false, type, out); };
        Request request{.route = *route_,
                        .viewer = asked.caller->viewer,
                        .bind = bind,
                        .request_id = asked.request_id,
                        .trace_id = asked.trace_id(),
                        .trace_state = asked.trace_state,
                        .idempotency_key = key,
                        .target = asked.head.target,
                        .body = json};
        request.lane = edge_.options_.threads ? asked.io_thread : -1;
        std::string oops_id;
        auto const facts = asked.facts(oops_id);
        request.facts = &facts;
        if (!grouped_) return call(n, request, oops_id);
        if (!group_) group_.emplace(*host_), in_group_.reserve(16);
        group_->run(request);
        group_bytes_ += json.size();
        in_group_.push_back({new_slot(), n, std::move(oops_id)});
        if (in_group_.size() >= group_commands_max || group_bytes_ >= group_bytes_max) end_group();
    }
    // No more comes now.
    void end_group() {
        if (!group_) return;
        group_bytes_ = 0;
        auto const lane = edge_.options_.threads ? asked_->io_thread() : -1;
        auto items = std::make_shared<Items>(std::exchange(in_group_, {}));
        auto told = [self = shared_from_this(), items](std::vector<Result<Answer>> answers) { self->write(*items, answers); };
        auto done = [self = shared_from_this(), items] {
            self->settle(*items);
            self->tell_settled();
        };
        group_->end(lane, std::move(told), std::move(done));
        group_.reset();
    }
    void refuse(std::uint64_t n, Problem problem) {
        settle({new_slot(), n, {}, true}, std::unexpected(std::move(problem)));
        if (!group_) tell_settled();
    }
    std::size_t under_way() const { return slots_.size(); }
    std::string const& request_id() const { return asked_->view().request_id; }

   private:
    static constexpr std::size_t group_commands_max = 64, group_bytes_max = 256 << 10;
    static constexpr std::size_t item_bytes = 100;  // about, beside a reply
    struct Entry {
        std::uint64_t slot = 0, n = 0;
        std::string oops_id;
        bool refused = false;  // it came to no service
    };

    // Of one group, one behind the other, with the separator between.
    struct Items {
        explicit Items(std::vector<Entry> of) : entries(std::move(of)) {}
        std::vector<Entry> entries;
        std::string text;
        std::vector<std::size_t> ends;
    };
    // From any thread.
    void write(Items& items, std::vector<Result<Answer>> const& answers) const {
        std::size_t bytes = 0;
        for (auto const& answer : answers) bytes += item_bytes + (answer ? answer->body.size() : item_bytes);
        items.text.reserve(bytes), items.ends.reserve(answers.size());
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (i > 0) items.text += separator_;
            append(items.text, items.entries[i], answers[i]);
            items.ends.push_back(items.text.size());
        }
    }
    void settle(Items const& items) {
        auto const count = items.ends.size();
        if (count == 0) return;
        if (items.entries.front().slot == first_ && items.entries.back().slot == first_ + count - 1) {  // all of them are the next ones
            next_item() += items.text;
            slots_.erase(slots_.begin(), slots_.begin() + std::ptrdiff_t(count)), first_ += count;
            return;
        }
        std::size_t from = 0;
        for (std::size_t i = 0; i < count; from = items.ends[i++] + 1) {
            auto const text = std::string_view(items.text).substr(from, items.ends[i] - from);
            if (items.entries[i].slot == first_)
                next_item() += text, slots_.pop_front(), ++first_;
            else
                slots_[items.entries[i].slot - first_] = text;
        }
    }

    std::uint64_t new_slot() { return slots_.emplace_back(), first_ + slots_.size() - 1; }
    void call(std::uint64_t n, Request const& request, std::string& oops_id) {
        auto const slot = new_slot();
        auto outcome = host_->call(request, [&]() -> Done {
            return [self = shared_from_this(), entry = Entry{slot, n, oops_id}](Result<Answer> answer) {
                self->settle(entry, answer);
                self->tell_settled();
            };
        });
        if (outcome) settle({slot, n, oops_id}, *outcome), tell_settled();
    }
    void settle(Entry const& entry, Result<Answer> const& answer) {
        bool const is_next = entry.slot == first_;
        append(is_next ? next_item() : slots_[entry.slot - first_].emplace(), entry, answer);
        if (is_next) slots_.pop_front(), ++first_;
    }
    void append(std::string& out, Entry const& entry, Result<Answer> const& answer) const {
        if (answer) return append_item(out, counter_, entry.n, *answer);
        ReplyTo const to{entry.refused ? nullptr : host_, entry.refused ? nullptr : route_, request_id(), {}, entry.oops_id};
        append_item(out, counter_, entry.n, to, answer.error());
    }
    void tell_settled() {
        for (; !slots_.empty() && slots_.front(); ++first_) {
            next_item() += *slots_.front();
            slots_.pop_front();
        }
        told();
        if (slots_.empty()) told_all();
    }

    Edge& edge_;
    std::shared_ptr<std::atomic<bool>> edge_alive_;  // an upload may outlive it
    std::shared_ptr<Edge::AskedLater> asked_;
    std::string_view counter_;
    char separator_;  // of what next_item() puts between
    // They outlive the edge, as what it knows of routes doesn't.
    Host* host_ = nullptr;
    RouteDecl const* route_ = nullptr;
    std::string_view key_;  // of idempotency
    bool grouped_ = false;
    std::optional<HostGroup> group_;
    std::vector<Entry> in_group_;
    std::size_t group_bytes_ = 0;
    std::uint64_t first_ = 0;
    std::deque<std::optional<std::string>> slots_;
};

namespace {

class BulkLines final : public Bulk, public http::BodySink {
   public:
    static constexpr std::size_t line_bytes_max = 1 << 20;
    static constexpr std::size_t under_way_max = 1024;
    static constexpr std::size_t held_bytes_max = 16 << 20;

    BulkLines(Edge& edge, Asked const& asked, http::Deferred deferred)
        : Bulk(edge, asked, R"({"line":)", '\n'),
          deferred_(std::move(deferred)),
          holds_(asked.head.header("Gantry-Answer") == "after-body") {}

    http::Flow on_data(std::string_view bytes) override {
        if (full_) return passed_over_ = true, http::Flow::Continue;
        while (!bytes.empty()) {
            auto const end = std::min(bytes.find('\n'), bytes.size());
            auto const part = bytes.substr(0, end);
            if (end == bytes.size())
                take(part);
            else if (line_.empty() && !too_long_ && part.size() <= line_bytes_max)
                run(part);
            else
                take(part), end_line();
            bytes.remove_prefix(std::min(end + 1, bytes.size()));
        }
        end_group();
        paused_ = under_way() >= under_way_max || (out_ && out_.pending_bytes() >= pending_bytes_max);
        return paused_ ? http::Flow::Pause : http::Flow::Continue;
    }
    void on_end() override {
        passed_over_ |= full_ && !line_.empty();
        if (!full_ && (!line_.empty() || too_long_)) end_line(), end_group();
        ended_ = true;
        if (passed_over_)
            say_last({413, "bulk_too_large", "more results than can be held until the body has come: what follows was not looked at"});
        if (under_way() == 0) told_all();
    }
    void on_abort(Problem const& why) override {
        // What was taken stays taken; the last line says why there is no more.
        if (ended_) return;
        ended_ = true;
        say_last(why);
        if (under_way() == 0) told_all();
    }

   private:
    static constexpr std::size_t pending_bytes_max = 256 << 10;

    void take(std::string_view part) {
        if (too_long_ || line_.size() + part.size() > line_bytes_max)
            too_long_ = true, line_.clear();
        else
            line_ += part;
    }
    void end_line() {
        if (std::exchange(too_long_, false))
            refuse(++number_, {413, "line_too_long", "a line has at most 1 MiB"});
        else
            run(line_);
        line_.clear();
    }
    void run(std::string_view line) {
        ++number_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.find_first_not_of(" \t") != line.npos) command(number_, line);
    }
    void say_last(Problem const& why) {
        std::string item = fmt::format(R"({{"line":{},"status":{},"problem":)", number_ + 1, why.status);
        http::append_problem_json(item, why, request_id());
        last_words_ = item + "}\n";
    }
    http::Response begun() {
        auto response = deferred_.response();
        response.begin(200).header("Content-Type", "application/x-ndjson").header("X-Request-Id", request_id());
        return response;
    }
    // The head goes with the first result: a packet less for each small bulk.
    http::StreamWriter& out() {
        if (!out_) out_ = begun().stream();
        return out_;
    }
    std::string& next_item() override {
        if (unended_) held_ += '\n';
        unended_ = true;
        return held_;
    }
    void told() override {
        if (std::exchange(unended_, false)) held_ += '\n';
        if (holds_)
            full_ = held_.size() >= held_bytes_max;
        else if (!held_.empty())
            out().write(held_), held_.clear();
        if (paused_ && under_way() < under_way_max / 2) paused_ = false, deferred_.resume_body();
    }
    void told_all() override {
        if (!ended_) return;
        if (holds_) return begun().body(held_ += last_words_);
        if (!last_words_.empty()) out().write(last_words_);
        out().end();
    }

    http::Deferred deferred_;
    http::StreamWriter out_;
    std::string line_, last_words_;
    std::string held_;      // results that are still to be sent
    bool unended_ = false;  // the last of them wants the end of its line
    std::uint64_t number_ = 0;
    bool const holds_;   // results until the body has come
    bool full_ = false;  // of them: the rest of the body is passed over, if there is any
    bool passed_over_ = false;
    bool too_long_ = false, ended_ = false, paused_ = false;
};

class BulkArray final : public Bulk {
   public:
    BulkArray(Edge& edge, Asked const& asked, http::Deferred deferred)
        : Bulk(edge, asked, R"({"index":)", ','), deferred_(std::move(deferred)) {}

    void run(std::vector<std::string_view> const& items) {
        for (std::size_t i = 0; i < items.size(); ++i) command(i, items[i]);
        end_group();
        ended_ = true;
        if (under_way() == 0) told_all();
    }

   private:
    std::string& next_item() override { return out_ += out_.empty() ? "[" : ","; }
    void told_all() override {
        if (!ended_) return;
        out_ += out_.empty() ? "[]" : "]";
        deferred_.response().begin(200).header("Content-Type", "application/json").header("X-Request-Id", request_id()).body(out_);
    }
    http::Deferred deferred_;
    std::string out_;
    bool ended_ = false;
};

}  // namespace

void Edge::start_bulk(http::Exchange& exchange, Asked const& asked, BulkForm form) {
    if (form == BulkForm::lines) return exchange.receive(std::make_shared<BulkLines>(*this, asked, exchange.defer()));
    auto items = codec::split_json_array(asked.body, options_.bulk_items_max);
    if (!items) return write_problem(exchange.response(), items.error(), asked.known_id(), {});
    std::make_shared<BulkArray>(*this, asked, exchange.defer())->run(*items);
}

}  // namespace gantry::runtime
