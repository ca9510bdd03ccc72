#include "kernel/testing/sim/kernel_simulation.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "kernel/codec/json.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/effect_runner.h"
#include "kernel/runtime/follower.h"
#include "kernel/runtime/host.h"
#include "kernel/testing/sim/shop.h"

namespace gantry::sim {
namespace {

using log::Position;
using runtime::Answer;
using runtime::Host;

// What one client knows: what it was told, and what it asks until it is told.
struct Client {
    shop::CustomerId id;
    Viewer viewer;
    std::set<std::string> tried, acknowledged;  // orders
    std::int64_t seen = 0;                      // orders of its own, at most, by any answer
    std::string order, body;                    // what it wants; empty: nothing
    bool waits = false;                         // the process has it
    bool reads = false;
};

// One service of the simulated process.
struct Running {
    std::unique_ptr<log::FileLog> log;
    std::unique_ptr<log::Snapshots> snapshots;
    std::unique_ptr<Host> host;
};

class Simulation {
   public:
    Simulation(std::uint64_t seed, Broken broken)
        : broken_(broken),
          random_(seed),
          ids_(mix64(seed + 1)),
          disk_(mix64(seed)),
          committer_(log::Committer::Mode::manual, [this](Problem const& p) { died(p); }) {
        options_.segment_bytes_min = (128u << 10) << random_.below(2),
        options_.segment_bytes_max = options_.segment_bytes_min << random_.below(2);
        settings_.keep = random_.chance(0.5) ? Duration::seconds(1200) : Duration::days(36500);
        clients_.resize(1 + random_.below(4));
        for (std::size_t i = 0; i < clients_.size(); ++i)
            clients_[i].id = shop::CustomerId(fmt::format("c_{}", i)), clients_[i].viewer = {Str(fmt::format("u_{}", i))};
    }
    ~Simulation() { drop(); }

    Report run() {
        start();
        for (auto steps = 100 + random_.below(300); steps > 0 && good(); --steps) step();
        if (good()) finish();
        if (good()) stop(Stop::clean), start();
        if (good()) judge_the_end(), judge_the_past();
        if (good()) report_.digest = mix64(shop_.host->digest() ^ mix64(ledger_.host->digest()));
        return report_;
    }

   private:
    enum class Stop { clean, kill, power };
    bool good() const { return report_.violation.empty(); }
    void violated(std::string what) {
        if (good()) report_.violation = std::move(what);
    }
    void died(Problem const& p) {
        if (!expecting_failure_) violated("the process ended without a fault: " + p.code + " " + p.cause);
        ++report_.failed_writes, dead_ = true;
    }
    shop::State const& shop() const { return *static_cast<shop::State const*>(shop_.host->state_for_tools()); }
    ledger::State const& ledger() const { return *static_cast<ledger::State const*>(ledger_.host->state_for_tools()); }

    // --- the process ------------------------------------------------------------------------------------------------------------

    Result<void> open(Running& running, runtime::ServiceDecl decl, void const* settings) {
        auto const directory = "/data/main/" + std::string(decl.name);
        TRY_ASSIGN(running.log, log::FileLog::open(disk_, committer_, directory + "/log", options_, codec::encode_event_schema(*decl.event),
                                                   clock_, ids_, log::ClockAhead::accept));
        running.snapshots = log::file_snapshots(disk_, directory + "/snapshots");
        Host::Parts parts{*running.log, clock_, ids_};
        parts.snapshots = running.snapshots.get(), parts.settings = settings;
        running.host = std::make_unique<Host>(std::move(decl), std::move(parts));
        return running.host->start();
    }
    Result<void> open_all() {
        TRY_VOID(open(shop_, runtime::declare<shop::Service>(), &settings_));
        TRY_VOID(open(ledger_, runtime::declare<ledger::Service>(), nullptr));
        auto send = [this](client::Request request) { return charged(request); };
        auto take = [this](std::move_only_function<void()> task) {
            if (tasks_.size() == 3) return false;
            return tasks_.push_back(std::move(task)), true;
        };
        effects_ = std::make_unique<runtime::EffectRunner>(runtime::EffectRunner::Parts{*shop_.host, clock_, send, take});
        auto const& decl = ledger_.host->decl().followers.front();
        follower_ = std::make_unique<runtime::Follower>(*ledger_.host, decl, runtime::follow_log(*shop_.host, decl, [] {}), clock_, ids_);
        std::array<Host*, 1> followers{ledger_.host.get()};
        shop_.host->keep_for(
            [source = shop_.host.get(), followers] { return runtime::needed_by_followers(*source, followers, ~std::uint64_t{0}); });
        return {};
    }
    void start() {
        for (int tries = 0;; ++tries) {
            if (tries > 6) return violated("the process doesn't start");
            bool const faults = tries == 0 && random_.chance(0.05);
            if (faults) expecting_failure_ = true, disk_.fail_at(1 + random_.below(10));
            auto opened = open_all();
            disk_.fail_at(0);
            if (opened && !dead_) break;
            bool const is_full = !opened && opened.error().code == "disk_full";
            if (is_full) disk_.set_capacity(~std::uint64_t{0});
            if (!faults && !is_full) return violated("the process doesn't start: " + opened.error().code + " " + opened.error().cause);
            drop(), disk_.kill(), dead_ = false;
        }
        expecting_failure_ = false;
        while (random_.chance(0.9) && committer_.run_prepare()) {
        }
        judge_a_start();
        if (broken_ == Broken::forgotten_cursor && report_.stops > 0)
            (void)ledger_.host->change_followed("shop",
                                                [](runtime::Followed& followed, auto&) { return followed.position = 0, Result<void>(); });
    }
    void drop() {
        tasks_.clear();
        follower_.reset(), effects_.reset();
        for (auto* running : {&ledger_, &shop_}) running->host.reset(), running->log.reset(), running->snapshots.reset();
        for (auto& client : clients_) client.waits = client.reads = false;
    }
    void stop(Stop how) {
        ++report_.stops;
        if (how == Stop::clean && !dead_) {
            while (!tasks_.empty() && !dead_) run_task();
            effects_->stop();
            (void)follower_->stop();
            for (auto* running : {&ledger_, &shop_}) {
                if (!dead_) (void)running->host->save_snapshot();
                if (auto closed = running->log->close(); !closed && !dead_ && !expecting_failure_)
                    violated("close: " + closed.error().cause);
            }
        }
        drop();
        disk_.fail_at(0), expecting_failure_ = false;
        if (how == Stop::power)
            disk_.crash();
        else
            disk_.kill();
        dead_ = false;
    }

    // --- what happens -----------------------------------------------------------------------------------------------------------

    void step() {
        auto const dice = random_.below(100);
        auto& client = clients_[random_.below(clients_.size())];
        if (dice < 22)
            order(client);
        else if (dice < 30)
            read(client);
        else if (dice < 48)
            committer_.run_commit();
        else if (dice < 58)
            committer_.run_prepare();
        else if (dice < 66)
            (void)follower_->step();
        else if (dice < 72)
            effects_->poll();
        else if (dice < 78)
            run_task();
        else if (dice < 82)
            fire();
        else if (dice < 87)
            advance();
        else if (dice < 89)
            save();
        else if (dice < 93)
            keep_house();
        else if (dice < 95)
            disk_.set_capacity(random_.chance(0.3) ? disk_.used_bytes() + random_.below(300'000) : ~std::uint64_t{0});
        else if (dice < 96)
            expecting_failure_ = true, disk_.fail_at(1 + random_.below(8));
        else if (dice < 97)
            remember_the_moment();
        else
            stop(Stop(random_.below(3))), start();
        if (dead_) stop(random_.chance(0.5) ? Stop::kill : Stop::power), start();
    }

    void call(Host& host, std::size_t route, Client& client, std::string const& key, std::string const& body, runtime::Done done) {
        auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, body); };
        runtime::Request request{.route = host.decl().routes[route], .viewer = client.viewer, .bind = fill};
        request.idempotency_key = key, request.body = body;
        auto answer = host.call(request, [&] { return std::move(done); });
        if (answer) done(std::move(*answer));
    }
    void order(Client& client) {
        if (client.waits) return;
        if (client.order.empty()) {
            client.order = fmt::format("o_{}_{}", client.id.view(), client.tried.size());
            client.body = fmt::format(R"({{"id":"{}","customer":"{}","cents":{},"remind_s":{},"note":"{}"}})", client.order,
                                      client.id.view(), random_.below(1000), random_.below(1000),
                                      std::string(random_.chance(0.5) ? random_.below(60'000) : random_.below(100), 'x'));
            client.tried.insert(client.order);
        }
        client.waits = true, ++report_.commands;
        if (broken_ == Broken::answers_before_durable) client.acknowledged.insert(client.order);
        if (broken_ == Broken::effects_before_durable) charges_[client.order].insert("at once");
        call(*shop_.host, 0, client, client.order, client.body, [this, &client](Result<Answer> answer) {
            client.waits = false;
            if (answer) return acknowledged(client);
            ++report_.refused;
            auto const& problem = answer.error();
            if (problem.status == 507) return void(++report_.full_disks);
            if (problem.code != "log_busy" && problem.code != "log_closed" && problem.code != "service_stopped")
                violated(fmt::format("{} was refused: {} {}", client.order, problem.code, problem.detail));
        });
    }
    void acknowledged(Client& client) {
        client.acknowledged.insert(client.order);
        client.seen = std::max(client.seen, std::int64_t(client.acknowledged.size()));
        client.order.clear();
    }
    void read(Client& client) {
        if (client.reads) return;
        client.reads = true, ++report_.reads;
        auto const atleast = client.seen;
        call(*shop_.host, 1, client, "", fmt::format(R"({{"id":"{}"}})", client.id.view()),
             [this, &client, atleast](Result<Answer> answer) {
                 client.reads = false;
                 if (!answer) return;
                 auto const told = codec::from_json<shop::Customer>(answer->body);
                 if (!told) return violated("an answer can't be read: " + answer->body);
                 if (told->orders < atleast)
                     violated(fmt::format("{} saw {} orders, and then {}", client.id.view(), atleast, told->orders));
                 if (told->orders > std::int64_t(client.tried.size()))
                     violated(fmt::format("{} has more orders than it made", client.id.view()));
                 client.seen = std::max(client.seen, told->orders);
             });
    }
    void run_task() {
        if (tasks_.empty()) return;
        auto const at = std::ptrdiff_t(random_.below(tasks_.size()));
        auto task = std::move(tasks_[std::size_t(at)]);
        tasks_.erase(tasks_.begin() + at);
        task();
    }
    // The bank: takes an order once for each key, and now and then says nothing of it.
    client::Reply charged(client::Request const& request) {
        client::Reply reply;
        auto const order = request.target.substr(request.target.rfind('/') + 1);
        auto const dice = finishing_ ? 99 : random_.below(100);
        reply.status = dice < 10 ? 503 : dice < 13 ? 422 : 200;
        if (reply.status == 200) {
            ++report_.charges;
            auto& keys = charges_[order];
            std::string key;
            for (auto const& [name, value] : request.headers)
                if (name == "Idempotency-Key") key = value;
            if (!keys.insert(key).second) ++report_.repeated_charges;
            if (keys.size() > 1) violated(order + " was charged under two keys");
            auto const* known = shop().orders.find(shop::OrderId(order));
            if (!known) violated(order + " was charged, and the shop knows of no such order");
            if (dice < 23) reply.status = 0;
        }
        if (reply.status == 0 || reply.status >= 400) reply.error = client::Error{"connect_failed", "no"};
        return reply;
    }
    void fire() {
        auto fired = shop_.host->fire_due(1 + random_.below(5));
        if (fired) report_.reminders += *fired;
    }
    // Keys of commands are remembered for a day: longer than any client goes on repeating one.
    void advance() {
        bool const quiet = std::ranges::all_of(clients_, [](auto const& client) { return client.order.empty(); });
        if (quiet && random_.chance(0.4)) {
            clock_.advance(Duration::hours(25));
            return keep_house(), clock_.advance(Duration::hours(1)), keep_house();
        }
        clock_.advance(Duration::millis(std::int64_t(random_.below(random_.chance(0.3) ? 900'000 : 5'000))));
    }
    void save() {
        if ((random_.chance(0.5) ? shop_ : ledger_).host->save_snapshot()) ++report_.snapshots;
    }
    void keep_house() {
        if (!shop_.log->has_space(16 << 10)) return;
        auto const begin = shop_.log->status().begin;
        (void)shop_.host->keep_house();
        if (shop_.log->status().begin > begin) ++report_.cuts;
    }
    void remember_the_moment() {
        if (shop_.host->durable() == shop_.host->applied()) moments_[shop_.host->applied()] = shop_.host->digest();
    }

    // --- what was promised ------------------------------------------------------------------------------------------------------

    void judge_a_start() {
        for (auto& client : clients_) {
            for (auto const& id : client.acknowledged)
                if (!shop().orders.find(shop::OrderId(id))) violated(id + " was acknowledged, and is gone");
            auto const* customer = shop().customers.find(client.id);
            auto const orders = customer ? customer->orders : 0;
            if (orders < client.seen) violated(fmt::format("{} saw {} orders, and {} are left", client.id.view(), client.seen, orders));
        }
        for (auto const& [id, keys] : charges_)
            if (!shop().orders.find(shop::OrderId(id))) violated(id + " was charged, and is gone");
        judge_counts();
    }
    void judge_counts() {
        shop().orders.walk(nullptr, [&](auto const& id, shop::Order const& order) {
            if (order.ordered != 1) violated(fmt::format("{} was recorded {} times", id.view(), order.ordered));
            if (order.paid > 1) violated(fmt::format("{} was paid {} times", id.view(), order.paid));
            if (order.reminded > 1) violated(fmt::format("{} was reminded {} times", id.view(), order.reminded));
            if (order.early > 0) violated(fmt::format("{} was reminded before its time", id.view()));
            if (order.paid == 1 && !charges_.contains(id.str())) violated(fmt::format("{} is paid, and was never charged", id.view()));
            return true;
        });
        ledger().lines.walk(nullptr, [&](auto const& id, ledger::Line const& line) {
            auto const* customer = shop().customers.find(id);
            if (!customer || line.orders > customer->orders)
                violated(fmt::format("the ledger has {} orders of {}, and the shop {}", line.orders, id.view(),
                                     customer ? customer->orders : 0));
            return true;
        });
    }
    // All faults end: what is under way comes to its end.
    void finish() {
        disk_.fail_at(0), expecting_failure_ = false, finishing_ = true, disk_.set_capacity(~std::uint64_t{0});
        for (int rounds = 0; rounds < 60 && !is_done() && good(); ++rounds) {
            for (auto& client : clients_)
                if (!client.order.empty()) order(client);
            for (bool again = true; again && !dead_;) {
                while (committer_.run_once() && !dead_) {
                }
                retry_the_dead();
                effects_->poll();
                again = !tasks_.empty();
                while (!tasks_.empty()) run_task();
                if (auto fired = shop_.host->fire_due()) again = again || *fired > 0;
                for (auto next = follower_->step(); next && next->us == 0; next = follower_->step()) again = true;
            }
            if (dead_) stop(Stop::kill), start();
            clock_.advance(Duration::seconds(600));
        }
        while (committer_.run_once()) {
        }
    }
    bool is_done() const {
        if (std::ranges::any_of(clients_, [](auto const& client) { return !client.order.empty(); })) return false;
        return shop().outbox.size() == 0 && shop().reminders.size() == 0 &&
               ledger_.host->followed_place("shop").position == shop_.host->durable() && shop_.host->durable() == shop_.host->applied();
    }
    void retry_the_dead() {
        std::vector<EffectId> dead;
        shop().outbox.walk(nullptr, [&](PendingEffect const& row) {
            if (!row.next_at) dead.push_back(row.id);
            return true;
        });
        auto const& routes = shop_.host->decl().routes;
        auto const retry = std::ranges::find(routes, std::string_view("/effects/{id}/retry"), &runtime::RouteDecl::path);
        for (auto const& id : dead)
            call(*shop_.host, std::size_t(retry - routes.begin()), clients_.front(), "", fmt::format(R"({{"id":"{}"}})", id.view()),
                 [](Result<Answer>) {});
    }
    void judge_the_end() {
        if (!is_done()) return violated("it doesn't come to its end");
        judge_counts();
        shop().orders.walk(nullptr, [&](auto const& id, shop::Order const& order) {
            if (order.paid != 1 || order.reminded != 1)
                violated(fmt::format("{}: paid {} times, reminded {} times", id.view(), order.paid, order.reminded));
            return true;
        });
        for (auto const& client : clients_) {
            auto const* customer = shop().customers.find(client.id);
            auto const* line = ledger().lines.find(client.id);
            auto const orders = customer ? customer->orders : 0, entered = line ? line->orders : 0;
            if (orders != std::int64_t(client.tried.size()) || client.acknowledged != client.tried)
                violated(fmt::format("{} made {} orders, and has {}", client.id.view(), client.tried.size(), orders));
            if (entered != orders || (line && line->cents != customer->cents))
                violated(fmt::format("the ledger has {} of {} orders of {}", entered, orders, client.id.view()));
            report_.entries += std::uint64_t(entered);
        }
    }
    void judge_the_past() {
        for (auto const& [position, digest] : moments_) {
            auto const moment = shop_.host->moment(shop_.host->position_text(position));
            if (!moment) continue;  // cut away
            Result<runtime::PastState> past = fail(500, "not_told");
            shop_.host->history().fetch(*moment, -1, [&](Result<runtime::PastState> found) { past = std::move(found); });
            if (!past && past.error().code == "past_gone") continue;
            if (!past) return violated("the past can't be told: " + past.error().code + " " + past.error().cause);
            if (shop_.host->decl().state.digest((*past)->service.get()) != digest)
                violated(fmt::format("the past at {} is another", position));
        }
    }

    Broken broken_;
    SeededRandom random_, ids_;
    ManualClock clock_;
    Report report_;
    log::Options options_;
    shop::Service::Settings settings_;
    std::vector<Client> clients_;
    std::map<std::string, std::set<std::string>> charges_;  // order → keys
    std::map<Position, std::uint64_t> moments_;             // digests of the shop
    bool dead_ = false, expecting_failure_ = false, finishing_ = false;
    log::SimulatedDisk disk_;
    log::Committer committer_;
    Running shop_, ledger_;
    std::vector<std::move_only_function<void()>> tasks_;
    std::unique_ptr<runtime::EffectRunner> effects_;
    std::unique_ptr<runtime::Follower> follower_;
};

}  // namespace

Report& Report::operator+=(Report const& o) {
    commands += o.commands, refused += o.refused, reads += o.reads, charges += o.charges, repeated_charges += o.repeated_charges;
    reminders += o.reminders, entries += o.entries, stops += o.stops, failed_writes += o.failed_writes, full_disks += o.full_disks;
    snapshots += o.snapshots, cuts += o.cuts;
    return *this;
}

Report simulate(std::uint64_t seed, Broken broken) { return Simulation(seed, broken).run(); }

}  // namespace gantry::sim
