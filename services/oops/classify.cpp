#include "services/oops/classify.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "services/oops/builder.h"
#include "services/oops/normal.h"

namespace gantry::oops {
namespace {

constexpr std::size_t statement_chars_max = 200, repeated_max = 10;

struct TypeClass {
    std::string_view type;
    ReportClass what;
};
constexpr std::array<TypeClass, 22> types = {{{"RequestExpired", ReportClass::timeout},
                                              {"RequestQueryTimedOut", ReportClass::timeout},
                                              {"RequestStatementTimedOut", ReportClass::timeout},
                                              {"LaunchpadTimeoutError", ReportClass::timeout},
                                              {"TimeoutError", ReportClass::timeout},
                                              {"Timeout", ReportClass::timeout},
                                              {"ReadTimeout", ReportClass::timeout},
                                              {"ConnectTimeout", ReportClass::timeout},
                                              {"QueryCanceled", ReportClass::timeout},
                                              {"QueryCanceledError", ReportClass::timeout},
                                              {"SoftTimeout", ReportClass::soft_timeout},
                                              {"SoftRequestTimeout", ReportClass::soft_timeout},
                                              {"NotFound", ReportClass::not_found},
                                              {"NotFoundError", ReportClass::not_found},
                                              {"GoneError", ReportClass::not_found},
                                              {"Http404", ReportClass::not_found},
                                              {"TraversalError", ReportClass::not_found},
                                              {"Unauthorized", ReportClass::unauthorised},
                                              {"Forbidden", ReportClass::unauthorised},
                                              {"PermissionDenied", ReportClass::unauthorised},
                                              {"UserRequestOops", ReportClass::user_generated},
                                              {"UnknownRemoteError", ReportClass::remote_error}}};

std::string lower(std::string_view s) {
    std::string out(s);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = char(c | 0x20);
    return out;
}
std::string_view host_of(std::string_view url) {
    auto const scheme = url.find("://");
    if (scheme == url.npos) return {};
    url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find_first_of("/?#"));
    if (auto const at = url.rfind('@'); at != url.npos) url.remove_prefix(at + 1);
    return url.substr(0, url.find(':'));
}

void count_statements(Report const& report, ReportFacts& out) {
    std::unordered_map<std::string, RepeatedStatement> seen;
    std::int64_t longest = -1;
    for (auto const& row : report.timeline) {
        auto const category = row.category.view();
        if (!category.starts_with("SQL") && !category.starts_with("db") && !(category.empty() && looks_like_sql(row.detail))) continue;
        auto const took = std::max<std::int64_t>(0, row.end_ms - row.start_ms);
        auto normal = normal_sql(row.detail);
        ++out.statements, out.sql_ms += took;
        if (took > longest) longest = took, out.costliest_statement = normal;
        auto& one = seen[normal];
        one.statement = std::move(normal), ++one.count, one.total_ms += took;
    }
    for (auto& [normal, one] : seen)
        if (one.count > 1) one.saving_ms = one.total_ms - one.total_ms / one.count, out.repeated.push_back(std::move(one));
    std::sort(out.repeated.begin(), out.repeated.end(), [](auto const& a, auto const& b) {
        return std::tuple(b.saving_ms, b.count, std::string_view(a.statement)) <
               std::tuple(a.saving_ms, a.count, std::string_view(b.statement));
    });
    if (out.repeated.size() > repeated_max) out.repeated.resize(repeated_max);
    std::string room;
    out.costliest_statement = std::string(fit_text(out.costliest_statement, statement_chars_max, room).text);
}

}  // namespace

ReportClass classify(Report const& report) {
    switch (report.kind) {
        case ReportKind::timeout: return ReportClass::timeout;
        case ReportKind::soft_timeout: return ReportClass::soft_timeout;
        case ReportKind::not_found: return ReportClass::not_found;
        case ReportKind::unauthorised: return ReportClass::unauthorised;
        case ReportKind::user_generated: return ReportClass::user_generated;
        case ReportKind::remote_error: return ReportClass::remote_error;
        case ReportKind::remote_warning: return ReportClass::remote_warning;
        case ReportKind::informational: return ReportClass::informational;
        case ReportKind::message: return ReportClass::message;
        case ReportKind::csp: return ReportClass::csp;
        case ReportKind::feedback: return ReportClass::feedback;
        case ReportKind::error: break;
    }
    if (!report.exceptions.empty())
        for (auto const& known : types)
            if (report.exceptions.back().type.view() == known.type) return known.what;
    auto const status = report.status.value_or(0);
    if (status == 404 || status == 410) return ReportClass::not_found;
    if (status == 401 || status == 403) return ReportClass::unauthorised;
    return status == 504 ? ReportClass::timeout : ReportClass::exception;
}

bool is_robot(std::string_view user_agent, std::span<std::string const> more) {
    if (user_agent.empty()) return false;
    constexpr std::array<std::string_view, 20> names = {
        "bot/",    "bot;",      "bot)",     "googlebot",           "bingbot", "yandex",  "baiduspider", "slurp",
        "crawler", "spider",    "archiver", "facebookexternalhit", "ahrefs",  "semrush", "petalbot",    "gptbot",
        "ccbot",   "linkcheck", "nagios",   "uptimerobot"};
    auto const name = lower(user_agent);
    auto const inside = [&](std::string_view part) { return name.find(part) != name.npos; };
    return name.ends_with("bot") || std::any_of(names.begin(), names.end(), inside) || std::any_of(more.begin(), more.end(), inside);
}

bool has_local_referrer(Report const& report) {
    auto const from = lower(host_of(report.referrer)), here = lower(host_of(report.url));
    if (from.empty() || here.empty()) return false;
    if (from == here) return true;
    // "www.shop.example" and "api.shop.example": the last two labels, where there are three. Addresses have none.
    auto const domain = [](std::string const& host) {
        auto const last = host.rfind('.');
        if (last == host.npos || last == 0 || (host.back() >= '0' && host.back() <= '9')) return std::string();
        auto const before = host.rfind('.', last - 1);
        return before == host.npos ? host : host.substr(before + 1);
    };
    return !domain(here).empty() && domain(from) == domain(here);
}

ReportFacts facts_of(Report const& report, std::span<std::string const> more_robots) {
    ReportFacts out;
    out.what = classify(report);
    out.robot = is_robot(report.user_agent, more_robots);
    out.local_referrer = has_local_referrer(report);
    if (report.duration_ms) {
        out.total_ms = std::int64_t(std::clamp(*report.duration_ms, 0.0, 9e15));
    } else if (!report.timeline.empty()) {
        for (auto const& row : report.timeline) out.total_ms = std::max(out.total_ms, row.end_ms);
        out.total_is_estimate = true;
    }
    count_statements(report, out);
    return out;
}

}  // namespace gantry::oops
