#include "app/check_start.h"

#include "app/certificate_doubts.h"
#include "base/base64url.h"
#include "net/listen.h"
#include "net/test_certificate.h"
#include "store/sqlite_store.h"
#include "store/test_folder.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CheckStart : public testing::Test {
 protected:
  CheckStart() {
    conf.port = 0;
    conf.database_url = "sqlite://" + folder.file("oauth.db");
    conf.log.file = folder.file("logs/proxy.log");
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.file("")))
      names.push_back(entry.path().filename().string());
    return names;
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder.file(name)) << text; }

  test_folder folder;
  settings conf;
};

TEST_F(CheckStart, SaysWhatAStartWillMakeAndMakesNothing) {
  auto found = check_start(conf);
  EXPECT_THAT(found.good, ElementsAre("Database connection valid"));
  EXPECT_THAT(found.notes, ElementsAre("Database: " + folder.file("oauth.db") + " will be created",
                                       HasSubstr(folder.file("oauth.db.key") + " will be created")));
  EXPECT_THAT(found.warnings, IsEmpty());
  EXPECT_THAT(found.failures, IsEmpty());
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(CheckStart, AFileOfDecisionsThatCannotBeWrittenIsAFailure) {
  conf.audit.file = folder.file("audit/audit.log");
  EXPECT_THAT(check_start(conf).failures, IsEmpty());
  write("audit", "a file where its folder would be");
  auto found = check_start(conf);
  ASSERT_EQ(found.failures.size(), 1U);
  EXPECT_EQ(found.failures[0].code, errc::file_unwritable);
  EXPECT_THAT(found.failures[0].detail, HasSubstr("audit.file"));
}

TEST_F(CheckStart, AFileOfFailuresThatCannotBeWrittenIsWarnedAbout) {
  conf.explain.file = folder.file("stories/explain.db");
  EXPECT_THAT(check_start(conf).warnings, IsEmpty());
  write("stories", "a file where its folder would be");
  auto found = check_start(conf);
  EXPECT_THAT(found.failures, IsEmpty()) << "a start goes on without";
  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_THAT(found.warnings[0], HasSubstr("failures cannot be kept for explain"));
  conf.explain.most = 0;
  EXPECT_THAT(check_start(conf).warnings, IsEmpty());
}

TEST_F(CheckStart, ADatabaseThatIsThereIsOpenedAndLeftAsItIs) {
  {
    ASSERT_TRUE(sqlite_store::open(folder.file("oauth.db")));
  }
  write("oauth.db.key", base64url_encode(std::string(32, 'k')) + "\n");
  auto found = check_start(conf);
  EXPECT_THAT(found.good, ElementsAre("Database connection valid"));
  EXPECT_THAT(found.notes, IsEmpty());
  EXPECT_THAT(found.warnings, IsEmpty());
  EXPECT_THAT(found.failures, IsEmpty());
  EXPECT_THAT(files(), testing::UnorderedElementsAre("oauth.db", "oauth.db.key"));
}

TEST_F(CheckStart, ADatabaseWithoutItsKeyIsWarnedAbout) {
  {
    ASSERT_TRUE(sqlite_store::open(folder.file("oauth.db")));
  }
  EXPECT_THAT(check_start(conf).warnings, ElementsAre(HasSubstr("encryption_key is not set")));
  conf.encryption_key = secret(std::string(32, 'k'));
  EXPECT_THAT(check_start(conf).warnings, IsEmpty());
}

TEST_F(CheckStart, ADatabaseWhoseKeyIsGoneIsAFailure) {
  const auto now = std::chrono::system_clock::now();
  {
    auto store = sqlite_store::open(folder.file("oauth.db"));
    ASSERT_TRUE(store);
    record sealed;
    sealed.kind = "signing_key";
    sealed.id = "00000001";
    sealed.created = now;
    sealed.expires = now + seconds(1000);
    change made;
    made.put.push_back(sealed);
    ASSERT_TRUE((*store)->commit(made, now).value());
  }
  auto found = check_start(conf);
  EXPECT_THAT(found.warnings, IsEmpty());
  ASSERT_EQ(found.failures.size(), 1U);
  EXPECT_EQ(found.failures[0].code, errc::seal_broken);
  EXPECT_THAT(found.failures[0].detail, HasSubstr("oauth.db.key"));
}

TEST_F(CheckStart, NamesEveryFileThatAStartCannotUse) {
  write("oauth.db", "this is no database, and long enough that nobody takes it for an empty one, it goes on");
  write("oauth.db.key", "short");
  write("logs", "a file where a folder is needed");
  conf.tls.cert_file = folder.file("cert.pem");
  conf.tls.key_file = folder.file("key.pem");
  conf.upstream_ca_file = folder.file("ca.pem");
  auto found = check_start(conf);
  EXPECT_THAT(found.good, IsEmpty());
  std::vector<errc> codes;
  for (const auto& failure : found.failures) codes.push_back(failure.code);
  EXPECT_THAT(codes, ElementsAre(errc::store_not_a_database, errc::tls_certificate_invalid,
                                 errc::ca_file_invalid, errc::file_unwritable));
  EXPECT_THAT(found.failures[1].detail, HasSubstr("No such file or directory"));
  EXPECT_THAT(found.failures[2].detail, HasSubstr("No such file or directory"));
}

TEST_F(CheckStart, AKeyFileThatHoldsNoKeyIsAFailure) {
  write("oauth.db.key", "short");
  auto found = check_start(conf);
  ASSERT_EQ(found.failures.size(), 1U);
  EXPECT_EQ(found.failures[0].code, errc::file_unreadable);
  EXPECT_THAT(found.failures[0].detail, AllOf(HasSubstr("oauth.db.key"), testing::Not(HasSubstr("short"))));
}

TEST_F(CheckStart, TheFolderOfTheDatabaseMustBeThere) {
  conf.database_url = "sqlite://" + folder.file("no/such/oauth.db");
  auto found = check_start(conf);
  ASSERT_EQ(found.failures.size(), 1U);
  EXPECT_THAT(found.failures[0].detail, HasSubstr(folder.file("no/such")));
  EXPECT_THAT(found.good, IsEmpty());
}

TEST_F(CheckStart, APortThatIsTakenIsWarnedAbout) {
  auto held = net::open_listeners("127.0.0.1", conf.port, 1, milliseconds(0));
  ASSERT_TRUE(held);
  EXPECT_THAT(check_start(conf).warnings,
              Contains(HasSubstr("port " + std::to_string(conf.port) + " is taken")));
}

TEST_F(CheckStart, LooksAtTheDatesAndNamesOfTheCertificate) {
  constexpr long day = 24 * 3600;
  conf.public_url = "https://mcp.example:8443";
  struct row {
    long begins, ends;
    const char *names, *failure, *warning;
  };
  for (const auto& [begins, ends, names, failure, warning] :
       {row{-day, 30 * day, "DNS:mcp.example", "", ""},
        row{-2 * day, -day, "DNS:mcp.example", "expired on 20", ""},
        row{day, 30 * day, "DNS:mcp.example", "is valid from 20", ""},
        row{-day, 13 * day + 60, "DNS:mcp.example", "", "in 13 days: renew it"},
        row{-day, 14 * day + 60, "DNS:mcp.example", "", ""},
        row{-day, 30 * day, "DNS:a.example,IP:127.0.0.1", "",
            "is for a.example, 127.0.0.1, and clients come to mcp.example"},
        row{-day, 30 * day, "", "", "is for no name at all"}}) {
    net::test_certificate cert("x", names, begins, ends);
    conf.tls.cert_file = cert.cert_file;
    conf.tls.key_file = cert.key_file;
    auto found = check_start(conf);
    if (*failure == '\0') {
      EXPECT_THAT(found.failures, IsEmpty()) << found.failures.front().detail;
      EXPECT_THAT(found.good, Contains("TLS certificate and key valid"));
    } else {
      ASSERT_EQ(found.failures.size(), 1U) << failure;
      EXPECT_EQ(found.failures[0].code, errc::tls_certificate_out_of_date);
      EXPECT_THAT(found.failures[0].detail, AllOf(HasSubstr(cert.cert_file), HasSubstr(failure)));
      EXPECT_THAT(found.good, testing::Not(Contains("TLS certificate and key valid")));
      auto ours = net::tls_context::server(cert.cert_file, cert.key_file);
      EXPECT_THAT(doubts_about_certificate(conf, **ours, std::chrono::system_clock::now()).as_warnings(),
                  ElementsAre(HasSubstr(failure)))
          << "a start says it too";
    }
    if (*warning == '\0') {
      EXPECT_THAT(found.warnings, IsEmpty());
    } else {
      EXPECT_THAT(found.warnings, ElementsAre(HasSubstr(warning)));
    }
  }
}

TEST_F(CheckStart, TlsAndAnAddressThatIsNoHttpsDoNotFit) {
  net::test_certificate cert("x", "DNS:mcp.example", -60, 30 * 24 * 3600);
  conf.tls.cert_file = cert.cert_file;
  conf.tls.key_file = cert.key_file;
  conf.public_url = "http://mcp.example";
  EXPECT_THAT(check_start(conf).warnings, ElementsAre(HasSubstr("public_url begins with http://")));
}

TEST(CheckPolicy, SaysWhatAGatewayWouldSay) {
  std::uint16_t port = 0;
  {
    ASSERT_TRUE(net::open_listeners("127.0.0.1", port, 0, milliseconds(0)));
  }
  settings conf;
  start_findings none;
  check_policy(conf, seconds(2), none);
  EXPECT_THAT(none.good, IsEmpty());
  EXPECT_THAT(none.warnings, IsEmpty());
  conf.access.url = "http://127.0.0.1:" + std::to_string(port) + "/policy";
  start_findings found;
  check_policy(conf, seconds(2), found);
  EXPECT_THAT(found.warnings, ElementsAre(AllOf(HasSubstr("policy.url gives no policy"),
                                                HasSubstr("every call is refused with 503"))));
  EXPECT_THAT(found.failures, IsEmpty());
}

TEST(CheckReach, WarnsOfEveryoneWhoDoesNotAnswer) {
  // A port that was just free, on which nobody listens.
  std::uint16_t port = 0;
  {
    ASSERT_TRUE(net::open_listeners("127.0.0.1", port, 0, milliseconds(0)));
  }
  const std::string nobody = "http://127.0.0.1:" + std::to_string(port);
  settings conf;
  auto reached = [&] {
    start_findings found;
    check_reach(conf, seconds(2), found);
    EXPECT_THAT(found.failures, IsEmpty());
    return found.warnings;
  };
  EXPECT_THAT(reached(), IsEmpty());
  conf.providers.resize(2);
  conf.providers[0].name = conf.providers[0].type = "local";
  conf.providers[1].name = "corp";
  conf.providers[1].type = "oidc";
  conf.providers[1].issuer = nobody;
  conf.upstreams.resize(1);
  conf.upstreams[0].url = nobody + "/mcp";
  EXPECT_THAT(reached(), ElementsAre(HasSubstr("providers.corp: no usable metadata from " + nobody),
                                     HasSubstr("the MCP server " + nobody + "/mcp does not answer")));
}

}  // namespace
}  // namespace mcp_oauth
