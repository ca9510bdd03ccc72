#include "kernel/http/kept.h"

#include "kernel/http/connection.h"

namespace gantry::http {

KeptExchange::KeptExchange(Exchange& exchange)
    : target_(exchange.head().target),
      path_(exchange.head().path),
      query_(exchange.head().query),
      mount_(exchange.head().mount),
      host_(exchange.head().host),
      body_(exchange.body()),
      address_(exchange.peer().address),
      head_(exchange.head()),
      peer_(exchange.peer()),
      tls_(exchange.tls()),
      deferred_(exchange.defer()) {
    for (auto const& header : head_.headers) texts_.emplace_back(header.name, header.value);
    for (auto const& [name, value] : texts_) headers_.push_back({name, value});
    head_.target = target_, head_.path = path_, head_.query = query_, head_.mount = mount_, head_.host = host_, head_.headers = headers_;
    peer_.address = address_;
}

void KeptExchange::handle(Handler& handler) {
    Deferred held = std::move(deferred_);
    Connection* connection = held.connection_;
    Slot* slot = connection->slot(held.sequence_);
    if (!slot) return;
    slot->deferred = false;
    auto const size = body_.size();
    body_.append(64, '\0');  // readable behind a body, as handlers expect
    Exchange exchange(connection, held.sequence_, head_, std::string_view(body_).substr(0, size), peer_, tls_, held.io_thread(),
                      steady_now_us());
    exchange.kept_ = true;
    try {
        handler.handle(exchange);
    } catch (...) {
        return;  // giving up the handle answers 500, or cuts an answer that was begun
    }
    slot = connection->slot(held.sequence_);
    if (slot && slot->phase == Slot::Phase::Open && slot->deferred) {
        held.connection_ = nullptr;  // the handler has a handle of its own
        connection->unref();
    }
}

}  // namespace gantry::http
