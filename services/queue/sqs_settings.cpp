#include "services/queue/sqs_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gantry::queue::sqs {
namespace {

constexpr std::int64_t visibility_ms = 30'000, attempts_max = 10'000;
constexpr std::size_t label_chars_max = 128;

std::unexpected<Problem> bad(std::string_view name, std::string_view why) {
    return fail(400, "sqs_attribute_invalid", fmt::format("Invalid value for the parameter {}. {}", name, why));
}
Result<std::int64_t> number_in(std::string_view name, std::string_view value, std::int64_t min, std::int64_t max) {
    std::int64_t n = 0;
    auto const [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error == std::errc() && end == value.data() + value.size() && n >= min && n <= max) return n;
    return bad(name, fmt::format("Here it is a number from {} to {}.", min, max));
}
Result<bool> flag_of(std::string_view name, std::string_view value) {
    if (value == "true" || value == "false") return value == "true";
    return bad(name, "It is true or false.");
}

// What a redrive policy says; the count comes as a number or as a text.
struct Redrive {
    std::string deadLetterTargetArn;
    codec::RawJson maxReceiveCount;
};
RECORD(Redrive, deadLetterTargetArn, maxReceiveCount);

struct Setting {
    State const& s;
    std::string_view queue, name, value;
    QueueSettings& settings;
};
Result<void> set_visibility(Setting const& to) {
    TRY_ASSIGN(auto const seconds, number_in(to.name, to.value, 1, lease_s_limit));
    to.settings.lease_ms = seconds * 1000;
    return {};
}
Result<void> set_delay(Setting const& to) {
    TRY_ASSIGN(auto const seconds, number_in(to.name, to.value, 0, Millis::max / 1000));
    to.settings.delay_ms = seconds * 1000;
    return {};
}
Result<void> set_wait(Setting const& to) {
    TRY_ASSIGN(auto const seconds, number_in(to.name, to.value, 0, 3'600));
    to.settings.wait_ms = seconds * 1000;
    return {};
}
Result<void> set_size(Setting const& to) {
    TRY_ASSIGN(auto const bytes, number_in(to.name, to.value, 1, payload_bytes_limit));
    to.settings.payload_bytes_max = bytes;
    return {};
}
Result<void> set_retention(Setting const& to) {
    TRY_ASSIGN(auto const seconds, number_in(to.name, to.value, 1, Millis::max / 1000));
    to.settings.keep_ms = seconds * 1000;
    return {};
}
Result<void> set_redrive(Setting const& to) {
    to.settings.dead_letters_to = {}, to.settings.attempts_max = 0;
    if (to.value.empty()) return {};
    auto const policy = codec::from_json<Redrive>(to.value);
    if (!policy) return bad(to.name, "It is {\"deadLetterTargetArn\":…,\"maxReceiveCount\":…}.");
    std::string_view count = policy->maxReceiveCount.text;
    if (count.size() > 2 && count.front() == '"') count = count.substr(1, count.size() - 2);
    TRY_ASSIGN(auto const receives, number_in("maxReceiveCount", count, 1, attempts_max));
    TRY_ASSIGN(auto const target, queue_of_arn("deadLetterTargetArn", policy->deadLetterTargetArn));
    if (!is_queue_name(target) || !to.s.queue(target)) return bad(to.name, "The dead letter target does not exist.");
    if (target == to.queue || is_fifo(target) != is_fifo(to.queue))
        return bad(to.name, "The dead letter target is another queue, a FIFO queue of a FIFO queue alone.");
    to.settings.attempts_max = receives, to.settings.dead_letters_to = Str(target);
    return {};
}
Result<void> set_content_based(Setting const& to) {
    TRY_ASSIGN(auto const on, flag_of(to.name, to.value));
    if (on && !is_fifo(to.queue)) return bad(to.name, "It is for FIFO queues.");
    to.settings.unique_by_content = on;
    return {};
}
// They say what is so anyhow.
Result<void> check_fifo(Setting const& to) {
    TRY_ASSIGN(auto const on, flag_of(to.name, to.value));
    if (on != is_fifo(to.queue)) return bad(to.name, "A queue is a FIFO queue if its name ends with .fifo.");
    return {};
}
Result<void> check_scope(Setting const& to) {
    auto const is = to.name == "DeduplicationScope" ? "queue" : to.name == "FifoThroughputLimit" ? "perQueue" : "false";
    if (to.value == is) return {};
    return fail(400, "sqs_unsupported", fmt::format("{} is {} here", to.name, is));
}
Result<void> refuse(Setting const& to) {
    if (to.value.empty()) return {};
    return fail(400, "sqs_unsupported", fmt::format("{} isn't there: who may do what is said by the scopes of callers", to.name));
}

struct Attribute {
    std::string_view name;
    Result<void> (*set)(Setting const&);  // null: nobody sets it
    // Empty: it isn't said of this queue. Null: it never is.
    std::string (*get)(QueueRow const&, Call const&);
};
std::string count(std::uint64_t n) { return std::to_string(n); }
std::string seconds(std::int64_t ms) { return std::to_string(ms / 1000); }

constexpr Attribute attributes[] = {
    {"VisibilityTimeout", &set_visibility, [](QueueRow const& q, Call const&) { return seconds(q.settings.lease_ms); }},
    {"DelaySeconds", &set_delay, [](QueueRow const& q, Call const&) { return seconds(q.settings.delay_ms); }},
    {"ReceiveMessageWaitTimeSeconds", &set_wait, [](QueueRow const& q, Call const&) { return seconds(q.settings.wait_ms); }},
    {"MaximumMessageSize", &set_size,
     [](QueueRow const& q, Call const&) { return count(std::uint64_t(q.settings.payload_bytes_max.value)); }},
    {"MessageRetentionPeriod", &set_retention,
     [](QueueRow const& q, Call const&) { return q.settings.keep_ms > 0 ? seconds(q.settings.keep_ms) : std::string(); }},
    {"RedrivePolicy", &set_redrive,
     [](QueueRow const& q, Call const& call) {
         if (q.settings.dead_letters_to.empty()) return std::string();
         return fmt::format(R"({{"deadLetterTargetArn":"{}","maxReceiveCount":{}}})", arn_of(call, q.settings.dead_letters_to),
                            q.settings.attempts_max.value);
     }},
    {"ContentBasedDeduplication", &set_content_based,
     [](QueueRow const& q, Call const&) {
         return std::string(!is_fifo(q.name) ? "" : q.settings.unique_by_content ? "true" : "false");
     }},
    {"FifoQueue", &check_fifo, [](QueueRow const& q, Call const&) { return std::string(is_fifo(q.name) ? "true" : ""); }},
    {"DeduplicationScope", &check_scope, [](QueueRow const& q, Call const&) { return std::string(is_fifo(q.name) ? "queue" : ""); }},
    {"FifoThroughputLimit", &check_scope, [](QueueRow const& q, Call const&) { return std::string(is_fifo(q.name) ? "perQueue" : ""); }},
    {"SqsManagedSseEnabled", &check_scope, [](QueueRow const&, Call const&) { return std::string("false"); }},
    {"Policy", &refuse, nullptr},
    {"RedriveAllowPolicy", &refuse, nullptr},
    {"KmsMasterKeyId", &refuse, nullptr},
    {"KmsDataKeyReusePeriodSeconds", &refuse, nullptr},
    {"ApproximateNumberOfMessages", nullptr,
     [](QueueRow const& q, Call const&) { return count(q.count(TaskState::ready) + q.count(TaskState::behind)); }},
    {"ApproximateNumberOfMessagesNotVisible", nullptr, [](QueueRow const& q, Call const&) { return count(q.count(TaskState::leased)); }},
    {"ApproximateNumberOfMessagesDelayed", nullptr, [](QueueRow const& q, Call const&) { return count(q.count(TaskState::delayed)); }},
    {"CreatedTimestamp", nullptr, [](QueueRow const& q, Call const&) { return std::to_string(q.made_at.us / 1'000'000); }},
    {"LastModifiedTimestamp", nullptr, nullptr},
    {"QueueArn", nullptr, [](QueueRow const& q, Call const& call) { return arn_of(call, q.name); }},
};
Attribute const* attribute_named(std::string_view name) {
    auto const found = std::ranges::find(attributes, name, &Attribute::name);
    return found == std::end(attributes) ? nullptr : found;
}
std::unexpected<Problem> unknown(std::string_view name) {
    return fail(400, "sqs_attribute_unknown", fmt::format("Unknown Attribute {}.", name.substr(0, 100)));
}

}  // namespace

QueueSettings new_settings() {
    QueueSettings out;
    out.lease_ms = visibility_ms, out.attempts_max = 0;
    return out;
}

Result<void> set_attributes(State const& s, std::string_view queue, std::map<std::string, std::string> const& given,
                            QueueSettings& settings) {
    for (auto const& [name, value] : given) {
        auto const* attribute = attribute_named(name);
        if (!attribute || !attribute->set) return unknown(name);
        TRY_VOID(attribute->set({s, queue, name, value, settings}));
    }
    return {};
}

Result<std::vector<Out>> shown_attributes(QueueRow const& queue, Call const& call) {
    auto const& wanted = call.in.AttributeNames;
    bool const all = std::ranges::find(wanted, "All") != wanted.end();
    for (auto const& name : wanted)
        if (name != "All" && !attribute_named(name)) return unknown(name);
    std::vector<Out> out;
    for (auto const& attribute : attributes) {
        if (!attribute.get || (!all && std::ranges::find(wanted, attribute.name) == wanted.end())) continue;
        if (auto const value = attribute.get(queue, call); !value.empty()) out.push_back(text(attribute.name, value));
    }
    return out;
}

Result<void> set_labels(std::map<std::string, std::string> const& tags, QueueSettings& settings) {
    for (auto const& [name, value] : tags) {
        auto const fits = [](std::string const& text, std::size_t max) { return text.size() <= max && is_message_text(text); };
        if (name.empty() || !fits(name, label_chars_max) || !fits(value, 2 * label_chars_max))
            return fail(invalid("Tags", "a key has 1 to 128 characters, a value up to 256."));
        settings.labels[name] = Str(value);
    }
    if (settings.labels.size() > labels_max) return fail(invalid("Tags", fmt::format("a queue has up to {} tags.", labels_max)));
    return {};
}

}  // namespace gantry::queue::sqs
