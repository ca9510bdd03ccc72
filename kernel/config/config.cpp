#include "kernel/config/config.h"

#include <algorithm>

#include "kernel/base/assert.h"
#include "kernel/config/names.h"
#include "kernel/config/value.h"

namespace gantry::config {
namespace {

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

}  // namespace

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
    GANTRY_ASSERT(values_.empty(), "sections are declared before anything is loaded");
    GANTRY_ASSERT(std::ranges::find(sections_, section.name, &Section::name) == sections_.end(), "a section is declared once");
    sections_.push_back(std::move(section));
}

void Config::fill(std::string_view section, codec::Type const& type, void* out) const {
    auto found = std::ranges::find(sections_, section, &Section::name);
    GANTRY_ASSERT(found != sections_.end() && found->type == &type, "settings are read as the type that their section declares");
    for (auto const& key : found->keys) {
        auto value = values_.find(spelled(key, Spelling::file));
        if (value == values_.end()) continue;
        auto why = set(*key.type, static_cast<char*>(out) + key.offset, value->second.parts);
        GANTRY_ASSERT(why.empty(), "load() checked each value");
    }
}

std::vector<Origin> Config::show() const {
    std::vector<Origin> out;
    for (auto const& section : sections_) {
        for (auto const& key : section.keys) {
            auto value = values_.find(spelled(key, Spelling::file));
            if (value == values_.end()) {
                out.push_back({&key, key.secret && !key.fallback.empty() ? "[secret]" : key.fallback, "default"});
                continue;
            }
            std::string text;
            for (auto const& part : value->second.parts) text.append(text.empty() ? "" : ",").append(part);
            out.push_back({&key, key.secret ? "[secret]" : text, value->second.source});
        }
    }
    return out;
}

std::string explain(Problem const& problem) {
    if (problem.faults.empty()) return problem.detail + (problem.cause.empty() ? "" : " (" + problem.cause + ")");
    std::string out;
    for (auto const& fault : problem.faults) out.append(out.empty() ? "" : "\n").append(fault.pointer).append(": ").append(fault.detail);
    return out;
}

}  // namespace gantry::config
