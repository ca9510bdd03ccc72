#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernel/base/assert.h"
#include "kernel/codec/json.h"
#include "kernel/runtime/line_decl.h"
#include "kernel/runtime/service.h"

// Protocols of lines over TCP that aren't ours (beanstalkd's, LMTP, …). A service has no socket; it gives pure functions over what it
// remembers of one connection, its Talk, and the kernel does the rest: sockets, limits, order, who calls, durability, metrics.
//
//     struct Talk { std::string tube = "default"; std::vector<Lease> held; };
//     LineSaid    parse  (Talk&, LineIn const&);                    // what a line says: an input, an answer at once, a body to come, …
//     std::string put_told(Talk&, Put::Reply const&);               // the reply, as bytes
//     std::string refused(Talk&, std::string_view command, Problem const&);
//     std::optional<LineSaid> closing(Talk&);                       // the last input, once the connection has gone; or null
//
//     static std::vector<LineProtocol> lines() {
//         return {line_protocol<Talk>("beanstalkd", {.parse = &parse, .refused = &refused, .closing = &closing},
//                     {line_command("put", route<Service>(V1, "put", "beanstalkd", &put, Scope{"queue:work"}, Doc{…}), &put_told), …},
//                     LineOptions{.body_bytes_max = 65536, .line_too_long = "BAD_FORMAT\r\n"}, Doc{…})};
//     }
//
// The service's settings have the keys `beanstalkd_listen` (Text; empty: off) and `beanstalkd_caller` (Text; empty: none), which see
// docs/operations.md. Commands of one connection are decided in their order and answered in it; one that doesn't say `Overlaps` is answered
// before the next line is parsed, so that its answer may change the Talk.
namespace gantry {
namespace runtime {

template <class Talk, class Reply>
std::string tell_line(RouteFn told, void* talk, std::string const& json) {
    auto const reply = codec::from_json<Reply>(json);
    GANTRY_ASSERT(reply, "what a command answers was encoded here");
    return reinterpret_cast<std::string (*)(Talk&, Reply const&)>(told)(*static_cast<Talk*>(talk), *reply);
}

template <class Talk>
std::shared_ptr<void> make_talk(LinePeer const& peer) {
    if constexpr (std::is_constructible_v<Talk, LinePeer const&>)
        return std::make_shared<Talk>(peer);
    else
        return std::make_shared<Talk>();
}

}  // namespace runtime

using LineProtocol = std::shared_ptr<runtime::LineDecl const>;
using LineCommand = runtime::LineCommandDecl;

// A command: `route` (route, told_command, …) is what it does, `told` how its reply is said.
template <class Talk, class Reply>
LineCommand line_command(Route route, std::string (*told)(Talk&, Reply const&)) {
    GANTRY_ASSERT(route.reply == &codec::type_of<Reply>(), "a command's reply is told as what it is");
    GANTRY_ASSERT(!route.slow && !route.foreign && !route.kernel, "a command of a line protocol decides or reads");
    return {std::move(route), false, reinterpret_cast<runtime::RouteFn>(told), &runtime::tell_line<Talk, Reply>};
}
template <class Talk, class Reply>
LineCommand line_command(Route route, std::string (*told)(Talk&, Reply const&), Overlaps) {
    auto command = line_command(std::move(route), told);
    return command.overlaps = true, command;
}

template <class Talk>
struct LineFunctions {
    LineSaid (*parse)(Talk&, LineIn const&) = nullptr;
    std::string (*refused)(Talk&, std::string_view command, Problem const&) = nullptr;
    std::optional<LineSaid> (*closing)(Talk&) = nullptr;
};

template <class Talk>
LineProtocol line_protocol(std::string_view name, LineFunctions<Talk> functions, std::vector<LineCommand> commands, LineOptions options,
                           Doc doc) {
    using runtime::RouteFn;
    GANTRY_ASSERT(functions.parse && functions.refused, "a line protocol parses and refuses");
    runtime::LineDecl out{.name = name, .doc = doc.text, .options = std::move(options), .commands = std::move(commands)};
    out.make_talk = &runtime::make_talk<Talk>;
    out.parse_function = reinterpret_cast<RouteFn>(functions.parse);
    out.refused_function = reinterpret_cast<RouteFn>(functions.refused);
    out.closing_function = reinterpret_cast<RouteFn>(functions.closing);
    out.parse = [](RouteFn f, void* talk, LineIn const& in) {
        return reinterpret_cast<LineSaid (*)(Talk&, LineIn const&)>(f)(*static_cast<Talk*>(talk), in);
    };
    out.refused = [](RouteFn f, void* talk, std::string_view command, Problem const& problem) {
        return reinterpret_cast<std::string (*)(Talk&, std::string_view, Problem const&)>(f)(*static_cast<Talk*>(talk), command, problem);
    };
    if (functions.closing)
        out.closing = [](RouteFn f, void* talk) {
            return reinterpret_cast<std::optional<LineSaid> (*)(Talk&)>(f)(*static_cast<Talk*>(talk));
        };
    return std::make_shared<runtime::LineDecl const>(std::move(out));
}

}  // namespace gantry
