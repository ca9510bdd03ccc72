#include "kernel/text/index.h"

#include <fmt/format.h>
#include <xapian.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "kernel/base/assert.h"
#include "kernel/base/varint.h"
#include "kernel/text/reader_parts.h"
#include "kernel/text/terms.h"
#include "kernel/text/words.h"

namespace gantry::text {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t values_max = 1000;

// What Xapian names its files, those of its older format and those that a crash leaves behind included.
bool is_ours(std::string_view name) {
    static constexpr std::array<std::string_view, 5> names{"iamglass", "iamchert", "v.tmp", "flintlock", "iamglass.tmp"};
    static constexpr std::array<std::string_view, 5> endings{".glass", ".DB", ".baseA", ".baseB", ".tmp"};
    return std::ranges::find(names, name) != names.end() || std::ranges::any_of(endings, [&](auto end) { return name.ends_with(end); });
}

Problem problem_of(std::error_code const& error, std::string_view directory) {
    Problem problem{500, "text_failed", "the full-text index failed"};
    if (error == std::errc::no_space_on_device) problem = {507, "text_disk_full", "the full-text index can't grow: the disk is full"};
    if (error == std::errc::permission_denied || error == std::errc::read_only_file_system)
        problem = {500, "text_read_only", "the full-text index can't be written where it lies, or not be read"};
    problem.cause = fmt::format("{}: {}", directory, error.message());
    return problem;
}
std::unexpected<Problem> foreign(std::string_view directory, std::string_view what) {
    Problem problem{500, "text_foreign", "where the full-text index should be there is something else"};
    problem.cause = fmt::format("{}: {}", directory, what);
    return fail(std::move(problem));
}
std::unexpected<Problem> outdated(std::string_view directory, std::string_view what) {
    Problem problem{500, "text_outdated", "the full-text index was made by another release or schema: drop it, and it is made anew"};
    problem.cause = fmt::format("{}: {}", directory, what);
    return fail(std::move(problem));
}

enum class There { nothing, index, other };
Result<There> look_at(std::string const& directory) {
    std::error_code error;
    if (!fs::exists(directory, error)) return error ? Result<There>(fail(problem_of(error, directory))) : There::nothing;
    if (fs::exists(directory + "/iamglass", error)) return There::index;
    bool any = false, others = false;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
        any = true, others = others || !is_ours(at->path().filename().string());
    if (error) return fail(problem_of(error, directory));
    if (others) return There::other;
    return any ? There::index : There::nothing;
}

void check(Schema const& schema) {
    GANTRY_ASSERT(schema.texts.size() <= Schema::texts_max && schema.numbers.size() <= Schema::numbers_max, "a schema has few fields");
    auto names = schema.numbers;
    for (auto const& field : schema.texts) names.push_back(field.name);
    names.insert(names.end(), schema.exact.begin(), schema.exact.end());
    names.insert(names.end(), {"after", "before"});
    std::ranges::sort(names);
    GANTRY_ASSERT(std::ranges::adjacent_find(names) == names.end(), "the fields of a schema have different names");
}

std::size_t bytes_of(Document const& document) {
    std::size_t bytes = 64;
    for (auto const& [field, text] : document.texts) bytes += text.size();
    for (auto const& [field, value] : document.exact) bytes += field.size() + value.size() + 16;
    return bytes;
}

// What one document becomes; its buffers are used again for the next.
class Maker {
   public:
    Maker(Schema const& schema, Options const& options) : schema_(schema), options_(options) {}

    Index::Taken make(Document const& document, Xapian::Document& out) {
        left_ = options_.document_bytes_max, kept_.clear();
        GANTRY_ASSERT(document.key.size() <= Document::key_bytes_max, "a document's key is short");
        put_string(kept_, document.key);
        bool whole = values(document, out);
        std::vector<Xapian::termpos> positions(schema_.texts.size(), 1);
        for (auto const& [name, text] : document.texts) {
            auto const field = std::size_t(std::ranges::find(schema_.texts, name, &TextField::name) - schema_.texts.begin());
            GANTRY_ASSERT(field < schema_.texts.size(), "a document's text is of a field that its schema names");
            auto const taken = std::string_view(text).substr(0, left_);
            whole = whole && taken.size() == text.size(), left_ -= taken.size();
            words(field, taken, positions[field], out);
            keep(field, taken);
        }
        for (auto const& [name, number] : document.numbers) {
            auto const slot = std::size_t(std::ranges::find(schema_.numbers, name) - schema_.numbers.begin());
            GANTRY_ASSERT(slot < schema_.numbers.size(), "a document's number is of a field that its schema names");
            out.add_value(Xapian::valueno(slots_before_numbers + slot), Xapian::sortable_serialise(number));
        }
        out.add_value(slot_of_order, order_key(document.time, document.id));
        out.add_boolean_term(document.key.empty() ? id_term(document.id) : key_term(document.key));
        if (kept_.size() > 1) out.set_data(kept_);
        return whole ? Index::Taken::whole : Index::Taken::cut;
    }

   private:
    bool values(Document const& document, Xapian::Document& out) {
        std::size_t count = 0;
        for (auto const& [name, value] : document.exact) {
            if (++count > values_max || left_ < name.size() + value.size()) return false;
            left_ -= name.size() + value.size();
            out.add_boolean_term(value_term(name, fold_value(value)));
        }
        return true;
    }
    void words(std::size_t field, std::string_view text, Xapian::termpos& position, Xapian::Document& out) {
        bool const in_order = schema_.texts[field].phrases == Phrases::exact;
        auto add = [&](std::string_view word) {
            put_word(term_, field, word);
            if (in_order)
                out.add_posting(term_, position);
            else
                out.add_term(term_);
        };
        for (Words words(text); words.next(); ++position) {
            add(words.word());
            for (std::size_t i = 0; i < words.parts(); ++i) add(words.part(i));
        }
        position += 100;  // no phrase goes on from one text into the next
    }
    void keep(std::size_t field, std::string_view text) {
        auto const most = schema_.texts[field].kept_bytes;
        if (most == 0) return;
        put_varint(kept_, field);
        put_varint(kept_, text.size() > most ? 1 : 0);
        put_string(kept_, text.substr(0, most));
    }

    Schema const& schema_;
    Options const& options_;
    std::size_t left_ = 0;
    std::string term_, kept_;
};

}  // namespace

struct Index::Parts {
    Parts(std::string where, Schema s, Options o) : directory(std::move(where)), schema(std::move(s)), options(o), maker(schema, options) {}

    std::string directory;  // empty: in memory
    Schema schema;
    Options options;
    Xapian::WritableDatabase database;
    Maker maker;
    Upto upto;
    std::size_t documents = 0, bytes = 0;
    bool begun = false;
    std::uint64_t greatest_id = 0;  // of the documents that may be there; 0: none
    bool any = false;
    std::uint64_t greatest_before = 0;  // as it was at the last commit
    bool any_before = false;

    void begin() {
        if (begun || directory.empty()) return;
        database.begin_transaction(true);
        begun = true;
    }
    void note(std::uint64_t id) { greatest_id = any ? std::max(greatest_id, id) : id, any = true; }
    // Which id is the greatest is known by the order of their terms no more: it stands beside `upto`.
    void write_upto(Upto const& now) {
        auto bytes_now = encode_upto(now);
        put_fixed(bytes_now, greatest_id);
        bytes_now += any ? '\1' : '\0';
        database.set_metadata(upto_key, bytes_now);
    }
    void read_upto() {
        auto const stored = database.get_metadata(upto_key);
        upto = decode_upto(stored);
        ByteReader in(stored);
        in.bytes(16);
        greatest_id = in.fixed<std::uint64_t>(), any = in.bytes(1) != std::string_view("\0", 1);
        if (!in.ok()) greatest_id = 0, any = database.get_doccount() > 0;
        if (!in.ok() && any) greatest_id = ~std::uint64_t{0};
        greatest_before = greatest_id, any_before = any;
    }
    void mark_new() {
        database.set_metadata(format_key, std::string(format_now));
        database.set_metadata(schema_key, describe(schema));
        database.commit();
    }
    Result<void> check_marks() {
        auto const format = database.get_metadata(format_key), made_by = database.get_metadata(schema_key);
        if (format.empty() && database.get_doccount() == 0) return mark_new(), Result<void>{};  // a crash came between
        if (format.empty()) return foreign(directory, "a Xapian database of another program");
        if (format != format_now) return outdated(directory, "its format is " + format);
        if (made_by != describe(schema)) return outdated(directory, "its schema was\n" + made_by);
        return {};
    }
    // Xapian's exceptions end here.
    template <class F>
    auto guarded(F&& action) const -> decltype(action()) {
        try {
            return action();
        } catch (Xapian::Error const& error) {
            return fail(text::problem_of(error, directory));
        }
    }
};

Index::Index(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Index::Index(Index&&) noexcept = default;
Index::~Index() {
    if (parts_) abandon();
}

Result<Index> Index::open(std::string directory, Schema schema, Options options) {
    check(schema);
    TRY_ASSIGN(auto const there, look_at(directory));
    if (there == There::other) return foreign(directory, "files that are no index");
    std::error_code error;
    if (fs::create_directories(directory, error); error) return fail(problem_of(error, directory));
    auto parts = std::make_unique<Parts>(std::move(directory), std::move(schema), options);
    TRY_VOID(parts->guarded([&]() -> Result<void> {
        int const flags = there == There::nothing ? Xapian::DB_CREATE : Xapian::DB_OPEN;
        parts->database = Xapian::WritableDatabase(parts->directory, flags | Xapian::DB_BACKEND_GLASS);
        if (there == There::nothing)
            parts->mark_new();
        else
            TRY_VOID(parts->check_marks());
        return parts->read_upto(), Result<void>{};
    }));
    return Index(std::move(parts));
}

Result<Index> Index::in_memory(Schema schema, Options options) {
    check(schema);
    auto parts = std::make_unique<Parts>("", std::move(schema), options);
    TRY_VOID(parts->guarded([&]() -> Result<void> {
        parts->database = Xapian::WritableDatabase("", Xapian::DB_BACKEND_INMEMORY);
        return parts->mark_new(), Result<void>{};
    }));
    return Index(std::move(parts));
}

Result<void> Index::drop(std::string const& directory) {
    std::error_code error;
    std::vector<fs::path> files;
    bool others = false;
    if (!fs::exists(directory, error)) return {};
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        bool const ours = is_ours(at->path().filename().string()) && at->is_regular_file(error);
        if (ours) files.push_back(at->path());
        others = others || !ours;
    }
    if (!error && others) return foreign(directory, "files that are no index's: what is there stays");
    for (auto const& file : files)
        if (!error) fs::remove(file, error);
    if (!error) fs::remove(directory, error);
    if (error) return fail(problem_of(error, directory));
    return {};
}

Result<Index::Taken> Index::put(Document const& document) {
    if (batch_full()) return fail(503, "text_batch_full", "the batch of the full-text index is full: commit it first");
    return parts_->guarded([&]() -> Result<Taken> {
        parts_->begin();
        Xapian::Document made;
        auto const taken = parts_->maker.make(document, made);
        // One that is newer than all has none to replace, and isn't looked for.
        if (!document.key.empty())
            parts_->database.replace_document(key_term(document.key), made);
        else if (!parts_->any || document.id > parts_->greatest_id)
            parts_->database.add_document(made);
        else
            parts_->database.replace_document(id_term(document.id), made);
        if (document.key.empty()) parts_->note(document.id);
        ++parts_->documents, parts_->bytes += bytes_of(document);
        return taken;
    });
}

Result<void> Index::remove(std::uint64_t id) { return remove_term(id_term(id)); }
Result<void> Index::remove(std::string_view key) { return remove_term(key_term(key)); }
Result<void> Index::remove_term(std::string const& term) {
    if (batch_full()) return fail(503, "text_batch_full", "the batch of the full-text index is full: commit it first");
    return parts_->guarded([&]() -> Result<void> {
        parts_->begin();
        parts_->database.delete_document(term);
        ++parts_->documents;
        return {};
    });
}

bool Index::batch_full() const {
    return parts_->documents >= parts_->options.batch_documents_max || parts_->bytes >= parts_->options.batch_bytes_max;
}
std::size_t Index::batch_documents() const { return parts_->documents; }

Result<void> Index::commit(Upto upto) {
    return parts_->guarded([&]() -> Result<void> {
        parts_->begin();
        parts_->write_upto(upto);
        if (parts_->begun)
            parts_->begun = false, parts_->database.commit_transaction();
        else
            parts_->database.commit();
        parts_->upto = upto, parts_->documents = 0, parts_->bytes = 0;
        parts_->greatest_before = parts_->greatest_id, parts_->any_before = parts_->any;
        return {};
    });
}

void Index::abandon() {
    (void)parts_->guarded([&]() -> Result<void> {
        if (std::exchange(parts_->begun, false)) parts_->database.cancel_transaction();
        return {};
    });
    parts_->documents = 0, parts_->bytes = 0;
    parts_->greatest_id = parts_->greatest_before, parts_->any = parts_->any_before;
}

Upto Index::upto() const { return parts_->upto; }
Result<std::uint64_t> Index::documents() const {
    return parts_->guarded([&]() -> Result<std::uint64_t> { return parts_->database.get_doccount(); });
}

Result<Reader> Index::reader() const {
    if (!parts_->directory.empty()) return reader(parts_->directory, parts_->schema, parts_->options);
    return make_reader("", parts_->schema, parts_->options, &parts_->database);
}
Result<Reader> Index::reader(std::string directory, Schema schema, Options options) {
    return make_reader(std::move(directory), std::move(schema), options, nullptr);
}

}  // namespace gantry::text
