#include "kernel/runtime/process.h"

#include <fmt/format.h>

#include <unistd.h>

#include <csignal>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>

#include "kernel/codec/json.h"
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
#include "kernel/runtime/backups.h"
#include "kernel/runtime/crash.h"
#include "kernel/runtime/front.h"
#include "kernel/runtime/listeners.h"
#include "kernel/runtime/log_stream.h"
#include "kernel/runtime/mail.h"
#include "kernel/runtime/process_metrics.h"
#include "kernel/runtime/report_delivery.h"
#include "kernel/runtime/scrubs.h"
#include "kernel/runtime/stop_signal.h"
#include "kernel/runtime/tenant.h"
#include "kernel/runtime/upgrade.h"
#include "kernel/runtime/why.h"
#include "kernel/runtime/workers.h"

namespace gantry::runtime {
namespace {

using observe::Level;

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

struct WantedLevels {
    std::string levels;
};
RECORD(WantedLevels, levels);

class Process {
   public:
    explicit Process(ProcessOptions options) : options_(std::move(options)) {}
    ~Process() {
        end_serving();
        end_log();
    }

    Result<void> run() {
        if (options_.listen.address == "localhost") options_.listen.address = "127.0.0.1";
        TRY_VOID(open_data());
        threads_.emplace(options_.io_threads);
        worker_.emplace(1), slow_.emplace(1), care_.emplace(1), reporting_.emplace(1);
        start_log();
        TRY_ASSIGN(front_, Front::make(front_parts(), options_.sites));
        if (!options_.callers) TRY_VOID(check_address());  // before anything is opened
        TRY_VOID(watch_signals());
        for (auto& tenant : tenants_) make_reports(tenant);
        watch_end();
        for (auto& tenant : tenants_) {
            for (auto const& decl : options_.services) TRY_VOID(open_service(tenant, decl));
        }
        for (std::size_t i = 0; options_.callers && i < tenants_.size(); ++i)
            front_->add_callers(i, hosts_of(tenants_[i]), options_.callers);
        TRY_VOID(check_address());
        TRY_VOID(listen());
        auto served = start_services();
        if (served && !stop_.asked()) {
            for (auto& tenant : tenants_) {
                start_followers(tenant), start_text(tenant);
                if (auto begun = start_delivery(tenant); !begun) complain_of("reports", "reports stay in the spool", begun.error());
            }
            reporting_->every(0, Duration::seconds(1), [this] {
                for (auto& tenant : tenants_) deliver(tenant);
            });
            announce();
            options_.on_ready(url_);
            for (auto const& one : listening_for_)
                if (options_.on_listening) options_.on_listening(one);
            for (auto const& text : front_->first_steps(url_)) options_.on_first_steps(text);
            worker_->every(0, Duration::seconds(1), [this] { keep_house(); });
            if (!in_memory()) care_->every(0, Duration::seconds(1), [this] { scrub(); });
            stop_.wait();
        }
        auto stopped = stop();
        return served ? stopped : served;
    }

   private:
    static constexpr std::size_t timers_a_turn = 1000;
    static constexpr int search_threads = 2;
    bool in_memory() const { return options_.log == "memory:"; }

    Result<void> check_address() {
        if (is_loopback(options_.listen.address) || !front_->is_open()) return {};
        return fail(400, "listen_refused",
                    options_.listen.address +
                        " is reachable from elsewhere, and no credentials are configured: make some (gantry auth add), or listen on "
                        "127.0.0.1 or [::1]");
    }
    // From here on a thread of its own writes what is logged; nobody waits for it.
    void start_log() {
        if (!options_.log_queue) return;
        scribe_.emplace(1);
        options_.log_queue->set_wake([this] { scribe_->post(0, [this] { options_.log_queue->drain(); }); });
        scribe_->every(0, Duration::millis(20), [this] { options_.log_queue->drain(); });
        options_.log_queue->set_pumped(true);
    }
    void end_log() {
        if (!scribe_) return;
        options_.log_queue->set_pumped(false);
        scribe_->stop();
        options_.log_queue->drain();
    }
    Front::Parts front_parts() {
        return {disk_,         clock_, random_, *threads_, in_memory() ? "" : options_.data_dir, options_.version, options_.log_queue,
                options_.front};
    }
    // For the operator's own commands on this machine: where the server is, and a token of this run. Who can read the data may do all.
    void announce() {
        if (in_memory()) return;
        auto const text = fmt::format("{{\"url\":\"{}\",\"token\":\"{}\",\"pid\":{}}}\n", url_, front_->operator_token(), ::getpid());
        if (auto written = log::write_file_durably(disk_, server_file(), text, log::Open::create_private); !written)
            complain_of("runtime", "server.json can't be written: commands on this machine must name the server", written.error());
    }
    std::string server_file() const { return options_.data_dir + "/server.json"; }
    Measured measured() {
        return {.tenants = tenants_,
                .server = *server_,
                .front = *front_,
                .clock = clock_,
                .data_dir = in_memory() ? "" : options_.data_dir,
                .version = options_.version,
                .memory_bytes_max = options_.memory_bytes_max,
                .log = options_.log_queue,
                .scrubs = scrubs_ ? &*scrubs_ : nullptr,
                .lines = &lines_,
                .tls_certificate_file = options_.tls.certificate_file};
    }
    // POST: nothing new is to come here (the health checks of what stands in front say so), and live readers go elsewhere; what comes is
    // answered all the same. DELETE takes it back.
    void answer_drain(http::Exchange& exchange) {
        auto const method = exchange.head().method;
        bool const starts = method == http::Method::Post, ends = method == http::Method::Delete;
        if (!starts && !ends && method != http::Method::Get && method != http::Method::Head)
            return exchange.response().problem({405, "method_not_allowed", "this path takes GET, POST, DELETE"});
        worker_->post(0, [this, starts, ends, held = exchange.defer()]() mutable {
            if (starts && draining_since_us_ == 0) {
                draining_since_us_ = clock_.wall().us;
                observe::log_line(Level::info, "runtime", "draining");
                for (auto& tenant : tenants_) tenant.edge->announce_stop();
            }
            if (ends && draining_since_us_.exchange(0) != 0) {
                observe::log_line(Level::info, "runtime", "no longer draining");
                for (auto& tenant : tenants_) tenant.edge->take_back_stop();
            }
            std::move(held).complete([text = drain_json(measured(), Time{draining_since_us_})](http::Response& response) {
                response.begin(200).header("Content-Type", "application/json").header("Cache-Control", "no-store").body(text);
            });
        });
    }
    void answer_metrics(http::Exchange& exchange) {
        auto const format = observe::choose_metrics_format(exchange.head().header("Accept"));
        slow_->post(0, [this, format, held = exchange.defer()]() mutable {
            std::move(held).complete([format, text = metrics_text(measured(), format)](http::Response& response) {
                response.begin(200).header("Content-Type", observe::content_type(format)).header("Cache-Control", "no-store").body(text);
            });
        });
    }
    Result<void> open_data() {
        if (!in_memory()) {
            TRY_ASSIGN(auto data, log::DataDirectory::open(disk_, options_.data_dir));
            data_.emplace(std::move(data));
            if (options_.log.starts_with("file:")) {
                TRY_ASSIGN(auto elsewhere, log::DataDirectory::open(disk_, options_.log.substr(5)));
                logs_.emplace(std::move(elsewhere));
            }
        }
        for (auto const& name : options_.sites) TRY_VOID(open_site(tenants_.emplace_back(), name));
        return {};
    }
    Result<void> open_site(Tenant& tenant, std::string const& name) {
        tenant.name = name;
        if (in_memory()) {
            random_.fill(tenant.hash_key);
            tenant.keys = std::make_unique<codec::MemorySubjectKeys>(random_);
        } else {
            auto const directory = directory_of(tenant);
            TRY_VOID(disk_.make_directories(directory));
            TRY_ASSIGN(tenant.hash_key, site_key(disk_, directory + "/request.key", random_));
            TRY_ASSIGN(tenant.keys, log::open_subject_keys(disk_, directory + "/subject.keys", random_));
        }
        TRY_ASSIGN(auto erasures, log::Erasures::open(disk_, in_memory() ? "" : directory_of(tenant) + "/erasures.ndjson"));
        TRY_VOID(erasures.finish(*tenant.keys));
        tenant.erasing.emplace(
            Erasing::Parts{*tenant.keys, std::move(erasures), tenant.hash_key, clock_, [&tenant] { return hosts_of(tenant); }});
        tenant.sealer = codec::make_sealer(*tenant.keys, random_);
        TRY_ASSIGN(tenant.flags, Flags::open({disk_, clock_, in_memory() ? "" : directory_of(tenant) + "/flags.ndjson", {}, host_name()}));
        return {};
    }
    static std::string host_name() {
        char name[256] = "";
        return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
    }
    std::string directory_of(Tenant const& tenant) const { return options_.data_dir + "/" + tenant.name; }
    Result<void> watch_signals() {
        for (int signal : {SIGTERM, SIGINT})
            TRY_VOID(threads_->on_signal(signal, [this] {
                if (stop_.asked()) std::_Exit(1);  // asked twice: what was acknowledged is durable anyway
                stop_.ask();
            }));
        return threads_->on_signal(SIGHUP, [this] { worker_->post(0, [this] { reload(); }); });
    }
    // What can be read again is; what is wrong with one leaves that one as it was.
    void reload() {
        if (!listening_) return;
        if (options_.on_reload) {
            auto front = options_.on_reload();
            auto taken = front ? front_->set(*front) : std::unexpected(std::move(front.error()));
            if (!taken) complain_of("config", "the configuration stays as it was", taken.error());
        }
        if (auto done = front_->reload_callers(); !done) complain_of("auth", "the callers stay as they were", done.error());
        if (options_.log_queue)
            if (auto done = options_.log_queue->reopen(); !done) complain_of("log", "a log file can't be opened again", done.error());
        if (options_.listen.tls) {
            if (auto done = server_->reload_tls(); !done)
                complain_of("http", "the old certificate stays", done.error());
            else
                observe::log_line(Level::info, "http", "certificate read again");
        }
        if (options_.on_reloaded) options_.on_reloaded(url_);
    }
    static void complain_of(std::string_view module, std::string_view what, Problem const& problem) {
        observe::log_line(Level::error, module, what, {{"code", problem.code}, {"cause", problem.detail + " " + problem.cause}});
    }
    void make_reports(Tenant& tenant) {
        // No service has a dot in its name.
        Reports::Parts parts{disk_,
                             in_memory() ? "" : directory_of(tenant) + "/reports.d",
                             clock_,
                             random_,
                             options_.version,
                             [this](std::move_only_function<void()> task) { reporting_->post(0, std::move(task)); },
                             in_memory() ? "" : directory_of(tenant) + "/failures.d"};
        parts.revision = options_.revision, parts.instance = host_name(), parts.site = tenant.name;
        parts.flags = [&tenant](flags::Subject const& subject) {
            std::map<std::string, std::string> out;
            for (auto const& flag : tenant.flags->rules()) out.emplace(flag.flag, tenant.flags->set().text(flag.flag, subject));
            for (auto const& flag : tenant.flags->set().decls()) out.emplace(flag.name, tenant.flags->set().text(flag.name, subject));
            return out;
        };
        parts.on_kept = [this, &tenant] { deliver(tenant); };
        tenant.reports.emplace(std::move(parts));
    }
    // How the process before this one ended is told among the reports of the first site; and so this one's end will be.
    void watch_end() {
        if (in_memory()) return;
        auto& reports = *tenants_.front().reports;
        auto const& directory = reports.spool().directory();
        for (auto& report : take_dumps(disk_, directory)) {
            report.instance = host_name(), report.site = tenants_.front().name;
            reports.keep(std::move(report));
        }
        auto made = disk_.make_directories(directory);
        auto watch =
            made ? EndWatch::make(directory, options_.version, options_.revision, clock_) : std::unexpected(std::move(made.error()));
        if (!watch) return complain_of("reports", "a report of how this process ends can't be made", watch.error());
        end_watch_ = std::move(*watch);
    }
    // To the oops of this site, or as the configuration says.
    Result<void> start_delivery(Tenant& tenant) {
        std::unique_ptr<ReportTaker> taker;
        if (!options_.reports_dsn.empty()) {
            TRY_ASSIGN(taker, oops_elsewhere(options_.reports_dsn));
        } else if (auto* oops = host_of(tenant, "oops")) {
            taker = oops_here(*oops, [this] { return stopping_.load(); });
        }
        if (!taker || !tenant.reports->spool().keeps()) return {};
        auto delivery = std::make_shared<ReportDelivery>(tenant.reports->spool(), std::move(taker), clock_);
        reporting_->post(0, [this, &tenant, delivery] { tenant.delivery = delivery, deliver(tenant); });
        return {};
    }
    // On the thread of the reports. What is left or failed is found each second.
    void deliver(Tenant& tenant) {
        if (!tenant.delivery || stopping_ || !tenant.delivery->turn()) return;
        reporting_->post(0, [this, &tenant] { deliver(tenant); });
    }
    Result<void> open_service(Tenant& tenant, ServiceDecl decl) {
        Served served{.site = tenant.name};
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
            auto opened = log::FileLog::open(disk_, committer(), where.log_of(tenant.name, decl.name), {}, schemas, clock_, random_, ahead);
            if (!opened) return std::unexpected(in_service(tenant, decl, std::move(opened.error())));
            if (auto torn = (*opened)->torn_bytes())
                observe::log_line(Level::warning, "log", "cut what the last life had not finished writing",
                                  {{"site", tenant.name}, {"service", decl.name}, {"bytes", torn}});
            served.log = std::move(*opened);
            served.snapshots = log::file_snapshots(disk_, where.snapshots_of(tenant.name, decl.name));
        }
        Host::Parts parts{*served.log, clock_, random_};
        parts.sealer = &tenant.sealer, parts.settings = served.settings ? served.settings->get() : nullptr;
        parts.snapshots = served.snapshots.get(), parts.hash_key = tenant.hash_key, parts.site = tenant.name;
        parts.memory_bytes_max = options_.memory_bytes_max, parts.history_bytes_max = options_.history_bytes_max;
        parts.snapshot_bytes_max = options_.snapshot_bytes_max, parts.waiting_room = &waiting_room_;
        // The host itself is known only later; by then the worker has its turn.
        parts.on_due = [this, &tenant, number = tenant.served.size()](Time) {
            worker_->post(0, [this, &tenant, number] { fire_due(tenant.served[number]); });
        };
        parts.on_effects = [this, &tenant, number = tenant.served.size()] { ask_for_effects(tenant.served[number]); };
        parts.background = [this](std::move_only_function<void()> task) { slow_->post(0, std::move(task)); };
        parts.reports = &*tenant.reports;
        parts.post = [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); };
        served.host = std::make_unique<Host>(std::move(decl), std::move(parts));
        if (served.host->decl().outbox) make_effects(tenant, served);
        tenant.served.push_back(std::move(served));
        return {};
    }
    log::Committer& committer() {
        if (!committer_) committer_.emplace();
        return *committer_;
    }
    static std::vector<Host*> hosts_of(Tenant& tenant) {
        std::vector<Host*> out;
        for (auto& served : tenant.served) out.push_back(served.host.get());
        return out;
    }
    std::vector<Backups::OfLog> logs_on_disk() {
        std::vector<Backups::OfLog> out;
        for (auto& tenant : tenants_)
            for (auto& served : tenant.served)
                out.push_back({tenant.name, (logs_ ? *logs_ : *data_).log_of(tenant.name, served.host->decl().name), served.host.get()});
        return out;
    }
    // What copies and checks the logs of all sites.
    void make_care() {
        backups_.emplace(Backups::Parts{disk_, clock_, in_memory() ? "" : options_.data_dir, options_.sites, options_.version,
                                        [this] { return logs_on_disk(); },
                                        [this](std::move_only_function<void()> task) { care_->post(0, std::move(task)); }});
        scrubs_.emplace(Scrubs::Parts{disk_, clock_, &*tenants_.front().reports, options_.data_dir + "/scrub.json", options_.scrub_every,
                                      options_.scrub_bytes_a_second, [this] {
                                          std::vector<Scrubs::OfLog> out;
                                          for (auto& log : logs_on_disk())
                                              out.push_back({log.site, std::string(log.host->decl().name), log.directory});
                                          return out;
                                      }});
    }
    void make_admin(Tenant& tenant) {
        std::vector<Admin::Route> routes;
        auto add = [&](std::vector<Admin::Route> more) { std::ranges::move(more, std::back_inserter(routes)); };
        auto add_of_process = [&](std::vector<Admin::Route> more) {
            for (auto& route : more) route.of_process = true;
            add(std::move(more));
        };
        add(routes_of(*tenant.erasing)), add_of_process(routes_of(*backups_)), add(upgrade_routes([&tenant] { return hosts_of(tenant); }));
        if (!in_memory()) {
            auto directory_of = [this, &tenant](std::string_view service) {
                for (auto& log : logs_on_disk())
                    if (log.site == tenant.name && log.host->decl().name == service) return log.directory;
                return std::string();
            };
            add_of_process(routes_of(*scrubs_));
            add(routes_of(LogStreams{disk_, directory_of, [this](std::move_only_function<void()> task) { care_->post(0, std::move(task)); },
                                     [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); }}));
        }
        add_of_process(front_->routes()), add(front_->trace_routes(tenant.name)),
            add(flag_routes(*tenant.flags, [](Admin::Asked const& asked) { return asked.who; }));
        add_of_process(log_level_routes()), add(why_routes(tenant));
        routes.push_back(
            {http::Method::Get, "status", Admin::Where::house, [this, &tenant](Admin::Asked const& asked) -> Result<std::string> {
                 return status_json(measured(), asked.operates ? std::string_view() : std::string_view(tenant.name));
             }});
        routes.push_back({http::Method::Get, "live", Admin::Where::house,
                          [&tenant](Admin::Asked const&) -> Result<std::string> { return tell(tenant.edge->live_counts()); }});
        tenant.admin.emplace(
            std::move(routes), [this](std::move_only_function<void()> task) { worker_->post(0, std::move(task)); },
            &tenant == &tenants_.front());
    }
    std::vector<Admin::Route> why_routes(Tenant& tenant) {
        WhyParts parts{hosts_of(tenant), tenant.name, &front_->traces(),
                       [&tenant](std::string_view id) { return tenant.reports->find(id); }};
        auto answer = [this, parts = std::move(parts)](Admin::Asked const& asked, http::Exchange& exchange) {
            slow_->post(0, [parts, id = asked.rest, held = exchange.defer()]() mutable {
                std::move(held).complete([told = why(parts, id)](http::Response& response) {
                    if (!told) return response.problem(told.error());
                    response.begin(200).header("Content-Type", "application/json").header("Cache-Control", "no-store");
                    response.body(codec::to_json(*told));
                });
            });
        };
        return {{http::Method::Get, "why/", Admin::Where::at_once, {}, std::move(answer)}};
    }
    static std::vector<Admin::Route> log_level_routes() {
        auto told = [] {
            std::string out = R"({"levels":)";
            codec::append_json_string(out, observe::to_text(observe::process_logger().levels()));
            return out + "}";
        };
        return {
            {http::Method::Get, "log-levels", Admin::Where::at_once, [told](Admin::Asked const&) -> Result<std::string> { return told(); }},
            {http::Method::Put, "log-levels", Admin::Where::at_once, [told](Admin::Asked const& asked) -> Result<std::string> {
                 TRY_ASSIGN(auto const wanted, codec::from_json<WantedLevels>(asked.body));
                 TRY_VOID(observe::set_levels(observe::process_logger(), wanted.levels));
                 return told();
             }}};
    }
    static std::string tell(Edge::LiveCounts const& counts) {
        return fmt::format(R"({{"readers":{},"behind":{},"evaluations":{}}})", counts.readers, counts.behind, counts.evaluations);
    }
    Result<void> listen() {
        make_care();
        std::vector<Edge*> edges;
        for (auto& tenant : tenants_) {
            make_admin(tenant);
            tenant.here.emplace(hosts_of(tenant));
            tenant.edge =
                std::make_unique<Edge>(hosts_of(tenant), EdgeOptions{.files = options_.files,
                                                                     .files_security_policy = options_.files_security_policy,
                                                                     .version = options_.version,
                                                                     .admin = &*tenant.admin,
                                                                     .reports = &*tenant.reports,
                                                                     .threads = &*threads_,
                                                                     .slow = [this](auto task) { return front_->work(std::move(task)); },
                                                                     .draining_since = &draining_since_us_});
            edges.push_back(tenant.edge.get());
        }
        auto& gate = front_->stand_before(
            std::move(edges), [this](http::Exchange& exchange) { answer_metrics(exchange); },
            [this](http::Exchange& exchange) { answer_drain(exchange); });
        server_.emplace(*threads_, gate, http::ServerConfig{options_.limits, options_.tls});
        TRY_ASSIGN(auto port, server_->listen(options_.listen));
        TRY_VOID(listen_for_protocols());
        listening_ = true;
        bool const v6 = options_.listen.address.find(':') != std::string::npos;
        url_ = std::string(options_.listen.tls ? "https://" : "http://") +
               (v6 ? "[" + options_.listen.address + "]" : options_.listen.address) + ":" + std::to_string(port);
        return {};
    }
    // What the settings of services ask for. Line protocols know no sites: they are the first one's.
    Result<void> listen_for_protocols() {
        std::vector<Lines::Asked> lines;
        for (auto& served : tenants_.front().served) {
            TRY_ASSIGN(auto const asked, listeners_of(served.host->decl(), served.settings ? served.settings->get() : nullptr));
            for (auto const& listener : asked) {
                TRY_VOID(check_listener(listener, front_->is_open()));
                if (listener.line)
                    lines.push_back({listener, served.host.get()});
                else
                    TRY_VOID(told_listening(listener,
                                            server_->listen({listener.at.host == "localhost" ? "127.0.0.1" : listener.at.host,
                                                             listener.at.port, options_.listen.tls, listener.mount()}),
                                            listening_for_));
            }
        }
        return lines_.open({*front_, *threads_, options_.log_queue, keep_trace(), &*tenants_.front().reports, tenants_.front().name},
                           std::move(lines), listening_for_);
    }
    Result<void> start_services() {
        for (auto& tenant : tenants_)
            for (auto& served : tenant.served) {
                if (stop_.asked()) return {};
                TRY_VOID(start_service(tenant, served));
            }
        return {};
    }
    // A source is the service of that name on this site, or where the configuration says.
    void start_followers(Tenant& tenant) {
        for (auto& served : tenant.served) {
            auto& host = *served.host;
            if (host.decl().followers.empty()) continue;
            if (!following_) following_.emplace(1);
            auto source_of = [&](FollowDecl const& decl, std::function<void()> wake) -> std::unique_ptr<FollowSource> {
                if (auto* source = host_of(tenant, decl.source)) {
                    auto fork = [source](log::Incarnation former) { return log::shared_until(source->log().eras(), former); };
                    return follow_log(*source, decl, std::move(wake), fork);
                }
                for (auto const& [name, url] : options_.elsewhere)
                    if (name == decl.source) return follow_feed(url, decl, std::string(host.decl().name), std::move(wake));
                return nullptr;
            };
            served.followers = std::make_unique<Followers>(host, *following_, 0, source_of, clock_, random_, tenant.name, keep_trace());
            served.followers->start();
        }
        for (auto& source : tenant.served) keep_for_followers(tenant, *source.host);
    }
    void start_text(Tenant& tenant) {
        for (auto& served : tenant.served) {
            auto& host = *served.host;
            if (!host.decl().text) continue;
            if (!indexing_) indexing_.emplace(1), searching_.emplace(search_threads);
            TextIndexer::Parts parts{.host = host, .clock = clock_};
            if (!in_memory()) parts.directory = (logs_ ? *logs_ : *data_).text_of(tenant.name, host.decl().name);
            parts.erasures = [&tenant] { return tenant.erasing->erasures_so_far(); };
            parts.site = tenant.name;
            served.text = std::make_unique<TextIndexing>(std::move(parts), *indexing_, 0, *searching_);
            served.text->start();
        }
    }
    static Host* host_of(Tenant& tenant, std::string_view name) {
        for (auto& served : tenant.served)
            if (served.host->decl().name == name) return served.host.get();
        return nullptr;
    }
    void keep_for_followers(Tenant& tenant, Host& source) {
        std::vector<Host*> followers;
        for (auto& served : tenant.served)
            for (auto const& decl : served.host->decl().followers)
                if (decl.source == source.decl().name) followers.push_back(served.host.get());
        if (followers.empty()) return;
        source.keep_for(
            [&source, followers, most = options_.followers_keep_events_max] { return needed_by_followers(source, followers, most); });
    }
    Result<void> start_service(Tenant const& tenant, Served& served) {
        auto const& name = served.host->decl().name;
        auto const began = clock_.steady_ns();
        auto told = began;
        auto started = served.host->start([&](Position done, Position end) {
            if (stop_.asked()) return false;
            if (clock_.steady_ns() - told > 1'000'000'000) {
                told = clock_.steady_ns();
                observe::log_line(Level::info, "runtime", "replaying",
                                  {{"site", tenant.name}, {"service", name}, {"events", done}, {"of", end}});
            }
            return true;
        });
        if (!started && started.error().code == "stopped") return {};
        if (!started) return std::unexpected(in_service(tenant, served.host->decl(), std::move(started.error())));
        served.replay_ns = clock_.steady_ns() - began;
        observe::log_line(Level::info, "runtime", "ready",
                          {{"site", tenant.name},
                           {"service", name},
                           {"events", served.host->applied()},
                           {"ms", (clock_.steady_ns() - began) / 1'000'000}});
        return {};
    }
    Problem in_service(Tenant const& tenant, ServiceDecl const& decl, Problem problem) const {
        problem.detail = (tenants_.size() > 1 ? tenant.name + "/" : "") + std::string(decl.name) + ": " + problem.detail;
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
    void each_served(auto const& visit) {
        for (auto& tenant : tenants_)
            for (auto& served : tenant.served) visit(served);
    }
    void make_effects(Tenant& tenant, Served& served) {
        if (!workers_) workers_.emplace(options_.effect_threads, [this] { each_served([this](Served& any) { ask_for_effects(any); }); });
        if (!outside_) outside_.emplace("", client::Options{.retries = 0});
        served.effects = std::make_unique<EffectRunner>(EffectRunner::Parts{
            *served.host, clock_, [this, &tenant](client::Request request) { return send_for(tenant, std::move(request)); },
            [this](std::move_only_function<void()> task) { return workers_->try_run(std::move(task)); },
            [this](std::move_only_function<void()> task) { return waiting_workers().try_run(std::move(task)); }, served.site, keep_trace(),
            mail_sink()});
    }
    // Made when the first effect that waits is to run. By the thread that polls.
    Workers& waiting_workers() {
        if (!waiting_workers_)
            waiting_workers_.emplace(waiting_effects_max, [this] { each_served([this](Served& any) { ask_for_effects(any); }); });
        return *waiting_workers_;
    }
    // What has a path for a target goes to a service of the same site, without a network, or to where [server] elsewhere says that it is.
    client::Reply send_for(Tenant& tenant, client::Request request) {
        if (!request.target.starts_with('/')) return outside_->send(std::move(request));
        auto const name = std::string_view(request.target).substr(1, request.target.find('/', 1) - 1);
        for (auto const& [service, url] : options_.elsewhere)
            if (service == name && !host_of(tenant, name)) return request.target = url + request.target, outside_->send(std::move(request));
        return tenant.here->send(request, [this] { return stopping_.load(); });
    }
    // Until something delivers mail, each is a file in DATA/mail; the same mail again is the same file.
    decltype(Outside::mail) mail_sink() {
        if (in_memory()) return {};
        return [this](std::string_view id, std::string_view to, std::string_view subject, std::string_view text) -> Result<void> {
            auto const directory = options_.data_dir + "/mail";
            TRY_VOID(disk_.make_directories(directory));
            auto const message = mail_message(id, to, subject, text, clock_.wall());
            return log::write_file_durably(disk_, fmt::format("{}/{}.eml", directory, id), message, log::Open::create_private);
        };
    }
    KeepTrace keep_trace() {
        return [this](observe::RequestTrace const& trace, observe::TraceOutcome const& outcome) { front_->keep(trace, outcome); };
    }
    // Many asks before the worker has its turn are one.
    void ask_for_effects(Served& served) {
        if (!served.effects || served.effects_asked->exchange(true)) return;
        worker_->post(0, [&served] {
            served.effects_asked->store(false);
            served.effects->poll();
        });
    }
    static void complain(Served const& served, Problem const& problem) {
        observe::log_line(Level::error, "runtime", problem.detail,
                          {{"site", served.site}, {"service", served.host->decl().name}, {"code", problem.code}, {"cause", problem.cause}});
    }
    void keep_house() {
        front_->keep_house();
        each_served([this](Served& served) {
            if (auto kept = served.host->keep_house(); !kept) complain(served, kept.error());
            fire_due(served);
            if (served.effects) served.effects->poll();
            if (served.text) served.text->wake();
        });
    }
    void scrub() {
        if (auto done = scrubs_->turn(); !done)
            observe::log_line(Level::error, "log", "the scrub failed; it is tried again in an hour",
                              {{"code", done.error().code}, {"cause", done.error().cause}});
    }
    Result<void> stop() {
        auto const began = clock_.steady_ns();
        stopping_ = true;
        if (options_.on_stopping) options_.on_stopping();
        if (!in_memory()) (void)disk_.remove(server_file());  // what stays behind speaks of a server that has gone
        for (auto& tenant : tenants_) tenant.edge->announce_stop();
        bool clean = lines_.stop(options_.stop_timeout);
        clean &= server_->stop(options_.stop_timeout);
        front_->stop();
        backups_->end();
        each_served([](Served& served) { served.followers.reset(); });
        if (following_) following_->stop();
        each_served([](Served& served) {
            if (served.text) served.text->stop();
        });
        worker_->stop(), slow_->stop(), care_->stop();
        each_served([](Served& served) { served.text.reset(); });
        each_served([](Served& served) {
            if (served.effects) served.effects->stop();
        });
        workers_.reset(), waiting_workers_.reset();
        finish_reports();
        Result<void> outcome;
        for (auto& tenant : tenants_)
            for (auto& served : tenant.served) {
                if (auto saved = served.host->save_snapshot(); !saved)
                    observe::log_line(Level::warning, "runtime", "no snapshot: the next start replays the log",
                                      {{"site", tenant.name}, {"service", served.host->decl().name}, {"cause", saved.error().cause}});
                if (auto closed = served.log->close(); !closed) outcome = std::move(closed);
            }
        end_serving();
        threads_->stop();
        observe::log_line(Level::info, "runtime", "stopped", {{"ms", (clock_.steady_ns() - began) / 1'000'000}});
        end_log();
        if (!clean) return fail(503, "stop_timeout", "not all requests ended within [server] stop_timeout; the rest was cut off");
        return outcome;
    }

    // What failed until now is on the disk, and delivered at the next start.
    void finish_reports() {
        reporting_->run(0, [] {});
        reporting_->stop();
    }
    // The edges take leave on the threads.
    void end_serving() {
        (void)lines_.stop({});
        server_.reset();
        for (auto& tenant : tenants_) tenant.edge.reset();
    }

    // What is below is destroyed before what is above: services before the threads that call them.
    ProcessOptions options_;
    log::Disk& disk_ = log::system_disk();
    Clock& clock_ = system_clock();
    Random& random_ = system_random();
    StopSignal stop_;
    std::atomic<std::int64_t> draining_since_us_ = 0;
    std::atomic<bool> stopping_ = false;
    std::unique_ptr<EndWatch> end_watch_;
    std::atomic<bool> listening_ = false;  // server_ is there: a signal may come before
    std::string url_;
    std::vector<Listening> listening_for_;
    std::optional<log::DataDirectory> data_, logs_;
    std::optional<log::Committer> committer_;
    WaitingRoom waiting_room_{.size = options_.waiting_commands_max};
    std::deque<Tenant> tenants_;
    std::optional<client::Session> outside_;  // what effects call through
    std::optional<Workers> workers_;          // that run effects
    std::optional<Workers> waiting_workers_;  // that run those which wait
    std::optional<Backups> backups_;
    std::optional<Scrubs> scrubs_;
    // That write the log; that serve; that keep house; that rebuild; that follow; that copy and check; that write and deliver reports.
    std::optional<net::IoThreads> scribe_, threads_, worker_, slow_, following_, indexing_, searching_, care_, reporting_;
    std::unique_ptr<Front> front_;
    std::optional<http::Server> server_;
    Lines lines_;
};

}  // namespace

Result<void> serve(ProcessOptions options) { return Process(std::move(options)).run(); }

}  // namespace gantry::runtime
