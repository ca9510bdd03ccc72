#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry {

// One fault in a request: `pointer` is an RFC 6901 JSON pointer into the body, or `?name` / `{name}` for a query or path
// parameter; `detail` says what was expected and what was found.
struct Fault {
    std::string pointer;
    std::string detail;
};

// An expected failure. `status` is the HTTP status it becomes, `code` its stable name (docs/errors.md lists all), `detail` a
// sentence for the caller, `cause` what only the operator may see (it goes to the log, never to the wire).
struct Problem {
    int status = 500;
    std::string code;
    std::string detail;
    std::vector<Fault> faults = {};
    std::string cause = {};
    std::optional<int> retry_after_s = {};
};

template <class T>
using Result = std::expected<T, Problem>;

inline std::unexpected<Problem> fail(int status, std::string_view code, std::string_view detail = {}) {
    return std::unexpected(Problem{status, std::string(code), std::string(detail)});
}
inline std::unexpected<Problem> fail(Problem problem) { return std::unexpected(std::move(problem)); }

// TRY(expression): the value, or return the problem to the caller. TRY_VOID for Result<void>.
#define GANTRY_CONCAT2(a, b) a##b
#define GANTRY_CONCAT(a, b) GANTRY_CONCAT2(a, b)
#define TRY_ASSIGN(declaration, expression)                                                                             \
    auto GANTRY_CONCAT(result_, __LINE__) = (expression);                                                               \
    if (!GANTRY_CONCAT(result_, __LINE__)) return std::unexpected(std::move(GANTRY_CONCAT(result_, __LINE__).error())); \
    declaration = std::move(*GANTRY_CONCAT(result_, __LINE__))
#define TRY_VOID(expression)                                                                     \
    if (auto GANTRY_CONCAT(result_, __LINE__) = (expression); !GANTRY_CONCAT(result_, __LINE__)) \
    return std::unexpected(std::move(GANTRY_CONCAT(result_, __LINE__).error()))

}  // namespace gantry
