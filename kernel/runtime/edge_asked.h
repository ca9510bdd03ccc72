#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

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
    AskedLater(Asked const& asked, RouteTable const& table)
        : caller_(asked.caller),
          target_(asked.head.target),
          path_(asked.head.path),
          mount_(asked.head.mount),
          host_(asked.head.host),
          query_(asked.query),
          as_of_(asked.as_of),
          body_(asked.body) {
        body_.append(64, '\0');  // the decoder reads a little beyond
        for (auto const& header : asked.head.headers) texts_.emplace_back(header.name, header.value);
        for (auto const& [name, value] : texts_) headers_.push_back({name, value});
        head_ = asked.head;
        head_.target = target_, head_.path = path_, head_.query = query_, head_.mount = mount_, head_.host = host_,
        head_.headers = headers_;
        match_ = table.match(http::method_name(head_.method), path_);
        view_.emplace(Asked{match_, head_, caller_, std::string_view(body_).substr(0, asked.body.size()), asked.io_thread, nullptr, query_,
                            as_of_, asked.live, 0, asked.ticket ? std::string(asked.ticket->request_id()) : asked.request_id,
                            asked.deadline_us, asked.trace, asked.trace_state, asked.tls, asked.client});
    }
    AskedLater(AskedLater const&) = delete;
    AskedLater& operator=(AskedLater const&) = delete;
    Asked const& view() const { return *view_; }
    int io_thread() const { return view_->io_thread; }

   private:
    EdgeCallerRef caller_;
    std::string target_, path_, mount_, host_, query_, as_of_, body_;
    std::vector<std::pair<std::string, std::string>> texts_;
    std::vector<http::Header> headers_;
    http::RequestHead head_;
    Match match_;
    std::optional<Asked> view_;
};

}  // namespace gantry::runtime
