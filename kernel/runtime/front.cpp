#include "kernel/runtime/front.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"
#include "kernel/observe/otlp.h"

namespace gantry::runtime {
namespace {

using observe::Level;

constexpr int working_max = 64;  // that hash passwords or wait to
constexpr Duration errand_timeout = Duration::seconds(10);

std::string random_token(Random& random) {
    std::array<std::uint8_t, 32> bytes;
    random.fill(bytes);
    std::string out = "gnt_operator_";
    for (auto byte : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", byte);
    return out;
}

// When a file was last changed, its size with it; nothing when there is none.
std::optional<std::pair<std::int64_t, std::int64_t>> stamp_of(std::string const& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return {};
    return std::pair(std::int64_t(found.st_mtim.tv_sec) * 1'000'000'000 + found.st_mtim.tv_nsec, std::int64_t(found.st_size));
}

auth::JwtSettings jwt_settings(FrontSettings const& s) {
    auth::JwtSettings out;
    out.expected.issuer = s.jwt_issuer, out.expected.audiences = s.jwt_audiences, out.expected.name_claim = s.jwt_name_claim;
    out.name_prefix = s.jwt_name_prefix, out.scopes = s.jwt_scopes, out.scopes_max = s.jwt_scopes_max;
    return out;
}

}  // namespace

struct Front::Site {
    std::string name, file;
    std::optional<std::pair<std::int64_t, std::int64_t>> stamp;
    std::unique_ptr<auth::FileCallers> callers;
    auth::Sessions sessions;
    auth::SessionsInMemory book{sessions};
    std::unique_ptr<SiteCallers> made;  // null: the file alone
    std::atomic<bool> hurried = false;
    Site(std::string n, Random& random) : name(std::move(n)), sessions(random) {}
    auth::CallerDirectory const& directory() const {
        return made ? static_cast<auth::CallerDirectory const&>(made->directory()) : *callers;
    }
    auth::SessionBook& sessions_book() { return made ? made->sessions() : book; }
};

Result<void> check_front(FrontSettings const& settings) {
    std::vector<Fault> faults;
    if (auto origin = auth::OriginRules::make(settings.origin); !origin) faults = origin.error().faults;
    if (auto list = auth::AddressList::parse(settings.addresses); !list)
        for (auto const& f : list.error().faults) faults.push_back({"/allow" + f.pointer, f.detail});
    if (!settings.jwt_issuer.empty())
        if (auto jwt = auth::JwtCallers::make(jwt_settings(settings)); !jwt) faults.push_back({"/jwt", jwt.error().detail});
    if (faults.empty()) return {};
    return fail(Problem{400, "config_invalid", "[auth] can't be used", std::move(faults)});
}

Front::Front(Parts parts) : parts_(std::move(parts)), operator_token_(random_token(parts_.random)), traces_(parts_.settings.traces) {}
Front::~Front() = default;

Result<std::unique_ptr<Front>> Front::make(Parts parts, std::span<std::string const> sites) {
    TRY_VOID(check_front(parts.settings));
    std::unique_ptr<Front> front(new Front(std::move(parts)));
    auto const& settings = front->parts_.settings;
    for (auto const& name : sites) TRY_VOID(front->open_site(name));
    if (!settings.jwt_issuer.empty()) {
        TRY_ASSIGN(front->jwt_, auth::JwtCallers::make(jwt_settings(settings)));
        front->fetch_keys();
    }
    if (!settings.otlp_url.empty()) {
        observe::OtlpResource resource;
        resource.service_version = front->parts_.version;
        front->exporter_ = std::make_unique<observe::OtlpQueue>(observe::OtlpLimits{}, resource, front->parts_.clock, front->parts_.random,
                                                                [f = front.get()](std::string body) { f->send_traces(std::move(body)); });
    }
    return front;
}

Result<void> Front::open_site(std::string name) {
    auto& site = *sites_.emplace_back(std::make_unique<Site>(std::move(name), parts_.random));
    if (!parts_.data_dir.empty()) site.file = parts_.data_dir + "/" + site.name + "/callers.json";
    return load(site);
}

Result<void> Front::load(Site& site) {
    auto const stamp = site.file.empty() ? std::nullopt : stamp_of(site.file);
    std::string text;
    if (stamp) {
        struct stat found{};
        if (::stat(site.file.c_str(), &found) == 0 && (found.st_mode & 077))
            return fail(500, "callers_exposed",
                        fmt::format("{} can be read or written by others than its owner; run: chmod 600 {}", site.file, site.file));
        TRY_ASSIGN(text, log::read_file(parts_.disk, site.file));
    }
    site.stamp = stamp;
    auto wrong = [&](Problem problem) {
        problem.detail = site.file + ": " + problem.detail;
        for (auto const& f : problem.faults) problem.detail += fmt::format("; {} {}", f.pointer, f.detail);
        return std::unexpected(std::move(problem));
    };
    if (!site.callers) {
        auto made = auth::FileCallers::make(text);
        if (!made) return wrong(std::move(made.error()));
        site.callers = std::move(*made);
        return {};
    }
    auto reloaded = site.callers->reload(text);
    if (!reloaded) return wrong(std::move(reloaded.error()));
    observe::log_line(Level::info, "auth", "callers read again",
                      {{"site", site.name}, {"kept", reloaded->kept}, {"made", reloaded->made}, {"ended", reloaded->ended}});
    return {};
}

bool Front::is_open() const {
    return !jwt_ && std::ranges::any_of(sites_, [](auto const& site) { return !site->directory().has_callers(); });
}

Result<std::shared_ptr<GateRules const>> Front::rules_of(FrontSettings const& settings) const {
    auto rules = std::make_shared<GateRules>();
    TRY_ASSIGN(rules->origin, auth::OriginRules::make(settings.origin));
    TRY_ASSIGN(rules->addresses, auth::AddressList::parse(settings.addresses));
    return rules;
}

http::Handler& Front::stand_before(std::vector<Edge*> edges, Answer metrics, Answer drain) {
    RequestBook::Parts book{.sites = {}, .threads = parts_.threads.count(), .clock = parts_.clock, .log = parts_.log};
    book.traces = &traces_, book.exporter = exporter_.get();
    std::vector<GateSite> behind;
    for (std::size_t i = 0; i < sites_.size(); ++i) {
        auto& site = *sites_[i];
        book.sites.push_back({site.name, edges[i]->targets()});
        behind.push_back({site.name, edges[i], &site.directory(), jwt_.get(), &site.sessions_book()});
    }
    book_ = std::make_unique<RequestBook>(std::move(book));
    GateOptions options{.rules = *rules_of(parts_.settings), .operator_token = operator_token_};
    options.book = book_.get(), options.threads = &parts_.threads, options.verifiers = &verifiers_, options.clock = &parts_.clock;
    options.load = parts_.settings.load, options.random = &parts_.random, options.metrics = std::move(metrics);
    options.drain = std::move(drain);
    options.fetch_keys = [this](auth::JwtCallers&) { fetch_keys(); };
    gate_ = std::make_unique<Gate>(std::move(behind), std::move(options));
    return *gate_;
}

void Front::add_callers(std::size_t site, std::span<Host* const> hosts, MakeSiteCallers const& make) {
    auto& at = *sites_[site];
    at.made = make(hosts, *at.callers, at.book, [this, &at] {
        if (at.hurried.exchange(true)) return;
        watch_.post(0, [this, &at] {
            at.hurried = false;
            if (at.made && at.made->end_changed() && gate_) gate_->drop_ended();
        });
    });
}

std::vector<std::string> Front::first_steps(std::string_view url) {
    std::vector<std::string> out;
    for (auto& site : sites_)
        if (auto text = site->made ? site->made->first_steps(url) : std::string(); !text.empty()) out.push_back(std::move(text));
    return out;
}

bool Front::work(std::move_only_function<void()> task) {
    if (working_.fetch_add(1) >= working_max) return --working_, false;
    verifiers_.post(0, [this, task = std::move(task)]() mutable {
        task();
        --working_;
    });
    return true;
}

Result<void> Front::reload_callers() {
    Result<void> outcome;
    for (auto& site : sites_)
        if (auto loaded = load(*site); !loaded) outcome = std::move(loaded);
    if (gate_) gate_->drop_ended();
    return outcome;
}

Result<void> Front::set(FrontSettings const& settings) {
    TRY_VOID(check_front(settings));
    TRY_ASSIGN(auto rules, rules_of(settings));
    traces_.set_rules(settings.traces);
    if (gate_) gate_->set_rules(std::move(rules));
    return {};
}

void Front::keep_house() {
    for (auto& site : sites_)
        if (site->made) watch_.post(0, [&site] { site->made->keep_house(); });
    bool changed = false;
    for (auto& site : sites_) changed |= !site->file.empty() && stamp_of(site->file) != site->stamp;
    if (changed)
        if (auto loaded = reload_callers(); !loaded)
            observe::log_line(Level::error, "auth", "the callers stay as they were", {{"cause", loaded.error().detail}});
    if (jwt_ && parts_.clock.steady_ns() - fetched_ns_ > parts_.settings.jwt_keys_every.us * 1000) fetch_keys();
    if (exporter_) errands_.post(0, [this] { exporter_->run(); });
}

void Front::stop() {
    verifiers_.stop(), watch_.stop();
    if (exporter_) {
        exporter_->hurry();
        errands_.run(0, [this] { exporter_->run(); });
    }
    errands_.stop();
}

// One at a time; whoever asks meanwhile is served by the one under way.
void Front::fetch_keys() {
    if (fetching_.exchange(true)) return;
    fetched_ns_ = parts_.clock.steady_ns();
    errands_.post(0, [this] {
        if (auto keys = fetched_keys())
            jwt_->set_keys(std::move(*keys));
        else
            observe::log_line(Level::warning, "auth", "the identity provider's keys can't be read; the ones before stay",
                              {{"issuer", parts_.settings.jwt_issuer}, {"code", keys.error().code}, {"cause", keys.error().detail}});
        fetching_ = false;
    });
}

Result<auth::JwtKeys> Front::fetched_keys() {
    auto get = [](std::string const& url) -> Result<std::string> {
        client::Options options;
        options.total_timeout_ms = errand_timeout.us / 1000, options.retries = 1;
        client::Session session(url, options);
        auto reply = session.get(url);
        if (reply.error) return fail(503, "keys_unreachable", url + ": " + reply.error->detail);
        if (reply.status != 200) return fail(503, "keys_unreachable", fmt::format("{} answers {}", url, reply.status));
        return std::move(reply.body);
    };
    auto const& settings = parts_.settings;
    std::string url = settings.jwt_keys_url;
    if (url.starts_with('/')) {
        TRY_ASSIGN(auto text, log::read_file(parts_.disk, url));
        return auth::JwtKeys::parse(text);
    }
    if (url.empty()) {
        TRY_ASSIGN(auto text, get(settings.jwt_issuer + "/.well-known/openid-configuration"));
        TRY_ASSIGN(auto discovered, auth::parse_discovery(text, settings.jwt_issuer));
        url = discovered.jwks_uri;
    }
    TRY_ASSIGN(auto text, get(url));
    return auth::JwtKeys::parse(text);
}

void Front::send_traces(std::string body) {
    client::Options options;
    options.total_timeout_ms = errand_timeout.us / 1000, options.retries = 0;
    client::Session session(parts_.settings.otlp_url, options);
    auto reply = session.send(client::Request{
        .method = "POST", .target = "/v1/traces", .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)});
    exporter_->answered({reply.status, reply.header("Retry-After"), reply.body});
}

std::vector<Admin::Route> Front::routes() {
    std::vector<Admin::Route> routes;
    routes.push_back({http::Method::Post, "callers/reload", Admin::Where::house, [this](Admin::Asked const&) -> Result<std::string> {
                          TRY_VOID(reload_callers());
                          return R"({"reloaded":true})";
                      }});
    return routes;
}

std::vector<Admin::Route> Front::trace_routes(std::string site) {
    std::vector<Admin::Route> routes;
    routes.push_back({http::Method::Get, "traces", Admin::Where::house, [this, site](Admin::Asked const& asked) -> Result<std::string> {
                          std::string out = R"({"items":[)";
                          for (auto const& trace :
                               traces_.newest({.site = asked.operates ? std::string_view() : std::string_view(site)}, 100)) {
                              if (out.back() != '[') out += ',';
                              observe::append_trace_summary_json(out, *trace);
                          }
                          return out + R"(],"complete":true})";
                      }});
    routes.push_back({http::Method::Get, "traces/", Admin::Where::house, [this, site](Admin::Asked const& asked) -> Result<std::string> {
                          std::vector<observe::KeptTracePtr> found;
                          if (auto const id = observe::parse_trace_id(asked.rest)) found = traces_.of_trace(*id);
                          if (auto one = traces_.of_request(asked.rest); one && found.empty()) found.push_back(std::move(one));
                          if (!asked.operates) std::erase_if(found, [&](auto const& trace) { return trace->site != site; });
                          if (found.empty())
                              return fail(404, "trace_not_found",
                                          "no trace of this id is kept: those that failed, were slow or are sampled are, the newest ones");
                          std::string out = R"({"items":[)";
                          for (auto const& trace : found) {
                              if (out.back() != '[') out += ',';
                              observe::append_trace_json(out, *trace);
                          }
                          return out + "]}";
                      }});
    return routes;
}

void Front::write_metrics(observe::MetricsWriter& w) const {
    using observe::MetricKind;
    book_->write(w);
    gate_->write_load(w);
    w.single(MetricKind::gauge, "gantry_traces_kept", "Traces in memory.", traces_.count());
    if (!exporter_) return;
    auto const counts = exporter_->counts();
    w.single(MetricKind::counter, "gantry_trace_spans_sent_total", "Spans that the collector took.", counts.sent_spans);
    w.single(MetricKind::counter, "gantry_trace_spans_dropped_total", "Spans that could not be sent.",
             counts.dropped_spans + counts.rejected_spans);
}

}  // namespace gantry::runtime
