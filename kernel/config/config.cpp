#include "kernel/config/config.h"

#include <algorithm>

#include "kernel/base/assert.h"
#include "kernel/config/current.h"
#include "kernel/config/names.h"
#include "kernel/config/value.h"

namespace gantry::config {

struct Held {
    Current<std::shared_ptr<Values const>> values{std::make_shared<Values const>()};
    std::atomic<std::uint64_t> generation = 0;
};

namespace {

constexpr std::string_view masked = "[secret]";

Key make_key(std::string_view section, codec::Field const& field, KeyDoc const& doc, void const* defaults) {
    codec::Type const& type = field.type();
    GANTRY_ASSERT(settable(type), "a key is a scalar, or an optional, a list or a Secret of scalars");
    return {.section = std::string(section),
            .name = std::string(field.name),
            .doc = doc.doc,
            .unit = doc.unit,
            .expected = expectation(type),
            .fallback = shown(type, static_cast<char const*>(defaults) + field.offset),
            .secret = type.has_secret,
            .change = doc.change,
            .type = &type,
            .offset = field.offset};
}

Value const* find(Values const& values, Key const& key) {
    auto found = values.find(spelled(key, Spelling::file));
    return found == values.end() ? nullptr : &found->second;
}

std::string told(Key const& key, Value const* value) {
    if (!value) return key.secret && !key.fallback.empty() ? std::string(masked) : key.fallback;
    if (key.secret) return std::string(masked);
    std::string text;
    for (auto const& part : value->parts) text.append(text.empty() ? "" : ",").append(part);
    return text;
}

// The value as the type writes it: "90s" and "1m30s" are the same.
std::string canonical(Key const& key, Value const* value) {
    if (!value) return key.fallback;
    Scratch read(*key.type);
    (void)set(*key.type, read.get(), value->parts);
    return shown(*key.type, read.get());
}

bool same(Key const& key, Value const* a, Value const* b) {
    bool const list = bare(*key.type).kind == codec::Kind::list;
    return list && a && b ? a->parts == b->parts : canonical(key, a) == canonical(key, b);
}

}  // namespace

Config::Config() : held_(std::make_unique<Held>()) {}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

Section make_section(std::string_view name, codec::Type const& type, std::vector<KeyDoc> const& docs, void const* defaults) {
    GANTRY_ASSERT(fit_section_name(name), "a section's name is [a-z][a-z0-9]*");
    GANTRY_ASSERT(type.kind == codec::Kind::record && docs.size() == type.fields.size(), "each key of a section has one KeyDoc");
    Section out{std::string(name), &type, {}};
    for (auto const& field : type.fields) {
        auto doc = std::ranges::find(docs, field.offset, &KeyDoc::offset);
        GANTRY_ASSERT(doc != docs.end() && !doc->doc.empty(), "each key of a section has one KeyDoc with a sentence");
        out.keys.push_back(make_key(name, field, *doc, defaults));
    }
    return out;
}

Section make_section(std::string_view name, codec::Type const& type,
                     std::vector<std::pair<std::string_view, std::string_view>> const& docs) {
    std::vector<KeyDoc> by_offset;
    for (auto const& [key, doc] : docs) {
        auto field = std::ranges::find(type.fields, key, &codec::Field::name);
        GANTRY_ASSERT(field != type.fields.end(), "a doc names a key of its section");
        by_offset.emplace_back(field->offset, doc);
    }
    Scratch defaults(type);
    return make_section(name, type, by_offset, defaults.get());
}

void Config::declare(Section section) {
    GANTRY_ASSERT(snapshot().values_->empty(), "sections are declared before anything is loaded");
    GANTRY_ASSERT(std::ranges::find(sections_, section.name, &Section::name) == sections_.end(), "a section is declared once");
    sections_.push_back(std::move(section));
}

void Snapshot::fill(std::string_view section, codec::Type const& type, void* out) const {
    auto found = std::ranges::find(*sections_, section, &Section::name);
    GANTRY_ASSERT(found != sections_->end() && found->type == &type, "settings are read as the type that their section declares");
    for (auto const& key : found->keys) {
        auto const* value = find(*values_, key);
        if (!value) continue;
        auto why = set(*key.type, static_cast<char*>(out) + key.offset, value->parts);
        GANTRY_ASSERT(why.empty(), "load() checked each value");
    }
}

std::vector<Origin> Snapshot::show() const {
    std::vector<Origin> out;
    for (auto const& section : *sections_)
        for (auto const& key : section.keys) {
            auto const* value = find(*values_, key);
            out.push_back({&key, told(key, value), value ? value->source : "default"});
        }
    return out;
}

Snapshot Config::snapshot() const {
    return {sections_, held_->values.read([](std::shared_ptr<Values const> const& values) { return values; })};
}
std::uint64_t Config::generation() const { return held_->generation.load(); }

void Config::hold(Values values) {
    held_->values.set(std::make_shared<Values const>(std::move(values)));
    held_->generation.fetch_add(1);
}

Result<void> Config::load(Sources const& sources) {
    TRY_ASSIGN(auto values, read(sources));
    return hold(std::move(values)), Result<void>();
}

Result<std::vector<ChangedKey>> Config::reload(Sources const& sources, Check const& check) {
    TRY_ASSIGN(auto values, read(sources));
    if (check) {
        Config fresh;
        fresh.sections_ = sections_, fresh.hold(values);
        TRY_VOID(check(fresh));
    }
    auto const old = snapshot().values_;
    std::vector<ChangedKey> changes;
    for (auto const& section : sections_)
        for (auto const& key : section.keys) {
            auto const *before = find(*old, key), *after = find(values, key);
            if (same(key, before, after)) continue;
            changes.push_back({&key, told(key, before), told(key, after), key.change});
            if (key.change == Change::at_once) continue;
            auto const name = spelled(key, Spelling::file);
            if (before)
                values.insert_or_assign(name, *before);
            else
                values.erase(name);
        }
    hold(std::move(values));
    return changes;
}

std::string explain(Problem const& problem) {
    if (problem.faults.empty()) return problem.detail + (problem.cause.empty() ? "" : " (" + problem.cause + ")");
    std::string out;
    for (auto const& fault : problem.faults) out.append(out.empty() ? "" : "\n").append(fault.pointer).append(": ").append(fault.detail);
    return out;
}

}  // namespace gantry::config
