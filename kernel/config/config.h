#pragma once
#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/codec/type.h"

// Typed configuration. A section is a RECORD whose members are its keys: the member's type gives type, range and secrecy (`Secret<T>`), its
// initialiser the default; a table keyed by member pointer gives the sentence, the unit, and whether a change needs a restart:
//
//     struct TrackerSettings { std::optional<Duration> window; };
//     RECORD(TrackerSettings, window);
//     auto section = config::section<TrackerSettings>("tracker", {{&TrackerSettings::window, "How long completed runs stay."}});
//
// The key `[tracker] some_name` of the file is also `--tracker.some-name` and GANTRY_TRACKER_SOME_NAME. A flag goes before the environment,
// that before the file, that before the default. Section names are [a-z][a-z0-9]* (no '_', so that a variable splits in one way).
namespace gantry::config {

enum class Change { needs_restart, at_once };

// What a section says about one of its keys.
struct KeyDoc {
    template <class S, class M>
    KeyDoc(M S::* member, std::string_view sentence, std::string_view unit_name = {}, Change when_changed = Change::needs_restart)
        : doc(sentence), unit(unit_name), change(when_changed) {
        static_assert(sizeof offset == sizeof member, "a pointer to a data member is its offset (Itanium ABI)");
        std::memcpy(&offset, &member, sizeof offset);
    }
    KeyDoc(std::size_t member_offset, std::string_view sentence) : offset(member_offset), doc(sentence) {}
    std::size_t offset = 0;
    std::string doc;
    std::string unit;  // "bytes", "requests a second"; empty where the type says it
    Change change = Change::needs_restart;
};

// One key, everything about it but its value.
struct Key {
    std::string section, name;  // "server", "listen": as in the file
    std::string doc, unit;
    std::string expected;  // "an integer from 1 to 256"
    std::string fallback;  // the default as text; empty: none
    bool secret = false;
    Change change = Change::needs_restart;
    codec::Type const* type = nullptr;  // without the Secret around it
    std::size_t offset = 0;

    std::string flag() const;      // "--server.some-name"
    std::string variable() const;  // "GANTRY_SERVER_SOME_NAME"
    std::string path() const;      // "[server] some_name"
};

struct Section {
    std::string name;
    codec::Type const* type = nullptr;
    std::vector<Key> keys;  // in the order of the RECORD
};

// Asserts that each key has exactly one doc, that the name is fit, and that each type can be set from text: a scalar, an optional of one,
// a list of them (comma-separated in flags and environment), or a Secret of those.
Section make_section(std::string_view name, codec::Type const& type, std::vector<KeyDoc> const& docs, void const* defaults);
// The same from names: {"window", "How long completed runs stay."}; the defaults are those of a default-constructed object.
Section make_section(std::string_view name, codec::Type const& type,
                     std::vector<std::pair<std::string_view, std::string_view>> const& docs);
template <class S>
Section section(std::string_view name, std::vector<KeyDoc> const& docs) {
    S const defaults{};
    return make_section(name, codec::type_of<S>(), docs, &defaults);
}

struct Flag {
    std::string name;  // "server.some-name", without the dashes
    std::string value;
};
// Where values come from, besides the defaults. `environment` holds entries "NAME=value"; those without the prefix GANTRY_ and empty ones
// are passed over, but CREDENTIALS_DIRECTORY. A list takes the elements of each of its flags; any other key takes one flag.
struct Sources {
    std::optional<std::string> file;  // path of a TOML file, which must be there
    std::vector<std::string> environment;
    std::vector<Flag> flags;
};

// A key, its value in effect, and where that was said: "default", "gantry.toml:3", "GANTRY_SERVER_LISTEN", "--server.listen".
struct Origin {
    Key const* key = nullptr;
    std::string value;  // "[secret]" for a secret that is set
    std::string source;
};

// A key whose value is another one now, or will be: as show() gives them, "[secret]" for secrets.
struct ChangedKey {
    Key const* key = nullptr;
    std::string before, after;
    Change when = Change::needs_restart;  // at_once: in effect; needs_restart: `before` stays in effect until then
};

struct Value {
    std::vector<std::string> parts;  // one, or a list's elements
    std::string source;
};
using Values = std::map<std::string, Value>;  // by "section.name"
struct Held;                                  // what is in effect, for any thread to read

// The settings as they stand at one moment: all that is read from one of these fits together. Cheap to copy; not to outlive its Config.
class Snapshot {
   public:
    // The settings of a declared section: `out` is a default-constructed object of its type.
    void fill(std::string_view section, codec::Type const& type, void* out) const;
    template <class S>
    S get(std::string_view section) const {
        S out{};
        fill(section, codec::type_of<S>(), &out);
        return out;
    }
    std::vector<Origin> show() const;

   private:
    friend class Config;
    Snapshot(std::vector<Section> const& sections, std::shared_ptr<Values const> values)
        : sections_(&sections), values_(std::move(values)) {}
    std::vector<Section> const* sections_;
    std::shared_ptr<Values const> values_;
};

// Declared and loaded by one thread, before others know it; from then on any thread reads, and one at a time reloads.
class Config {
   public:
    Config();
    Config(Config&&) noexcept;
    Config& operator=(Config&&) noexcept;
    ~Config();

    void declare(Section section);

    // Checks everything that the sources say, and takes it in. Fails with "config_invalid", all faults named: Fault::pointer says where
    // ("gantry.toml:3:10", "GANTRY_SERVER_LISTEN", "--server.listen"), Fault::detail what was expected. A secret's value is never in them.
    // Fails with "config_unreadable" when the file can't be read. Either way nothing was taken in.
    Result<void> load(Sources const& sources);

    // Reads everything again. What may change at once is in effect for the next snapshot(); what needs a restart stays as it is, and is
    // told with each reload until then. `check` looks at the configuration as a restart would find it. With any fault, of load() or of
    // `check`, nothing changes.
    using Check = std::function<Result<void>(Config const&)>;
    Result<std::vector<ChangedKey>> reload(Sources const& sources, Check const& check = {});

    Snapshot snapshot() const;
    // One more with each reload that changed something: who keeps what it read needs to read again only then.
    std::uint64_t generation() const;

    // From a snapshot of this moment.
    void fill(std::string_view section, codec::Type const& type, void* out) const { snapshot().fill(section, type, out); }
    template <class S>
    S get(std::string_view section) const {
        return snapshot().get<S>(section);
    }
    std::vector<Origin> show() const { return snapshot().show(); }

    std::vector<Section> const& sections() const { return sections_; }

   private:
    Result<Values> read(Sources const& sources) const;
    void hold(Values values);
    std::vector<Section> sections_;
    std::unique_ptr<Held> held_;
};

// All faults of a problem, one a line, "where: what"; without faults its detail and cause.
std::string explain(Problem const& problem);

}  // namespace gantry::config
