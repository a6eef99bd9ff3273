#include "app/issuer_fetch.h"

#include "guard/test_world.h"

#include <mutex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FirstDocuments : public testing::Test {
 protected:
  std::vector<issuer_failure> fetch(std::vector<trusted_issuer> issuers = {test_world::an_issuer()}) {
    guard judge(std::move(issuers), {}, test_world::counted);
    return fetch_first_documents(judge, [this](const http_call& call, const fetch_rules&) {
      std::lock_guard lock(mutex);
      return network.answer(call);
    });
  }
  test_world::network network;
  std::mutex mutex;
};

TEST_F(FirstDocuments, AreMetadataAndThenKeys) {
  EXPECT_THAT(fetch(), IsEmpty());
  EXPECT_THAT(network.asked, testing::ElementsAre(test_world::metadata_url, test_world::keys_url));
}

TEST_F(FirstDocuments, MayBeAtAnotherOfTheirPlaces) {
  network.set(test_world::metadata_url, http_answer{404, {}, ""});
  network.set(test_world::other_metadata_url, test_world::json_answer(test_world::metadata_document()));
  EXPECT_THAT(fetch(), IsEmpty());
}

TEST_F(FirstDocuments, ThatAreNotToBeHadAreNamedInTheWordsOfTheGuide) {
  network.set(test_world::keys_url, http_answer{500, {}, ""});
  auto failures = fetch();
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].why.code, errc::issuer_keys_unavailable);
  auto text = told(failures[0]);
  EXPECT_THAT(text, HasSubstr("Failed to fetch JWKS\n"));
  EXPECT_THAT(text, HasSubstr("status 500 from https://idp.example.com/keys"));
  EXPECT_THAT(text, HasSubstr("MOP-ISS-004"));

  network.cut();
  failures = fetch();
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].why.code, errc::issuer_unreachable) << "nothing came that could be invalid";
  text = told(failures[0]);
  EXPECT_THAT(text, HasSubstr("MOP-ISS-002"));
  EXPECT_THAT(retried(failures[0]), HasSubstr("(start_retry: its tokens are refused with 503"));
  EXPECT_THAT(text, HasSubstr("Failed to fetch OIDC discovery document\n"));
  EXPECT_THAT(text,
              HasSubstr("connection refused, from https://idp.example.com/.well-known/openid-configuration"));
  EXPECT_THAT(text, HasSubstr("network and firewall settings allow the connection"));
}

TEST_F(FirstDocuments, OfOneIssuerDoNotStandForAnother) {
  auto other = test_world::an_issuer();
  other.name = "other";
  other.rules.issuer = "https://other.example";
  auto failures = fetch({test_world::an_issuer(), other});
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].issuer, "https://other.example");
}

TEST_F(FirstDocuments, OfAnIssuerThatIsOnlyIntrospectedNameItsEndpoint) {
  EXPECT_THAT(fetch({test_world::introspecting(validation_mode::introspection)}), IsEmpty());
  network.set(test_world::metadata_url,
              test_world::json_answer(
                  R"({"issuer":"https://idp.example.com","jwks_uri":"https://idp.example.com/keys"})"));
  auto failures = fetch({test_world::introspecting(validation_mode::introspection)});
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_THAT(failures[0].why.detail, HasSubstr("introspection_endpoint"));
}

}  // namespace
}  // namespace mcp_oauth
