#include "kernel/runtime/text_indexer.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

using observe::Level;

// `depth`: a type that holds itself might.
bool holds_personal(codec::Type const& type, int depth = 0) {
    using codec::Kind;
    if (++depth > 20) return true;
    switch (type.kind) {
        case Kind::personal: return true;
        case Kind::optional:
        case Kind::list:
        case Kind::map: return holds_personal(type.element(), depth);
        case Kind::record: return std::ranges::any_of(type.fields, [&](auto const& field) { return holds_personal(field.type(), depth); });
        case Kind::variant:
            return std::ranges::any_of(type.alternatives, [&](auto const& one) { return holds_personal(one.type(), depth); });
        default: return false;
    }
}

// What is put right by making the index anew.
bool is_of_no_use(Problem const& problem) { return problem.code == "text_damaged" || problem.code == "text_outdated"; }

Problem not_now(std::string_view why) {
    return {503, "text_unavailable", fmt::format("the full-text index {}: try again", why), {}, {}, 1};
}

}  // namespace

Result<Searched> Call::search(void const*) { return fail(400, "request_invalid", "a search is of now alone: leave as_of out"); }
Result<void> Call::wait(Wait, std::size_t) { return abandon_write(), fail(500, "wait_refused", "nobody waits here"); }

TextIndexer::TextIndexer(Parts parts)
    : parts_(std::move(parts)), decl_(*parts_.host.decl().text), holds_personal_(holds_personal(*parts_.host.decl().event)) {}
TextIndexer::~TextIndexer() = default;

text::Schema TextIndexer::schema_now() const {
    auto schema = decl_.schema;
    schema.basis = fmt::format("{} erasures", erasures_now());
    return schema;
}

Result<void> TextIndexer::open() {
    auto const erasures = erasures_now();
    auto opened = parts_.directory.empty() ? text::Index::in_memory(schema_now()) : text::Index::open(parts_.directory, schema_now());
    if (!opened) return std::unexpected(std::move(opened.error()));
    auto const upto = opened->upto();
    TRY_ASSIGN(auto const documents, opened->documents());
    {
        std::lock_guard guard(index_mutex_);
        index_.emplace(std::move(*opened));
    }
    at_ = committed_ = {upto.incarnation, upto.position};
    auto fork = [this](log::Incarnation former) { return log::shared_until(parts_.host.log().eras(), former); };
    source_ = follow_log(parts_.host, decl_.events, parts_.wake, fork);
    erasures_shown_ = erasures, damaged_ = false;
    // What it shows of another history counts only once the source has said that it is part of this one.
    show(at_.incarnation == parts_.host.log().status().incarnation ? at_.position : 0);
    std::lock_guard guard(mutex_);
    if (!is_open_) is_open_ = true, ++generation_;
    documents_ = documents;
    return {};
}

void TextIndexer::close() {
    source_.reset();
    std::lock_guard guard(index_mutex_);
    index_.reset();
}

void TextIndexer::forget_readers() {
    std::lock_guard guard(mutex_);
    readers_.clear();
    is_open_ = false, ++generation_;
}

Result<void> TextIndexer::start_over(Problem const& why) {
    observe::log_line(Level::warning, "runtime", "the full-text index is made anew: " + why.detail,
                      {{"site", parts_.site}, {"service", parts_.host.decl().name}, {"code", why.code}, {"cause", why.cause}});
    forget_readers(), close(), show(0);
    at_ = committed_ = {};
    if (!parts_.directory.empty()) TRY_VOID(text::Index::drop(parts_.directory));
    {
        std::lock_guard guard(mutex_);
        ++rebuilds_;
    }
    return open();
}

std::optional<Duration> TextIndexer::step() {
    if (!parts_.host.ready()) return Duration::millis(50);
    auto const left_ns = back_at_ns_ - parts_.clock.steady_ns();
    if (left_ns > 0) return Duration::micros(left_ns / 1000 + 1);
    // An erasure waits until this turn is over: no value that it erased is put after it.
    auto const held = parts_.host.hold_personal();
    auto next = turn();
    if (!next && is_of_no_use(next.error())) {
        auto const over = start_over(next.error());
        next = over ? Result<std::optional<Duration>>(Duration{}) : std::unexpected(over.error());
    }
    if (!next) return failed(next.error());
    failures_ = 0, back_at_ns_ = 0;
    return *next;
}

Result<std::optional<Duration>> TextIndexer::turn() {
    if (damaged_.exchange(false)) return fail(500, "text_damaged", "a search found it damaged");
    if (!index_) TRY_VOID(open());
    if (erasures_shown_ != erasures_now()) return fail(500, "text_outdated", "personal values were erased");
    auto chunk = source_->read(at_.incarnation, at_.position);
    if (!chunk && chunk.error().code == "source_gap") {
        // Retention has cut what comes next: it gives no documents any more.
        auto const place = source_->place();
        at_ = {place.incarnation, place.begin - 1};
        return std::optional(Duration{});
    }
    if (!chunk && needs_operator(chunk.error())) return fail({500, "text_outdated", chunk.error().detail, {}, chunk.error().cause});
    if (!chunk) return std::unexpected(std::move(chunk.error()));
    if (!*chunk) return idle();
    for (auto const& item : (*chunk)->items) TRY_VOID(take(item, (*chunk)->incarnation));
    at_ = {(*chunk)->incarnation, (*chunk)->upto};
    if (index_->batch_documents() == 0 || parts_.directory.empty()) show(at_.position);
    bool const due = index_->batch_documents() >= batch_documents || at_.position >= committed_.position + checkpoint_events;
    if (due) TRY_VOID(commit());
    std::lock_guard guard(mutex_);
    state_ = TextState::behind, why_.reset();
    return std::optional(Duration{});
}

Result<void> TextIndexer::take(FollowItem const& item, log::Incarnation incarnation) {
    if (!item.event) return std::unexpected(*item.unreadable);
    changes_.clear();
    At const at{item.position, item.time, item.caller};
    if (decl_.asks_state) {
        static Viewer const kernel{Str("gantry"), true};
        Position seen = 0;
        parts_.host.look(kernel, seen, [&](void const* state) { return decl_.changes(state, item.event, at, changes_), true; });
        needs_durable_ = std::max(needs_durable_, seen);
    } else {
        decl_.changes(nullptr, item.event, at, changes_);
    }
    if (changes_.all().empty()) return {};
    if (index_->batch_full()) {
        at_ = {incarnation, item.position - 1};
        TRY_VOID(commit());
    }
    for (auto const& change : changes_.all()) TRY_VOID(apply(change));
    return {};
}

Result<void> TextIndexer::apply(TextChanges::Change const& change) {
    std::lock_guard guard(index_mutex_);
    if (auto const* document = std::get_if<text::Document>(&change)) {
        TRY_ASSIGN(auto const taken, index_->put(*document));
        if (taken == text::Index::Taken::cut)
            observe::log_line(Level::warning, "runtime", "a document is too long: the index holds its beginning",
                              {{"service", parts_.host.decl().name}, {"key", document->key}, {"id", document->id}});
        return {};
    }
    if (auto const* id = std::get_if<std::uint64_t>(&change)) return index_->remove(*id);
    return index_->remove(std::get<std::string>(change));
}

Result<void> TextIndexer::commit() {
    // A document may tell of more than the event that gave it: none outlives what is lost.
    if (needs_durable_ > parts_.host.durable()) TRY_VOID(parts_.host.log().wait_durable());
    auto const hurried = hurried_.exchange(false);
    {
        std::lock_guard guard(index_mutex_);
        if (auto done = index_->commit({at_.incarnation, at_.position}); !done) return hurried_ = hurried, std::move(done);
    }
    committed_ = at_, committed_ns_ = parts_.clock.steady_ns();
    show(at_.position);
    TRY_ASSIGN(auto const documents, index_->documents());
    std::lock_guard guard(mutex_);
    documents_ = documents;
    return {};
}

// All that is durable was taken.
Result<std::optional<Duration>> TextIndexer::idle() {
    auto const age = Duration::micros((parts_.clock.steady_ns() - committed_ns_) / 1000);
    bool const put = index_->batch_documents() > 0;
    auto const wait = put ? commit_every : checkpoint_after;
    bool const due = age >= wait || (put && hurried_);
    if (at_ != committed_ && due) TRY_VOID(commit());
    std::lock_guard guard(mutex_);
    state_ = TextState::caught_up, why_.reset();
    if (at_ == committed_) return std::optional<Duration>();
    return std::optional(Duration::micros(std::max<std::int64_t>(wait.us - age.us, 1)));
}

void TextIndexer::show(Position position) { shown_.store(position, std::memory_order_release); }

std::optional<Duration> TextIndexer::failed(Problem const& problem) {
    auto const wait = std::min(Duration{backoff_first.us << std::min(failures_++, 10)}, backoff_max);
    back_at_ns_ = parts_.clock.steady_ns() + wait.us * 1000;
    close();  // what failed in the middle of a batch is opened again; what was committed is searched meanwhile
    show(parts_.directory.empty() ? 0 : std::min(shown(), committed_.position));
    std::lock_guard guard(mutex_);
    bool const news = !why_ || why_->code != problem.code;
    state_ = TextState::backing_off, why_ = problem;
    if (news)
        observe::log_line(Level::error, "runtime", "the full-text index can't go on: " + problem.detail,
                          {{"site", parts_.site}, {"service", parts_.host.decl().name}, {"code", problem.code}, {"cause", problem.cause}});
    return wait;
}

Result<void> TextIndexer::catch_up() {
    hurry();
    for (;;) {
        auto const next = step();
        {
            std::lock_guard guard(mutex_);
            if (state_ == TextState::backing_off) return std::unexpected(*why_);
        }
        if (next && next->us == 0) continue;
        return {};
    }
}

void TextIndexer::stop() {
    if (index_ && at_ != committed_)
        if (auto done = commit(); !done)
            observe::log_line(Level::warning, "runtime", "the full-text index takes some events again at the next start",
                              {{"service", parts_.host.decl().name}, {"cause", done.error().detail + " " + done.error().cause}});
    forget_readers(), close();
    std::lock_guard guard(mutex_);
    state_ = TextState::stopped;
}

Result<std::unique_ptr<text::Reader>> TextIndexer::take_reader(std::uint64_t generation) {
    {
        std::lock_guard guard(mutex_);
        if (generation == generation_ && !readers_.empty()) {
            auto reader = std::move(readers_.back());
            readers_.pop_back();
            return reader;
        }
    }
    TRY_ASSIGN(auto reader, text::Index::reader(parts_.directory, schema_now()));
    return std::make_unique<text::Reader>(std::move(reader));
}

void TextIndexer::give_back(std::unique_ptr<text::Reader> reader, std::uint64_t generation) {
    std::lock_guard guard(mutex_);
    if (generation == generation_) readers_.push_back(std::move(reader));
}

Result<Searched> TextIndexer::find(text::Query const& query) {
    auto const durable = parts_.host.durable();
    auto const shown = shown_.load(std::memory_order_acquire);  // before the search: what is found is no older
    auto const generation = [this] {
        std::lock_guard guard(mutex_);
        return is_open_ ? std::optional(generation_) : std::nullopt;
    }();
    Searched searched;
    if (!generation) return fail(not_now("isn't open yet"));
    if (erasures_shown_ != erasures_now()) return fail(not_now("is made anew, since personal values were erased"));
    Result<text::Found> found;
    if (parts_.directory.empty()) {
        std::lock_guard guard(index_mutex_);
        if (!index_) return fail(not_now("is made anew"));
        TRY_ASSIGN(auto reader, index_->reader());
        found = reader.find(query);
    } else {
        auto reader = take_reader(*generation);
        found = reader ? (*reader)->find(query) : Result<text::Found>(std::unexpected(std::move(reader.error())));
        if (found) give_back(std::move(*reader), *generation);
    }
    if (!found && is_of_no_use(found.error())) {
        bool const still_the_same = [&] {
            std::lock_guard guard(mutex_);
            return is_open_ && *generation == generation_;
        }();
        if (still_the_same) damaged_ = true, parts_.wake();
        return fail(not_now("is made anew"));
    }
    TRY_ASSIGN(searched.found, std::move(found));
    if (erasures_shown_ != erasures_now()) return fail(not_now("is made anew, since personal values were erased"));
    if (shown < durable) searched.behind = fmt::format("the full-text index is {} events behind", durable - shown);
    return searched;
}

TextTold TextIndexer::told() const {
    auto const status = parts_.host.log().status();
    auto const shown = this->shown();
    std::lock_guard guard(mutex_);
    TextTold out{.state = state_, .documents = documents_, .position = {}, .rebuilds = rebuilds_, .code = {}, .why = {}};
    if (shown > 0) out.position = parts_.host.position_text(shown);
    out.lag_events = status.durable - std::min(status.durable, shown);
    if (out.state == TextState::caught_up && out.lag_events > 0) out.state = TextState::behind;
    if (why_) out.code = why_->code, out.why = why_->detail;
    return out;
}

// --- at once -----------------------------------------------------------------------------------------------------------------

TextAtOnce::TextAtOnce(Host& host, Clock& clock, std::function<std::uint64_t()> erasures)
    : host_(host), indexer_({.host = host, .clock = clock, .erasures = std::move(erasures)}) {
    host_.set_text_desk(this);
}
TextAtOnce::~TextAtOnce() { host_.set_text_desk(nullptr); }

Result<Searched> TextAtOnce::find(text::Query const& query) {
    std::lock_guard guard(mutex_);
    TRY_VOID(indexer_.catch_up());
    return indexer_.find(query);
}
void TextAtOnce::find_later(text::Query query, Position, Duration, Done done) { done(find(query)); }

// --- on a thread -------------------------------------------------------------------------------------------------------------

// A search that waits for the index, or for a thread.
struct TextIndexing::Waiter {
    text::Query query;
    Position after = 0;
    Done done;
    std::atomic<bool> released = false;
    net::Timer late;
};

// What outlives this object in tasks that were posted before it ended.
struct TextIndexing::Shared {
    std::atomic<bool> scheduled = false, ended = false;
    std::atomic<int> waiting = 0;
};

TextIndexing::TextIndexing(TextIndexer::Parts parts, net::IoThreads& threads, int thread, net::IoThreads& searchers)
    : host_(parts.host), threads_(threads), thread_(thread), searchers_(searchers), shared_(std::make_shared<Shared>()), indexer_([&] {
          parts.wake = [this] { wake(); };
          return std::move(parts);
      }()) {}
TextIndexing::~TextIndexing() { stop(); }

void TextIndexing::start() {
    host_.set_text_desk(this);
    wake();
}

void TextIndexing::wake() {
    if (shared_->ended || shared_->scheduled.exchange(true)) return;
    threads_.post(thread_, [this, shared = shared_] {
        shared->scheduled = false;
        if (!shared->ended) run();
    });
}

void TextIndexing::run() {
    alarm_.cancel();
    auto const next = indexer_.step();
    release();
    if (next && next->us <= 0) return wake();
    if (next)
        alarm_ = threads_.after(thread_, *next, [this, shared = shared_] {
            if (!shared->ended) wake();
        });
}

void TextIndexing::find_later(text::Query query, Position after, Duration wait, Done done) {
    if (shared_->ended) return done(fail(not_now("is closed")));
    if (++shared_->waiting > waiting_max) {
        --shared_->waiting;
        return done(fail({503, "text_busy", "too many searches wait for the full-text index: try again", {}, {}, 1}));
    }
    auto waiter = std::make_shared<Waiter>();
    waiter->query = std::move(query), waiter->after = after, waiter->done = std::move(done);
    if (indexer_.shown() >= after || wait.us <= 0) return search(waiter);
    {
        std::lock_guard guard(mutex_);
        waiters_.push_back(waiter);
    }
    // On the thread, where the timer lives and is let go.
    threads_.post(thread_, [this, shared = shared_, waiter, wait] {
        if (shared->ended || waiter->released) return;
        // The timer is the waiter's own: it must not hold it.
        waiter->late = threads_.after(thread_, wait, [this, shared, weak = std::weak_ptr(waiter)] {
            auto const late = weak.lock();
            if (late && !shared->ended) late->after = 0, release();
        });
    });
    indexer_.hurry();
    wake();
}

// Of those that wait, the ones whose time has come.
void TextIndexing::release() {
    std::vector<std::shared_ptr<Waiter>> ready;
    {
        std::lock_guard guard(mutex_);
        auto const shown = indexer_.shown();
        std::erase_if(waiters_, [&](auto const& waiter) {
            if (waiter->after > shown) return false;
            return ready.push_back(waiter), true;
        });
        if (!waiters_.empty()) indexer_.hurry();
    }
    for (auto const& waiter : ready) waiter->late.cancel(), search(waiter);
}

void TextIndexing::search(std::shared_ptr<Waiter> const& waiter) {
    if (waiter->released.exchange(true)) return;
    int thread;
    {
        std::lock_guard guard(mutex_);
        thread = next_searcher_++ % searchers_.count();
    }
    searchers_.post(thread, [this, shared = shared_, waiter] {
        --shared->waiting;
        waiter->done(shared->ended ? Result<Searched>(fail(not_now("is closed"))) : indexer_.find(waiter->query));
    });
}

void TextIndexing::stop() {
    if (std::exchange(stopped_, true)) return;
    host_.set_text_desk(nullptr);
    shared_->ended = true;
    // What was posted before has run when this returns.
    threads_.run(thread_, [this] {
        alarm_.cancel();
        indexer_.stop();
        for (auto const& waiter : waiters_) waiter->late.cancel(), search(waiter);
        waiters_.clear();
    });
    for (int thread = 0; thread < searchers_.count(); ++thread) searchers_.run(thread, [] {});
}

}  // namespace gantry::runtime
