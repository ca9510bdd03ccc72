#include <fmt/format.h>

#include <algorithm>

#include "kernel/config/config.h"
#include "kernel/config/files.h"
#include "kernel/config/names.h"
#include "kernel/config/toml.h"
#include "kernel/config/value.h"

// The sources are read from the weakest to the strongest, each overwriting what the one before said.
namespace gantry::config {
namespace {

constexpr std::string_view prefix = "GANTRY_", credentials_variable = "CREDENTIALS_DIRECTORY=";

class Loader {
   public:
    Loader(std::vector<Section> const& sections, std::vector<std::string> const& environment) : sections_(sections) {
        for (std::string_view entry : environment)
            if (entry.starts_with(credentials_variable)) credentials_ = entry.substr(credentials_variable.size());
    }
    Values values;
    std::vector<Fault> faults;

    Result<void> take_file(std::string const& path);
    void take_environment(std::vector<std::string> const& entries);
    void take_flags(std::vector<Flag> const& flags);

   private:
    Key const* find(std::string_view name, Spelling spelling) const;
    void take_key(TomlKey const& key, std::string const& file, bool others_read);
    std::string fetch_secrets(std::vector<std::string>& parts, std::string& source) const;
    void take(Key const& key, std::vector<std::string> parts, std::string source, std::string where);
    void unknown_key(TomlKey const& key, std::string where);
    std::vector<Section> const& sections_;
    std::string credentials_;  // the directory of systemd's
};

// What TOML calls a value that a key of this type takes, or empty if this is one.
std::string wrong_kind(codec::Type const& type, TomlKind kind) {
    switch (type.kind) {
        case codec::Kind::boolean: return kind == TomlKind::boolean ? "" : "true or false, without quotes";
        case codec::Kind::integer: return kind == TomlKind::integer ? "" : "a number without quotes";
        case codec::Kind::real: return kind == TomlKind::real || kind == TomlKind::integer ? "" : "a number without quotes";
        case codec::Kind::time: return kind == TomlKind::offset_time || kind == TomlKind::text ? "" : "a time with its zone";
        case codec::Kind::list: return kind == TomlKind::list ? "" : "a list in brackets";
        default: return kind == TomlKind::text ? "" : "text in quotes";
    }
}

std::string_view word(TomlKind kind) {
    switch (kind) {
        case TomlKind::text: return "text in quotes";
        case TomlKind::integer: return "a whole number";
        case TomlKind::real: return "a fraction";
        case TomlKind::boolean: return "true or false";
        case TomlKind::offset_time: return "a time";
        case TomlKind::list: return "a list";
        case TomlKind::other: return "a table or a time without zone";
    }
    return {};
}

// The parts of a value, or why it is none for this type.
std::string parts_of(codec::Type const& type, TomlValue const& value, std::vector<std::string>& parts) {
    if (auto wanted = wrong_kind(type, value.kind); !wanted.empty())
        return fmt::format("expected {} ({}), found {}", expectation(type), wanted, word(value.kind));
    if (type.kind != codec::Kind::list) return parts.push_back(value.text), std::string();
    for (auto const& element : value.elements)
        if (auto why = parts_of(type.element(), element, parts); !why.empty()) return why;
    return {};
}

Key const* Loader::find(std::string_view name, Spelling spelling) const {
    for (auto const& section : sections_)
        for (auto const& key : section.keys)
            if (spelled(key, spelling) == name) return &key;
    return nullptr;
}

void Loader::take(Key const& key, std::vector<std::string> parts, std::string source, std::string where) {
    if (key.secret)
        if (auto why = fetch_secrets(parts, source); !why.empty())
            return faults.push_back({std::move(where), fmt::format("{}: {}", key.path(), why)});
    Scratch checked(*key.type);
    if (auto why = set(*key.type, checked.get(), parts); !why.empty())
        return faults.push_back({std::move(where), fmt::format("{}: {}", key.path(), why)});
    values[spelled(key, Spelling::file)] = {std::move(parts), std::move(source)};
}

// Puts what is in the files in the place of references to them; gives why it can't.
std::string Loader::fetch_secrets(std::vector<std::string>& parts, std::string& source) const {
    for (auto& part : parts) {
        if (!is_reference(part)) continue;
        auto path = path_of_reference(part, credentials_);
        if (!path) return path.error();
        auto secret = read_secret_file(*path);
        if (!secret) return fmt::format("{}: {}", *path, secret.error());
        source += fmt::format(" ({})", part);
        part = std::move(*secret);
    }
    return {};
}

void Loader::unknown_key(TomlKey const& key, std::string where) {
    auto section = std::ranges::find(sections_, key.section, &Section::name);
    if (key.name.empty() && section != sections_.end()) return;  // an empty section says nothing
    std::string said = key.section.empty() ? fmt::format("there is no key {} outside a section", key.name)
                       : key.name.empty()  ? fmt::format("there is no section [{}]", key.section)
                                           : fmt::format("there is no key [{}] {}", key.section, key.name);
    auto wrong = fmt::format("{}.{}", key.section.empty() ? "server" : key.section, key.name);
    faults.push_back({std::move(where), said + hint(wrong, sections_, Spelling::file)});
}

void Loader::take_key(TomlKey const& key, std::string const& file, bool others_read) {
    std::string where = fmt::format("{}:{}:{}", file, key.line, key.column);
    Key const* known = find(fmt::format("{}.{}", key.section, key.name), Spelling::file);
    if (!known) return unknown_key(key, std::move(where));
    std::vector<std::string> parts;
    bool const reference = known->secret && key.value.kind == TomlKind::text && is_reference(key.value.text);
    if (reference)
        parts.push_back(key.value.text);
    else if (auto why = parts_of(bare(*known->type), key.value, parts); !why.empty())
        return faults.push_back({std::move(where), fmt::format("{}: {}", known->path(), why)});
    if (known->secret && others_read && !std::ranges::all_of(parts, is_reference))
        return faults.push_back(
            {std::move(where), fmt::format("{}: a secret stands here, and everybody on this machine may read the file: "
                                           "chmod o-rwx {}, or put the secret into a file of its own and say file:/path",
                                           known->path(), file)});
    take(*known, std::move(parts), fmt::format("{}:{}", file, key.line), std::move(where));
}

Result<void> Loader::take_file(std::string const& path) {
    auto const text = read_config_file(path);
    if (!text) return fail(Problem{400, "config_unreadable", "the configuration file can't be read", {{path, text.error()}}});
    auto keys = read_toml(text->text, path);
    if (!keys) return faults = std::move(keys.error().faults), Result<void>();
    for (auto const& key : *keys) take_key(key, path, text->others_read);
    return {};
}

void Loader::take_environment(std::vector<std::string> const& entries) {
    for (std::string_view entry : entries) {
        auto equals = entry.find('=');
        if (!entry.starts_with(prefix) || equals == entry.npos || equals + 1 == entry.size()) continue;
        std::string name(entry.substr(0, equals));
        if (Key const* key = find(name, Spelling::environment))
            take(*key, split(*key->type, entry.substr(equals + 1)), name, name);
        else
            faults.push_back({name, "there is no such key" + hint(name, sections_, Spelling::environment)});
    }
}

void Loader::take_flags(std::vector<Flag> const& flags) {
    std::map<std::string, std::vector<std::string>> seen;
    for (auto const& flag : flags) {
        std::string where = "--" + flag.name;
        Key const* key = find(dashed(flag.name), Spelling::flag);
        if (!key) {
            faults.push_back({where, "there is no such key" + hint(dashed(flag.name), sections_, Spelling::flag)});
            continue;
        }
        auto& parts = seen[dashed(flag.name)];
        if (!parts.empty() && bare(*key->type).kind != codec::Kind::list) {
            faults.push_back({where, "is given twice"});
            continue;
        }
        for (auto& part : split(*key->type, flag.value)) parts.push_back(std::move(part));
        take(*key, parts, where, where);
    }
}

}  // namespace

Result<Values> Config::read(Sources const& sources) const {
    Loader loader(sections_, sources.environment);
    if (sources.file) TRY_VOID(loader.take_file(*sources.file));
    loader.take_environment(sources.environment);
    loader.take_flags(sources.flags);
    if (!loader.faults.empty()) return fail(Problem{400, "config_invalid", "the configuration has faults", std::move(loader.faults)});
    return std::move(loader.values);
}

}  // namespace gantry::config
