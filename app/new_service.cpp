#include "app/new_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "app/templates/templates.h"

namespace gantry::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view taken[] = {
    // C++ and its macros
    "alignas", "alignof", "and", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "class", "compl", "concept",
    "const", "consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete", "do", "double", "else", "enum", "explicit",
    "export", "extern", "false", "final", "float", "for", "friend", "goto", "if", "import", "inline", "int", "long", "module", "mutable",
    "namespace", "new", "noexcept", "not", "nullptr", "operator", "or", "override", "private", "protected", "public", "register",
    "requires", "return", "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw", "true", "try", "typedef",
    "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "while", "xor", "assert", "errno", "linux", "major",
    "minor", "stderr", "stdin", "stdout", "unix",
    // what has the name in Gantry's namespace, among its addresses, or in its sources
    "app", "client", "codec", "config", "console", "crc32c", "detail", "fail", "gantry", "hash64", "health", "http", "log", "main", "mix64",
    "net", "observe", "page", "route", "runtime", "server", "service", "services", "state", "std", "testing", "unzigzag", "zigzag"};

Result<void> check_name(std::string_view name) {
    bool const plain = name.size() >= 2 && name.size() <= 30 && name.front() >= 'a' && name.front() <= 'z' &&
                       std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
    if (!plain)
        return fail(400, "name_invalid",
                    fmt::format("expected 2 to 30 characters of [a-z0-9], beginning with a letter; found \"{}\"", name));
    if (std::ranges::find(taken, name) != std::end(taken))
        return fail(400, "name_invalid", fmt::format("\"{}\" has a meaning of its own in C++ or in Gantry: choose another name", name));
    return {};
}

Result<std::string> text_of(fs::path const& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    if (!in) return fail(500, "checkout_unreadable", fmt::format("{} can't be read", path.string()));
    return out.str();
}

Result<fs::path> checkout_of(std::string const& from) {
    std::error_code error;
    auto start = fs::absolute(from, error);
    if (error) return fail(400, "no_checkout", fmt::format("{}: {}", from, error.message()));
    for (auto at = start;; at = at.parent_path()) {
        if (auto text = text_of(at / "CMakeLists.txt"); text && text->find("project(gantry") != text->npos) return at;
        if (at == at.parent_path()) break;
    }
    return fail(400, "no_checkout", "a new service is made in a checkout of Gantry's sources: go there and try again");
}

std::string filled(std::string_view text, std::string_view name) {
    std::string title(name);
    title.front() = char(title.front() - 'a' + 'A');
    std::string out(text);
    for (auto [mark, with] : {std::pair{std::string_view("@name@"), std::string(name)}, std::pair{std::string_view("@Name@"), title}})
        for (auto at = out.find(mark); at != out.npos; at = out.find(mark, at + with.size())) out.replace(at, mark.size(), with);
    return out;
}

// Puts a line in front of the one that holds `mark`.
Result<void> insert_before(std::string& text, std::string_view mark, std::string const& line, std::string_view file) {
    auto const found = text.find(mark);
    if (found == text.npos) return fail(500, "checkout_unreadable", fmt::format("{} has no line with \"{}\"", file, mark));
    auto const at = text.rfind('\n', found);
    text.insert(at == text.npos ? 0 : at + 1, line);
    return {};
}

// Puts an include among those of the services, in order.
Result<void> include_in_order(std::string& text, std::string const& line, std::string_view file) {
    constexpr std::string_view mark = "\n#include \"services/";
    auto at = text.find(mark);
    if (at == text.npos) return fail(500, "checkout_unreadable", fmt::format("{} includes no service", file));
    while (text.compare(at, mark.size(), mark) == 0 && std::string_view(text).substr(at + 1) < line) at = text.find('\n', at + 1);
    text.insert(at + 1, line);
    return {};
}

using Files = std::map<std::string, std::string>;  // path in the checkout → text

Result<Files> changed_lists(fs::path const& root, std::string_view name) {
    Files out;
    for (auto file : {"app/services.cpp", "console/src/pages.js", "services/README.md"}) {
        TRY_ASSIGN(out[file], text_of(root / file));
    }
    auto& list = out["app/services.cpp"];
    TRY_VOID(
        insert_before(list, "services: end of list", fmt::format("        runtime::declare<{}::Service>(),\n", name), "app/services.cpp"));
    TRY_VOID(include_in_order(list, fmt::format("#include \"services/{0}/{0}.h\"\n", name), "app/services.cpp"));
    auto& pages = out["console/src/pages.js"];
    TRY_VOID(insert_before(pages, "\nexport const pages", fmt::format("import {{ page as {0}Page }} from \"./{0}.js\";\n", name),
                           "console/src/pages.js"));
    auto const end = pages.find("];", pages.find("export const pages"));
    if (end == pages.npos) return fail(500, "checkout_unreadable", "console/src/pages.js has no list of pages");
    pages.insert(end, fmt::format(", {}Page", name));
    auto& readme = out["services/README.md"];
    while (readme.ends_with('\n')) readme.pop_back();
    readme += fmt::format("\n| `{}` | items that have a title and may be archived |\n", name);
    return out;
}

Files new_files(std::string_view name) {
    Files out;
    for (auto const& t : service_templates()) {
        std::string const folder = fmt::format("services/{}/", name);
        std::string path = folder + std::string(t.name);
        if (t.name.starts_with("service")) path = folder + std::string(name) + std::string(t.name.substr(7));
        if (t.name == "page.js") path = fmt::format("console/src/{}.js", name);
        out[path] = filled(t.text, name);
    }
    return out;
}

}  // namespace

Result<NewService> new_service(std::string const& from, std::string_view name) {
    TRY_VOID(check_name(name));
    TRY_ASSIGN(fs::path root, checkout_of(from));
    auto const made = new_files(name);
    TRY_ASSIGN(auto const changed, changed_lists(root, name));
    std::error_code error;
    if (fs::exists(root / "services" / name, error))
        return fail(409, "service_exists", fmt::format("services/{} is there already; nothing was written", name));
    for (auto const& [path, text] : made)
        if (fs::exists(root / path, error))
            return fail(409, "service_exists", fmt::format("{} is there already; nothing was written", path));
    NewService out;
    auto write = [&](Files const& files, std::vector<std::string>& names) -> Result<void> {
        for (auto const& [path, text] : files) {
            fs::create_directories((root / path).parent_path(), error);
            std::ofstream file(root / path, std::ios::binary);
            if (error || !(file << text).flush())
                return fail(500, "disk_failed",
                            fmt::format("{} can't be written: {}", path, error ? error.message() : std::strerror(errno)));
            names.push_back(path);
        }
        return {};
    };
    TRY_VOID(write(made, out.made));
    TRY_VOID(write(changed, out.changed));
    return out;
}

}  // namespace gantry::app
