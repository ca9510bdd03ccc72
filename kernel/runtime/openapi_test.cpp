#include "kernel/runtime/openapi.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>

#include "kernel/codec/golden.h"
#include "kernel/codec/json.h"
#include "kernel/runtime/notes_for_test.h"

// A service of routes alone, with everything that a description may have to say.
namespace gantry::zoo {

enum class Size { small, very_large };
ENUM(Size, small, very_large)
struct Ask {
    static constexpr bool has_defaults = true;
    Str keeper;
    std::optional<Size> size;
    Size at_least = Size::small;
    Limit limit = 100;
    std::vector<std::int32_t> ages;
    bool fed = true;
    Time since;
    Duration within = Duration::seconds(60);
};
RECORD(Ask, keeper, size, at_least, limit, ages, fed, since, within);
struct Exact {
    Text<1, 20> name;
    std::int16_t age = 0;
    std::vector<Str> tags;
};
RECORD(Exact, name, age, tags);
struct Walk {
    std::uint32_t minutes = 0;
};
RECORD(Walk, minutes);
struct Meal {
    Str dish;
};
RECORD(Meal, dish);
struct NewAnimal {
    Str keeper;
    Id<"a_"> id;
    Text<1, 20> name;
    std::variant<Walk, Meal> likes;
    std::map<std::string, double> weights;
    Secret<Text<8, 40>> password;
    Personal<std::optional<Str>> owner;
    codec::RawJson extra;
    Bytes picture;
    Seq<"r_"> run;
};
RECORD(NewAnimal, keeper, id, name, likes, weights, password, owner, extra, picture, run);
struct Where {
    Str keeper;
    Id<"a_"> id;
};
RECORD(Where, keeper, id);
struct Problem {  // named like a component of the kernel
    Str what;
};
RECORD(Problem, what);
struct Animal {
    Str name;
    std::vector<Problem> problems;
};
RECORD(Animal, name, problems);

}  // namespace gantry::zoo

namespace gantry::runtime {
namespace {

template <class Input, class Reply>
RouteDecl declared(Version version, std::string_view verb, std::string_view path) {
    return {.version = version,
            .verb = verb,
            .path = path,
            .command = verb != "GET",
            .scope = "zoo:any",
            .doc = "Says \"what\" it does.",
            .input = &codec::type_of<Input>(),
            .reply = &codec::type_of<Reply>()};
}

ServiceDecl zoo_decl() {
    using zoo::Animal, zoo::Ask, zoo::Exact, zoo::NewAnimal, zoo::Where;
    ServiceDecl decl;
    decl.name = "zoo";
    decl.doc = "Animals.";
    decl.routes = {declared<Ask, Page<Animal>>(V1, "GET", "/keepers/{keeper}"),
                   declared<Exact, Page<zoo::Problem>>(V1, "GET", "/keepers"),
                   declared<NewAnimal, Animal>(V1, "PUT", "/keepers/{keeper}/animals/{id}"),
                   declared<Where, Animal>(V1, "DELETE", "/keepers/{keeper}/animals/{id}"),
                   declared<Where, Animal>(V1, "POST", "/keepers/{keeper}/{id}"),
                   declared<Where, Animal>(V1, "POST", "/keepers/keeper-id"),
                   declared<Where, Animal>(V1, "POST", "/keepers/keeper/id"),
                   declared<Exact, Animal>(V1, "POST", "/"),
                   declared<Exact, Animal>(V2, "POST", "/animals")};
    decl.routes[1].scope = {};
    decl.routes[3].deprecated = Deprecated{"2026-01-01", "2027-01-01"};
    decl.routes[7].bulk = true;
    return decl;
}

class Document {
   public:
    explicit Document(std::string const& json) : text_(json) { EXPECT_FALSE(parser_.parse(text_).get(root_)) << json; }
    // The value at a pointer as compact JSON; "" when there is none.
    std::string at(std::string_view pointer) const {
        simdjson::dom::element e;
        return root_.at_pointer(pointer).get(e) ? "" : simdjson::minify(e);
    }
    simdjson::dom::element root() const { return root_; }

   private:
    simdjson::padded_string text_;
    simdjson::dom::parser parser_;
    simdjson::dom::element root_;
};

void collect(simdjson::dom::element e, std::string_view wanted, std::vector<std::string>& out) {
    simdjson::dom::object object;
    simdjson::dom::array array;
    if (!e.get(object)) {
        for (auto [key, value] : object) {
            std::string_view text;
            if (key == wanted && !value.get(text)) out.emplace_back(text);
            collect(value, wanted, out);
        }
    } else if (!e.get(array)) {
        for (auto item : array) collect(item, wanted, out);
    }
}
std::vector<std::string> all_named(Document const& document, std::string_view wanted) {
    std::vector<std::string> out;
    collect(document.root(), wanted, out);
    return out;
}

void expect_sound(std::string const& json) {
    Document const document(json);
    auto const refs = all_named(document, "$ref");
    EXPECT_FALSE(refs.empty());
    for (auto const& ref : refs) {
        ASSERT_TRUE(ref.starts_with("#/")) << ref;
        EXPECT_NE(document.at(ref.substr(1)), "") << ref << " names nothing";
    }
    auto const ids = all_named(document, "operationId");
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size()) << json;
}

std::string parameter(Document const& document, std::string_view operation, std::string_view name) {
    simdjson::dom::array list;
    EXPECT_FALSE(document.root().at_pointer(std::string(operation) + "/parameters").get(list));
    for (auto item : list) {
        std::string_view found;
        if (!item["name"].get(found) && found == name) return simdjson::minify(item);
    }
    return "";
}

TEST(OpenApi, EveryReferenceLeadsSomewhereAndEveryOperationHasItsOwnId) {
    expect_sound(openapi(zoo_decl(), V1, "1.2"));
    expect_sound(openapi(zoo_decl(), V2, "1.2"));
    expect_sound(openapi(declare<notes::Service>(), V1, "1.2"));
    auto const ids = all_named(Document(openapi(zoo_decl(), V1, "1")), "operationId");
    EXPECT_EQ(ids.size(), 8u);
    EXPECT_EQ(std::ranges::count(ids, "post_keepers_keeper_id"), 1);
    EXPECT_EQ(std::ranges::count(ids, "post_keepers_keeper_id_2"), 1);
    EXPECT_EQ(std::ranges::count(ids, "post_keepers_keeper_id_3"), 1);
}

TEST(OpenApi, IsAGoldenText) {
    EXPECT_TRUE(expect_golden("kernel/runtime/golden/zoo_openapi.json", codec::pretty_json(openapi(zoo_decl(), V1, "1.2"))));
}

TEST(OpenApi, SaysWhatItIs) {
    Document const document(openapi(zoo_decl(), V1, "1.2\"3"));
    EXPECT_EQ(document.at("/openapi"), R"("3.1.0")");
    EXPECT_EQ(document.at("/info/version"), R"("1.2\"3")");
    EXPECT_EQ(document.at("/info/description"), R"("Animals.")");
    EXPECT_EQ(document.at("/paths/~1zoo~1v1/post/summary"), R"("Says \"what\" it does.")");
}

TEST(OpenApi, HoldsTheRoutesOfOneVersion) {
    Document const first(openapi(zoo_decl(), V1, "1")), second(openapi(zoo_decl(), V2, "1")), third(openapi(zoo_decl(), V3, "1"));
    EXPECT_NE(first.at("/paths/~1zoo~1v1~1keepers/get"), "");
    EXPECT_EQ(first.at("/paths/~1zoo~1v2~1animals"), "");
    EXPECT_NE(second.at("/paths/~1zoo~1v2~1animals/post"), "");
    EXPECT_EQ(second.at("/paths/~1zoo~1v1~1keepers"), "");
    EXPECT_EQ(third.at("/paths"), "{}");
}

TEST(OpenApi, ParametersHaveTheirTypesBoundsAndDefaults) {
    Document const d(openapi(zoo_decl(), V1, "1"));
    constexpr std::string_view ask = "/paths/~1zoo~1v1~1keepers~1{keeper}/get", exact = "/paths/~1zoo~1v1~1keepers/get";
    EXPECT_EQ(parameter(d, ask, "keeper"), R"({"name":"keeper","in":"path","required":true,"schema":{"type":"string"}})");
    EXPECT_EQ(parameter(d, ask, "size"),
              R"({"name":"size","in":"query","required":false,"schema":{"type":"string","enum":["small","very_large"]}})");
    EXPECT_EQ(
        parameter(d, ask, "at_least"),
        R"({"name":"at_least","in":"query","required":false,"schema":{"type":"string","enum":["small","very_large"],"default":"small"}})");
    EXPECT_EQ(parameter(d, ask, "limit"),
              R"({"name":"limit","in":"query","required":false,"schema":{"type":"integer","minimum":1,"maximum":1000,"default":100}})");
    EXPECT_EQ(parameter(d, ask, "fed"), R"({"name":"fed","in":"query","required":false,"schema":{"type":"boolean","default":true}})");
    EXPECT_TRUE(
        parameter(d, ask, "ages")
            .starts_with(R"({"name":"ages","in":"query","required":false,"style":"form","explode":false,"schema":{"type":"array",)"))
        << "a list is given with commas: " << parameter(d, ask, "ages");
    EXPECT_NE(parameter(d, ask, "within").find(R"("default":"1m")"), std::string::npos) << parameter(d, ask, "within");
    EXPECT_EQ(parameter(d, exact, "name"),
              R"({"name":"name","in":"query","required":true,"schema":{"type":"string","minLength":1,"maxLength":20}})");
    EXPECT_NE(parameter(d, exact, "age").find(R"("required":true)"), std::string::npos);
    EXPECT_NE(parameter(d, exact, "tags").find(R"("required":false)"), std::string::npos) << "an absent list is empty";
}

TEST(OpenApi, ABodyHoldsWhatThePathDoesNot) {
    Document const d(openapi(zoo_decl(), V1, "1"));
    std::string const put = "/paths/~1zoo~1v1~1keepers~1{keeper}~1animals~1{id}/put",
                      schema = put + "/requestBody/content/application~1json/schema";
    EXPECT_EQ(d.at(schema + "/required"), R"(["name","likes","password","extra","picture","run"])");
    EXPECT_EQ(d.at(schema + "/properties/keeper"), "");
    EXPECT_EQ(d.at(schema + "/additionalProperties"), "false");
    EXPECT_NE(parameter(d, put, "id").find(R"("in":"path","required":true)"), std::string::npos);
    EXPECT_EQ(parameter(d, put, "name"), "");
    EXPECT_EQ(d.at("/paths/~1zoo~1v1~1keepers~1{keeper}~1animals~1{id}/delete/requestBody"), "") << "all is in the path";
}

TEST(OpenApi, BulkTakesOneOrAnArrayOrLines) {
    Document const d(openapi(zoo_decl(), V1, "1"));
    std::string const content = "/paths/~1zoo~1v1/post/requestBody/content";
    EXPECT_EQ(d.at(content + "/application~1json/schema"),
              R"({"oneOf":[{"$ref":"#/components/schemas/Exact"},{"type":"array","items":{"$ref":"#/components/schemas/Exact"}}]})");
    EXPECT_EQ(d.at(content + "/application~1x-ndjson/schema"), R"({"$ref":"#/components/schemas/Exact"})");
    EXPECT_EQ(d.at("/paths/~1zoo~1v1~1keepers~1{keeper}~1{id}/post/requestBody/content/application~1x-ndjson"), "");
}

TEST(OpenApi, RecordsOfOneNameAndPagesOfOtherItemsKeepApart) {
    Document const d(openapi(zoo_decl(), V1, "1"));
    EXPECT_NE(d.at("/components/schemas/Problem/properties/status"), "") << "the kernel's keeps its name";
    EXPECT_NE(d.at("/components/schemas/Problem2/properties/what"), "");
    EXPECT_EQ(d.at("/components/schemas/PageOfAnimal/properties/items/items"), R"({"$ref":"#/components/schemas/Animal"})");
    EXPECT_EQ(d.at("/components/schemas/PageOfProblem/properties/items/items"), R"({"$ref":"#/components/schemas/Problem2"})");
    EXPECT_EQ(d.at("/components/schemas/Page"), "");
}

TEST(OpenApi, AccessDeprecationAndHeadersAreSaid) {
    Document const d(openapi(zoo_decl(), V1, "1"));
    EXPECT_EQ(d.at("/paths/~1zoo~1v1~1keepers~1{keeper}/get/security"), R"([{"caller":["zoo:any"]}])");
    EXPECT_EQ(d.at("/paths/~1zoo~1v1~1keepers/get/security"), "[]") << "open to all";
    std::string const animal = "/paths/~1zoo~1v1~1keepers~1{keeper}~1animals~1{id}";
    EXPECT_EQ(d.at(animal + "/delete/deprecated"), "true");
    EXPECT_EQ(d.at(animal + "/put/deprecated"), "");
    EXPECT_EQ(d.at(animal + "/put/responses/200"), "") << "a command may answer another 2xx";
    EXPECT_NE(d.at(animal + "/put/responses/2XX/headers/Gantry-Position"), "");
    EXPECT_NE(d.at("/paths/~1zoo~1v1~1keepers/get/responses/200/headers/ETag"), "");
    EXPECT_NE(d.at("/paths/~1zoo~1v1~1keepers/get/responses/304"), "");
    EXPECT_EQ(d.at(animal + "/put/responses/default/content/application~1problem+json/schema"),
              R"({"$ref":"#/components/schemas/Problem"})");
    auto const refs = [&](std::string const& operation) { return d.at(operation + "/parameters"); };
    EXPECT_NE(refs(animal + "/put").find("#/components/parameters/IdempotencyKey"), std::string::npos);
    EXPECT_NE(refs(animal + "/put").find("#/components/parameters/IfMatch"), std::string::npos);
    EXPECT_NE(refs("/paths/~1zoo~1v1~1keepers/get").find("#/components/parameters/IfNoneMatch"), std::string::npos);
    EXPECT_NE(refs("/paths/~1zoo~1v1~1keepers/get").find("#/components/parameters/GantryAfter"), std::string::npos);
}

}  // namespace
}  // namespace gantry::runtime
