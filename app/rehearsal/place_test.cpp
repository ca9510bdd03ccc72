#include "app/rehearsal/place.h"

#include <fstream>

#include "app/rehearsal/rehearsal_fixture_test.h"
#include "kernel/log/file/tools.h"

namespace gantry::app::rehearsal {
namespace {

class PlaceTest : public TallyTest {
   protected:
    Result<Place> find(std::string const& log, std::string const& service = {},
                       std::vector<std::string> services = {"tally", "notes"}) const {
        return find_log({log, service}, services);
    }
    void refused(std::string const& log, std::string const& says, std::string const& service = {}) const {
        auto const place = find(log, service);
        ASSERT_FALSE(place) << log;
        EXPECT_EQ(place.error().code, "rehearsal_log_invalid");
        EXPECT_NE(place.error().detail.find(says), std::string::npos) << place.error().detail;
    }
};

TEST_F(PlaceTest, ADataDirectoryAndTheDirectoryOfALog) {
    write(1);
    for (auto const& given : {path_, log_directory()}) {
        auto const place = find(given);
        ASSERT_TRUE(place) << place.error().detail;
        EXPECT_EQ(place->service, "tally");
        EXPECT_EQ(std::filesystem::canonical(place->at.log_directory), std::filesystem::canonical(log_directory()));
        EXPECT_EQ(std::filesystem::canonical(place->at.site_directory), std::filesystem::canonical(path_ + "/main"));
    }
}

TEST_F(PlaceTest, ACopyOfALogElsewhereNeedsItsService) {
    write(1);
    std::filesystem::copy(log_directory(), path_ + "/copy");
    refused(path_ + "/copy", "--service tally or --service notes");
    auto const place = find(path_ + "/copy", "tally");
    ASSERT_TRUE(place);
    EXPECT_EQ(place->at.site_directory, "");
}

TEST_F(PlaceTest, AnExportIsUnpackedForAsLongAsItIsNeeded) {
    write(10);
    auto const file = path_ + "/tally.export";
    std::ofstream out(file, std::ios::binary);
    ASSERT_TRUE(log::export_log(log::system_disk(), log_directory(),
                                [&](std::string_view bytes) -> Result<void> { return out << bytes, Result<void>(); }));
    out.close();
    std::string where;
    {
        auto const place = find(file, "tally");
        ASSERT_TRUE(place) << place.error().detail;
        where = place->imported->path();
        auto one = Rehearser::open(tally::service(), place->at, "1");
        ASSERT_TRUE(one);
        EXPECT_EQ((*one)->digest_at(30)->digest, side(tally::service())->digest_at(30)->digest);
    }
    EXPECT_FALSE(std::filesystem::exists(where));
    EXPECT_EQ(find(file).error().code, "rehearsal_log_invalid") << "whose is it?";
    EXPECT_TRUE(find(file, {}, {"tally"}));
    std::ofstream(file, std::ios::binary) << "no export";
    EXPECT_EQ(find(file, "tally").error().code, "import_damaged");
}

TEST_F(PlaceTest, WhatIsNoLogIsSaidWithWhatWouldBeRight) {
    refused(path_ + "/nowhere", "there is no such file or directory; expected a data directory");
    refused(path_, "there is no log of tally or notes below it");
    refused("http://127.0.0.1:1", "the server sends no log of tally: connect_failed", "tally");
    refused("http://127.0.0.1:1", "--service tally or --service notes");
    refused("/dev/null", "neither a file nor a directory");
    write(1);
    refused(path_, "notes has no log in it, but tally has", "notes");
    EXPECT_EQ(find(path_, "other").error().code, "service_unknown");
}

}  // namespace
}  // namespace gantry::app::rehearsal
