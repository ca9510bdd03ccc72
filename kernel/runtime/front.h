#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/auth/file_callers.h"
#include "kernel/http/gantry/client.h"
#include "kernel/log/disk.h"
#include "kernel/net/net.h"
#include "kernel/runtime/admin.h"
#include "kernel/runtime/gate.h"

namespace gantry::runtime {

// What an operator says of who may come in, and of what is told of it.
struct FrontSettings {
    auth::OriginSettings origin;
    std::vector<std::string> addresses;  // that are let in; none: all
    // An identity provider, by its issuer; empty: none. `jwt_keys_url`: empty: as its discovery document says.
    std::string jwt_issuer, jwt_keys_url;
    std::vector<std::string> jwt_audiences, jwt_scopes, jwt_scopes_max = {"*"};
    std::string jwt_name_claim = "sub", jwt_name_prefix;
    Duration jwt_keys_every = Duration::hours(1);
    LoadLimits load;
    observe::TraceRules traces;
    std::string otlp_url;  // of a collector, without /v1/traces; empty: none
};
// 400 "config_invalid", each fault with its key of [auth].
Result<void> check_front(FrontSettings const& settings);

// Who knows the callers of one site instead of its callers.json alone: made by the program over a service of it.
class SiteCallers {
   public:
    virtual ~SiteCallers() = default;
    virtual auth::CallerDirectory& directory() = 0;
    virtual auth::SessionBook& sessions() = 0;
    // Ends the callers of whom something was taken away. True: there were such. By one thread.
    virtual bool end_changed() = 0;
    // Every second or so: records what is recorded now and then.
    virtual void keep_house() = 0;
    virtual std::string first_steps(std::string_view) { return {}; }  // to be told once the server listens at this URL; empty: nothing
};
// `file`: of callers.json; `memory`: sessions that a restart ends. `hurry` may be called from any thread: end_changed is asked soon.
using MakeSiteCallers = std::function<std::unique_ptr<SiteCallers>(std::span<Host* const> hosts, auth::CallerDirectory const& file,
                                                                   auth::SessionBook& memory, std::function<void()> hurry)>;

// What stands between the network and the sites of a process: who the callers are, the gate, and the book of what became of requests.
class Front {
   public:
    struct Parts {
        log::Disk& disk;
        Clock& clock;
        Random& random;
        net::IoThreads& threads;  // that serve
        std::string data_dir;     // empty: no callers are kept, none are known
        std::string version;
        observe::LogQueue* log = nullptr;  // for the access log; null: none
        FrontSettings settings;
    };
    static Result<std::unique_ptr<Front>> make(Parts parts, std::span<std::string const> sites);
    ~Front();

    // Whether nobody could be recognised at one of the sites: it answers on loopback alone.
    bool is_open() const;
    // Once the services of a site are there, before they are started. What `make` gives nothing for goes by its file.
    void add_callers(std::size_t site, std::span<Host* const> hosts, MakeSiteCallers const& make);
    std::vector<std::string> first_steps(std::string_view url);
    // Works on the thread that verifies passwords; false: too much waits there.
    bool work(std::move_only_function<void()> task);
    // Puts the gate before the edges, in the order of the sites. `metrics` answers /metrics, `drain`
    // /health/drain.
    using Answer = std::function<void(http::Exchange&)>;
    http::Handler& stand_before(std::vector<Edge*> edges, Answer metrics, Answer drain);

    // Gate::caller_of_line, Gate::admits_line; once it stands there.
    Result<EdgeCallerRef> caller_of_line(int io_thread, std::size_t site, std::string_view name, auth::IpAddress const& peer) {
        return gate_->caller_of_line(io_thread, site, name, peer);
    }
    bool admits_line(int io_thread, Host const* host) { return gate_->admits_line(io_thread, host); }

    // Reads the callers of all sites again: what is wrong with one leaves that one as it was.
    Result<void> reload_callers();
    // Takes what may change while requests come.
    Result<void> set(FrontSettings const& settings);
    // Every second or so, by one thread: notices a changed callers.json, fetches keys, sends traces.
    void keep_house();
    void stop();  // sends what waits

    // For the routes of every site: sessions are the gate's own.
    std::vector<Admin::Route> routes();
    // The traces of one site.
    std::vector<Admin::Route> trace_routes(std::string site);
    void write_metrics(observe::MetricsWriter& writer) const;
    std::uint64_t in_flight() const { return book_->in_flight(); }
    RequestBook::Totals requests_of(std::string_view site, std::string_view service) const { return book_->totals(site, service); }
    observe::TraceStore& traces() { return traces_; }
    // Of work that no request waits for.
    void keep(observe::RequestTrace const& trace, observe::TraceOutcome const& outcome) {
        if (auto const kept = traces_.offer(trace, outcome); kept && exporter_) exporter_->add(*kept);
    }
    // With whom the operator's own commands call: a token of this run.
    std::string const& operator_token() const { return operator_token_; }

   private:
    struct Site;
    explicit Front(Parts parts);
    Result<void> open_site(std::string name);
    Result<void> load(Site& site);
    Result<std::shared_ptr<GateRules const>> rules_of(FrontSettings const& settings) const;
    void fetch_keys();
    Result<auth::JwtKeys> fetched_keys();
    void send_traces(std::string body);

    Parts parts_;
    std::string operator_token_;
    observe::TraceStore traces_;
    std::unique_ptr<observe::OtlpQueue> exporter_;
    std::vector<std::unique_ptr<Site>> sites_;
    std::unique_ptr<auth::JwtCallers> jwt_;
    std::atomic<bool> fetching_ = false;
    std::int64_t fetched_ns_ = 0;
    std::unique_ptr<RequestBook> book_;
    std::unique_ptr<Gate> gate_;
    std::atomic<int> working_ = 0;
    net::IoThreads verifiers_{1}, errands_{1}, watch_{1};  // passwords; keys and traces; whose rights ended
};

}  // namespace gantry::runtime
