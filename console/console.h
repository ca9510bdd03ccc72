#pragma once
#include <span>
#include <string_view>

// The web console: files built into the program. It uses the public HTTP API alone, so the server needs only to hand these out.
namespace gantry::console {

struct Asset {
    std::string_view path;  // as requested: "/" is the page, all else is under "/console/"
    std::string_view content_type;
    std::string_view etag;  // strong, quoted
    std::string_view body;
    std::string_view gzip_body;  // the same, gzipped
};

// Sorted by path; constant for the life of the process.
std::span<Asset const> assets();

// What every reply with an asset must carry. The page has no inline script or style, and draws nothing from elsewhere.
inline constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'none'";

}  // namespace gantry::console
