// Tokens that are bound to a key or to a certificate, and nonces, as a host of the library sees them.

#include "base/base64url.h"
#include "jose/digest.h"
#include "library/fixture.h"
#include "mcp_oauth/c.h"
#include "oauth/certificate_binding.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct LibraryDpop : testing::Test {
  library_world world;
  signing_key client = signing_key::generate_es256();

  v1::guard made(const std::string& dpop, bool nonces) {
    auto o = world.options();
    o.dpop = dpop;
    o.dpop_nonces = nonces;
    auto g = v1::guard::make(o);
    EXPECT_TRUE(g) << (g ? "" : g.error().text());
    return *g;
  }

  std::string bound_token() {
    json::object cnf;
    cnf["jkt"] = json::string(client.public_part().thumbprint());
    return world.token_with({{"cnf", cnf}});
  }

  std::string proof(const std::string& token, const std::string& jti, std::string_view nonce = {}) {
    auto jwk = client.public_part().to_jwk();
    for (auto name : {"kid", "alg", "use"}) jwk.erase(name);
    json::object header{{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", jwk}};
    json::object said{{"htm", "POST"}, {"iat", world.seconds_now.load()}};
    said["htu"] = json::string(library_world::resource);
    said["jti"] = json::string(jti);
    said["ath"] = json::string(base64url_encode(sha256_bytes(token)));
    if (!nonce.empty()) said["nonce"] = json::string(nonce);
    auto input = base64url_encode(json::serialize(header)) + "." + base64url_encode(json::serialize(said));
    return input + "." + base64url_encode(client.sign(input));
  }

  test_request call_with(const std::string& token, const std::string& a_proof) {
    auto asked = call_of(token, "echo");
    asked.headers[0] = {"Authorization", "DPoP " + token};
    asked.headers.emplace_back("DPoP", a_proof);
    return asked;
  }
};

TEST_F(LibraryDpop, DemandsANonceAndTakesTheOneThatTheRefusalBrought) {
  for (const char* dpop : {"accepted", "required"}) {
    auto g = made(dpop, true);
    auto token = bound_token();
    auto asked = call_with(token, proof(token, "1"));
    auto refused = g.admit(asked.view());
    ASSERT_FALSE(refused.allowed());
    EXPECT_EQ(refused.answer().status, 401);
    EXPECT_EQ(refused.refused()->reason(), "dpop_nonce_needed");
    EXPECT_THAT(std::string(refused.answer().header_value("WWW-Authenticate")),
                AllOf(StartsWith("DPoP "), HasSubstr(R"(error="use_dpop_nonce")"), HasSubstr("ES256")));
    std::string nonce(refused.answer().header_value("DPoP-Nonce"));
    ASSERT_NE(nonce, "");

    auto again = call_with(token, proof(token, "2", nonce));
    auto let_in = g.admit(again.view());
    ASSERT_TRUE(let_in.allowed()) << let_in.refused()->detail();
    // The answer has the nonce of the next one, however it goes out.
    auto answer = let_in.call().filtered({200, {}, "{}"});
    EXPECT_EQ(answer.header_value("DPoP-Nonce"), nonce);
    ASSERT_EQ(let_in.call().answer_headers().size(), 1U);
    EXPECT_EQ(let_in.call().answer_headers()[0].first, "DPoP-Nonce");

    EXPECT_EQ(g.admit(again.view()).refused()->reason(), "dpop_proof_replayed");
    world.seconds_now += 600;
    auto late = bound_token();
    auto old = call_with(late, proof(late, "3", nonce));
    auto too_old = g.admit(old.view());
    EXPECT_EQ(too_old.refused()->reason(), "dpop_nonce_needed");
    EXPECT_NE(too_old.answer().header_value("DPoP-Nonce"), nonce);
  }
}

TEST_F(LibraryDpop, OffersNoNonceWhereNoneIsDemanded) {
  auto g = made("accepted", false);
  auto token = bound_token();
  auto asked = call_with(token, proof(token, "1"));
  auto let_in = g.admit(asked.view());
  ASSERT_TRUE(let_in.allowed());
  EXPECT_TRUE(let_in.call().answer_headers().empty());
  test_request nobody{{}, "POST", "/mcp", "{}"};
  auto refused = g.admit(nobody.view());
  EXPECT_EQ(refused.answer().header_value("DPoP-Nonce"), "");
}

TEST_F(LibraryDpop, ReplicasWithOneKeyTakeEachOthersNonces) {
  auto o = world.options();
  o.dpop = "required";
  o.dpop_nonces = true;
  o.dpop_nonce_key = std::string(32, 'k');
  auto one = *v1::guard::make(o), replica = *v1::guard::make(o);
  o.dpop_nonce_key = std::string(32, 'x');
  auto stranger = *v1::guard::make(o);
  test_request nobody{{}, "POST", "/mcp", "{}"};
  auto refused = one.admit(nobody.view());
  auto nonce = refused.answer().header_value("DPoP-Nonce");
  ASSERT_NE(nonce, "") << "also a refusal for want of a token brings one";
  auto token = bound_token();
  auto asked = call_with(token, proof(token, "1", nonce));
  EXPECT_TRUE(replica.admit(asked.view()).allowed());
  EXPECT_EQ(stranger.admit(asked.view()).refused()->reason(), "dpop_nonce_needed");
}

TEST_F(LibraryDpop, ChallengesWithTheSchemeThatHelps) {
  struct row {
    const char* dpop;
    std::string authorization, reason;
    bool bearer, by_dpop;
  };
  auto bound = bound_token(), plain = world.token();
  const std::vector<row> rows = {
      {"off", "", "token_missing", true, false},
      {"off", "Bearer " + bound, "token_binding_missing", true, false},
      {"accepted", "", "token_missing", true, false},
      {"accepted", "Bearer x", "token_opaque", true, false},
      {"accepted", "Bearer " + bound, "token_binding_missing", true, true},
      {"accepted", "DPoP x", "token_opaque", false, true},
      {"accepted", "DPoP " + bound, "dpop_proof_invalid", false, true},
      {"required", "", "token_missing", false, true},
      {"accepted", "DPoP " + plain, "token_unbound", true, true},
      {"required", "Bearer " + plain, "token_unbound", false, true},
  };
  for (const auto& r : rows) {
    auto g = made(r.dpop, false);
    auto asked = call_of("", "echo");
    asked.headers.clear();
    if (!r.authorization.empty()) asked.headers.emplace_back("Authorization", r.authorization);
    auto refused = g.admit(asked.view());
    ASSERT_FALSE(refused.allowed()) << r.dpop << " " << r.reason;
    EXPECT_EQ(refused.refused()->reason(), r.reason) << r.dpop;
    std::string all;
    for (const auto& [name, value] : refused.answer().headers) {
      if (name == "WWW-Authenticate") all += value.substr(0, value.find(' ')) + " ";
    }
    EXPECT_EQ(all, std::string(r.bearer ? "Bearer " : "") + (r.by_dpop ? "DPoP " : ""))
        << r.dpop << " " << r.reason;
  }
}

TEST_F(LibraryDpop, SaysInTheMetadataWhatIsTaken) {
  test_request asked{{}, "GET", "/.well-known/oauth-protected-resource", ""};
  auto accepting = made("accepted", false);
  EXPECT_THAT(accepting.metadata(asked.view())->body,
              AllOf(HasSubstr(R"("dpop_signing_alg_values_supported":["ES256")"),
                    Not(HasSubstr("dpop_bound_access_tokens_required"))));
  auto demanding = made("required", false);
  EXPECT_THAT(demanding.metadata(asked.view())->body,
              HasSubstr(R"("dpop_bound_access_tokens_required":true)"));
  auto o = world.options();
  o.certificate_binding = "required";
  EXPECT_THAT(v1::guard::make(o)->metadata(asked.view())->body,
              HasSubstr(R"("tls_client_certificate_bound_access_tokens":true)"));
}

TEST_F(LibraryDpop, DemandsTokensThatAreBoundToACertificateWhereThatIsConfigured) {
  auto o = world.options();
  o.certificate_binding = "required";
  auto g = *v1::guard::make(o);
  auto plain = world.token();
  auto asked = call_of(plain, "echo");
  asked.certificate = "der";
  EXPECT_EQ(g.admit(asked.view()).refused()->reason(), "token_unbound");
  EXPECT_EQ(g.validate(plain).error().reason(), "token_unbound");
  json::object cnf;
  cnf["x5t#S256"] = json::string(certificate_thumbprint("der"));
  auto bound = call_of(world.token_with({{"cnf", cnf}}), "echo");
  bound.certificate = "der";
  EXPECT_TRUE(g.admit(bound.view()).allowed());
}

TEST_F(LibraryDpop, LetsPagesReadTheNonce) {
  auto g = made("required", true);
  auto token = bound_token();
  auto asked = call_with(token, proof(token, "1"));
  asked.headers.emplace_back("Origin", "https://mcp.example.com");
  auto refused = g.admit(asked.view());
  EXPECT_THAT(std::string(refused.answer().header_value("Access-Control-Expose-Headers")),
              HasSubstr("DPoP-Nonce"));
}

TEST_F(LibraryDpop, WorksFromC) {
  constexpr std::string_view config =
      R"({"issuer": "https://idp.example.com", "resource": "https://mcp.example.com/mcp", "dpop": "required",
          "dpop_nonces": true, "dpop_nonce_key": "0123456789abcdef0123456789abcdef", "keys": )";
  auto text = std::string(config) + world.keys() + "}";
  mcp_oauth_callbacks callbacks{};
  callbacks.size = sizeof callbacks;
  callbacks.clock = [](void* data) { return static_cast<library_world*>(data)->seconds_now * 1000; };
  callbacks.clock_data = &world;
  mcp_oauth_error* error = nullptr;
  const std::unique_ptr<mcp_oauth_guard, void (*)(mcp_oauth_guard*)> guard(
      mcp_oauth_guard_new(text.data(), text.size(), &callbacks, &error), mcp_oauth_guard_free);
  ASSERT_NE(guard, nullptr) << mcp_oauth_error_text(error).data;
  auto admit = [&](const std::string& token, const std::string& a_proof) {
    const std::unique_ptr<mcp_oauth_request, void (*)(mcp_oauth_request*)> request(
        mcp_oauth_request_new("POST", 4, "/mcp", 4), mcp_oauth_request_free);
    auto asked = call_with(token, a_proof);
    for (const auto& [name, value] : asked.headers) {
      mcp_oauth_request_add_header(request.get(), name.data(), name.size(), value.data(), value.size());
    }
    mcp_oauth_request_set_body(request.get(), asked.body.data(), asked.body.size());
    return std::unique_ptr<mcp_oauth_admission, void (*)(mcp_oauth_admission*)>(
        mcp_oauth_admit(guard.get(), request.get()), mcp_oauth_admission_free);
  };
  auto token = bound_token();
  auto refused = admit(token, proof(token, "1"));
  ASSERT_EQ(mcp_oauth_admission_allowed(refused.get()), 0);
  EXPECT_EQ(mcp_oauth_admission_answer_header_count(refused.get()), 0U);
  const auto* answer = mcp_oauth_admission_answer(refused.get());
  std::string nonce;
  for (size_t i = 0; i < mcp_oauth_answer_header_count(answer); ++i) {
    if (std::string(mcp_oauth_answer_header_name(answer, i).data) == "DPoP-Nonce")
      nonce = mcp_oauth_answer_header_value(answer, i).data;
  }
  ASSERT_NE(nonce, "");
  auto let_in = admit(token, proof(token, "2", nonce));
  ASSERT_EQ(mcp_oauth_admission_allowed(let_in.get()), 1);
  ASSERT_EQ(mcp_oauth_admission_answer_header_count(let_in.get()), 1U);
  EXPECT_STREQ(mcp_oauth_admission_answer_header_name(let_in.get(), 0).data, "DPoP-Nonce");
  EXPECT_EQ(mcp_oauth_admission_answer_header_value(let_in.get(), 0).data, nonce);
  EXPECT_STREQ(mcp_oauth_admission_answer_header_value(let_in.get(), 1).data, "");
  EXPECT_EQ(mcp_oauth_admission_answer_header_count(nullptr), 0U);
}

}  // namespace
}  // namespace mcp_oauth
