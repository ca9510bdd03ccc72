#pragma once
#include "kernel/service.h"

// Calls of hooks, and what may be believed of their answers.
namespace gantry::pool {

inline constexpr std::size_t answer_bytes_max = 4 << 20;

client::Request json_request(std::string method, std::string target, std::string body);
// The body of an answer that is JSON and not too long. 422 "hook_answer_long", "hook_answer_invalid" for what will not get better.
Result<std::string> ask_json(Outside& outside, std::string method, Str const& url, std::string body);
// A page of somebody else's, where a hook was asked.
bool is_html(std::string_view body);
Problem answer_invalid(std::string_view why, std::string_view body);

// `read(root, out)` says what is wrong with the answer, or nothing.
template <class Answer, class Read>
Result<Answer> read_answer(Result<std::string> const& body, Read&& read) {
    if (!body) return std::unexpected(body.error());
    auto const tree = codec::JsonTree::read(*body);
    if (!tree) return fail(answer_invalid(tree.error().detail, *body));
    Answer out{};
    if (auto const why = read(tree->root(), out); !why.empty()) return fail(answer_invalid(why, *body));
    return out;
}

}  // namespace gantry::pool
