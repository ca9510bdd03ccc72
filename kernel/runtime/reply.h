#pragma once
#include <string>
#include <string_view>

#include "kernel/http/server.h"
#include "kernel/runtime/edge_caller.h"
#include "kernel/runtime/host.h"

// How outcomes of calls become HTTP answers.
namespace gantry::runtime {

struct ReplyTo {
    Host const* host = nullptr;
    RouteDecl const* route = nullptr;
    std::string request_id;     // said with commands and problems
    std::string if_none_match;  // of a read
    std::string oops_id;
    std::string content_type = {};  // of the request, for the words of a foreign protocol
};

// Whether an If-None-Match list names the ETag (weak comparison, RFC 9110 §13.1.2).
bool none_match_names(std::string_view list, std::string_view etag);

void write_read(http::Response response, RouteDecl const& route, std::string_view body, std::string_view etag, std::string_view position,
                std::string_view if_none_match);
void write_problem(http::Response response, Problem const& problem, std::string_view request_id, std::string_view oops_id,
                   std::string_view position = {});
// Of a call that came to no decision, or whose answer came too late: where it is our fault it is reported.
void write_failure(http::Response response, Host const& host, RouteDecl const& route, Problem const& problem, std::string_view request_id,
                   std::string_view content_type = {});
// The same in the words of the route's protocol; `content_type`: of the request.
void write_refusal(http::Response response, RouteDecl const& route, Problem const& problem, std::string_view request_id,
                   std::string_view oops_id, std::string_view position = {}, std::string_view content_type = {});
// A caller who may not: 401 with the challenges, or 403.
void refuse_caller(http::Exchange& exchange, EdgeCaller const& caller, std::string_view scope, std::string_view request_id);
void write_outcome(http::Response response, ReplyTo const& to, Result<Answer> const& outcome, std::string_view request_id);
inline void write_outcome(http::Response response, ReplyTo const& to, Result<Answer> const& outcome) {
    write_outcome(response, to, outcome, to.request_id);
}

// Lines and elements of a bulk: {"line":3,"status":409,"problem":{…}}, {"index":0,"status":200,"reply":{…}}. `counter`: {"line": or
// {"index":.
void append_item(std::string& out, std::string_view counter, std::uint64_t n, Answer const& answer);
void append_item(std::string& out, std::string_view counter, std::uint64_t n, ReplyTo const& to, Problem const& problem);

}  // namespace gantry::runtime
