#include "kernel/runtime/if_match.h"

#include <fmt/format.h>

#include "kernel/base/assert.h"
#include "kernel/codec/json.h"

namespace gantry::runtime {
namespace {

// Runs a read on a state that is held already. Lists say the newest position here as anywhere else, so that the ETag is the same.
class Probe final : public Call {
   public:
    Probe(Host const& host, Request const& request, Ctx const& ctx, void const* state)
        : host_(host), request_(request), ctx_(ctx), state_(state), reading_(request.viewer) {}
    ~Probe() override { state::reading = nullptr; }
    Result<void> bind(codec::Type const& input, void* out) override { return (*request_.bind_read)(input, out); }
    Result<void const*> begin_read() override {
        state::reading = &reading_;
        return state_;
    }
    Position end_read() override {
        state::reading = nullptr;
        if (reading_.broad()) return host_.applied();
        return host_.newest(reading_.keys());
    }
    Ctx const& ctx() const override { return ctx_; }
    std::string position_text(Position position) const override { return host_.position_text(position); }
    void answer(codec::Type const& reply, void const* value, int) override { codec::encode_json(reply, value, body_); }
    std::string const& body() const { return body_; }

    Result<void*> begin_write() override { return wrong(); }
    void record(std::uint32_t, std::uint64_t) override {}
    std::string& payload() override { return body_; }
    codec::Sealer const* sealer() const override { return nullptr; }
    At next_at() const override { return {}; }
    void applying() override {}
    Result<void> end_write(codec::Type const&, void const*, int) override { return std::unexpected(wrong().error()); }
    void abandon_write() override {}

   private:
    static Result<void*> wrong() { return fail(500, "internal_error", "a GET is no command"); }
    Host const& host_;
    Request const& request_;
    Ctx const& ctx_;
    void const* state_;
    state::Reading reading_;
    std::string body_;
};

}  // namespace

std::string etag_of(std::string_view body) { return fmt::format("\"{:016x}\"", hash64(body)); }

bool etag_listed(std::string_view list, std::string_view etag) {
    if (list == "*") return !etag.empty();
    while (!list.empty()) {
        auto end = std::min(list.find(','), list.size());
        auto one = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
        while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
        if (!etag.empty() && one == etag) return true;
    }
    return false;
}

Result<std::string> etag_under_lock(Host const& host, Request const& request, Ctx const& ctx, void const* state) {
    GANTRY_ASSERT(!request.same_path_read->command && request.bind_read, "If-Match speaks of a read");
    Probe probe(host, request, ctx, state);
    auto ran = request.same_path_read->run(request.same_path_read->function, probe);
    if (!ran && ran.error().status >= 500) return std::unexpected(std::move(ran.error()));
    return ran ? etag_of(probe.body()) : std::string();
}

}  // namespace gantry::runtime
