#pragma once
#include <string_view>

namespace gantry::runtime {

// A file that is part of the program, as the edge hands it out.
struct StaticFile {
    std::string_view path;  // as requested
    std::string_view content_type;
    std::string_view etag;  // strong, quoted
    std::string_view body;
    std::string_view gzip_body;  // the same, gzipped; empty: none
};

}  // namespace gantry::runtime
