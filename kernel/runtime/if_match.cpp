#include "kernel/runtime/if_match.h"

#include <fmt/format.h>

#include "kernel/base/assert.h"
#include "kernel/runtime/still_read.h"

namespace gantry::runtime {
std::string_view without_position(RouteDecl const& route, std::string_view body) {
    return route.page ? body.substr(0, body.rfind(",\"position\":\"")) : body;
}

std::string etag_of(std::string_view body) { return fmt::format("\"{:016x}\"", hash64(body)); }

std::string etag_of(RouteDecl const& route, std::string_view body) { return etag_of(without_position(route, body)); }

bool etag_listed(std::string_view list, std::string_view etag) {
    if (list == "*") return !etag.empty();
    while (!list.empty()) {
        auto end = std::min(list.find(','), list.size());
        auto one = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
        while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
        if (!etag.empty() && one == etag) return true;
    }
    return false;
}

Result<std::string> etag_under_lock(Host const& host, Request const& request, Ctx const& ctx, void const* state) {
    GANTRY_ASSERT(!request.same_path_read->command && request.bind_read, "If-Match speaks of a read");
    StillRead read(host, *request.same_path_read, *request.bind_read, ctx, state);
    auto ran = request.same_path_read->run(request.same_path_read->function, read);
    if (!ran && ran.error().status >= 500) return std::unexpected(std::move(ran.error()));
    return ran ? etag_of(*request.same_path_read, read.body()) : std::string();
}

}  // namespace gantry::runtime
