#include "provider/allowed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

identity ada() {
  return {.provider = "corp",
          .subject = "248289761001",
          .email = "Ada@Example.com",
          .email_verified = true,
          .name = "Ada",
          .preferred_username = "ada",
          .groups = {"admins"}};
}

TEST(AllowedPeople, AreEveryoneWithoutLists) { EXPECT_TRUE(check_allowed({}, ada())); }

TEST(AllowedPeople, AreThoseWhomOneEntryNames) {
  for (const auto& allowed : {
           allowed_people{{"248289761001"}, {}},
           allowed_people{{"ada@example.com"}, {}},
           allowed_people{{"ADA@EXAMPLE.COM"}, {}},
           allowed_people{{"bob@example.com", "ada@example.com"}, {}},
           allowed_people{{}, {"example.com"}},
           allowed_people{{}, {"EXAMPLE.com"}},
           allowed_people{{}, {"@example.com"}},
           allowed_people{{"bob@example.com"}, {"example.com"}},
           allowed_people{{"ada@example.com"}, {"other.example"}},
       }) {
    EXPECT_TRUE(check_allowed(allowed, ada())) << testing::PrintToString(allowed.users);
  }
}

TEST(AllowedPeople, AreNotTheirNeighbours) {
  for (const auto& allowed : {
           allowed_people{{"bob@example.com"}, {}},
           allowed_people{{"24828976100"}, {}},
           allowed_people{{"ada"}, {}},     // preferred_username
           allowed_people{{"Ada"}, {}},     // name
           allowed_people{{"admins"}, {}},  // a group
           allowed_people{{"corp"}, {}},
           allowed_people{{"example.com"}, {}},
           allowed_people{{"*"}, {}},
           allowed_people{{""}, {}},
           allowed_people{{}, {""}},
           allowed_people{{}, {"@"}},
           allowed_people{{}, {"com"}},
           allowed_people{{}, {"ample.com"}},
           allowed_people{{}, {"mail.example.com"}},
           allowed_people{{}, {"example.com.evil.example"}},
           allowed_people{{}, {"ada@example.com"}},
       }) {
    auto checked = check_allowed(allowed, ada());
    ASSERT_FALSE(checked) << testing::PrintToString(allowed.users) << testing::PrintToString(allowed.domains);
    EXPECT_EQ(checked.error().code, errc::user_not_allowed);
  }
}

TEST(AllowedPeople, AreNotNamedByAnUnverifiedAddress) {
  auto who = ada();
  who.email_verified = false;
  auto checked = check_allowed({{"ada@example.com"}, {"example.com"}}, who);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().detail,
            "subject '248289761001' of corp, e-mail 'Ada@Example.com' (not verified) is on no list "
            "of those who may sign in: allowed_users, allowed_domains");
  EXPECT_TRUE(check_allowed({{who.subject}, {}}, who));
}

TEST(AllowedPeople, AreNotNamedByTrickyAddresses) {
  for (auto email : {"", "@example.com", "example.com", "ada@example.com@evil.example", "ada@sub.example.com",
                     "ada@example.com.", "ada@example.com ", "ada@evilexample.com",
                     "ada@evil.example\n@example.com ", "ada@", "ada@ex\xD0\xB0mple.com"}) {
    auto who = ada();
    who.email = email;
    EXPECT_FALSE(check_allowed({{"ada@example.com"}, {"example.com"}}, who)) << email;
  }
}

TEST(AllowedPeople, AreThoseOfAGroupOrOrganisationThatTheProviderNames) {
  auto who = ada();
  who.organizations = {"Acme", "acme/platform"};
  EXPECT_TRUE(check_allowed({.groups = {"admins"}}, who));
  EXPECT_TRUE(check_allowed({.organizations = {"acme"}}, who)) << "GitHub's names have no case";
  EXPECT_TRUE(check_allowed({.organizations = {"other", "ACME/platform"}}, who));
  EXPECT_TRUE(check_allowed({.users = {"bob"}, .groups = {"admins"}}, who)) << "one entry of any list";
  for (const auto& allowed :
       {allowed_people{.groups = {"Admins"}}, allowed_people{.groups = {"admin", ""}},
        allowed_people{.groups = {"acme"}}, allowed_people{.organizations = {"admins"}},
        allowed_people{.organizations = {"acme/other"}}, allowed_people{.organizations = {"platform", ""}}}) {
    EXPECT_FALSE(check_allowed(allowed, who));
  }
}

}  // namespace
}  // namespace mcp_oauth
