#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/codec/type.h"
#include "kernel/runtime/service_decl.h"

// A line protocol as tables: what line.h makes of a service's functions, and the listener (line_server.h) walks.
namespace gantry {

// A line without its end, and the body that parse asked for.
struct LineIn {
    std::string_view line;
    std::optional<std::string_view> body = {};
};

// What becomes of a line.
class LineSaid {
   public:
    enum class Kind : std::uint8_t { reply, body, swallow, call, close };
    // Answered at once.
    static LineSaid reply(std::string bytes) { return {Kind::reply, std::move(bytes)}; }
    // So many bytes follow and belong to it, ends of lines and all: parse is asked again with them. Beyond LineOptions::body_bytes_max they
    // are swallowed and refused (413 "body_too_large").
    static LineSaid body(std::uint64_t bytes) { return {Kind::body, {}, bytes}; }
    // So many bytes follow and are thrown away; then it is answered.
    static LineSaid swallow(std::uint64_t bytes, std::string reply) { return {Kind::swallow, std::move(reply), bytes}; }
    // Said, and then the connection closes.
    static LineSaid close(std::string bytes = {}) { return {Kind::close, std::move(bytes)}; }
    // An input of a command.
    template <class Input>
    static LineSaid call(std::string_view command, Input input) {
        LineSaid said{Kind::call, std::string(command)};
        said.input_ = std::make_shared<Input const>(std::move(input));
        said.type_ = &codec::type_of<Input>();
        said.copy_ = [](void const* from, void* to) { *static_cast<Input*>(to) = *static_cast<Input const*>(from); };
        return said;
    }

    Kind kind() const { return kind_; }
    std::string const& text() const { return text_; }  // the reply; of a call its command
    std::uint64_t bytes() const { return bytes_; }
    codec::Type const* input_type() const { return type_; }
    void copy_input(void* to) const { copy_(input_.get(), to); }

   private:
    LineSaid(Kind kind, std::string text, std::uint64_t bytes = 0) : kind_(kind), text_(std::move(text)), bytes_(bytes) {}
    Kind kind_;
    std::string text_;
    std::uint64_t bytes_;
    std::shared_ptr<void const> input_;
    codec::Type const* type_ = nullptr;
    void (*copy_)(void const*, void*) = nullptr;
};

// Who is at the other end. A Talk that can be made of it is.
struct LinePeer {
    std::string id;  // of the connection: never the same again
    std::string address;
};

// The next line may be parsed before this command is answered: its answer doesn't change the Talk, and many share one write to the disk.
struct Overlaps {};

struct LineOptions {
    std::size_t line_bytes_max = 1024;  // with its end
    std::uint64_t body_bytes_max = 1 << 16;
    std::string line_too_long = {};  // is answered where a line is longer, which is thrown away
    std::string full = {};           // is said to one connection too many
    std::size_t connections_max = 10'000;
    std::size_t overlapping_max = 256;  // commands of one connection in flight
    Duration idle_timeout = {};         // without a byte and with nothing under way; 0: never (a peer that has gone is noticed)
    Duration partial_timeout = Duration::seconds(30);  // in the middle of a line or body
    Duration write_timeout = Duration::seconds(30);
};

namespace runtime {

struct LineCommandDecl {
    RouteDecl route;  // its verb is the command's name
    bool overlaps = false;
    RouteFn told = nullptr;
    std::string (*tell)(RouteFn told, void* talk, std::string const& json) = nullptr;
};

struct LineDecl {
    std::string_view name, doc;
    LineOptions options;
    std::vector<LineCommandDecl> commands;
    std::shared_ptr<void> (*make_talk)(LinePeer const&) = nullptr;
    RouteFn parse_function = nullptr, refused_function = nullptr, closing_function = nullptr;
    LineSaid (*parse)(RouteFn, void* talk, LineIn const&) = nullptr;
    std::string (*refused)(RouteFn, void* talk, std::string_view command, Problem const&) = nullptr;
    std::optional<LineSaid> (*closing)(RouteFn, void* talk) = nullptr;
};

}  // namespace runtime
}  // namespace gantry
