#include "services/queue/sqs_attributes.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "services/queue/sqs.h"

namespace gantry::queue::sqs {
namespace {

constexpr std::size_t attributes_max = 10, name_max = 256, type_max = 256, value_bytes_max = 2000;
constexpr std::string_view types_header = "sqs-types", trace = "AWSTraceHeader", trace_name = "sqs-trace", text_type = "String";
using Types = std::map<std::string, std::string>;

std::string digest_hex(EVP_MD const* algorithm, std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    auto const done = EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, algorithm, nullptr);
    GANTRY_ASSERT(done == 1, "OpenSSL has this digest");
    std::string out;
    for (unsigned i = 0; i < size; ++i) fmt::format_to(std::back_inserter(out), "{:02x}", digest[i]);
    return out;
}
bool is_binary(AttributeValue const& value) { return value.DataType->starts_with("Binary"); }

void append_sized(std::string& out, std::string_view text) {
    for (int shift = 24; shift >= 0; shift -= 8) out += char(text.size() >> shift & 0xff);
    out += text;
}

bool is_attribute_name(std::string_view name) {
    auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    };
    return !name.empty() && name.size() <= name_max && std::ranges::all_of(name, plain) && name.front() != '.' && name.back() != '.' &&
           !name.contains("..") && !name.starts_with("AWS.") && !name.starts_with("Amazon.");
}
bool is_typed(std::string_view type, std::string_view base) {
    return type == base || (type.starts_with(base) && type.size() <= type_max && type[base.size()] == '.' && is_message_text(type));
}
bool is_number(std::string_view text) {
    auto const json = codec::from_json<double>(text);
    return json.has_value();
}

Result<void> check(std::string_view name, AttributeValue const& value) {
    auto const at = fmt::format("MessageAttributes.{}", name.substr(0, name_max));
    if (!is_attribute_name(name)) return fail(invalid(at, "a name has 1 to 256 letters, digits and signs of _ - ."));
    if (!value.DataType || value.DataType->empty()) return fail(invalid(at, "it must have a DataType."));
    bool const binary = is_typed(*value.DataType, "Binary"), number = is_typed(*value.DataType, "Number");
    if (!binary && !number && !is_typed(*value.DataType, text_type))
        return fail(invalid(at, "its DataType is none of Binary, Number, String, with a custom type after a dot."));
    auto const& given = binary ? value.BinaryValue : value.StringValue;
    if (!given || given->empty() || (binary ? value.StringValue : value.BinaryValue))
        return fail(invalid(at, binary ? "it must have a BinaryValue alone." : "it must have a StringValue alone."));
    if (given->size() > value_bytes_max) return fail(invalid(at, fmt::format("here it has up to {} bytes.", value_bytes_max)));
    if (binary && !codec::decode_base64(*given)) return fail(invalid(at, "its BinaryValue isn't base64."));
    if (number && !is_number(*given)) return fail(invalid(at, "its StringValue isn't a number."));
    if (!is_message_text(*given)) return fail(invalid(at, "it has characters that XML can't carry."));
    return {};
}

bool is_wanted(std::string_view name, std::vector<std::string> const& wanted) {
    return std::ranges::any_of(wanted, [&](std::string_view want) {
        if (want == "All" || want == ".*") return true;
        return want.ends_with(".*") ? name.starts_with(want.substr(0, want.size() - 2)) : name == want;
    });
}

}  // namespace

std::string md5_hex(std::string_view bytes) { return digest_hex(EVP_md5(), bytes); }
std::string sha256_hex(std::string_view bytes) { return digest_hex(EVP_sha256(), bytes); }

std::string md5_of(AttributeValues const& attributes) {
    std::string all;
    for (auto const& [name, value] : attributes) {
        append_sized(all, name), append_sized(all, *value.DataType);
        all += char(is_binary(value) ? 2 : 1);
        append_sized(all, is_binary(value) ? *codec::decode_base64(*value.BinaryValue) : *value.StringValue);
    }
    return md5_hex(all);
}

Result<Headers> headers_of(AttributeValues const& attributes, AttributeValues const& system) {
    if (attributes.size() > attributes_max)
        return fail(invalid("MessageAttributes", fmt::format("a message has up to {} attributes.", attributes_max)));
    Headers out;
    Types types;
    for (auto const& [name, value] : attributes) {
        TRY_VOID(check(name, value));
        if (name == types_header || name == trace_name) return fail(invalid("MessageAttributes." + name, "this name is taken here."));
        out[name] = Str(is_binary(value) ? *value.BinaryValue : *value.StringValue);
        if (*value.DataType != text_type) types[name] = *value.DataType;
    }
    for (auto const& [name, value] : system) {
        TRY_VOID(check(name, value));
        if (name != trace) return fail(invalid("MessageSystemAttributes." + name, "there is AWSTraceHeader alone."));
        if (*value.DataType != text_type) return fail(invalid("MessageSystemAttributes." + name, "it is a String."));
        out[std::string(trace_name)] = Str(*value.StringValue);
    }
    if (types.empty()) return out;
    auto const text = codec::to_json(types);
    if (text.size() > value_bytes_max) return fail(invalid("MessageAttributes", "their names and types are too long together."));
    out[std::string(types_header)] = Str(text);
    return out;
}

AttributeValues attributes_of(Headers const& headers, std::vector<std::string> const& wanted) {
    AttributeValues out;
    if (wanted.empty()) return out;
    Types types;
    if (auto const found = headers.find(std::string(types_header)); found != headers.end())
        if (auto read = codec::from_json<Types>(found->second.view())) types = std::move(*read);
    for (auto const& [name, value] : headers) {
        if (name == types_header || name == trace_name || !is_wanted(name, wanted)) continue;
        AttributeValue attribute;
        auto const typed = types.find(name);
        attribute.DataType = typed == types.end() ? std::string(text_type) : typed->second;
        (is_binary(attribute) ? attribute.BinaryValue : attribute.StringValue) = value.str();
        // What others put may be anything.
        if (check(name, attribute)) out.emplace(name, std::move(attribute));
    }
    return out;
}

std::optional<std::string> trace_header(Headers const& headers) {
    auto const found = headers.find(std::string(trace_name));
    return found == headers.end() ? std::nullopt : std::optional(found->second.str());
}

std::vector<Out> shown(AttributeValues const& attributes) {
    std::vector<Out> out;
    for (auto const& [name, value] : attributes)
        out.push_back(object(name, {is_binary(value) ? text("BinaryValue", *value.BinaryValue) : text("StringValue", *value.StringValue),
                                    text("DataType", *value.DataType)}));
    return out;
}

}  // namespace gantry::queue::sqs
