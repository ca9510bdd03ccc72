#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/assert.h"
#include "kernel/http/message.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/edge_caller.h"

namespace gantry::runtime {

// One request to a route, as views that live as long as the exchange.
struct Edge::Asked {
    Match const& match;
    http::RequestHead const& head;
    EdgeCallerRef const& caller;
    std::string_view body;
    int io_thread = 0;
    Ticket* ticket = nullptr;     // null: it came through no gate, or is owned (AskedLater)
    std::string_view query = {};  // the service's part of it
    std::string_view as_of = {};
    LiveForm live = LiveForm::none;
    std::int64_t now_us = 0;       // of the steady clock, when it was asked; 0: that was before
    std::string request_id = {};   // empty: not asked for yet (Edge::id_of)
    std::int64_t deadline_us = 0;  // of the steady clock; 0: none
    std::array<char, 16> trace = {};
    std::string trace_state = {};
    bool tls = false;
    std::string client = {};             // of a foreign route: its address
    Searched const* searched = nullptr;  // of a search: what was found
    Parked* parked = nullptr;            // of a command that waited
    std::string_view trace_id() const { return trace == std::array<char, 16>{} ? std::string_view() : std::string_view(trace.data(), 16); }
    std::string_view known_id() const { return ticket ? ticket->request_id() : std::string_view(request_id); }
    // Of a read only when it was asked for.
    std::string_view said_id() const { return match.target->route->command ? known_id() : std::string_view(request_id); }
    std::string_view key() const { return head.header("Idempotency-Key"); }
    // For reports; `oops_id` gets the id of one.
    RequestFacts facts(std::string& oops_id) const {
        return {&head, caller.get(), ticket ? ticket->trace : nullptr, tls, known_id(), &oops_id};
    }
};

// The same for an answer that has to wait: it owns everything that it shows.
struct Edge::AskedLater {
   public:
    explicit AskedLater(Asked const& asked) : caller_(asked.caller) {
        auto const& head = asked.head;
        std::size_t bytes = head.target.size() + head.path.size() + head.mount.size() + head.host.size() + asked.query.size() +
                            asked.as_of.size() + asked.body.size() + padding_bytes;
        for (auto const& header : head.headers) bytes += header.name.size() + header.value.size();
        texts_.reserve(bytes), headers_.reserve(head.headers.size());
        for (auto const& header : head.headers) headers_.push_back({keep(header.name), keep(header.value)});
        head_ = head;
        auto const path = keep(head.path), query = keep(asked.query);
        head_.target = keep(head.target), head_.path = path, head_.query = query, head_.mount = keep(head.mount);
        head_.host = keep(head.host), head_.headers = headers_;
        match_ = asked.match;
        for (std::size_t i = 0; i < match_.segments.count; ++i) {
            auto& segment = match_.segments.at[i];
            segment = path.substr(std::size_t(segment.data() - head.path.data()), segment.size());
        }
        auto const as_of = keep(asked.as_of), body = keep(asked.body);
        texts_.append(padding_bytes, '\0');  // the decoder reads a little beyond
        GANTRY_ASSERT(texts_.size() == bytes, "there is room for all texts");
        view_.emplace(Asked{match_, head_, caller_, body, asked.io_thread, nullptr, query, as_of, asked.live, 0,
                            asked.ticket ? std::string(asked.ticket->request_id()) : asked.request_id, asked.deadline_us, asked.trace,
                            asked.trace_state, asked.tls, asked.client});
    }
    AskedLater(AskedLater const&) = delete;
    AskedLater& operator=(AskedLater const&) = delete;
    Asked const& view() const { return *view_; }
    int io_thread() const { return view_->io_thread; }

   private:
    static constexpr std::size_t padding_bytes = 64;
    std::string_view keep(std::string_view text) {
        auto const at = texts_.size();
        texts_ += text;
        return std::string_view(texts_).substr(at);
    }
    EdgeCallerRef caller_;
    std::string texts_;  // all that is shown; it never grows, so what is shown stays where it is
    std::vector<http::Header> headers_;
    http::RequestHead head_;
    Match match_;
    std::optional<Asked> view_;
};

}  // namespace gantry::runtime
