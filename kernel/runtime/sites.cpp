#include "kernel/runtime/sites.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/http/message.h"
#include "kernel/runtime/reply.h"

namespace gantry::runtime {
namespace {

bool is_site_name(std::string_view name) {
    auto const letter = [](char c) { return c >= 'a' && c <= 'z'; };
    auto const fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && name.size() <= 63 && letter(name.front()) && name.back() != '-' && std::ranges::all_of(name, fits) &&
           name != "localhost";
}

}  // namespace

Result<void> check_site_names(std::span<std::string const> names) {
    for (auto const& name : names) {
        if (!is_site_name(name))
            return fail(400, "site_name_invalid",
                        fmt::format("expected up to 63 of a-z, 0-9 and '-' that begin with a letter, found \"{}\"", name));
        if (std::ranges::count(names, name) > 1) return fail(400, "site_name_invalid", fmt::format("the site \"{}\" is named twice", name));
    }
    return {};
}

Sites::Site const* Sites::find(std::string_view authority) const {
    auto const label = http::site_label(authority);
    if (label.empty()) return &sites_.front();
    auto const found = std::ranges::find_if(sites_, [&](Site const& s) { return http::equals_ignoring_case(s.name, label); });
    return found == sites_.end() ? nullptr : &*found;
}

http::BodyPlan Sites::plan(http::RequestHead const& head) {
    auto const* site = find(head.host);
    return site ? site->edge->plan(head) : http::BodyPlan::none();
}

void Sites::handle(http::Exchange& exchange) {
    auto const& head = exchange.head();
    auto const* site = find(head.host);
    auto refuse = [&](Problem const& problem) { write_problem(exchange.response(), problem, {}, {}); };
    if (!site) {
        // A name that is none of ours at all is told as a single site would tell it.
        if (auto open = http::check_loopback(head); !open) return refuse(open.error());
        return refuse({421, "site_unknown", "no site of this name is served here: the first label of the host names one"});
    }
    auto const origin = head.header("Origin");
    if (auto const scheme = origin.find("://"); scheme != origin.npos && find(origin.substr(scheme + 3)) != site)
        return refuse({403, "cross_site", "This is a page of another site: each site answers only to its own."});
    site->edge->handle(exchange);
}

}  // namespace gantry::runtime
