#include "kernel/testing/sim/process.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/codec/json.h"
#include "kernel/codec/schema.h"
#include "kernel/log/memory/memory_snapshots.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/testing/sim/world.h"

namespace gantry::sim {

using runtime::Answer;

namespace {

constexpr Time simulated_noon{1'767'268'800'000'000};  // 2026-01-01T12:00:00Z
constexpr char const* directory = "/data/main/service";

bool is_of_the_fault(Problem const& p) { return p.code == "log_busy" || p.code == "log_closed" || p.code == "service_stopped"; }

}  // namespace

Process::Process(std::uint64_t seed, World& world, LogKind kind, Sabotage sabotage)
    : world_(world),
      kind_(sabotage == Sabotage::forgets ? LogKind::memory : kind),
      sabotage_(sabotage),
      random_(seed),
      ids_(mix64(seed + 1)),
      decl_(world.declare()),
      disk_(mix64(seed)),
      committer_(log::Committer::Mode::manual, [this](Problem const& p) { died(p); }) {
    options_.segment_bytes_min = (32u << 10) << random_.below(3);
    options_.segment_bytes_max = options_.segment_bytes_min << random_.below(2);
    clock_.set_wall(simulated_noon);
    if (kind_ == LogKind::memory) snapshots_ = log::memory_snapshots();
}
Process::~Process() { drop(); }

void Process::violated(std::string what) {
    if (good()) report_.violation = std::move(what);
}
void Process::died(Problem const& p) {
    if (!expecting_failure_) violated("the process ended without a fault: " + p.code + " " + p.cause);
    ++report_.failed_writes, dead_ = true;
}

WorldReport Process::run() {
    start();
    for (auto steps = 200 + random_.below(300); steps > 0 && good(); --steps) step();
    if (good()) finish();
    if (good()) stop(Stop::clean), start();
    if (good() && !world_.is_done(*this)) violated("it doesn't come to its end");
    if (good()) world_.judge_the_end(*this);
    report_.events = seen_;
    if (good()) report_.digest = host_->digest();
    return report_;
}

// --- the process --------------------------------------------------------------------------------------------------------------------

Result<void> Process::open() {
    auto const schemas = codec::encode_event_schema(*decl_.event);
    if (kind_ == LogKind::file) {
        TRY_ASSIGN(file_log_, log::FileLog::open(disk_, committer_, std::string(directory) + "/log", options_, schemas, clock_, ids_,
                                                 log::ClockAhead::accept));
        snapshots_ = log::file_snapshots(disk_, std::string(directory) + "/snapshots");
    } else {
        memory_log_ = std::make_unique<log::MemoryLog>(store_, clock_, ids_, options_, schemas);
    }
    runtime::Host::Parts parts{log(), clock_, ids_};
    parts.snapshots = snapshots_.get(), parts.settings = world_.settings();
    host_ = std::make_unique<runtime::Host>(world_.declare(), std::move(parts));
    TRY_VOID(host_->start());
    hold(true);
    auto send = [this](client::Request request) {
        auto reply = world_.outside(*this, request);
        if (reply.status == 0 || reply.status >= 400) reply.error = client::Error{"connect_failed", "no"};
        return ++report_.effects, reply;
    };
    auto take = [this](std::move_only_function<void()> task) { return tasks_.size() < 3 && (tasks_.push_back(std::move(task)), true); };
    effects_ = std::make_unique<runtime::EffectRunner>(runtime::EffectRunner::Parts{*host_, clock_, send, take});
    return {};
}
void Process::start() {
    for (int tries = 0;; ++tries) {
        if (tries > 6) return violated("the process doesn't start");
        bool const faults = kind_ == LogKind::file && tries == 0 && !finishing_ && random_.chance(0.05);
        if (faults) expecting_failure_ = true, disk_.fail_at(1 + random_.below(10));
        auto opened = open();
        disk_.fail_at(0);
        if (opened && !dead_) break;
        bool const is_full = !opened && opened.error().code == "disk_full";
        if (is_full) disk_.set_capacity(~std::uint64_t{0});
        if (!faults && !is_full) return violated("the process doesn't start: " + opened.error().code + " " + opened.error().cause);
        drop(), disk_.kill(), dead_ = false;
    }
    expecting_failure_ = false;
    started_ = now();
    check_prefix();
    catch_up();
    if (good()) world_.started(*this);
}
void Process::drop() {
    tasks_.clear(), to_ask_.clear(), answers_.clear();
    report_.unanswered += open_.size();
    open_.clear(), asked_ = 0;
    effects_.reset(), host_.reset(), file_log_.reset(), memory_log_.reset();
    if (kind_ == LogKind::file) snapshots_.reset();
    world_.stopped();
}
void Process::stop(Stop how) {
    ++report_.stops;
    if (how == Stop::clean && !dead_) {
        while (!tasks_.empty() && !dead_) run_effect();
        effects_->stop();
        if (!dead_) save();
        hold(false);
        if (auto closed = log().close(); !closed && !dead_ && !expecting_failure_) violated("close: " + closed.error().cause);
    }
    drop();
    disk_.fail_at(0), expecting_failure_ = false, dead_ = false;
    if (how == Stop::power)
        disk_.crash();
    else
        disk_.kill();
    if (sabotage_ == Sabotage::forgets && how != Stop::clean) *store_ = synced_, snapshots_ = log::memory_snapshots();
}

// --- what happens -------------------------------------------------------------------------------------------------------------------

void Process::step() {
    if (random_.chance(0.5))
        world_.step(*this);
    else
        machinery();
    ask_waiting();
    tell();
    if (dead_) stop(random_.chance(0.5) ? Stop::kill : Stop::power), start();
}
void Process::machinery() {
    auto const dice = random_.below(100);
    if (dice < 40)
        commit(false);
    else if (dice < 50)
        commit(true);
    else if (dice < 58)
        effects_->poll();
    else if (dice < 66)
        run_effect();
    else if (dice < 74)
        fire(1 + random_.below(5));
    else if (dice < 82)
        clock_.advance(Duration::millis(std::int64_t(random_.below(random_.chance(0.2) ? 15'000 : 800))));
    else if (dice < 85)
        save();
    else if (dice < 88)
        keep_house();
    else if (dice < 90)
        disk_.set_capacity(random_.chance(0.3) ? disk_.used_bytes() + random_.below(60'000) : ~std::uint64_t{0});
    else if (dice < 92 && kind_ == LogKind::file)
        expecting_failure_ = true, disk_.fail_at(1 + random_.below(8));
    else if (dice < 94 && sabotage_ == Sabotage::forgets)
        synced_ = *store_;
    else if (dice >= 96)
        stop(Stop(random_.below(3))), start();
}
void Process::commit(bool all) {
    if (kind_ == LogKind::file) {
        if (random_.chance(0.4)) committer_.run_prepare();
        while (committer_.run_commit() && all && !dead_) {
        }
    } else if (memory_log_->held() > 0) {
        memory_log_->release(all ? memory_log_->held() : 1 + random_.below(memory_log_->held()));
    }
    catch_up();
}
void Process::run_effect() {
    if (tasks_.empty()) return;
    auto const at = std::ptrdiff_t(random_.below(tasks_.size()));
    auto task = std::move(tasks_[std::size_t(at)]);
    tasks_.erase(tasks_.begin() + at);
    task();
}
void Process::fire(std::size_t at_most) {
    if (auto fired = host_->fire_due(at_most)) report_.timers += *fired;
}
// Who waits until something is durable waits, on a log in memory, for another thread to release it, and there is none.
void Process::hold(bool on) {
    if (!memory_log_ || sabotage_ == Sabotage::forgets) return;
    if (on)
        memory_log_->hold();
    else
        memory_log_->release_all();
}
void Process::save() {
    hold(false);
    report_.snapshots += bool(host_->save_snapshot());
    hold(true);
}
void Process::keep_house() {
    if (!log().has_space(16 << 10)) return;
    hold(false);
    auto const begin = log().status().begin;
    (void)host_->keep_house();
    hold(true);
    if (log().status().begin > begin) ++report_.cuts;
}

// --- callers ------------------------------------------------------------------------------------------------------------------------

void Process::ask(Asking asking) {
    ++report_.asked;
    auto const number = ++last_;
    open_[number].asking = std::move(asking);
    decide(number);
}
void Process::decide(std::uint64_t number) {
    auto& open = open_.at(number);
    auto const& asking = open.asking;
    auto const route = std::ranges::find_if(host_->decl().routes,
                                            [&](auto const& r) { return r.verb == asking.verb && r.path == asking.path && !r.foreign; });
    if (route == host_->decl().routes.end()) return violated(fmt::format("there is no route {} {}", asking.verb, asking.path));
    auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, asking.body); };
    Viewer const viewer{Str(asking.caller)};
    runtime::Request request{.route = *route, .viewer = viewer, .bind = fill};
    request.idempotency_key = asking.key, request.target = asking.path, request.body = asking.body;
    runtime::Waiter waiter{.number = open.waiter, .ask = [this, number] { to_ask_.push_back(number); }};
    if (asking.waits) request.waiter = &waiter;
    auto told = [this, number](Result<Answer> answer) { answers_.emplace_back(number, std::move(answer)); };
    open.is_decided = true, ++asked_;
    auto answer = host_->call(request, [&]() -> runtime::Done { return told; });
    if (waiter.parked) {
        auto& parked = open_.at(number);
        parked.waiter = waiter.number, parked.is_decided = false, --asked_, ++report_.waited;
    } else if (answer) {
        told(std::move(*answer));
    }
}
// Who asked is told when nothing of the process is on the stack: it reads the log, and asks for more.
void Process::tell() {
    while (!answers_.empty() && !dead_ && good()) {
        auto [number, answer] = std::move(answers_.front());
        answers_.pop_front();
        auto const found = open_.find(number);
        if (found == open_.end()) continue;
        auto done = std::move(found->second.asking.told);
        asked_ -= found->second.is_decided;
        open_.erase(found);
        if (!answer) ++report_.refused;
        if (!answer && answer.error().status == 507) ++report_.full_disks;
        if (!answer && answer.error().status >= 500 && answer.error().status != 507 && !is_of_the_fault(answer.error()))
            violated(fmt::format("{} {}", answer.error().code, answer.error().detail));
        catch_up();
        done(std::move(answer));
    }
}
void Process::ask_waiting() {
    if (dead_) return;
    (void)host_->fire_due(0);
    while (!to_ask_.empty() && !dead_) {
        auto const number = to_ask_.front();
        to_ask_.pop_front();
        if (open_.contains(number) && !open_.at(number).is_decided) decide(number);
    }
}

// --- what is durable ----------------------------------------------------------------------------------------------------------------

void Process::catch_up() {
    if (dead_ || !good()) return;
    auto scanned = log().scan(seen_, [&](log::BatchView const& batch) {
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count && good(); ++i) {
            auto const type = std::uint32_t(in.varint());
            auto const payload = in.string();
            if (batch.first + i > seen_) world_.saw({batch.first + i, batch.time, batch.caller}, type, payload);
        }
        if (batch.count > 0) seen_ = std::max(seen_, batch.last()), chain_ = batch.chain;
        return good();
    });
    if (!scanned) violated("the log can't be read: " + scanned.error().code + " " + scanned.error().cause);
}
// What was durable once is still there, and the same.
void Process::check_prefix() {
    if (seen_ == 0 || seen_ < log().status().begin) return;
    std::optional<std::uint64_t> chain;
    (void)log().find(seen_, [&](log::BatchView const& batch) { return chain = batch.chain, false; });
    if (!chain)
        violated(fmt::format("event {} was durable, and is gone", seen_));
    else if (*chain != chain_)
        violated(fmt::format("the history up to event {} is another one", seen_));
}

// All faults end: what is under way comes to its end.
void Process::finish() {
    disk_.fail_at(0), expecting_failure_ = false, finishing_ = true, disk_.set_capacity(~std::uint64_t{0});
    for (int rounds = 0; rounds < 3000 && good() && !(is_settled() && world_.is_done(*this)); ++rounds) {
        world_.finish(*this);
        effects_->poll();
        while (!tasks_.empty() && good()) run_effect();
        fire(~std::size_t{0});
        ask_waiting();
        commit(true);
        tell();
        if (dead_) stop(Stop::kill), start();
        clock_.advance(Duration::millis(std::int64_t(random_.below(1500))));
    }
}

// --- reports ------------------------------------------------------------------------------------------------------------------------

WorldReport& WorldReport::operator+=(WorldReport const& o) {
    asked += o.asked, refused += o.refused, unanswered += o.unanswered, waited += o.waited, events += o.events, timers += o.timers;
    effects += o.effects, stops += o.stops, failed_writes += o.failed_writes, full_disks += o.full_disks, snapshots += o.snapshots;
    cuts += o.cuts;
    return *this;
}
std::string WorldReport::told() const {
    return fmt::format(
        "{} commands ({} refused, {} for want of space, {} without an answer, {} waits), {} events, {} timers, {} calls outside, {} stops, "
        "{} failed writes, {} snapshots, {} cuts",
        asked, refused, full_disks, unanswered, waited, events, timers, effects, stops, failed_writes, snapshots, cuts);
}

}  // namespace gantry::sim
