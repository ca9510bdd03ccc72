#include "kernel/runtime/report_delivery.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <future>

#include "kernel/codec/json_walk.h"
#include "kernel/http/message.h"
#include "kernel/observe/log_line.h"
#include "kernel/runtime/report_for_oops.h"

namespace gantry::runtime {
namespace {

constexpr std::string_view project_name = "gantry";

bool will_not_pass(Problem const& problem) {
    int const status = problem.status;
    return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

struct ProjectKey {
    std::uint64_t project = 0;
    std::string key;
};

class OopsHere final : public ReportTaker {
   public:
    OopsHere(Host& host, std::function<bool()> stopping) : host_(host), stopping_(std::move(stopping)) {}

    Result<void> take(std::string const& body) override {
        if (!host_.ready()) return fail(503, "service_starting", "oops is reading its log");
        if (project_.project == 0) {
            TRY_ASSIGN(project_, project());
        }
        auto const* route = route_of("POST", "/api/{project}/report");
        if (!route || !route->foreign) return fail(501, "oops_unknown", "the service named oops takes no reports");
        auto const number = std::to_string(project_.project);
        std::array<std::pair<std::string_view, std::string_view>, 2> const headers{
            {{"X-Oops-Auth", project_.key}, {"Content-Type", "application/json"}}};
        std::array<std::pair<std::string_view, std::string_view>, 1> const fields{{{"project", number}}};
        auto bind = [&](codec::Type const&, void* out) {
            return route->foreign->parse(route->foreign->function, {.verb = "POST", .body = body, .headers = headers, .fields = fields},
                                         out);
        };
        auto answer = call(*route, Bind(bind));
        if (answer) return {};
        if (answer.error().code == "project_key_wrong") project_ = {};  // a restored log knows another
        return std::unexpected(std::move(answer.error()));
    }

   private:
    RouteDecl const* route_of(std::string_view verb, std::string_view path) const {
        for (auto const& route : host_.decl().routes)
            if (route.verb == verb && route.path == path) return &route;
        return nullptr;
    }
    Result<Answer> call(RouteDecl const& route, Bind bind) {
        Viewer const kernel{Str("gantry"), true};
        auto told = std::make_shared<std::promise<Result<Answer>>>();
        auto answer = told->get_future();
        host_.call(route, kernel, bind, [told](Result<Answer> outcome) { told->set_value(std::move(outcome)); });
        while (answer.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready)
            if (stopping_()) return fail(503, "stopping", "the server is being stopped");
        return answer.get();
    }
    Result<std::string> ask(std::string_view verb, std::string_view path, std::string const& input) {
        auto const* route = route_of(verb, path);
        if (!route) return fail(501, "oops_unknown", "the service named oops has no projects");
        auto bind = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, input); };
        TRY_ASSIGN(auto answer, call(*route, Bind(bind)));
        return std::move(answer.body);
    }
    static ProjectKey read(codec::JsonValue project) {
        return {std::uint64_t(project["project"].integer().value_or(0)), std::string(project["key"].text())};
    }
    Result<ProjectKey> project() {
        for (std::string input = R"({"limit":1000})"; !input.empty();) {
            TRY_ASSIGN(auto const page, ask("GET", "/projects", input));
            TRY_ASSIGN(auto const tree, codec::JsonTree::read(page));
            for (auto const one : tree.root()["items"])
                if (one["name"].text() == project_name) return read(one);
            auto const next = tree.root()["next"].text();
            input = next.empty() ? std::string() : fmt::format(R"({{"limit":1000,"cursor":"{}"}})", next);
        }
        TRY_ASSIGN(auto const made, ask("POST", "/projects", fmt::format(R"({{"name":"{}"}})", project_name)));
        TRY_ASSIGN(auto const tree, codec::JsonTree::read(made));
        return read(tree.root());
    }

    Host& host_;
    std::function<bool()> stopping_;
    ProjectKey project_;
};

class OopsElsewhere final : public ReportTaker {
   public:
    OopsElsewhere(std::string base, std::string target, std::string key)
        : session_(base, {.total_timeout_ms = 10'000, .retries = 0}), target_(std::move(target)), key_(std::move(key)) {}
    Result<void> take(std::string const& body) override {
        client::Request request{.method = "POST", .target = target_, .body = body};
        request.headers = {{"Content-Type", "application/json"}, {"X-Oops-Auth", key_}};
        auto const reply = session_.send(std::move(request));
        if (reply.status >= 200 && reply.status < 300) return {};
        Problem problem{reply.status == 0 ? 503 : reply.status, "report_not_taken", "a report could not be delivered"};
        if (reply.error) problem.cause = reply.error->code + ": " + reply.error->detail;
        for (auto const& [name, value] : reply.headers) {
            int seconds = 0;
            if (http::equals_ignoring_case(name, "Retry-After") &&
                std::from_chars(value.data(), value.data() + value.size(), seconds).ec == std::errc())
                problem.retry_after_s = seconds;
        }
        return std::unexpected(std::move(problem));
    }

   private:
    client::Session session_;
    std::string target_, key_;
};

}  // namespace

std::unique_ptr<ReportTaker> oops_here(Host& host, std::function<bool()> stopping) {
    return std::make_unique<OopsHere>(host, std::move(stopping));
}

Result<std::unique_ptr<ReportTaker>> oops_elsewhere(std::string_view dsn) {
    auto const wrong = [&] {
        return fail(400, "dsn_invalid",
                    "expected a project's DSN, http://KEY@HOST/oops/PROJECT, as POST /oops/v1/projects answers with it");
    };
    auto const scheme = dsn.find("://");
    auto const at = dsn.find('@'), slash = dsn.rfind('/');
    bool const http = dsn.starts_with("http://") || dsn.starts_with("https://");
    if (!http || at == dsn.npos || slash == dsn.npos || slash < at || slash + 1 == dsn.size()) return wrong();
    auto const key = dsn.substr(scheme + 3, at - scheme - 3), project = dsn.substr(slash + 1);
    auto const place = dsn.substr(at + 1, slash - at - 1);  // HOST/oops
    auto const path = place.find('/');
    if (key.empty() || path == place.npos || project.find_first_not_of("0123456789") != project.npos) return wrong();
    return std::make_unique<OopsElsewhere>(fmt::format("{}://{}", dsn.substr(0, scheme), place.substr(0, path)),
                                           fmt::format("{}/api/{}/report", place.substr(path), project), std::string(key));
}

bool ReportDelivery::turn() {
    if (clock_.steady_ns() < not_before_ns_) return false;
    auto const ids = spool_.pending();
    if (!ids) return back_off(ids.error()), false;
    for (std::size_t i = 0; i < ids->size(); ++i) {
        if (i == a_turn_max) return true;
        if (!deliver((*ids)[i])) return false;
    }
    return false;
}

// False: no more now.
bool ReportDelivery::deliver(std::string const& id) {
    auto const json = spool_.read_pending(id);
    if (!json) return back_off(json.error()), false;
    auto const report = codec::from_json<FailureReport>(*json, {.lenient = true});
    auto taken = report ? taker_->take(oops_json_of(*report)) : std::unexpected(report.error());
    if (!taken && !will_not_pass(taken.error())) return back_off(taken.error()), false;
    if (!taken)
        observe::log_line(observe::Level::error, "reports", "a report is kept here alone: it was refused",
                          {{"oops_id", id}, {"code", taken.error().code}, {"cause", taken.error().detail + " " + taken.error().cause}});
    if (auto marked = spool_.mark_delivered(id); !marked) return back_off(marked.error()), false;
    if (taken) spool_.note_delivered();
    wait_ = first_wait, told_ = false;
    return true;
}

void ReportDelivery::back_off(Problem const& why) {
    auto const wait = why.retry_after_s ? std::clamp(Duration::seconds(*why.retry_after_s), wait_, longest_wait) : wait_;
    not_before_ns_ = clock_.steady_ns() + wait.us * 1000;
    wait_ = std::min(Duration{wait_.us * 2}, longest_wait);
    if (std::exchange(told_, true)) return;
    observe::log_line(observe::Level::warning, "reports", "reports can't be delivered; they wait in the spool",
                      {{"code", why.code}, {"cause", why.detail + " " + why.cause}});
}

}  // namespace gantry::runtime
