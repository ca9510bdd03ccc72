#include "kernel/runtime/reports.h"

#include "kernel/base/record.h"
#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

struct FailureReport {
    std::string id, version;
    Time at;
    std::string service, route, request_id, caller;
    int status = 500;
    std::string code, detail, cause, position;
    std::optional<codec::RawJson> input;
    std::vector<std::string> masked;
};
RECORD(FailureReport, id, version, at, service, route, request_id, caller, status, code, detail, cause, position, input, masked);

struct Masked {
    std::vector<std::string> pointers, texts;
};

void mask_into(codec::Type const& type, void* value, std::string const& pointer, Masked& out) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case codec::Kind::secret:
        case codec::Kind::personal:
            out.texts.push_back(codec::encode_scalar(type.element(), ops.inner(value)));
            ops.destroy(value), ops.construct(value);
            return out.pointers.push_back(pointer);
        case codec::Kind::optional:
            if (ops.has(value)) mask_into(type.element(), const_cast<void*>(ops.inner(value)), pointer, out);
            return;
        case codec::Kind::list:
            for (std::size_t i = 0; i < ops.size(value); ++i)
                mask_into(type.element(), const_cast<void*>(ops.at(value, i)), pointer + '/' + std::to_string(i), out);
            return;
        case codec::Kind::map: {
            struct Context {
                codec::Type const& element;
                std::string const& pointer;
                Masked& out;
            } context{type.element(), pointer, out};
            return ops.each(value, &context, [](void* p, std::string_view key, void const* item) {
                auto& c = *static_cast<Context*>(p);
                mask_into(c.element, const_cast<void*>(item), c.pointer + '/' + std::string(key), c.out);
            });
        }
        case codec::Kind::record:
            for (auto const& field : type.fields)
                mask_into(field.type(), static_cast<char*>(value) + field.offset, pointer + '/' + std::string(field.name), out);
            return;
        case codec::Kind::variant:
            return mask_into(type.alternatives[ops.index(value)].type(), const_cast<void*>(ops.inner(value)), pointer, out);
        default: return;
    }
}

// What failed may have quoted what it was given.
void remove_texts(std::string& from, std::vector<std::string> const& texts) {
    constexpr std::string_view instead = "[masked]";
    for (auto const& text : texts)
        for (auto at = from.find(text); text.size() >= 3 && at != from.npos; at = from.find(text, at + instead.size()))
            from.replace(at, text.size(), instead);
}

}  // namespace

std::vector<std::string> mask(codec::Type const& type, void* value) {
    Masked out;
    mask_into(type, value, "", out);
    return std::move(out.pointers);
}

Reports::Reports(log::Disk& disk, std::string directory, Clock& clock, Random& random, std::string version, Background background)
    : disk_(disk),
      directory_(std::move(directory)),
      clock_(clock),
      random_(random),
      version_(std::move(version)),
      background_(std::move(background)) {}

std::optional<std::string> Reports::find(std::string_view id) const {
    auto const plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_'; };
    if (directory_.empty() || !std::ranges::all_of(id, plain)) return {};
    auto text = log::read_file(disk_, directory_ + "/" + std::string(id) + ".json");
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

std::string Reports::add(Failure const& failure) {
    auto const now = clock_.wall();
    auto id = fresh_id("oops_", now.us, random_);
    Masked masked;
    if (failure.input) mask_into(*failure.input_type, failure.input, "", masked);
    Problem problem = *failure.problem;
    remove_texts(problem.detail, masked.texts), remove_texts(problem.cause, masked.texts);
    std::string route(failure.route ? failure.route->verb : std::string_view());
    if (failure.route) route.append(" ").append(failure.route->path);
    observe::log_line(observe::Level::error, "runtime", "a request failed",
                      {{"oops_id", id},
                       {"service", failure.service},
                       {"route", route},
                       {"request_id", failure.request_id},
                       {"code", problem.code},
                       {"cause", problem.cause},
                       {"position", failure.position}});
    if (directory_.empty() || !within_rate()) return id;
    FailureReport report{.id = id,
                         .version = version_,
                         .at = now,
                         .service = std::string(failure.service),
                         .route = route,
                         .request_id = std::string(failure.request_id),
                         .caller = std::string(failure.caller),
                         .status = problem.status,
                         .code = problem.code,
                         .detail = problem.detail,
                         .cause = problem.cause,
                         .position = failure.position};
    if (failure.input) {
        report.masked = std::move(masked.pointers);
        std::string json;
        codec::encode_json(*failure.input_type, failure.input, json);
        report.input.emplace();
        codec::type_of<codec::RawJson>().ops.set(&*report.input, json);
    }
    background_([this, id, json = codec::to_json(report)] { write(id, json); });
    return id;
}

bool Reports::within_rate() {
    auto const minute = clock_.wall().us / 60'000'000;
    if (minute_.exchange(minute) != minute) in_minute_ = 0;
    return in_minute_.fetch_add(1) < a_minute_max;
}

void Reports::write(std::string const& id, std::string const& json) {
    auto tell = [&](Problem const& why) {
        observe::log_line(observe::Level::error, "runtime", "a report can't be kept", {{"oops_id", id}, {"cause", why.cause}});
    };
    if (auto made = disk_.make_directories(directory_); !made) return tell(made.error());
    if (auto written = log::write_file_durably(disk_, directory_ + "/" + id + ".json", json + "\n"); !written) return tell(written.error());
    auto names = disk_.list(directory_);  // sorted, and an id begins with its time
    for (std::size_t i = 0; names && i + files_max < names->size(); ++i)
        if (auto removed = disk_.remove(directory_ + "/" + (*names)[i]); !removed) return tell(removed.error());
}

}  // namespace gantry::runtime
