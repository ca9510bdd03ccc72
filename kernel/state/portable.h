#pragma once
#include <boost/describe/members.hpp>
#include <memory>
#include <string>
#include <variant>

#include "kernel/codec/schema.h"
#include "kernel/state/io.h"

// Rows in the portable form: the schema of their type once, then each in the positional binary form.
namespace gantry::state {

template <class T>
concept Described = boost::describe::has_describe_members<T>::value;

// A row type is written as the only "event" of a service would be: one reader of old shapes serves both.
template <class Row>
codec::Type const& schema_of_row() {
    return codec::type_of<std::variant<Row>>();
}

template <class Row>
void put_row_schema(Out& out) {
    out.text(codec::encode_event_schema(schema_of_row<Row>()));
}
template <class Row>
void put_row(Out& out, Row const& row) {
    std::string bytes;
    codec::put(bytes, row, out.sealer);
    out.text(bytes);
}

// Reads the schema when it is made; then row after row. False: the source is damaged, or no reader can be made for its shape.
template <class Row>
class RowReader {
   public:
    bool open(In& in) {
        std::string schema;
        if (!in.text(schema)) return false;
        auto made = codec::make_event_reader(schema, schema_of_row<Row>());
        if (made) reader_ = std::move(*made);
        return made.has_value();
    }
    bool read(In& in, Row& row) {
        if (!in.text(bytes_)) return false;
        std::variant<Row> read;
        if (reader_->identical(0)) {
            ByteReader bytes(bytes_);
            if (!codec::get(bytes, std::get<0>(read), in.sealer) || !bytes.done()) return false;
        } else if (!reader_->decode(0, bytes_, &read, in.sealer)) {
            return false;
        }
        Row const& borrowed = std::get<0>(read);
        row = borrowed;
        return true;
    }

   private:
    std::unique_ptr<codec::EventReader> reader_;
    std::string bytes_;
};

}  // namespace gantry::state
