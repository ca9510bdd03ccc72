#pragma once
#include <string>
#include <string_view>

#include "app/server_option.h"
#include "kernel/base/result.h"
#include "kernel/codec/json.h"

namespace gantry::app {

// One request to a server, its answer's JSON. A problem document comes as a Problem with its status and code, and all that it says as the
// detail; without an answer "server_unreachable", with what to do.
struct Ask {
    ServerOption const& server;
    std::string method, target, body = {};
    std::int64_t timeout_s = 60;  // 0: none
    bool has_data = false;        // the command takes --data instead
};
Result<std::string> ask(Ask const& ask);
// The same of a server that was found.
Result<std::string> ask_at(ServerFound const& server, Ask const& ask);

// What an answer says; a later server may say more. "answer_unreadable".
template <class T>
Result<T> read_answer(std::string_view json) {
    T value;
    auto read = codec::decode_json(codec::type_of<T>(), &value, json, false, {.lenient = true});
    if (!read) return fail(502, "answer_unreadable", "the server's answer can't be read: " + read.error().detail);
    return value;
}

}  // namespace gantry::app
