#pragma once
#include "services/oops/report.h"
#include "services/oops/rules.h"

// By what reports are one group: pure, and the same for ever for the same report, rules and version.
namespace gantry::oops {

inline constexpr std::uint32_t fingerprint_version = 1;  // changes with what goes into a fingerprint

enum class GroupedBy : std::uint8_t { rule, client, exceptions, stack, template_line, csp, message, nothing };
ENUM(GroupedBy, rule, client, exceptions, stack, template_line, csp, message, nothing);

// `app` looks at frames of the application alone, `system` at all; where there is none of the application both are the same. A report joins
// the group of either.
struct Fingerprints {
    std::uint64_t app = 0;
    std::uint64_t system = 0;
    GroupedBy how = GroupedBy::nothing;
    std::uint32_t rule_line = 0;  // of the rule that said so; 0: none
    bool operator==(Fingerprints const&) const = default;
};
// The order: a rule, the client's own fingerprint (with `{{ default }}` for what follows), chained exceptions by types and stacks (one
// without a stack by type and normal value), the stack of the thread, the line of a template, CSP, the message. `why` gets the parts of
// `app`.
Fingerprints fingerprint(Report const& report, Rules const& rules = {}, std::vector<std::string>* why = nullptr);

// Whether a frame is the application's: as rules say, else as the client told, else by where its file lies. Interpreters' own libraries,
// site-packages, node_modules and system libraries are not, even if the client says so.
bool is_in_app(Frame const& frame, std::string_view platform);

// What a frame is known by: of python its module, function and line of code; of javascript the module, its file's name in small letters and
// the line; of native code the function without parameters and template arguments; of others module or file, and function.
std::string frame_key(Frame const& frame, std::string_view platform);

// "KeyError: no price for order 4711", at most 200 characters; a rule's title first.
std::string title_of(Report const& report, Rules const& rules = {});
// A rule's title; nothing: none of them gives this report one.
std::optional<std::string> ruled_title(Report const& report, Rules const& rules);

}  // namespace gantry::oops
