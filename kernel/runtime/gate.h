#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/auth/authorization.h"
#include "kernel/auth/callers.h"
#include "kernel/auth/failed_logins.h"
#include "kernel/auth/jwt_callers.h"
#include "kernel/auth/origin.h"
#include "kernel/auth/sessions.h"
#include "kernel/auth/verified_passwords.h"
#include "kernel/http/server.h"
#include "kernel/net/net.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/load.h"
#include "kernel/runtime/request_book.h"
#include "kernel/runtime/ticket.h"

namespace gantry::runtime {

// Who may come in, as the gate goes by it. Exchanged as a whole; a request keeps the one that it came in by.
struct GateRules {
    auth::OriginRules origin;     // what proxies say of clients and callers
    auth::AddressList addresses;  // from where; empty: from anywhere
};

// One site behind the gate. Without anyone who could be recognised it is the open loopback of DESIGN §9. All outlive the gate.
struct GateSite {
    std::string name;
    Edge* edge = nullptr;
    auth::CallerDirectory const* callers = nullptr;  // null: none
    auth::JwtCallers* jwt = nullptr;                 // by an identity provider's tokens; null: none
    auth::SessionBook* sessions = nullptr;           // of the console; null: nobody signs in

    bool is_open() const { return !jwt && !(callers && callers->has_callers()); }
};

struct GateOptions {
    std::shared_ptr<GateRules const> rules = std::make_shared<GateRules const>();
    std::string operator_token;                              // of this run, for the operator's own commands; empty: none
    RequestBook* book = nullptr;                             // told of all that ended; null: nobody is
    net::IoThreads* threads = nullptr;                       // that serve
    net::IoThreads* verifiers = nullptr;                     // that verify passwords, which takes a tenth of a second; null: nobody does
    std::function<void(auth::JwtCallers&)> fetch_keys = {};  // must not block
    std::function<void(http::Exchange&)> metrics = {};       // answers /metrics for those who may; null: there is none
    std::function<void(http::Exchange&)> drain = {};         // answers /health/drain for those who may; null: there is none
    Clock* clock = &system_clock();
    Random* random = &system_random();
    LoadLimits load = {};
};

// The front of a process: every request passes here before its site. From where it comes, for which site, who calls, how much that one
// may, and since when: settled from the head alone, before a body is read. Then the edge of the site goes on, and at the end the gate is
// told what became of it. What is refused here: 400 "forwarding_invalid", 403 "proxy_untrusted", 403 "address_refused", 421 "site_unknown",
// 403 "cross_site", 401 (kernel/auth/callers.h, jwt.h), 400 and 403 (aws_signature.h), 429 (limiter.h, failed_logins.h), 503 "overloaded"
// (congestion.h), 504 "deadline_exceeded" (deadline.h). /health/ is open to all, whatever comes with it.
class Gate final : public http::Handler {
   public:
    Gate(std::vector<GateSite> sites, GateOptions options);
    ~Gate() override;

    http::BodyPlan plan(http::RequestHead const& head) override;
    http::BodyPlan arrive(http::Arrival& arrival) override;
    void handle(http::Exchange& exchange) override;

    void refused(http::Peer const& peer, int status, std::string_view code, int io_thread) override;

    // Who speaks a line protocol (line.h), where nobody shows anything, at a site by its number: the caller of this name, and in open mode
    // the open local one; without a name nobody. 403 "address_refused", "not_loopback"; 401 "caller_unknown", …
    Result<EdgeCallerRef> caller_of_line(int io_thread, std::size_t site, std::string_view name, auth::IpAddress const& peer);
    // Whether one more of its commands is let in. On its IO thread, both.
    bool admits_line(int io_thread, Host const* host);

    // For requests that come from now on.
    void set_rules(std::shared_ptr<GateRules const> rules);
    // Ends the streams of callers of whom something was revoked.
    void drop_ended();
    void write_load(observe::MetricsWriter& writer) const { load_.write(writer); }

   private:
    struct Lane;
    struct Seat;
    struct Shown;
    struct Verdict;
    class Pass;
    Lane& lane(int io_thread);
    static Seat& seat_of(http::Arrival& arrival);
    static Result<auth::Origin> origin_of(http::RequestHead const& head, auth::OriginRules const& rules, auth::IpAddress const& peer);
    GateSite const* site_of(std::string_view authority) const;
    static Result<void> check_open(GateSite const& site, http::RequestHead const& head);
    Result<GateSite const*> choose_site(http::RequestHead const& head) const;
    void note(http::Arrival& arrival, Pass& pass, Shown const& shown);
    Result<void> admit(http::Arrival& arrival, Pass& pass, Shown const& shown);
    Result<EdgeCallerRef> identify(http::Arrival& arrival, Pass& pass, Shown const& shown, auth::Origin const& origin);
    Result<auth::Identity> recognise(http::Arrival& arrival, Pass& pass, Shown const& shown, auth::Origin const& origin);
    Result<auth::Identity> by_authorization(http::Arrival& arrival, Pass& pass, std::string_view value, std::string_view code);
    Result<auth::Identity> by_bearer(Pass& pass, auth::Bearer const& shown);
    // Who it says that it is: what it signed holds its body, so that `prove` comes later.
    Result<auth::Identity> by_signature(http::Arrival& arrival, Pass& pass, Edge::Signed const& route);
    Result<void> prove(http::Exchange& exchange, Pass& pass);
    Result<auth::Identity> by_password(http::Arrival& arrival, Pass& pass, std::string_view value, auth::Basic shown,
                                       std::string_view code);
    Result<auth::Identity> by_passkey(http::Arrival& arrival, Pass& pass, std::string_view value, std::string_view shown);
    // The verdict that was come to while the connection waited.
    std::optional<Result<auth::Identity>> take_verdict(http::Arrival& arrival, std::string_view value);
    // On a worker, while the connection waits: it arrives again then. `name`: whose failures count beside the address's.
    using Verify = std::move_only_function<Result<auth::Identity>(Time)>;
    Result<auth::Identity> verify_later(http::Arrival& arrival, Pass& pass, std::string_view value, std::string name, Verify verify);
    Result<auth::Identity> by_session(http::Arrival& arrival, Pass& pass, std::string_view cookies);
    // /_gantry/v1/session: who one is; signing in to the console and out.
    void answer_session(http::Exchange& exchange, Pass& pass);
    // /_gantry/v1/sessions: the caller's own, and the end of all others; with "/" and a handle: the end of that one.
    void answer_sessions(http::Exchange& exchange, Pass& pass);
    // On a worker: what a book of sessions records is waited for.
    void change_sessions(http::Exchange& exchange, Pass& pass, std::move_only_function<Result<void>()> act,
                         std::move_only_function<void(http::Response&)> answer);
    bool operates(Pass const& pass) const;
    void answer_metrics(http::Exchange& exchange, Pass& pass);
    void answer_drain(http::Exchange& exchange, Pass& pass);
    auth::VerifiedPasswords& verified(GateSite const& site) { return *verified_[std::size_t(&site - sites_.data())]; }
    Result<void> limit(Pass& pass);
    Result<void> check_load(http::Arrival& arrival, Pass& pass);
    void refuse_for_load(Pass& pass);
    void serve(http::Exchange& exchange, Pass& pass);

    std::vector<GateSite> sites_;
    GateOptions options_;
    auth::Identity operator_;
    EdgeCaller nobody_here_ = seen_by(Viewer{Str("anonymous")});
    EdgeCallerRef nobody_, operator_view_;
    std::atomic<int> verifying_ = 0;
    std::vector<std::unique_ptr<auth::VerifiedPasswords>> verified_;  // by site
    auth::FailedLogins failed_;
    LoadControl load_;
    std::vector<std::unique_ptr<Lane>> lanes_;
};

// What a 401 says one may show; `error` as in RFC 6750 §3. A page's own script isn't asked by the browser, so it is told of Bearer alone.
void add_challenges(http::Exchange& exchange, std::string_view error);

}  // namespace gantry::runtime
