#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/runtime/host.h"

// From a request's verb, path, query and body to a route and its input. No HTTP here, so that a test binds as the edge does.
namespace gantry::runtime {

inline constexpr std::size_t path_segments_max = 12;

// A path cut at its slashes; views into it, still percent-encoded. One trailing slash is nothing.
struct Segments {
    std::array<std::string_view, path_segments_max> at;
    std::size_t count = 0;
    bool too_many = false;
};
Segments segments_of(std::string_view path);

// RFC 3986 §2.1; in a query '+' is a blank. False for a broken escape.
enum class Plus { itself, blank };
bool percent_decode(std::string_view text, Plus plus, std::string& out);

// A route of a service as it is reached from outside: /<service>/v<n>/….
struct Target {
    Host* host = nullptr;
    RouteDecl const* route = nullptr;
    Target const* read = nullptr;            // the GET at the same path, if there is one
    std::string path;                        // "/notes/v1/{id}"
    std::vector<std::string_view> segments;  // of `path`
    bool takes_body = false;                 // a command whose input isn't all in its path
    // Of our own routes: the fields of the path, and their bits among the input's members.
    struct PathField {
        std::size_t segment = 0;
        codec::Field const* field = nullptr;
    };
    std::vector<PathField> fields = {};
    std::uint64_t bound = 0;
};

struct Match {
    Target const* target = nullptr;
    Segments segments;
    std::string allowed;  // when the path is known and the verb isn't: "GET, HEAD, POST"
};

class RouteTable {
   public:
    // GANTRY_ASSERTs that every {field} of a path is a field of the route's input, and that no two routes are the same.
    explicit RouteTable(std::span<Host* const> hosts);
    RouteTable(RouteTable const&) = delete;
    RouteTable& operator=(RouteTable const&) = delete;
    // HEAD is answered by GET. Allocates only to say what is allowed.
    Match match(std::string_view verb, std::string_view path) const;
    // False for paths of our own routes, /<service>/v<n>/…, and where there are no others.
    bool may_be_foreign(std::string_view path) const;
    // Whether pages of any origin may ask here with this verb; with OPTIONS: with some verb.
    bool is_cross_origin(std::string_view verb, std::string_view path) const;
    std::span<Target const> targets() const { return targets_; }

   private:
    std::vector<Target> targets_;
    std::array<std::vector<Target const*>, path_segments_max + 1> by_count_;  // of segments; in the order of trying
    bool has_foreign_ = false;
};

// Fills an input: fields named in the path from there, the others of a command from the body, those of a read from the query. Problems:
// 400 "request_invalid" for path and query (`{id}`, `?limit`), those of codec::decode_json for the body. `padded`: 64 readable bytes follow
// the body.
Result<void> bind_request(Match const& match, std::string_view query, std::string_view body, bool padded, codec::Type const& type,
                          void* out);
// As a foreign route reads it; `request` without its fields.
Result<void> bind_foreign(Match const& match, ForeignRequest request, void* out);
// The fields of the path alone.
Result<void> bind_path(Target const& target, Segments const& segments, void* out);

}  // namespace gantry::runtime
