#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernel/http/message.h"
#include "kernel/http/server.h"

// Reading requests off the wire: where a head ends, what it says, and the body's framing. Inside kernel/http.
namespace gantry::http {

// Why a request is refused before a handler sees it. Both texts are literals.
struct Refusal {
    int status = 0;  // 0: not refused
    char const* code = "";
    char const* detail = "";
    explicit operator bool() const { return status != 0; }
};

// Finds the end of a head that arrives in any number of pieces; looks at each byte once. Refuses a bare LF and what is over the limits.
class HeadScanner {
   public:
    // `bytes`: from the first byte of the request on. The size of the head with its empty line, or 0 for "more is needed" (or refusal()).
    std::size_t scan(std::string_view bytes, Limits const& limits);
    Refusal const& refusal() const { return refusal_; }
    // Head lines begin after this many bytes: an empty line before a request is forgiven.
    std::size_t leading() const { return leading_; }
    void reset() { *this = {}; }
    bool is_fresh() const { return scanned_ == 0; }

   private:
    std::size_t end_of_line(std::string_view bytes, std::size_t lf, Limits const& limits);
    std::size_t scanned_ = 0;
    std::size_t line_start_ = 0;
    std::size_t lines_ = 0;
    std::size_t leading_ = 0;
    Refusal refusal_;
};

// Parses a complete head into views of it. `headers` is the storage behind `head.headers`.
Refusal parse_head(std::string_view bytes, Limits const& limits, std::vector<Header>& headers, RequestHead& head);

// Moves the views of a head that lie in `from` when these bytes have moved.
void rebase(RequestHead& head, std::vector<Header>& headers, std::string_view from, char const* to);

// "host", "host:port", "[v6]", "[v6]:port" with the characters that RFC 3986 allows.
bool is_valid_authority(std::string_view authority);

// Takes the framing off a body, of fixed size or chunked, in pieces as they come.
class BodyDecoder {
   public:
    void start(RequestHead const& head, Limits const& limits);
    struct Step {
        std::size_t consumed = 0;
        std::string_view data;  // within the consumed bytes
    };
    // One step; call until it consumes nothing, done(), or refusal().
    Step next(std::string_view bytes);
    bool done() const { return state_ == State::Done; }
    Refusal const& refusal() const { return refusal_; }

   private:
    enum class State : std::uint8_t {
        Fixed,
        Size,
        Extension,
        SizeLf,
        Data,
        DataCr,
        DataLf,
        TrailerStart,
        TrailerName,
        TrailerValue,
        TrailerLf,
        EndLf,
        Done
    };
    void byte(unsigned char c);
    void size_byte(unsigned char c);
    void trailer_byte(unsigned char c);
    void bad(char const* detail);
    State state_ = State::Done;
    std::uint64_t remaining_ = 0;
    std::size_t line_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
    std::size_t line_limit_ = 0;
    std::size_t trailer_limit_ = 0;
    int digits_ = 0;
    Refusal refusal_;
};

}  // namespace gantry::http
