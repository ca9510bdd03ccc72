#include "kernel/runtime/fake_calls.h"

#include "kernel/codec/utf8.h"

namespace gantry::runtime {

// Outlives the list where an answer is late.
class CallLog::Watching final : public http::Witness {
   public:
    Watching(std::shared_ptr<Shared> shared, std::shared_ptr<ReceivedCall> call) : shared_(std::move(shared)), call_(std::move(call)) {}
    void on_body(std::string_view bytes) override {
        std::lock_guard lock(shared_->mutex);
        auto const room = body_bytes_max - call_->body.size();
        call_->body += bytes.substr(0, room);
        call_->body_cut |= bytes.size() > room;
    }
    void on_status(int status) override {
        std::lock_guard lock(shared_->mutex);
        call_->status = status;
    }

   private:
    std::shared_ptr<Shared> shared_;
    std::shared_ptr<ReceivedCall> call_;
};

std::shared_ptr<http::Witness> CallLog::add(http::Exchange const& exchange, Time now, bool fault) {
    auto call = std::make_shared<ReceivedCall>();
    call->at = now, call->method = http::method_name(exchange.head().method), call->target = exchange.head().target, call->fault = fault;
    auto watching = std::make_shared<Watching>(shared_, call);
    watching->on_body(exchange.body());
    std::lock_guard lock(shared_->mutex);
    call->number = ++shared_->last_number;
    shared_->calls.push_back(std::move(call));
    if (shared_->calls.size() > calls_max) shared_->calls.pop_front(), ++shared_->dropped;
    return watching;
}

CallLog::Part CallLog::list(std::uint64_t after, std::size_t limit) const {
    Part part;
    {
        std::lock_guard lock(shared_->mutex);
        part.dropped = shared_->dropped;
        for (auto const& call : shared_->calls) {
            if (call->number <= after) continue;
            part.more = part.calls.size() == limit;
            if (part.more) break;
            part.calls.push_back(*call);
        }
    }
    for (auto& call : part.calls) {
        auto const bad_at = codec::scan_utf8(call.body).bad_at;
        if (bad_at == std::string_view::npos) continue;
        // What was cut may end within a character.
        if (call.body_cut && bad_at + 4 > call.body.size())
            call.body.resize(bad_at);
        else
            call.body_base64 = Bytes{std::move(call.body)}, call.body.clear();
    }
    return part;
}

void CallLog::clear() {
    std::lock_guard lock(shared_->mutex);
    shared_->calls.clear();
    shared_->last_number = 0, shared_->dropped = 0;
}

}  // namespace gantry::runtime
