#pragma once
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "kernel/net/stream.h"
#include "kernel/runtime/line_server.h"
#include "kernel/runtime/ticket.h"

// One connection of a line protocol. Inside kernel/runtime: line_server.cpp makes it.
namespace gantry::runtime {

// What the connections of one protocol share.
struct LineServer::Impl {
    Parts parts;
    net::TaskGroup group;  // of connections, up to the answer to their last input
    std::unique_ptr<net::StreamServer> server;
    explicit Impl(Parts p) : parts(std::move(p)) {}
};

// On its IO thread alone.
class LineTalk final : public net::StreamSession, public std::enable_shared_from_this<LineTalk> {
   public:
    // `of` was entered (Impl::group), and is left by this.
    LineTalk(std::shared_ptr<LineServer::Impl> of, std::shared_ptr<net::Stream> stream);
    ~LineTalk() override { of_->group.leave(); }

    std::size_t receive(std::string_view bytes, bool last) override;
    bool busy() const override { return !asked_.empty(); }
    void stop() override;
    void ended() override;

   private:
    // A command, or an answer whose turn hasn't come yet.
    struct Asked {
        LineCommandDecl const* command = nullptr;  // null: `bytes` are the answer
        std::string bytes;
        std::optional<LineSaid> said;
        std::optional<Result<Answer>> outcome;
        bool closes = false;  // the connection, with its answer
        EdgeCallerRef caller;
        auth::CallerLimiter* inside = nullptr;  // of `caller`; to be left
        std::array<char, request_id_bytes> id{};
        std::unique_ptr<observe::RequestTrace> trace;
        Time arrived{};
        std::int64_t began_ns = 0, decided_ns = 0;
        std::uint64_t waiter = 0;  // its number while it is parked (waiting.h); 0: it isn't
        std::string oops_id;
        std::string_view request_id() const { return {id.data(), id.size()}; }
        bool ready() const { return !command || outcome; }
    };
    std::size_t step(std::string_view bytes);
    std::size_t skip(std::string_view bytes);
    std::size_t read_line(std::string_view bytes);
    std::size_t read_body(std::string_view bytes);
    std::size_t take(LineSaid said, std::size_t used);
    bool may_go_on() const;
    bool smells_of_http(std::string_view line);
    void answer(std::string bytes, bool closes = false);
    void start(LineSaid said);
    Result<void> admit(Asked& asked);
    std::optional<Result<Answer>> decide(Asked& asked, std::uint64_t number);
    void decide_again(std::uint64_t number);
    void hurry();
    void settle(std::uint64_t number, Result<Answer> outcome);
    void tell_ready();
    std::string told(Asked& asked);
    void finish(Asked& asked, std::uint64_t bytes);
    void go_on();
    void say_closing();
    std::string refusal(std::string_view command, Problem const& problem);
    LineCommandDecl const& command_of(LineSaid const& said) const;
    LineSaid parse(LineIn const& in);
    void broken(std::string_view what);

    std::shared_ptr<LineServer::Impl> of_;
    LineServer::Parts& parts_;
    LineDecl const& decl_;
    std::shared_ptr<net::Stream> stream_;
    LinePeer peer_;
    auth::IpAddress address_;
    std::shared_ptr<void> talk_;
    std::deque<Asked> asked_;                // in flight, the oldest first
    std::uint64_t first_ = 0;                // number of asked_.front()
    std::optional<std::uint64_t> deciding_;  // the one whose decision is under way
    std::optional<Result<Answer>> at_once_;  // of it, told within
    std::uint64_t barrier_ = 0;              // the command of this number (counted from 1) is to be answered before the next line is parsed
    std::uint64_t skip_bytes_ = 0;
    bool skip_line_ = false;
    std::string skipped_reply_;
    std::size_t line_bytes_ = 0;  // of a line, with its end, whose body is awaited
    std::uint64_t body_bytes_ = 0;
    bool greeted_ = false;  // the first line was looked at
    bool receiving_ = false, last_ = false, stopping_ = false, closing_ = false, gone_ = false;
};

}  // namespace gantry::runtime
