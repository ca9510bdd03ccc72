#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernel/http/parse.h"

namespace gantry::http {

// Reads the heads of one connection, one after the other. A client says the same header lines again and again: those that are as they were
// with the request before are compared, and neither scanned nor parsed.
class HeadReader {
   public:
    // The size of the head that `bytes` begin with, when its header lines are those of the head before; 0: they aren't, or it isn't whole.
    std::size_t repeat(std::string_view bytes, Limits const& limits, RequestHead& head) const;
    // Any whole head. `head` shows `bytes` and what is kept here, until the next one.
    Refusal parse(std::string_view bytes, Limits const& limits, RequestHead& head);
    // Moves the views of a head when its bytes have moved.
    void rebase(RequestHead& head, std::string_view from, char const* to) { http::rebase(head, headers_, from, to); }
    // Of the last head.
    bool accepts_gzip() const { return accepts_gzip_; }
    void release() { kept_ = {}, headers_ = {}; }

   private:
    std::string kept_;  // the header lines and the empty line behind them, which `headers_` show then; empty: none are kept
    std::vector<Header> headers_;
    RequestHead said_;  // by them
    std::uint64_t last_id_ = 0;
    bool accepts_gzip_ = false;
};

}  // namespace gantry::http
