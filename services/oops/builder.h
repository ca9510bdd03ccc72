#pragma once
#include "services/oops/report.h"
#include "services/oops/secrets.h"

// How readers fill a Report: texts made fit (UTF-8, no NUL, not too long), lists bounded, secrets hidden, all of it counted.
namespace gantry::oops {

struct ReadOptions {
    Time received_at;
    std::string peer_ip;  // for clients that ask for it ("{{auto}}")
    ReportLimits limits = {};
    SecretRules secrets = {};
};

// `text` with what isn't UTF-8, and U+0000, as U+FFFD, cut after `chars_max` characters. The answer points into `text` or into `room`.
struct Fitted {
    std::string_view text;
    std::uint64_t left_out = 0;  // characters
};
Fitted fit_text(std::string_view text, std::size_t chars_max, std::string& room);

class Builder {
   public:
    Builder(Report& report, ReadOptions const& options) : report_(report), options_(options) {}

    // `at` is the field's name for `Report::cut`.
    template <std::size_t Max>
    void text(Text<0, Max>& out, std::string_view value, std::string_view at) {
        auto const fitted = fit_text(value, Max, room_);
        if (fitted.left_out) [[unlikely]]
            cut(at, fitted.left_out, CutUnit::characters);
        out = fitted.text;
    }
    // A text in which secrets may stand.
    template <std::size_t Max>
    void shown(Text<0, Max>& out, std::string_view value, std::string_view at) {
        auto const count = hide_in_text(value, without_, options_.secrets);
        report_.hidden += std::uint32_t(count);
        text(out, count ? std::string_view(without_) : value, at);
    }
    // The value of a name that may tell of a secret.
    template <std::size_t Max>
    void named(Text<0, Max>& out, std::string_view name, std::string_view value, std::string_view at) {
        if (value.empty() || value == hidden_text || !names_a_secret(name, options_.secrets)) return shown(out, value, at);
        out = hidden_text, ++report_.hidden;
    }
    // Adds to a list unless it is full; what isn't added is counted.
    template <class T>
    T* add(std::vector<T>& list, std::size_t items_max, std::string_view at) {
        if (list.size() < items_max) return &list.emplace_back();
        return cut(at, 1, CutUnit::items), nullptr;
    }
    void add_tag(std::string_view key, std::string_view value);
    // A variable of the request. Addresses and names of people go to `user`.
    void add_variable(std::string_view name, std::string_view value);
    void add_named(std::vector<Named>& list, std::string_view name, std::string_view value, std::size_t items_max, std::string_view at);
    // Any JSON without its secrets; larger than the limit: nothing, and counted.
    void raw(std::optional<codec::RawJson>& out, codec::JsonValue value, std::string_view at);
    // A member of `extra`; empty text where it has no room.
    void add_extra(std::string_view name, codec::JsonValue value);
    void add_extra(std::string_view name, std::string_view json);
    ReportUser& user();
    void cut(std::string_view at, std::uint64_t left_out, CutUnit unit);
    // Ends `extra`; to be called last.
    void finish();

    Report& report() { return report_; }
    ReadOptions const& options() const { return options_; }

   private:
    Report& report_;
    ReadOptions const& options_;
    std::string room_, without_, extra_;
};

// Which items of a long list are kept: the first `first` and the last `last`.
struct Kept {
    std::size_t first = 0, last = 0;
    bool keeps(std::size_t i, std::size_t count) const { return i < first || i + last >= count; }
    std::size_t left_out(std::size_t count) const { return count - std::min(count, first + last); }
};

// What names a user before a subject is made of it: id, mail, name, address, whichever is known first; or nothing.
std::string_view key_of(ReportUser const& user);

}  // namespace gantry::oops
