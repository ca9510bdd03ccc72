#include "kernel/runtime/process.h"

#include <csignal>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "kernel/codec/schema.h"
#include "kernel/codec/seal.h"
#include "kernel/log/data_dir.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/log/subject_keys_file.h"
#include "kernel/net/net.h"
#include "kernel/observe/log_line.h"
#include "kernel/runtime/any_value.h"
#include "kernel/runtime/backups.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/erasing.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/reports.h"
#include "kernel/runtime/scrubs.h"

namespace gantry::runtime {
namespace {

using observe::Level;

// The main thread sleeps here while the others serve.
class StopSignal {
   public:
    void ask() {
        std::lock_guard lock(mutex_);
        asked_ = true;
        changed_.notify_all();
    }
    bool asked() const { return asked_; }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return asked_.load(); });
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<bool> asked_ = false;
};

bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "::1"; }

// A key of the site, made at the first start: random bytes in a file that nobody else may read.
Result<codec::HashKey> site_key(log::Disk& disk, std::string const& path, Random& random) {
    codec::HashKey key;
    TRY_ASSIGN(bool there, disk.exists(path));
    if (!there) {
        random.fill(key);
        TRY_VOID(log::write_file_durably(disk, path, {reinterpret_cast<char const*>(key.data()), key.size()}, log::Open::create_private));
    }
    TRY_ASSIGN(auto bytes, log::read_file(disk, path));
    if (bytes.size() != key.size())
        return fail(500, "key_damaged",
                    path + " must hold 32 bytes: put back the right file; without it repeated commands aren't recognised");
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}

// One service with all that is its own.
struct Served {
    std::optional<AnyValue> settings;
    std::unique_ptr<log::Log> log;
    std::unique_ptr<log::Snapshots> snapshots;
    std::unique_ptr<Host> host;
    net::Timer due;  // on the worker's thread
};

class Process {
   public:
    explicit Process(ProcessOptions options) : options_(std::move(options)) {}
    ~Process() { server_.reset(), edge_.reset(); }  // the edge takes leave on the threads

    Result<void> run() {
        TRY_VOID(check_address());
        TRY_VOID(open_data());
        threads_.emplace(options_.io_threads);
        worker_.emplace(1), slow_.emplace(1), care_.emplace(1);
        TRY_VOID(watch_signals());
        make_reports();
        for (auto& decl : options_.services) TRY_VOID(open_service(std::move(decl)));
        TRY_VOID(listen());
        auto served = start_services();
        if (served && !stop_.asked()) {
            options_.on_ready(url_);
            worker_->every(0, Duration::seconds(1), [this] { keep_house(); });
            if (!in_memory()) care_->every(0, Duration::seconds(1), [this] { scrub(); });
            stop_.wait();
        }
        auto stopped = stop();
        return served ? stopped : served;
    }

   private:
    static constexpr std::size_t timers_a_turn = 1000;
    bool in_memory() const { return options_.log == "memory:"; }

    Result<void> check_address() {
        if (options_.listen.address == "localhost") options_.listen.address = "127.0.0.1";
        if (is_loopback(options_.listen.address)) return {};
        return fail(
            400, "listen_refused",
            options_.listen.address + " is reachable from elsewhere, and no credentials are configured: listen on 127.0.0.1 or [::1]");
    }
    Result<void> open_data() {
        if (in_memory()) {
            random_.fill(hash_key_);
            keys_ = std::make_unique<codec::MemorySubjectKeys>(random_);
        } else {
            TRY_ASSIGN(auto data, log::DataDirectory::open(disk_, options_.data_dir));
            data_.emplace(std::move(data));
            if (options_.log.starts_with("file:")) {
                TRY_ASSIGN(auto elsewhere, log::DataDirectory::open(disk_, options_.log.substr(5)));
                logs_.emplace(std::move(elsewhere));
            }
            auto const site = options_.data_dir + "/" + options_.site;
            TRY_VOID(disk_.make_directories(site));
            TRY_ASSIGN(hash_key_, site_key(disk_, site + "/request.key", random_));
            TRY_ASSIGN(keys_, log::open_subject_keys(disk_, site + "/subject.keys", random_));
        }
        TRY_ASSIGN(auto erasures,
                   log::Erasures::open(disk_, in_memory() ? "" : options_.data_dir + "/" + options_.site + "/erasures.ndjson"));
        TRY_VOID(erasures.finish(*keys_));
        erasing_.emplace(Erasing::Parts{*keys_, std::move(erasures), hash_key_, clock_, [this] { return hosts(); }});
        sealer_ = codec::make_sealer(*keys_, random_);
        return {};
    }
    Result<void> watch_signals() {
        for (int signal : {SIGTERM, SIGINT})
            TRY_VOID(threads_->on_signal(signal, [this] {
                if (stop_.asked()) std::_Exit(1);  // asked twice: what was acknowledged is durable anyway
                stop_.ask();
            }));
        if (options_.listen.tls)
            TRY_VOID(threads_->on_signal(SIGHUP, [this] {
                worker_->post(0, [this] {
                    auto done = listening_ ? server_->reload_tls() : Result<void>();
                    observe::log_line(done ? Level::info : Level::error, "http",
                                      done ? "certificate read again" : "the old certificate stays",
                                      {{"cause", done ? std::string() : done.error().detail}});
                });
            }));
        return {};
    }
    void make_reports() {
        std::string directory = in_memory() ? "" : options_.data_dir + "/reports";
        reports_.emplace(disk_, directory, clock_, random_, options_.version,
                         [this](std::move_only_function<void()> task) { worker_->post(0, std::move(task)); });
    }
    Result<void> open_service(ServiceDecl decl) {
        Served served;
        if (decl.settings) {
            served.settings.emplace(*decl.settings);
            if (options_.config) options_.config->fill(decl.name, *decl.settings, served.settings->get());
        }
        auto schemas = codec::encode_event_schema(*decl.event);
        if (in_memory()) {
            served.log = std::make_unique<log::MemoryLog>(std::make_shared<log::MemoryStore>(), clock_, random_, log::Options{}, schemas);
        } else {
            auto const& where = logs_ ? *logs_ : *data_;
            auto ahead = options_.clock_ahead_accepted ? log::ClockAhead::accept : log::ClockAhead::refuse;
            auto opened =
                log::FileLog::open(disk_, committer(), where.log_of(options_.site, decl.name), {}, schemas, clock_, random_, ahead);
            if (!opened) return std::unexpected(in_service(decl, std::move(opened.error())));
            if (auto torn = (*opened)->torn_bytes())
                observe::log_line(Level::warning, "log", "cut what the last life had not finished writing",
                                  {{"service", decl.name}, {"bytes", torn}});
            served.log = std::move(*opened);
            served.snapshots = log::file_snapshots(disk_, where.snapshots_of(options_.site, decl.name));
        }
        Host::Parts parts{*served.log, clock_, random_};
        parts.sealer = &sealer_, parts.settings = served.settings ? served.settings->get() : nullptr;
        parts.snapshots = served.snapshots.get(), parts.hash_key = hash_key_;
        parts.memory_bytes_max = options_.memory_bytes_max, parts.history_bytes_max = options_.history_bytes_max;
        parts.snapshot_bytes_max = options_.snapshot_bytes_max;
        // The host itself is known only later; by then the worker has its turn.
        parts.on_due = [this, number = served_.size()](Time) { worker_->post(0, [this, number] { fire_due(served_[number]); }); };
        parts.background = [this](std::move_only_function<void()> task) { slow_->post(0, std::move(task)); };
        parts.post = [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); };
        served.host = std::make_unique<Host>(std::move(decl), std::move(parts));
        served_.push_back(std::move(served));
        return {};
    }
    log::Committer& committer() {
        if (!committer_) committer_.emplace();
        return *committer_;
    }
    std::vector<Host*> hosts() {
        std::vector<Host*> out;
        for (auto& served : served_) out.push_back(served.host.get());
        return out;
    }
    std::vector<Backups::OfLog> logs_on_disk() {
        std::vector<Backups::OfLog> out;
        for (auto& served : served_)
            out.push_back({options_.site, (logs_ ? *logs_ : *data_).log_of(options_.site, served.host->decl().name), served.host.get()});
        return out;
    }
    void make_admin() {
        backups_.emplace(Backups::Parts{disk_,
                                        clock_,
                                        in_memory() ? "" : options_.data_dir,
                                        {options_.site},
                                        options_.version,
                                        [this] { return logs_on_disk(); },
                                        [this](std::move_only_function<void()> task) { care_->post(0, std::move(task)); }});
        auto routes = routes_of(*erasing_);
        for (auto& route : routes_of(*backups_)) routes.push_back(std::move(route));
        scrubs_.emplace(Scrubs::Parts{disk_, clock_, &*reports_, options_.data_dir + "/scrub.json", options_.scrub_every,
                                      options_.scrub_bytes_a_second, [this] {
                                          std::vector<Scrubs::OfLog> out;
                                          for (auto& log : logs_on_disk())
                                              out.push_back({log.site, std::string(log.host->decl().name), log.directory});
                                          return out;
                                      }});
        if (!in_memory())
            for (auto& route : routes_of(*scrubs_)) routes.push_back(std::move(route));
        admin_.emplace(std::move(routes), [this](std::move_only_function<void()> task) { worker_->post(0, std::move(task)); });
    }
    Result<void> listen() {
        make_admin();
        edge_ = std::make_unique<Edge>(hosts(), EdgeOptions{.files = options_.files,
                                                            .files_security_policy = options_.files_security_policy,
                                                            .version = options_.version,
                                                            .admin = &*admin_,
                                                            .reports = &*reports_,
                                                            .threads = &*threads_});
        server_.emplace(*threads_, *edge_, http::ServerConfig{options_.limits, options_.tls});
        TRY_ASSIGN(auto port, server_->listen(options_.listen));
        listening_ = true;
        bool const v6 = options_.listen.address.find(':') != std::string::npos;
        url_ = std::string(options_.listen.tls ? "https://" : "http://") +
               (v6 ? "[" + options_.listen.address + "]" : options_.listen.address) + ":" + std::to_string(port);
        return {};
    }
    Result<void> start_services() {
        for (auto& served : served_) {
            if (stop_.asked()) return {};
            auto const began = clock_.steady_ns();
            auto told = began;
            auto started = served.host->start([&](Position done, Position end) {
                if (stop_.asked()) return false;
                if (clock_.steady_ns() - told > 1'000'000'000) {
                    told = clock_.steady_ns();
                    observe::log_line(Level::info, "runtime", "replaying",
                                      {{"service", served.host->decl().name}, {"events", done}, {"of", end}});
                }
                return true;
            });
            if (!started && started.error().code == "stopped") return {};
            if (!started) return std::unexpected(in_service(served.host->decl(), std::move(started.error())));
            observe::log_line(Level::info, "runtime", "ready",
                              {{"service", served.host->decl().name},
                               {"events", served.host->applied()},
                               {"ms", (clock_.steady_ns() - began) / 1'000'000}});
        }
        return {};
    }
    static Problem in_service(ServiceDecl const& decl, Problem problem) {
        problem.detail = std::string(decl.name) + ": " + problem.detail;
        return problem;
    }
    // Timers to the millisecond: what is due fires now, what is due soon has an alarm; the rest is found by keep_house.
    void fire_due(Served& served) {
        served.due.cancel();
        if (!served.host->ready()) return;
        auto fired = served.host->fire_due(timers_a_turn);
        if (!fired) return complain(served, fired.error());
        auto const next = served.host->next_due();
        if (!next) return;
        auto const wait = std::max(*next - clock_.wall(), Duration::millis(*fired == timers_a_turn ? 0 : 1));
        if (wait <= Duration::seconds(2)) served.due = worker_->after(0, wait, [this, &served] { fire_due(served); });
    }
    static void complain(Served const& served, Problem const& problem) {
        observe::log_line(Level::error, "runtime", problem.detail,
                          {{"service", served.host->decl().name}, {"code", problem.code}, {"cause", problem.cause}});
    }
    void keep_house() {
        for (auto& served : served_) {
            if (auto kept = served.host->keep_house(); !kept) complain(served, kept.error());
            fire_due(served);
        }
    }
    void scrub() {
        if (auto done = scrubs_->turn(); !done)
            observe::log_line(Level::error, "log", "the scrub failed; it is tried again in an hour",
                              {{"code", done.error().code}, {"cause", done.error().cause}});
    }
    Result<void> stop() {
        auto const began = clock_.steady_ns();
        edge_->announce_stop();
        bool const clean = server_->stop(options_.stop_timeout);
        backups_->end();
        worker_->stop(), slow_->stop(), care_->stop();
        Result<void> outcome;
        for (auto& served : served_) {
            if (auto saved = served.host->save_snapshot(); !saved)
                observe::log_line(Level::warning, "runtime", "no snapshot: the next start replays the log",
                                  {{"service", served.host->decl().name}, {"cause", saved.error().cause}});
            if (auto closed = served.log->close(); !closed) outcome = std::move(closed);
        }
        server_.reset(), edge_.reset();
        threads_->stop();
        observe::log_line(Level::info, "runtime", "stopped", {{"ms", (clock_.steady_ns() - began) / 1'000'000}});
        if (!clean) return fail(503, "stop_timeout", "not all requests ended within [server] stop_timeout; the rest was cut off");
        return outcome;
    }

    // What is below is destroyed before what is above: services before the threads that call them.
    ProcessOptions options_;
    log::Disk& disk_ = log::system_disk();
    Clock& clock_ = system_clock();
    Random& random_ = system_random();
    StopSignal stop_;
    std::atomic<bool> listening_ = false;  // server_ is there: a signal may come before
    std::string url_;
    std::optional<log::DataDirectory> data_, logs_;
    codec::HashKey hash_key_{};
    std::unique_ptr<codec::SubjectKeys> keys_;
    codec::Sealer sealer_;
    std::optional<log::Committer> committer_;
    std::deque<Served> served_;
    std::optional<Reports> reports_;
    std::optional<Erasing> erasing_;
    std::optional<Backups> backups_;
    std::optional<Scrubs> scrubs_;
    std::optional<Admin> admin_;
    std::unique_ptr<Edge> edge_;
    std::optional<net::IoThreads> threads_, worker_, slow_, care_;  // that serve; that keep house; that rebuild; that copy and check
    std::optional<http::Server> server_;
};

}  // namespace

Result<void> serve(ProcessOptions options) { return Process(std::move(options)).run(); }

}  // namespace gantry::runtime
