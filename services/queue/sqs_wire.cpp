#include "services/queue/sqs_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gantry::queue::sqs {
namespace {

constexpr std::string_view target_prefix = "AmazonSQS.", json_type = "application/x-amz-json-1.0", xml_type = "text/xml",
                           name_space = "http://queue.amazonaws.com/doc/2012-11-05/";
constexpr std::size_t parameters_max = 2000;

std::unexpected<Problem> malformed(std::string detail) { return fail(400, "sqs_request_malformed", std::move(detail)); }
std::unexpected<Problem> invalid(std::string_view name, std::string_view why) {
    return fail(400, "sqs_parameter_invalid", fmt::format("Value for parameter {} is invalid. Reason: {}", name, why));
}
bool is_json(std::string_view content_type) { return content_type.starts_with("application/x-amz-json"); }

// --- query ---------------------------------------------------------------------------------------------------------------------------

// The names of a form, cut at their dots: "Attribute.1.Name". Children that are numbers come in their order.
struct Tree {
    struct Less {
        bool operator()(std::string const& a, std::string const& b) const { return std::pair(a.size(), a) < std::pair(b.size(), b); }
    };
    std::optional<std::string> value;
    std::map<std::string, Tree, Less> children;
};

Tree* place(Tree& root, std::string_view name) {
    Tree* at = &root;
    for (int depth = 0; depth < 8; ++depth) {
        auto const dot = std::min(name.find('.'), name.size());
        at = &at->children[std::string(name.substr(0, dot))];
        if (dot == name.size()) return at;
        name.remove_prefix(dot + 1);
    }
    return nullptr;
}

Result<Tree> tree_of(std::string_view form) {
    auto const parts = ForeignRequest::parse_form(form);
    if (!parts) return malformed("the form has a broken escape");
    if (parts->size() > parameters_max) return malformed(fmt::format("more than {} parameters", parameters_max));
    Tree root;
    for (auto const& [name, value] : *parts) {
        if (!codec::scan_utf8(name).valid() || !codec::scan_utf8(value).valid()) return malformed("the form isn't UTF-8");
        auto* at = place(root, name);
        if (!at || at->value) return malformed(fmt::format("the parameter {} is nested too deep, or there twice", name));
        at->value = value;
    }
    return root;
}

// Takes what is known, by its names in the query; what is left in the end is unknown.
class Reader {
   public:
    explicit Reader(Tree& tree) : tree_(tree) {}

    void take(std::string const& name, std::optional<std::string>& out) {
        if (auto node = cut(name)) out = node->value.value_or("");
    }
    void take(std::string const& name, std::string& out) {
        if (auto node = cut(name)) out = node->value.value_or("");
    }
    void take(std::string const& name, std::optional<std::int64_t>& out) {
        auto const node = cut(name);
        if (!node) return;
        auto const& text = node->value.value_or("");
        std::int64_t n = 0;
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
        if (error != std::errc() || end != text.data() + text.size() || text.empty())
            wrong_ = name;
        else
            out = n;
    }
    void take(std::string const& name, std::vector<std::string>& out) {
        if (auto node = cut(name))
            for (auto& [number, item] : node->children) out.push_back(item.value.value_or(""));
    }
    void take(std::string const& name, std::map<std::string, std::string>& out, std::string const& key) {
        auto node = cut(name);
        if (!node) return;
        for (auto& [number, item] : node->children) out[item.children[key].value.value_or("")] = item.children["Value"].value.value_or("");
    }
    void take(std::string const& name, AttributeValues& out) {
        auto node = cut(name);
        if (!node) return;
        for (auto& [number, item] : node->children) {
            Reader value(item.children["Value"]);
            auto& to = out[item.children["Name"].value.value_or("")];
            value.take("DataType", to.DataType), value.take("StringValue", to.StringValue), value.take("BinaryValue", to.BinaryValue);
            note(value, name);
        }
    }
    void take(std::string const& name, std::vector<Entry>& out) {
        auto node = cut(name);
        if (!node) return;
        for (auto& [number, item] : node->children) {
            Reader entry(item);
            auto& to = out.emplace_back();
            entry.take("Id", to.Id), entry.take("MessageBody", to.MessageBody), entry.take("MessageGroupId", to.MessageGroupId);
            entry.take("MessageDeduplicationId", to.MessageDeduplicationId), entry.take("ReceiptHandle", to.ReceiptHandle);
            entry.take("DelaySeconds", to.DelaySeconds), entry.take("VisibilityTimeout", to.VisibilityTimeout);
            entry.take("MessageAttribute", to.MessageAttributes), entry.take("MessageSystemAttribute", to.MessageSystemAttributes);
            note(entry, name);
        }
    }
    void skip(std::string const& name) { tree_.children.erase(name); }
    void skip_empty(std::string const& name) {
        auto const found = tree_.children.find(name);
        if (found != tree_.children.end() && found->second.value == "") tree_.children.erase(found);
    }
    Result<void> end() const {
        if (!wrong_.empty()) return invalid(wrong_, "Must be an integer.");
        if (!tree_.children.empty()) return invalid(tree_.children.begin()->first, "There is no such parameter.");
        return {};
    }

   private:
    std::optional<Tree> cut(std::string const& name) {
        auto const found = tree_.children.extract(name);
        return found ? std::optional(std::move(found.mapped())) : std::nullopt;
    }
    void note(Reader const& inner, std::string const& name) {
        if (!inner.wrong_.empty()) wrong_ = name + "." + inner.wrong_;
        for (auto const& [left, tree] : inner.tree_.children) tree_.children[name + "." + left] = {};
    }
    Tree& tree_;
    std::string wrong_;
};

Result<Input> input_of_form(std::string_view form) {
    TRY_ASSIGN(auto tree, tree_of(form));
    Input in;
    Reader r(tree);
    for (auto const* name : {"Action", "Version", "AWSAccessKeyId", "Timestamp"}) r.skip(name);
    // So botocore says an empty list.
    for (auto const* name : {"Entries", "AttributeNames", "MessageAttributeNames", "MessageSystemAttributeNames", "TagKeys"})
        r.skip_empty(name);
    r.take("QueueUrl", in.QueueUrl), r.take("QueueName", in.QueueName), r.take("QueueNamePrefix", in.QueueNamePrefix);
    r.take("QueueOwnerAWSAccountId", in.QueueOwnerAWSAccountId), r.take("NextToken", in.NextToken), r.take("MessageBody", in.MessageBody);
    r.take("MessageGroupId", in.MessageGroupId), r.take("MessageDeduplicationId", in.MessageDeduplicationId);
    r.take("ReceiptHandle", in.ReceiptHandle), r.take("ReceiveRequestAttemptId", in.ReceiveRequestAttemptId);
    r.take("SourceArn", in.SourceArn), r.take("DestinationArn", in.DestinationArn), r.take("TaskHandle", in.TaskHandle);
    r.take("DelaySeconds", in.DelaySeconds), r.take("VisibilityTimeout", in.VisibilityTimeout);
    r.take("MaxNumberOfMessages", in.MaxNumberOfMessages), r.take("WaitTimeSeconds", in.WaitTimeSeconds);
    r.take("MaxResults", in.MaxResults), r.take("MaxNumberOfMessagesPerSecond", in.MaxNumberOfMessagesPerSecond);
    r.take("AttributeName", in.AttributeNames), r.take("MessageAttributeName", in.MessageAttributeNames);
    r.take("MessageSystemAttributeName", in.MessageSystemAttributeNames), r.take("TagKey", in.TagKeys);
    r.take("Attribute", in.Attributes, "Name"), r.take("Tag", in.Tags, "Key");
    r.take("MessageAttribute", in.MessageAttributes), r.take("MessageSystemAttribute", in.MessageSystemAttributes);
    for (auto const* name : {"SendMessageBatchRequestEntry", "DeleteMessageBatchRequestEntry", "ChangeMessageVisibilityBatchRequestEntry"})
        r.take(name, in.Entries);
    TRY_VOID(r.end());
    return in;
}

Result<Input> input_of_json(std::string_view body) {
    auto in = codec::from_json<Input>(body.empty() ? "{}" : body);
    if (in) return in;
    auto const& problem = in.error();
    return malformed(problem.faults.empty() ? problem.detail : problem.faults[0].pointer + ": " + problem.faults[0].detail);
}

// "Action=SendMessage" of a form, wherever it stands.
std::string_view action_of_form(std::string_view form) {
    constexpr std::string_view word = "Action=";
    for (std::size_t at = 0; (at = form.find(word, at)) != form.npos; at += word.size()) {
        if (at > 0 && form[at - 1] != '&') continue;
        auto const rest = form.substr(at + word.size());
        return rest.substr(0, rest.find('&'));
    }
    return {};
}

// "…Credential=KEY/20260102/eu-west-1/sqs/aws4_request…"
std::string region_of(std::string_view authorization) {
    auto const at = authorization.find("Credential=");
    if (at == authorization.npos) return std::string(region_default);
    auto rest = authorization.substr(at);
    rest = rest.substr(0, rest.find(','));
    for (int slash = 0; slash < 2; ++slash) rest.remove_prefix(std::min(rest.find('/'), rest.size() - 1) + 1);
    auto const region = rest.substr(0, rest.find('/'));
    bool const plain = !region.empty() && region.size() <= 40 &&
                       std::ranges::all_of(region, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
    return std::string(plain ? region : region_default);
}

// --- answers -------------------------------------------------------------------------------------------------------------------------

void escape(std::string_view text, std::string& out) {
    for (char c : text) switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\r': out += "&#xD;"; break;
            default: out += c;
        }
}
void element(std::string_view name, std::string_view text, std::string& out) {
    out.append("<").append(name).append(">");
    escape(text, out);
    out.append("</").append(name).append(">");
}
bool is_leaf(Out const& node) { return node.kind == Out::Kind::text || node.kind == Out::Kind::number || node.kind == Out::Kind::flag; }

void append_xml(Out const& node, std::string_view name, std::string& out) {
    if (is_leaf(node)) return element(name, node.text, out);
    if (node.kind == Out::Kind::list) {
        for (auto const& item : node.all) append_xml(item, node.element, out);
        return;
    }
    if (node.kind == Out::Kind::map) {
        for (auto const& entry : node.all) {
            out.append("<").append(node.element).append(">");
            element(node.entry.first, entry.name, out);
            append_xml(entry, node.entry.second, out);
            out.append("</").append(node.element).append(">");
        }
        return;
    }
    out.append("<").append(name).append(">");
    for (auto const& member : node.all) append_xml(member, member.name, out);
    out.append("</").append(name).append(">");
}

void append_json(Out const& node, std::string& out) {
    if (node.kind == Out::Kind::text) return codec::append_json_string(out, node.text);
    if (is_leaf(node)) return void(out += node.text);
    bool const is_list = node.kind == Out::Kind::list;
    out += is_list ? '[' : '{';
    for (auto const& item : node.all) {
        if (&item != &node.all.front()) out += ',';
        if (!is_list) codec::append_json_string(out, item.name), out += ':';
        append_json(item, out);
    }
    out += is_list ? ']' : '}';
}

}  // namespace

std::string_view action_of(ForeignRequest const& request) {
    auto const target = request.header("X-Amz-Target");
    if (target.starts_with(target_prefix)) return target.substr(target_prefix.size());
    return action_of_form(request.body);
}

Result<Call> parse(ForeignRequest const& request) {
    Call out;
    out.action = action_of(request), out.json = is_json(request.header("Content-Type"));
    if (out.json && request.header("X-Amz-Target").empty()) return malformed("X-Amz-Target: expected AmazonSQS.<action>");
    TRY_ASSIGN(out.in, out.json ? input_of_json(request.body) : input_of_form(request.body));
    constexpr std::string_view below = "/queue/sqs";
    out.origin.append(request.scheme).append("://").append(request.host).append(request.path.starts_with(below) ? below : "");
    out.queue_of_path = request.field("queue"), out.region = region_of(request.header("Authorization")), out.client = request.client;
    return out;
}

Out text(std::string_view name, std::string_view value) { return {Out::Kind::text, std::string(name), std::string(value), {}, {}}; }
Out number(std::string_view name, std::int64_t value) { return {Out::Kind::number, std::string(name), std::to_string(value), {}, {}}; }
Out flag(std::string_view name, bool value) { return {Out::Kind::flag, std::string(name), value ? "true" : "false", {}, {}}; }
Out object(std::string_view name, std::vector<Out> members) { return {Out::Kind::object, std::string(name), {}, std::move(members), {}}; }
Out list(std::string_view name, std::string_view element, std::vector<Out> items) {
    return {Out::Kind::list, std::string(name), {}, std::move(items), std::string(element)};
}
Out map(std::string_view name, std::string_view element, std::vector<Out> entries) {
    return {Out::Kind::map, std::string(name), {}, std::move(entries), std::string(element)};
}

ForeignReply answer(bool json, std::string_view action, std::vector<Out> const& members) {
    ForeignReply out{.content_type = std::string(json ? json_type : xml_type)};
    if (json) {
        append_json(object({}, members), out.body);
        return out;
    }
    out.body = fmt::format(R"(<?xml version="1.0"?><{}Response xmlns="{}">)", action, name_space);
    append_xml(object({}, members), std::string(action) + "Result", out.body);
    out.body += fmt::format("</{}Response>", action);
    return out;
}

ForeignReply refused(Problem const& problem, std::string_view content_type) {
    auto const name = named(problem);
    auto const& detail = problem.detail.empty() ? problem.code : problem.detail;
    std::string_view const whose = name.status < 500 ? "Sender" : "Receiver";
    ForeignReply out{.status = name.status};
    if (is_json(content_type)) {
        out.content_type = json_type;
        append_json(object({}, {text("__type", fmt::format("com.amazonaws.sqs#{}", name.type)), text("message", detail)}), out.body);
        out.headers.push_back({"x-amzn-query-error", fmt::format("{};{}", name.code, whose)});
        return out;
    }
    out.content_type = xml_type;
    out.body = fmt::format(R"(<?xml version="1.0"?><ErrorResponse xmlns="{}">)", name_space);
    append_xml(object({}, {text("Type", whose), text("Code", name.code), text("Message", detail), text("Detail", "")}), "Error", out.body);
    out.body += "</ErrorResponse>";
    return out;
}

bool is_message_text(std::string_view text) {
    bool const controls = std::ranges::any_of(text, [](char c) { return std::uint8_t(c) < 0x20 && c != '\t' && c != '\n' && c != '\r'; });
    // U+FFFE and U+FFFF, which are no characters of XML.
    bool const nothing = text.contains("\xef\xbf\xbe") || text.contains("\xef\xbf\xbf");
    return !controls && !nothing && codec::scan_utf8(text).valid();
}

}  // namespace gantry::queue::sqs
