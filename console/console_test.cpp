#include "console/console.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>

namespace gantry::console {
namespace {
Asset const* find(std::string_view path) {
    auto at = std::ranges::find(assets(), path, &Asset::path);
    return at == assets().end() ? nullptr : &*at;
}

std::string gunzip(std::string_view packed, std::size_t size) {
    std::string out(size + 1, '\0');
    z_stream z{};
    inflateInit2(&z, 16 + MAX_WBITS);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    z.avail_in = uInt(packed.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = uInt(out.size());
    int const code = inflate(&z, Z_FINISH);
    out.resize(z.total_out);
    inflateEnd(&z);
    return code == Z_STREAM_END ? out : "not gzip";
}

TEST(Console, ServesThePageAtTheRootAndTheRestUnderConsole) {
    ASSERT_NE(find("/"), nullptr);
    EXPECT_EQ(find("/")->content_type, "text/html; charset=utf-8");
    ASSERT_NE(find("/console/main.js"), nullptr);
    EXPECT_EQ(find("/console/main.js")->content_type, "text/javascript; charset=utf-8");
    EXPECT_TRUE(std::ranges::is_sorted(assets(), {}, &Asset::path));
    for (auto const& asset : assets()) EXPECT_TRUE(asset.path == "/" || asset.path.starts_with("/console/")) << asset.path;
}

TEST(Console, EveryAssetHasItsOwnTagAndAGzipOfTheSameBytes) {
    std::set<std::string_view> tags;
    for (auto const& asset : assets()) {
        EXPECT_TRUE(tags.insert(asset.etag).second) << asset.path;
        EXPECT_TRUE(asset.etag.size() > 2 && asset.etag.front() == '"' && asset.etag.back() == '"') << asset.etag;
        EXPECT_EQ(gunzip(asset.gzip_body, asset.body.size()), asset.body) << asset.path;
    }
}

TEST(Console, EveryImportAndLinkIsAnAsset) {
    std::regex const import_of(R"((?:\bfrom|\bimport)\s*["']([\w@/.-]+)["'])"), link_of(R"((?:src|href)="(console/[^"]+)\")");
    for (auto const& asset : assets()) {
        std::string const text(asset.body);
        bool const script = asset.content_type.starts_with("text/javascript");
        if (!script && asset.path != "/") continue;
        for (std::sregex_iterator at(text.begin(), text.end(), script ? import_of : link_of), end; at != end; ++at) {
            auto const name = (*at)[1].str();
            auto const path = script ? "/console/" + name.substr(name.starts_with("./") ? 2 : 0) : "/" + name;
            EXPECT_NE(find(path), nullptr) << asset.path << " wants " << name;
            if (script) EXPECT_TRUE(name.starts_with("./")) << asset.path << " has the bare import " << name;
        }
    }
}

TEST(Console, ThePageHasNothingInlineForThePolicyToRefuse) {
    std::string const page(find("/")->body);
    EXPECT_FALSE(std::regex_search(page, std::regex(R"(<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=))")));
    EXPECT_EQ(content_security_policy.find("unsafe"), std::string_view::npos);
}
}  // namespace
}  // namespace gantry::console
